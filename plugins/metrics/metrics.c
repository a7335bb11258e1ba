/* SPDX-License-Identifier: MIT
 *
 * metrics - how this machine is: one event for each collector and tick, with
 * all its devices inside, so that what belongs together was read together.
 *
 * Names and units are those of OpenTelemetry's semantic conventions where they
 * have one; an attribute such as the CPU's mode is the last part of the name.
 */
#include "metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const struct collector {
	const char *name;
	int (*collect)(struct state *s, struct sample *m);
} collectors[] = {
	{"cpu", collect_cpu},
	{"memory", collect_memory},
	{"load", collect_load},
	{"disk", collect_disk},
	{"filesystem", collect_filesystem},
	{"network", collect_network},
	{"pressure", collect_pressure},
	{"processes", collect_processes},
	{"cgroup", collect_cgroup},
	{"self", collect_self},
};

enum { N_COLLECTORS = sizeof(collectors) / sizeof(collectors[0]) };

static const char *const names[] = {"cpu",        "memory",  "load",     "disk",
				    "filesystem", "network", "pressure", "processes",
				    "cgroup",     "self",    NULL};

static const struct sluice_option options[] = {
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
	 .choices = names,
	 .doc = "which collectors are enabled; default: all that this machine has values for"},
	{.name = "per_cpu",
	 .type = SLUICE_BOOL,
	 .flags = SLUICE_RELOADABLE,
	 .fallback = "false",
	 .doc = "report each CPU by itself too"},
	{.name = "rates",
	 .type = SLUICE_BOOL,
	 .flags = SLUICE_RELOADABLE,
	 .fallback = "true",
	 .doc = "report for each counter also by how much it grew per second"},
	{.name = "disk.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of devices; default: all devices that have been used"},
	{.name = "disk.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .fallback = "loop*",
	 .doc = "patterns of devices to leave out"},
	{.name = "filesystem.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of mount points; default: all"},
	{.name = "filesystem.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of mount points to leave out"},
	{.name = "fstype.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of file system types; default: all except virtual ones such as proc"},
	{.name = "fstype.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of file system types to leave out"},
	{.name = "network.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of network interfaces; default: all"},
	{.name = "network.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns of network interfaces to leave out"},
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
	 .doc = "how long a tick waits for file systems that do not answer"},
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
	 .doc = "where the host's root directory is mounted, if sluice runs in a container"},
	{0},
};

/* Of events with counters. */
#define OF_COUNTERS                                                                                \
	{"NAME.rate", SLUICE_DOUBLE, NULL, "with rates: by how much a counter grew per second"},   \
	{                                                                                          \
		"reset", SLUICE_BOOL, NULL, "true: a counter went back, so its rate is null"       \
	}

