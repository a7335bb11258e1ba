/* SPDX-License-Identifier: MIT
 *
 * What a stream gets from its view's log, and signs of life while there is nothing.
 */
#include "stream/stream_internal.h"
#include "wire/fcgi.h"

void stream_join(struct stream *s)
{
	struct view *v = s->reader.view;
	s->pos = view_log_join(&v->log);
	bool is_there = !s->tail && s->after >= view_newest_id(v) && view_may_join(v, s->after);
	stream_set_state(s, is_there ? STREAM_CAUGHT_UP : STREAM_BEHIND);
}

/* The view's records carry id 1; for another one a copy is made. */
static struct str with_own_id(struct stream *s, struct str bytes, struct buf *copy)
{
	if (s->outlet.framing != HANDOFF_FCGI || s->outlet.fcgi_id == 1)
		return bytes;
	buf_put_str(copy, bytes);
	fcgi_patch_id(copy->data, copy->len, s->outlet.fcgi_id);
	return buf_str(copy);
}

static void fall_behind(struct stream *s, struct str own, size_t sent)
{
	/* The rest of the group it stopped in is kept; what comes after it stays in
	 * the view for as long as the window holds it.
	 */
	struct str rest = view_log_cut(&s->reader.view->log, &s->pos, sent, &s->after);
	outlet_keep(&s->outlet, own.data + sent, rest.len);
	stream_set_state(s, STREAM_LAGGING);
}

void stream_flush(struct stream *s)
{
	struct view_log *log = &s->reader.view->log;
	struct str bytes;
	if (view_log_read(log, s->pos, s->is_poll, &bytes)) {
		stream_set_state(s, STREAM_BEHIND);
		return;
	}
	struct buf copy = {0};
	struct str own = with_own_id(s, bytes, &copy);
	size_t sent = outlet_try(&s->outlet, own.data, own.len);
	if (sent < bytes.len) {
		fall_behind(s, own, sent);
	} else {
		s->pos = view_log_end(log);
		if (bytes.len)
			s->after = log->last;
		stream_set_state(s, STREAM_READY);
	}
	buf_fini(&copy);
	if (s->is_poll && sent)
		stream_finish(s); /* one group is its answer */
}

void stream_beat(struct stream *s)
{
	struct view *v = s->reader.view;
	/* The id must not run ahead of events that wait to be flushed. */
	if (s->state == STREAM_READY)
		view_flush(v);
	bool is_ready = s->state == STREAM_READY;
	/* A stream that has bytes pending, or is behind, needs no sign of life.  One for which
	 * the journal is being read needs it: nothing may match for a long time.
	 */
	if (!outlet_is_clear(&s->outlet) || s->tail || (!is_ready && s->state != STREAM_READING))
		return;
	if (is_ready)
		s->after = MAX(s->after, view_newest_id(v));
	struct buf text = {0};
	format_heartbeat(&text, v->sub.format, registry_epoch(s->all->registry), s->after,
			 v->sub.heartbeat);
	s->all->n_heartbeats++;
	stream_say(s, buf_str(&text));
	buf_fini(&text);
	if (is_ready && !outlet_is_clear(&s->outlet))
		stream_set_state(s, STREAM_LAGGING);
}
