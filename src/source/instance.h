/* SPDX-License-Identifier: MIT
 *
 * instance - the hub's side of one source process: start, watch, restart, stop.
 *
 *	STARTING -> RUNNING -> WAITING (backoff) -> STARTING ...
 *	     \-> FAILED (refused its options, crashed too often, gave up for good)
 *	      \-> FINISHED (had nothing more to do)
 *	any -> STOPPING -> GONE, or STARTING with other settings
 *
 * What a source process sends is treated as a stranger's (intake.h).
 */
#ifndef SLUICE_SOURCE_INSTANCE_H
#define SLUICE_SOURCE_INSTANCE_H

#include "host/plugin.h"
#include "hub/hub.h"
#include "source/grant.h"
#include "wire/frame.h"

/* How long a process may take to end. */
#define STOP_PATIENCE_NS (3 * NS_PER_SEC)

enum { COUNTERS_MAX = 64, WARNINGS_MAX = 8 };

enum source_state {
	STATE_STARTING,
	STATE_RUNNING,
	STATE_WAITING,
	STATE_FAILED,
	STATE_FINISHED,
	STATE_STOPPING,
	STATE_GONE
};

/* What a source process writes to its standard output or error. */
struct child_output {
	struct loop_io io;
	struct source *source;
	int fd; /* -1 while there is none */
	struct buf line;
	const char *name;       /* of the stream */
	struct loop_timer rest; /* until it is read again */
};

struct source {
	struct list link; /* in sources.all */
	struct hub *hub;
	struct source_settings settings; /* owned */
	struct channel *channel;
	struct plugin_identity identity; /* of the plugin that was started last */
	enum source_state state;
	struct loop_child child; /* pid 0 while there is none */
	struct loop_io io;
	int fd, grant_fd; /* -1 while there is none */
	struct child_output out, err;
	struct grants grants;
	struct buf in;           /* bytes that are no whole frame yet, or wait */
	struct buf frames;       /* for it, that its socket did not take yet */
	bool is_stuck;           /* the journal takes nothing: its frames wait */
	uint32_t owed;           /* bytes taken for which no credit was given back */
	struct loop_timer timer; /* start again, offer again, or end of patience */
	struct loop_task task;   /* tells that it is gone, at the turn's end */

	/* Watchdog: a ping now and then, and something within the time. */
	struct loop_timer watchdog;
	int64_t pinged_ns; /* 0: no ping is unanswered */
	uint32_t plugin_flags;

	/* rate_limit, a bucket of tokens: reading waits while it is empty. */
	struct loop_timer refill;
	double tokens;
	int64_t refilled_ns;
	bool is_throttled;

	/* The same for frames that are no events (intake.c). */
	double control;
	int64_t control_ns;
	int64_t flooding_since_ns; /* 0: it does not */

	int64_t started_ns, backoff_ns;
	int n_crashes;             /* in a row, without anything done between */
	bool has_ended;            /* its process said why it ends: no crash */
	bool is_accused;           /* we have ended it: the error says why */
	struct filter *filter;     /* what it may send; counted; NULL: all */
	struct redactor *redactor; /* takes secrets out; owned; NULL: there are no rules */
	bool lacks_redactor;       /* there are, and they cannot be used: nothing is taken */
	uint64_t n_redacted, n_filtered, n_events, n_bytes, n_restarts, n_log_dropped, n_throttled;
	uint64_t n_events_before; /* n_events when it was started last */
	uint64_t n_logged;        /* lines in this window, those that were dropped too */
	int64_t log_window_ns;
	char *error;           /* of this run; owned; NULL: none yet */
	char *last_error;      /* the newest of any run; owned; NULL: none yet */
	int64_t last_error_ns; /* since 1970 */
	struct source_warning {
		char *text;       /* owned */
		int64_t ns;       /* since 1970 */
	} warnings[WARNINGS_MAX]; /* the newest that it has logged, the newest last */
	size_t n_warnings;
	char *sandbox, *sandbox_lacks; /* owned; NULL while not known */
	struct {
		char *name;
		uint64_t value;
	} counters[COUNTERS_MAX];
	size_t n_counters;

	bool is_restarting; /* STOPPING, to be started with `next` */
	bool has_next;
	struct source_settings next;
	void (*on_gone)(struct source *s);  /* it is GONE; at the turn's end */
	void (*on_stale)(struct source *s); /* it cannot take its new settings over while it runs */
};

extern const char *const source_state_names[];

/* Takes the settings.  Nothing is started. */
struct source *source_new(struct hub *h, struct source_settings *taken,
			  void (*on_gone)(struct source *)) must_check;
/* Only when it is GONE, or the process ends. */
void source_free(struct source *s);

void source_start(struct source *s);
/* Asks it to stop, and ends it if it does not within 3 s. */
void source_stop(struct source *s);
/* Stops it and starts it with other settings (taken), or the same (NULL). */
void source_restart(struct source *s, struct source_settings *taken);
/* Takes settings over while it runs, if all that differs may change so. */
void source_change(struct source *s, struct source_settings *taken);
/* The same settings once more, to a plugin that reads files which its options name: they
 * may hold something else by now.
 */
void source_reread(struct source *s);

/* ---- for intake.c: state.c ---- */

/* A change of state: in the log, in /status, on sluice's own channel.  `reason`
 * may be NULL.
 */
void source_set_state(struct source *s, enum source_state state, const char *reason);
/* Takes the sentence: an error, which /status shows until there is another one; or only
 * why this run ends.
 */
void source_set_error(struct source *s, char *owned);
/* Why its process has ended; what it said last in this run may be the cause, and is added. */
void source_set_end(struct source *s, char *owned);
void source_set_reason(struct source *s, char *owned);

/* It says itself that it is over: `state`, unless it was told to stop; and its
 * process has 3 s to end.
 */
void source_over(struct source *s, enum source_state state);

/* Ends its process; what it has sent is still taken.  Takes `why`. */
void source_kill(struct source *s, char *why);
/* Sends what is queued in `frames`. */
void source_send(struct source *s);
/* Queues a frame without a body, and sends it. */
void source_send_simple(struct source *s, enum frame_type type);
/* Waits for what it has to wait for now. */
void source_wait_for_io(struct source *s);

#endif
