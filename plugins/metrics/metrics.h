/* SPDX-License-Identifier: MIT
 *
 * metrics - what the parts of the metrics plugin share.
 *
 *	metrics.c     the plugin's tables, options and ticks
 *	sample.c      one event being put together: values, devices, rates
 *	names.c       the names of all values
 *	thresholds.c  values that are beyond what the configuration allows
 *	trouble.c     what is configured and not there
 *	proc.c        files of procfs and sysfs as numbers
 *	cpu.c         cpu, load, processes
 *	memory.c      memory, pressure
 *	disk.c        disk
 *	filesystem.c  filesystem, of which one may hang
 *	network.c     network
 *	group.c       cgroup, self
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/basics.h"
#include "common/fields.h"
#include "sluice-plugin.h"

#define SEC 1000000000LL

enum { VALUE_NAME_MAX = 80, HIGHLIGHTS = 6, COLLECTORS_MAX = 16 };

struct state;
struct history;
struct thresholds;
struct trouble;

/* What is worth saying of one device. */
struct highlight {
	double weight; /* the heaviest come first */
	char text[160];
};

/* One collector's event of one tick. */
struct sample {
	struct state *s;
	const char *collector;
	struct fields fields;
	int64_t now_ns;     /* CLOCK_MONOTONIC, when its figures were read */
	bool was_reset;     /* a counter has gone back */
	char summary[1200]; /* for people */
	struct highlight highlights[HIGHLIGHTS];
	size_t n_highlights; /* also those that had no room */
	char others[400];    /* names that were there to choose from, for a message */
	char why[400];       /* of a collector that got nothing */
	/* The devices, as a JSON array being written; empty while there are none. */
	char *devices;
	size_t devices_len, devices_room;
	const char *device; /* the one that is being written; NULL: none */
	char *names;        /* of the devices, each ended by a NUL */
	size_t names_len, names_room;
	const char *scope; /* figures of another one are not compared with these; NULL: none */
};

struct state {
	struct sluice_source *src;
	const char *procfs, *sysfs;
	char *rootfs; /* owned; NULL: / */
	int64_t interval_ns, timeout_ns;
	bool per_cpu, rates;
	bool is_chosen;              /* the configuration says which collectors */
	bool wanted[COLLECTORS_MAX]; /* by collector */
	bool has_worked[COLLECTORS_MAX];
	struct history *history;
	struct filesystems *filesystems;
	struct sample sample;
	char *text; /* of the file that was read last; owned */
	size_t text_room;
	int timer;
	struct thresholds *thresholds;
	struct trouble *troubles;
	uint64_t n_troubles;
	char failed[700]; /* the file that could not be read last, and why */
	uint64_t n_ticks, n_events, n_skipped, n_failed;
	int64_t spent_ns; /* CPU time of the last tick */
};

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
/* Whether one of its devices matches. */
bool sample_has(const struct sample *m, const char *pattern);
/* A collector that gets nothing: says why.  -1 to pass on. */
int sample_lacks(struct sample *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Whether PREFIX.include and PREFIX.exclude admit the name. */
bool is_wanted(struct state *s, const char *prefix, const char *name);
bool has_option(struct state *s, const char *name);

struct history *history_new(void);
void history_free(struct history *h);
/* Forgets what has not been seen for two ticks. */
void history_expire(struct history *h, uint64_t tick);

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
void troubles_free(struct trouble *t);

/* ---- metrics.c ---- */
bool metrics_collects(const struct state *s, const char *collector);

/* ---- proc.c ---- */

/* The file below procfs or sysfs, ended by a NUL, valid until the next one; NULL
 * after noting why in `failed`.
 */
char *read_proc(struct state *s, const char *name);
char *read_sys(struct state *s, const char *name);
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

struct filesystems *filesystems_new(void);
void filesystems_free(struct filesystems *f);

#endif
