/* SPDX-License-Identifier: MIT
 *
 * metrics - what the parts of the metrics plugin share.
 *
 *	metrics.c     the plugin: its events and ticks
 *	cpu.c         cpu, load
 *	memory.c      memory
 *	pressure.c    pressure
 *	processes.c   processes
 *	disk.c        disk
 *	filesystem.c  filesystem
 *	network.c     network
 *	cgroup.c      cgroup
 *	self.c        self
 *	mounts.c      which file systems are mounted
 *	sizes.c       their sizes, of which some may hang
 *	sample.c      one event being put together: values, devices, rates
 *	thresholds.c  alarms: values that are beyond what the configuration allows
 *	trouble.c     what is configured and not there
 *	limits.c      the option thresholds
 *	devices.c     the names of devices, and which are wanted
 *	history.c     what counters had at the last tick
 *	names.c       the names of all values
 *	proc.c        files of procfs and sysfs as numbers
 *	options.c     the other options
 *
 * Each file calls only those below it here; a collector also not another one.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/basics.h"
#include "common/fields.h"
#include "sluice-plugin.h"

enum { VALUE_NAME_MAX = 80, HIGHLIGHTS = 6 };

enum collector {
	COLLECTOR_CPU,
	COLLECTOR_MEMORY,
	COLLECTOR_LOAD,
	COLLECTOR_DISK,
	COLLECTOR_FILESYSTEM,
	COLLECTOR_NETWORK,
	COLLECTOR_PRESSURE,
	COLLECTOR_PROCESSES,
	COLLECTOR_CGROUP,
	COLLECTOR_SELF,
	N_COLLECTORS
};

struct state;
struct history;
struct thresholds;
struct trouble;
struct sizes;

/* What is worth saying of one device. */
struct highlight {
	double weight; /* the heaviest come first */
	char text[160];
};

/* Names of devices that a collector has met. */
struct devices {
	char *names; /* owned: of those in the event, each ended by a NUL */
	size_t len, room;
	char others[400]; /* names that were there to choose from, for a message */
};

/* One collector's event of one tick. */
struct sample {
	struct state *s;
	const char *collector;
	struct fields fields;
	struct devices devices;
	int64_t now_ns;     /* CLOCK_MONOTONIC, when its figures were read */
	bool was_reset;     /* a counter has gone back */
	char summary[1200]; /* for people */
	struct highlight highlights[HIGHLIGHTS];
	size_t n_highlights; /* also those that had no room */
	char why[400];       /* of a collector that got nothing */
	/* The devices, as a JSON array being written; empty while there are none. */
	char *json;
	size_t json_len, json_room;
	const char *device; /* the one that is being written; NULL: none */
	const char *scope;  /* figures of another one are not compared with these; NULL: none */
};

/* Each part is written by the file that is named, and may be read by all.  A collector changes
 * nothing here, and its sample only by the functions of sample.c.
 */
struct state {
	struct sluice_source *src;

	/* ---- options.c ---- */
	const char *procfs, *sysfs;
	char *rootfs; /* owned; NULL: / */
	int64_t interval_ns, timeout_ns;
	bool per_cpu, rates;
	bool is_chosen;            /* the configuration says which collectors */
	bool wanted[N_COLLECTORS]; /* by enum collector */

	/* ---- metrics.c ---- */
	bool has_worked[N_COLLECTORS];
	int timer;
	uint64_t n_ticks, n_events, n_skipped, n_failed;
	int64_t spent_ns; /* CPU time of the last tick */
	struct history *history;

	/* ---- sample.c ---- */
	struct sample sample; /* its devices.others: devices.c; its fields: thresholds.c too */

	/* ---- thresholds.c ---- */
	struct thresholds *thresholds;

	/* ---- trouble.c ---- */
	struct trouble *troubles;
	uint64_t n_troubles;

	/* ---- proc.c ---- */
	char *text; /* of the file that was read last; owned */
	size_t text_room;
	char failed[700]; /* the file that could not be read last, and why */

	/* ---- filesystem.c ---- */
	struct sizes *sizes;
};

/* ---- options.c ---- */
extern const struct sluice_option metrics_options[];
extern const char *const collector_names[]; /* by enum collector, ended by NULL */
void options_read(struct state *s);
void options_free(struct state *s);
/* Whether the collector of this name is enabled. */
bool options_collect(const struct state *s, const char *collector);
bool has_option(const struct state *s, const char *name);

/* ---- history.c ---- */
struct history *history_new(void);
void history_free(struct history *h);
/* Forgets what has not been seen for two ticks. */
void history_expire(struct history *h, uint64_t tick);

struct growth {
	bool is_known;
	bool went_back;
	uint64_t by;
	int64_t span_ns;
};

/* Notes what a counter has now; what it has grown by since it was noted last.  Sooner than
 * `soonest_ns` after that nothing is noted, and nothing is known.
 */
struct growth history_put(struct history *h, const char *key, uint64_t v, int64_t now_ns,
			  int64_t soonest_ns);

