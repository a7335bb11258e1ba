/* SPDX-License-Identifier: MIT
 *
 * responder_server - where responders come in: their questions, answers, and descriptors.
 *
 * One SEQPACKET connection per responder process.  The hub never waits for a
 * responder: one that does not read its answers is cut off and asks again.
 *
 * What comes while a turn is late waits for the next one, in turns of the clients: one
 * whose filters take long to parse and compile delays nobody but itself.
 */
#ifndef SLUICE_HUB_RESPONDER_SERVER_H
#define SLUICE_HUB_RESPONDER_SERVER_H

#include "conf/settings.h"
#include "loop/loop.h"
#include "wire/handoff.h"

struct responder_server;
struct connection; /* of one responder */

/* What it calls for what comes in. */
struct responder_calls {
	/* A question, to be answered by responder_server_answer() at once. */
	void (*ask)(void *ctx, struct connection *c, const struct handoff_request *r);
	/* Its head is written; takes `fd`.  `c`: NULL when the responder is gone since. */
	void (*take)(void *ctx, const struct connection *c, const struct handoff_request *r,
		     int fd);
	/* There will be no take() for that question, or for any of that connection: the client
	 * is gone, or the responder.
	 */
	void (*drop)(void *ctx, const struct connection *c, uint32_t serial);
	void (*gone)(void *ctx, const struct connection *c);
	/* Whether there are descriptors for another one. */
	bool (*has_room)(void *ctx);
	void *ctx;
};

/* Takes `fd`, a listening socket.  0 or a negative errno, *why an owned sentence. */
int responder_server_open(struct responder_server **ret, struct loop *l,
			  const struct hub_settings *s, int fd, const struct responder_calls *calls,
			  char **why) must_check;

/* Answers its request of that number; it is cut off when it does not take it. */
void responder_server_answer(struct connection *c, uint32_t serial, enum handoff_verdict verdict,
			     struct str bytes);

/* The settings are others. */
void responder_server_reload(struct responder_server *srv, const struct hub_settings *s);

/* Whether no responder is connected; NULL: none is. */
bool responder_server_is_idle(const struct responder_server *srv) must_check;

/* Ends all connections; nothing for NULL.  The listening socket lives on in the supervisor,
 * so requests wait there for the next hub.
 */
void responder_server_close(struct responder_server *srv);

#endif
