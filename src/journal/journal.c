/* SPDX-License-Identifier: MIT */
#include "journal/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define SEGMENT_MIN (256LL * 1024)
#define PLACE_EVERY (256 * 1024)
#define SEGMENT_MAX (64LL * 1024 * 1024)

static void add_segment(struct journal *j, struct segment *s)
{
	j->segments = mem_resize(j->segments, (j->n + 1) * sizeof(j->segments[0]));
	j->segments[j->n++] = s;
}

static void drop_oldest(struct journal *j)
{
	struct segment *s = j->segments[0];
	j->bytes -= s->size;
	if (s->path)
		unlink(s->path);
	segment_unref(s);
	memmove(j->segments, j->segments + 1, --j->n * sizeof(j->segments[0]));
}

static uint64_t usual_size(const struct journal *j)
{
	return (uint64_t)MIN(MAX(j->config.max_bytes / 8, SEGMENT_MIN), SEGMENT_MAX);
}

/* ---- recovery ------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int journal_list(const char *dir, char ***ret, size_t *n)
{
	DIR *d = opendir(dir);
	if (!d)
		return -errno;
	*ret = NULL;
	*n = 0;
	for (struct dirent *e; (e = readdir(d));) {
		size_t len = strlen(e->d_name);
		if (len != 20 || strcmp(e->d_name + 16, ".seg") != 0)
			continue;
		*ret = mem_resize(*ret, (*n + 1) * sizeof(**ret));
		(*ret)[(*n)++] = mem_printf("%s/%s", dir, e->d_name);
	}
	closedir(d);
	if (*n)
		qsort(*ret, *n, sizeof(**ret), by_name);
	return 0;
}

static void take_cursors(struct journal *j, const struct batch *b)
{
	struct str rest = b->records;
	struct record rec;
	while (record_next(&rest, &rec) == 1)
		if (rec.kind == RECORD_CURSOR && j->config.on_cursor)
			j->config.on_cursor(j->config.ctx, &rec.cursor, b->last);
}

/* Keeps a copy of what is damaged, for a person to look at: the segment itself goes
 * with its time.  Small ones only, and each once.
 */
static void quarantine(const struct segment *s, uint64_t from, uint64_t to)
{
	enum { QUARANTINE_MAX = 1024 * 1024 };
	char *path = mem_printf("%s.damaged-at-%llu", s->path, (unsigned long long)from);
	size_t n = (size_t)MIN(to - from, (uint64_t)QUARANTINE_MAX);
	char *bytes = mem_zero(n);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd >= 0) {
		ssize_t got = pread(s->fd, bytes, n, (off_t)from);
		if (got < 0 || write(fd, bytes, (size_t)got) != got)
			log_warning("%s: %s", path, strerror(errno));
		close(fd);
	}
	free(bytes);
	free(path);
}

/* Walks all batches of a segment, noting each.  What cannot be read at the end
 * of the newest segment is a write that was cut off: it was never published.
 */
static int recover_segment(struct journal *j, struct segment *s, bool is_newest)
{
	struct batch_reader r;
	batch_reader_init(&r, s->fd, SEGMENT_HEADER, s->size);
	int ret = 0;
	for (;;) {
		struct batch b;
		int got = batch_next(&r, &b);
		if (got == 1) {
			segment_note(s, &b);
			take_cursors(j, &b);
			continue;
		}
		if (got == 0)
			break;
		uint64_t bad = r.offset;
		if (got != -EBADMSG) {
			ret = got;
			break;
		}
		if (batch_resync(&r) == 1) {
			quarantine(s, bad, r.offset);
			j->corrupt_bytes += r.offset - bad;
			log_error("%s: %llu bytes at offset %llu are damaged and are skipped",
				  s->path, (unsigned long long)(r.offset - bad),
				  (unsigned long long)bad);
			continue;
		}
		if (is_newest) {
			j->torn_bytes += s->size - bad;
			if (ftruncate(s->fd, (off_t)bad) < 0)
				ret = -errno;
			s->size = bad;
		} else {
			quarantine(s, bad, s->size);
			j->corrupt_bytes += s->size - bad;
			log_error("%s: damaged from offset %llu to its end", s->path,
				  (unsigned long long)bad);
		}
		break;
	}
	batch_reader_fini(&r);
	return ret;
}

