/* SPDX-License-Identifier: MIT
 *
 * link - a responder's connection to the hub, made again whenever it breaks.
 */
#ifndef SLUICE_RESPONDER_LINK_H
#define SLUICE_RESPONDER_LINK_H

#include "loop/loop.h"
#include "wire/door.h"

struct link_events {
	void (*connected)(void *ctx);                             /* ask everything again */
	void (*answered)(void *ctx, const struct door_answer *a); /* borrows `a` */
	void (*broken)(void *ctx);
	void (*failed)(void *ctx); /* there is no hub; tried again soon */
	void *ctx;
};

struct link {
	struct loop *loop;
	const char *path; /* borrowed */
	struct link_events on;
	int fd; /* -1 while there is no connection */
	struct loop_io io;
	struct loop_timer retry;
	char packet[DOOR_PACKET_MAX];
};

/* Connects, and keeps at it. */
void link_open(struct link *l, struct loop *loop, const char *path, const struct link_events *on);
void link_close(struct link *l);

/* 0; -EAGAIN when the hub is behind; -ENOTCONN. `fd` is passed if not negative. */
int link_send(struct link *l, const struct door_request *r, int fd) must_check;

#endif
