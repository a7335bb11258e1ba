/* SPDX-License-Identifier: MIT
 *
 * metrics - what the parts of the metrics plugin share.
 *
 *	metrics.c     the plugin's tables, options and ticks
 *	sample.c      one event being put together: values, devices, rates
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

struct state;
struct history;

/* One collector's event of one tick. */
struct sample {
	struct state *s;
	const char *collector;
	struct fields fields;
	int64_t now_ns;    /* CLOCK_MONOTONIC, when its figures were read */
	bool was_reset;    /* a counter has gone back */
	char summary[256]; /* for people */
	/* The devices, as a JSON array being written; empty while there are none. */
	char *devices;
	size_t devices_len, devices_room;
	const char *device; /* the one that is being written; NULL: none */
};

struct state {
	struct sluice_source *src;
	const char *procfs, *sysfs;
	int64_t interval_ns, timeout_ns;
	bool per_cpu, rates;
	bool wanted[16]; /* by collector */
	struct history *history;
	struct filesystems *filesystems;
	struct sample sample;
	char *text; /* of the file that was read last; owned */
	size_t text_room;
	int timer;
	bool is_exceeded[64]; /* thresholds, by their place */
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
 * flag.
 */
void sample_counter(struct sample *m, const char *name, uint64_t v, double factor);
/* What a counter has grown by since the last tick, as a share of `total`'s
 * growth; negative: not known.
 */
double sample_share(struct sample *m, const char *name, uint64_t v, uint64_t total);
/* Further values belong to this device, until the next one; `label` is what the
 * attribute is called.
 */
void sample_device(struct sample *m, const char *label, const char *device);
void sample_device_text(struct sample *m, const char *name, const char *value);
void sample_devices_end(struct sample *m);
void sample_say(struct sample *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Whether PREFIX.include and PREFIX.exclude admit the name. */
bool is_wanted(struct state *s, const char *prefix, const char *name);

struct history *history_new(void);
void history_free(struct history *h);
/* Forgets what has not been seen for two ticks. */
void history_expire(struct history *h, uint64_t tick);

/* ---- proc.c ---- */

/* The file below procfs or sysfs, ended by a NUL, valid until the next one; NULL
 * after counting.
 */
char *read_proc(struct state *s, const char *name);
char *read_sys(struct state *s, const char *name);
/* The next line, ended by a NUL; NULL at the end. */
char *next_line(char **rest);
/* Numbers in a row of words; how many there were. */
size_t read_numbers(const char *p, uint64_t *ret, size_t max);
/* The number behind "NAME" and blanks or a colon, or `missing`. */
uint64_t find_number(const char *text, const char *name, uint64_t missing);

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
