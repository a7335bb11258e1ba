/* SPDX-License-Identifier: MIT
 *
 * channel - a named row of events: takes them in, journals them, publishes them.
 *
 * The order is the promise: cleaned and named, then in the journal together
 * with their cursors, and only then shown to any tap.
 */
#ifndef SLUICE_CHANNEL_CHANNEL_H
#define SLUICE_CHANNEL_CHANNEL_H

#include "base/list.h"
#include "conf/settings.h"
#include "journal/journal.h"

struct channel;
struct registry;

/* One that is shown what a channel publishes, in the order of the ids.  Embedded in what
 * wants to see it; it may remove itself while it is called.
 */
struct channel_tap {
	struct list link; /* in channel.taps */
	void (*on_event)(struct channel_tap *t, struct channel *c, const struct event *ev);
	/* channel.unpublished has changed: another event, or none, waits for the disk first. */
	void (*on_released)(struct channel_tap *t);
};

struct channel {
	struct registry *registry;
	struct channel_settings settings; /* its name is owned */
	bool is_removed;                  /* from the configuration; for who still reads it */
	struct journal journal;
	struct commit *commit; /* of durability disk, else NULL */
	event_id unpublished;  /* the first event that waits for the disk; 0: none */
	event_id lately[2];    /* the newest event some seconds ago, and before that */
	struct list taps;      /* of struct channel_tap */
	struct list spare;     /* empty batches, whose memory is used again */
	size_t n_spare;
	struct buf scratch;
	uint64_t n_gaps; /* declared by sources, since the start */
	bool is_stuck;   /* the last append failed; see channel_is_stuck() */
	size_t n_users;  /* pages, and changes to come, that name it */
};

/* Opens the channel's journal.  0 or a negative errno, *why an owned sentence.  Nothing
 * can be taken in before channel_begin().
 */
int channel_open(struct registry *r, const struct channel_settings *settings, struct channel **ret,
		 char **why) must_check;
/* Call this once the epoch is final.  Errors as above. */
int channel_begin(struct channel *c, char **why) must_check;
void channel_close(struct channel *c);

/* From now on `t`, which has its functions, is shown what is published; until
 * channel_remove_tap().
 */
void channel_add_tap(struct channel *c, struct channel_tap *t);
void channel_remove_tap(struct channel_tap *t);

/* A removed channel is not closed while anything holds it or has a tap on it. */
void channel_hold(struct channel *c);
void channel_release(struct channel *c);

/* Other settings under the same name.  Views that are open keep their pace. */
void channel_change(struct channel *c, const struct channel_settings *settings);

struct filter;
struct redactor;

/* What became of the events of one frame. */
struct channel_taken {
	uint64_t n_events, n_filtered, n_redacted;
};

/* Where events come from, and what is done to them first: secrets are taken out, then
 * the filter (NULL: all) decides.
 */
struct channel_from {
	const char *source;
	const struct filter *filter;
	struct redactor *redactor; /* NULL: nothing is secret */
};

/* Takes in the records of one frame, without the events that the filter rejects.  Either the
 * whole frame is taken or nothing.  Returns 0; -EBADMSG when the records are malformed; -E2BIG
 * when the source has too many cursors.  On -EAGAIN (the disk is behind) or another negative
 * errno (the journal cannot be written), offer the same frame again later.
 */
int channel_take(struct channel *c, const struct channel_from *from, struct str records,
		 struct channel_taken *taken) must_check;

/* To be called every few seconds, for channel_is_live_from(). */
void channel_note_time(struct channel *c);
/* Whether all events after `id` came within the last moments: since the last call but one of
 * channel_note_time().  If so, a client with this cursor counts as live, and does not need the
 * right to read history.
 */
bool channel_is_live_from(const struct channel *c, event_id id) must_check;

/* Where in a secret the newest events of a source have ended (redact_place()). */
int channel_redact_place(const struct registry *r, const char *source) must_check;

/* Whether its journal, or its disk, takes nothing now. */
bool channel_is_stuck(const struct channel *c) must_check;

#endif
