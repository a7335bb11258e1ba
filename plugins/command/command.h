/* SPDX-License-Identifier: MIT
 *
 * command - what the parts of the command plugin share.
 *
 *	command.c   the plugin: its events and its life
 *	schedule.c  when to run: at an interval, always, once
 *	run.c       one run: its process, its pipes, its time, its end
 *	output.c    what it writes, into events
 *	options.c   the options
 *
 * Each file calls only those below it here.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/basics.h"
#include "common/fields.h"
#include "sluice-plugin.h"

enum mode { MODE_INTERVAL, MODE_DAEMON, MODE_ONCE };
enum overlap { OVERLAP_SKIP, OVERLAP_KILL };
enum on_exit { ON_EXIT_RESTART, ON_EXIT_RESTART_ON_FAILURE, ON_EXIT_STOP };
enum sink { SINK_EVENTS, SINK_LOG, SINK_DISCARD, SINK_MERGE };
enum emit_exit { EMIT_FAILURES, EMIT_ALWAYS, EMIT_NEVER };
enum split { SPLIT_LINES, SPLIT_WHOLE, SPLIT_NUL, SPLIT_JSON };

struct options {
	enum mode mode;
	int64_t interval_ns;
	enum overlap overlap;
	int64_t timeout_ns; /* 0: any */
	int kill_signal;
	int64_t kill_grace_ns;
	enum on_exit on_exit;
	int64_t backoff_ns, backoff_max_ns;
	enum sink out, err;
	enum split split;
	size_t max_line;
	uint64_t max_output; /* 0: any */
	enum emit_exit emit_exit;
	bool severity;
	const char *cwd;
	int umask, nice;
};

struct state;

/* One of a run's two pipes. */
struct output {
	struct state *s;
	const char *name; /* "stdout", "stderr" */
	enum sink sink;
	int fd;     /* -1: closed */
	char *part; /* owned: of an event that has not ended */
	size_t part_len;
	uint64_t over; /* bytes of it beyond max_line, counted only */
};

/* A run is over; `good` if its exit code is one of success_codes. */
typedef void run_ended_fn(struct state *s, bool good);

/* Each part is written by the file that is named, and may be read by all. */
struct state {
	struct sluice_source *src;
	struct fields fields; /* of the event that is being made */

	/* ---- command.c ---- */
	bool is_paused;

	/* ---- options.c ---- */
	struct options options;
	const char **argv; /* owned, ended by NULL; the strings are the host's */
	char **env;        /* owned, ended by NULL */

	/* ---- schedule.c ---- */
	int next;       /* timer */
	bool runs_next; /* as soon as this one has ended */
	int64_t backoff_now_ns;
	uint64_t n_skipped, n_start_failed;

	/* ---- run.c: the run under way ---- */
	pid_t pid; /* 0: none */
	bool has_exited, is_killed, is_timed_out;
	int status;
	int64_t started_ns;
	int timeout, drain; /* timers; 0: not set */
	run_ended_fn *on_run_ended;
	uint64_t n_runs, n_failed, n_timeouts;

	/* ---- output.c ---- */
	struct output out, err;
	uint64_t taken, dropped; /* bytes of the output of the run under way */
	char *buffer;
	uint64_t n_lines, n_bytes, n_dropped;
};

/* ---- options.c ---- */
extern const struct sluice_option command_options[];
/* 0, or -EINVAL after refusing one. */
int options_read(struct sluice_source *src, struct state *s);
void options_free(struct state *s);

/* ---- schedule.c ---- */
void schedule_start(struct state *s);

/* ---- run.c ---- */
/* Starts the program; `on_run_ended` is called once, from the loop.  0, or a negative errno:
 * nothing runs.
 */
int run_begin(struct state *s, run_ended_fn *on_run_ended);
/* Ends it: kill_signal, and SIGKILL after kill_grace. */
void run_kill(struct state *s);
/* The source stops: ends it, by SIGKILL after two seconds at most. */
void run_abandon(struct state *s);
void run_watch(struct state *s, bool on);

/* ---- output.c ---- */
void outputs_init(struct state *s);
void outputs_fini(struct state *s);
/* Of a run that begins: our ends of its pipes, -1 for none. */
void outputs_open(struct state *s, int out, int err);
/* Reads what there is, within a budget.  False at the end. */
bool output_read(struct output *o);
/* What is left over is the last event; closes. */
void output_close(struct output *o);

#endif
