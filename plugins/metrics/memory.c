/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

#define KIB 1024

static int64_t kib(const char *text, const char *name)
{
	return (int64_t)find_number(text, name, 0) * KIB;
}

int collect_memory(struct state *s, struct sample *m)
{
	const char *text = read_proc(s, "meminfo");
	int64_t total = text ? kib(text, "MemTotal") : 0;
	if (!total)
		return -1;
	int64_t mem_free = kib(text, "MemFree"), buffers = kib(text, "Buffers");
	int64_t cached = kib(text, "Cached") + kib(text, "SReclaimable");
	int64_t available = kib(text, "MemAvailable");
	int64_t used = total - mem_free - buffers - cached;
	int64_t swap = kib(text, "SwapTotal"), swap_free = kib(text, "SwapFree");
	sample_int(m, "system.memory.limit", total);
	sample_int(m, "system.memory.usage", used > 0 ? used : 0);
	sample_int(m, "system.memory.usage.free", mem_free);
	sample_int(m, "system.memory.usage.buffers", buffers);
	sample_int(m, "system.memory.usage.cached", cached);
	sample_int(m, "system.linux.memory.available", available);
	sample_double(m, "system.memory.utilization", (double)(total - available) / (double)total);
	sample_int(m, "system.paging.limit", swap);
	sample_int(m, "system.paging.usage", swap - swap_free);
	sample_double(m, "system.paging.utilization",
		      swap ? (double)(swap - swap_free) / (double)swap : 0);
	sample_say(m, "memory %.1f %% of %.1f GiB",
		   100 * (double)(total - available) / (double)total, (double)total / (1 << 30));
	text = read_proc(s, "vmstat");
	if (text) {
		sample_counter(m, "system.paging.faults.major", find_number(text, "pgmajfault", 0),
			       1);
		sample_counter(m, "system.paging.operations.in", find_number(text, "pswpin", 0), 1);
		sample_counter(m, "system.paging.operations.out", find_number(text, "pswpout", 0),
			       1);
		sample_counter(m, "system.memory.oom_kills", find_number(text, "oom_kill", 0), 1);
	}
	return 0;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0": shares in percent, and
 * microseconds.
 */
static bool put_pressure(struct sample *m, const char *line, const char *const names[4])
{
	double avg[3];
	unsigned long long total;
	const char *p = strchr(line, ' ');
	if (!p || sscanf(p, " avg10=%lf avg60=%lf avg300=%lf total=%llu", &avg[0], &avg[1], &avg[2],
			 &total) != 4)
		return false;
	for (int i = 0; i < 3; i++)
		sample_double(m, names[i], avg[i] / 100);
	sample_counter(m, names[3], total, 1e-6);
	return true;
}

#define PRESSURE_NAMES(what, kind)                                                                 \
	{                                                                                          \
		"system.linux.pressure." what "." kind ".10s",                                     \
			"system.linux.pressure." what "." kind ".60s",                             \
			"system.linux.pressure." what "." kind ".300s",                            \
			"system.linux.pressure." what "." kind ".time"                             \
	}

int collect_pressure(struct state *s, struct sample *m)
{
	static const struct {
		const char *file;
		const char *some[4], *full[4];
	} kinds[] = {
		{"pressure/cpu", PRESSURE_NAMES("cpu", "some"), PRESSURE_NAMES("cpu", "full")},
		{"pressure/memory", PRESSURE_NAMES("memory", "some"),
		 PRESSURE_NAMES("memory", "full")},
		{"pressure/io", PRESSURE_NAMES("io", "some"), PRESSURE_NAMES("io", "full")},
	};
	bool any = false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char *rest = read_proc(s, kinds[i].file), *line;
		while (rest && (line = next_line(&rest))) {
			double share = 0;
			bool is_some = strncmp(line, "some ", 5) == 0;
			sscanf(line, "some avg10=%lf", &share);
			any |= put_pressure(m, line, is_some ? kinds[i].some : kinds[i].full);
			if (is_some)
				sample_say(m, "%s%s %.1f %%", i ? ", " : "pressure of ",
					   strchr(kinds[i].file, '/') + 1, share);
		}
	}
	return any ? 0 : -1;
}
