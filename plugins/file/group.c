/* SPDX-License-Identifier: MIT
 *
 * Lines that belong together are held back until the next event begins, the
 * event ends by itself, is too long, or nothing more comes.  Until then the
 * file's position stays before them: a restart reads them again.
 */
#include "group.h"

#include <stdlib.h>
#include <string.h>

#include "common/ansi.h"
#include "common/cut.h"
#include "parse.h"

static void append(struct state *s, struct group *g, const char *p, size_t n)
{
	size_t max = s->options.group_bytes;
	size_t want = n + (g->n_lines ? 1 : 0);
	/* What has been cut once takes nothing more. */
	size_t room = g->len < max && g->size == g->len ? max - g->len : 0;
	g->size += want;
	if (room) {
		size_t take = want < room ? want : room;
		g->text = must(realloc(g->text, g->len + want));
		if (g->n_lines)
			g->text[g->len] = '\n';
		memcpy(g->text + g->len + (g->n_lines ? 1 : 0), p, n);
		g->len = take < want ? cut_utf8(g->text, g->len + take) : g->len + take;
	}
	g->n_lines++;
}

/* Whether a line begins another event than the one held back, if there is one; *trace
 * is where the event that holds the line stands.
 */
static bool begins_event(struct state *s, const struct group *g, enum trace_state *trace,
			 const char *p, size_t n)
{
	const struct regexes *r = s->regexes;
	if (s->traces && traces_begins(s->traces, trace, g ? g->text : NULL, g ? g->len : 0, p, n))
		return true;
	if (regex_is_set(r, REGEX_START) && regex_matches(r, REGEX_START, p, n))
		return true;
	return regex_is_set(r, REGEX_CONTINUE) && !regex_matches(r, REGEX_CONTINUE, p, n);
}

/* The line without escape sequences, borrowed from it or from state.plain. */
static const char *without_ansi(struct state *s, const char *p, size_t *n)
{
	if (!ansi_is_there(p, *n))
		return p;
	if (s->plain_room < *n) {
		s->plain = must(realloc(s->plain, *n));
		s->plain_room = *n;
	}
	*n = ansi_strip(p, *n, s->plain);
	return s->plain;
}

const char *group_strip(struct state *s, const char *p, size_t *n)
{
	return s->options.strip_ansi ? without_ansi(s, p, n) : p;
}

bool group_begins(struct state *s, const struct group *g, enum trace_state *trace, const char *p,
		  size_t n)
{
	const char *plain = without_ansi(s, p, &n);
	return begins_event(s, g, trace, plain, n);
}

bool group_add(struct state *s, struct group *g, enum trace_state trace, const char *p, size_t n)
{
	append(s, g, p, n);
	g->trace = trace;
	g->since_ns = mono_ns();
	int64_t deadline = g->since_ns + s->options.group_timeout_ns;
	if (deadline < s->next_deadline_ns)
		s->next_deadline_ns = deadline;
	const char *plain = without_ansi(s, p, &n);
	return (regex_is_set(s->regexes, REGEX_END) &&
		regex_matches(s->regexes, REGEX_END, plain, n)) ||
	       g->n_lines >= s->options.group_lines;
}
