/* SPDX-License-Identifier: MIT
 *
 * admissions - those that were let in and whose descriptor has not come yet.
 *
 *	ASK --> keep --> claim (TAKE)
 *	          \----> gone: the client, its responder, MAX_AGE, other settings
 *
 * By responder and serial number.  A TAKE that finds none is a question once more: it was
 * answered by an earlier hub, or under other settings.
 */
#ifndef SLUICE_HUB_ADMISSIONS_H
#define SLUICE_HUB_ADMISSIONS_H

#include "base/list.h"
#include "base/table.h"
#include "loop/loop.h"
#include "stream/admission.h"

struct connection;

struct admissions {
	struct loop *loop; /* borrowed */
	struct table by_key;
	struct list by_age; /* oldest first */
	struct loop_timer expiry;
};

void admissions_init(struct admissions *all, struct loop *l);
void admissions_fini(struct admissions *all);

/* Takes what `a` holds. */
void admissions_keep(struct admissions *all, const struct connection *c, uint32_t serial,
		     struct admission *a);

/* Gives it back, owned; false when there is none. */
bool admissions_claim(struct admissions *all, const struct connection *c, uint32_t serial,
		      struct admission *ret) must_check;

/* Those of a responder that is gone. */
void admissions_drop_of(struct admissions *all, const struct connection *c);
void admissions_drop_all(struct admissions *all);

#endif
