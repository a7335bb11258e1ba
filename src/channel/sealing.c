/* SPDX-License-Identifier: MIT */
#include "channel/sealing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "channel/channel.h"
#include "journal/seal.h"

#define LOOK_NS NS_PER_SEC

#define PAUSE_MAX_NS (600 * NS_PER_SEC)

enum { ROOM_LEFT = 1024 * 1024 };

/* ---- in the thread ---------------------------------------------------------------------- */

static void work(struct helper_job *job)
{
	struct sealing *s = container_of(job, struct sealing, job);
	s->error = segment_seal(&s->seen, s->path, &s->is_cancelled, &s->fresh);
}

/* ---- in the loop ------------------------------------------------------------------------ */

static void let_go(struct sealing *s)
{
	segment_unref(s->segment);
	free(s->path);
	channel_release(s->channel);
	s->segment = s->fresh = NULL;
	s->path = NULL;
	s->channel = NULL;
	s->is_working = false;
}

static void begin_next(struct sealing *s);

/* It is tried again, each time after twice as long, unless it would fail for ever. */
static void take_failure(struct sealing *s)
{
	bool is_known = s->error == -E2BIG || fd_is_shortage(s->error);
	s->segment->stays = s->error == -EBADMSG || s->error == -EIO || s->error == -E2BIG;
	if (!s->segment->stays) {
		s->pause_ns = MIN(MAX(2 * s->pause_ns, LOOK_NS), PAUSE_MAX_NS);
		s->from_ns = loop_now(s->registry->loop) + s->pause_ns;
	}
	if (is_known || s->has_failed)
		return;
	log_warning("cannot compress %s: %s (the file is unchanged; it will %sbe tried again)",
		    s->segment->path,
		    s->error == -EBADMSG ? "part of it is damaged"
		    : s->error == -EIO   ? "the compressed file does not match it"
					 : strerror(-s->error),
		    s->segment->stays ? "not " : "");
	s->has_failed = true;
}

static void done(struct helper_job *job)
{
	struct sealing *s = container_of(job, struct sealing, job);
	uint64_t before = segment_bytes(s->segment), after = 0;
	if (!s->error) {
		after = segment_bytes(s->fresh);
		s->error = journal_put_sealed(&s->channel->journal, s->segment, s->fresh);
	}
	bool is_well = !s->error;
	if (is_well) {
		s->has_failed = false;
		s->pause_ns = 0;
		s->n_sealed++;
		s->bytes_before += before;
		s->bytes_after += after;
	} else if (s->error != -ECANCELED && s->error != -ENOENT) {
		take_failure(s);
	}
	let_go(s);
	if (is_well && !helper_is_ending(s->helper))
		begin_next(s);
}

uint64_t sealing_bytes(const struct sealing *s)
{
	return s->is_working ? seal_most(&s->seen) : 0;
}

/* Whether the disk has room for the sealed form beside the segment: history must not be dropped to
 * make room for it.
 */
static bool has_room(const struct sealing *s, const struct segment *of)
{
	const struct settings *settings = s->registry->settings;
	struct statvfs fs;
	return statvfs(settings->hub.state_dir, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize > seal_most(of) + ROOM_LEFT;
}

static struct segment *wanted_of(const struct sealing *s, const struct channel *c)
{
	if (c->is_removed || !c->settings.compresses)
		return NULL;
	struct segment *next = journal_next_to_seal(&c->journal);
	return next && has_room(s, next) ? next : NULL;
}

static void begin(struct sealing *s, struct channel *c, struct segment *of)
{
	s->is_working = true;
	s->error = -ECANCELED; /* until it has been done */
	s->channel = c;
	channel_hold(c);
	s->segment = segment_ref(of);
	s->seen = *of;
	s->path = mem_printf("%s/" SEALING_NAME, c->journal.config.dir);
	helper_submit(s->helper, &s->job);
}

/* The channels take turns. */
static void begin_next(struct sealing *s)
{
	const struct registry *r = s->registry;
	/* A journal that has no descriptor for its next segment drops the oldest one. */
	if (!fd_is_plenty() || loop_now(r->loop) < s->from_ns)
		return;
	for (size_t i = 0; !s->is_working && i < r->n_channels; i++) {
		struct channel *c = r->channels[s->turn++ % r->n_channels];
		struct segment *of = wanted_of(s, c);
		if (of)
			begin(s, c, of);
	}
}

static void on_look(struct loop_timer *t)
{
	struct sealing *s = container_of(t, struct sealing, timer);
	begin_next(s);
	loop_timer_set(s->registry->loop, t, loop_now(s->registry->loop) + LOOK_NS);
}

int sealing_start(struct sealing *s, struct registry *r, char **why)
{
	*s = (struct sealing){
		.registry = r, .job = {.work = work, .done = done}, .timer.fn = on_look};
	loop_timer_set(r->loop, &s->timer, loop_now(r->loop) + LOOK_NS / 10);
	return helper_new(r->loop, 1, HELPER_LAST, &s->helper, why);
}

void sealing_stop(struct sealing *s)
{
	if (!s->helper)
		return;
	loop_timer_cancel(s->registry->loop, &s->timer);
	atomic_store(&s->is_cancelled, true);
	helper_free(s->helper);
	s->helper = NULL;
}
