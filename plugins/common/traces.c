/* SPDX-License-Identifier: MIT */
#include "common/traces.h"

#include <ctype.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/basics.h"
#include "common/severity.h"
#include "common/times.h"

const char *const traces_names[] = {"none", "time", "java",   "python", "go",
				    "ruby", "php",  "dotnet", "node",   NULL};

enum pattern { OWN, ERROR, FRAME, MORE, N_PATTERNS };

enum flag {
	BLANKS_BETWEEN = 1, /* blank lines are part of a trace also behind frames */
	OWN_JOINS_HEAD = 2, /* a second head, before any frame, is part of the first */
	OWN_JOINS_FRAMES = 4,
	ERROR_JOINS_HEAD = 8,
	ERROR_JOINS_SNIPPET = 16,
	OWN_IS_SNIPPET = 32,
	ERROR_IS_LAST = 64 /* the first line behind the frames says what went wrong */
};

/* OWN: begins a trace that is an event of its own.  ERROR: begins one, or says what
 * the line before it is about.  FRAME: always part of the event before.  MORE: part
 * of a trace that has begun.
 */
static const struct language {
	const char *patterns[N_PATTERNS];
	unsigned flags;
} languages[] = {
	[TRACE_JAVA] = {{"^Exception in thread ",
			 "^(?:[\\w$]+\\.)+[\\w$]*(?:Exception|Error|Throwable|Failure|Fault)\\b",
			 "^\\s+(?:at |\\.\\.\\. \\d+ )",
			 "^(?:Caused by: |Wrapped by: |Suppressed: |at [\\w.$]+\\(|\\.\\.\\. \\d+ "
			 "|\\[CIRCULAR)"},
			0},
	[TRACE_PYTHON] = {{NULL, "Traceback \\(most recent call last\\):\\s*$",
			   "^\\s+(?:File \"|\\+|\\|)",
			   "^(?:During handling of the above|The above exception was)"},
			  BLANKS_BETWEEN | ERROR_JOINS_HEAD | ERROR_IS_LAST},
	[TRACE_GO] =
		{{"^(?:panic: |fatal error: |SIG[A-Z]+: |runtime: |unexpected fault |={18}$|"
		  "WARNING: DATA RACE)|\\bpanic serving ",
		  "^goroutine \\d+ .*\\[", "^(?:\\s+\\S+\\.(?:go|s|c):\\d+|created by )",
		  "^(?:goroutine \\d+ |Goroutine \\d+ |\\[signal |\\[originating |\\[recovered|"
		  "runtime stack:|exit status \\d|PC=0x|\\.\\.\\.|[a-z][a-z0-9]*\\s+0x[0-9a-f]+$|"
		  "={18}$|(?:Previous )?(?:[Rr]ead|[Ww]rite) (?:at|by) |"
		  "[^\\s(]+(?:\\(\\*?[^()]*\\)[^\\s(]*)?\\(.*\\)$)"},
		 BLANKS_BETWEEN | OWN_JOINS_HEAD | ERROR_JOINS_HEAD},
	[TRACE_RUBY] =
		{{"^\\S.*?:\\d+:in [`'].*?': .*$",
		  "^(?:\\w+::)*\\w*(?:Error|Exception|NotFound|Invalid|Interrupt) \\(.*\\):?\\s*$",
		  "^(?:\\s+(?:\\d+: )?from )|^(?!\\s).*:\\d+:in [`'][^']*'$",
		  "^(?:Did you mean\\?|Caused by:|Causes:|Traceback \\(most recent)"},
		 BLANKS_BETWEEN | OWN_JOINS_FRAMES},
	[TRACE_PHP] =
		{{"\\bUncaught |\"exception\":\"\\[object\\]", NULL,
		  "^(?:#\\d+ |\\s+thrown in |Stack trace:|\\[stacktrace\\]|"
		  "\\[previous exception\\]|(?:\\[[^]]*\\] )?PHP (?:Stack trace:| +\\d+\\. ))",
		  "^(?:Next [\\w\\\\]+|\"\\}|\\{main\\}|thrown in )"},
		 BLANKS_BETWEEN},
	[TRACE_DOTNET] = {{"^Unhandled [Ee]xception\\b", "^(?:\\w+\\.)+\\w*Exception\\b",
			   "^\\s+(?:at |---)", "^(?:--- End of |---> |<---)"},
			  0},
	[TRACE_NODE] = {{"^(?:node:|\\[eval\\]|(?:file:/)?/"
			 ")[^\\s:]*:\\d+$|^Uncaught ",
			 "^\\[UnhandledPromiseRejection|^(?:[A-Z][\\w$]*)?(?:Error|Exception)\\b(?:"
			 " \\[[^]]+\\])?(?::|$)",
			 "^\\s+at ", "^(?:[}\\]]|Node\\.js v|\\(Use `node |Thrown at:)"},
			BLANKS_BETWEEN | ERROR_JOINS_SNIPPET | OWN_IS_SNIPPET},
};

