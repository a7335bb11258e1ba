/* SPDX-License-Identifier: MIT
 *
 * What a journal does when it is opened: it reads everything that is not sealed once, cuts off what
 * was never published, and finds out what is missing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/unit.h"
#include "journal/checkpoint.h"
#include "journal/journal_internal.h"

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
	int fd = s->sealed ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd >= 0) {
		ssize_t got = pread(s->fd, bytes, n, (off_t)from);
		if (got < 0 || write(fd, bytes, (size_t)got) != got)
			log_warning("%s: %s", path, strerror(errno));
		close(fd);
	}
	free(bytes);
	free(path);
}

/* Notes that `n` events are missing before `upto` (0: an unknown number). */
static void note_hole(struct journal *j, event_id upto, uint64_t n)
{
	j->hole = MAX(j->hole, upto);
	j->n_missing += n;
}

/* A batch that does not follow on what was read before it in its segment. */
static void join_batch(struct journal *j, const struct segment *s, const struct batch *b,
		       bool damaged)
{
	uint64_t expected = s->ordinal + s->n_events;
	if (b->ordinal != ORDINAL_UNKNOWN && b->ordinal > expected)
		note_hole(j, b->first - 1, b->ordinal - expected);
	else if (damaged)
		note_hole(j, b->first - 1, 0);
}

/* Walks all batches of a segment, noting each.  What cannot be read at the end
 * of the newest segment is a write that was cut off: it was never published, or the
 * witness knows better.
 */
