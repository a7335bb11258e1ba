/* SPDX-License-Identifier: MIT
 *
 * regexes - those of all open subscriptions: shared, searched for together once
 * they are many, and switched off when they would not end.
 */
#ifndef SLUICE_CHANNEL_REGEXES_H
#define SLUICE_CHANNEL_REGEXES_H

#include "filter/filter.h"
#include "loop/loop.h"

struct json;
struct regexes;

struct regexes *regexes_new(struct loop *l) must_check;
void regexes_free(struct regexes *r);

/* The regexes that clients ask for.  Those of sources' filters are in a pool of their own, so no
 * request can switch them off.
 */
struct regex_pool *regexes_pool(struct regexes *r);
struct regex_pool *regexes_pool_of_sources(struct regexes *r);

/* For matching in the loop: events that are published, and events that sources send. */
struct filter_run *regexes_run(struct regexes *r);
struct filter_run *regexes_run_of_sources(struct regexes *r);

/* Some have come or gone: a set of all is made when it is worth it, soon and off
 * the loop.
 */
void regexes_changed(struct regexes *r);

/* It is likely to be asked for again in a moment: its regexes need not be compiled
 * anew then.  May be NULL.
 */
void regexes_keep_warm(struct regexes *r, struct filter *f);

/* It went over its limit: nobody runs it for a while. */
void regexes_switch_off(struct regexes *r, struct regex *slow);

/* All of it together takes too long: nobody is given it for a while. */
void regexes_switch_off_filter(struct regexes *r, const struct filter *f);
bool regexes_filter_is_off(const struct regexes *r, const struct filter *f) must_check;

/* Counters, for /status. */
void regexes_report(const struct regexes *r, struct json *j);

#endif
