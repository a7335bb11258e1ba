/* SPDX-License-Identifier: MIT
 *
 * responder - accepts FastCGI requests, answers what it can, hands over the rest.
 *
 *	READING --head whole--> ASKING --verdict--> WRITING --stream--> handed over
 *	    \                     \                     \--answer--> closed
 *	     \--no request, late   \--no hub for 10 s: busy, closed
 *
 * It keeps nothing that matters: a responder may be killed at any moment and
 * no stream notices.
 */
#ifndef SLUICE_RESPONDER_RESPONDER_H
#define SLUICE_RESPONDER_RESPONDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { RESPONDER_LISTEN_MAX = 32 };

struct responder_config {
	const char *hub_socket;
	const char *prefix; /* where it is mounted, with blanks between; "" */
	const char *console_dir;
	const char *certificate;     /* parameter that names a certificate's holder; "" */
	const char *origins;         /* that may read here, a blank between */
	const char *frame_ancestors; /* as in a Content-Security-Policy */
	bool is_cgi;                 /* one request, from the environment, to standard output */
	int ping_fd;                 /* whoever asks there is echoed; 0: nobody does */
	int first_listen_fd;         /* else listening sockets, n of them, in a row */
	size_t n_listen;
	bool checks_peers;  /* who may connect to them: */
	const char *peers;  /* user ids, see base/peers.h */
	pid_t manager;      /* the web server's process that streams end with; 0: none */
	bool is_on_its_own; /* nobody ends it: it does so once its socket has no name any more */
	/* Called from time to time while there is no hub; or NULL.  NULL if one is on its
	 * way, else why none can be started, as a client may know it; the log is told if
	 * `tells`.
	 */
	const char *(*start_hub)(void *ctx, bool tells);
	void *ctx;
};

/* Runs until SIGTERM, or until the one request is over; the process's exit status. */
int responder_main(const struct responder_config *config);

#endif
