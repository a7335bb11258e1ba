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
	 .doc = "from one tick to the next, by the clock"},
	{.name = "collectors",
	 .type = SLUICE_ENUM,
	 .flags = SLUICE_LIST | SLUICE_RELOADABLE,
	 .choices = names,
	 .doc = "what is collected; without it everything that this machine has"},
	{.name = "per_cpu",
	 .type = SLUICE_BOOL,
	 .flags = SLUICE_RELOADABLE,
	 .fallback = "false",
	 .doc = "each CPU by itself too"},
	{.name = "rates",
	 .type = SLUICE_BOOL,
	 .flags = SLUICE_RELOADABLE,
	 .fallback = "true",
	 .doc = "beside each counter what it grew by a second, over the time that really went by"},
	{.name = "disk.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "devices, as patterns; without it all that have been used"},
	{.name = "disk.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .fallback = "loop*",
	 .doc = "of these, devices to leave out"},
	{.name = "filesystem.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "mount points, as patterns; without it all"},
	{.name = "filesystem.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "of these, mount points to leave out"},
	{.name = "fstype.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "types of file systems, as patterns; without it all that are no inventions of the "
		"kernel"},
	{.name = "fstype.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "of these, types to leave out"},
	{.name = "network.include",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "interfaces, as patterns; without it all"},
	{.name = "network.exclude",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "of these, interfaces to leave out"},
	{.name = "thresholds",
	 .type = SLUICE_MAP,
	 .flags = SLUICE_RELOADABLE,
	 .doc = "names of values and what they must not exceed: an event when one does, and when "
		"it no "
		"longer does"},
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
	 .doc = "where procfs is"},
	{.name = "sysfs",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ,
	 .fallback = "/sys",
	 .doc = "where sysfs is"},
	{0},
};

static const struct sluice_field_type cpu_fields[] = {
	{"system.cpu.utilization", SLUICE_DOUBLE, "1", "share of time that all CPUs were busy"},
	{"system.cpu.utilization.MODE", SLUICE_DOUBLE, "1",
	 "by mode: user, nice, system, idle, iowait, irq, softirq, steal"},
	{"system.cpu.logical.count", SLUICE_INT, "{cpu}", "CPUs"},
	{"devices", SLUICE_JSON, NULL, "with per_cpu: each CPU's utilization"},
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
	{"system.paging.operations.in", SLUICE_INT, "{operation}", "counter; .out likewise"},
	{"system.memory.oom_kills", SLUICE_INT, "{kill}", "counter"},
	{0},
};
static const struct sluice_field_type load_fields[] = {
	{"system.cpu.load_average.1m", SLUICE_DOUBLE, "{thread}", ".5m and .15m likewise"},
	{0},
};
static const struct sluice_field_type disk_fields[] = {
	{"devices", SLUICE_JSON, NULL,
	 "system.device and its counters: system.disk.io, .operations, .merged, .operation_time "
	 "(each .read and .write), .io_time, .weighted_io_time; .pending_operations"},
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
	{0},
};
static const struct sluice_field_type pressure_fields[] = {
	{"system.linux.pressure.RESOURCE.KIND.10s", SLUICE_DOUBLE, "1",
	 "share of time that some or all (full) tasks waited for cpu, memory, io; .60s, .300s"},
	{"system.linux.pressure.RESOURCE.KIND.time", SLUICE_DOUBLE, "s", "counter"},
	{0},
};
static const struct sluice_field_type processes_fields[] = {
	{"system.process.count", SLUICE_INT, "{process}", "processes"},
	{"system.process.count.STATE", SLUICE_INT, "{process}",
	 "running, sleeping, blocked, zombie, stopped, idle"},
	{"system.process.created", SLUICE_INT, "{process}", "counter"},
	{0},
};
static const struct sluice_field_type cgroup_fields[] = {
	{"container.cpu.time", SLUICE_DOUBLE, "s", "counter; .cpu.throttled.time likewise"},
	{"container.memory.usage", SLUICE_INT, "By", "of the control group that sluice is in"},
	{"container.memory.limit", SLUICE_INT, "By", "if it has one"},
	{"container.process.count", SLUICE_INT, "{process}", "processes and threads"},
	{0},
};
static const struct sluice_field_type self_fields[] = {
	{"devices", SLUICE_JSON, NULL,
	 "process.title (hub, metrics), process.pid; process.cpu.time (s, counter), "
	 "process.memory.usage (By), process.thread.count"},
	{"sluice.metrics.tick.cpu_time", SLUICE_DOUBLE, "s", "what the last tick cost"},
	{0},
};
static const struct sluice_field_type threshold_fields[] = {
	{"name", SLUICE_STRING, NULL, "of the value"},
	{"value", SLUICE_DOUBLE, NULL, "what it is"},
	{"threshold", SLUICE_DOUBLE, NULL, "what it must not exceed"},
	{"exceeded", SLUICE_BOOL, NULL, "whether it does"},
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
	{"threshold", 1, threshold_fields, "a value has come above its threshold, or below"},
	{0},
};

/* ---- thresholds --------------------------------------------------------------------- */

static bool find_value(const struct sample *m, const char *name, double *ret)
{
	for (size_t i = 0; i < m->fields.n; i++) {
		const struct sluice_value *v = &m->fields.all[i];
		if (strcmp(v->name, name) != 0)
			continue;
		if (v->type != SLUICE_INT && v->type != SLUICE_DOUBLE)
			return false;
		*ret = v->type == SLUICE_INT ? (double)v->integer : v->number;
		return true;
	}
	return false;
}

/* The largest value of that name among the devices. */
static bool find_largest(const struct sample *m, const char *name, double *ret)
{
	char quoted[200];
	bool any = false;
	snprintf(quoted, sizeof(quoted), ",\"%s\":", name);
	const char *p = m->devices_len ? m->devices : "";
	while ((p = strstr(p, quoted))) {
		char *end;
		p += strlen(quoted);
		double v = strtod(p, &end);
		if (end != p && (!any || v > *ret)) {
			*ret = v;
			any = true;
		}
	}
	return any;
}

static int emit_threshold(struct state *s, const char *name, double value, double threshold,
			  bool exceeded)
{
	char message[256];
	const struct sluice_value fields[] = {
		{.name = "name", .type = SLUICE_STRING, .string = name, .string_len = strlen(name)},
		{.name = "value", .type = SLUICE_DOUBLE, .number = value},
		{.name = "threshold", .type = SLUICE_DOUBLE, .number = threshold},
		{.name = "exceeded", .type = SLUICE_BOOL, .integer = exceeded},
	};
	snprintf(message, sizeof(message), "%s is %g, %s its threshold of %g", name, value,
		 exceeded ? "above" : "no longer above", threshold);
	struct sluice_event ev = {
		.type = "threshold",
		.severity = exceeded ? 4 : 5,
		.body = message,
		.body_len = strlen(message),
		.fields = fields,
		.n_fields = 4,
	};
	return s->src->host->emit(s->src, &ev);
}

static void check_thresholds(struct state *s, struct sample *m)
{
	const char *text;
	for (size_t i = 0; (text = s->src->host->option(s->src, "thresholds", i)); i++) {
		char name[160];
		double value = 0, threshold = strtod(strchr(text, '=') + 1, NULL);
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "="), text);
		if (!find_value(m, name, &value) && !find_largest(m, name, &value))
			continue;
		bool exceeded = value > threshold;
		if (i < 64 && s->is_exceeded[i] != exceeded) {
			s->is_exceeded[i] = exceeded;
			int ignored = emit_threshold(s, name, value, threshold, exceeded);
			(void)ignored;
		}
	}
}

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
	check_thresholds(s, m);
}

