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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int (*const collectors[N_COLLECTORS])(struct state *s, struct sample *m) = {
	[COLLECTOR_CPU] = collect_cpu,
	[COLLECTOR_MEMORY] = collect_memory,
	[COLLECTOR_LOAD] = collect_load,
	[COLLECTOR_DISK] = collect_disk,
	[COLLECTOR_FILESYSTEM] = collect_filesystem,
	[COLLECTOR_NETWORK] = collect_network,
	[COLLECTOR_PRESSURE] = collect_pressure,
	[COLLECTOR_PROCESSES] = collect_processes,
	[COLLECTOR_CGROUP] = collect_cgroup,
	[COLLECTOR_SELF] = collect_self,
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
	const char *name = collector_names[i];
	proc_begin(s);
	sample_begin(m, s, name);
	thresholds_begin(s, name);
	bool has_failed = collectors[i](s, m) < 0;
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

static void check_roots(struct state *s)
{
	check_root(s, "procfs", s->procfs);
	check_root(s, "sysfs", s->sysfs);
	check_root(s, "rootfs", s->rootfs);
}

static void tick(struct sluice_source *src, void *ctx)
{
	struct state *s = ctx;
	(void)src;
	int64_t began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	bool has_worked = false;
	history_expire(s->history, ++s->n_ticks);
	check_roots(s);
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

/* ---- life --------------------------------------------------------------------------------- */

static void metrics_close(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	history_free(s->history);
	thresholds_free(s->thresholds);
	troubles_forget(s);
	filesystem_free(s);
	sample_free(&s->sample);
	options_free(s);
	proc_free(s);
	free(s);
}

static int metrics_open(struct sluice_source *src, void **ret)
{
	struct state *s = must(calloc(1, sizeof(*s)));
	s->src = src;
	s->history = history_new();
	options_read(s);
	int r = thresholds_read(s);
	if (r) {
		metrics_close(src, s);
		return r;
	}
	check_roots(s);
	*ret = s;
	return 0;
}

static int metrics_run(struct sluice_source *src, void *state)
{
	struct state *s = state;
	thresholds_recall(s);
	tick(src, s);
	s->timer = src->host->timer(src, s->interval_ns, s->interval_ns, tick, s);
	return src->host->loop(src);
}

static int metrics_reload(struct sluice_source *src, void *state)
{
	struct state *s = state;
	options_read(s);
	int r = thresholds_read(s);
	if (r)
		return r;
	troubles_forget(s);
	src->host->cancel(src, s->timer);
	s->timer = src->host->timer(src, s->interval_ns, s->interval_ns, tick, s);
	return 0;
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,
	.name = "metrics",
	.version = "1",
	.summary = "how this machine is, at an interval",
	.options = metrics_options,
	.events = events,
	.open = metrics_open,
	.run = metrics_run,
	.reload = metrics_reload,
	.close = metrics_close,
};

SLUICE_PLUGIN(plugin)
