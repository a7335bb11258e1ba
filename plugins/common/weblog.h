/* SPDX-License-Identifier: MIT
 *
 * weblog - the lines that web servers and proxies write, as the parts of an event.
 *
 * Each function returns whether the line is of its form.  If it is not, `ret` and
 * fields may hold parts of it.  All strings are borrowed from the line.
 *
 *	weblog_errors.c   the error logs of nginx and Apache
 *	weblog_access.c   access logs
 *	weblog_haproxy.c
 *	weblog_caddy.c
 *	weblog_parts.c    what they have in common
 */
#ifndef COMMON_WEBLOG_H
#define COMMON_WEBLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fields.h"

struct weblog {
	int64_t time_ns; /* 0: none */
	int severity;    /* or SLUICE_NO_SEVERITY */
	const char *message;
	size_t message_len;
};

/* The common and the combined log format, with the server's name and port before
 * them ("vhost_combined"), a list of addresses as the client, and in nginx's way
 * with the forwarded addresses at the end.
 */
bool weblog_access(const char *p, size_t n, int64_t now_ns, struct weblog *ret, struct fields *f);
/* nginx's error log; its access log too. */
bool weblog_nginx(const char *p, size_t n, int64_t now_ns, struct weblog *ret, struct fields *f);
/* The error log of Apache 2.2 and 2.4. */
bool weblog_apache_error(const char *p, size_t n, int64_t now_ns, struct weblog *ret,
			 struct fields *f);
/* haproxy's HTTP and TCP logs and its other messages, with or without the header that
 * a syslog daemon writes before them.
 */
bool weblog_haproxy(const char *p, size_t n, int64_t now_ns, struct weblog *ret, struct fields *f);

/* caddy's log, after its JSON has become fields and `ret`: gives the fields of a request
 * the names that other access logs have.
 */
void weblog_caddy(struct weblog *ret, struct fields *f);

/* What a status of HTTP means for the severity; 0: the client got no answer. */
int weblog_severity(int status);

#endif
