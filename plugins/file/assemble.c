/* SPDX-License-Identifier: MIT
 *
 * Lines into events: each is emitted, or held back with those that belong to it.
 */
#include "assemble.h"

#include <stdlib.h>

#include "emit.h"
#include "group.h"
#include "held.h"

void assemble_drop(struct file *f)
{
	held_drop(f);
	if (!f->group)
		return;
	free(f->group->text);
	free(f->group);
	f->group = NULL;
}

int assemble_flush(struct state *s, struct file *f)
{
	struct group *g = f->group;
	if (f->held)
		return held_flush(s, f);
	if (!g)
		return 0;
	f->group = NULL;
	f->at = g->at;
	int r = emit_line(s, f, g->text ? g->text : "", g->len,
			  g->size > g->len ? (uint32_t)SLUICE_TRUNCATED : 0, g->size, NULL);
	free(g->text);
	free(g);
	return r;
}

int assemble_take(struct state *s, struct file *f, const char *p, size_t n, uint32_t flags,
		  uint64_t size, const struct position *behind)
{
	if (s->options.has_containers)
		return held_take(s, f, p, n, flags, size, behind);
	p = group_strip(s, p, &n);
	if (!s->options.has_groups) {
		f->at = *behind;
		return emit_line(s, f, p, n, flags, size, NULL);
	}
	enum trace_state trace = f->group ? f->group->trace : TRACE_LINE;
	if (group_begins(s, f->group, &trace, p, n) && f->group) {
		int r = assemble_flush(s, f);
		if (r)
			return r;
	}
	if (!f->group)
		f->group = must(calloc(1, sizeof(*f->group)));
	f->group->at = *behind;
	return group_add(s, f->group, trace, p, n) ? assemble_flush(s, f) : 0;
}

static int expire(struct state *s, struct file *files, int64_t now)
{
	for (struct file *f = files; f; f = f->next) {
		int held = f->held ? held_expire(s, f, now) : 0;
		if (held)
			return held;
		if (!f->group)
			continue;
		int64_t deadline = f->group->since_ns + s->options.group_timeout_ns;
		/* Half a line more is known to be there: the event is not over. */
		bool is_over = deadline <= now && !f->part_len;
		int r = is_over ? assemble_flush(s, f) : 0;
		if (r)
			return r;
		if (f->group && deadline <= now)
			deadline = now + s->options.group_timeout_ns;
		if (f->group && deadline < s->next_deadline_ns)
			s->next_deadline_ns = deadline;
	}
	return 0;
}

int assemble_expire(struct state *s)
{
	int64_t now = mono_ns();
	if (now < s->next_deadline_ns)
		return 0;
	s->next_deadline_ns = INT64_MAX;
	int r = expire(s, s->files, now);
	return r ? r : expire(s, s->fifos, now);
}
