/* SPDX-License-Identifier: MIT
 *
 * dispatch - what is asked, by whom, and what the answer is.
 */
#ifndef SLUICE_HUB_DISPATCH_H
#define SLUICE_HUB_DISPATCH_H

#include <stdint.h>

struct connection;
struct handoff_request;
struct hub;

struct dispatch {
	uint64_t n_refused; /* clients that were told that it is busy */
};

/* A question: answered through the responder_server at once. */
void dispatch_ask(struct hub *h, struct connection *c, const struct handoff_request *r);

/* Its head is written; takes `fd`, which from here on is the hub's alone. */
void dispatch_take(struct hub *h, const struct connection *c, const struct handoff_request *r,
		   int fd);

#endif
