/* SPDX-License-Identifier: MIT
 *
 * pattern - names as glob(7) writes them, with {one,other}, and with ** for any
 * number of directories.
 */
#ifndef FILE_PATTERN_H
#define FILE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERNS_MAX = 1000 };

/* Patterns without braces, owned. */
struct patterns {
	char **all;
	size_t n;
};

/* Adds what the braces of `text` stand for.  0, or -E2BIG when they are more than
 * PATTERNS_MAX.
 */
int patterns_add(struct patterns *p, const char *text);
void patterns_fini(struct patterns *p);

/* As fnmatch(3) with FNM_PATHNAME and FNM_PERIOD; ** stands for any number of
 * directories, none of them hidden.
 */
bool pattern_matches(const char *pattern, const char *path);
/* Whether one of them does. */
bool patterns_match(const struct patterns *p, const char *path);

/* Whether it has characters that stand for others. */
bool pattern_is_wild(const char *pattern);

enum pattern_trouble {
	PATTERN_UNLISTED, /* a directory that may not be read */
	PATTERN_LINK,     /* a link to a directory, not followed */
	PATTERN_DEEP      /* a directory too far down */
};

struct pattern_visitor {
	void (*file)(void *ctx, const char *path); /* whatever matches, directories too */
	void (*dir)(void *ctx, const char *path);  /* was looked into */
	void (*trouble)(void *ctx, enum pattern_trouble what, const char *path);
	void *ctx;
	bool follow_links; /* to directories below **; each directory is visited once */
	int64_t until_ns;  /* CLOCK_MONOTONIC: no directory below ** is begun later; 0: any time */
};

void pattern_expand(const char *pattern, const struct pattern_visitor *v);

#endif
