/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "metrics.h"

static bool put_process(struct state *s, struct sample *m, const char *what, pid_t pid)
{
	char name[64], id[16], size[16];
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
	sample_highlight(m, 0, "%s %s", what,
			 human(size, (double)pages[1] * (double)sysconf(_SC_PAGESIZE)));
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
	sample_say_highlights(m);
	sample_say(m, "; the last tick took %.2f ms of CPU", (double)s->spent_ns / 1e6);
	return any ? 0 : -1;
}
