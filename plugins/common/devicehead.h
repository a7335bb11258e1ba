/* SPDX-License-Identifier: MIT
 *
 * devicehead - what stands in front of a syslog message without a version: a time,
 * and what network devices write around it.
 *
 *	Nov 27 10:00:00			RFC 3164
 *	2026-11-27T10:00:00.123+01:00	RFC 3339, with a blank instead of the T too
 *	Nov 27 2026 10:00:00:		Cisco ASA
 *	Nov 27 10:00:00 2026		H3C, Aruba
 *	Nov 27 2026 10:00:00+01:00 DST	Huawei
 *	123: sw1: *Nov 27 10:00:00.123 UTC:	Cisco IOS
 *	: 2026 Nov 27 10:00:00 UTC:	Cisco NX-OS
 */
#ifndef COMMON_DEVICEHEAD_H
#define COMMON_DEVICEHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/syslogmsg.h"

struct device_head {
	bool has_time;
	int64_t time_ns;
	bool is_over;                /* a colon ends it: no host follows */
	struct syslog_text sequence; /* Cisco's numbers */
	struct syslog_text host;     /* where it stands before the time */
};

/* How many of the bytes belong to the head, the blank behind it included; 0 when
 * there is none.
 */
size_t device_head_read(const char *p, size_t n, int64_t now_ns, struct device_head *ret);

#endif
