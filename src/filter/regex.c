/* SPDX-License-Identifier: MIT */
#include "filter/regex.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

/* Steps as the JIT counts them; of a regex that people mean, a line takes tens.
 * Some tenths of a millisecond at the worst.
 */
#define TIME_MAX_NS (2 * NS_PER_MS)

enum {
	STEPS_MAX = 20000,
	PIECE = 128,          /* starts that are tried in a row, at first */
	SHORT = 256,          /* bytes of a text that is tried as one piece */
	STEPS_MAX_A_BYTE = 2, /* and so many more for each byte that is searched */
	HEAP_MAX_KIB = 20 * 1024,
	LONG = 4096, /* bytes */
	OWN_STEPS_MAX = 10 * 1000 * 1000,
	LOOK_AT_THE_CLOCK_EVERY = 16,
	STACK_MIN = 32 * 1024,
	STACK_MAX = 8 * 1024 * 1024,
	LITERAL_MIN = 3,
};

void regex_pool_init(struct regex_pool *p)
{
	*p = (struct regex_pool){0};
	list_init(&p->all);
}

void regex_pool_fini(struct regex_pool *p)
{
	free(p->free_slots);
	*p = (struct regex_pool){0};
}

/* ---- a literal that every match holds ------------------------------------------- */

/* The length of a quantifier at `p`, 0 when there is none; whether it may mean
 * "not at all".
 */
static size_t quantifier(const char *p, bool *optional)
{
	size_t n = 1;
	*optional = *p == '*' || *p == '?';
	if (*p == '{') {
		n = strspn(p + 1, "0123456789,") + 1;
		if (p[n] != '}' || n == 1)
			return 0;
		*optional = true; /* perhaps; good enough */
		n++;
	} else if (*p != '*' && *p != '?' && *p != '+') {
		return 0;
	}
	return n + (p[n] == '?' || p[n] == '+');
}

/* The longest run of plain characters on the top level of the pattern, for a
 * quick look before the regex is run.  Appends every run to *all, each after a byte with its
 * length.  Gives up, with no literal, on alternatives, options and unusual syntax.
 */
static struct str find_literal(const char *pattern, struct buf *run, struct buf *all)
{
	struct str best = {NULL, 0};
	struct buf found = {0};
	int depth = 0;
	run->len = 0;
	for (const char *p = pattern;;) {
		char c = *p, literal = 0;
		size_t len = 1;
		if (c == '\\' && p[1]) {
			len = 2;
			if (ispunct((unsigned char)p[1]))
				literal = p[1];
			else if (!strchr("dDwWsSbB", p[1]))
				goto none;
		} else if (c == '[') {
			/* "]" right behind the bracket, classes and the rest: too odd */
			size_t from = 1 + (p[1] == '^');
			size_t n = strcspn(p + from, "]\\[");
			if (!n || p[from + n] != ']')
				goto none;
			len = from + n + 1;
		} else if (c == '(') {
			if (p[1] == '?' || p[1] == '*')
				goto none;
			depth++;
		} else if (c == ')') {
			depth--;
		} else if (c == '|' && !depth) {
			goto none;
		} else if (c == '{' || c == '}') {
			goto none; /* newer versions know more quantifiers than these */
		} else if (c && !strchr(".^$|", c) && !(c & 0x80)) {
			literal = c;
		}
		bool optional;
		size_t q = c ? quantifier(p + len, &optional) : 0;
		if (literal && !depth && !q) {
			buf_putc(run, literal);
		} else {
			if (run->len >= LITERAL_MIN && run->len <= UINT8_MAX) {
				buf_putc(all, (char)run->len);
				buf_put_str(all, buf_str(run));
			}
			if (run->len > best.len) {
				found.len = 0;
				buf_put_str(&found, buf_str(run));
				best = buf_str(&found);
			}
			run->len = 0;
		}
		if (!c)
			break;
		p += len + q;
	}
	run->len = 0;
	buf_put_str(run, best);
	buf_fini(&found);
	return run->len >= LITERAL_MIN ? buf_str(run) : (struct str){NULL, 0};
none:
	buf_fini(&found);
	all->len = 0;
	return (struct str){NULL, 0};
}

/* ---- compiling -------------------------------------------------------------------- */

static uint32_t options_of(const char *flags)
{
	uint32_t o =
		PCRE2_USE_OFFSET_LIMIT | PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C;
	o |= strchr(flags, 'i') ? PCRE2_CASELESS : 0;
	o |= strchr(flags, 'm') ? PCRE2_MULTILINE : 0;
	o |= strchr(flags, 's') ? PCRE2_DOTALL : 0;
	o |= strchr(flags, 'x') ? PCRE2_EXTENDED : 0;
	return o;
}

static int take_slot(struct regex_pool *p)
{
	return p->n_free ? p->free_slots[--p->n_free] : p->n_slots++;
}

static void give_slot(struct regex_pool *p, int slot)
{
	p->free_slots = mem_resize(p->free_slots, (p->n_free + 1) * sizeof(p->free_slots[0]));
	p->free_slots[p->n_free++] = slot;
}

