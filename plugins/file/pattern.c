/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "common/basics.h"

enum { DEPTH_MAX = 32, PATH_SIZE = 4096 };

/* ---- braces ---- */

/* The `}` that closes the `{` at p, or NULL. */
static const char *closing(const char *p)
{
	int depth = 0;
	for (; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '{')
			depth++;
		else if (*p == '}' && --depth == 0)
			return p;
	}
	return NULL;
}

/* The end of the alternative that begins at p: a comma or the brace that closes. */
static const char *alternative_end(const char *p, const char *close)
{
	int depth = 0;
	for (; p < close; p++) {
		if (*p == '\\' && p + 1 < close)
			p++;
		else if (*p == '{')
			depth++;
		else if (*p == '}')
			depth--;
		else if (*p == ',' && !depth)
			break;
	}
	return p;
}

/* Takes `text`, whose first `from` bytes are done with. */
static int add_from(struct patterns *ret, char *text, size_t from)
{
	const char *open = text + from, *close = NULL;
	for (; *open; open++) {
		if (*open == '\\' && open[1])
			open++;
		else if (*open == '{' && (close = closing(open)))
			break;
	}
	if (!close) {
		if (ret->n == PATTERNS_MAX) {
			free(text);
			return -E2BIG;
		}
		ret->all = must(realloc(ret->all, (ret->n + 1) * sizeof(ret->all[0])));
		ret->all[ret->n++] = text;
		return 0;
	}
	int r = 0;
	for (const char *p = open + 1, *end; !r && p <= close; p = end + 1) {
		char *one;
		end = alternative_end(p, close);
		if (asprintf(&one, "%.*s%.*s%s", (int)(open - text), text, (int)(end - p), p,
			     close + 1) < 0)
			abort();
		r = add_from(ret, one, (size_t)(open - text));
	}
	free(text);
	return r;
}

int patterns_add(struct patterns *p, const char *text)
{
	return add_from(p, must(strdup(text)), 0);
}

void patterns_fini(struct patterns *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->all[i]);
	free(p->all);
	*p = (struct patterns){0};
}

/* ---- matching ---- */

/* The part up to the next slash; *rest behind that slash, or NULL. */
static size_t component(const char *p, const char **rest)
{
	size_t n = strcspn(p, "/");
	*rest = p[n] ? p + n + 1 : NULL;
	return n;
}

static bool matches_component(const char *pattern, size_t n, const char *name, size_t m)
{
	char a[256], b[256];
	if (n >= sizeof(a) || m >= sizeof(b))
		return false;
	memcpy(a, pattern, n);
	memcpy(b, name, m);
	a[n] = b[m] = 0;
	return fnmatch(a, b, FNM_PERIOD) == 0;
}

bool pattern_matches(const char *pattern, const char *path)
{
	const char *rest_pattern, *rest_path;
	while (pattern && path) {
		size_t n = component(pattern, &rest_pattern);
		size_t m = component(path, &rest_path);
		if (n == 2 && strncmp(pattern, "**", 2) == 0) {
			/* No directory, or one more; none of those that are hidden. */
			if (!rest_pattern)
				return true;
			if (pattern_matches(rest_pattern, path))
				return true;
			if (!rest_path || path[0] == '.')
				return false;
			path = rest_path;
			continue;
		}
		if (!matches_component(pattern, n, path, m))
			return false;
		pattern = rest_pattern;
		path = rest_path;
	}
	return !pattern && !path;
}

bool patterns_match(const struct patterns *p, const char *path)
{
	for (size_t i = 0; i < p->n; i++)
		if (pattern_matches(p->all[i], path))
			return true;
	return false;
}

bool pattern_is_wild(const char *pattern)
{
	return strpbrk(pattern, "*?[\\") != NULL;
}

/* ---- finding ---- */

/* A directory, by what it is. */
struct visited {
	dev_t dev;
	ino_t ino;
};

/* A look at what is below one directory. */
struct walk {
	const char *pattern;
	const struct pattern_visitor *v;
	/* With follow_links: the directories that were seen, and the links that are
	 * followed when all others have been, so that a file has its real name.
	 */
	struct visited *seen; /* a hash of n_slots, ino 0: empty */
	size_t n_seen, n_slots;
	struct link {
		char *path; /* owned */
		int depth;
	} * links;
	size_t n_links;
};

static struct visited *slot_of(struct visited *all, size_t n, const struct visited *want)
{
	size_t i = (size_t)((uint64_t)want->ino * 2654435761u ^ (uint64_t)want->dev) & (n - 1);
	while (all[i].ino && (all[i].ino != want->ino || all[i].dev != want->dev))
		i = (i + 1) & (n - 1);
	return &all[i];
}

static void grow_seen(struct walk *w)
{
	size_t n = w->n_slots ? 2 * w->n_slots : 64;
	struct visited *all = must(calloc(n, sizeof(all[0])));
	for (size_t i = 0; i < w->n_slots; i++)
		if (w->seen[i].ino)
			*slot_of(all, n, &w->seen[i]) = w->seen[i];
	free(w->seen);
	w->seen = all;
	w->n_slots = n;
}

