/* SPDX-License-Identifier: MIT
 *
 * sluice-plugin - what an event source plugin and sluice know of each other.
 *
 * A plugin is one shared object, one type of source.  The configuration opens
 * any number of instances of it; each runs in a process of its own, so it may
 * block, crash or leak without touching anything else.  It links against
 * nothing of sluice: all it needs comes through struct sluice_host.
 *
 *	static int run(struct sluice_source *src, void *state) { ... }
 *
 *	static const struct sluice_plugin plugin = {
 *		SLUICE_PLUGIN_HEAD,
 *		.name = "clock",
 *		.version = "1.0",
 *		.summary = "one event a second",
 *		.events = events,
 *		.run = run,
 *	};
 *	SLUICE_PLUGIN(plugin)
 *
 * The life of an instance: open() reads the options and opens nothing; run()
 * works until the host says -ECANCELED; close() frees.  run() may block as it
 * likes in wait(), or register descriptors, timers and children and return
 * what loop() returns: a plugin picks either, or mixes them.
 *
 * Strings and arrays that a plugin passes are borrowed for the call; strings
 * that the host returns stay valid until the next reload(), or as long as the
 * instance.  All functions are called from, and may only be called from, the
 * one thread that called open(), except wake().
 *
 * Compatibility: the structs here only ever grow at their ends.  The sizes in
 * SLUICE_PLUGIN_HEAD tell sluice which form a plugin was built with, so a
 * plugin runs unchanged with every later sluice of the same ABI version.  A
 * plugin that wants to run with an earlier one asks SLUICE_HOST_HAS() first.
 *
 * The manual page is sluice-plugin(3).
 */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_PLUGIN_MAGIC 0x65756c73u
#define SLUICE_ABI_VERSION  1u

/* ---- tables ------------------------------------------------------------ */

enum sluice_type {
	SLUICE_BOOL = 1, /* true, false */
	SLUICE_INT = 2,  /* 64 bits */
	SLUICE_STRING = 3,
	SLUICE_ENUM = 4,     /* one of `choices` */
	SLUICE_SIZE = 5,     /* 64KiB; in bytes */
	SLUICE_DURATION = 6, /* 250ms; in nanoseconds */
	SLUICE_PATH = 7,     /* absolute */
	SLUICE_GLOB = 8,     /* absolute; glob(7), and ** for any number of directories */
	SLUICE_DOUBLE = 9,
	SLUICE_ADDRESS = 10, /* udp:HOST:PORT, tcp:, tls:, unix:/PATH, unix-dgram:/PATH;
			      * `choices`, if any, are the words allowed before the colon */
	SLUICE_REGEX = 11,   /* Perl-compatible (PCRE2), in UTF-8 mode */
	SLUICE_SECRET = 12,  /* text that no log and no page shows */
	SLUICE_MAP = 13,     /* any names and values; each is one value "name=value" */
	SLUICE_JSON = 14,    /* fields only: a JSON text, for what has parts */
	SLUICE_RANGE = 15    /* 1s..60s: two durations; number() gives the first */
};

enum sluice_option_flag {
	SLUICE_LIST = 1, /* any number of values; one alone needs no brackets */
	SLUICE_REQUIRED = 2,
	SLUICE_RELOADABLE = 4, /* may change while it runs: reload() is called */
	SLUICE_READ = 8,       /* a path that the plugin reads: the sandbox allows it */
	SLUICE_WRITE = 16      /* a path that the plugin writes */
};

/* One option of a plugin.  sluice checks the configuration against it before
 * the plugin sees it, and makes help and manual from it.  A name with a dot,
 * "tls.cert", is "cert" in a map "tls".  A table ends with a NULL name.
 */
struct sluice_option {
	const char *name;
	enum sluice_type type;
	uint32_t flags;             /* enum sluice_option_flag */
	const char *fallback;       /* as it would be written; NULL: none */
	const char *const *choices; /* SLUICE_ENUM, SLUICE_ADDRESS: ended by NULL */
	int64_t min, max;           /* numbers, in the type's unit; both 0: no range */
	const char *doc;            /* one sentence */
	const char *conflicts;      /* names, separated by spaces, that it excludes; NULL */
	/* What gives it an effect, of which one must hold, separated by spaces: NAME (set, and
	 * not to its default), NAME=VALUE, NAME~TEXT (a value contains the text), or !NAME
	 * (not set); NULL: it always has one.  If it is set in vain, a warning says so.
	 */
	const char *needs;
};

