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

enum { FILES_SPARED = 8 };

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

static void tell_failure(struct sealing *s)
{
	if (s->error == -EBADMSG || s->error == -EIO)
		s->segment->stays = true; /* it would fail again */
	if (s->has_failed)
		return;
	log_warning("cannot compress %s: %s (the file is unchanged; it will %sbe tried again)",
		    s->segment->path,
		    s->error == -EBADMSG ? "part of it is damaged"
		    : s->error == -EIO ? "the compressed file does not match, or cannot be written"
				       : strerror(-s->error),
		    s->segment->stays ? "not " : "");
	s->has_failed = true;
}

static void begin_next(struct sealing *s);

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
		s->n_sealed++;
		s->bytes_before += before;
		s->bytes_after += after;
	} else if (s->error != -ECANCELED && s->error != -ENOENT && !fd_is_shortage(s->error)) {
		tell_failure(s);
	}
	let_go(s);
	if (is_well && !helper_is_ending(s->helper))
		begin_next(s);
}

/* Whether the disk has room for a second file as large as the segment: history must not be dropped
 * to make room for it.
 */
static bool has_room(const struct sealing *s, const struct segment *of)
{
	const struct settings *settings = s->registry->settings;
	struct statvfs fs;
	return statvfs(settings->hub.state_dir, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize > of->size;
}

static void begin_next(struct sealing *s)
{
	/* A journal that has no descriptor for its next segment drops the oldest one. */
	int free_fd = fd_lowest_free();
	if (free_fd < 0 || free_fd + FILES_SPARED > fd_limit())
		return;
	for (size_t i = 0; !s->is_working && i < s->registry->n_channels; i++) {
		struct channel *c = s->registry->channels[i];
		struct segment *next =
			c->settings.compresses ? journal_next_to_seal(&c->journal) : NULL;
		if (!next || !has_room(s, next))
			continue;
		s->is_working = true;
		s->error = -ECANCELED; /* until it has been done */
		s->channel = c;
		channel_hold(c);
		s->segment = segment_ref(next);
		s->seen = *next;
		s->path = mem_printf("%s/" SEALING_NAME, c->journal.config.dir);
		helper_submit(s->helper, &s->job);
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
	return helper_new(r->loop, 1, true, &s->helper, why);
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
