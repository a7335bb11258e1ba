/* SPDX-License-Identifier: MIT */
#include "responder/route.h"

#include <stdlib.h>

#include "base/mem.h"

static const struct {
	const char *path;
	enum route_kind kind;
	bool has_more; /* a name follows */
	bool takes_post, takes_delete;
} known[] = {
	{"/events", ROUTE_HUB, false, true, false},
	{"/poll", ROUTE_HUB, false, true, false},
	{"/history", ROUTE_HUB, false, true, false},
	{"/streams/", ROUTE_HUB, true, true, true},
	{"/schema/", ROUTE_HUB, true, false, false},
	{"/channels", ROUTE_HUB, false, false, false},
	{"/status", ROUTE_HUB, false, false, false},
	{"/health/ready", ROUTE_HUB, false, false, false},
	{"/health/live", ROUTE_LIVE, false, false, false},
	{"/probe", ROUTE_PROBE, false, false, false},
};

static struct route exact(const char *path, const struct files *files)
{
	struct route r = {.kind = ROUTE_NONE};
	for (size_t i = 0; i < array_size(known); i++) {
		size_t n = strlen(known[i].path);
		bool is = known[i].has_more ? strncmp(path, known[i].path, n) == 0 && path[n] &&
						      !strchr(path + n, '/')
					    : strcmp(known[i].path, path) == 0;
		if (is) {
			r.kind = known[i].kind;
			r.path = mem_strdup(path);
			r.takes_post = known[i].takes_post;
			r.takes_delete = known[i].takes_delete;
			return r;
		}
	}
	const char *name = strcmp(path, "/") == 0 ? "index.html" : path + 1;
	r.file = path[0] == '/' ? files_find(files, name) : NULL;
	r.kind = r.file ? ROUTE_FILE : ROUTE_NONE;
	return r;
}

/* The mount point is not known: the path ends with one of ours, or is one. */
static struct route by_ending(const char *path, const struct files *files)
{
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		struct route r = exact(p, files);
		if (r.kind != ROUTE_NONE)
			return r;
	}
	return (struct route){.kind = *path ? ROUTE_REDIRECT : ROUTE_NONE};
}

struct route route_find(const struct params *p, const char *prefix, const struct files *files)
{
	size_t n = strlen(prefix);
	char *whole = mem_printf("%s%s", p->script_name, p->path_info);
	struct route r;
	if (n && strncmp(whole, prefix, n) == 0) {
		r = whole[n] ? exact(whole + n, files) : (struct route){.kind = ROUTE_REDIRECT};
	} else if (p->path_info[0]) {
		r = exact(p->path_info, files);
		/* lighttpd 1.4.69, mounted at "/", cuts behind the first part. */
		if (r.kind == ROUTE_NONE)
			r = exact(whole, files);
	} else {
		r = by_ending(whole, files);
	}
	free(whole);
	return r;
}
