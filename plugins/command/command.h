/* SPDX-License-Identifier: MIT
 *
 * command - what the parts of the command plugin share.
 *
 *	command.c   the plugin's tables and options
 *	schedule.c  when to run: at an interval, always, once
 *	run.c       one run: its process, its pipes, its time, its end
 *	output.c    what it writes, into events
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/basics.h"
#include "common/fields.h"
#include "sluice-plugin.h"

#define MS  1000000LL
#define SEC 1000000000LL

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

struct state {
	struct sluice_source *src;
	struct options options;
	const char **argv; /* owned, ended by NULL; the strings are the host's */
	char **env;        /* owned, ended by NULL */
	struct fields fields;
	char *buffer;

	/* ---- of the run under way ---- */
	pid_t pid; /* 0: none */
	bool has_exited, is_killed, is_timed_out;
	int status;
	int64_t started_ns;
	uint64_t taken, dropped; /* bytes of its output */
	struct output out, err;
	int timeout, drain; /* timers; 0: not set */

	/* ---- of the schedule ---- */
	int next;       /* timer */
	bool runs_next; /* as soon as this one has ended */
	int64_t backoff_now_ns;
	bool is_paused;
	uint64_t n_runs, n_failed, n_skipped, n_timeouts, n_lines, n_bytes, n_dropped,
		n_start_failed;
};

/* ---- schedule.c ---- */
void schedule_start(struct state *s);
/* The run is over: `good` if its exit code is one of success_codes. */
void schedule_run_ended(struct state *s, bool good);

/* ---- run.c ---- */
/* 0, or a negative errno: nothing runs. */
int run_begin(struct state *s);
/* Ends it: kill_signal, and SIGKILL after kill_grace. */
void run_kill(struct state *s);
/* The source stops: ends it, by SIGKILL after two seconds at most. */
void run_abandon(struct state *s);
void run_watch(struct state *s, bool on);

/* ---- output.c ---- */
/* Reads what there is, within a budget.  False at the end. */
bool output_read(struct output *o);
/* What is left over is the last event; closes. */
void output_close(struct output *o);

void report(struct state *s);

#endif
