/* SPDX-License-Identifier: MIT
 *
 * syslogmsg - one syslog message: RFC 3164, RFC 5424, and what real programs
 * send instead.
 *
 * Nothing is refused: what cannot be understood stays in the message.
 */
#ifndef COMMON_SYSLOGMSG_H
#define COMMON_SYSLOGMSG_H

#include "common/fields.h"

enum syslog_format { SYSLOG_AUTO, SYSLOG_RFC3164, SYSLOG_RFC5424, SYSLOG_RAW };

struct syslog_text {
	const char *p;
	size_t n; /* 0: it is not there */
};

struct syslog_message {
	int pri; /* 13 when there is no good one */
	bool has_pri;
	bool is_damaged; /* the header breaks the rules: it stays in the message */
	bool has_time;
	int64_t time_ns;
	struct syslog_text host, app, pid, msgid;
	struct syslog_text message;
};

/* Reads the message of `n` bytes, borrowing it; structured data becomes fields
 * "sd.ID.NAME" in `f`.  `now_ns` gives RFC 3164's year.
 */
void syslog_parse(const char *p, size_t n, enum syslog_format format, int64_t now_ns,
		  struct syslog_message *ret, struct fields *f);

/* The same of a line of a log file: the priority may be missing. */
void syslog_parse_line(const char *p, size_t n, int64_t now_ns, struct syslog_message *ret,
		       struct fields *f);

/* "kern" .. "local7" of a PRI. */
const char *syslog_facility(int pri);

#endif
