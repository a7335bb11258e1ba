/* SPDX-License-Identifier: MIT
 *
 * traces - which lines are one event: by the time that each begins with, or as the
 * stack traces of a language go.
 *
 * Of a language, an indented line belongs to the one before.  A trace is an event of
 * its own, or belongs to the line before it when that reports an error.  Lines that
 * are part of no trace are an event each.
 */
#ifndef COMMON_TRACES_H
#define COMMON_TRACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of traces_names. */
enum trace_preset {
	TRACE_NONE,
	TRACE_TIME,
	TRACE_JAVA,
	TRACE_PYTHON,
	TRACE_GO,
	TRACE_RUBY,
	TRACE_PHP,
	TRACE_DOTNET,
	TRACE_NODE
};
extern const char *const traces_names[]; /* ends with NULL */

/* Where an event stands. */
enum trace_state {
	TRACE_LINE,    /* lines of no trace */
	TRACE_SNIPPET, /* node: the piece of source before an error */
	TRACE_HEAD,    /* a trace has begun; its message may go on */
	TRACE_FRAMES,
	TRACE_LAST /* python: the error behind the frames */
};

struct traces;

struct traces *traces_new(enum trace_preset preset);
void traces_free(struct traces *t);

/* Whether a line begins another event than `event`, whose lines so far are `event`
 * (n_event bytes; NULL: there is none) and that stands at *state.  Sets *state to
 * where the event that holds the line stands.
 */
bool traces_begins(struct traces *t, enum trace_state *state, const char *event, size_t n_event,
		   const char *line, size_t n);

#endif