/* A file without a usable header: an empty one is a creation that was cut off;
 * anything else is kept under another name for a person to look at.
 */
static void set_aside(const char *path)
{
	char *aside = mem_printf("%s.damaged", path);
	if (rename(path, aside) == 0)
		log_error("%s: no journal segment; kept as %s", path, aside);
	free(aside);
}

static int recover_file(struct journal *j, const char *path, bool is_newest, char **why)
{
	struct segment *s;
	int r = segment_open(path, true, &s);
	if (r == -EPROTO) {
		*why = mem_printf(
			"%s was written by a newer version of sluice and is left untouched "
			"(use that version, or another state_dir)",
			path);
		return r;
	}
	if (r == -EBADMSG) {
		set_aside(path);
		return 0;
	}
	if (!r) {
		r = recover_segment(j, s, is_newest);
		if (r)
			segment_unref(s);
	}
	if (r) {
		*why = mem_printf("%s: %s", path, strerror(-r));
		return r;
	}
	add_segment(j, s);
	j->bytes += s->size;
	j->n_events = s->ordinal + s->n_events;
	j->last = MAX(j->last, s->last);
	return 0;
}

static int recover(struct journal *j, char **why)
{
	char **paths = NULL;
	size_t n = 0;
	int r = journal_list(j->config.dir, &paths, &n);
	if (r) {
		*why = mem_printf("%s: %s", j->config.dir, strerror(-r));
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		if (!r)
			r = recover_file(j, paths[i], i == n - 1, why);
		free(paths[i]);
	}
	free(paths);
	return r;
}

/* ---- writing ---------------------------------------------------------------------- */

/* Begins a new segment.  On a disk that is nearly full it is a smaller one; on
 * a full one the oldest goes for it.
 */
static int roll(struct journal *j, event_id first)
{
	struct segment *s;
	uint64_t size = usual_size(j);
	int r;
	if (j->reserve) {
		r = segment_create_from(j->reserve, j->config.dir, j->config.epoch, first, j->last,
					j->n_events, &s);
		free(j->reserve);
		j->reserve = NULL;
		if (!r)
			goto created;
	}
	while ((r = segment_create(j->config.dir, j->config.epoch, first, j->last, j->n_events,
				   size, &s)) == -ENOSPC) {
		if (size > SEGMENT_MIN) {
			size /= 2;
		} else if (j->n > 1) {
			drop_oldest(j);
			size = usual_size(j);
		} else if (size) {
			size = 0; /* nothing to be set aside: as far as it goes */
		} else {
			break;
		}
	}
	j->segment_size = MAX(size, (uint64_t)SEGMENT_MIN);
	if (r)
		return r;
created:
	j->has_new_file |= s->path != NULL;
	add_segment(j, s);
	j->bytes += s->size;
	struct buf b = {0};
	buf_reserve(&b, BATCH_HEADER);
	b.len = BATCH_HEADER;
	if (j->config.checkpoint)
		j->config.checkpoint(j->config.ctx, &b);
	if (b.len > BATCH_HEADER) {
		r = segment_append(s, &b, first, first, 0);
		if (r) {
			/* Without its cursors the segment must not outlive the others. */
			unlink(s->path);
			segment_unref(s);
			j->n--;
			j->bytes -= SEGMENT_HEADER;
		} else {
			j->bytes += b.len;
		}
	}
	buf_fini(&b);
	return r;
}

/* Whether the segment being written holds so old an event that it should end,
 * so that it can go as a whole when its time has come.
 */
