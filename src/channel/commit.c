/* SPDX-License-Identifier: MIT */
#include "channel/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/helper.h"

#define COMMIT_NS (10 * NS_PER_MS)
#define RETRY_NS  (1 * NS_PER_SEC)

enum { BEHIND_BYTES = 16 * 1024 * 1024, BEHIND_MEMORY = 4 * BEHIND_BYTES };

struct commit {
	struct commit_config config;
	struct list queue; /* of struct channel_batch, oldest first */
	size_t bytes;      /* in it */
	size_t memory;     /* that it takes */
	struct loop_timer timer;
	struct helper *thread;
	struct journal_point synced;

	struct helper_job job;
	bool is_syncing;
	bool has_failed; /* and was not written anew yet */
	bool is_stuck;   /* and no sync has gone well since */
	event_id upto;   /* what the sync under way covers */
	struct journal_point point;
	struct segment **segments; /* to be synced; refs */
	size_t n_segments;
	char *dir;       /* to be synced, or NULL; borrowed */
	event_id places; /* the checkpoint of cursors up to here is put in place then; 0: none */
	int error, place_error;
	uint64_t n_syncs, n_failures;
};

/* ---- in the thread ---------------------------------------------------------------------- */

static void work(struct helper_job *job)
{
	struct commit *m = container_of(job, struct commit, job);
	m->error = 0;
	for (size_t i = 0; i < m->n_segments && !m->error; i++)
		if (fdatasync(m->segments[i]->fd) < 0)
			m->error = -errno;
	if (!m->dir || m->error)
		return;
	/* Cursors must not reach the disk before the events up to them. */
	m->place_error = m->places ? journal_place_checkpoint(m->dir) : 0;
	int fd = open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		m->error = -errno;
	if (fd >= 0)
		close(fd);
}

/* ---- in the loop ------------------------------------------------------------------------- */

static void release_segments(struct commit *m)
{
	for (size_t i = 0; i < m->n_segments; i++)
		segment_unref(m->segments[i]);
	free(m->segments);
	m->segments = NULL;
	m->n_segments = 0;
}

/* Those that have been written to since the last success. */
static void collect_segments(struct commit *m)
{
	struct journal *j = m->config.journal;
	m->segments = mem_zero((j->n + 1) * sizeof(m->segments[0]));
	for (size_t i = j->n; i-- > 0;) {
		m->segments[m->n_segments++] = segment_ref(j->segments[i]);
		if (j->segments[i] == m->synced.segment)
			break;
	}
}

static void start(struct commit *m)
{
	struct journal *j = m->config.journal;
	m->is_syncing = true;
	m->upto = list_entry(m->queue.prev, struct channel_batch, link)->last;
	journal_point_take(j, &m->point);
	collect_segments(m);
	m->places = j->checkpoint.written;
	m->dir = j->has_new_file || m->places ? (char *)(uintptr_t)j->config.dir : NULL;
	j->has_new_file = false;
	m->error = -ECANCELED; /* until it has been done */
	helper_submit(m->thread, &m->job);
}

static size_t bytes_of(const struct channel_batch *b)
{
	return batch_records(b).len + b->passing.len;
}

static struct channel_batch *oldest(const struct commit *m)
{
	return list_entry(m->queue.next, struct channel_batch, link);
}

static void publish_synced(struct commit *m)
{
	while (!list_is_empty(&m->queue) && oldest(m)->last <= m->upto) {
		struct channel_batch *b = oldest(m);
		m->bytes -= bytes_of(b);
		m->memory -= batch_memory(b);
		list_remove(&b->link);
		m->config.publish(m->config.ctx, b);
	}
	m->config.released(m->config.ctx, list_is_empty(&m->queue) ? 0 : oldest(m)->first);
}

/* Everything that is not synced, once more, to a new segment. */
static int write_anew(struct commit *m)
{
	struct journal_batch *batches = NULL;
	size_t n = 0;
	list_each (e, &m->queue) {
		struct channel_batch *b = list_entry(e, struct channel_batch, link);
		batches = mem_resize(batches, (n + 1) * sizeof(batches[0]));
		batches[n++] =
			(struct journal_batch){b->first, b->last, b->n_kept, batch_records(b)};
	}
	int r = journal_rewrite(m->config.journal, &m->synced, batches, n);
	free(batches);
	return r;
}