struct sluice_field_type {
	const char *name;
	enum sluice_type type; /* SLUICE_BOOL, _INT, _DOUBLE, _STRING or _JSON */
	const char *unit;      /* UCUM (By, s, 1); NULL where there is none */
	const char *doc;
};

/* One kind of event that a plugin emits.  Ends with a NULL name. */
struct sluice_event_type {
	const char *name;                       /* [a-z0-9_.-]{1,64}: the `event:` of the stream */
	uint32_t version;                       /* grows when fields change their meaning */
	const struct sluice_field_type *fields; /* ends with a NULL name; NULL: none */
	const char *doc;
};

/* ---- events ------------------------------------------------------------ */

enum sluice_event_flag {
	SLUICE_PARTIAL = 1,     /* a piece of something longer, or an end without a line end */
	SLUICE_TRUNCATED = 2,   /* the body was cut */
	SLUICE_GAP = 4,         /* something was lost; field "reason", and "count" if known */
	SLUICE_TRANSIENT = 8,   /* for who looks now; not kept, so not seen by who resumes */
	SLUICE_NOWAIT = 256,    /* emit() returns -EAGAIN rather than wait for the hub */
	SLUICE_LAST_WORDS = 512 /* taken also while run() winds up, after -ECANCELED */
};

#define SLUICE_NO_SEVERITY (-1)

/* An event has at most so many fields; those beyond are left out, and it is
 * flagged as truncated.  A name occurs once in an event: the first field keeps
 * it, later ones of the same name become NAME_2, NAME_3 and so on.
 */
#define SLUICE_FIELDS_MAX 128

struct sluice_value {
	const char *name;
	enum sluice_type type; /* as in struct sluice_field_type; 0: null */
	int64_t integer;       /* SLUICE_INT, SLUICE_BOOL */
	double number;         /* SLUICE_DOUBLE */
	const char *string;    /* SLUICE_STRING, SLUICE_JSON */
	size_t string_len;
};

/* Where the source stands in one of the things it reads, after an event.
 * sluice commits it in the same write as the event and gives the newest one
 * of each key back at the next start: that makes a restart exact.
 */
struct sluice_cursor {
	const char *key; /* at most 256 bytes */
	size_t key_len;
	const void *value; /* at most 8192 bytes; length 0 forgets the key */
	size_t value_len;
};

struct sluice_event {
	const char *type;
	int64_t time_ns;  /* since 1970; 0 or before: now */
	int severity;     /* 0 emergency .. 7 debug (RFC 5424), or SLUICE_NO_SEVERITY */
	uint32_t flags;   /* enum sluice_event_flag */
	const char *body; /* any bytes; sluice makes valid UTF-8 of them */
	size_t body_len;
	const struct sluice_value *fields;
	size_t n_fields;
	const struct sluice_cursor *cursor; /* NULL: none */
};

/* ---- the host ----------------------------------------------------------- */

enum sluice_log_level { SLUICE_LOG_ERROR, SLUICE_LOG_WARNING, SLUICE_LOG_INFO, SLUICE_LOG_DEBUG };

struct sluice_source;

/* What the loop calls.  A callback may register and cancel anything. */
typedef void sluice_fd_fn(struct sluice_source *, int fd, short revents, void *ctx);
typedef void sluice_timer_fn(struct sluice_source *, void *ctx);
/* `status` as of waitpid(2). */
typedef void sluice_child_fn(struct sluice_source *, pid_t pid, int status, void *ctx);

/* A program to start: in a process group of its own, nothing inherited but
 * what is named here, no signal blocked or ignored.
 */
struct sluice_spawn {
	const char *const *argv; /* ended by NULL; argv[0] is looked for in PATH */
	const char *const *env;  /* "NAME=value", ended by NULL; NULL: the source's own */
	const char *cwd;         /* NULL: / */
	int umask;               /* -1: the source's own */
	int nice;                /* added; 0: none */
	int merge_stderr;        /* not 0: standard error goes where standard output goes */
	sluice_child_fn *on_exit;
	void *ctx;
	/* Filled in by spawn(): our non-blocking ends of the pipes, to be closed
	 * by the plugin.  The program's standard input is empty.
	 */
	int out, err; /* err is -1 with merge_stderr */
};

/* How a socket is to be; all 0 and NULL: as it comes. */
struct sluice_listen {
	int mode;          /* of a unix socket, such as 0666; 0: 0660 */
	const char *owner; /* of a unix socket: names */
	const char *group;
	int receive_buffer; /* bytes, beyond the system's limit if the hub may; 0: as is */
};

struct sluice_host {
	size_t struct_size;

