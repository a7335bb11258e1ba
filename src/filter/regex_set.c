/* SPDX-License-Identifier: MIT */
#include "filter/regex_set.h"

#include <stdlib.h>

#include "base/mem.h"

#ifdef HAVE_HYPERSCAN
#include <hs.h>

struct regex_set {
	struct regex **regexes; /* counted */
	size_t n;
	size_t n_in;
	bool *is_in; /* by index in regexes */
	hs_database_t *database;
	hs_scratch_t *scratch;
	unsigned char *hits; /* bits, of the last scan */
	bool failed;         /* of the last scan: everything may match */
};

bool regex_set_is_there(void)
{
	return true;
}

struct regex_set *regex_set_new(struct regex_pool *pool)
{
	struct regex_set *s = mem_zero(sizeof(*s));
	s->regexes = mem_zero((pool->n + 1) * sizeof(s->regexes[0]));
	s->is_in = mem_zero(pool->n + 1);
	s->hits = mem_zero(pool->n / 8 + 1);
	list_each (e, &pool->all) {
		struct regex *r = list_entry(e, struct regex, link);
		if (r->refs == r->set_refs)
			continue; /* nobody asks for it any more */
		r->refs++;
		r->set_refs++;
		s->regexes[s->n++] = r;
	}
	return s;
}

static unsigned flags_of(const struct regex *r)
{
	unsigned f = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | HS_FLAG_UTF8 | HS_FLAG_PREFILTER;
	f |= strchr(r->flags, 'i') ? HS_FLAG_CASELESS : 0;
	f |= strchr(r->flags, 'm') ? HS_FLAG_MULTILINE : 0;
	f |= strchr(r->flags, 's') ? HS_FLAG_DOTALL : 0;
	return f;
}

/* Whether it names a letter that is none of ASCII: of those the engine knows the cases of an
 * older Unicode (of Vectorscan 5.4: not U+10D0 and U+1C90).
 */
static bool names_wide_letters(const char *pattern)
{
	for (const char *p = pattern; *p; p++) {
		if (*p & 0x80)
			return true;
		if (*p == '\\' && *++p && strchr("xoNpP01234567", *p))
			return true;
		if (!*p)
			break;
	}
	return false;
}

/* The engine has no extended syntax, and reads verbs and options in a pattern its
 * own way.
 */
static bool is_suited(const struct regex *r)
{
	if (r->is_slow || strchr(r->flags, 'x') || strstr(r->pattern, "(*") || !r->pattern[0])
		return false;
	if (strchr(r->flags, 'i') && names_wide_letters(r->pattern))
		return false;
	for (const char *p = r->pattern; (p = strstr(p, "(?")); p += 2)
		if (p[2] != ':')
			return false;
	return true;
}

void regex_set_compile(struct regex_set *s)
{
	const char **patterns = mem_zero((s->n + 1) * sizeof(patterns[0]));
	unsigned *flags = mem_zero((s->n + 1) * sizeof(flags[0]));
	unsigned *ids = mem_zero((s->n + 1) * sizeof(ids[0]));
	for (size_t i = 0; i < s->n; i++)
		s->is_in[i] = is_suited(s->regexes[i]);
	for (;;) {
		unsigned n = 0;
		for (size_t i = 0; i < s->n; i++) {
			if (!s->is_in[i])
				continue;
			patterns[n] = s->regexes[i]->pattern;
			flags[n] = flags_of(s->regexes[i]);
			ids[n++] = (unsigned)i;
		}
		s->n_in = n;
		hs_compile_error_t *e = NULL;
		if (!n || hs_compile_multi(patterns, flags, ids, n, HS_MODE_BLOCK, NULL,
					   &s->database, &e) == HS_SUCCESS)
			break;
		/* The one that it cannot do is searched for alone. */
		int bad = e ? e->expression : -1;
		hs_free_compile_error(e);
		if (bad < 0)
			break;
		s->is_in[ids[bad]] = false;
	}
	if (s->database && hs_alloc_scratch(s->database, &s->scratch) != HS_SUCCESS) {
		hs_free_database(s->database);
		s->database = NULL;
	}
	free(patterns);
	free(flags);
	free(ids);
}

void regex_set_adopt(struct regex_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->regexes[i]->in_set = s->database && s->is_in[i] ? (int)i : -1;
}

void regex_set_free(struct regex_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		s->regexes[i]->in_set = -1;
		s->regexes[i]->set_refs--;
		regex_unref(s->regexes[i]);
	}
	hs_free_scratch(s->scratch);
	hs_free_database(s->database);
	free(s->regexes);
	free(s->is_in);
	free(s->hits);
	free(s);
}

static int on_match(unsigned id, unsigned long long from maybe_unused,
		    unsigned long long to maybe_unused, unsigned flags maybe_unused, void *ctx)
{
	struct regex_set *s = ctx;
	s->hits[id / 8] |= (unsigned char)(1u << (id % 8));
	return 0;
}

void regex_set_scan(struct regex_set *s, struct str text)
{
	memset(s->hits, 0, s->n / 8 + 1);
	s->failed = hs_scan(s->database, text.data ? text.data : "", (unsigned)text.len, 0,
			    s->scratch, on_match, s) != HS_SUCCESS;
}

bool regex_set_may_match(const struct regex_set *s, int number)
{
	return s->failed || s->hits[number / 8] & (1u << (number % 8));
}

size_t regex_set_size(const struct regex_set *s)
{
	return s && s->database ? s->n_in : 0;
}

#else

struct regex_set {
	char none;
};

bool regex_set_is_there(void)
{
	return false;
}

struct regex_set *regex_set_new(struct regex_pool *pool maybe_unused)
{
	return mem_zero(sizeof(struct regex_set));
}

void regex_set_compile(struct regex_set *s maybe_unused)
{
}

void regex_set_adopt(struct regex_set *s maybe_unused)
{
}

void regex_set_free(struct regex_set *s)
{
	free(s);
}

void regex_set_scan(struct regex_set *s maybe_unused, struct str text maybe_unused)
{
}

bool regex_set_may_match(const struct regex_set *s maybe_unused, int number maybe_unused)
{
	return true;
}

size_t regex_set_size(const struct regex_set *s maybe_unused)
{
	return 0;
}

#endif
