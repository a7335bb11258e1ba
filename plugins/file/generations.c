/* SPDX-License-Identifier: MIT
 *
 * Generations: files that were rotated away before anybody looked.
 *
 * When a name belongs to a new file, others may have had it since the one before.
 * They are looked for where that one is now, where the name is, and where it leads
 * to if it is a link.  Names say which files may be meant; when they were made and
 * last written to says which are, and in which order.  The new file is open all the
 * while, and is read when it is known what comes before it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "missed.h"
#include "unpack.h"

#define CURRENT "current"

/* Where names never stop changing, a new file waits so long for those before it. */
#define LOOKS_NS (2 * 1000000000LL)

/* Times that show in which order numbers are given differ by so much. */
#define NUMBERED_NS (1000000000LL)

enum { LISTS_MAX = 3, LOOKS_MIN = 5, BASES_MAX = 4, DIRS_MAX = 16, NAME_SIZE = 4096 };

/* The names in one directory, sorted. */
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

/* Where a name such as app.log.2 stands in the row of those with numbers. */
struct rank {
	const char *base; /* borrowed of the search; NULL: it has no number */
	long number;      /* 0: the log itself */
};

struct candidate {
	char *path;
	struct stat st;
	int64_t born_ns;
	int64_t order;     /* when it began, or, of one that was compressed, when it ended */
	struct rank rank;  /* by its name */
	bool is_alike;     /* a link may have led to it: numbers in such names go up */
	struct file *file; /* it is followed already, and not over; else NULL */
};

struct search {
	struct state *s;
	struct listings *lists;
	const char *dirs[DIRS_MAX], *bases[BASES_MAX]; /* in owned */
	char *owned[DIRS_MAX + BASES_MAX + 1];
	size_t n_dirs, n_bases, n_owned;
	const struct between *than;
	size_t n_strangers; /* files that may have had the name, although theirs is another */
	const struct file *until; /* the file that has the name now; NULL: none */
	struct rank until_rank;   /* by the name that it has meanwhile */
	bool is_until_gone;       /* it has none, and others have come after it */
	bool wants_known;         /* compressed ones that are known, too */
	struct candidate *all;
	size_t n;
	bool is_sure, is_short; /* as of its listings */
};

/* ---- names ---- */

enum kind { NO_GENERATION, PLAIN, COMPRESSED };

static bool ends_compressed(const char *p)
{
	static const char *const endings[] = {".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z"};
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(p, endings[i]) == 0)
			return true;
	return false;
}

static bool is_compressed_name(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot && ends_compressed(dot);
}

static enum kind kind_of_rest(const char *p)
{
	return !*p ? PLAIN : ends_compressed(p) ? COMPRESSED : NO_GENERATION;
}

/* Behind a number or a date, with the characters that stand in one. */
static const char *behind_number(const char *p, size_t *digits)
{
	*digits = 0;
	if (!isdigit((unsigned char)*p))
		return p;
	const char *end = p;
	for (; *p && strchr("0123456789-._:TZ+@", *p); p++)
		if (isdigit((unsigned char)*p)) {
			++*digits;
			end = p + 1;
		}
	return end;
}

/* base.1, base-20261121, base.old, and their compressed forms. */
static enum kind kind_behind(const char *p)
{
	static const char *const words[] = {"old", "bak", "prev"};
	size_t digits;
	if (!*p || !strchr(".-_", *p))
		return NO_GENERATION;
	const char *end = behind_number(p + 1, &digits);
	if (digits)
		return kind_of_rest(end);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(p + 1, words[i], strlen(words[i])) == 0)
			return kind_of_rest(p + 1 + strlen(words[i]));
	return NO_GENERATION;
}

/* Of app.log: app.1.log, app-20261121.log.  A short number behind a dash may be the
 * name of another log.
 */
static enum kind kind_within(const char *name, const char *base)
{
	const char *ext = strrchr(base, '.');
	size_t stem = ext ? (size_t)(ext - base) : 0, digits;
	if (!stem || strncmp(name, base, stem) != 0 || !name[stem] || !strchr(".-_", name[stem]))
		return NO_GENERATION;
	const char *p = name + stem + 1, *end = behind_number(p, &digits);
	if (digits < (name[stem] == '.' ? 1 : 6) || strncmp(end, ext, strlen(ext)) != 0)
		return NO_GENERATION;
	return kind_of_rest(end + strlen(ext));
}

/* Of current, as multilog, s6-log and svlogd keep it: @400000006a17d2ea0b8cdb4c.s, or .u
 * after a crash, and previous while a program processes it.
 */
static enum kind kind_of_current(const char *name)
{
	enum { STAMP = 1 + 24 };
	if (strcmp(name, "previous") == 0)
		return PLAIN;
	if (*name != '@' || strspn(name + 1, "0123456789abcdef") != STAMP - 1 ||
	    name[STAMP] != '.' || !name[STAMP + 1] || !strchr("su", name[STAMP + 1]))
		return NO_GENERATION;
	return kind_of_rest(name + STAMP + 2);
}

