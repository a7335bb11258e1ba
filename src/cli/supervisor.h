/* SPDX-License-Identifier: MIT
 *
 * supervisor - the first process: keeps the sockets, the lock, and the others alive.
 *
 * It runs no plugin and parses no request, so there is little that could end
 * it.  The listening sockets are its own and stay open while a hub or a
 * responder is started again: requests wait in their backlogs.
 */
#ifndef SLUICE_CLI_SUPERVISOR_H
#define SLUICE_CLI_SUPERVISOR_H

#include "base/process.h"
#include "conf/settings.h"
#include "loop/loop.h"

/* Descriptors as the hub and the responders find them. */
enum { HUB_GATE_FD = 3, HUB_CONFIG_FD = 4, HUB_CONTROL_FD = 5 };
enum { RESPONDER_PING_FD = 3, RESPONDER_FIRST_FD = 4 };

/* Exit status of a hub that refuses to start; its log says why. */
enum { HUB_CANNOT_OPEN = 3 };

/* What the hub is told on HUB_CONTROL_FD, with a descriptor of packed settings;
 * it answers with a sentence, whose first byte says whether it has taken them.
 */
enum control {
	CONTROL_RELOAD = 'r',
	CONTROL_RELOAD_PLUGINS = 'p',
	CONTROL_DRAIN = 'd',
	CONTROL_PING = 'i'
};
enum {
	CONTROL_TAKEN = '+',
	CONTROL_REFUSED = '-',
	CONTROL_READY = '!', /* it has opened everything */
	CONTROL_PONG = 'o',
	CONTROL_DRAINING = 'D', /* and a sentence */
	CONTROL_UNUSED = 'u',   /* said by itself: nobody has used it for hub.linger */
	CONTROL_TEXT_MAX = 4000
};

struct reloader;
struct supervisor;

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

/* Without sockets and responders of its own: those are the web server's. */
void supervisor_attach_settings(struct settings *s);

/* Sends the hub other settings (a descriptor, borrowed).  0, or -ENOTCONN while
 * there is none: the next one will start with supervisor.config_fd.
 */
int supervisor_tell_hub(struct supervisor *s, enum control what, int fd) must_check;

/* The hub sends its clients away over so many milliseconds; -1: no more.  0 or
 * -ENOTCONN; the answer comes later.
 */
int supervisor_drain(struct supervisor *s, int64_t over_ms) must_check;

/* To all workers of a kind; those that are told to end are not started again. */
void supervisor_signal(struct supervisor *s, enum worker_kind kind, int signo);
/* None that has ended starts again by itself. */
void supervisor_hold_workers(struct supervisor *s);
/* Starts those that are there, and do not run. */
void supervisor_start_workers(struct supervisor *s);

/* Takes over where to listen, which is open already, and how many responders. */
void supervisor_replace_responders(struct supervisor *s, const struct fd_map *listen, size_t n);

#endif