struct traces {
	enum trace_preset preset;
	unsigned flags;
	pcre2_code *codes[N_PATTERNS];
	pcre2_match_data *match;
};

struct traces *traces_new(enum trace_preset preset)
{
	struct traces *t = must(calloc(1, sizeof(*t)));
	t->preset = preset;
	t->match = must(pcre2_match_data_create(1, NULL));
	if (preset < TRACE_JAVA)
		return t;
	const struct language *l = &languages[preset];
	t->flags = l->flags;
	for (int i = 0; i < N_PATTERNS; i++) {
		int code;
		PCRE2_SIZE at;
		if (!l->patterns[i])
			continue;
		t->codes[i] = must(pcre2_compile((PCRE2_SPTR)l->patterns[i], PCRE2_ZERO_TERMINATED,
						 0, &code, &at, NULL));
		pcre2_jit_compile(t->codes[i], PCRE2_JIT_COMPLETE);
	}
	return t;
}

void traces_free(struct traces *t)
{
	if (!t)
		return;
	for (int i = 0; i < N_PATTERNS; i++)
		pcre2_code_free(t->codes[i]);
	pcre2_match_data_free(t->match);
	free(t);
}

static bool matches(struct traces *t, enum pattern which, const char *p, size_t n)
{
	return t->codes[which] &&
	       pcre2_match(t->codes[which], (PCRE2_SPTR)p, n, 0, 0, t->match, NULL) >= 0;
}

/* ---- what a line looks like -------------------------------------------------------------- */

static bool is_blank(const char *p, size_t n)
{
	while (n && isspace((unsigned char)p[n - 1]))
		n--;
	return n == 0;
}

/* The bytes before a time: "[", "ERROR ", "E, [", "I" of klog. */
static size_t before_time(const char *p, size_t n)
{
	size_t i = 0, word = 0;
	while (i < n && strchr("[(\"<", p[i]) && p[i])
		i++;
	while (i + word < n && isupper((unsigned char)p[i + word]))
		word++;
	if (word == 1 && i + 1 < n && isdigit((unsigned char)p[i + 1]))
		return i + 1;
	if (!word || i + word == n || !strchr(" ,:]|", p[i + word]))
		return i;
	for (i += word; i < n && strchr(" ,:]|[", p[i]) && p[i]; i++)
		;
	return i;
}

static bool has_time_at(const char *p, size_t n, size_t at)
{
	int64_t ns;
	return at < n && times_begin(p + at, n - at, wall_ns(), &ns) > 0;
}

static bool begins_with_time(const char *p, size_t n)
{
	enum { LOOK_AT = 120 };
	n = n < LOOK_AT ? n : LOOK_AT;
	size_t at = before_time(p, n);
	/* "Fri Nov 27" begins with a word as well. */
	return has_time_at(p, n, at) || (at && has_time_at(p, n, 0));
}

