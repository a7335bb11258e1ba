/* SPDX-License-Identifier: MIT */
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "journal/checkpoint.h"
#include "journal/journal_internal.h"

#define SEGMENT_MIN (256LL * 1024)
#define SEGMENT_MAX (32LL * 1024 * 1024)
#define AHEAD_MIN   (16ULL * 1024)
#define AHEAD_MAX   (4ULL * 1024 * 1024)
#define RESERVE     (64 * 1024)
#define LOOK_MS     1000
#define IDLE_MS     (60 * 1000)

/* If so many have brought no descriptor, others take what is given back: the rest would be lost for
 * nothing.
 */
enum { VAIN_DROPS_MAX = 2 };

/* ---- what the witness knows --------------------------------------------------------- */

static void tell_witness(struct journal *j)
{
	if (!j->config.witness)
		return;
	j->known.low = j->low;
	j->known.low_ordinal = j->low_ordinal;
	j->known.cursors = j->checkpoint.upto;
	int r = witness_put(j->config.witness, j->config.name, &j->known, &j->witness_slot);
	if (r)
		log_debug("%s: the witness: %s", j->config.dir, strerror(-r));
}

void journal_vouch(struct journal *j, event_id last, uint64_t n_events)
{
	j->known.last = MAX(j->known.last, last);
	j->known.n_events = MAX(j->known.n_events, n_events);
	tell_witness(j);
}

/* ---- segments -------------------------------------------------------------------------- */

/* The low-watermark goes first: what is missing above it was not dropped. */
static void drop_oldest(struct journal *j)
{
	const struct segment *s = j->segments[0], *next = j->segments[1];
	j->low = MAX(j->low, next->before);
	j->low_ordinal = MAX(j->low_ordinal, next->ordinal);
	tell_witness(j);
	if (s->path)
		unlink(s->path);
	journal_forget_segment(j, 0);
}

/* ---- the checkpoint of cursors ---------------------------------------------------------- */

void journal_checkpoint_placed(struct journal *j, event_id upto)
{
	j->checkpoint.upto = upto;
	j->checkpoint.written = 0;
	tell_witness(j);
}

int journal_place_checkpoint(const char *dir)
{
	return checkpoint_place(dir, true);
}

/* In memory nothing is written, but those that were forgotten go with it. */
static int write_checkpoint(struct journal *j)
{
	if (!j->config.checkpoint || j->checkpoint.written)
		return 0;
	struct buf entries = {0};
	j->config.checkpoint(j->config.ctx, &entries);
	int r = j->config.dir ? checkpoint_write(j->config.dir, j->last, buf_str(&entries)) : 0;
	j->checkpoint.bytes = entries.len;
	buf_fini(&entries);
	if (!r && j->config.dir && !j->config.syncs)
		r = checkpoint_place(j->config.dir, false);
	if (r)
		return r;
	j->checkpoint.appended = 0;
	if (j->config.dir && j->config.syncs)
		j->checkpoint.written = j->last;
	else
		journal_checkpoint_placed(j, j->last);
	return 0;
}

/* Whether the cursors of the oldest segment stand somewhere else as well; they are
 * written there when they do not.
 */
static bool may_drop(struct journal *j)
{
	if (j->n < 2)
		return false;
	event_id needs = j->segments[0]->last;
	if (!j->config.dir || !j->config.checkpoint || needs <= j->checkpoint.upto)
		return true;
	return !write_checkpoint(j) && needs <= j->checkpoint.upto;
}

/* On a full disk the oldest goes.  One that is being read frees nothing before that is over,
 * and the others must not go for it in vain.  True when there may be room now.
 */
static bool drop_for_room(struct journal *j)
{
	if (j->leaving && j->leaving->refs > 1)
		return false;
	if (j->leaving) {
		segment_unref(j->leaving);
		j->leaving = NULL;
		return true;
	}
	if (!may_drop(j))
		return false;
	if (j->segments[0]->refs > 1)
		j->leaving = segment_ref(j->segments[0]);
	drop_oldest(j);
	return true;
}

