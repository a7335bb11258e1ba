/* SPDX-License-Identifier: MIT
 *
 * emission - the events and cursors that a plugin gives its host: checked, put
 * into records, handed to the uplink.  And the host itself, as its parts see it.
 */
#ifndef SLUICE_HOST_EMISSION_H
#define SLUICE_HOST_EMISSION_H

#include "host/opening.h"
#include "host/reactor.h"
#include "host/tables.h"
#include "host/uplink.h"

enum { HOST_COUNTERS_MAX = 64 };

/* How the log line about an event or cursor begins that the host does not take. */
#define HOST_MISTAKE "the plugin's mistake: "

struct host {
	struct sluice_source src; /* first: what the plugin holds */
	struct uplink up;
	struct opening opening;
	struct sluice_plugin plugin;
	struct tables tables; /* the plugin's, in the form we know */
	void *state;          /* the plugin's */
	struct reactor *reactor;
	struct buf fields; /* of the event being emitted; reused */
	struct buf reload; /* settings that wait to be taken over */
	int wake_fd;
	char *spawn_trouble; /* owned: what was said last; NULL: it went well */
	bool has_mistaken;   /* a mistake of the plugin has been told */
	bool is_open;        /* the plugin's open() has returned well */
	bool is_left;        /* leave() has been called */
	int left_with;
	/* how many lines were logged since then, and how many not since that was told */
	int64_t log_window_ns;
	uint64_t n_logged, n_log_dropped;
	struct host_counter {
		char *name; /* owned */
		uint64_t value;
		int64_t sent_ns;
		bool waits; /* its value has not been sent */
	} counters[HOST_COUNTERS_MAX];
	size_t n_counters, n_counters_waiting;
};

static inline struct host *host_of(struct sluice_source *src)
{
	return container_of(src, struct host, src);
}

/* Of struct sluice_host: emit, commit, cursor, log. */
int host_emit(struct sluice_source *src, const struct sluice_event *in) must_check;
int host_commit(struct sluice_source *src, const struct sluice_cursor *c) must_check;
int host_cursor(struct sluice_source *src, size_t i, struct sluice_cursor *ret) must_check;
void host_log(struct sluice_source *src, enum sluice_log_level level, const char *message);

/* Tells how many lines were left out, once the second is over. */
void host_log_tell_dropped(struct host *h);

#endif
