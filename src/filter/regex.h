/* SPDX-License-Identifier: MIT
 *
 * regex - one regular expression (PCRE2, compiled by its JIT), bounded.
 *
 * Equal ones of one pool are the same object, so that an event is searched once
 * for all filters that ask the same.  Compiled code is read-only and may be run
 * by several threads, each with a `regex_run` of its own; references are counted
 * by one thread.
 */
#ifndef SLUICE_FILTER_REGEX_H
#define SLUICE_FILTER_REGEX_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <stdatomic.h>
#include <pcre2.h>

#include "base/buf.h"
#include "base/list.h"

enum { REGEX_LENGTH_MAX = 1000, REGEX_NO_SLOT = -1 };

struct regex {
	struct list link; /* in its pool */
	struct regex_pool *pool;
	int refs;
	int set_refs;  /* of them, those of sets */
	char *pattern; /* owned */
	char flags[8];
	pcre2_code *code;
	pcre2_code *watched; /* the same, with an eye on the clock: for long texts */
	/* Every match holds these bytes; owned, empty when none are known. */
	char *literal;
	size_t literal_len;
	struct buf literals; /* all such runs, each after a byte with its length */
	int slot;            /* of its pool, small; REGEX_NO_SLOT without one */
	int in_set;          /* its number in the pool's regex_set, or -1 */
	bool has_group;
	atomic_bool is_slow; /* it went over the limit once: not run any more */
};

struct regex_pool {
	struct list all;
	size_t n;
	int n_slots;      /* slots ever given out */
	uint64_t changes; /* grows with every regex that comes or goes */
	int *free_slots;
	size_t n_free;
};

void regex_pool_init(struct regex_pool *p);
/* Every regex of it must be gone. */
void regex_pool_fini(struct regex_pool *p);

/* `pool` may be NULL.  Refs.  0, or -EINVAL with *at (an offset in the pattern)
 * and a sentence in `why`.
 */
int regex_get(struct regex_pool *pool, struct str pattern, const char *flags, struct regex **ret,
	      size_t *at, struct buf *why) must_check;
void regex_unref(struct regex *r);

/* What one thread needs to run them. */
struct regex_run {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

void regex_run_init(struct regex_run *run);
void regex_run_fini(struct regex_run *run);

/* Whether it matches somewhere in `s`, which is UTF-8: 1, 0, or -ELIMIT when the
 * steps allowed were used up.
 */
enum { ELIMIT = 1000 };
int regex_search(const struct regex *r, struct regex_run *run, struct str s) must_check;

/* The same from an offset on, and where: of the first group, if it has one and that
 * took part, else of the whole match.  One of our own is known to come to an end: no
 * clock decides, so that it finds the same on every machine.
 */
int regex_find(const struct regex *r, struct regex_run *run, struct str s, size_t from,
	       bool is_our_own, size_t *begin, size_t *end) must_check;

#endif
