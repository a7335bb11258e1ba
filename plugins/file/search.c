/* SPDX-License-Identifier: MIT */
#include "search.h"

#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "gz.h"
#include "handle.h"
#include "paths.h"
#include "unpack.h"

/* Times that show in which order numbers are given differ by so much. */
#define NUMBERED_NS (1000000000LL)

enum { NAME_SIZE = 4096 };

/* As strcmp(3), the older one first; 0: their names do not say it. */
static int compare_ranks(const struct rank *a, const struct rank *b)
{
	if (!a->base || a->base != b->base || a->number == b->number)
		return 0;
	return a->number > b->number ? -1 : 1;
}

/* The kubelet does not keep a file's time when it compresses it. */
static int oldest_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int by_name = name_compare_times(x->path, y->path);
	by_name = by_name ? by_name : compare_ranks(&x->rank, &y->rank);
	if (by_name)
		return by_name;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	if (x->is_alike && y->is_alike)
		return strverscmp(x->path, y->path);
	int by_end = times_compare(&x->st.st_mtim, &y->st.st_mtim);
	return by_end ? by_end : name_compare(x->path, y->path);
}

static void add_dir(struct search *q, const char *path)
{
	char *dir = path_dir(path);
	for (size_t i = 0; i < q->n_dirs; i++)
		if (strcmp(q->dirs[i], dir) == 0) {
			free(dir);
			return;
		}
	if (q->n_dirs == DIRS_MAX) {
		free(dir);
		return;
	}
	q->owned[q->n_owned++] = dir;
	q->dirs[q->n_dirs++] = dir;
}

/* But for the name of a generation, of which there are no others. */
static void add_base(struct search *q, const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	for (size_t i = 0; i < q->n_bases; i++)
		if (strcmp(q->bases[i], base) == 0 || name_kind(base, q->bases[i]))
			return;
	if (q->n_bases == BASES_MAX)
		return;
	/* The file that has this name can be dropped by the search. */
	q->owned[q->n_owned] = must(strdup(base));
	q->bases[q->n_bases++] = q->owned[q->n_owned++];
}

/* Where files of this name are and have been; first of all what counts now. */
static void add_places(struct search *q, const struct file *of)
{
	char *real = realpath(of->origin, NULL);
	add_dir(q, of->origin);
	add_base(q, of->origin);
	if (real) {
		q->owned[q->n_owned++] = real;
		add_dir(q, real);
		add_base(q, real);
	}
	for (const struct file *f = file_first_by_origin(q->s, of->origin); f;
	     f = f->next_by_origin) {
		if (strcmp(f->origin, of->origin) != 0)
			continue;
		add_dir(q, f->path);
		if (f->place)
			add_dir(q, f->place);
		if (f->place && !f->is_rotated)
			add_base(q, f->place);
	}
}

bool candidate_is_still(const struct file *f, const struct candidate *c)
{
	bool is_other = f->born_ns && c->born_ns && f->born_ns != c->born_ns;
	if (f->is_gz)
		return !is_other && ((f->size == c->st.st_size &&
				      times_compare(&f->mtime, &c->st.st_mtim) == 0) ||
				     gz_holds(c->path, &f->at));
	return !(is_other && !f->at.offset) && file_is_held_by(f, c->path, &c->st);
}

/* Whether it is followed, or has been; one whose number another file has by now is
 * let go if it was done with, else still looked for.
 */
static bool is_known(struct state *s, const struct candidate *c)
{
	struct file *f = file_by_identity(s, c->st.st_dev, c->st.st_ino);
	if (f && f->fd < 0 && (f->is_done || f->is_missing) && !candidate_is_still(f, c)) {
		int ignored = f->is_done ? file_let_go(s, f) : file_lose_identity(s, f);
		(void)ignored;
		f = NULL;
	}
	return f != NULL;
}

/* Whether another new file waits for `f` and for what came between those two. */
static bool is_succeeded(const struct state *s, const struct file *f)
{
	for (const struct file *o = file_first_by_origin(s, f->origin); o; o = o->next_by_origin)
		if (o != f && o->between && file_waits_for(o, f))
			return true;
	return false;
}

/* Whether it came before the file that has the name now.  A compressed one may have been written
 * to for a while after that was made: then names tell more than times.
 */
static bool is_before(const struct search *q, const struct candidate *c, enum kind kind)
{
	int64_t born_ns = q->until->born_ns, time_ns = ns_of(&c->st.st_mtim);
	int by_name = compare_ranks(&c->rank, &q->until_rank);
	if (!by_name && q->until_name)
		by_name = name_compare_times(strrchr(c->path, '/'), strrchr(q->until_name, '/'));
	if (!born_ns)
		return true;
	if (kind == PLAIN && c->born_ns != born_ns)
		return c->born_ns < born_ns;
	/* What is left out here is one for the file that waits for this one. */
	if (!is_succeeded(q->s, q->until))
		return true;
	return by_name ? by_name < 0 : kind == PLAIN || time_ns <= born_ns;
}

