/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "paths.h"

enum { LISTS_MAX = 3 };

struct stat place_stat(const char *dir)
{
	struct stat st;
	if (stat(dir, &st) < 0)
		memset(&st, 0, sizeof(st));
	return st;
}

bool place_is_settled(const struct stat *st)
{
	int64_t age = wall_ns() - ns_of(&st->st_mtim);
	return age > PLACE_TICK_NS || age < -PLACE_TICK_NS;
}

bool place_is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       times_compare(&a->st_mtim, &b->st_mtim) == 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_once(struct listing *l)
{
	DIR *d = opendir(l->dir);
	l->is_short = !d && is_shortage(errno);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (l->n == l->room) {
			l->room = l->room ? 2 * l->room : 64;
			l->names = must(realloc(l->names, l->room * sizeof(l->names[0])));
		}
		l->names[l->n++] = must(strdup(e->d_name));
	}
	if (d)
		closedir(d);
}

static void make_unique(struct listing *l)
{
	size_t n = 0;
	if (l->n)
		qsort(l->names, l->n, sizeof(l->names[0]), by_text);
	for (size_t i = 0; i < l->n; i++) {
		if (n && strcmp(l->names[n - 1], l->names[i]) == 0)
			free(l->names[i]);
		else
			l->names[n++] = l->names[i];
	}
	l->n = n;
}

/* What readdir(3) leaves out of a directory that changes is found by another round. */
static void list(struct listing *l)
{
	for (int i = 0; i < LISTS_MAX && !l->is_sure; i++) {
		struct stat before = place_stat(l->dir);
		bool is_settled = place_is_settled(&before);
		list_once(l);
		struct stat after = place_stat(l->dir);
		l->is_sure = is_settled && place_is_unchanged(&before, &after);
		l->after = after;
		if (place_is_unchanged(&before, &after))
			break;
	}
	make_unique(l);
}

const struct listing *listings_get(struct listings *all, const char *dir)
{
	for (size_t i = all->n; i-- > 0;)
		if (strcmp(all->all[i].dir, dir) == 0)
			return &all->all[i];
	all->all = must(realloc(all->all, (all->n + 1) * sizeof(all->all[0])));
	struct listing *l = &all->all[all->n++];
	*l = (struct listing){.dir = must(strdup(dir))};
	list(l);
	return l;
}

void listings_free(struct listings *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct listing *l = &all->all[i];
		for (size_t k = 0; k < l->n; k++)
			free(l->names[k]);
		free(l->names);
		free(l->dir);
	}
	free(all->all);
}
