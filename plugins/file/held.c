/* SPDX-License-Identifier: MIT
 *
 * Lines of containers.  A runtime cuts a long line into pieces, and pieces of standard output
 * and standard error alternate in one file.  So each stream has a line that has not ended, and
 * a group of lines that belong together.
 *
 * The file's position stays before the first of these.  The other stream may have been emitted
 * beyond it: the position says up to where, and what is read again after a restart is left out
 * there.
 *
 *	at: the first piece that is held back .. emitted_to[stream] .. held->at: read
 */
#include "held.h"

#include <stdlib.h>
#include <string.h>

#include "common/cut.h"
#include "emit.h"
#include "group.h"

static void free_text(struct group **g)
{
	if (!*g)
		return;
	free((*g)->text);
	free((*g)->attrs);
	free(*g);
	*g = NULL;
}

void held_drop(struct file *f)
{
	if (!f->held)
		return;
	for (int i = 0; i < CONTAINER_STREAMS; i++) {
		free_text(&f->held->line[i]);
		free_text(&f->held->group[i]);
	}
	free(f->held);
	f->held = NULL;
}

static const struct group *first_of(const struct held *h, int stream)
{
	return h->group[stream] ? h->group[stream] : h->line[stream];
}

/* Moves the file's position to the first piece that is held back, of what was read up to
 * `behind`.
 */
static void settle(struct file *f, const struct position *behind)
{
	struct held *h = f->held;
	struct position read = *behind;
	const struct group *first = NULL;
	for (int i = 0; h && i < CONTAINER_STREAMS; i++) {
		const struct group *g = first_of(h, i);
		if (g && (!first || g->from.offset < first->from.offset))
			first = g;
	}
	if (!first) {
		f->at = read;
		held_drop(f);
		return;
	}
	h->at = read;
	f->at = first->from;
	for (int i = 0; i < CONTAINER_STREAMS; i++) {
		const struct group *g = first_of(h, i);
		uint64_t to = g ? g->from.offset : read.offset;
		f->at.emitted_to[i] = to > read.emitted_to[i] ? to : read.emitted_to[i];
	}
}

static struct group *new_text(const struct container_line *l, const struct position *from)
{
	struct group *g = must(calloc(1, sizeof(*g)));
	g->from = *from;
	g->time_ns = l->time_ns;
	if (l->attrs)
		g->attrs = must(strndup(l->attrs, l->attrs_len));
	return g;
}

/* Adds a piece to a line, within max_line. */
static void extend(const struct state *s, struct group *g, const char *p, size_t n)
{
	size_t max = s->options.max_text;
	size_t room = g->len == g->size && g->len < max ? max - g->len : 0;
	g->size += n;
	if (n > room)
		n = room ? cut_utf8(p, room) : 0;
	if (!n)
		return;
	g->text = must(realloc(g->text, g->len + n));
	memcpy(g->text + g->len, p, n);
	g->len += n;
}

/* A text of a stream, of which `size` bytes were there; the position is behind it. */
static int emit(struct state *s, struct file *f, const char *p, size_t n, uint64_t size,
		uint32_t flags, const struct wrapping *w)
{
	if (size > n) {
		s->n_long++;
		flags |= SLUICE_TRUNCATED;
		if (s->options.on_long_line == LONG_SKIP)
			return emit_gap(s, f, "long_line",
					"a line longer than max_line was skipped");
	}
	if (!n && s->options.skip_empty && !flags)
		return 0;
	return emit_line(s, f, p, n, flags, size, w);
}

static int emit_text(struct state *s, struct file *f, int stream, struct group *g, uint32_t flags)
{
	const struct wrapping w = {g->time_ns, (enum container_stream)stream, g->attrs,
				   g->attrs ? strlen(g->attrs) : 0};
	int r = emit(s, f, g->text ? g->text : "", g->len, g->size, flags, &w);
	free_text(&g);
	return r;
}

static struct held *held_of(struct file *f)
{
	if (!f->held)
		f->held = must(calloc(1, sizeof(*f->held)));
	return f->held;
}

/* A line joins the lines that it belongs to; `line` is consumed. */
static int join(struct state *s, struct file *f, int stream, struct group *line, uint32_t flags,
		const struct position *behind)
{
	struct held *h = held_of(f);
	struct group *g = h->group[stream], *old = NULL;
	enum trace_state trace = g ? g->trace : TRACE_LINE;
	if (group_begins(s, g, &trace, line->text, line->len) || !g) {
		old = g;
		g = h->group[stream] = must(calloc(1, sizeof(*g)));
		g->from = line->from;
		g->time_ns = line->time_ns;
		g->attrs = line->attrs;
		line->attrs = NULL;
	}
	bool ends = group_add(s, g, trace, line->text, line->len);
	free_text(&line);
	settle(f, behind);
	int r = old ? emit_text(s, f, stream, old, 0) : 0;
	if (r || !ends)
		return r;
	h->group[stream] = NULL;
	settle(f, behind);
	return emit_text(s, f, stream, g, flags);
}

