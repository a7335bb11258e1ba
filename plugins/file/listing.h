/* SPDX-License-Identifier: MIT
 *
 * listing - the names in directories, each read once, and whether they can have changed.
 */
#ifndef FILE_LISTING_H
#define FILE_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* A directory's time is the kernel's clock, which moves in ticks of at most 10 ms:
 * a second change in one tick leaves the same time.
 */
#define PLACE_TICK_NS (20 * 1000000LL)

/* What says whether names in a directory have changed; all zero when there is none. */
struct stat place_stat(const char *dir);
/* Whether it has not changed a moment ago. */
bool place_is_settled(const struct stat *st);
bool place_is_unchanged(const struct stat *a, const struct stat *b);

/* The names in one directory, sorted; all owned. */
struct listing {
	char *dir;
	char **names;
	size_t n, room;
	bool is_sure;  /* no name changed while it was made */
	bool is_short; /* it could not be made for want of descriptors or memory */
	struct stat after;
};

struct listings {
	struct listing *all;
	size_t n;
};

/* Reads the directory, unless it has been.  Borrowed: valid until another is made; its names
 * until listings_free().
 */
const struct listing *listings_get(struct listings *all, const char *dir);
void listings_free(struct listings *all);

#endif
