/* SPDX-License-Identifier: MIT
 *
 * gate - where responders come in: their questions, answers, and descriptors.
 *
 * One SEQPACKET connection per responder process.  The hub never waits for a
 * responder: one that does not read its answers is cut off and asks again.
 *
 * What comes while a turn is late waits for the next one, in turns of the clients: one
 * whose filters take long to parse and compile delays nobody but itself.
 */
#ifndef SLUICE_HUB_GATE_H
#define SLUICE_HUB_GATE_H

#include "hub/hub.h"
#include "wire/door.h"

/* Takes `fd`, a listening socket.  0 or a negative errno, *why an owned sentence. */
int gate_open(struct hub *h, int fd, char **why) must_check;

struct connection; /* of one responder */

/* Answers its request of that number; it is cut off when it does not take it. */
void gate_answer(struct connection *c, uint32_t serial, enum door_verdict verdict,
		 struct str bytes);

/* The settings are others. */
void gate_reload(struct hub *h);

/* Whether no responder is connected. */
bool gate_is_idle(const struct hub *h);

/* Ends all connections.  The listening socket lives on in the supervisor, so
 * requests wait there for the next hub.
 */
void gate_close(struct hub *h);

#endif
