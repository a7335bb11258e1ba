/* SPDX-License-Identifier: MIT
 *
 * subscription_builder - a subscription while its parameters are gathered: which channels, and what
 * of each.
 *
 * Each function returns 0, or an HTTP status with a sentence in `why`.
 */
#ifndef SLUICE_HUB_SUBSCRIPTION_BUILDER_H
#define SLUICE_HUB_SUBSCRIPTION_BUILDER_H

#include "hub/subscription_parse.h"

enum { FILTERS_MAX = 16 };

struct subscription_builder {
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

int builder_refuse(struct subscription_builder *a, const char *sentence);
int builder_add_channel(struct subscription_builder *a, const char *name);

/* grep= and exclude=, type= and source=, severity=, and filter= itself. */
int builder_add_grep(struct subscription_builder *a, struct str value, bool excludes);
int builder_add_one_of(struct subscription_builder *a, const char *subject, struct str values);
int builder_add_severity(struct subscription_builder *a, struct str value);
int builder_add_filter(struct subscription_builder *a, struct str text, const char *parameter);

/* The filter of each channel, once all is gathered. */
int builder_make_filters(struct subscription_builder *a);

#endif
