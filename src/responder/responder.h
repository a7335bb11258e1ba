/* SPDX-License-Identifier: MIT
 *
 * responder - accepts FastCGI requests, answers what it can, hands over the rest.
 *
 *	PEEKING --head whole--> ASKING --verdict--> WRITING --stream--> handed over
 *	    \                     \                     \--answer--> closed
 *	     \--no request, late   \--no hub for 10 s: busy, closed
 *
 * It keeps nothing that matters: a responder may be killed at any moment and
 * no stream notices.
 */
#ifndef SLUICE_RESPONDER_RESPONDER_H
#define SLUICE_RESPONDER_RESPONDER_H

#include <stddef.h>

struct responder_config {
	const char *hub_socket;
	const char *prefix;
	const char *console_dir;
	int first_listen_fd; /* listening sockets, n of them, in a row */
	size_t n_listen;
};

/* Runs until SIGTERM; the process's exit status. */
int responder_main(const struct responder_config *config);

#endif
