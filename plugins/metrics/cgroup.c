/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

/* A control group of version 2, or one controller of version 1, as /proc/self/cgroup names
 * it.  In a container without a namespace for it the path is the host's, and what is mounted is
 * the group itself.
 */
struct group {
	char controller[64]; /* its directory; empty for version 2 */
	char path[512];      /* "" or "/a/b" */
};

static const char *read_group(struct state *s, const struct group *g, const char *file)
{
	char name[700];
	const char *slash = g->controller[0] ? "/" : "";
	snprintf(name, sizeof(name), "fs/cgroup%s%s%s/%s", slash, g->controller, g->path, file);
	const char *text = read_sys(s, name);
	if (text || !g->path[0])
		return text;
	snprintf(name, sizeof(name), "fs/cgroup%s%s/%s", slash, g->controller, file);
	return read_sys(s, name);
}

/* A number, or -1: there is none, or "max". */
static int64_t one_number(struct state *s, const struct group *g, const char *file)
{
	uint64_t v;
	const char *text = read_group(s, g, file);
	return text && read_numbers(text, &v, 1) && v <= INT64_MAX ? (int64_t)v : -1;
}

static bool names_controller(const char *list, size_t n, const char *controller)
{
	size_t len = strlen(controller);
	for (const char *p = list; p < list + n; p += strcspn(p, ",:") + 1)
		if (strncmp(p, controller, len) == 0 && (p[len] == ',' || p[len] == ':'))
			return true;
	return false;
}

/* "4:cpu,cpuacct:/a/b"; "0::/a/b" is version 2, the controller "". */
static bool find_group(const char *text, const char *controller, struct group *ret)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		const char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
		if (!path)
			return false;
		size_t n = (size_t)(path - list - 1);
		if (*controller ? !names_controller(list + 1, n, controller) : n != 0)
			continue;
		snprintf(ret->controller, sizeof(ret->controller), "%.*s", (int)n, list + 1);
		snprintf(ret->path, sizeof(ret->path), "%.*s", (int)strcspn(path + 1, "\n"),
			 path + 1);
		if (strcmp(ret->path, "/") == 0 || strstr(ret->path, ".."))
			ret->path[0] = 0;
		return true;
	}
	return false;
}

struct usage {
	int64_t memory, memory_limit, processes; /* -1: not known */
	uint64_t cpu, throttled;
	bool has_cpu, has_throttled;
	double cpu_unit; /* in seconds */
};

static bool read_version2(struct state *s, const struct group *g, struct usage *u)
{
	const char *text = read_group(s, g, "cpu.stat");
	u->cpu_unit = 1e-6;
	u->has_cpu = text && find_number(text, "usage_usec", &u->cpu);
	u->has_throttled = text && find_number(text, "throttled_usec", &u->throttled);
	u->memory = one_number(s, g, "memory.current");
	u->memory_limit = one_number(s, g, "memory.max");
	u->processes = one_number(s, g, "pids.current");
	return u->has_cpu || u->memory >= 0;
}

/* What no limit is in version 1: the largest number of pages. */
#define NO_LIMIT (INT64_MAX - (1 << 20))

static bool read_version1(struct state *s, const char *text, struct group *g, struct usage *u)
{
	struct group cpu, pids;
	*u = (struct usage){.memory = -1, .memory_limit = -1, .processes = -1, .cpu_unit = 1e-9};
	if (find_group(text, "cpuacct", &cpu)) {
		int64_t v = one_number(s, &cpu, "cpuacct.usage");
		u->has_cpu = v >= 0;
		u->cpu = v >= 0 ? (uint64_t)v : 0;
	}
	if (find_group(text, "cpu", &cpu)) {
		const char *stat = read_group(s, &cpu, "cpu.stat");
		u->has_throttled = stat && find_number(stat, "throttled_time", &u->throttled);
	}
	if (find_group(text, "memory", g)) {
		u->memory = one_number(s, g, "memory.usage_in_bytes");
		u->memory_limit = one_number(s, g, "memory.limit_in_bytes");
		if (u->memory_limit > NO_LIMIT)
			u->memory_limit = -1;
	}
	if (find_group(text, "pids", &pids))
		u->processes = one_number(s, &pids, "pids.current");
	return u->has_cpu || u->memory >= 0;
}

static void put_usage(struct sample *m, const struct group *g, const struct usage *u)
{
	char used[16], limit[16];
	double rate = NAN;
	m->scope = g->path; /* another group has counters of its own */
	if (u->has_cpu)
		rate = sample_counter(m, "container.cpu.time", u->cpu, u->cpu_unit);
	if (u->has_throttled)
		sample_counter(m, "container.cpu.throttled.time", u->throttled, u->cpu_unit);
	if (u->memory >= 0)
		sample_int(m, "container.memory.usage", u->memory);
	if (u->memory_limit >= 0)
		sample_int(m, "container.memory.limit", u->memory_limit);
	if (u->processes >= 0)
		sample_int(m, "container.process.count", u->processes);
	m->scope = NULL;
	sample_say(m, "cgroup %.200s:", g->path[0] ? g->path : "/");
	if (u->memory >= 0)
		sample_say(m, " memory %s", human(used, (double)u->memory));
	if (u->memory >= 0 && u->memory_limit > 0)
		sample_say(m, " of %s", human(limit, (double)u->memory_limit));
	if (isfinite(rate))
		sample_say(m, "%s cpu %.1f %%", u->memory >= 0 ? "," : "", 100 * rate);
}

int collect_cgroup(struct state *s, struct sample *m)
{
	struct group g = {0};
	struct usage u;
	char *text = read_proc(s, "self/cgroup");
	if (!text)
		return -1;
	text = must(strdup(text));
	bool found = (find_group(text, "", &g) && read_version2(s, &g, &u)) ||
		     read_version1(s, text, &g, &u);
	free(text);
	if (!found)
		return sample_lacks(m,
				    "no control group with values found (%s; mount control groups "
				    "at %s/fs/cgroup, with the controllers cpu and memory)",
				    s->failed, s->sysfs);
	put_usage(m, &g, &u);
	return 0;
}