/* ---- room -------------------------------------------------------------------------------- */

static uint64_t usual_size(const struct journal *j)
{
	return (uint64_t)MIN(MAX(j->config.max_bytes / 8, SEGMENT_MIN), SEGMENT_MAX);
}

/* Segments are small on a small disk, so that the oldest can be dropped before it is full. */
static uint64_t size_for_disk(const struct journal *j)
{
	struct statvfs fs;
	uint64_t size = usual_size(j);
	if (!j->config.dir || statvfs(j->config.dir, &fs) < 0)
		return size;
	uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize + j->bytes;
	return MAX(MIN(size, room / 8), (uint64_t)SEGMENT_MIN);
}

static char *reserve_path(const struct journal *j)
{
	return mem_printf("%s/reserve", j->config.dir);
}

static void give_up_reserve(struct journal *j)
{
	char *path = reserve_path(j);
	unlink(path);
	free(path);
	j->has_reserve = false;
}

static void make_reserve(struct journal *j)
{
	char *path = reserve_path(j);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	j->has_reserve = fd >= 0 && (fallocate(fd, 0, 0, RESERVE) == 0 || errno != ENOSPC);
	if (fd >= 0)
		close(fd);
	if (!j->has_reserve)
		unlink(path);
	free(path);
}

/* Preallocates in steps that grow with what the journal takes in. */
static void allocate_ahead(struct journal *j, struct segment *s, size_t n)
{
	if (j->is_sparing || s->size + n <= s->allocated)
		return;
	uint64_t more = MIN(MAX(s->size, AHEAD_MIN), AHEAD_MAX);
	uint64_t left = j->segment_size > s->size ? j->segment_size - s->size : 0;
	if (segment_allocate(s, MAX(n, MIN(n + more, left))))
		return; /* the write itself finds out if there is room */
}

void journal_spare(struct journal *j, bool is_sparing)
{
	j->is_sparing = is_sparing;
	if (j->n)
		segment_give_back(j->segments[j->n - 1]);
}

/* ---- writing ---------------------------------------------------------------------- */

/* Its directory may have been removed meanwhile. */
static int create_segment(struct journal *j, event_id first, struct segment **ret)
{
	const struct journal_config *c = &j->config;
	int r = segment_create(c->dir, NULL, c->epoch, first, j->last, j->n_events, ret);
	if (r != -ENOENT || fd_make_dirs(c->dir))
		return r;
	return segment_create(c->dir, NULL, c->epoch, first, j->last, j->n_events, ret);
}

/* A segment without events has no history of its own. */
static void remove_empty(struct journal *j)
{
	struct segment *s = j->n ? j->segments[j->n - 1] : NULL;
	if (!s || s->sealed || s->size > segment_start(s))
		return;
	if (s->path)
		unlink(s->path);
	journal_forget_segment(j, j->n - 1);
}

