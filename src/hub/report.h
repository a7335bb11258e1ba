/* SPDX-License-Identifier: MIT
 *
 * report - what the hub says about itself, as JSON documents.
 *
 * Each returns the HTTP status that goes with the body.
 */
#ifndef SLUICE_HUB_REPORT_H
#define SLUICE_HUB_REPORT_H

#include "hub/hub.h"

/* Of the channels that the client may read: names, newest and oldest ids, counts of events and
 * bytes. */
int report_channels(struct hub *h, const struct identity *who, struct buf *body) must_check;
/* Everything that an operator asks for, sources included; for the administrator of some
 * channels what is theirs.
 */
int report_status(struct hub *h, const struct identity *who, struct buf *body) must_check;
/* 200 once every source runs, else 503. */
int report_ready(struct hub *h, const struct identity *who, struct buf *body) must_check;

#endif
