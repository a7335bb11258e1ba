/* SPDX-License-Identifier: MIT
 *
 * Runs of NULs in a file.  They are holes: a writer that does not append went on
 * at its old place after a truncation, space was allocated in advance, or a
 * crash took what had been written.  No text is looked for in them, and none
 * behind them is lost.  NULs at the end of a file are left alone until there is
 * something behind them, since it may be written in their place.
 */
#include "holes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "emit.h"
#include "lines.h"

/* Bytes that are looked at before other files have their turn. */
enum { SCAN_BUDGET = 64 << 20 };

static size_t count_nuls(const char *p, size_t n)
{
	size_t nuls = 0;
	while (nuls < n && !p[nuls])
		nuls++;
	return nuls;
}

/* `i` lies in NULs: where they begin, as whole characters, and how many they are. */
static size_t run_around(const char *p, size_t n, size_t i, unsigned unit, size_t *nuls)
{
	size_t from = i, to = i + count_nuls(p + i, n - i);
	while (from > 0 && !p[from - 1])
		from--;
	from = (from + unit - 1) / unit * unit;
	to -= to % unit;
	*nuls = to > from ? to - from : 0;
	return from;
}

size_t hole_find(const struct file *f, const char *p, size_t n, size_t *nuls)
{
	unsigned unit = f->unit ? f->unit : 1;
	if (!read_offset(f)) {
		*nuls = count_nuls(p, n);
		*nuls -= *nuls % unit;
		if (*nuls)
			return 0;
	}
	/* A hole cannot lie between two of these places. */
	for (size_t i = HOLE_MIN - 1; i < n; i += HOLE_MIN) {
		size_t from = p[i] ? n : run_around(p, n, i, unit, nuls);
		if (from < n && (*nuls >= HOLE_MIN || (*nuls && from + *nuls == n)))
			return from;
	}
	*nuls = 0;
	return n && !p[n - 1] ? run_around(p, n, n - 1, unit, nuls) : n;
}

/* The first byte at or behind `from` that is not NUL: 1 with *ret set, 0 when
 * there is none, or -1 when it has not been found yet.
 */
static int find_text(struct state *s, struct file *f, uint64_t from, uint64_t *ret)
{
	uint64_t at = from > f->nuls_to ? from : f->nuls_to;
	for (size_t done = 0; done < SCAN_BUDGET; done += READ_SIZE) {
		off_t data = lseek(f->fd, (off_t)at, SEEK_DATA);
		bool is_over = data < 0 && errno == ENXIO;
		at = data > (off_t)at ? (uint64_t)data : at;
		ssize_t n = is_over ? 0 : pread(f->fd, s->buffer, READ_SIZE, (off_t)at);
		if (n <= 0)
			return 0;
		size_t nuls = count_nuls(s->buffer, (size_t)n);
		at += nuls;
		*ret = at;
		if (nuls < (size_t)n)
			return 1;
		f->nuls_to = at;
	}
	return -1;
}

static int tell_hole(struct state *s, struct file *f, uint64_t from, uint64_t to)
{
	char text[512];
	if (!from) {
		/* Nothing is missing: it was read before the file was emptied. */
		snprintf(text, sizeof(text), "%.400s: NULs", f->path);
		if (complaint_begins(&s->complaints, text))
			say(s->src, SLUICE_LOG_WARNING,
			    "%s begins with %llu NUL byte%s, skipped: its writer continued at its "
			    "old position after a truncation (let the program open the file for "
			    "appending, or rotate it without copytruncate)",
			    f->path, (unsigned long long)to, to == 1 ? "" : "s");
		return 0;
	}
	snprintf(text, sizeof(text),
		 "%.300s contains %llu NUL bytes after byte %llu: nothing was written there, or it "
		 "was lost in a crash; the text after them is read",
		 f->path, (unsigned long long)(to - from), (unsigned long long)from);
	return emit_gap(s, f, "hole", text);
}

/* What is read next is at `to`. */
static int skip(struct state *s, struct file *f, uint64_t to)
{
	static const char zeros[TAIL_MAX];
	uint64_t from = read_offset(f);
	/* A line that began before it has no end. */
	int r = lines_end(s, f);
	if (r)
		return r;
	s->n_nuls += to - from;
	f->at.offset = to;
	position_set_tail(&f->at, zeros, to < TAIL_MAX ? (size_t)to : TAIL_MAX);
	return tell_hole(s, f, from, to);
}

int hole_cross(struct state *s, struct file *f, size_t nuls, bool is_all)
{
	uint64_t from = read_offset(f), to = from + nuls;
	int found = is_all ? find_text(s, f, to, &to) : 1;
	if (found <= 0)
		return found < 0;
	to -= (to - from) % (f->unit ? f->unit : 1);
	f->nuls_to = 0;
	position_grow_head(&f->at, f->fd, to);
	int r = skip(s, f, to);
	memcpy(f->tail, f->at.tail, f->at.tail_len);
	f->tail_len = f->at.tail_len;
	return r ? r : 1;
}

/* The bytes at p go behind the part that was kept, after the NULs that are text. */
static int take_text(struct state *s, struct file *f, const char *p, size_t n)
{
	char *to = s->buffer + f->part_len;
	memmove(to + f->nuls, p, n);
	memset(to, 0, f->nuls);
	if (f->part_len)
		memcpy(s->buffer, f->part, f->part_len);
	n += f->nuls;
	f->nuls = 0;
	return lines_take(s, f, n);
}

int hole_take(struct state *s, struct file *f, size_t n)
{
	const char *p = s->buffer + f->part_len, *end = p + n;
	int r = 0;
	while (!r && p < end) {
		size_t nuls = 0, text;
		if (f->nuls) {
			nuls = count_nuls(p, (size_t)(end - p));
			nuls -= nuls % (f->unit ? f->unit : 1);
			f->nuls += nuls;
			p += nuls;
			if (p == end)
				break;
			if (!read_offset(f) || f->nuls >= HOLE_MIN) {
				uint64_t to = read_offset(f) + f->nuls;
				f->nuls = 0;
				r = skip(s, f, to);
				continue;
			}
		}
		text = hole_find(f, p, (size_t)(end - p), &nuls);
		if (text)
			r = take_text(s, f, p, text);
		f->nuls += nuls;
		p += text + nuls;
	}
	return r;
}
