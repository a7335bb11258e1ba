/* SPDX-License-Identifier: MIT
 *
 * sluice-plugin - what an event source plugin and sluice know of each other.
 *
 * A plugin is one shared object, one type of source.  The configuration opens
 * any number of instances of it; each runs in a process of its own, so it may
 * block, crash or leak without touching anything else.  It links against
 * nothing: all it needs from sluice comes through struct sluice_host.
 *
 *	static int run(struct sluice_source *src, void *state) { ... }
 *
 *	static const struct sluice_plugin plugin = {
 *		SLUICE_PLUGIN_HEAD,
 *		.name = "clock",
 *		.summary = "one event a second",
 *		.events = events,
 *		.run = run,
 *	};
 *	SLUICE_PLUGIN(plugin)
 *
 * Strings that a plugin passes are borrowed for the call; strings that the
 * host returns stay valid as long as the instance.  All functions are called
 * from, and may only be called from, the one thread that called open().
 */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

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
	SLUICE_GLOB = 8,     /* absolute, glob(7) */
	SLUICE_DOUBLE = 9
};

enum sluice_option_flag {
	SLUICE_LIST = 1, /* any number of values; one alone needs no brackets */
	SLUICE_REQUIRED = 2
};

/* One option of a plugin.  sluice checks the configuration against it before
 * the plugin sees it, and prints help from it.  A table ends with a NULL name.
 */
struct sluice_option {
	const char *name;
	enum sluice_type type;
	uint32_t flags;             /* enum sluice_option_flag */
	const char *fallback;       /* as it would be written; NULL: none */
	const char *const *choices; /* SLUICE_ENUM: ended by NULL */
	int64_t min, max;           /* numbers, in the type's unit; both 0: no range */
	const char *doc;            /* one sentence */
};

struct sluice_field_type {
	const char *name;
	enum sluice_type type; /* SLUICE_BOOL, _INT, _DOUBLE or _STRING */
	const char *unit;      /* NULL where there is none */
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
	SLUICE_PARTIAL = 1,   /* a piece of something longer, or an end without a line end */
	SLUICE_TRUNCATED = 2, /* the body was cut */
	SLUICE_GAP = 4        /* something was lost; field "reason", and "count" if known */
};

#define SLUICE_NO_SEVERITY (-1)

struct sluice_value {
	const char *name;
	enum sluice_type type; /* as in struct sluice_field_type; 0: null */
	int64_t integer;       /* SLUICE_INT, SLUICE_BOOL */
	double number;         /* SLUICE_DOUBLE */
	const char *string;    /* SLUICE_STRING */
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
	int64_t time_ns;  /* since 1970; 0: now */
	int severity;     /* 0 emergency .. 7 debug, or SLUICE_NO_SEVERITY */
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
	/* Refuses the options, in open(): names one and says what is wrong with
	 * it.  Returns -EINVAL for open() to pass on.
	 */
	int (*refuse)(struct sluice_source *, const char *option, const char *message);

	/* Queues one event.  Waits while the hub is behind.  0; -ECANCELED once
	 * the source has to stop: the event was not taken, return from run().
	 */
	int (*emit)(struct sluice_source *, const struct sluice_event *);
	/* Queues a cursor without an event.  As emit(). */
	int (*commit)(struct sluice_source *, const struct sluice_cursor *);
	/* Sends what is queued, then waits for one of `fds` (poll(2)) or for
	 * `timeout_ms` (-1: for ever).  The number of ready fds, 0, or
	 * -ECANCELED once the source has to stop.
	 */
	int (*wait)(struct sluice_source *, struct pollfd *fds, size_t n, int timeout_ms);

	/* The newest committed cursors, in no order: the i-th, or -ENOENT. */
	int (*cursor)(struct sluice_source *, size_t i, struct sluice_cursor *ret);

	/* A line in sluice's log, the instance's name in front. */
	void (*log)(struct sluice_source *, enum sluice_log_level, const char *message);
	/* A figure for the status page; the newest value of each name is shown. */
	void (*counter)(struct sluice_source *, const char *name, uint64_t value);
	/* The instance's name in the configuration. */
	const char *(*name)(struct sluice_source *);
};

struct sluice_source {
	const struct sluice_host *host;
};

/* ---- the plugin ---------------------------------------------------------- */

struct sluice_plugin {
	uint32_t magic;
	uint32_t abi_version;
	size_t struct_size;
	const char *name;
	const char *version;
	const char *summary;
	const struct sluice_option *options; /* NULL: none */
	const struct sluice_event_type *events;

	/* Reads and checks the options; opens nothing yet, for `sluice check`
	 * calls it too.  0, or a negative errno after refuse().  May be NULL.
	 */
	int (*open)(struct sluice_source *, void **state);
	/* Runs until wait() or emit() say -ECANCELED; pass that on.  Another
	 * negative errno: something that may pass, start me again later (log it
	 * first).  -EINVAL: it will not pass, do not try again.
	 */
	int (*run)(struct sluice_source *, void *state);
	/* Frees `state`.  May be NULL. */
	void (*close)(struct sluice_source *, void *state);
};

#define SLUICE_PLUGIN_HEAD                                                                         \
	.magic = SLUICE_PLUGIN_MAGIC, .abi_version = SLUICE_ABI_VERSION,                           \
	.struct_size = sizeof(struct sluice_plugin)

#define SLUICE_PLUGIN_SYMBOL "sluice_plugin_entry"

/* Put this at the end of the plugin's file. */
#define SLUICE_PLUGIN(p)                                                                           \
	__attribute__((visibility("default"))) const struct sluice_plugin *sluice_plugin_entry(    \
		void);                                                                             \
	const struct sluice_plugin *sluice_plugin_entry(void)                                      \
	{                                                                                          \
		return &(p);                                                                       \
	}

#ifdef __cplusplus
}
#endif

#endif