	/* Value `i` of an option as text, its fallback when it is not set, or
	 * NULL beyond the last.
	 */
	const char *(*option)(struct sluice_source *, const char *name, size_t i);
	/* The first value of an option as a number in its type's unit: bool 0 or
	 * 1, int, bytes, nanoseconds; enum the index of the choice.
	 */
	int64_t (*number)(struct sluice_source *, const char *name);
	/* The same of a SLUICE_DOUBLE; of a SLUICE_RANGE the second number. */
	double (*real)(struct sluice_source *, const char *name);
	/* Refuses the options, in open() or reload(): names one and says what is
	 * wrong with it.  Returns -EINVAL to pass on.
	 */
	int (*refuse)(struct sluice_source *, const char *option, const char *message);

	/* Queues one event.  Waits while the hub is behind, unless it is flagged
	 * SLUICE_NOWAIT.  0; -ECANCELED once the source has to stop: the event
	 * was not taken, return from run(); -EAGAIN: not taken, the hub is behind;
	 * -EINVAL: not taken, its type or cursor breaks the rules above.
	 */
	int (*emit)(struct sluice_source *, const struct sluice_event *);
	/* Queues a cursor without an event.  As emit(). */
	int (*commit)(struct sluice_source *, const struct sluice_cursor *);
	/* Sends what is queued, then waits for one of `fds` (poll(2)) or for
	 * `timeout_ms` (-1: for ever), calling back what is registered.  The
	 * number of ready fds, 0 after the time or wake(), or -ECANCELED once the
	 * source has to stop.
	 */
	int (*wait)(struct sluice_source *, struct pollfd *fds, size_t n, int timeout_ms);

	/* The newest committed cursors, in no order: the i-th, or -ENOENT. */
	int (*cursor)(struct sluice_source *, size_t i, struct sluice_cursor *ret);

	/* A line in sluice's log, the instance's name in front.  More than 20 in
	 * ten seconds are counted and not shown.
	 */
	void (*log)(struct sluice_source *, enum sluice_log_level, const char *message);
	/* A figure for the status page; the newest value of each name is shown.  It
	 * may be called for every event: values that follow each other quickly are
	 * sent with the next wait().  At most 64 names.
	 */
	void (*counter)(struct sluice_source *, const char *name, uint64_t value);
	/* The instance's name in the configuration. */
	const char *(*name)(struct sluice_source *);

	/* ---- the loop ---- */

	/* Calls `fn` while the descriptor is ready for `events` (poll(2)).  Once
	 * for each descriptor; with `events` 0 it is forgotten, to be done before
	 * it is closed.  0 or a negative errno.
	 */
	int (*watch)(struct sluice_source *, int fd, short events, sluice_fd_fn *fn, void *ctx);
	/* Calls `fn` after `first_ns`, and then every `every_ns` by the clock and
	 * without drift (0: only once).  Returns a number for cancel().
	 */
	int (*timer)(struct sluice_source *, int64_t first_ns, int64_t every_ns,
		     sluice_timer_fn *fn, void *ctx);
	void (*cancel)(struct sluice_source *, int timer);
	/* Calls back until the source has to stop; -ECANCELED then.  A callback
	 * ends it earlier by leave().
	 */
	int (*loop)(struct sluice_source *);
	/* Has loop() return `result`: 0, or a negative errno as run() returns. */
	void (*leave)(struct sluice_source *, int result);
	/* Ends a wait() under way.  From any thread, and from a signal handler. */
	void (*wake)(struct sluice_source *);

	/* ---- through the hub's rights ---- */

	/* A socket bound to `address`, a value of one of this instance's
	 * SLUICE_ADDRESS options; listening, if it is of a stream type ("tls" is
	 * a TCP socket), non-blocking.  The hub keeps it open across restarts of
	 * the source, so nothing that clients have sent meanwhile is lost.  Owned
	 * by the plugin; or a negative errno, said in the log.  `how` may be NULL.
	 */
	int (*listen)(struct sluice_source *, const char *address, const struct sluice_listen *how);
	/* The file opened for reading, which must lie at or below a value of an
	 * option with SLUICE_READ and hold no symbolic link.  Owned by the
	 * plugin, or a negative errno.
	 */
	int (*open)(struct sluice_source *, const char *path);

	/* ---- children ---- */

	/* Starts a program; needs SLUICE_NEEDS_EXEC.  Its pid, or a negative
	 * errno.  What it leaves behind ends with the source.
	 */
	pid_t (*spawn)(struct sluice_source *, struct sluice_spawn *);
	/* Sends `signo` to its process group, and SIGKILL after `grace_ns`. */
	void (*stop_child)(struct sluice_source *, pid_t pid, int signo, int64_t grace_ns);

