/* SPDX-License-Identifier: MIT
 *
 * supervisor_internal - a supervisor and its processes, for the files of this room.
 *
 *	supervisor.c                  puts all together, and obeys
 *	reload.c  upgrade.c           what takes several steps
 *	commands.c                    who asks for it
 *	workers.c                     the hub and the responders as processes
 *	watchdog.c sockets.c inherit.c
 */
#ifndef SLUICE_SUPERVISOR_INTERNAL_H
#define SLUICE_SUPERVISOR_INTERNAL_H

#include "base/process.h"
#include "conf/settings.h"
#include "loop/loop.h"
#include "supervisor/control.h"

struct supervisor;
struct reloader;
struct upgrader;
struct commands;

enum worker_kind { WORKER_HUB, WORKER_RESPONDER };

struct worker {
	struct list link;
	struct supervisor *supervisor;
	enum worker_kind kind;
	struct loop_child child; /* pid 0 while it does not run */
	struct loop_timer timer; /* start it again */
	struct loop_task task;   /* frees it at the turn's end */
	int64_t started_ns, backoff_ns;
	int ping_fd; /* to a responder, which echoes what comes there; else -1 */
	struct loop_io ping_io;
	int64_t pinged_ns; /* 0: no ping is unanswered */
	bool is_retired;   /* not started again once it has ended */
};

/* Only one of them at a time. */
enum activity { ACTIVITY_NONE, ACTIVITY_RELOAD, ACTIVITY_UPGRADE };

/* What workers.c tells the floor above. */
struct worker_events {
	/* A message of the hub: what (enum control), and a sentence. */
	void (*hub_says)(struct supervisor *s, char what, const char *text);
	/* The hub's end of the control socket is closed, or its process has ended: at most
	 * both are told.
	 */
	void (*hub_is_gone)(struct supervisor *s);
	/* A process has ended.  Whether that was wanted: it is not started again. */
	bool (*worker_ended)(struct supervisor *s);
};

struct supervisor {
	struct loop *loop;
	struct settings *settings; /* owned */
	int lock_fd, gate_fd;
	int config_fd;  /* packed settings, for the hub */
	int control_fd; /* to the hub that runs now */
	struct loop_io control_io;
	char *gate_path;
	struct fd_map listen[LISTEN_MAX];
	bool keeps_file[LISTEN_MAX]; /* the socket is systemd's: its file stays */
	size_t n_listen;
	struct list workers; /* the hub, then the responders */
	const struct worker_events *on;
	enum activity activity;
	struct reloader *reloader;
	struct commands *commands;
	struct upgrader *upgrader;
	struct loop_timer watch; /* checks that all still answer, and notifies systemd */
	int64_t watched_ns;      /* of its last check */
	bool hub_is_ready;       /* it has opened everything, and answers */
	bool hub_was_ready;      /* this one, or one before it */
	int n_failed_starts;     /* of hubs that died before any was ready */
	bool is_drained;         /* another hub begins so too */
	bool stopping;
	bool is_attached; /* a web server's: it listens and answers itself, and ends unused */
	struct loop_timer patience;
	int status;
};

#endif