static void sort_flags(char flags[8])
{
	char sorted[8] = {0};
	size_t n = 0;
	for (const char *f = "imsx"; *f; f++)
		if (strchr(flags, *f))
			sorted[n++] = *f;
	memcpy(flags, sorted, sizeof(sorted));
}

static struct regex *find(struct regex_pool *pool, struct str pattern, const char *flags)
{
	list_each (e, &pool->all) {
		struct regex *r = list_entry(e, struct regex, link);
		if (str_is(pattern, r->pattern) && strcmp(r->flags, flags) == 0)
			return r;
	}
	return NULL;
}

int regex_get(struct regex_pool *pool, struct str pattern, const char *flags, struct regex **ret,
	      size_t *at, struct buf *why)
{
	char sorted[8] = {0};
	*at = 0;
	snprintf(sorted, sizeof(sorted), "%s", flags);
	sort_flags(sorted);
	if (pattern.len > REGEX_LENGTH_MAX) {
		buf_printf(why, "this regex is longer than %d bytes", REGEX_LENGTH_MAX);
		return -EINVAL;
	}
	*ret = pool ? find(pool, pattern, sorted) : NULL;
	if (*ret) {
		(*ret)->refs++;
		return 0;
	}
	int code;
	PCRE2_SIZE offset;
	pcre2_code *c = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len, options_of(sorted),
				      &code, &offset, NULL);
	if (!c) {
		char text[256];
		pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof(text));
		buf_printf(why, "this regex cannot be used: %s", text);
		*at = MIN(offset, pattern.len);
		return -EINVAL;
	}
	pcre2_code *watched =
		pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len,
			      options_of(sorted) | PCRE2_AUTO_CALLOUT, &code, &offset, NULL);
	if (!watched) {
		pcre2_code_free(c);
		buf_puts(why, "this regex is too large");
		return -EINVAL;
	}
	pcre2_jit_compile(c, PCRE2_JIT_COMPLETE); /* without it, the interpreter */
	pcre2_jit_compile(watched, PCRE2_JIT_COMPLETE);
	struct regex *r = mem_zero(sizeof(*r));
	r->refs = 1;
	r->pool = pool;
	r->pattern = mem_strndup(pattern.data, pattern.len);
	memcpy(r->flags, sorted, sizeof(sorted));
	r->code = c;
	r->watched = watched;
	uint32_t groups = 0;
	pcre2_pattern_info(c, PCRE2_INFO_CAPTURECOUNT, &groups);
	r->has_group = groups > 0;
	r->slot = REGEX_NO_SLOT;
	r->in_set = -1;
	list_init(&r->link);
	if (!strpbrk(sorted, "ix")) {
		struct buf run = {0};
		struct str literal = find_literal(r->pattern, &run, &r->literals);
		r->literal = literal.len ? mem_strndup(literal.data, literal.len) : NULL;
		r->literal_len = literal.len;
		buf_fini(&run);
	}
	if (pool) {
		list_append(&pool->all, &r->link);
		r->slot = take_slot(pool);
		pool->n++;
		pool->changes++;
	}
	*ret = r;
	return 0;
}

void regex_unref(struct regex *r)
{
	if (!r || --r->refs)
		return;
	if (r->pool) {
		list_remove(&r->link);
		give_slot(r->pool, r->slot);
		r->pool->n--;
		r->pool->changes++;
	}
	pcre2_code_free(r->code);
	pcre2_code_free(r->watched);
	free(r->literal);
	buf_fini(&r->literals);
	free(r->pattern);
	free(r);
}

/* ---- running ----------------------------------------------------------------------- */

void regex_run_init(struct regex_run *run)
{
	run->data = pcre2_match_data_create(2, NULL) /* the whole, a group */;
	run->context = pcre2_match_context_create(NULL);
	run->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
	if (!run->data || !run->context)
		abort();
	pcre2_set_heap_limit(run->context, HEAP_MAX_KIB);
	if (run->stack)
		pcre2_jit_stack_assign(run->context, NULL, run->stack);
}

void regex_run_fini(struct regex_run *run)
{
	pcre2_match_data_free(run->data);
	pcre2_match_context_free(run->context);
	pcre2_jit_stack_free(run->stack);
	*run = (struct regex_run){0};
}

/* The limit of steps is for each place where a match may start, and there are many:
 * they are tried in pieces, with an eye on the clock.  -ETIME when that says stop.
 */
