/* SPDX-License-Identifier: MIT
 *
 * address - where a socket listens, as people write it, and the socket itself.
 *
 *	udp:127.0.0.1:514   tcp:[::1]:601   tls:0.0.0.0:6514
 *	unix:/run/app.sock  unix-stream:/run/app.sock  unix-dgram:/run/app.log
 */
#ifndef SLUICE_BASE_ADDRESS_H
#define SLUICE_BASE_ADDRESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

enum address_kind {
	ADDRESS_UDP,
	ADDRESS_TCP,
	ADDRESS_TLS,
	ADDRESS_UNIX_STREAM,
	ADDRESS_UNIX_DGRAM
};

struct address {
	enum address_kind kind;
	char host[256]; /* without brackets; empty for a unix socket */
	char port[8];
	char path[108]; /* of a unix socket */
};

/* How the socket is to be. */
struct address_how {
	mode_t mode;       /* of a unix socket */
	uid_t owner;       /* of a unix socket; (uid_t)-1: the process's own */
	gid_t group;       /* (gid_t)-1: the process's own */
	int socket_type;   /* SOCK_SEQPACKET and such instead of the kind's; 0 */
	int receive_bytes; /* 0: the system's default */
};

/* The words that may stand before the colon, ended by NULL. */
extern const char *const address_words[];

/* 0, or -EINVAL with *why an owned sentence. */
int address_parse(const char *text, struct address *ret, char **why) must_check;

/* Why `text` begins with none of `words`: an owned sentence with all forms that these
 * have, and the one that was most likely meant.
 */
char *address_explain(const char *text, const char *const *words) must_check;

/* A bound socket, listening if it is of a stream type; or a negative errno with
 * *why an owned sentence.  A socket file that nobody listens on is replaced.
 */
int address_open(const struct address *a, const struct address_how *how, char **why) must_check;

#endif
