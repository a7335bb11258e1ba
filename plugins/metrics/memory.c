/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

#define KIB 1024

static int64_t kib(const char *text, const char *name)
{
	uint64_t v;
	return find_number(text, name, &v) && v < INT64_MAX / KIB ? (int64_t)v * KIB : 0;
}

static double share_of(int64_t part, int64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0;
}

static int64_t within(int64_t v, int64_t max)
{
	return v < 0 ? 0 : v > max ? max : v;
}

static void put_counters(struct state *s, struct sample *m)
{
	static const struct {
		const char *in_file, *name;
	} counters[] = {
		{"pgmajfault", "system.paging.faults.major"},
		{"pswpin", "system.paging.operations.in"},
		{"pswpout", "system.paging.operations.out"},
		{"oom_kill", "system.memory.oom_kills"},
	};
	uint64_t v;
	const char *text = read_proc(s, "vmstat");
	for (size_t i = 0; text && i < sizeof(counters) / sizeof(counters[0]); i++)
		if (find_number(text, counters[i].in_file, &v))
			sample_counter(m, counters[i].name, v, 1);
}

int collect_memory(struct state *s, struct sample *m)
{
	const char *text = read_proc(s, "meminfo");
	char size[16];
	if (!text)
		return -1;
	int64_t total = kib(text, "MemTotal");
	if (!total)
		return sample_lacks(m, "%s/meminfo has no MemTotal", s->procfs);
	int64_t mem_free = kib(text, "MemFree"), buffers = kib(text, "Buffers");
	int64_t cached = kib(text, "Cached") + kib(text, "SReclaimable");
	uint64_t ignored;
	/* Kernels before 3.14 do not say what is available; free(1) took this for it. */
	int64_t available = find_number(text, "MemAvailable", &ignored)
				    ? kib(text, "MemAvailable")
				    : mem_free + buffers + cached;
	int64_t swap = kib(text, "SwapTotal");
	int64_t swapped = within(swap - kib(text, "SwapFree"), swap);
	/* In containers (LXCFS) the figures need not add up. */
	available = within(available, total);
	double used = share_of(total - available, total);
	sample_int(m, "system.memory.limit", total);
	sample_int(m, "system.memory.usage", within(total - mem_free - buffers - cached, total));
	sample_int(m, "system.memory.usage.free", mem_free);
	sample_int(m, "system.memory.usage.buffers", buffers);
	sample_int(m, "system.memory.usage.cached", cached);
	sample_int(m, "system.linux.memory.available", available);
	sample_double(m, "system.memory.utilization", used);
	sample_int(m, "system.paging.limit", swap);
	sample_int(m, "system.paging.usage", swapped);
	sample_double(m, "system.paging.utilization", share_of(swapped, swap));
	sample_say(m, "memory %.1f %% of %s", 100 * used, human(size, (double)total));
	if (swap)
		sample_say(m, ", swap %.1f %% of %s", 100 * share_of(swapped, swap),
			   human(size, (double)swap));
	put_counters(s, m);
	return 0;
}
