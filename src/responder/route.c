/* SPDX-License-Identifier: MIT */
#include "responder/route.h"

#include <stdlib.h>

#include "base/mem.h"

static const struct {
	const char *path;
	enum route_kind kind;
	bool has_more; /* a name follows */
	const char *methods;
} known[] = {
	/* What is asked may stand in a form. */
	{"/events", ROUTE_HUB, false, "GET, HEAD, POST"},
	{"/poll", ROUTE_HUB, false, "GET, HEAD, POST"},
	{"/history", ROUTE_HUB, false, "GET, HEAD, POST"},
	{"/search", ROUTE_HUB, false, "GET, HEAD, POST"},
	{"/histogram", ROUTE_HUB, false, "GET, HEAD, POST"},
	{"/facets", ROUTE_HUB, false, "GET, HEAD, POST"},
	{"/streams/", ROUTE_HUB, true, "POST, DELETE"},
	{"/schema/", ROUTE_HUB, true, ROUTE_READS},
	{"/channels", ROUTE_HUB, false, ROUTE_READS},
	{"/status", ROUTE_HUB, false, ROUTE_READS},
	{"/health/ready", ROUTE_HUB, false, ROUTE_READS},
	{"/health/live", ROUTE_LIVE, false, ROUTE_READS},
	{"/probe", ROUTE_PROBE, false, ROUTE_READS},
};

static struct route exact(const char *path, const struct files *files)
{
	struct route r = {.kind = ROUTE_NONE, .methods = ROUTE_READS};
	for (size_t i = 0; i < array_size(known); i++) {
		size_t n = strlen(known[i].path);
		bool is = known[i].has_more ? strncmp(path, known[i].path, n) == 0 && path[n] &&
						      !strchr(path + n, '/')
					    : strcmp(known[i].path, path) == 0;
		if (is) {
			r.kind = known[i].kind;
			r.path = mem_strdup(path);
			r.methods = known[i].methods;
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
	return (struct route){.kind = *path ? ROUTE_REDIRECT : ROUTE_NONE, .methods = ROUTE_READS};
}

bool route_takes(const struct route *r, const char *method)
{
	size_t n = strlen(method);
	for (const char *p = r->methods; n && *p; p += strspn(p, ", ")) {
		size_t len = strcspn(p, ",");
		if (len == n && memcmp(p, method, n) == 0)
			return true;
		p += len;
	}
	return false;
}

/* The mount points are known, one or several with blanks between: what lies below none
 * of them is not ours, however alike it looks.
 */
static struct route by_prefix(const char *path, const char *prefixes, const struct files *files)
{
	for (const char *p = prefixes; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " "), len = n == 1 && *p == '/' ? 0 : n;
		if (strncmp(path, p, len) == 0 && path[len] == '/')
			return exact(path + len, files);
		if (strncmp(path, p, len) == 0 && !path[len])
			return (struct route){.kind = ROUTE_REDIRECT, .methods = ROUTE_READS};
		p += n;
	}
	return (struct route){.kind = ROUTE_NONE, .methods = ROUTE_READS};
}

struct route route_find(const struct params *p, const char *prefixes, const struct files *files)
{
	char *whole = mem_printf("%s%s", p->script_name, p->path_info);
	struct route r = {.kind = ROUTE_NONE, .methods = ROUTE_READS};
	if (p->prefix[0] || *prefixes) {
		r = by_prefix(whole, p->prefix[0] ? p->prefix : prefixes, files);
	} else if (p->path_info[0] == '/') {
		r = exact(p->path_info, files);
		/* lighttpd 1.4.69, mounted at "/", cuts behind the first part. */
		if (r.kind == ROUTE_NONE)
			r = exact(whole, files);
	} else if (!p->path_info[0]) { /* else a prefix was cut off in the middle of a name */
		r = by_ending(whole, files);
	}
	free(whole);
	return r;
}