static bool begins_with_level(const char *p, size_t n)
{
	enum { LOOK_AT = 12 };
	return n && (isupper((unsigned char)*p) || *p == '[') &&
	       severity_detect(p, n < LOOK_AT ? n : LOOK_AT) >= 0;
}

static bool begins_other_line(const char *p, size_t n)
{
	return *p == '{' || begins_with_time(p, n) || begins_with_level(p, n);
}

/* Whether its first line is of a kind that a trace belongs to: an error, or what
 * says nothing about itself but is written by a logger.
 */
static bool reports_error(const char *event, size_t n)
{
	const char *lf = memchr(event, '\n', n);
	n = lf ? (size_t)(lf - event) : n;
	int severity = severity_detect(event, n);
	return severity < 0 ? begins_with_time(event, n) : severity <= 4 || severity == 7;
}

/* ---- the event it belongs to ------------------------------------------------------------- */

static enum trace_state state_of_first(struct traces *t, const char *p, size_t n)
{
	if (matches(t, OWN, p, n))
		return t->flags & OWN_IS_SNIPPET ? TRACE_SNIPPET : TRACE_HEAD;
	return matches(t, ERROR, p, n) ? TRACE_HEAD : TRACE_LINE;
}

static bool own_joins(const struct traces *t, enum trace_state state)
{
	return (state == TRACE_HEAD && t->flags & OWN_JOINS_HEAD) ||
	       (state == TRACE_FRAMES && t->flags & OWN_JOINS_FRAMES);
}

static bool error_joins(const struct traces *t, enum trace_state state, const char *event,
			size_t n_event)
{
	switch (state) {
	case TRACE_LINE: return reports_error(event, n_event);
	case TRACE_SNIPPET: return t->flags & ERROR_JOINS_SNIPPET;
	case TRACE_HEAD: return t->flags & ERROR_JOINS_HEAD;
	case TRACE_FRAMES:
	case TRACE_LAST: break;
	}
	return false;
}

/* The state after the line joins, or -1 when it does not. */
static int state_joined(struct traces *t, enum trace_state state, const char *event, size_t n_event,
			const char *p, size_t n)
{
	bool is_open = state == TRACE_HEAD || state == TRACE_SNIPPET;
	if (is_blank(p, n))
		return is_open || (state != TRACE_LINE && t->flags & BLANKS_BETWEEN) ? (int)state
										     : -1;
	if (state == TRACE_LINE && matches(t, ERROR, p, n))
		return error_joins(t, state, event, n_event) ? TRACE_HEAD : -1;
	if (matches(t, FRAME, p, n))
		return TRACE_FRAMES;
	if (*p == ' ' || *p == '\t')
		return state == TRACE_HEAD && t->flags & ERROR_IS_LAST ? TRACE_FRAMES : (int)state;
	/* What says that another error follows makes the trace begin anew. */
	if (state != TRACE_LINE && matches(t, MORE, p, n))
		return t->flags & ERROR_IS_LAST || !(t->flags & BLANKS_BETWEEN) ? TRACE_HEAD
										: (int)state;
	if (matches(t, OWN, p, n))
		return own_joins(t, state) ? TRACE_HEAD : -1;
	if (matches(t, ERROR, p, n))
		return error_joins(t, state, event, n_event) ? TRACE_HEAD : -1;
	if (state == TRACE_FRAMES && t->flags & ERROR_IS_LAST && !begins_with_time(p, n))
		return TRACE_LAST;
	return is_open && !begins_other_line(p, n) ? (int)state : -1;
}

bool traces_begins(struct traces *t, enum trace_state *state, const char *event, size_t n_event,
		   const char *line, size_t n)
{
	if (t->preset == TRACE_TIME)
		return begins_with_time(line, n);
	int joined = event ? state_joined(t, *state, event, n_event, line, n) : -1;
	*state = joined >= 0 ? (enum trace_state)joined : state_of_first(t, line, n);
	return joined < 0;
}