/* Whether it can have been written after the file that had the name before. */
static bool is_behind(const struct search *q, const struct candidate *c, enum kind kind)
{
	const struct between *than = q->than;
	if (ns_of(&c->st.st_mtim) < (than->born_ns ? than->born_ns : than->mtime_ns))
		return false;
	return kind != PLAIN || !than->born_ns || !c->born_ns || c->born_ns >= than->born_ns;
}

static struct rank rank_of(const struct search *q, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	for (size_t i = 0; i < q->n_bases; i++) {
		long number = strcmp(name, q->bases[i]) == 0 ? 0 : name_number(name, q->bases[i]);
		if (number >= 0)
			return (struct rank){q->bases[i], number};
	}
	return (struct rank){0};
}

static void consider(struct search *q, const char *dir, const char *name, enum kind kind,
		     bool is_alike)
{
	char path[NAME_SIZE];
	struct candidate c = {.path = path, .is_alike = is_alike};
	snprintf(path, sizeof(path), "%s/%s", strcmp(dir, "/") ? dir : "", name);
	if (!path_stat(path, &c.st, &c.born_ns)) {
		q->is_sure = false; /* it has just got another name */
		return;
	}
	c.rank = rank_of(q, path);
	/* The file is not there any more, since it has been compressed to this one. */
	if (q->is_until_gone && !q->until_name && kind == COMPRESSED && unpack_is_named(path) &&
	    gz_begins_like(path, q->until)) {
		q->until_name = must(strdup(path));
		q->until_rank = c.rank;
	}
	if (!S_ISREG(c.st.st_mode) || !is_behind(q, &c, kind) ||
	    patterns_match(&q->s->exclude, path))
		return;
	q->has_compressed |= kind == COMPRESSED;
	if (!(q->wants_known && kind == COMPRESSED) && is_known(q->s, &c)) {
		c.file = file_by_identity(q->s, c.st.st_dev, c.st.st_ino);
		bool is_wanted = q->until ? file_is_pending(c.file, q->until) : q->wants_all;
		if (!is_wanted)
			return;
	}
	for (size_t i = 0; i < q->n; i++)
		if (q->all[i].st.st_ino == c.st.st_ino && q->all[i].st.st_dev == c.st.st_dev)
			return;
	c.path = must(strdup(path));
	c.order = kind == PLAIN && c.born_ns ? c.born_ns : ns_of(&c.st.st_mtim);
	q->all = must(realloc(q->all, (q->n + 1) * sizeof(q->all[0])));
	q->all[q->n++] = c;
}

/* Among the names that begin with the `n` bytes at `prefix`. */
static void search_prefix(struct search *q, const struct listing *l, const char *base,
			  const char *prefix, size_t n)
{
	size_t low = 0, high = l->n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (strncmp(l->names[mid], prefix, n) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < l->n && strncmp(l->names[low], prefix, n) == 0; low++) {
		enum kind kind = name_kind(l->names[low], base);
		if (kind)
			consider(q, l->dir, l->names[low], kind, false);
	}
}

static void search_in(struct search *q, const struct listing *l, const char *base)
{
	const char *ext = strrchr(base, '.');
	search_prefix(q, l, base, base, ext && ext > base ? (size_t)(ext - base) : strlen(base));
	if (!name_is_current(base))
		return;
	search_prefix(q, l, base, "@", 1);
	search_prefix(q, l, base, "previous", strlen("previous"));
}

/* Some programs give each file a higher number than the one before, and never change it; then
 * times tell more.
 */
static bool numbers_go_up(const struct search *q)
{
	size_t up = 0, down = 0;
	for (size_t i = 0; i < q->n; i++)
		for (size_t k = 0; k < q->n; k++) {
			const struct candidate *a = &q->all[i], *b = &q->all[k];
			if (compare_ranks(&a->rank, &b->rank) >= 0)
				continue;
			int64_t later = ns_of(&b->st.st_mtim) - ns_of(&a->st.st_mtim);
			up += later < -NUMBERED_NS;
			down += later > NUMBERED_NS;
		}
	return up > down;
}

/* ---- a name that is a link ---- */

