/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "metrics.h"

/* A file of a cgroup (version 2) that holds one number, or "max": -1. */
static int64_t one_number(struct state *s, const char *group, const char *file)
{
	char name[700];
	uint64_t v;
	snprintf(name, sizeof(name), "fs/cgroup%s/%s", group, file);
	const char *text = read_sys(s, name);
	return text && read_numbers(text, &v, 1) ? (int64_t)v : -1;
}

int collect_cgroup(struct state *s, struct sample *m)
{
	char group[512] = "", name[700];
	char *text = read_proc(s, "self/cgroup");
	char *v2 = text ? strstr(text, "0::/") : NULL;
	if (!v2)
		return -1;
	snprintf(group, sizeof(group), "%.*s", (int)strcspn(v2 + 3, "\n"), v2 + 3);
	if (strcmp(group, "/") == 0)
		group[0] = 0;
	int64_t usage = one_number(s, group, "memory.current");
	int64_t limit = one_number(s, group, "memory.max");
	snprintf(name, sizeof(name), "fs/cgroup%s/cpu.stat", group);
	text = read_sys(s, name);
	if (!text && usage < 0)
		return -1;
	if (text) {
		sample_counter(m, "container.cpu.time", find_number(text, "usage_usec", 0), 1e-6);
		sample_counter(m, "container.cpu.throttled.time",
			       find_number(text, "throttled_usec", 0), 1e-6);
	}
	if (usage >= 0)
		sample_int(m, "container.memory.usage", usage);
	if (limit >= 0)
		sample_int(m, "container.memory.limit", limit);
	int64_t pids = one_number(s, group, "pids.current");
	if (pids >= 0)
		sample_int(m, "container.process.count", pids);
	sample_say(m, "cgroup %s", group[0] ? group : "/");
	if (usage >= 0)
		sample_say(m, " has %.1f MiB", (double)usage / (1 << 20));
	return 0;
}

static bool put_process(struct state *s, struct sample *m, const char *what, pid_t pid)
{
	char name[64], id[16];
	uint64_t c[24] = {0}, pages[2] = {0};
	snprintf(name, sizeof(name), "%d/statm", (int)pid);
	const char *text = read_proc(s, name);
	if (!text || read_numbers(text, pages, 2) < 2)
		return false;
	snprintf(name, sizeof(name), "%d/stat", (int)pid);
	text = read_proc(s, name);
	const char *behind = text ? strrchr(text, ')') : NULL;
	if (!behind || strlen(behind) < 5)
		return false;
	/* From "ppid" on: utime is the 11th, stime the 12th, threads the 17th. */
	char clean[1024];
	size_t k = 0;
	for (const char *p = behind + 4; *p && k < sizeof(clean) - 1; p++)
		clean[k++] = *p == '-' ? '0' : *p;
	clean[k] = 0;
	read_numbers(clean, c, 24);
	double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
	snprintf(id, sizeof(id), "%d", (int)pid);
	sample_device(m, "process.title", what);
	sample_device_text(m, "process.pid", id);
	sample_counter(m, "process.cpu.time", c[10] + c[11], tick);
	sample_int(m, "process.memory.usage", (int64_t)pages[1] * sysconf(_SC_PAGESIZE));
	sample_int(m, "process.memory.virtual", (int64_t)pages[0] * sysconf(_SC_PAGESIZE));
	sample_int(m, "process.thread.count", (int64_t)c[16]);
	return true;
}

int collect_self(struct state *s, struct sample *m)
{
	bool any = put_process(s, m, "hub", getppid());
	any |= put_process(s, m, "metrics", getpid());
	sample_devices_end(m);
	sample_double(m, "sluice.metrics.tick.cpu_time", (double)s->spent_ns / (double)SEC);
	sample_say(m, "sluice itself; the last tick took %.2f ms of CPU",
		   (double)s->spent_ns / 1e6);
	return any ? 0 : -1;
}
