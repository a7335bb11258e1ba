/* SPDX-License-Identifier: MIT
 *
 * reception - what is asked, by whom, and what the answer is.
 */
#ifndef SLUICE_HUB_RECEPTION_H
#define SLUICE_HUB_RECEPTION_H

#include "hub/hub.h"
#include "hub/responder_server.h"

/* A question: answered through the responder_server at once. */
void reception_ask(struct hub *h, struct connection *c, const struct handoff_request *r);

/* Its head is written; takes `fd`, which from here on is the hub's alone. */
void reception_take(struct hub *h, const struct handoff_request *r, int fd);

#endif
