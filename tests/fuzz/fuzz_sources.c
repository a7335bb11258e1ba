/* SPDX-License-Identifier: MIT
 *
 * What strangers send to sources and sources to the hub: syslog messages and
 * their framing, JSON lines, packed settings, tables of a plugin.
 */
#include <stdlib.h>

#include "../../plugins/common/container.h"
#include "../../plugins/common/jsonline.h"
#include "../../plugins/common/logfmt.h"
#include "../../plugins/common/syslogmsg.h"
#include "../../plugins/common/weblog.h"
#include "../../plugins/syslog/framing.h"
#include "../../plugins/syslog/proxy.h"
#include "base/json.h"
#include "conf/packed.h"
#include "host/tables.h"
#include "wire/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 64, NOW = 1795240800 };

static void split(const char *p, size_t n, enum framing_mode mode)
{
	struct framing f = {0};
	char buffer[4096];
	size_t len = 0;
	for (size_t at = 0; at <= n;) {
		size_t take = (size_t)(unsigned char)(at < n ? p[at] : 1) + 1;
		take = MIN(take, n - at);
		bool at_end = at + take == n;
		memcpy(buffer + len, p + at, take);
		len += take;
		at += take;
		for (;;) {
			struct frame fr;
			size_t used;
			enum framing_result r =
				framing_next(&f, mode, MAX, buffer, len, at_end, &used, &fr);
			if (used > len || (r == FRAMING_FRAME && fr.n > MAX))
				abort();
			memmove(buffer, buffer + used, len - used);
			len -= used;
			if (r == FRAMING_BROKEN)
				return;
			if (r == FRAMING_MORE)
				break;
		}
		if (f.is_inside && len > MAX) {
			framing_forget(&f, len - MAX, true);
			len = MAX;
		}
		if (at_end)
			return;
	}
}

static void take_proxy(const char *p, size_t n)
{
	struct proxy whole = {0}, pieces = {0};
	struct sockaddr_storage from, same;
	size_t used = 0, at = 0;
	if (!n)
		return;
	enum proxy_result once = proxy_take(&whole, p, n, &used, &from);
	enum proxy_result r = PROXY_MORE;
	if (used > n)
		abort();
	for (size_t took; r == PROXY_MORE && at < n; at += took)
		r = proxy_take(&pieces, p + at, 1, &took, &same);
	if ((r == PROXY_DONE) != (once == PROXY_DONE) ||
	    (r == PROXY_DONE && (at != used || memcmp(&from, &same, sizeof(from)) != 0)))
		abort();
}

static void parse(const char *p, size_t n)
{
	static struct fields f;
	struct syslog_message m;
	struct jsonline j;
	struct logfmt_pair pair;
	struct container_line line;
	const char *at = p;
	while (logfmt_next(&at, p + n, &f, &pair))
		if (at > p + n)
			abort();
	for (int format = CONTAINER_DOCKER; format <= CONTAINER_CRI; format++)
		if (container_read((enum container_format)format, p, n, &f, &line) && line.len > n)
			abort();
	for (int format = SYSLOG_AUTO; format <= SYSLOG_RAW; format++) {
		fields_reset(&f);
		syslog_parse(p, n, (enum syslog_format)format, NOW * 1000000000LL, &m, &f);
		if (m.pri < 0 || m.pri > 191 || m.message.n > n || !syslog_facility(m.pri))
			abort();
	}
	fields_reset(&f);
	syslog_parse_line(p, n, NOW * 1000000000LL, &m, &f);
	static bool (*const web[])(const char *, size_t, int64_t, struct weblog *,
				   struct fields *) = {weblog_access, weblog_nginx,
						       weblog_apache_error, weblog_haproxy};
	for (size_t i = 0; i < sizeof(web) / sizeof(web[0]); i++) {
		struct weblog w = {0};
		fields_reset(&f);
		if (web[i](p, n, NOW * 1000000000LL, &w, &f) && w.message_len > n)
			abort();
	}
	fields_reset(&f);
	if (jsonline_parse(p, n, &j, &f)) {
		for (size_t i = 0; i < f.n; i++)
			if (f.all[i].type == SLUICE_JSON &&
			    !json_check((struct str){f.all[i].string, f.all[i].string_len}))
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > 3000)
		return 0;
	/* A copy of its own size, so that a byte too many is noticed. */
	size_t n = size - 1;
	char *p = malloc(n ? n : 1);
	struct tables t;
	struct buf scratch = {0};
	struct str s = {p, n}, fields;
	memcpy(p, data + 1, n);
	switch (data[0] % 4) {
	case 0:
		split(p, n, (enum framing_mode)(data[0] / 4 % 4));
		take_proxy(p, n);
		break;
	case 1: parse(p, n); break;
	case 2: settings_free(packed_get(s)); break;
	default:
		if (tables_get(s, &t) == 0 && !t.name)
			abort();
		tables_fini(&t);
		if (fields_clean(s, &scratch, &fields) == 0 && fields.len && json_check(fields))
			buf_reset(&scratch, 0);
		buf_fini(&scratch);
	}
	free(p);
	return 0;
}