static const struct sluice_field_type cpu_fields[] = {
	{"system.cpu.utilization", SLUICE_DOUBLE, "1", "share of time that all CPUs were busy"},
	{"system.cpu.utilization.MODE", SLUICE_DOUBLE, "1",
	 "by mode: user, nice, system, idle, iowait, irq, softirq, steal"},
	{"system.cpu.logical.count", SLUICE_INT, "{cpu}", "CPUs"},
	{"devices", SLUICE_JSON, NULL, "with per_cpu: each CPU's utilization"},
	{"reset", SLUICE_BOOL, NULL, "true: a counter went back, so all shares are null"},
	{0},
};
static const struct sluice_field_type memory_fields[] = {
	{"system.memory.limit", SLUICE_INT, "By", "what the machine has"},
	{"system.memory.usage", SLUICE_INT, "By", "used by programs and the kernel"},
	{"system.memory.usage.STATE", SLUICE_INT, "By", "free, buffers, cached"},
	{"system.linux.memory.available", SLUICE_INT, "By", "what programs could still get"},
	{"system.memory.utilization", SLUICE_DOUBLE, "1", "share that is not available"},
	{"system.paging.limit", SLUICE_INT, "By", "swap"},
	{"system.paging.usage", SLUICE_INT, "By", "swap in use"},
	{"system.paging.utilization", SLUICE_DOUBLE, "1", "share of it"},
	{"system.paging.faults.major", SLUICE_INT, "{fault}", "counter"},
	{"system.paging.operations.in", SLUICE_INT, "{operation}", "counter"},
	{"system.paging.operations.out", SLUICE_INT, "{operation}", "counter"},
	{"system.memory.oom_kills", SLUICE_INT, "{kill}", "counter"},
	OF_COUNTERS,
	{0},
};
static const struct sluice_field_type load_fields[] = {
	{"system.cpu.load_average.SPAN", SLUICE_DOUBLE, "{thread}",
	 "load average over SPAN: 1m, 5m or 15m"},
	{0},
};
static const struct sluice_field_type disk_fields[] = {
	{"devices", SLUICE_JSON, NULL,
	 "system.device and its counters: system.disk.io, .operations, .merged, .operation_time "
	 "(each .read and .write), .io_time, .weighted_io_time; .pending_operations"},
	{"reset", SLUICE_BOOL, NULL, "true: a counter went back, so its rate is null"},
	{0},
};
static const struct sluice_field_type filesystem_fields[] = {
	{"devices", SLUICE_JSON, NULL,
	 "system.filesystem.mountpoint, system.device, system.filesystem.type; .limit, .usage, "
	 ".usage.free (By), .utilization, .inodes.limit, .inodes.usage; or error"},
	{"system.filesystem.hung", SLUICE_INT, "{filesystem}", "those that do not answer"},
	{0},
};
static const struct sluice_field_type network_fields[] = {
	{"devices", SLUICE_JSON, NULL,
	 "network.interface.name and its counters: system.network.io, .packets, .errors, .dropped, "
	 "each .receive and .transmit"},
	{"reset", SLUICE_BOOL, NULL, "true: a counter went back, so its rate is null"},
	{0},
};
static const struct sluice_field_type pressure_fields[] = {
	{"system.linux.pressure.RESOURCE.KIND.SPAN", SLUICE_DOUBLE, "1",
	 "share of time that some or all (full) tasks waited for cpu, memory, io; of 10s, 60s, "
	 "300s"},
	{"system.linux.pressure.RESOURCE.KIND.time", SLUICE_DOUBLE, "s", "counter"},
	OF_COUNTERS,
	{0},
};
static const struct sluice_field_type processes_fields[] = {
	{"system.process.count", SLUICE_INT, "{process}", "processes"},
	{"system.process.count.STATE", SLUICE_INT, "{process}",
	 "running, sleeping, blocked, zombie, stopped, idle"},
	{"system.process.created", SLUICE_INT, "{process}", "counter"},
	OF_COUNTERS,
	{0},
};
static const struct sluice_field_type cgroup_fields[] = {
	{"container.cpu.time", SLUICE_DOUBLE, "s", "counter"},
	{"container.cpu.throttled.time", SLUICE_DOUBLE, "s", "counter"},
	{"container.memory.usage", SLUICE_INT, "By", "of the control group that sluice is in"},
	{"container.memory.limit", SLUICE_INT, "By", "if it has one"},
	{"container.process.count", SLUICE_INT, "{process}", "processes and threads"},
	OF_COUNTERS,
	{0},
};
static const struct sluice_field_type self_fields[] = {
	{"devices", SLUICE_JSON, NULL,
	 "process.title (hub, metrics), process.pid; process.cpu.time (s, counter), "
	 "process.memory.usage (By), process.thread.count"},
	{"sluice.metrics.tick.cpu_time", SLUICE_DOUBLE, "s", "what the last tick cost"},
	OF_COUNTERS,
	{0},
};
static const struct sluice_field_type threshold_fields[] = {
	{"name", SLUICE_STRING, NULL, "name of the value"},
	{"device", SLUICE_STRING, NULL,
	 "device that the value belongs to; missing for values of the whole machine"},
	{"direction", SLUICE_STRING, NULL, "above or below"},
	{"value", SLUICE_DOUBLE, NULL, "current value; null if the device no longer exists"},
	{"threshold", SLUICE_DOUBLE, NULL, "configured level"},
	{"exceeded", SLUICE_BOOL, NULL, "true: the alarm begins; false: it ends"},
	{0},
};

static const struct sluice_event_type events[] = {
	{"cpu", 1, cpu_fields, "CPU time, as shares since the last tick"},
	{"memory", 1, memory_fields, "memory and swap"},
	{"load", 1, load_fields, "load averages"},
	{"disk", 1, disk_fields, "block devices"},
	{"filesystem", 1, filesystem_fields, "mounted file systems"},
	{"network", 1, network_fields, "network interfaces"},
	{"pressure", 1, pressure_fields, "pressure stall information"},
	{"processes", 1, processes_fields, "processes by their states"},
	{"cgroup", 1, cgroup_fields, "the control group of sluice"},
	{"self", 1, self_fields, "what sluice itself uses"},
	{"threshold", 1, threshold_fields, "an alarm begins or ends"},
	{0},
};

/* ---- ticks ----------------------------------------------------------------------------- */

static void emit(struct state *s, struct sample *m)
{
	if (m->was_reset)
		fields_bool(&m->fields, "reset", true);
	struct sluice_event ev = {
		.type = m->collector,
		.severity = SLUICE_NO_SEVERITY,
		.flags = SLUICE_NOWAIT,
		.body = m->summary,
		.body_len = strlen(m->summary),
		.fields = m->fields.all,
		.n_fields = m->fields.n,
	};
	/* While the hub is behind the newest figures are the ones that matter. */
	if (s->src->host->emit(s->src, &ev) == -EAGAIN)
		s->n_skipped++;
	else
		s->n_events++;
	thresholds_emit(s, m->collector);
	thresholds_complain(s, m->collector);
}

