/* SPDX-License-Identifier: MIT
 *
 * asked - a subscription while its parameters are gathered: which channels, and what
 * of each.
 *
 * Each function returns 0, or an HTTP status with a sentence in `why`.
 */
#ifndef SLUICE_HUB_ASKED_H
#define SLUICE_HUB_ASKED_H

#include "hub/subscription_parse.h"

enum { FILTERS_MAX = 16 };

struct asked {
	struct hub *hub;
	const struct identity *who;
	struct subscription *s;
	enum subscription_use use;
	struct buf *why;
	/* Of each of s->channels: what a derived channel lets through of it, as
	 * alternatives; `all` when it was asked for itself.
	 */
	struct {
		struct buf text;
		bool all;
	} of[SUBSCRIPTION_CHANNELS_MAX];
	char *names[SUBSCRIPTION_CHANNELS_MAX]; /* as asked for; owned */
	size_t n_names;
	struct buf filter; /* all filters and shorthands, joined by "and" */
	size_t n_filters;
	struct filter *kept[FILTERS_MAX]; /* so that their regexes are compiled once; counted */
	size_t n_kept;
	uint64_t own_tail; /* of the channels, for who names no start */
	bool batches, is_unnamed, is_since;
	enum sse_data data;
	struct buf last_event_id; /* as a parameter, for want of the header */
	char format[16];
};

int asked_refuse(struct asked *a, const char *sentence);
int asked_add_channel(struct asked *a, const char *name);

/* grep= and exclude=, type= and source=, severity=, and filter= itself. */
int asked_add_grep(struct asked *a, struct str value, bool excludes);
int asked_add_one_of(struct asked *a, const char *subject, struct str values);
int asked_add_severity(struct asked *a, struct str value);
int asked_add_filter(struct asked *a, struct str text, const char *parameter);

/* The filter of each channel, once all is gathered. */
int asked_make_filters(struct asked *a);

#endif