static void report(struct state *s)
{
	const struct sluice_host *h = s->src->host;
	h->counter(s->src, "ticks", s->n_ticks);
	h->counter(s->src, "events", s->n_events);
	h->counter(s->src, "skipped", s->n_skipped);
	h->counter(s->src, "failed", s->n_failed);
	h->counter(s->src, "tick_cpu_us", (uint64_t)(s->spent_ns / 1000));
}

static void tick(struct sluice_source *src, void *ctx)
{
	struct state *s = ctx;
	(void)src;
	int64_t began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	history_expire(s->history, ++s->n_ticks);
	for (size_t i = 0; i < N_COLLECTORS; i++) {
		if (!s->wanted[i])
			continue;
		sample_begin(&s->sample, s, collectors[i].name);
		if (collectors[i].collect(s, &s->sample))
			s->n_failed++;
		else
			emit(s, &s->sample);
	}
	s->spent_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began;
	report(s);
}

/* ---- options and life --------------------------------------------------------------------- */

static void read_options(struct sluice_source *src, struct state *s)
{
	const struct sluice_host *h = src->host;
	const char *name;
	s->procfs = h->option(src, "procfs", 0);
	s->sysfs = h->option(src, "sysfs", 0);
	s->interval_ns = h->number(src, "interval");
	s->timeout_ns = h->number(src, "timeout");
	s->per_cpu = h->number(src, "per_cpu");
	s->rates = h->number(src, "rates");
	bool all = !h->option(src, "collectors", 0);
	for (size_t k = 0; k < N_COLLECTORS; k++)
		s->wanted[k] = all;
	for (size_t i = 0; (name = h->option(src, "collectors", i)); i++)
		for (size_t k = 0; k < N_COLLECTORS; k++)
			if (strcmp(collectors[k].name, name) == 0)
				s->wanted[k] = true;
}

static int check_options(struct sluice_source *src)
{
	const char *text;
	for (size_t i = 0; (text = src->host->option(src, "thresholds", i)); i++) {
		const char *value = strchr(text, '=') + 1;
		char *end;
		strtod(value, &end);
		if (end == value || *end)
			return src->host->refuse(src, "thresholds",
						 "write names and numbers, such as "
						 "{system.memory.utilization: 0.9}");
	}
	return 0;
}

static void metrics_close(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	history_free(s->history);
	filesystems_free(s->filesystems);
	sample_free(&s->sample);
	free(s->text);
	free(s);
}

static int metrics_open(struct sluice_source *src, void **ret)
{
	int r = check_options(src);
	if (r)
		return r;
	struct state *s = must(calloc(1, sizeof(*s)));
	s->src = src;
	s->history = history_new();
	s->filesystems = filesystems_new();
	read_options(src, s);
	*ret = s;
	return 0;
}

static int metrics_run(struct sluice_source *src, void *state)
{
	struct state *s = state;
	tick(src, s);
	s->timer = src->host->timer(src, s->interval_ns, s->interval_ns, tick, s);
	return src->host->loop(src);
}

static int metrics_reload(struct sluice_source *src, void *state)
{
	struct state *s = state;
	if (check_options(src))
		return -EINVAL;
	read_options(src, s);
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