/* ---- devices.c ---- */
void devices_reset(struct devices *d);
void devices_free(struct devices *d);
void devices_add(struct devices *d, const char *name);
/* Whether one that was added matches. */
bool devices_match(const struct devices *d, const char *pattern);
/* Whether PREFIX.include and PREFIX.exclude admit the name. */
bool is_wanted(struct state *s, const char *prefix, const char *name);

/* ---- sample.c ---- */
void sample_begin(struct sample *m, struct state *s, const char *collector);
void sample_free(struct sample *m);
/* Names are borrowed until the event is emitted. */
void sample_int(struct sample *m, const char *name, int64_t v);
void sample_double(struct sample *m, const char *name, double v);
void sample_null(struct sample *m, const char *name);
/* A counter that only grows, times `factor`: the value, and with rates also
 * NAME.rate, a second.  One that has gone back gives null, and the event a
 * flag.  Returns the rate; NAN: not known.
 */
double sample_counter(struct sample *m, const char *name, uint64_t v, double factor);
/* The same of a time that cannot pass faster than the clock: its rate is at most 1. */
double sample_time(struct sample *m, const char *name, uint64_t v, double factor);
/* What a counter has grown by since the last tick; false: not known, or it has gone back. */
bool sample_growth(struct sample *m, const char *name, uint64_t v, uint64_t *ret);
/* Further values belong to this device, until the next one; `label` is what the
 * attribute is called.
 */
void sample_device(struct sample *m, const char *label, const char *device);
void sample_device_text(struct sample *m, const char *name, const char *value);
void sample_devices_end(struct sample *m);
void sample_say(struct sample *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Of a device: in the summary, the heaviest first. */
void sample_highlight(struct sample *m, double weight, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void sample_say_highlights(struct sample *m);
/* "1.5 GiB", in `ret`. */
const char *human(char ret[16], double bytes);
/* A collector that gets nothing: says why.  -1 to pass on. */
int sample_lacks(struct sample *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* ---- names.c ---- */

enum value_flags {
	VALUE_COUNTER = 1,    /* has a rate */
	VALUE_OF_DEVICES = 2, /* each device has one */
	VALUE_OF_MACHINE = 4  /* also the machine as a whole */
};

struct value_name {
	const char *collector, *name;
	unsigned flags; /* enum value_flags */
};

/* NULL: there is none.  *rate: `name` is that of its rate. */
const struct value_name *value_name_find(const char *name, bool *rate);
/* What its numbers mean. */
enum value_scale { VALUE_AMOUNT, VALUE_SHARE /* 0 to 1 */, VALUE_RATIO /* from 0 on */ };
enum value_scale value_scale(const struct value_name *v, bool is_rate);
/* The one that was probably meant; false: none looks like it. */
bool value_name_nearest(const char *name, char *ret, size_t size);

/* ---- thresholds.c ---- */

/* Reads the option, also anew; 0, or -EINVAL after refusing it, and what was read before
 * stays.
 */
int thresholds_read(struct state *s);
void thresholds_free(struct thresholds *t);
/* The alarms that were committed before. */
void thresholds_recall(struct state *s);
/* A collector begins; a device and a value of it; its event is out. */
void thresholds_begin(struct state *s, const char *collector);
void thresholds_device(struct state *s, const char *device);
void thresholds_look(struct state *s, const char *name, const char *device, double v);
void thresholds_emit(struct state *s, const char *collector);
/* Those that name devices of this collector which are not there. */
void thresholds_complain(struct state *s, const char *collector);

/* ---- trouble.c ---- */

/* What is configured and cannot be had: an error in the log and in the status, once, until
 * it `is_fine`.  `option` and `item` tell one from another.
 */
void trouble(struct state *s, bool is_fine, const char *option, const char *item, const char *fmt,
	     ...) __attribute__((format(printf, 5, 6)));
/* The devices that PREFIX.include names and that are not in the sample. */
void trouble_about_includes(struct state *s, const char *prefix, const char *what);
void troubles_forget(struct state *s);

/* ---- proc.c ---- */

/* The file below procfs or sysfs, ended by a NUL, valid until the next one; NULL
 * after noting why in `failed`.
 */
char *read_proc(struct state *s, const char *name);
char *read_sys(struct state *s, const char *name);
/* A collector begins: nothing has failed yet. */
void proc_begin(struct state *s);
void proc_free(struct state *s);
/* The next line, ended by a NUL; NULL at the end. */
char *next_line(char **rest);
/* Numbers in a row of words; how many there were. */
size_t read_numbers(const char *p, uint64_t *ret, size_t max);
/* The number behind "NAME" and blanks or a colon; false: there is none. */
bool find_number(const char *text, const char *name, uint64_t *ret);

/* ---- the collectors: 0, or -1 when there is nothing to be had ---- */
int collect_cpu(struct state *s, struct sample *m);
int collect_load(struct state *s, struct sample *m);
int collect_processes(struct state *s, struct sample *m);
int collect_memory(struct state *s, struct sample *m);
int collect_pressure(struct state *s, struct sample *m);
int collect_disk(struct state *s, struct sample *m);
int collect_filesystem(struct state *s, struct sample *m);
int collect_network(struct state *s, struct sample *m);
int collect_cgroup(struct state *s, struct sample *m);
int collect_self(struct state *s, struct sample *m);
void filesystem_free(struct state *s);

#endif