static bool is_aged(const struct journal *j, int64_t now_ms)
{
	const struct segment *s = j->segments[j->n - 1];
	return j->config.max_age_ms && s->n_marks &&
	       (int64_t)id_ms(s->marks[0].first) < now_ms - j->config.max_age_ms / 4;
}

int journal_append(struct journal *j, struct buf *batch, event_id first, event_id last,
		   uint32_t n_events)
{
	struct segment *s = j->segments[j->n - 1];
	if (s->size > SEGMENT_HEADER &&
	    (s->size + batch->len > j->segment_size || is_aged(j, (int64_t)id_ms(first)))) {
		int r = roll(j, first);
		if (r)
			return r;
		s = j->segments[j->n - 1];
	}
	int r;
	while ((r = segment_append(s, batch, first, last, n_events)) == -ENOSPC && j->n > 1)
		drop_oldest(j);
	if (r)
		return r;
	j->bytes += batch->len;
	j->n_events += n_events;
	j->last = last;
	while (j->n > 1 && j->bytes > (uint64_t)j->config.max_bytes)
		drop_oldest(j);
	return 0;
}

void journal_keep(struct journal *j, int64_t max_bytes, int64_t max_age_ms)
{
	j->config.max_bytes = max_bytes;
	j->config.max_age_ms = max_age_ms;
	j->segment_size = usual_size(j);
	while (j->n > 1 && j->bytes > (uint64_t)max_bytes)
		drop_oldest(j);
}

bool journal_shrink(struct journal *j)
{
	if (j->n < 2)
		return false;
	drop_oldest(j);
	return true;
}

void journal_set_aside(struct journal *j)
{
	if (!j->config.dir || j->reserve)
		return;
	char *path = mem_printf("%s/reserve", j->config.dir);
	uint64_t size = usual_size(j);
	int r;
	while ((r = segment_set_aside(path, size)) == -ENOSPC) {
		if (size > SEGMENT_MIN)
			size /= 2;
		else if (!journal_shrink(j))
			break;
	}
	if (!r)
		j->reserve = path;
	else
		free(path);
}

void journal_point_take(const struct journal *j, struct journal_point *ret)
{
	struct segment *s = j->segments[j->n - 1];
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
	int r = segment_append(s, &batch, b->first, b->last, b->n_events);
	buf_fini(&batch);
	return r;
}

/* A segment under another name, which nobody reads before all of it is there.  The
 * newest cursors come last: before the events they stand behind them.
 */
static int write_replacement(struct journal *j, const struct journal_point *p,
			     const struct journal_batch *batches, size_t n, struct segment **ret)
{
	char *path = mem_printf("%s/replacement", j->config.dir);
	event_id first = n ? batches[0].first : p->last + 1, last = n ? batches[n - 1].last : first;
	struct buf cursors = {0};
	unlink(path);
	int r = segment_set_aside(path, 0);
	if (!r)
		r = segment_create_at(path, j->config.dir, j->config.epoch, first, p->last,
				      p->n_events, ret);
	for (size_t i = 0; i < n && !r; i++)
		if (batches[i].records.len)
			r = append_records(*ret, &batches[i]);
	if (!r && j->config.checkpoint)
		j->config.checkpoint(j->config.ctx, &cursors);
	if (!r && cursors.len)
		r = append_records(*ret, &(struct journal_batch){last, last, 0, buf_str(&cursors)});
	if (!r && rename(path, (*ret)->path) < 0)
		r = -errno;
	if (r) {
		unlink(path);
		segment_unref(*ret);
	}
	buf_fini(&cursors);
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
	s->size = p->size;
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
	j->segment_size = usual_size(j);
	add_segment(j, s);
	j->bytes += s->size;
	j->n_events = p->n_events + s->n_events;
	j->last = MAX(p->last, s->last);
	return 0;
}