static void report(struct state *s)
{
	const struct sluice_host *h = s->src->host;
	h->counter(s->src, "ticks", s->n_ticks);
	h->counter(s->src, "events", s->n_events);
	h->counter(s->src, "skipped", s->n_skipped);
	h->counter(s->src, "failed", s->n_failed);
	h->counter(s->src, "problems", s->n_troubles);
	h->counter(s->src, "tick_cpu_us", (uint64_t)(s->spent_ns / 1000));
}

/* What was never there is a trouble only to those who ask for it. */
static void collect(struct state *s, size_t i)
{
	struct sample *m = &s->sample;
	const char *name = collectors[i].name;
	s->failed[0] = 0;
	sample_begin(m, s, name);
	thresholds_begin(s, name);
	bool has_failed = collectors[i].collect(s, m) < 0;
	s->n_failed += has_failed;
	s->has_worked[i] |= !has_failed;
	if (s->is_chosen || s->has_worked[i])
		trouble(s, !has_failed, "collectors", name, "%s has no values: %s", name,
			m->why[0] ? m->why : s->failed);
	if (!has_failed)
		emit(s, m);
}

static void check_root(struct state *s, const char *option, const char *path)
{
	struct stat st;
	trouble(s, !path || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)), option, path,
		"there is no directory %s (mount it into this container, or correct the path)",
		path);
}

static void tick(struct sluice_source *src, void *ctx)
{
	struct state *s = ctx;
	(void)src;
	int64_t began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	bool has_worked = false;
	history_expire(s->history, ++s->n_ticks);
	check_root(s, "procfs", s->procfs);
	check_root(s, "sysfs", s->sysfs);
	check_root(s, "rootfs", s->rootfs);
	for (size_t i = 0; i < N_COLLECTORS; i++) {
		if (s->wanted[i])
			collect(s, i);
		has_worked |= s->has_worked[i];
	}
	trouble(s, s->is_chosen || has_worked, "collectors", "all", "nothing can be collected: %s",
		s->sample.why[0] ? s->sample.why : s->failed);
	s->spent_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began;
	report(s);
}

/* ---- options and life --------------------------------------------------------------------- */

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

static void read_options(struct sluice_source *src, struct state *s)
{
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
			if (strcmp(collectors[k].name, name) == 0)
				s->wanted[k] = true;
}

bool metrics_collects(const struct state *s, const char *collector)
{
	for (size_t k = 0; k < N_COLLECTORS; k++)
		if (strcmp(collectors[k].name, collector) == 0)
			return s->wanted[k];
	return false;
}

static void metrics_close(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	history_free(s->history);
	thresholds_free(s->thresholds);
	troubles_free(s->troubles);
	filesystems_free(s->filesystems);
	sample_free(&s->sample);
	free(s->rootfs);
	free(s->text);
	free(s);
}

static int metrics_open(struct sluice_source *src, void **ret)
{
	struct state *s = must(calloc(1, sizeof(*s)));
	s->src = src;
	s->history = history_new();
	s->filesystems = filesystems_new();
	read_options(src, s);
	int r = thresholds_read(s);
	if (r)
		metrics_close(src, s);
	else
		*ret = s;
	return r;
}

/* Options of collectors that are not enabled. */
static void complain(struct state *s)
{
	static const struct {
		const char *option, *collector;
	} uses[] = {
		{"disk.include", "disk"},
		{"filesystem.include", "filesystem"},
		{"filesystem.exclude", "filesystem"},
		{"fstype.include", "filesystem"},
		{"fstype.exclude", "filesystem"},
		{"network.include", "network"},
		{"network.exclude", "network"},
	};
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		trouble(s, !has_option(s, uses[i].option) || metrics_collects(s, uses[i].collector),
			uses[i].option, "unused",
			"has no effect, because the collector %s is not enabled (add it to "
			"collectors)",
			uses[i].collector);
	trouble(s, !s->per_cpu || metrics_collects(s, "cpu"), "per_cpu", "unused",
		"has no effect, because the collector cpu is not enabled (add it to collectors)");
}

static int metrics_run(struct sluice_source *src, void *state)
{
	struct state *s = state;
	thresholds_recall(s);
	complain(s);
	tick(src, s);
	s->timer = src->host->timer(src, s->interval_ns, s->interval_ns, tick, s);
	return src->host->loop(src);
}

static int metrics_reload(struct sluice_source *src, void *state)
{
	struct state *s = state;
	read_options(src, s);
	int r = thresholds_read(s);
	if (r)
		return r;
	troubles_free(s->troubles);
	s->troubles = NULL;
	s->n_troubles = 0;
	complain(s);
	src->host->cancel(src, s->timer);
	s->timer = src->host->timer(src, s->interval_ns, s->interval_ns, tick, s);
	return 0;
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,       .name = "metrics",
	.version = "1",           .summary = "how this machine is, at an interval",
	.options = options,       .events = events,
	.open = metrics_open,     .run = metrics_run,
	.reload = metrics_reload, .close = metrics_close,
};

SLUICE_PLUGIN(plugin)
