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

#include "conf/settings.h"
#include "loop/loop.h"
#include "wire/handoff.h"

struct gate;
struct connection; /* of one responder */

/* What the gate calls for what comes in. */
struct gate_calls {
	/* A question, to be answered by gate_answer() at once. */
	void (*ask)(void *ctx, struct connection *c, const struct handoff_request *r);
	/* Its head is written; takes `fd`. */
	void (*take)(void *ctx, const struct handoff_request *r, int fd);
	/* Whether there are descriptors for another one. */
	bool (*has_room)(void *ctx);
	void *ctx;
};

/* Takes `fd`, a listening socket.  0 or a negative errno, *why an owned sentence. */
int gate_open(struct gate **ret, struct loop *l, const struct hub_settings *s, int fd,
	      const struct gate_calls *calls, char **why) must_check;

/* Answers its request of that number; it is cut off when it does not take it. */
void gate_answer(struct connection *c, uint32_t serial, enum handoff_verdict verdict,
		 struct str bytes);

/* The settings are others. */
void gate_reload(struct gate *g, const struct hub_settings *s);

/* Whether no responder is connected; NULL: none is. */
bool gate_is_idle(const struct gate *g) must_check;

/* Ends all connections; nothing for NULL.  The listening socket lives on in the supervisor,
 * so requests wait there for the next hub.
 */
void gate_close(struct gate *g);

#endif