static bool is_current(const char *base)
{
	return strcmp(base, CURRENT) == 0;
}

static enum kind kind_of(const char *name, const char *base)
{
	size_t n = strlen(base);
	enum kind k = strncmp(name, base, n) == 0 ? kind_behind(name + n) : NO_GENERATION;
	k = k ? k : kind_within(name, base);
	return k || !is_current(base) ? k : kind_of_current(name);
}

/* The number in app.log.1 or app.1.log, which may be compressed; -1: it is none of them. */
static long number_of(const char *name, const char *base)
{
	size_t n = strlen(base), stem = n, digits;
	const char *ext = strrchr(base, '.');
	if (strncmp(name, base, n) != 0)
		stem = ext ? (size_t)(ext - base) : 0;
	if (!stem || strncmp(name, base, stem) != 0 || name[stem] != '.')
		return -1;
	const char *p = name + stem + 1, *end = p + strspn(p, "0123456789");
	digits = (size_t)(end - p);
	if (stem < n && strncmp(end, ext, n - stem) == 0)
		end += n - stem;
	else if (stem < n)
		return -1;
	return digits && digits < 6 && kind_of_rest(end) ? strtol(p, NULL, 10) : -1;
}

/* How names order what was written in one moment: .10 before .9, but dates upwards. */
int generation_compare_names(const char *a, const char *b)
{
	while (*a && *b) {
		if (!isdigit((unsigned char)*a) || !isdigit((unsigned char)*b)) {
			if (*a != *b)
				return strcmp(a, b);
			a++;
			b++;
			continue;
		}
		size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
		unsigned long long x = strtoull(a, NULL, 10), y = strtoull(b, NULL, 10);
		if (x != y)
			return (n < 6 && m < 6) == (x > y) ? -1 : 1;
		a += n;
		b += m;
	}
	/* app.log.1 is older than app.log. */
	return *a ? -1 : *b != 0;
}

/* Of names that differ in a time only, such as 20261128-150000: as strcmp(3), else 0. */
static int compare_times_in(const char *a, const char *b)
{
	size_t from = 0;
	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (!isdigit((unsigned char)a[i]))
			from = i + 1;
	size_t n = strspn(a + from, "0123456789"), m = strspn(b + from, "0123456789");
	return n == m && n >= 6 ? strncmp(a + from, b + from, n) : 0;
}

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
	int by_name = compare_times_in(x->path, y->path);
	by_name = by_name ? by_name : compare_ranks(&x->rank, &y->rank);
	if (by_name)
		return by_name;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	int by_end = compare_times(&x->st.st_mtim, &y->st.st_mtim);
	if (by_end)
		return by_end;
	return x->is_alike ? strverscmp(x->path, y->path)
			   : generation_compare_names(x->path, y->path);
}

/* Behind the digits at both, if there are some at both. */
static bool skip_numbers(const char **a, const char **b)
{
	size_t n = strspn(*a, "0123456789"), m = strspn(*b, "0123456789");
	*a += n;
	*b += m;
	return n && m;
}

/* Whether the two names, which have no slashes, differ in numbers only: app-1.log, app-20.log;
 * `a` may be compressed.
 */
static enum kind kind_of_alike(const char *a, const char *b)
{
	while (*b) {
		if (isdigit((unsigned char)*a) || isdigit((unsigned char)*b)) {
			if (!skip_numbers(&a, &b))
				return NO_GENERATION;
		} else if (*a++ != *b++) {
			return NO_GENERATION;
		}
	}
	return kind_of_rest(a);
}

/* ---- directories ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_once(struct listing *l)
{
	DIR *d = opendir(l->dir);
	l->is_short = !d && file_is_shortage(errno);
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

static const struct listing *listing_of(struct listings *all, const char *dir)
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

static void listings_free(struct listings *all)
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

/* ---- candidates ---- */

static void add_dir(struct search *q, const char *path)
{
	char *dir = dir_of(path);
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
		if (strcmp(q->bases[i], base) == 0 || kind_of(base, q->bases[i]))
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

/* Whether the file `name` holds what `f` was followed to: at that place. */
static bool holds_the_same(const struct file *f, const char *name, const struct stat *st)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct position at = f->at;
	bool same = fd >= 0 && (uint64_t)st->st_size >= at.offset && position_fits(&at, fd);
	if (fd >= 0)
		close(fd);
	return same;
}

/* Whether one that is done with is the candidate, and not another that has its number. */
static bool is_still(const struct file *f, const struct candidate *c)
{
	bool is_other = f->born_ns && c->born_ns && f->born_ns != c->born_ns;
	if (f->is_gz)
		return !is_other && ((f->size == c->st.st_size &&
				      compare_times(&f->mtime, &c->st.st_mtim) == 0) ||
				     gz_holds(c->path, &f->at));
	return !(is_other && !f->at.offset) && holds_the_same(f, c->path, &c->st);
}