static void on_timer(struct loop_timer *t)
{
	struct commit *m = container_of(t, struct commit, timer);
	if (m->is_syncing || list_is_empty(&m->queue))
		return;
	if (m->has_failed && write_anew(m)) {
		loop_timer_set(m->config.loop, t, loop_now(m->config.loop) + RETRY_NS);
		return;
	}
	m->has_failed = false;
	start(m);
}

static void on_failed(struct commit *m)
{
	m->n_failures++;
	if (!m->is_stuck)
		log_error(
			"channel %s: the disk has refused a sync: %s; what is not on it is written "
			"anew to another segment, and not published before (look at the disk)",
			m->config.name, strerror(-m->error));
	m->has_failed = true;
	m->is_stuck = true;
	journal_point_fini(&m->point);
	loop_timer_set(m->config.loop, &m->timer, loop_now(m->config.loop) + RETRY_NS);
}

static void done(struct helper_job *job)
{
	struct commit *m = container_of(job, struct commit, job);
	m->is_syncing = false;
	release_segments(m);
	if (m->error == -ECANCELED) {
		journal_point_fini(&m->point); /* at the end: it stays unpublished */
		return;
	}
	if (m->error) {
		on_failed(m);
		return;
	}
	if (m->n_failures && m->is_stuck)
		log_info("channel %s: the disk takes it again", m->config.name);
	m->is_stuck = false;
	m->n_syncs++;
	journal_point_fini(&m->synced);
	m->synced = m->point;
	m->point = (struct journal_point){0};
	if (m->places && !m->place_error)
		journal_checkpoint_placed(m->config.journal, m->places);
	else if (m->places)
		m->config.journal->checkpoint.written = 0; /* the next checkpoint may be written */
	journal_vouch(m->config.journal, m->synced.last, m->synced.n_events);
	publish_synced(m);
	/* Batches that came during this sync are synced at once, without COMMIT_NS. */
	if (!list_is_empty(&m->queue) && !helper_is_ending(m->thread))
		start(m);
}

void commit_put(struct commit *m, struct channel_batch *b)
{
	m->bytes += bytes_of(b);
	m->memory += batch_memory(b);
	list_append(&m->queue, &b->link);
	if (!m->is_syncing && !m->timer.slot)
		loop_timer_set(m->config.loop, &m->timer, loop_now(m->config.loop) + COMMIT_NS);
}

bool commit_is_behind(const struct commit *m)
{
	return m->bytes > BEHIND_BYTES || m->memory > BEHIND_MEMORY || m->has_failed;
}

bool commit_is_stuck(const struct commit *m)
{
	return m->is_stuck;
}

void commit_report(const struct commit *m, struct json *j)
{
	json_int(j, "syncs", (int64_t)m->n_syncs);
	json_int(j, "sync_failures", (int64_t)m->n_failures);
	json_int(j, "unsynced_bytes", (int64_t)m->bytes);
}

struct commit *commit_new(const struct commit_config *config, char **why)
{
	struct commit *m = mem_zero(sizeof(*m));
	m->config = *config;
	m->timer.fn = on_timer;
	m->job = (struct helper_job){.work = work, .done = done};
	list_init(&m->queue);
	journal_point_take(config->journal, &m->synced);
	/* What the last hub wrote is shown now: the disk must have it. */
	int r = journal_sync(config->journal);
	if (r)
		*why = mem_printf("channel %s: the disk refuses a sync: %s", m->config.name,
				  strerror(-r));
	if (r || helper_new(m->config.loop, 1, HELPER_EQUAL, &m->thread, why)) {
		journal_point_fini(&m->synced);
		free(m);
		return NULL;
	}
	return m;
}

void commit_free(struct commit *m)
{
	if (!m)
		return;
	loop_timer_cancel(m->config.loop, &m->timer);
	helper_free(m->thread);
	loop_timer_cancel(m->config.loop, &m->timer);
	list_each_safe (e, &m->queue)
		batch_free(list_entry(e, struct channel_batch, link));
	journal_point_fini(&m->synced);
	free(m);
}
