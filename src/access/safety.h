/* SPDX-License-Identifier: MIT
 *
 * safety - whether a browser was talked into a request by a page of somebody else.
 *
 * Host (DNS rebinding), Origin and Sec-Fetch-Site (Fetch standard; cross-site requests
 * in a user's name), and CORS for the origins that are configured.
 */
#ifndef SLUICE_ACCESS_SAFETY_H
#define SLUICE_ACCESS_SAFETY_H

#include "access/access.h"

/* 0, or an HTTP status with a sentence in `why`. */
int safety_check(const struct access *a, const struct handoff_request *r,
		 const struct identity *who, struct buf *why) must_check;

/* Appends the header fields that let a configured origin read the answer. */
void safety_put_headers(const struct access *a, const struct handoff_request *r, struct buf *out);

/* The answer to OPTIONS: header fields, the empty line. */
void safety_put_preflight(const struct access *a, const struct handoff_request *r, struct buf *out);

#endif