/* Whether it is followed, or has been; one whose number another file has by now is
 * let go if it was done with, else still looked for.
 */
static bool is_known(struct state *s, const struct candidate *c)
{
	struct file *f = file_by_identity(s, c->st.st_dev, c->st.st_ino);
	if (f && f->fd < 0 && (f->is_done || f->is_missing) && !is_still(f, c)) {
		int ignored = f->is_done ? file_let_go(s, f) : file_lose_identity(s, f);
		(void)ignored;
		f = NULL;
	}
	return f != NULL;
}

static bool waits_for(const struct file *f, const struct file *older)
{
	while (f && f != older)
		f = f->older;
	return f != NULL;
}

/* Whether the patterns have brought it in before `f`, which is to be read behind it. */
static bool is_pending(const struct file *p, const struct file *f)
{
	return p->fd >= 0 && !p->is_done && !waits_for(f, p) && !waits_for(p, f);
}

/* Whether another new file waits for `f` and for what came between those two. */
static bool is_succeeded(const struct state *s, const struct file *f)
{
	for (const struct file *o = file_first_by_origin(s, f->origin); o; o = o->next_by_origin)
		if (o != f && o->between && waits_for(o, f))
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
		long number = strcmp(name, q->bases[i]) == 0 ? 0 : number_of(name, q->bases[i]);
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
	if (!file_stat(path, &c.st, &c.born_ns)) {
		q->is_sure = false; /* it has just got another name */
		return;
	}
	c.rank = rank_of(q, path);
	/* The file is not there any more, since it has been compressed to this one. */
	if (q->is_until_gone && !q->until_rank.base && kind == COMPRESSED &&
	    unpack_is_named(path) && gz_begins_like(path, q->until))
		q->until_rank = c.rank;
	if (!S_ISREG(c.st.st_mode) || !is_behind(q, &c, kind) ||
	    patterns_match(&q->s->exclude, path))
		return;
	if (!(q->wants_known && kind == COMPRESSED) && is_known(q->s, &c)) {
		c.file = file_by_identity(q->s, c.st.st_dev, c.st.st_ino);
		if (!q->until || !is_pending(c.file, q->until))
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
		enum kind kind = kind_of(l->names[low], base);
		if (kind)
			consider(q, l->dir, l->names[low], kind, false);
	}
}

