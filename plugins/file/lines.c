/* SPDX-License-Identifier: MIT
 *
 * The position moves first: the cursor that goes with an event stands behind
 * the line that it was made of.
 */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

#include "assemble.h"
#include "emit.h"
#include "encoding.h"

void lines_drop(struct file *f)
{
	free(f->part);
	f->part = NULL;
	f->part_len = 0;
	f->over = 0;
}

static void set_tail(struct position *p, const char *end, size_t available)
{
	size_t n = available < TAIL_MAX ? available : TAIL_MAX;
	position_set_tail(p, end - n, n);
}

/* The next line feed, aligned as characters of `unit` bytes are. */
static const char *find_end(const char *line, const char *scan, const char *end, unsigned unit)
{
	if (unit <= 1)
		return memchr(scan, '\n', (size_t)(end - scan));
	for (const char *p = line + (size_t)(scan - line) / unit * unit; end - p >= (int)unit;
	     p += unit)
		if (encoding_is_line_end(p, unit))
			return p;
	return NULL;
}

/* A line that goes to the position `behind`; `len` bytes of it are at hand,
 * `whole` it had without its line feed.
 */
static int give(struct state *s, struct file *f, const char *line, size_t len, uint64_t whole,
		uint32_t flags, const struct position *behind)
{
	const struct options *o = &s->options;
	if (whole > len || len > o->max_line) {
		s->n_long++;
		if (o->on_long_line == LONG_SKIP) {
			int r = assemble_flush(s, f);
			f->at = *behind;
			return r ? r
				 : emit_gap(s, f, "long_line",
					    "a line longer than max_line was skipped");
		}
		len = encoding_cut(f, line, len < o->max_line ? len : o->max_line);
		flags |= SLUICE_TRUNCATED;
	}
	const char *text = encoding_decode(s, f, line, &len);
	if (o->strip_cr && len && text[len - 1] == '\r' && !flags)
		len--;
	if (!len && o->skip_empty && !flags) {
		/* Nobody hears of it; the next event's position covers it. */
		*taken_to(f) = *behind;
		return 0;
	}
	return assemble_take(s, f, text, len, flags, whole, behind);
}

/* Keeps the start of a line that has not ended, within max_line. */
static void keep_part(struct state *s, struct file *f, const char *p, size_t n)
{
	if (n > s->options.max_line) {
		f->over += n - s->options.max_line;
		n = s->options.max_line;
	}
	if (!n) {
		free(f->part);
		f->part = NULL;
	} else {
		f->part = must(realloc(f->part, n));
		memcpy(f->part, p, n);
	}
	f->part_len = n;
}

/* With on_long_line: split, the pieces of a line go out as they come. */
static int split_part(struct state *s, struct file *f, const char **p, size_t *n)
{
	while (s->options.on_long_line == LONG_SPLIT && *n > s->options.max_line) {
		size_t piece = encoding_cut(f, *p, s->options.max_line);
		struct position behind = *taken_to(f);
		behind.offset += piece;
		set_tail(&behind, *p + piece, piece);
		int r = give(s, f, *p, piece, piece, SLUICE_PARTIAL, &behind);
		if (r)
			return r;
		*p += piece;
		*n -= piece;
		s->n_long++;
	}
	return 0;
}

int lines_take(struct state *s, struct file *f, size_t n)
{
	const char *line = s->buffer, *scan = s->buffer + f->part_len;
	const char *end = scan + n, *lf;
	unsigned unit = f->unit;
	if (!read_offset(f) && f->mark && n >= f->mark) {
		f->at.offset = f->mark;
		set_tail(&f->at, line + f->mark, f->mark);
		line = scan = line + f->mark;
	}
	f->part_len = 0;
	while ((lf = find_end(f->over ? scan : line, scan, end, unit))) {
		size_t len = (size_t)(f->over ? scan - line : lf - line);
		uint64_t whole = len;
		int r = 0;
		/* Of an over-long line only counted bytes lie before those at hand. */
		if (f->over)
			whole += f->over + (uint64_t)(lf - scan);
		else
			r = split_part(s, f, &line, &len);
		if (r)
			return r;
		whole = f->over ? whole : len;
		struct position behind = *taken_to(f);
		behind.offset += whole + unit;
		size_t at_hand = (size_t)(lf + unit - (f->over ? scan : line));
		set_tail(&behind, lf + unit, at_hand);
		f->over = 0;
		r = give(s, f, line, len, whole, 0, &behind);
		if (r)
			return r;
		line = scan = lf + unit;
	}
	size_t rest = (size_t)(end - line);
	int r = 0;
	if (f->over && line == s->buffer) {
		/* Still the same long line: only counted from here on. */
		size_t kept = (size_t)(scan - line);
		f->over += (uint64_t)(end - scan);
		rest = kept;
	} else {
		r = split_part(s, f, &line, &rest);
	}
	keep_part(s, f, line, rest);
	return r;
}

int lines_end(struct state *s, struct file *f)
{
	int r = 0;
	if (f->part_len) {
		uint64_t whole = f->part_len + f->over;
		struct position behind = *taken_to(f);
		behind.offset += whole;
		set_tail(&behind, f->part + f->part_len, f->part_len);
		if (f->over)
			position_set_tail(&behind, NULL, 0);
		r = give(s, f, f->part, f->part_len, whole, SLUICE_PARTIAL, &behind);
	}
	lines_drop(f);
	return r ? r : assemble_flush(s, f);
}
