/* SPDX-License-Identifier: MIT
 *
 * What state a stream is in, and its end.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "past/replay.h"
#include "stream/quota.h"
#include "stream/stream_internal.h"
#include "stream/views.h"

/* Whether it has a position in the view's log, and not everything from there on. */
static bool is_behind(enum stream_state state)
{
	return state > STREAM_APART && state < STREAM_READY;
}

void stream_set_catching_up(struct stream *s, bool catching_up)
{
	if (s->counts_catching_up != catching_up)
		s->all->n_catching_up += catching_up ? 1 : (size_t)-1;
	s->counts_catching_up = catching_up;
}

void stream_set_state(struct stream *s, enum stream_state state)
{
	struct view *v = s->reader.view;
	enum stream_state was = s->state;
	if (state == was)
		return;
	s->state = state;
	v->n_behind += (size_t)is_behind(state) - (size_t)is_behind(was);
	list_remove(&s->reader.link);
	if (state == STREAM_READY)
		list_append(&v->ready, &s->reader.link);
	if (state == STREAM_WAITING)
		list_append(&v->waiting, &s->reader.link);
	if (state == STREAM_LAGGING)
		s->lags_since_ns = loop_now(stream_loop(s));
	/* Until its output is sent, a replay counts though the state is another one. */
	if (state != STREAM_BEHIND && state != STREAM_CAUGHT_UP)
		stream_set_catching_up(s, state == STREAM_READING);
}

void stream_finish(struct stream *s)
{
	stream_set_state(s, STREAM_LEAVING);
	outlet_end(&s->outlet); /* the heartbeat's timer watches whether it is taken */
}

void stream_forget_change(struct stream *s)
{
	if (!s->next)
		return;
	subscription_release(s->next);
	subscription_fini(s->next);
	free(s->next);
	s->next = NULL;
}

static void reap(struct loop_task *t)
{
	struct stream *s = container_of(t, struct stream, reaper);
	if (s->replay)
		return; /* its done() comes here again */
	struct view *v = s->reader.view;
	free(s->known_lows);
	stream_forget_change(s);
	view_remove(&s->reader);
	view_put(v);
	free(s);
}

static void forget_identity(struct stream *s)
{
	ticket_free(s->who.ticket);
	s->who = (struct identity){.address = quota_name(NULL), .user = quota_name(NULL)};
	quota_give(s->quotas[0]);
	quota_give(s->quotas[1]);
}

void stream_end(struct stream *s)
{
	if (s->state == STREAM_ENDED)
		return;
	stream_set_state(s, STREAM_ENDED);
	list_remove(&s->link);
	s->all->n--;
	forget_identity(s);
	manager_leave(&s->managed);
	loop_timer_cancel(stream_loop(s), &s->heartbeat);
	outlet_close(&s->outlet);
	if (s->replay && replay_cancel(s->replay))
		s->replay = NULL;
	s->reaper.fn = reap;
	loop_defer(stream_loop(s), &s->reaper);
}

event_id *stream_lows(const struct view *v)
{
	event_id *lows = mem_zero((v->sub.n_channels + 1) * sizeof(lows[0]));
	for (size_t i = 0; i < v->sub.n_channels; i++)
		lows[i] = journal_low_watermark(&v->sub.channels[i].channel->journal);
	return lows;
}