/* A whole line of a stream, or as much of it as is emitted at once. */
static int take_whole(struct state *s, struct file *f, int stream, struct group *line,
		      uint32_t flags, const struct position *behind)
{
	if (f->held)
		f->held->line[stream] = NULL;
	if (s->options.has_groups)
		return join(s, f, stream, line, flags, behind);
	settle(f, behind);
	return emit_text(s, f, stream, line, flags);
}

/* All that a stream holds back. */
static int flush_stream(struct state *s, struct file *f, int stream)
{
	struct held *h = f->held;
	struct position read = h->at;
	struct group *line = h->line[stream], *g = h->group[stream];
	uint32_t flags = line ? SLUICE_PARTIAL : 0;
	h->line[stream] = h->group[stream] = NULL;
	if (g && line) {
		bool ignored = group_add(s, g, g->trace, line->text, line->len);
		(void)ignored;
		free_text(&line);
	}
	settle(f, &read);
	return emit_text(s, f, stream, g ? g : line, flags);
}

int held_flush(struct state *s, struct file *f)
{
	int r = 0;
	while (!r && f->held) {
		const struct group *a = first_of(f->held, 0), *b = first_of(f->held, 1);
		r = flush_stream(s, f, !a || (b && b->from.offset < a->from.offset));
	}
	return r;
}

static void wait_until(struct state *s, int64_t deadline_ns)
{
	if (deadline_ns < s->next_deadline_ns)
		s->next_deadline_ns = deadline_ns;
}

int held_expire(struct state *s, struct file *f, int64_t now_ns)
{
	int r = 0;
	for (int i = 0; !r && f->held && i < CONTAINER_STREAMS; i++) {
		const struct group *line = f->held->line[i], *g = line ? line : f->held->group[i];
		if (!g)
			continue;
		int64_t after = line ? s->options.partial_timeout_ns : s->options.group_timeout_ns;
		bool is_due = g->since_ns + after <= now_ns;
		/* Half a line more is known to be there: the event is not over. */
		if (is_due && !f->part_len)
			r = flush_stream(s, f, i);
		else
			wait_until(s, is_due ? now_ns + after : g->since_ns + after);
	}
	return r;
}

/* Not of the form: after what came before it, as it is. */
static int take_other(struct state *s, struct file *f, const char *p, size_t n, uint32_t flags,
		      uint64_t size, const struct position *behind)
{
	int r = held_flush(s, f);
	if (r)
		return r;
	f->at = *behind;
	return emit_line(s, f, p, n, flags, size, NULL);
}

/* A line that is whole by itself, which nearly all are. */
static int take_alone(struct state *s, struct file *f, const struct container_line *l,
		      uint32_t flags, const struct position *behind)
{
	const struct wrapping w = {l->time_ns, l->stream, l->attrs, l->attrs_len};
	size_t n = l->len > s->options.max_text ? cut_utf8(l->text, s->options.max_text) : l->len;
	settle(f, behind);
	return emit(s, f, l->text, n, l->len, flags, &w);
}

/* A piece of a line, or a line that is held back. */
static int take_piece(struct state *s, struct file *f, const struct container_line *l,
		      uint32_t flags, const struct position *from, const struct position *behind)
{
	struct group *line = f->held ? f->held->line[l->stream] : NULL;
	/* With split, a line that gets too long goes out in pieces. */
	if (line && s->options.on_long_line == LONG_SPLIT &&
	    line->len + l->len > s->options.max_text) {
		int r = take_whole(s, f, l->stream, line, SLUICE_PARTIAL, from);
		if (r)
			return r;
		line = NULL;
	}
	if (!line)
		line = new_text(l, from);
	extend(s, line, l->text, l->len);
	if (!l->is_partial)
		return take_whole(s, f, l->stream, line, flags, behind);
	line->since_ns = mono_ns();
	wait_until(s, line->since_ns + s->options.partial_timeout_ns);
	held_of(f)->line[l->stream] = line;
	settle(f, behind);
	return 0;
}

int held_take(struct state *s, struct file *f, const char *p, size_t n, uint32_t flags,
	      uint64_t size, const struct position *behind)
{
	struct container_line l;
	const struct position from = *taken_to(f);
	fields_reset(&s->unwrapped);
	if (!container_read(s->options.container, p, n, &s->unwrapped, &l))
		return take_other(s, f, p, n, flags, size, behind);
	if (from.offset < from.emitted_to[l.stream]) {
		*taken_to(f) = *behind; /* it was emitted before the restart */
		return 0;
	}
	if (!l.is_partial && s->options.strip_cr && l.len && l.text[l.len - 1] == '\r')
		l.len--;
	l.text = group_strip(s, l.text, &l.len);
	flags &= SLUICE_PARTIAL;
	bool is_alone =
		!l.is_partial && !s->options.has_groups && !(f->held && f->held->line[l.stream]);
	return is_alone ? take_alone(s, f, &l, flags, behind)
			: take_piece(s, f, &l, flags, &from, behind);
}