/* Whether it is the first visit to this directory; without follow_links it is. */
static bool is_first_visit(struct walk *w, int fd)
{
	struct stat st;
	if (!w->v->follow_links || fstat(fd, &st) < 0)
		return true;
	if (2 * (w->n_seen + 1) > w->n_slots)
		grow_seen(w);
	struct visited here = {st.st_dev, st.st_ino};
	struct visited *slot = slot_of(w->seen, w->n_slots, &here);
	if (slot->ino)
		return false;
	*slot = here;
	w->n_seen++;
	return true;
}

enum kind { KIND_FILE, KIND_DIR, KIND_LINK_TO_DIR };

static enum kind kind_of(const struct dirent *e, const char *path)
{
	struct stat st;
	if (e->d_type == DT_DIR)
		return KIND_DIR;
	if (e->d_type != DT_UNKNOWN && e->d_type != DT_LNK)
		return KIND_FILE;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return KIND_FILE;
	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? KIND_LINK_TO_DIR : KIND_DIR;
}

static void add_link(struct walk *w, const char *path, int depth)
{
	if (!w->v->follow_links) {
		w->v->trouble(w->v->ctx, PATTERN_LINK, path);
		return;
	}
	w->links = must(realloc(w->links, (w->n_links + 1) * sizeof(w->links[0])));
	w->links[w->n_links++] = (struct link){must(strdup(path)), depth};
}

static void walk_below(struct walk *w, const char *dir, int depth)
{
	const struct pattern_visitor *v = w->v;
	if (v->until_ns && mono_ns() >= v->until_ns)
		return;
	DIR *d = opendir(dir[0] ? dir : "/");
	if (!d) {
		if (errno == EACCES)
			v->trouble(v->ctx, PATTERN_UNLISTED, dir);
		return;
	}
	if (!is_first_visit(w, dirfd(d))) {
		closedir(d);
		return;
	}
	v->dir(v->ctx, dir[0] ? dir : "/");
	for (struct dirent *e; (e = readdir(d));) {
		char path[PATH_SIZE];
		if (e->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
			continue;
		enum kind kind = kind_of(e, path);
		if (kind == KIND_LINK_TO_DIR)
			add_link(w, path, depth + 1);
		else if (kind == KIND_DIR && depth < DEPTH_MAX)
			walk_below(w, path, depth + 1);
		else if (kind == KIND_DIR)
			v->trouble(v->ctx, PATTERN_DEEP, path);
		else if (pattern_matches(w->pattern, path))
			v->file(v->ctx, path);
	}
	closedir(d);
}

static void walk(const char *pattern, const struct pattern_visitor *v, const char *dir)
{
	struct walk w = {.pattern = pattern, .v = v};
	walk_below(&w, dir, 0);
	/* More of them may be found on the way. */
	for (size_t i = 0; i < w.n_links; i++) {
		struct link l = w.links[i];
		if (l.depth <= DEPTH_MAX)
			walk_below(&w, l.path, l.depth);
		else
			v->trouble(v->ctx, PATTERN_DEEP, l.path);
	}
	for (size_t i = 0; i < w.n_links; i++)
		free(w.links[i].path);
	free(w.links);
	free(w.seen);
}

static void expand_glob(const char *pattern, void (*fn)(void *, const char *), void *ctx)
{
	glob_t g = {0};
	if (glob(pattern, GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			fn(ctx, g.gl_pathv[i]);
	globfree(&g);
}

/* The directories that hold what has this name; of names that are given as such
 * nothing has to be listed.
 */
static void visit_dirs(const char *dirs, bool lists, const struct pattern_visitor *v)
{
	glob_t g = {0};
	if (glob(dirs[0] ? dirs : "/", GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++) {
			v->dir(v->ctx, g.gl_pathv[i]);
			if (lists && faccessat(AT_FDCWD, g.gl_pathv[i], R_OK | X_OK, AT_EACCESS) &&
			    errno == EACCES)
				v->trouble(v->ctx, PATTERN_UNLISTED, g.gl_pathv[i]);
		}
	globfree(&g);
}

void pattern_expand(const char *pattern, const struct pattern_visitor *v)
{
	const char *stars = strstr(pattern, "/**");
	char *base = must(strdup(pattern));
	if (!stars || (stars[3] && stars[3] != '/')) {
		char *slash = strrchr(base, '/');
		*slash = 0;
		visit_dirs(base, pattern_is_wild(slash + 1), v);
		expand_glob(pattern, v->file, v->ctx);
		free(base);
		return;
	}
	/* The directories before the stars may be a pattern themselves. */
	base[stars - pattern] = 0;
	glob_t g = {0};
	if (!base[0])
		walk(pattern, v, "");
	else if (glob(base, GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			walk(pattern, v, g.gl_pathv[i]);
	globfree(&g);
	free(base);
}