static int recover_segment(struct journal *j, struct segment *s, bool is_newest)
{
	struct batch_reader r;
	batch_reader_init(&r, s, segment_start(s), s->size);
	bool damaged = false;
	int ret = 0;
	for (;;) {
		struct batch b;
		int got = batch_next(&r, &b);
		if (got == 1) {
			join_batch(j, s, &b, damaged);
			damaged = false;
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
			damaged = true;
			j->corrupt_bytes += r.offset - bad;
			log_error("%s: from offset %llu on %llu %s skipped", s->path,
				  (unsigned long long)bad, (unsigned long long)(r.offset - bad),
				  plural(r.offset - bad, "byte is damaged and is",
					 "bytes are damaged and are"));
			continue;
		}
		if (is_newest && !s->sealed) {
			j->torn_bytes += s->size - bad;
			if (ftruncate(s->fd, (off_t)bad) < 0)
				ret = -errno;
			s->size = s->allocated = bad;
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

/* A sealed segment has all in its directory; damage among its events shows when they are read. */
static int recover_sealed(struct journal *j, const struct segment *s)
{
	const struct sealed *z = s->sealed;
	struct buf entries = {0};
	struct cursor cur;
	event_id at;
	uint64_t next = s->ordinal;
	for (size_t i = 0; i < z->n; i++) {
		const struct sealed_summary *h = &z->blocks[i].holds;
		if (h->first && h->ordinal > next)
			note_hole(j, h->first - 1, h->ordinal - next);
		if (h->severities & SEALED_HOLE)
			note_hole(j, h->last, 0);
		next = h->first ? h->ordinal + h->n_events : next;
	}
	int r = sealed_read_cursors(s->sealed, s->fd, &entries);
	struct str rest = buf_str(&entries);
	while (!r && j->config.on_cursor && checkpoint_next(&rest, &at, &cur))
		j->config.on_cursor(j->config.ctx, &cur, at);
	buf_fini(&entries);
	return r;
}

/* A file without a usable header: an empty one is a creation that was cut off;
 * anything else is kept under another name for a person to look at.
 */
static void quarantine_file(const char *path)
{
	char *aside = mem_printf("%s.damaged", path);
	if (rename(path, aside) == 0)
		log_error("%s: not a journal segment; renamed to %s", path, aside);
	free(aside);
}

/* The headers of neighbouring segments show whether events are missing between them. */
static void join_segment(struct journal *j, const struct segment *s)
{
	uint64_t expected = j->n ? j->n_events : j->low_ordinal;
	event_id before = j->n ? j->last : j->low;
	if (s->before > before || s->ordinal > expected)
		note_hole(j, s->before, s->ordinal > expected ? s->ordinal - expected : 0);
}

/* The clock may have been wrong when it was written; the file's own time was then wrong
 * too, or is right.
 */
static void set_times(struct segment *s)
{
	struct stat st;
	int64_t begun_ms = s->n_marks ? (int64_t)id_ms(s->marks[0].first) : 0;
	if (fstat(s->fd, &st) == 0)
		s->written_ms = MIN(s->written_ms, st.st_mtim.tv_sec * 1000LL);
	s->begun_ms = MIN(begun_ms, s->written_ms);
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
		quarantine_file(path);
		return 0;
	}
	if (!r) {
		if (!j->n && !j->known.last) {
			j->low = s->before;
			j->low_ordinal = s->ordinal;
		}
		join_segment(j, s);
		if (s->sealed && s->sealed->is_rebuilt)
			log_error("%s: its directory is damaged; all of it is read", s->path);
		r = s->sealed && !s->sealed->is_rebuilt ? recover_sealed(j, s)
							: recover_segment(j, s, is_newest);
		if (r)
			segment_unref(s);
	}
	if (r) {
		*why = mem_printf("%s: %s", path, strerror(-r));
		return r;
	}
	set_times(s);
	journal_add_segment(j, s);
	j->bytes += segment_bytes(s);
	j->n_events = s->ordinal + s->n_events;
	j->last = MAX(j->last, s->last);
	return 0;
}

static int recover_files(struct journal *j, char **why)
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

static int recover_checkpoint(struct journal *j, char **why)
{
	struct checkpoint c;
	int r = checkpoint_read(j->config.dir, j->last, &c);
	if (r && r != -ENOENT && r != -EBADMSG) {
		*why = mem_printf("%s/cursors: %s", j->config.dir, strerror(-r));
		return r;
	}
	if (r == -EBADMSG)
		log_error("%s/cursors: damaged, and ignored", j->config.dir);
	if (r)
		return 0;
	struct str rest = buf_str(&c.entries);
	struct cursor cur;
	event_id at;
	while (j->config.on_cursor && checkpoint_next(&rest, &at, &cur))
		j->config.on_cursor(j->config.ctx, &cur, at);
	j->checkpoint.upto = c.upto;
	j->checkpoint.bytes = c.entries.len;
	checkpoint_fini(&c);
	return 0;
}

static void tell_missing(const struct journal *j)
{
	if (j->n_missing)
		log_error("%s: %llu event%s that had been written %s missing (a segment was "
			  "removed, cut, replaced or damaged); clients see a gap there",
			  j->config.dir, (unsigned long long)j->n_missing,
			  j->n_missing == 1 ? "" : "s", j->n_missing == 1 ? "is" : "are");
}

/* Segments of version 1 hold all cursors at their beginning. */
static bool holds_its_cursors(const struct journal *j)
{
	return j->n && j->segments[0]->version == 1 && !j->checkpoint.upto;
}

int journal_recover(struct journal *j, char **why)
{
	bool known = j->config.witness && witness_get(j->config.witness, j->config.name, &j->known);
	j->low = j->known.low;
	j->low_ordinal = j->known.low_ordinal;
	int r = recover_files(j, why);
	if (!r)
		r = recover_checkpoint(j, why);
	if (r)
		return r;
	if (!j->n) {
		j->n_events = j->low_ordinal;
		j->last = j->low;
	}
	/* If the witness has seen more than the last segment contains, its end was cut off. */
	j->is_short = known && (j->last < j->known.last || j->n_events < j->known.n_events);
	if (j->is_short) {
		note_hole(j, j->known.last,
			  j->known.n_events > j->n_events ? j->known.n_events - j->n_events : 0);
		j->last = MAX(j->last, j->known.last);
		j->n_events = MAX(j->n_events, j->known.n_events);
	}
	/* Cursors in missing parts are lost, unless a checkpoint has them. */
	j->is_short |= j->hole > j->checkpoint.upto && !holds_its_cursors(j);
	j->is_short |= known && j->checkpoint.upto < j->known.cursors && j->n &&
		       j->segments[0]->before > j->checkpoint.upto;
	tell_missing(j);
	return 0;
}