int journal_expire(struct journal *j, int64_t now_ms)
{
	int dropped = 0;
	/* A quiet channel's last events grow old as well. */
	if (is_aged(j, now_ms) &&
	    j->segments[j->n - 1]->written_ms < now_ms - j->config.max_age_ms &&
	    j->segments[j->n - 1]->n_events && roll(j, j->last + 1))
		return 0; /* no room for a new one: tried again the next time */
	while (j->config.max_age_ms && j->n > 1 &&
	       j->segments[0]->written_ms < now_ms - j->config.max_age_ms) {
		drop_oldest(j);
		dropped++;
	}
	return dropped;
}

int journal_open(const struct journal_config *config, struct journal *j, char **why)
{
	*j = (struct journal){.config = *config, .last = config->start};
	j->segment_size = usual_size(j);
	int r = 0;
	if (config->dir) {
		char *old = mem_printf("%s/reserve", config->dir);
		unlink(old);
		free(old);
		r = recover(j, why);
	}
	if (!r && j->n && strcmp(j->segments[j->n - 1]->epoch, config->epoch) != 0)
		r = roll(j, j->last + 1); /* ids of another epoch do not share a segment */
	if (!r && !j->n)
		r = roll(j, j->last + 1);
	if (r && !*why)
		*why = mem_printf("%s: cannot begin a segment: %s",
				  config->dir ? config->dir : "journal in memory", strerror(-r));
	if (r)
		journal_close(j);
	return r;
}

int journal_sync(const struct journal *j)
{
	int r = 0;
	if (!j->config.dir)
		return 0;
	for (size_t i = 0; i < j->n && !r; i++)
		if (fdatasync(j->segments[i]->fd) < 0)
			r = -errno;
	int fd = r ? -1 : open(j->config.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!r && (fd < 0 || fsync(fd) < 0))
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

void journal_close(struct journal *j)
{
	for (size_t i = 0; i < j->n; i++)
		segment_unref(j->segments[i]);
	free(j->segments);
	if (j->reserve)
		unlink(j->reserve);
	free(j->reserve);
	*j = (struct journal){0};
}

/* ---- reading ------------------------------------------------------------------------ */

event_id journal_floor(const struct journal *j)
{
	return j->segments[0]->floor;
}

static void snapshot_range(const struct journal *j, size_t first, size_t end,
			   struct journal_snapshot *ret)
{
	ret->n = end - first;
	ret->parts = mem_zero((ret->n + 1) * sizeof(ret->parts[0]));
	ret->last = j->last;
	for (size_t i = 0; i < ret->n; i++)
		ret->parts[i] =
			(struct journal_part){.segment = segment_ref(j->segments[first + i]),
					      .start = SEGMENT_HEADER,
					      .size = j->segments[first + i]->size};
}

void journal_snapshot(const struct journal *j, event_id after, struct journal_snapshot *ret)
{
	size_t i = 0;
	while (i + 1 < j->n && j->segments[i]->last <= after)
		i++;
	snapshot_range(j, i, j->n, ret);
	ret->parts[0].start = segment_seek(j->segments[i], after);
}

static void put_places(const struct segment *s, struct journal_part *part)
{
	part->places = mem_zero((s->n_marks + 1) * sizeof(part->places[0]));
	for (size_t i = 0; i < s->n_marks; i++)
		if (!i ||
		    s->marks[i].offset - part->places[part->n_places - 1].offset >= PLACE_EVERY)
			part->places[part->n_places++] =
				(struct journal_place){s->marks[i].first, s->marks[i].offset};
}

void journal_snapshot_back(const struct journal *j, event_id upto, struct journal_snapshot *ret)
{
	size_t end = j->n;
	while (end > 1 && j->segments[end - 1]->first > upto)
		end--;
	snapshot_range(j, 0, end, ret);
	for (size_t i = 0; i < ret->n; i++)
		put_places(ret->parts[i].segment, &ret->parts[i]);
}

void journal_snapshot_fini(struct journal_snapshot *s)
{
	for (size_t i = 0; i < s->n; i++) {
		segment_unref(s->parts[i].segment);
		free(s->parts[i].places);
	}
	free(s->parts);
	*s = (struct journal_snapshot){0};
}
