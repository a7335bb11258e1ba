/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

const char *const collector_names[] = {
	[COLLECTOR_CPU] = "cpu",
	[COLLECTOR_MEMORY] = "memory",
	[COLLECTOR_LOAD] = "load",
	[COLLECTOR_DISK] = "disk",
	[COLLECTOR_FILESYSTEM] = "filesystem",
	[COLLECTOR_NETWORK] = "network",
	[COLLECTOR_PRESSURE] = "pressure",
	[COLLECTOR_PROCESSES] = "processes",
	[COLLECTOR_CGROUP] = "cgroup",
	[COLLECTOR_SELF] = "self",
	[N_COLLECTORS] = NULL,
};

const struct sluice_option metrics_options[] = {
	{.name = "interval",
	 .type = SLUICE_DURATION,
	 .flags = SLUICE_RELOADABLE,
	 .fallback = "10s",
	 .min = 100 * 1000000LL,
	 .max = 86400 * SEC,
	 .doc = "time between measurements (ticks), aligned to the clock"},
	{.name = "collectors",
	 .type = SLUICE_ENUM,
	 .flags = SLUICE_LIST | SLUICE_RELOADABLE,
	 .choices = collector_names,
	 .doc = "which collectors are enabled; default: all that this machine has values for"},
	{.name = "per_cpu",
	 .type = SLUICE_BOOL,
	 .flags = SLUICE_RELOADABLE,
	 .fallback = "false",
	 .doc = "report each CPU by itself too",
	 .needs = "!collectors collectors=cpu"},
	{.name = "rates",
	 .type = SLUICE_BOOL,
	 .flags = SLUICE_RELOADABLE,
	 .fallback = "true",
	 .doc = "report for each counter also by how much it grew per second"},
	{.name = "disk.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of devices; default: all devices that have been used",
	 .needs = "!collectors collectors=disk"},
	{.name = "disk.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .fallback = "loop*",
	 .doc = "patterns of devices to leave out",
	 .needs = "!collectors collectors=disk"},
	{.name = "filesystem.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of mount points; default: all",
	 .needs = "!collectors collectors=filesystem"},
	{.name = "filesystem.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of mount points to leave out",
	 .needs = "!collectors collectors=filesystem"},
	{.name = "fstype.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of file system types; default: all except virtual ones such as proc",
	 .needs = "!collectors collectors=filesystem"},
	{.name = "fstype.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of file system types to leave out",
	 .needs = "!collectors collectors=filesystem"},
	{.name = "network.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of network interfaces; default: all",
	 .needs = "!collectors collectors=network"},
	{.name = "network.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of network interfaces to leave out",
	 .needs = "!collectors collectors=network"},
	{.name = "thresholds",
	 .type = SLUICE_MAP,
	 .flags = SLUICE_RELOADABLE,
	 .doc = "values that raise an alarm, and the level for each, such as "
		"{system.memory.utilization: above 90%}; see sluice-metrics(7)"},
	{.name = "timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "1s",
	 .min = 10 * 1000000LL,
	 .max = 60 * SEC,
	 .doc = "how long a tick waits for file systems that do not answer",
	 .needs = "!collectors collectors=filesystem"},
	{.name = "procfs",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ,
	 .fallback = "/proc",
	 .doc = "where procfs is mounted"},
	{.name = "sysfs",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ,
	 .fallback = "/sys",
	 .doc = "where sysfs is mounted"},
	{.name = "rootfs",
	 .type = SLUICE_PATH,
	 .doc = "where the host's root directory is mounted, if sluice runs in a container",
	 .needs = "!collectors collectors=filesystem"},
	{0},
};

/* Without slashes at its end. */
static void read_rootfs(struct sluice_source *src, struct state *s)
{
	const char *path = src->host->option(src, "rootfs", 0);
	size_t n = path ? strlen(path) : 0;
	while (n && path[n - 1] == '/')
		n--;
	free(s->rootfs);
	s->rootfs = n ? must(strndup(path, n)) : NULL;
}

void options_read(struct state *s)
{
	struct sluice_source *src = s->src;
	const struct sluice_host *h = src->host;
	const char *name;
	s->procfs = h->option(src, "procfs", 0);
	read_rootfs(src, s);
	s->sysfs = h->option(src, "sysfs", 0);
	s->interval_ns = h->number(src, "interval");
	s->timeout_ns = h->number(src, "timeout");
	s->per_cpu = h->number(src, "per_cpu");
	s->rates = h->number(src, "rates");
	s->is_chosen = h->option(src, "collectors", 0) != NULL;
	for (size_t k = 0; k < N_COLLECTORS; k++)
		s->wanted[k] = !s->is_chosen;
	for (size_t i = 0; (name = h->option(src, "collectors", i)); i++)
		for (size_t k = 0; k < N_COLLECTORS; k++)
			if (strcmp(collector_names[k], name) == 0)
				s->wanted[k] = true;
}

bool options_collect(const struct state *s, const char *collector)
{
	for (size_t k = 0; k < N_COLLECTORS; k++)
		if (strcmp(collector_names[k], collector) == 0)
			return s->wanted[k];
	return false;
}

bool has_option(const struct state *s, const char *name)
{
	return s->src->host->option(s->src, name, 0) != NULL;
}

void options_free(struct state *s)
{
	free(s->rootfs);
}