static void search_in(struct search *q, const struct listing *l, const char *base)
{
	const char *ext = strrchr(base, '.');
	search_prefix(q, l, base, base, ext && ext > base ? (size_t)(ext - base) : strlen(base));
	if (!is_current(base))
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

/* A file that is not known and was made between the two that the name has led to. */
static bool is_stranger(const struct search *q, const char *path)
{
	struct stat st;
	int64_t born_ns;
	return file_stat(path, &st, &born_ns) && S_ISREG(st.st_mode) && born_ns &&
	       born_ns > q->than->born_ns && born_ns < q->until->born_ns &&
	       !file_by_identity(q->s, st.st_dev, st.st_ino) &&
	       !patterns_match(&q->s->include, path) && !patterns_match(&q->s->exclude, path);
}

static bool is_of_base(const struct search *q, const char *name)
{
	for (size_t i = 0; i < q->n_bases; i++)
		if (kind_of(name, q->bases[i]))
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
	bool are_alike = kind_of_alike(a + 1, b + 1) == PLAIN;
	const struct listing *l = listing_of(q->lists, *dir ? dir : "/");
	q->is_sure &= l->is_sure;
	/* The listings can move when another is made; their names stay. */
	char **names = l->names;
	for (size_t i = 0, all = l->n; i < all; i++) {
		enum kind kind = kind_of_alike(names[i], b + 1);
		if (!join(path, dir, names[i], strlen(names[i])))
			continue;
		if (!is[m] && are_alike && kind)
			consider(q, dir, names[i], kind, true);
		else if (!is[m] && !are_alike && !is_of_base(q, names[i]))
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

/* The name was a link to another file before: what it has led to in between is looked for. */
static void search_links(struct search *q)
{
	const char *was = q->than->place, *is = q->until ? q->until->place : NULL;
	if (was && is && strcmp(was, is) != 0 && *was == '/' && *is == '/')
		search_step(q, "", was + 1, is + 1);
}

static void find_until(struct search *q)
{
	char *name = q->until && q->until->fd >= 0 ? file_name_of_open(q->until) : NULL;
	if (name)
		q->until_rank = rank_of(q, name);
	q->is_until_gone = q->until && !name && is_succeeded(q->s, q->until);
	free(name);
}

/* Those that came after the file that has the name now. */
static void leave_out_later(struct search *q)
{
	size_t n = 0;
	for (size_t i = 0; i < q->n; i++) {
		const struct candidate *c = &q->all[i];
		enum kind kind = is_compressed_name(c->path) ? COMPRESSED : PLAIN;
		if (q->until && !is_before(q, c, kind))
			free(q->all[i].path);
		else
			q->all[n++] = *c;
	}
	q->n = n;
}

static void search_run(struct search *q, const struct file *of)
{
	q->is_sure = true;
	add_places(q, of);
	find_until(q);
	for (size_t i = 0; i < q->n_dirs; i++) {
		const struct listing *l = listing_of(q->lists, q->dirs[i]);
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

static void search_free(struct search *q)
{
	for (size_t i = 0; i < q->n; i++)
		free(q->all[i].path);
	free(q->all);
	for (size_t i = 0; i < q->n_owned; i++)
		free(q->owned[i]);
}

/* ---- what comes between ---- */

static void remember_before(struct between *b, const struct file *before)
{
	b->at = before->at;
	b->mtime_ns = file_ended_ns(before);
	b->born_ns = file_began_ns(before);
	b->is_open = before->fd >= 0;
	if (before->place) {
		free(b->place);
		b->place = must(strdup(before->place));
	}
}

void generations_end_wait(struct file *f)
{
	if (f->between)
		free(f->between->place);
	free(f->between);
	f->between = NULL;
}

void generations_await(struct file *f, struct file *before)
{
	f->between = must(calloc(1, sizeof(*f->between)));
	f->between->since_ns = mono_ns();
	remember_before(f->between, before);
	f->older = before->is_done ? NULL : before;
}

/* The first of them tells what was missed: it comes right behind the gap. */
static void goes_before(struct file *f, struct file *of)
{
	of->older = f;
	f->n_missed = of->n_missed;
	f->n_strangers = of->n_strangers;
	of->n_missed = of->n_strangers = 0;
}

/* One that came between: it is read behind `older`, unless all of it has been read.
 * 0 or a negative errno of opening it.
 */
static int begin_one(struct state *s, struct file *of, const struct candidate *c,
		     struct file *older)
{
	const struct between *b = of->between;
	struct position at = b->at;
	struct file *f = file_add(s, of->origin, c->path, &c->st);
	f->is_rotated = f->is_seen = f->is_generation = true;
	f->older = older;
	int r = file_open_fd(s, f);
	if (r) {
		file_drop(s, f);
		return r;
	}
	if (f->is_gz) {
		goes_before(f, of);
		follow_seek(f, 0);
		return 0;
	}
	/* A copy of what was followed: only what is behind that is new in it. */
	bool is_copy = at.offset && (uint64_t)f->size >= at.offset && position_fits(&at, f->fd);
	if (is_copy && b->is_open) {
		file_drop(s, f);
		return 0;
	}
	goes_before(f, of);
	follow_seek(f, is_copy ? at.offset : 0);
	return 0;
}

/* ---- what was removed before anybody looked ---- */

/* By the numbers in the directory in which `before` has the name `path` now. */
static size_t missed_beside(struct search *q, const struct file *before, const char *path)
{
	char *dir = dir_of(path);
	const struct listing *l = listing_of(q->lists, dir);
	size_t ret = 0, n = 0;
	unsigned *there = must(calloc(l->n + 1, sizeof(there[0])));
	bool is_upwards = false;
	for (size_t b = 0; b < q->n_bases && !ret; b++) {
		long number = number_of(strrchr(path, '/') + 1, q->bases[b]);
		for (size_t i = n = 0; i < l->n && number > 0; i++) {
			char name[NAME_SIZE];
			struct stat st;
			long k = number_of(l->names[i], q->bases[b]);
			if (k < 0 || k >= number)
				continue;
			snprintf(name, sizeof(name), "%s/%s", dir, l->names[i]);
			is_upwards |=
				stat(name, &st) < 0 || ns_of(&st.st_mtim) < ns_of(&before->mtime);
			there[n++] = (unsigned)k;
		}
		if (n && !is_upwards)
			ret = missed_by_numbers((unsigned)number, there, n);
	}
	free(there);
	free(dir);
	return ret;
}

/* When `before` has been removed: by when the others were made. */
static size_t missed_since(const struct search *q, const struct file *before, int64_t removed_ns)
{
	int64_t *born = must(calloc(q->n + 1, sizeof(born[0])));
	bool is_known = q->n > 0 && q->until->born_ns;
	for (size_t i = 0; i < q->n; i++) {
		const struct candidate *c = &q->all[i];
		/* What is compressed may be the file itself, and so may be a copy. */
		is_known &= c->born_ns && !is_compressed_name(c->path) &&
			    !(before->at.offset && holds_the_same(before, c->path, &c->st));
		born[i] = c->born_ns;
	}
	born[q->n] = q->until->born_ns;
	size_t ret = is_known ? missed_by_times(removed_ns, born, q->n + 1) : 0;
	free(born);
	return ret;
}

/* Names that change meanwhile are no evidence: one that is left out may be there. */
static size_t count_missed(struct search *q, const struct file *before)
{
	struct stat st;
	if (!q->is_sure || !before || before->fd < 0 || before->is_gz || fstat(before->fd, &st) < 0)
		return 0;
	if (!st.st_nlink)
		return missed_since(q, before, ns_of(&st.st_ctim));
	char *path = file_name_of_open(before);
	size_t ret = path ? missed_beside(q, before, path) : 0;
	free(path);
	return ret;
}

/* The gap of files that a link may have led to. */
static int tell_strangers(struct state *s, struct file *f, size_t n)
{
	char message[1024];
	snprintf(message, sizeof(message),
		 "%s is a link that leads to another file now: %zu file%s beside %s may have had "
		 "this name between the files read before and after this gap (name the files "
		 "themselves in include, or set a shorter sweep_interval)",
		 f->origin, n, n == 1 ? "" : "s", f->place ? f->place : "it");
	return emit_gap(s, f, "rotated", message);
}

int generation_tell_missed(struct state *s, struct file *f)
{
	char message[1024];
	size_t n = f->n_missed, n_strangers = f->n_strangers;
	f->n_missed = f->n_strangers = 0;
	int r = n_strangers ? tell_strangers(s, f, n_strangers) : 0;
	if (!n || r)
		return r;
	snprintf(message, sizeof(message),
		 "%s was rotated more often than sluice looked at it: %zu more file%s may have "
		 "been written and removed between the files read before and after this gap (keep "
		 "more rotated files, or set a shorter sweep_interval)",
		 f->origin, n, n == 1 ? "" : "s");
	return emit_gap(s, f, "rotated", message);
}

/* Compressed ones that are not to be read: 0 or -ECANCELED. */
static int tell_unreadable(struct state *s, struct file *of, const char *path)
{
	char message[1024];
	if (unpack_is_named(path) && gz_is_of_known(s, path))
		return 0;
	snprintf(message, sizeof(message),
		 "%s, an older file of %s, was compressed before it was read to its end: its "
		 "unread lines are skipped (set decompress: true, or delaycompress in logrotate)",
		 path, of->origin);
	return emit_gap(s, of, "rotated", message);
}

/* One that cannot be opened: 0 or -ECANCELED. */
static int tell_closed(struct state *s, struct file *of, const char *path, int error)
{
	char message[1024];
	snprintf(message, sizeof(message),
		 "%.400s was written under the name %.400s and cannot be read: %s; what it holds "
		 "is lost (give sluice's user the right to read it, also after it is rotated)",
		 path, of->origin, strerror(error));
	return emit_gap(s, of, "rotated", message);
}

static bool hold_the_same(int a, int b, uint64_t n)
{
	char x[8192], y[8192];
	for (uint64_t at = 0; at < n;) {
		size_t len = n - at < sizeof(x) ? (size_t)(n - at) : sizeof(x);
		if (pread(a, x, len, (off_t)at) != (ssize_t)len ||
		    pread(b, y, len, (off_t)at) != (ssize_t)len || memcmp(x, y, len) != 0)
			return false;
		at += len;
	}
	return true;
}

/* Files that begin alike by chance are short: less than HEAD_MAX bytes are a copy only if the
 * file was made before the other one lost its name.
 */
static bool may_be_copy(const struct file *f, const struct file *before)
{
	struct stat st, now;
	if (before->is_gz || f->is_gz || read_offset(f) || fstat(before->fd, &st) < 0 ||
	    fstat(f->fd, &now) < 0)
		return false;
	if (st.st_size >= HEAD_MAX)
		return now.st_size >= HEAD_MAX && hold_the_same(f->fd, before->fd, HEAD_MAX);
	/* In one tick of the clock it can also have been made afterwards. */
	int64_t lost_ns = ns_of(&st.st_ctim);
	return !st.st_nlink &&
	       (f->born_ns < lost_ns || (f->born_ns == lost_ns && now.st_size > st.st_size));
}

/* The new file holds all that the one before does, and perhaps more: it goes on where that one
 * is.  0; -EAGAIN when that one is to be read behind others first; or -ECANCELED.
 */
static int go_on_in_copy(struct state *s, struct file *f, struct file *before)
{
	if (before->fd < 0 || !may_be_copy(f, before))
		return 0;
	while (before->older && before->older->is_done)
		before->older = before->older->older;
	if (before->older || before->between)
		return -EAGAIN;
	int r = follow_drain(s, before);
	struct position at = before->at;
	if (r || before->fd < 0 || !at.offset || !position_fits(&at, f->fd) ||
	    !hold_the_same(f->fd, before->fd, at.offset))
		return r;
	f->at = at;
	follow_seek(f, at.offset);
	f->older = NULL;
	group_drop(before);
	lines_drop(before);
	r = emit_cursor(s, f);
	return r ? r : follow_finish(s, before);
}

/* The same when those that had its name are closed, and only the hashes of what was read of
 * them are known: it goes on where the furthest of them was.
 */
static int go_on_in_copy_of_closed(struct state *s, struct file *f)
{
	struct position best = {0};
	if (f->is_gz || read_offset(f))
		return 0;
	for (const struct file *o = file_first_by_origin(s, f->origin); o; o = o->next_by_origin) {
		struct position at = o->at;
		if (strcmp(o->origin, f->origin) == 0 && at.offset > best.offset &&
		    position_is_telling(&at) && position_fits(&at, f->fd))
			best = at;
	}
	if (!best.offset)
		return 0;
	f->at = best;
	f->at.is_done = false;
	follow_seek(f, best.offset);
	return emit_cursor(s, f);
}

/* One that the patterns have brought in already is read before `f`. */
static void wait_for_known(struct file *f, struct file *known)
{
	if (!is_pending(known, f))
		return;
	if (!known->older && !waits_for(f->older, known))
		known->older = f->older;
	f->older = known;
}

/* Those that were found, in order.  0; -EAGAIN when one of them is to be looked for again; or
 * -ECANCELED.
 */
static int begin_all(struct state *s, struct file *f, const struct search *q)
{
	int r = 0;
	for (size_t i = 0; i < q->n && !r; i++) {
		const struct candidate *c = &q->all[i];
		if (c->file) {
			wait_for_known(f, c->file);
			continue;
		}
		bool is_read = !is_compressed_name(c->path) || ignored_reads(s, c->path);
		int error = is_read ? -begin_one(s, f, c, f->older) : 0;
		/* It has got another name since it was found, or none. */
		if (error == ENOENT || error == ESTALE || file_is_shortage(error))
			return -EAGAIN;
		if ((is_read && !error) || c->order <= f->between->told_ns)
			continue;
		f->between->told_ns = c->order;
		r = is_read ? tell_closed(s, f, c->path, error) : tell_unreadable(s, f, c->path);
	}
	return r;
}

/* Whether what comes before those that it waits for is not known yet: first come those. */
static bool is_early(struct state *s, const struct file *f)
{
	for (const struct file *o = f->older; o; o = o->older)
		if (o->is_missing || o->between) {
			s->look_at_ns = mono_ns() + PLACE_TICK_NS;
			return true;
		}
	return false;
}

static int settle(struct state *s, struct listings *lists, struct file *f)
{
	struct file *before = f->older;
	struct stat st;
	if (is_early(s, f))
		return 0;
	if (before && before->fd >= 0 && fstat(before->fd, &st) == 0)
		file_note_time(before, &st);
	if (before)
		remember_before(f->between, before);
	struct search q = {.s = s, .lists = lists, .than = f->between, .until = f};
	search_run(&q, f);
	bool has_looked =
		++f->between->n_looks >= LOOKS_MIN && mono_ns() - f->between->since_ns > LOOKS_NS;
	bool is_unsure = !q.is_sure && !has_looked;
	int r = -EAGAIN;
	/* The search can have dropped `before`, and then another one is the older one. */
	if (!q.is_short && !is_unsure) {
		f->n_missed = count_missed(&q, f->older);
		f->n_strangers = q.n_strangers;
		r = begin_all(s, f, &q);
	}
	if (!q.n && !r)
		r = f->older ? go_on_in_copy(s, f, f->older) : go_on_in_copy_of_closed(s, f);
	search_free(&q);
	if (r == -EAGAIN) {
		s->look_at_ns = mono_ns() + PLACE_TICK_NS;
		return 0;
	}
	generations_end_wait(f);
	return r;
}

int generations_settle(struct state *s)
{
	struct listings lists = {0};
	int r = 0;
	for (struct file *f = s->files; f && !r; f = f->next)
		if (f->between)
			r = settle(s, &lists, f);
	listings_free(&lists);
	return r;
}

/* Whether a file that is followed has the name `dir`, `stem`, `rest`, and `path` is that of an
 * older one of it; if `awaited`, only while those are looked for.
 */
static bool is_older_of(struct state *s, const char *path, size_t stem, const char *rest,
			size_t rest_len, bool awaited)
{
	const char *name = strrchr(path, '/') + 1;
	char base[NAME_SIZE];
	if (stem + rest_len >= sizeof(base))
		return false;
	memcpy(base, path, stem);
	memcpy(base + stem, rest, rest_len);
	base[stem + rest_len] = 0;
	struct file *f = file_by_origin(s, base);
	return f && (f->between || !awaited) && kind_of(name, base + (name - path));
}

static bool is_older(struct state *s, const char *path, bool awaited)
{
	const char *name = strrchr(path, '/') + 1;
	size_t dir = (size_t)(name - path), digits;
	if (kind_of_current(name) && is_older_of(s, path, dir, CURRENT, strlen(CURRENT), awaited))
		return true;
	for (size_t i = 1; name[i]; i++) {
		if (!strchr(".-_", name[i]))
			continue;
		if (is_older_of(s, path, dir + i, "", 0, awaited))
			return true;
		/* app.1.log, perhaps with .gz behind it */
		const char *ext = behind_number(name + i + 1, &digits);
		size_t len = *ext == '.' ? 1 + strcspn(ext + 1, ".") : 0;
		if (digits && len && is_older_of(s, path, dir + i, ext, len, awaited))
			return true;
	}
	return false;
}

bool generation_is_awaited(struct state *s, const char *path)
{
	return is_older(s, path, true);
}

bool generation_has_base(struct state *s, const char *path)
{
	return is_older(s, path, false);
}

/* ---- one that is not there any more ---- */

/* Those that wait for `f` wait for `instead`, too. */
static void wait_instead(struct state *s, struct file *f, struct file *instead)
{
	for (struct file *o = file_first_by_origin(s, f->origin); o; o = o->next_by_origin)
		if (o->older == f && o != instead)
			o->older = instead;
}

/* The rest of `f` is in a compressed file, which is read from where `at` is. */
static bool continue_in_gz(struct state *s, struct file *f, const struct candidate *c,
			   const struct position *at)
{
	struct file *g = file_add(s, f->origin, c->path, &c->st);
	g->is_rotated = g->is_seen = g->is_generation = true;
	g->older = f->older;
	if (file_open_fd(s, g)) {
		file_drop(s, g);
		return false;
	}
	g->at = *at;
	g->at.is_done = false;
	follow_seek(g, at->offset);
	return true;
}

/* 1, 0 or -ECANCELED; then `f` is gone. */
static int adopt_gz(struct state *s, struct file *f, const struct candidate *c)
{
	int r = 0;
	struct file *known = file_by_identity(s, c->st.st_dev, c->st.st_ino);
	bool is_stale = known && known->fd < 0 &&
			(!known->is_gz || (known->is_done && !is_still(known, c)));
	if (is_stale) {
		r = file_lose_identity(s, known);
		known = NULL;
	}
	if (!r && !known) {
		if (!continue_in_gz(s, f, c, &f->at))
			return 0;
		struct file *g = s->last_file;
		file_note_original(g, f);
		g->is_generation = f->is_generation;
		wait_instead(s, f, g);
		r = emit_cursor(s, g);
	}
	r = r ? r : file_forget(s, f);
	return r ? r : 1;
}

static bool is_there_still(const struct candidate *c)
{
	struct stat now;
	return stat(c->path, &now) == 0 && now.st_dev == c->st.st_dev &&
	       now.st_ino == c->st.st_ino;
}

/* In another file, which holds the same: 1, 0 when that cannot be read, -EAGAIN when a third
 * one has got its name meanwhile, or -ECANCELED.
 */
static int go_on_in(struct state *s, struct file *f, const struct candidate *c)
{
	if (!is_there_still(c))
		return -EAGAIN;
	int r = file_become(s, f, c->path, &c->st, c->born_ns);
	r = r ? r : file_reopen(s, f, &c->st);
	if (r)
		return r;
	/* It is gone, and a gap says so, if what it holds has just changed. */
	const struct file *now = file_by_identity(s, c->st.st_dev, c->st.st_ino);
	if (!now || now->fd >= 0)
		return 1;
	return is_there_still(c) ? 0 : -EAGAIN;
}

/* The file `p` holds what was read of `f`, which is not there any more: it goes on behind that.
 * 1 or -ECANCELED.
 */
static int go_on_behind(struct state *s, struct file *p, struct file *f)
{
	int r = 0;
	if (read_offset(p) < f->at.offset) {
		p->at = f->at;
		p->at.is_done = false;
		follow_seek(p, f->at.offset);
		r = emit_cursor(s, p);
	}
	f->is_done = f->at.is_done = true;
	f->is_missing = false;
	r = r ? r : emit_cursor(s, f);
	return r ? r : 1;
}

/* The first open file of those that wait for it; NULL: none. */
static struct file *first_open_behind(const struct state *s, const struct file *f)
{
	while (f && (f->fd < 0 || f->is_missing)) {
		struct file *o = file_first_by_origin(s, f->origin);
		while (o && o->older != f)
			o = o->next_by_origin;
		f = o;
	}
	return (struct file *)f;
}

/* A file that has had its name since is a copy of it, perhaps with more: 1, else 0, -EAGAIN or
 * -ECANCELED.
 */
static int adopt_namesake(struct state *s, struct file *f)
{
	struct candidate c = {.path = f->origin};
	struct position at = f->at;
	if (!f->at.offset)
		return 0;
	struct file *p = first_open_behind(s, f);
	if (p)
		return !p->is_gz && position_fits(&at, p->fd) ? go_on_behind(s, p, f) : 0;
	if (!file_stat(f->origin, &c.st, &c.born_ns) || !S_ISREG(c.st.st_mode))
		return 0;
	p = file_by_identity(s, c.st.st_dev, c.st.st_ino);
	if (p == f || (p && p->fd < 0 && p->at.offset < f->at.offset) ||
	    !holds_the_same(f, f->origin, &c.st))
		return 0;
	return p ? go_on_behind(s, p, f) : go_on_in(s, f, &c);
}

int generation_adopt(struct state *s, struct file *f)
{
	int found = adopt_namesake(s, f);
	if (found)
		return found;
	struct listings lists = {0};
	struct between than = {.mtime_ns = ns_of(&f->mtime), .born_ns = f->born_ns, .at = f->at};
	struct search q = {.s = s, .lists = &lists, .than = &than, .wants_known = true};
	search_run(&q, f);
	for (size_t i = 0; i < q.n && !found; i++) {
		const struct candidate *c = &q.all[i];
		bool is_gz = ignored_reads(s, c->path) && unpack_is_named(c->path);
		if (!f->at.offset || (!is_gz && is_compressed_name(c->path)))
			continue;
		if (is_gz && gz_holds(c->path, &f->at)) {
			found = adopt_gz(s, f, c);
			f = found ? NULL : f;
		} else if (!is_gz && holds_the_same(f, c->path, &c->st)) {
			found = go_on_in(s, f, c);
		}
	}
	search_free(&q);
	listings_free(&lists);
	return found;
}

/* ---- one that was copied and emptied ---- */

/* A copy that was made when `f` had been emptied before: all of it is new. */
static bool is_later_copy(const struct file *f, const struct position *at, int64_t since_ns)
{
	char head[HEAD_MAX];
	if (f->born_ns <= since_ns || f->size < at->head_len)
		return false;
	return !at->head_len || (pread(f->fd, head, at->head_len, 0) == at->head_len &&
				 position_hash(head, at->head_len) != at->head_hash);
}

static bool begin_alike(const struct file *f, const struct file *g)
{
	char a[HEAD_MAX], b[HEAD_MAX];
	ssize_t n = pread(f->fd, a, sizeof(a), 0), m = pread(g->fd, b, sizeof(b), 0);
	ssize_t least = n < m ? n : m;
	return least > 0 && memcmp(a, b, (size_t)least) == 0;
}

/* *has_first: the copy that goes on behind `at` has been read.  0 or -ECANCELED. */
static int read_copy(struct state *s, struct file *f, const struct candidate *c,
		     const struct position *at, int64_t since_ns, bool *has_first)
{
	struct position copy = *at;
	struct file *g = file_add(s, f->origin, c->path, &c->st);
	g->is_rotated = g->is_seen = true;
	if (file_open_fd(s, g)) {
		file_drop(s, g);
		return 0;
	}
	bool is_first = !*has_first && at->offset && (uint64_t)g->size >= at->offset &&
			position_fits(&copy, g->fd);
	bool is_new = is_first || *has_first || is_later_copy(g, at, since_ns);
	/* It may be made just now, of what is there. */
	if (!is_new || begin_alike(f, g)) {
		file_drop(s, g);
		return 0;
	}
	*has_first = f->has_copies = true;
	f->copied_ns = g->born_ns;
	if (is_first)
		g->at = copy;
	follow_seek(g, is_first ? copy.offset : 0);
	int r = follow_drain(s, g);
	return r ? r : follow_finish(s, g);
}

int generation_read_copy(struct state *s, struct file *f, const struct position *at,
			 int64_t since_ns)
{
	struct listings lists = {0};
	struct between than = {.mtime_ns = at->mtime_ns, .born_ns = f->born_ns, .at = *at};
	struct search q = {.s = s, .lists = &lists, .than = &than};
	bool has_first = false;
	int r = 0;
	search_run(&q, f);
	for (size_t i = 0; i < q.n && !r; i++) {
		const struct candidate *c = &q.all[i];
		bool is_gz = unpack_is_named(c->path) && ignored_reads(s, c->path);
		bool is_first = is_gz && !has_first && gz_holds(c->path, at);
		if (is_first || (is_gz && has_first)) {
			struct position start = {0};
			has_first = true;
			if (continue_in_gz(s, f, c, is_first ? at : &start))
				f->older = s->last_file;
		} else if (!is_compressed_name(c->path)) {
			r = read_copy(s, f, c, at, since_ns, &has_first);
		}
	}
	search_free(&q);
	listings_free(&lists);
	return r;
}

int generation_look_for_copies(struct state *s, struct file *f)
{
	struct position at = f->at;
	uint64_t n_lines = s->n_lines;
	if (read_offset(f) || f->is_gz) {
		f->has_copies &= !f->is_gz;
		return 0;
	}
	int r = generation_read_copy(s, f, &at, f->copied_ns);
	if (r || s->n_lines == n_lines)
		return r;
	return emit_emptied(s, f);
}