static int search_by(clockid_t clock, const struct regex *r, struct regex_run *run, struct str s,
		     size_t first)
{
	int64_t begun = clock_read(clock), before = begun;
	size_t piece = s.len - first <= SHORT ? SHORT : PIECE;
	for (size_t from = first, next;; from = next) {
		size_t start = from;
		next = from + piece;
		bool is_last = next > s.len;
		pcre2_set_offset_limit(run->context, is_last ? PCRE2_UNSET : next - 1);
		while (start < s.len && ((unsigned char)s.data[start] & 0xc0) == 0x80)
			start++; /* a match begins with a character */
		int got = pcre2_match(r->code, (PCRE2_SPTR)(s.data ? s.data : ""), s.len, start,
				      PCRE2_NO_UTF_CHECK, run->data, run->context);
		int64_t now = clock_read(clock);
		if (got < 0 && got != PCRE2_ERROR_NOMATCH)
			return -ELIMIT;
		if (now - begun > TIME_MAX_NS)
			return -ETIME;
		if (got >= 0 || is_last)
			return got >= 0;
		if (now - before < TIME_MAX_NS / 16)
			piece *= 2;
		before = now;
	}
}

struct watch {
	int64_t begun, begun_cpu;
	unsigned n;
};

/* Before each item of the pattern. */
static int on_callout(pcre2_callout_block *block maybe_unused, void *ctx)
{
	struct watch *w = ctx;
	if (++w->n % LOOK_AT_THE_CLOCK_EVERY || clock_mono_ns() - w->begun < TIME_MAX_NS)
		return 0;
	bool is_late = clock_read(CLOCK_THREAD_CPUTIME_ID) - w->begun_cpu > TIME_MAX_NS;
	return is_late ? PCRE2_ERROR_CALLOUT : 0;
}

/* In a long text a single step may take as long as the text is: a+a++[bc] on 64 KiB
 * is a second and a half within any limit of steps.  So each step asks the clock.
 */
static int search_long(const struct regex *r, struct regex_run *run, struct str s, size_t first)
{
	struct watch watch = {clock_mono_ns(), clock_read(CLOCK_THREAD_CPUTIME_ID), 0};
	pcre2_set_callout(run->context, on_callout, &watch);
	pcre2_set_offset_limit(run->context, PCRE2_UNSET);
	int got = pcre2_match(r->watched, (PCRE2_SPTR)s.data, s.len, first, PCRE2_NO_UTF_CHECK,
			      run->data, run->context);
	pcre2_set_callout(run->context, NULL, NULL);
	return got >= 0 ? 1 : got == PCRE2_ERROR_NOMATCH ? 0 : -ELIMIT;
}

static int search_from(const struct regex *r, struct regex_run *run, struct str s, size_t first)
{
	uint32_t steps = STEPS_MAX + (uint32_t)MIN(s.len, (size_t)1 << 20) * STEPS_MAX_A_BYTE;
	pcre2_set_match_limit(run->context, steps);
	pcre2_set_depth_limit(run->context, steps);
	if (s.len > LONG)
		return search_long(r, run, s, first);
	/* For a short text, asking the time takes longer than the search: the coarse clock is
	 * asked, which is late by some milliseconds at most.
	 */
	clockid_t clock = s.len - first <= SHORT ? CLOCK_MONOTONIC_COARSE : CLOCK_MONOTONIC;
	int found = search_by(clock, r, run, s, first);
	/* Perhaps the machine was busy with something else: that is no fault of the regex's. */
	if (found == -ETIME)
		found = search_by(CLOCK_THREAD_CPUTIME_ID, r, run, s, first);
	return found == -ETIME ? -ELIMIT : found;
}

static int search_all(const struct regex *r, struct regex_run *run, struct str s, size_t first)
{
	pcre2_set_match_limit(run->context, OWN_STEPS_MAX);
	pcre2_set_depth_limit(run->context, OWN_STEPS_MAX);
	pcre2_set_offset_limit(run->context, PCRE2_UNSET);
	int got = pcre2_match(r->code, (PCRE2_SPTR)(s.data ? s.data : ""), s.len, first,
			      PCRE2_NO_UTF_CHECK, run->data, run->context);
	return got >= 0 ? 1 : got == PCRE2_ERROR_NOMATCH ? 0 : -ELIMIT;
}

/* Whether the literal, without which nothing matches, is missing. */
static bool lacks_literal(const struct regex *r, struct str s)
{
	return r->literal_len &&
	       (s.len < r->literal_len || !memmem(s.data, s.len, r->literal, r->literal_len));
}

int regex_search(const struct regex *r, struct regex_run *run, struct str s)
{
	return lacks_literal(r, s) ? 0 : search_from(r, run, s, 0);
}

int regex_find(const struct regex *r, struct regex_run *run, struct str s, size_t from,
	       bool is_our_own, size_t *begin, size_t *end)
{
	int got = lacks_literal(r, s) ? 0
		  : is_our_own        ? search_all(r, run, s, from)
				      : search_from(r, run, s, from);
	if (got <= 0)
		return got;
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(run->data);
	/* Without a group the second pair is of whatever was searched before. */
	const PCRE2_SIZE *pair =
		r->has_group && at[2] != PCRE2_UNSET && at[3] != PCRE2_UNSET ? at + 2 : at;
	if (pair[0] > s.len || pair[1] > s.len)
		return -ELIMIT; /* only of what is no UTF-8 */
	*begin = pair[0];
	*end = MAX(pair[1], pair[0]);
	return 1;
}
