/* SPDX-License-Identifier: MIT
 *
 * hub_client - a responder's connection to the hub, made again whenever it breaks.
 */
#ifndef SLUICE_RESPONDER_HUB_CLIENT_H
#define SLUICE_RESPONDER_HUB_CLIENT_H

#include "loop/loop.h"
#include "wire/handoff.h"

struct hub_client_events {
	void (*connected)(void *ctx);                                /* ask everything again */
	void (*answered)(void *ctx, const struct handoff_answer *a); /* borrows `a` */
	void (*broken)(void *ctx);
	void (*failed)(void *ctx); /* there is no hub; tried again soon */
	void *ctx;
};

struct hub_client {
	struct loop *loop;
	const char *path; /* borrowed */
	struct hub_client_events on;
	int fd; /* -1 while there is no connection */
	struct loop_io io;
	struct loop_timer retry;
	char packet[HANDOFF_PACKET_MAX];
};

/* Connects, and keeps at it. */
void hub_client_open(struct hub_client *c, struct loop *loop, const char *path,
		     const struct hub_client_events *on);
void hub_client_close(struct hub_client *c);

/* 0; -EAGAIN when the hub is behind; -ENOTCONN. `fd` is passed if not negative. */
int hub_client_send(struct hub_client *c, const struct handoff_request *r, int fd) must_check;

#endif