static void take_spare(struct journal *j)
{
	if (j->config.spare_fd && *j->config.spare_fd < 0)
		*j->config.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The same for want of a descriptor.  Nothing may be dropped before its cursors are in a
 * checkpoint, and writing that takes a descriptor, too: the spare one.
 */
static bool drop_for_file(struct journal *j, int r)
{
	size_t before = j->n;
	bool had_spare = j->config.spare_fd && *j->config.spare_fd >= 0;
	if (had_spare)
		fd_close(j->config.spare_fd);
	bool may_drop_one = j->leaving || j->n_vain_drops < VAIN_DROPS_MAX;
	bool is_dropped = may_drop_one && drop_for_room(j);
	j->n_vain_drops += j->n < before;
	if (is_dropped && !j->leaving)
		take_spare(j);
	if (j->n < before && !j->is_short_of_files)
		log_warning("%s: %s: each new segment replaces the oldest one (raise "
			    "LimitNOFILE, or ulimit -n)",
			    j->config.dir ? j->config.dir : "a journal in memory", strerror(-r));
	j->is_short_of_files = true;
	return is_dropped || had_spare;
}

static bool is_writable(const struct segment *s)
{
	return s->version == SEGMENT_VERSION && !s->sealed;
}

/* Begins a new segment; on a full disk, or without a descriptor, the oldest goes for it. */
static int roll(struct journal *j, event_id first)
{
	struct segment *s;
	int r;
	bool is_short = false;
	remove_empty(j);
	take_spare(j);
	while ((r = create_segment(j, first, &s)) == -ENOSPC || fd_is_shortage(r)) {
		is_short |= fd_is_shortage(r);
		if (fd_is_shortage(r)) {
			if (!drop_for_file(j, r))
				break;
		} else if (j->has_reserve) {
			give_up_reserve(j);
		} else if (!drop_for_room(j)) {
			break;
		}
	}
	/* With the one descriptor that a dropped segment has left, the next roll would report the
	 * shortage again.
	 */
	if (!is_short && fd_is_plenty())
		j->is_short_of_files = false;
	if (r)
		return j->leaving ? -EAGAIN : r;
	j->n_vain_drops = 0;
	if (j->n)
		segment_give_back(j->segments[j->n - 1]);
	j->has_new_file |= s->path != NULL;
	journal_add_segment(j, s);
	j->bytes += s->size;
	j->segment_size = size_for_disk(j);
	/* Not for every segment: many cursors may be larger than a segment. */
	if (j->checkpoint.appended >= j->checkpoint.bytes && write_checkpoint(j))
		log_debug("%s: no checkpoint yet", j->config.dir);
	return 0;
}

/* Whether the segment being written holds so old an event that it should end,
 * so that it can go as a whole when its time has come.
 */
static bool is_aged(const struct journal *j, int64_t now_ms)
{
	const struct segment *s = j->segments[j->n - 1];
	return j->config.max_age_ms && s->begun_ms &&
	       s->begun_ms < now_ms - j->config.max_age_ms / 4;
}

/* Room for a batch that the disk has refused: true when it may be tried again. */
static bool make_room(struct journal *j, event_id first)
{
	const struct segment *s = j->segments[j->n - 1];
	if (j->n == 1 && s->size >= (uint64_t)SEGMENT_MIN && j->has_reserve && roll(j, first))
		return false;
	return drop_for_room(j);
}

/* When files were removed under it, the journal begins anew: what is in them would be
 * gone with the hub.
 */
static void look_for_files(struct journal *j, int64_t now_ms)
{
	size_t before = j->n;
	j->looked_ms = now_ms;
	for (size_t i = j->n; i-- > 0;)
		if (segment_is_removed(j->segments[i]))
			journal_forget_segment(j, i);
	if (j->n == before)
		return;
	log_error("%s: %zu of its segments were removed while sluice was running; clients that "
		  "read the past see a gap there",
		  j->config.dir, before - j->n);
	j->has_reserve = false;
	/* Their cursors stand nowhere else, and those of the checkpoint perhaps neither. */
	j->checkpoint.upto = 0;
	j->checkpoint.bytes = 0;
	if (write_checkpoint(j))
		log_debug("%s: no checkpoint yet", j->config.dir);
}

/* The segment to write to; NULL with *error. */
static struct segment *current(struct journal *j, size_t n, event_id first, int64_t now_ms,
			       int *error)
{
	if (j->config.dir && (now_ms < j->looked_ms || now_ms - j->looked_ms >= LOOK_MS))
		look_for_files(j, now_ms);
	struct segment *s = j->n ? j->segments[j->n - 1] : NULL;
	/* The newest segment may have been removed; writing to its file would be in vain. */
	bool ends = !s || s->last < j->last || !is_writable(s) ||
		    (s->size > segment_start(s) &&
		     (s->size + n > j->segment_size || is_aged(j, now_ms)));
	*error = ends ? roll(j, first) : 0;
	return *error ? NULL : j->segments[j->n - 1];
}

int journal_append(struct journal *j, struct buf *batch, event_id first, event_id last,
		   uint32_t n_events, int64_t now_ms)
{
	int r;
	struct segment *s = current(j, batch->len, first, now_ms, &r);
	if (r)
		return r;
	allocate_ahead(j, s, batch->len);
	while ((r = segment_append(s, batch, first, last, n_events, now_ms)) == -ENOSPC &&
	       make_room(j, first))
		s = j->segments[j->n - 1];
	if (r)
		return r == -ENOSPC && j->leaving ? -EAGAIN : r;
	j->is_used = true;
	j->bytes += batch->len;
	j->checkpoint.appended += batch->len;
	j->n_events += n_events;
	/* Whoever appends takes the batch's cursors over afterwards: a checkpoint that is
	 * written here must not claim to hold them.
	 */
	while (j->bytes > (uint64_t)j->config.max_bytes && may_drop(j))
		drop_oldest(j);
	j->last = last;
	if (!j->config.syncs)
		journal_vouch(j, j->last, j->n_events);
	return 0;
}

void journal_keep(struct journal *j, int64_t max_bytes, int64_t max_age_ms)
{
	j->config.max_bytes = max_bytes;
	j->config.max_age_ms = max_age_ms;
	j->segment_size = size_for_disk(j);
	while (j->bytes > (uint64_t)max_bytes && may_drop(j))
		drop_oldest(j);
}

bool journal_shrink(struct journal *j)
{
	if (!may_drop(j))
		return false;
	drop_oldest(j);
	return true;
}

void journal_tend(struct journal *j, int64_t now_ms)
{
	if (!j->config.dir || !j->n)
		return;
	look_for_files(j, now_ms);
	if (!j->n || j->segments[j->n - 1]->last < j->last) {
		int r = roll(j, j->last + 1);
		if (r)
			log_error("%s: cannot begin a segment: %s", j->config.dir, strerror(-r));
		else if (write_checkpoint(j))
			log_debug("%s: no checkpoint yet", j->config.dir);
		return;
	}
	struct segment *s = j->segments[j->n - 1];
	if (s->written_ms < now_ms - IDLE_MS)
		segment_give_back(s);
	if (j->is_used && !j->has_reserve && !j->is_sparing)
		make_reserve(j);
}

void journal_point_take(const struct journal *j, struct journal_point *ret)
{
	struct segment *s = j->n ? j->segments[j->n - 1] : NULL;
	*ret = (struct journal_point){.last = j->last, .n_events = j->n_events};
	if (!s)
		return;
	*ret = (struct journal_point){.segment = segment_ref(s),
				      .size = s->size,
				      .segment_events = s->n_events,
				      .n_marks = s->n_marks,
				      .segment_last = s->last,
				      .last = j->last,
				      .n_events = j->n_events};
}

void journal_point_fini(struct journal_point *p)
{
	segment_unref(p->segment);
	*p = (struct journal_point){0};
}

static int append_records(struct segment *s, const struct journal_batch *b)
{
	struct buf batch = {0};
	buf_reserve(&batch, BATCH_HEADER);
	batch.len = BATCH_HEADER;
	buf_put_str(&batch, b->records);
	int r = segment_append(s, &batch, b->first, b->last, b->n_events, (int64_t)id_ms(b->last));
	buf_fini(&batch);
	return r;
}

/* A segment under another name, which nobody reads before all of it is there. */
static int write_replacement(struct journal *j, const struct journal_point *p,
			     const struct journal_batch *batches, size_t n, struct segment **ret)
{
	char *path = mem_printf("%s/replacement", j->config.dir);
	event_id first = n ? batches[0].first : p->last + 1;
	unlink(path);
	int r = segment_create(j->config.dir, path, j->config.epoch, first, p->last, p->n_events,
			       ret);
	if (!r) {
		for (size_t i = 0; i < n && !r; i++)
			if (batches[i].records.len)
				r = append_records(*ret, &batches[i]);
		if (!r && rename(path, (*ret)->path) < 0)
			r = -errno;
		if (r)
			segment_unref(*ret);
	}
	if (r)
		unlink(path);
	free(path);
	return r;
}

/* What comes after `p` has its replacement, under the name `keep`. */
static void drop_after(struct journal *j, const struct journal_point *p, const char *keep)
{
	while (j->n && j->segments[j->n - 1] != p->segment &&
	       j->segments[j->n - 1]->first > p->last) {
		struct segment *s = j->segments[--j->n];
		j->bytes -= s->size;
		if (strcmp(s->path, keep) != 0)
			unlink(s->path);
		segment_unref(s);
	}
	if (!j->n || j->segments[j->n - 1] != p->segment)
		return;
	struct segment *s = p->segment;
	j->bytes -= s->size - p->size;
	if (strcmp(s->path, keep) == 0) { /* it held nothing yet */
		j->bytes -= p->size;
		j->n--;
		segment_unref(s);
		return;
	}
	/* Where even this fails, readers pass over what stands there twice. */
	if (ftruncate(s->fd, (off_t)p->size) < 0)
		log_warning("%s: %s", s->path, strerror(errno));
	s->size = s->allocated = p->size;
	s->n_events = p->segment_events;
	s->n_marks = p->n_marks;
	s->last = p->segment_last;
}

int journal_rewrite(struct journal *j, const struct journal_point *p,
		    const struct journal_batch *batches, size_t n)
{
	struct segment *s = NULL;
	int r = write_replacement(j, p, batches, n, &s);
	if (r)
		return r;
	drop_after(j, p, s->path);
	j->has_new_file = true;
	j->segment_size = size_for_disk(j);
	journal_add_segment(j, s);
	j->bytes += s->size;
	j->n_events = p->n_events + s->n_events;
	j->last = MAX(p->last, s->last);
	return 0;
}

/* The file keeps the time at which that was found out, also over a restart. */
void journal_correct_times(struct journal *j, int64_t now_ms)
{
	for (size_t i = 0; i < j->n; i++) {
		struct segment *s = j->segments[i];
		s->begun_ms = MIN(s->begun_ms, now_ms);
		if (s->written_ms <= now_ms)
			continue;
		s->written_ms = now_ms;
		if (s->path && futimens(s->fd, NULL) < 0)
			log_debug("%s: %s", s->path, strerror(errno));
	}
}

int journal_expire(struct journal *j, int64_t now_ms)
{
	int dropped = 0;
	if (!j->n)
		return 0;
	/* A quiet channel's last events grow old as well. */
	if (is_aged(j, now_ms) &&
	    j->segments[j->n - 1]->written_ms < now_ms - j->config.max_age_ms &&
	    j->segments[j->n - 1]->n_events && roll(j, j->last + 1))
		return 0; /* no room for a new one: tried again the next time */
	while (j->config.max_age_ms && j->n > 1 &&
	       j->segments[0]->written_ms < now_ms - j->config.max_age_ms && may_drop(j)) {
		drop_oldest(j);
		dropped++;
	}
	return dropped;
}

/* Removes files that a killed process left unfinished. */
static void remove_leftovers(const struct journal *j)
{
	static const char *const names[] = {"reserve", "replacement", "cursors.new", SEALING_NAME};
	for (size_t i = 0; i < array_size(names); i++) {
		char *path = mem_printf("%s/%s", j->config.dir, names[i]);
		unlink(path);
		free(path);
	}
}

int journal_open(const struct journal_config *config, struct journal *j, char **why)
{
	*j = (struct journal){.config = *config, .last = config->start, .low = config->start};
	j->segment_size = usual_size(j);
	if (!config->dir)
		return 0;
	remove_leftovers(j);
	int r = journal_recover(j, why);
	if (r)
		journal_close(j);
	return r;
}

int journal_begin(struct journal *j, char **why)
{
	/* A kill may have come between the low-watermark and the file. */
	while (!j->is_short && j->n > 1 && j->segments[1]->before <= j->low && may_drop(j))
		drop_oldest(j);
	const struct segment *s = j->n ? j->segments[j->n - 1] : NULL;
	/* Ids of another epoch do not share a segment. */
	bool rolls = !s || s->last < j->last || !is_writable(s) ||
		     strcmp(s->epoch, j->config.epoch) != 0;
	int r = rolls ? roll(j, j->last + 1) : 0;
	j->segment_size = size_for_disk(j);
	if (r)
		*why = mem_printf("%s: cannot begin a segment: %s",
				  j->config.dir ? j->config.dir : "journal in memory",
				  strerror(-r));
	/* It starts with the cursors found by recovery, so a hole is reported only once. */
	if (!r && j->hole > j->checkpoint.upto)
		r = write_checkpoint(j);
	if (r && !*why)
		*why = mem_printf("%s/cursors: %s", j->config.dir, strerror(-r));
	if (!r && j->config.dir)
		journal_vouch(j, j->last, j->n_events);
	return r;
}

/* ---- sealing ----------------------------------------------------------------------------- */

struct segment *journal_next_to_seal(const struct journal *j)
{
	/* What the disk may still refuse is not sealed: it would have to be cut. */
	for (size_t i = 0; j->config.dir && i + 1 < j->n; i++) {
		struct segment *s = j->segments[i];
		bool is_open = !s->sealed || s->sealed->is_rebuilt;
		if (is_open && !s->stays && s->version == SEGMENT_VERSION &&
		    s->last <= j->known.last && s->size > segment_start(s))
			return s;
	}
	return NULL;
}

int journal_put_sealed(struct journal *j, const struct segment *old, struct segment *fresh)
{
	size_t i = 0;
	while (i < j->n && j->segments[i] != old)
		i++;
	/* It may be the newest again, and have grown, when those behind it were removed. */
	bool is_same = i + 1 < j->n && old->size == fresh->size && old->last == fresh->last &&
		       old->n_events == fresh->n_events && !segment_is_removed(old);
	int r = !is_same ? -ENOENT : rename(fresh->path, old->path) < 0 ? -errno : 0;
	if (r) {
		unlink(fresh->path);
		segment_unref(fresh);
		return r;
	}
	free(fresh->path);
	fresh->path = mem_strdup(old->path);
	fresh->begun_ms = old->begun_ms;
	fresh->written_ms = old->written_ms;
	j->bytes += segment_bytes(fresh);
	j->bytes -= segment_bytes(old);
	j->has_new_file = true;
	segment_unref(j->segments[i]);
	j->segments[i] = fresh;
	return 0;
}

int journal_sync(struct journal *j)
{
	int r = 0;
	if (!j->config.dir)
		return 0;
	for (size_t i = 0; i < j->n && !r; i++)
		if (fdatasync(j->segments[i]->fd) < 0)
			r = -errno;
	if (!r && j->checkpoint.written && !(r = checkpoint_place(j->config.dir, true)))
		journal_checkpoint_placed(j, j->checkpoint.written);
	int fd = r ? -1 : open(j->config.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!r && (fd < 0 || fsync(fd) < 0))
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

void journal_close(struct journal *j)
{
	if (j->config.dir && j->n)
		segment_give_back(j->segments[j->n - 1]);
	if (j->has_reserve)
		give_up_reserve(j);
	for (size_t i = 0; i < j->n; i++)
		segment_unref(j->segments[i]);
	segment_unref(j->leaving);
	free(j->segments);
	*j = (struct journal){0};
}

event_id journal_low_watermark(const struct journal *j)
{
	return j->low;
}
