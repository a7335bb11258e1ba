/* SPDX-License-Identifier: MIT
 *
 * quota - how many streams are open of one client address, or one user.
 */
#ifndef SLUICE_STREAM_QUOTA_H
#define SLUICE_STREAM_QUOTA_H

#include "base/buf.h"

struct quota;
struct quota_entry;

struct quota *quota_new(void) must_check;
void quota_free(struct quota *q);

/* How many are counted under `name`. */
uint64_t quota_count(const struct quota *q, struct str name) must_check;

/* Counts one more; NULL for an empty name, of which none is counted. */
struct quota_entry *quota_take(struct quota *q, struct str name) must_check;
/* The name that it counts for, as long as it is counted; "" for NULL. */
char *quota_name(struct quota_entry *e) must_check;
/* `e` may be NULL. */
void quota_give(struct quota_entry *e);

#endif
