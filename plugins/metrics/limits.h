/* SPDX-License-Identifier: MIT
 *
 * limits - what the option thresholds says: above or below which level a value is an alarm, for
 * all devices or for those that a pattern names.
 */
#ifndef METRICS_LIMITS_H
#define METRICS_LIMITS_H

#include "metrics.h"

struct limit {
	struct limit *next;
	char *name;
	char *devices; /* a pattern; NULL: all of them */
	bool is_below;
	double level, until; /* until: where the alarm ends */
	bool has_percent;    /* one of them was written so */
	const struct value_name *value;
};

/* Reads the option: 0, or -EINVAL after refusing it, and *ret is NULL.  Owned by the caller. */
int limits_read(const struct state *s, struct limit **ret);
void limits_free(struct limit *all);
/* The one for a device's value, or the machine's (device NULL); NULL: there is none.  One that
 * names devices comes before one for all.
 */
struct limit *limits_find(struct limit *all, const char *name, const char *device, bool is_below);

#endif
