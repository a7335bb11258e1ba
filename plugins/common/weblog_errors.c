/* SPDX-License-Identifier: MIT */
#include "common/times.h"
#include "common/weblog_parts.h"

/* ---- nginx ------------------------------------------------------------------------------ */

/* The place of `what` outside quotes, or NULL. */
static const char *find_unquoted(struct text t, const char *what)
{
	bool quoted = false;
	for (; t.n; text_advance(&t, 1)) {
		if (*t.p == '"')
			quoted = !quoted;
		else if (!quoted && text_begins(t, what))
			return t.p;
	}
	return NULL;
}

/* , client: a, server: b, request: "c", ... */
static void put_context(struct fields *f, struct text message)
{
	const char *at = find_unquoted(message, ", client: ");
	if (!at)
		return;
	struct text rest = text_between(at, message.p + message.n), name, value;
	while (text_begins(rest, ", ")) {
		text_advance(&rest, 2);
		if (!text_take_until(&rest, ':', &name) || !text_take(&rest, ' '))
			return;
		if (!text_take_quoted(&rest, &value)) {
			const char *comma = memmem(rest.p, rest.n, ", ", 2);
			value = (struct text){rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
			text_advance(&rest, value.n);
		}
		if (text_is(name, "request"))
			weblog_put_request(f, value);
		else if (text_is(name, "client") || text_is(name, "server") ||
			 text_is(name, "upstream") || text_is(name, "subrequest") ||
			 text_is(name, "host") || text_is(name, "login"))
			text_put(f, fields_copy(f, name.p, name.n), value);
		else if (text_is(name, "referrer"))
			text_put(f, "referer", value);
	}
}

/* pid#tid: *connection message */
static void take_process(struct fields *f, struct text *line)
{
	struct text rest = *line, pid, tid, connection = {0};
	if (!text_take_until(&rest, '#', &pid) || !text_take_until(&rest, ':', &tid) ||
	    !text_is_number(pid) || !text_is_number(tid))
		return;
	text_take_blanks(&rest);
	*line = rest;
	if (text_take(&rest, '*'))
		connection = text_take_word(&rest);
	text_put_number(f, "pid", pid);
	text_put_number(f, "tid", tid);
	if (text_is_number(connection)) {
		text_put_number(f, "connection", connection);
		*line = rest;
	}
}

bool weblog_nginx(const char *p, size_t n, int64_t now_ns, struct weblog *ret, struct fields *f)
{
	enum { STAMP = 19 };
	struct text line = {p, n}, level;
	if (n < STAMP || !times_read_by("%Y/%m/%d %H:%M:%S", p, STAMP, now_ns, &ret->time_ns))
		return weblog_access(p, n, now_ns, ret, f);
	text_advance(&line, STAMP);
	text_take_blanks(&line);
	if (!text_take(&line, '[') || !text_take_until(&line, ']', &level) ||
	    !weblog_put_level(f, level, &ret->severity))
		return false;
	text_take_blanks(&line);
	take_process(f, &line);
	put_context(f, line);
	ret->message = line.p;
	ret->message_len = line.n;
	return true;
}

/* ---- Apache ----------------------------------------------------------------------------- */

/* pid 123, pid 123:tid 456 */
static void put_pid(struct fields *f, struct text t)
{
	text_take_word(&t);
	struct text pid = t;
	const char *tid = memmem(t.p, t.n, ":tid ", 5);
	if (tid) {
		pid = text_between(t.p, tid);
		text_put_number(f, "tid", text_between(tid + 5, t.p + t.n));
	}
	text_put_number(f, "pid", pid);
}

/* Apache 2.4, which names its process, writes the port behind every address, also
 * behind an IPv6 one.
 */
static void put_peer(struct fields *f, struct text t, bool with_port)
{
	text_take_word(&t);
	struct text host, port;
	const char *colon = t.n ? memrchr(t.p, ':', t.n) : NULL;
	bool has_port = weblog_split_port(t, &host, &port);
	if (!has_port && with_port && colon) {
		host = text_between(t.p, colon);
		port = text_between(colon + 1, t.p + t.n);
		has_port = true;
	}
	text_put(f, "client", has_port ? host : t);
	if (has_port)
		text_put_number(f, "client_port", port);
}

/* AH01630, perhaps behind "(13)Permission denied: ". */
static void put_code(struct fields *f, struct text t)
{
	const char *at = text_begins(t, "(") ? memmem(t.p, t.n, ": AH", 4) : NULL;
	if (at)
		t = text_between(at + 2, t.p + t.n);
	if (t.n > 7 && text_begins(t, "AH") && text_is_number((struct text){t.p + 2, 5}) &&
	    t.p[7] == ':')
		text_put(f, "code", (struct text){t.p, 7});
}

/* "(13)Permission denied: " stands before "[client ADDRESS] ": what is behind both. */
static struct text behind_status(struct fields *f, struct text line, bool has_pid)
{
	struct text rest = line, part;
	if (!text_take(&rest, '(') || !text_take_until(&rest, ')', &part) || !part.n ||
	    part.p[0] < '0' || part.p[0] > '9')
		return line;
	const char *end = rest.n ? memmem(rest.p, rest.n, ": ", 2) : NULL;
	if (!end)
		return line;
	rest = text_between(end + 2, rest.p + rest.n);
	line = rest;
	if (!text_take(&rest, '[') || !text_take_until(&rest, ']', &part) ||
	    !text_begins(part, "client "))
		return line;
	put_peer(f, part, has_pid);
	text_take_blanks(&rest);
	return rest;
}

bool weblog_apache_error(const char *p, size_t n, int64_t now_ns, struct weblog *ret,
			 struct fields *f)
{
	struct text line = {p, n}, part;
	if (!text_take(&line, '[') || !text_take_until(&line, ']', &part) ||
	    !times_read(part.p, part.n, now_ns, &ret->time_ns))
		return false;
	text_take_blanks(&line);
	bool has_pid = false;
	for (bool has_level = false;;) {
		struct text rest = line;
		if (!text_take(&rest, '[') || !text_take_until(&rest, ']', &part))
			break;
		if (text_begins(part, "pid ")) {
			put_pid(f, part);
			has_pid = true;
		} else if (text_begins(part, "client ") || text_begins(part, "remote "))
			put_peer(f, part, has_pid);
		else if (!has_level && weblog_put_level(f, part, &ret->severity))
			has_level = true;
		else
			break;
		line = rest;
		text_take_blanks(&line);
	}
	put_code(f, behind_status(f, line, has_pid));
	const char *referer = memmem(line.p, line.n, ", referer: ", 11);
	if (referer)
		text_put(f, "referer", text_between(referer + 11, line.p + line.n));
	ret->message = line.p;
	ret->message_len = line.n;
	return true;
}
