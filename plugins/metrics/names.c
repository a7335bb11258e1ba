/* SPDX-License-Identifier: MIT
 *
 * The values that there are, so that a threshold for one that there is not is refused.
 */
#include <stdio.h>
#include <string.h>

#include "common/nearest.h"
#include "metrics.h"

#define OF_CPU(mode)                                                                               \
	{                                                                                          \
		"cpu", "system.cpu.utilization." mode, 0                                           \
	}
#define OF_DISK(name)                                                                              \
	{                                                                                          \
		"disk", "system.disk." name, VALUE_OF_DEVICES | VALUE_COUNTER                      \
	}
#define OF_NET(name)                                                                               \
	{                                                                                          \
		"network", "system.network." name, VALUE_OF_DEVICES | VALUE_COUNTER                \
	}
#define OF_FS(name)                                                                                \
	{                                                                                          \
		"filesystem", "system.filesystem." name, VALUE_OF_DEVICES                          \
	}
#define OF_STATE(x)                                                                                \
	{                                                                                          \
		"processes", "system.process.count." x, 0                                          \
	}
#define OF_PRESSURE(what)                                                                          \
	{"pressure", "system.linux.pressure." what ".10s", 0},                                     \
		{"pressure", "system.linux.pressure." what ".60s", 0},                             \
		{"pressure", "system.linux.pressure." what ".300s", 0},                            \
	{                                                                                          \
		"pressure", "system.linux.pressure." what ".time", VALUE_COUNTER                   \
	}

static const struct value_name all[] = {
	{"cpu", "system.cpu.utilization", VALUE_OF_MACHINE | VALUE_OF_DEVICES},
	OF_CPU("user"),
	OF_CPU("nice"),
	OF_CPU("system"),
	OF_CPU("idle"),
	OF_CPU("iowait"),
	OF_CPU("irq"),
	OF_CPU("softirq"),
	OF_CPU("steal"),
	{"cpu", "system.cpu.logical.count", 0},
	{"memory", "system.memory.limit", 0},
	{"memory", "system.memory.usage", 0},
	{"memory", "system.memory.usage.free", 0},
	{"memory", "system.memory.usage.buffers", 0},
	{"memory", "system.memory.usage.cached", 0},
	{"memory", "system.linux.memory.available", 0},
	{"memory", "system.memory.utilization", 0},
	{"memory", "system.paging.limit", 0},
	{"memory", "system.paging.usage", 0},
	{"memory", "system.paging.utilization", 0},
	{"memory", "system.paging.faults.major", VALUE_COUNTER},
	{"memory", "system.paging.operations.in", VALUE_COUNTER},
	{"memory", "system.paging.operations.out", VALUE_COUNTER},
	{"memory", "system.memory.oom_kills", VALUE_COUNTER},
	{"load", "system.cpu.load_average.1m", 0},
	{"load", "system.cpu.load_average.5m", 0},
	{"load", "system.cpu.load_average.15m", 0},
	OF_DISK("io.read"),
	OF_DISK("io.write"),
	OF_DISK("operations.read"),
	OF_DISK("operations.write"),
	OF_DISK("merged.read"),
	OF_DISK("merged.write"),
	OF_DISK("operation_time.read"),
	OF_DISK("operation_time.write"),
	OF_DISK("io_time"),
	OF_DISK("weighted_io_time"),
	{"disk", "system.disk.pending_operations", VALUE_OF_DEVICES},
	OF_FS("limit"),
	OF_FS("usage"),
	OF_FS("usage.free"),
	OF_FS("utilization"),
	OF_FS("inodes.limit"),
	OF_FS("inodes.usage"),
	{"filesystem", "system.filesystem.hung", 0},
	OF_NET("io.receive"),
	OF_NET("io.transmit"),
	OF_NET("packets.receive"),
	OF_NET("packets.transmit"),
	OF_NET("errors.receive"),
	OF_NET("errors.transmit"),
	OF_NET("dropped.receive"),
	OF_NET("dropped.transmit"),
	OF_PRESSURE("cpu.some"),
	OF_PRESSURE("cpu.full"),
	OF_PRESSURE("memory.some"),
	OF_PRESSURE("memory.full"),
	OF_PRESSURE("io.some"),
	OF_PRESSURE("io.full"),
	{"processes", "system.process.count", 0},
	OF_STATE("running"),
	OF_STATE("sleeping"),
	OF_STATE("blocked"),
	OF_STATE("zombie"),
	OF_STATE("stopped"),
	OF_STATE("idle"),
	{"processes", "system.process.created", VALUE_COUNTER},
	{"cgroup", "container.cpu.time", VALUE_COUNTER},
	{"cgroup", "container.cpu.throttled.time", VALUE_COUNTER},
	{"cgroup", "container.memory.usage", 0},
	{"cgroup", "container.memory.limit", 0},
	{"cgroup", "container.process.count", 0},
	{"self", "process.cpu.time", VALUE_OF_DEVICES | VALUE_COUNTER},
	{"self", "process.memory.usage", VALUE_OF_DEVICES},
	{"self", "process.memory.virtual", VALUE_OF_DEVICES},
	{"self", "process.thread.count", VALUE_OF_DEVICES},
	{"self", "sluice.metrics.tick.cpu_time", 0},
};

enum { N_NAMES = sizeof(all) / sizeof(all[0]) };

/* Whether `name` ends in ".rate"; the length of what stands before it. */
static bool ends_in_rate(const char *name, size_t *n)
{
	static const char rate[] = ".rate";
	*n = strlen(name);
	if (*n <= strlen(rate) || strcmp(name + *n - strlen(rate), rate) != 0)
		return false;
	*n -= strlen(rate);
	return true;
}

const struct value_name *value_name_find(const char *name, bool *rate)
{
	size_t n;
	*rate = ends_in_rate(name, &n);
	for (size_t i = 0; i < N_NAMES; i++)
		if (strlen(all[i].name) == n && strncmp(all[i].name, name, n) == 0)
			return *rate && !(all[i].flags & VALUE_COUNTER) ? NULL : &all[i];
	return NULL;
}

enum value_scale value_scale(const struct value_name *v, bool is_rate)
{
	bool is_counter = v->flags & VALUE_COUNTER;
	bool is_pressure = strcmp(v->collector, "pressure") == 0;
	if (strstr(v->name, ".utilization") || (is_pressure && !is_counter) ||
	    (is_rate && strcmp(v->name, "system.disk.io_time") == 0))
		return VALUE_SHARE;
	/* Seconds in each second, of several at once. */
	if ((is_rate && strstr(v->name, "time")) || strstr(v->name, "load_average"))
		return VALUE_RATIO;
	return VALUE_AMOUNT;
}

bool value_name_nearest(const char *name, char *ret, size_t size)
{
	size_t best = strlen(name) / 2 + 1;
	bool any = false;
	for (size_t i = 0; i < 2 * N_NAMES; i++) {
		const struct value_name *v = &all[i / 2];
		char full[VALUE_NAME_MAX];
		if (i % 2 && !(v->flags & VALUE_COUNTER))
			continue;
		snprintf(full, sizeof(full), "%s%s", v->name, i % 2 ? ".rate" : "");
		/* Of a group of values, such as system.disk.io, the first. */
		bool is_group = strncmp(full, name, strlen(name)) == 0 && full[strlen(name)] == '.';
		size_t d = is_group ? 0 : edit_distance(name, full);
		if (d >= best)
			continue;
		best = d;
		any = true;
		snprintf(ret, size, "%s", full);
	}
	return any;
}
