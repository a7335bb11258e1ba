/* SPDX-License-Identifier: MIT
 *
 * params - what a FastCGI request asks, parsed by libfcgi.
 *
 * libfcgi reads from a socket of its own, which holds the plainest form of a head
 * that has been checked, and ends behind it: it can neither wait for the front
 * server nor see anything that the check has not (2.4.2 stumbles over padding
 * behind BEGIN_REQUEST).
 */
#ifndef SLUICE_RESPONDER_PARAMS_H
#define SLUICE_RESPONDER_PARAMS_H

#include "wire/fcgi.h"

struct params {
	uint16_t id; /* FastCGI request id */
	/* each owned and never NULL; "" when not sent */
	char *method, *script_name, *path_info, *query, *accept, *accept_encoding, *last_event_id,
		*address, *user, *if_none_match, *content_type, *host, *origin, *fetch_site,
		*fetch_mode, *cookie, *verify, *software, *protocol, *prefix, *server_port, *port,
		*via, *forwarded_for, *forwarded, *forwarded_server, *real_ip, *varnish;
	char *certificate; /* of the parameter that the configuration names */
};

/* Prepares libfcgi, and puts back the signal handlers that it replaces.
 * 0 or a negative errno.
 */
int params_init(void) must_check;

/* `certificate` names the parameter of a client certificate's holder, or is "".  0, or
 * -EBADMSG when libfcgi does not take it for a request, or -EEXIST when something that
 * identifies somebody is there twice, be it once with "-" and once with "_".
 */
int params_read(const struct fcgi_request *request, const char *certificate,
		struct params *ret) must_check;
/* The same of a CGI program (RFC 3875). */
int params_read_environment(const char *certificate, struct params *ret) must_check;

void params_fini(struct params *p);

#endif