/* "x.log" ends like "y.log", and "x" like "y". */
static bool ends_like(const char *name, const char *other)
{
	const char *a = strrchr(name, '.'), *b = strrchr(other, '.');
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

/* A file that is not known and was made between the two that the name has led to, and since
 * it was seen to lead to the first.
 */
static bool is_stranger(const struct search *q, const char *path)
{
	struct stat st;
	int64_t born_ns;
	return path_stat(path, &st, &born_ns) && S_ISREG(st.st_mode) && born_ns &&
	       born_ns > q->than->born_ns && born_ns >= q->than->named_ns &&
	       born_ns < q->until->born_ns && !file_by_identity(q->s, st.st_dev, st.st_ino) &&
	       !patterns_match(&q->s->include, path) && !patterns_match(&q->s->exclude, path);
}

static bool is_of_base(const struct search *q, const char *name)
{
	for (size_t i = 0; i < q->n_bases; i++)
		if (name_kind(name, q->bases[i]))
			return true;
	return false;
}

static bool join(char ret[NAME_SIZE], const char *dir, const char *name, size_t n)
{
	int len = snprintf(ret, NAME_SIZE, "%s/%.*s", dir, (int)n, name);
	return len > 0 && len < NAME_SIZE;
}

static void search_step(struct search *q, const char *dir, const char *was, const char *is);

/* Among the names in `dir`, where `was` and `is` differ. */
static void search_fork(struct search *q, const char *dir, const char *was, const char *is)
{
	char a[NAME_SIZE], b[NAME_SIZE], path[NAME_SIZE];
	size_t n = strcspn(was, "/"), m = strcspn(is, "/");
	if (!join(a, "", was, n) || !join(b, "", is, m))
		return;
	bool are_alike = name_kind_alike(a + 1, b + 1) == PLAIN;
	const struct listing *l = listings_get(q->lists, *dir ? dir : "/");
	q->is_sure &= l->is_sure;
	/* The listings can move when another is made; their names stay. */
	char **names = l->names;
	for (size_t i = 0, all = l->n; i < all; i++) {
		enum kind kind = name_kind_alike(names[i], b + 1);
		if (!join(path, dir, names[i], strlen(names[i])))
			continue;
		if (!is[m] && are_alike && kind)
			consider(q, dir, names[i], kind, true);
		else if (!is[m] && !are_alike && !is_of_base(q, names[i]) &&
			 (ends_like(names[i], a + 1) || ends_like(names[i], b + 1)))
			q->n_strangers += is_stranger(q, path);
		else if (is[m] && are_alike && kind == PLAIN)
			search_step(q, path, was + n + 1, is + m + 1);
	}
}

/* Along the paths that the name has led to before, and leads to now, from `dir` on: where they
 * differ in numbers only, others between them may have had the name.
 */
static void search_step(struct search *q, const char *dir, const char *was, const char *is)
{
	char path[NAME_SIZE];
	size_t n = strcspn(was, "/"), m = strcspn(is, "/");
	bool is_same = n == m && strncmp(was, is, n) == 0;
	if (!was[n] != !is[m])
		return;
	if (!is_same || !is[m])
		search_fork(q, dir, was, is);
	else if (join(path, dir, is, m))
		search_step(q, path, was + n + 1, is + m + 1);
}

/* The name was a link to another file before: what it has led to in between is looked for.  But
 * not when one of them has got another name, as a rotation gives it.
 */
static void search_links(struct search *q)
{
	const char *was = q->than->place, *is = q->until ? q->until->place : NULL;
	if (!was || !is || strcmp(was, is) == 0 || is_of_base(q, strrchr(was, '/') + 1) ||
	    is_of_base(q, strrchr(is, '/') + 1))
		return;
	char *real = realpath(q->until->origin, NULL);
	if (real && strcmp(real, q->until->origin) != 0)
		search_step(q, "", was + 1, is + 1);
	free(real);
}

static void find_until(struct search *q)
{
	if (q->until && q->until->fd >= 0)
		q->until_name = handle_name(q->until);
	if (q->until_name)
		q->until_rank = rank_of(q, q->until_name);
	q->is_until_gone = q->until && !q->until_name && is_succeeded(q->s, q->until);
}

/* Those that came after the file that has the name now. */
static void leave_out_later(struct search *q)
{
	size_t n = 0;
	for (size_t i = 0; i < q->n; i++) {
		const struct candidate *c = &q->all[i];
		enum kind kind = name_is_compressed(c->path) ? COMPRESSED : PLAIN;
		if (q->until && !is_before(q, c, kind))
			free(q->all[i].path);
		else
			q->all[n++] = *c;
	}
	q->n = n;
}

void search_run(struct search *q, const struct file *of)
{
	q->is_sure = true;
	add_places(q, of);
	find_until(q);
	for (size_t i = 0; i < q->n_dirs; i++) {
		const struct listing *l = listings_get(q->lists, q->dirs[i]);
		q->is_sure &= l->is_sure;
		q->is_short |= l->is_short;
		for (size_t k = 0; k < q->n_bases; k++)
			search_in(q, l, q->bases[k]);
		struct stat after = place_stat(l->dir);
		q->is_sure &= place_is_unchanged(&l->after, &after);
	}
	search_links(q);
	leave_out_later(q);
	if (numbers_go_up(q))
		for (size_t i = 0; i < q->n; i++)
			q->all[i].rank.base = NULL;
	if (q->n)
		qsort(q->all, q->n, sizeof(q->all[0]), oldest_first);
}

void search_free(struct search *q)
{
	for (size_t i = 0; i < q->n; i++)
		free(q->all[i].path);
	free(q->all);
	free(q->until_name);
	for (size_t i = 0; i < q->n_owned; i++)
		free(q->owned[i]);
}