	/* ---- options again ---- */

	/* 1 when the configuration sets the option, be it to its fallback; else 0. */
	int (*is_set)(struct sluice_source *, const char *name);
};

/* Whether the host knows a service that was appended later. */
#define SLUICE_HOST_HAS(host, member)                                                              \
	((host)->struct_size >= offsetof(struct sluice_host, member) + sizeof((host)->member))

struct sluice_source {
	const struct sluice_host *host;
};

/* ---- the plugin ---------------------------------------------------------- */

enum sluice_plugin_flag {
	SLUICE_NEEDS_EXEC = 1,    /* starts programs: no sandbox around those */
	SLUICE_NEEDS_NETWORK = 2, /* makes connections of its own */
	SLUICE_MAY_BLOCK = 4,     /* may not call the host for long: no watchdog */
	SLUICE_NEEDS_UNIX = 8     /* connects to unix sockets */
};

/* What the structs had when the plugin was built. */
struct sluice_sizes {
	uint16_t option, event_type, field_type, event, value, cursor, spawn, listen;
};

struct sluice_plugin {
	uint32_t magic;
	uint32_t abi_version;
	size_t struct_size;
	struct sluice_sizes sizes;
	const char *name; /* as in the name of its file */
	const char *version;
	const char *summary;
	const struct sluice_option *options; /* NULL: none */
	const struct sluice_event_type *events;
	uint32_t flags; /* enum sluice_plugin_flag */

	/* Reads and checks the options; opens nothing yet, for `sluice check`
	 * calls it too.  0, or a negative errno after refuse().  May be NULL.
	 */
	int (*open)(struct sluice_source *, void **state);
	/* Runs until wait(), emit() or loop() say -ECANCELED; pass that on, within
	 * 3 s.  Another negative errno: something that may pass, start me again
	 * later (log it first).  -EINVAL: it will not pass, do not try again.
	 * 0: there is nothing more to do; the source has finished.
	 */
	int (*run)(struct sluice_source *, void *state);
	/* Frees `state`.  May be NULL. */
	void (*close)(struct sluice_source *, void *state);

	/* The hub is behind: until resume() emit() waits.  Stop reading where
	 * that loses nothing, count where it does.  May be NULL.
	 */
	void (*pause)(struct sluice_source *, void *state);
	void (*resume)(struct sluice_source *, void *state);
	/* Options flagged SLUICE_RELOADABLE have changed.  0, or a negative errno:
	 * the source is started anew.  NULL: it always is.  If such an option is a
	 * SLUICE_PATH flagged SLUICE_READ, every `sluice reload` calls it: the file
	 * may have changed.
	 */
	int (*reload)(struct sluice_source *, void *state);
};

#define SLUICE_SIZES                                                                               \
	{                                                                                          \
		(uint16_t)sizeof(struct sluice_option),                                            \
			(uint16_t)sizeof(struct sluice_event_type),                                \
			(uint16_t)sizeof(struct sluice_field_type),                                \
			(uint16_t)sizeof(struct sluice_event),                                     \
			(uint16_t)sizeof(struct sluice_value),                                     \
			(uint16_t)sizeof(struct sluice_cursor),                                    \
			(uint16_t)sizeof(struct sluice_spawn),                                     \
			(uint16_t)sizeof(struct sluice_listen)                                     \
	}

/* The first members of a plugin's struct, in their order. */
#ifdef __cplusplus
#define SLUICE_PLUGIN_HEAD                                                                         \
	SLUICE_PLUGIN_MAGIC, SLUICE_ABI_VERSION, sizeof(struct sluice_plugin), SLUICE_SIZES
#else
#define SLUICE_PLUGIN_HEAD                                                                         \
	.magic = SLUICE_PLUGIN_MAGIC, .abi_version = SLUICE_ABI_VERSION,                           \
	.struct_size = sizeof(struct sluice_plugin), .sizes = SLUICE_SIZES
#endif

#define SLUICE_PLUGIN_SYMBOL "sluice_plugin_entry"

/* Put this at the end of the plugin's file. */
#define SLUICE_PLUGIN(p)                                                                           \
	SLUICE_EXTERN_C __attribute__((visibility("default"))) const struct sluice_plugin *        \
	sluice_plugin_entry(void);                                                                 \
	const struct sluice_plugin *sluice_plugin_entry(void)                                      \
	{                                                                                          \
		return &(p);                                                                       \
	}

#ifdef __cplusplus
#define SLUICE_EXTERN_C extern "C"
}
#else
#define SLUICE_EXTERN_C extern
#endif

#endif
