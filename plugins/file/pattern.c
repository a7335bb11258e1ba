/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

enum { DEPTH_MAX = 32, PATH_SIZE = 4096 };

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

struct walk {
	const char *pattern;
	void (*fn)(void *ctx, const char *path);
	void (*dir)(void *ctx, const char *path);
	void *ctx;
};

static bool is_dir(const struct dirent *e, const char *path)
{
	struct stat st;
	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR; /* no links: they may lead in circles */
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void walk_below(const struct walk *w, const char *dir, int depth)
{
	DIR *d = opendir(dir[0] ? dir : "/");
	if (!d)
		return;
	w->dir(w->ctx, dir[0] ? dir : "/");
	for (struct dirent *e; (e = readdir(d));) {
		char path[PATH_SIZE];
		if (e->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
			continue;
		if (is_dir(e, path)) {
			if (depth < DEPTH_MAX)
				walk_below(w, path, depth + 1);
		} else if (pattern_matches(w->pattern, path)) {
			w->fn(w->ctx, path);
		}
	}
	closedir(d);
}

static void expand_glob(const char *pattern, void (*fn)(void *, const char *), void *ctx)
{
	glob_t g = {0};
	if (glob(pattern, GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			fn(ctx, g.gl_pathv[i]);
	globfree(&g);
}

void pattern_expand(const char *pattern, void (*fn)(void *ctx, const char *path),
		    void (*dir)(void *ctx, const char *path), void *ctx)
{
	const char *stars = strstr(pattern, "/**");
	char *base = must(strdup(pattern));
	if (!stars || (stars[3] && stars[3] != '/')) {
		*strrchr(base, '/') = 0;
		expand_glob(base[0] ? base : "/", dir, ctx);
		expand_glob(pattern, fn, ctx);
		free(base);
		return;
	}
	/* The directories before the stars may be a pattern themselves. */
	base[stars - pattern] = 0;
	struct walk w = {pattern, fn, dir, ctx};
	glob_t g = {0};
	if (!base[0])
		walk_below(&w, "", 0);
	else if (glob(base, GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			walk_below(&w, g.gl_pathv[i], 0);
	globfree(&g);
	free(base);
}
