/* SPDX-License-Identifier: MIT */
#include "common/weblog.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/severity.h"
#include "common/stamp.h"
#include "common/syslogmsg.h"
#include "common/times.h"

enum { STAMP_MAX = 80 }; /* bytes of a time in brackets, with the bracket */

struct text {
	const char *p;
	size_t n;
};

static struct text text_between(const char *from, const char *to)
{
	return (struct text){from, (size_t)(to - from)};
}

static bool text_is(struct text t, const char *want)
{
	return strlen(want) == t.n && memcmp(t.p, want, t.n) == 0;
}

static bool begins(struct text t, const char *want)
{
	size_t n = strlen(want);
	return t.n >= n && memcmp(t.p, want, n) == 0;
}

static bool all_digits(struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (!isdigit((unsigned char)t.p[i]))
			return false;
	return t.n > 0 && t.n < 19;
}

static int64_t number_of(struct text t)
{
	int64_t v = 0;
	bool minus = t.n && *t.p == '-';
	for (size_t i = minus; i < t.n && i < 18 && isdigit((unsigned char)t.p[i]); i++)
		v = v * 10 + t.p[i] - '0';
	return minus ? -v : v;
}

static void advance(struct text *t, size_t n)
{
	t->p += n;
	t->n -= n;
}

static bool take_char(struct text *t, char c)
{
	if (!t->n || *t->p != c)
		return false;
	advance(t, 1);
	return true;
}

static void take_blanks(struct text *t)
{
	while (take_char(t, ' '))
		;
}

/* Up to the next blank or the end, and the blanks behind it. */
static struct text take_word(struct text *t)
{
	const char *from = t->p, *blank = memchr(t->p, ' ', t->n);
	size_t n = blank ? (size_t)(blank - from) : t->n;
	advance(t, n);
	take_blanks(t);
	return (struct text){from, n};
}

/* The text up to `stop`, which is skipped; false: there is none. */
static bool take_until(struct text *t, char stop, struct text *ret)
{
	const char *at = t->n ? memchr(t->p, stop, t->n) : NULL;
	if (!at)
		return false;
	*ret = text_between(t->p, at);
	advance(t, ret->n + 1);
	return true;
}

/* "text" with \" in it, and the blanks behind it. */
static bool take_quoted(struct text *t, struct text *ret)
{
	if (!t->n || *t->p != '"')
		return false;
	for (size_t i = 1; i < t->n; i++) {
		if (t->p[i] == '\\')
			i++;
		else if (t->p[i] == '"') {
			*ret = (struct text){t->p + 1, i - 1};
			advance(t, i + 1);
			take_blanks(t);
			return true;
		}
	}
	return false;
}

static void put(struct fields *f, const char *name, struct text t)
{
	if (t.n && !text_is(t, "-"))
		fields_str(f, name, t.p, t.n);
}

static void put_number(struct fields *f, const char *name, struct text t)
{
	if (all_digits(t))
		fields_int(f, name, number_of(t));
	else
		put(f, name, t);
}

/* ---- requests -------------------------------------------------------------------------- */

int weblog_severity(int status)
{
	return status >= 500 ? 3 : status >= 400 || status < 100 ? 4 : 6;
}

static bool is_method(struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (!isupper((unsigned char)t.p[i]) && t.p[i] != '-' && t.p[i] != '_')
			return false;
	return t.n > 0 && t.n <= 24;
}

static bool is_protocol(struct text t)
{
	size_t i = 0;
	while (i < t.n && isupper((unsigned char)t.p[i]))
		i++;
	return i > 0 && i < t.n && t.p[i] == '/';
}

/* METHOD path PROTOCOL; blanks in the path are part of it. */
static void put_request(struct fields *f, struct text t)
{
	struct text rest = t, method = take_word(&rest);
	if (!rest.n || !is_method(method)) {
		put(f, "request", t);
		return;
	}
	const char *last = memrchr(rest.p, ' ', rest.n);
	struct text protocol = {0};
	if (last)
		protocol = text_between(last + 1, rest.p + rest.n);
	if (is_protocol(protocol))
		rest.n = (size_t)(last - rest.p);
	else
		protocol.n = 0;
	put(f, "method", method);
	put(f, "path", rest);
	put(f, "protocol", protocol);
}

/* ---- access logs -------------------------------------------------------------------------- */

static int count_words(struct text t)
{
	int n = 0;
	while (t.n) {
		take_word(&t);
		n++;
	}
	return n;
}

/* example.com:443, 192.0.2.1:80, [2001:db8::1]:443: a name or address and a port. */
static bool split_port(struct text t, struct text *host, struct text *port)
{
	const char *colon = t.n ? memrchr(t.p, ':', t.n) : NULL;
	if (!colon)
		return false;
	*host = text_between(t.p, colon);
	*port = text_between(colon + 1, t.p + t.n);
	bool in_brackets = host->n > 1 && *host->p == '[' && host->p[host->n - 1] == ']';
	if (in_brackets)
		*host = (struct text){host->p + 1, host->n - 2};
	return host->n && all_digits(*port) && port->n <= 5 &&
	       (in_brackets || !memchr(host->p, ':', host->n));
}

static bool is_address(struct text t)
{
	return t.n > 2 && (memchr(t.p, '.', t.n) || memchr(t.p, ':', t.n));
}

/* One address, or a list of them as proxies write it. */
static void put_client(struct fields *f, struct text *head)
{
	struct text list = take_word(head);
	const char *from = list.p;
	while (list.n && list.p[list.n - 1] == ',' && head->n) {
		struct text next = take_word(head);
		list = text_between(from, next.p + next.n);
	}
	const char *comma = list.n ? memchr(list.p, ',', list.n) : NULL;
	if (!comma) {
		put(f, "client", list);
		return;
	}
	put(f, "client", text_between(list.p, comma));
	put(f, "forwarded_for", list);
}

/* [vhost:port] client [ident] user; a user's name may have blanks. */
static void put_head(struct fields *f, struct text head)
{
	struct text rest = head, first = take_word(&rest), second = rest, host, port;
	second = take_word(&second);
	if (second.n && second.p[second.n - 1] == ',')
		second.n--;
	if (count_words(head) >= 4 && is_address(second) && split_port(first, &host, &port)) {
		put(f, "vhost", host);
		put_number(f, "port", port);
		head = rest;
	}
	put_client(f, &head);
	if (count_words(head) > 1)
		put(f, "ident", take_word(&head));
	while (head.n && head.p[head.n - 1] == ' ')
		head.n--;
	if (!text_is(head, "\"\""))
		put(f, "user", head);
}

/* The first brackets that hold a time; head is what stands before them. */
static bool take_head(struct text *line, int64_t now_ns, struct text *head, int64_t *ns)
{
	const char *from = line->p;
	struct text rest = *line, skipped, stamp;
	while (take_until(&rest, '[', &skipped)) {
		struct text behind = {rest.p, rest.n < STAMP_MAX ? rest.n : STAMP_MAX};
		if (!take_until(&behind, ']', &stamp))
			continue;
		behind.n = (size_t)(from + line->n - behind.p);
		if (stamp_clf(stamp.p, stamp.n, ns) != stamp.n &&
		    !times_read(stamp.p, stamp.n, now_ns, ns))
			continue;
		*head = text_between(from, rest.p - 1);
		while (head->n && head->p[head->n - 1] == ' ')
			head->n--;
		*line = behind;
		take_blanks(line);
		return head->n > 0;
	}
	return false;
}

/* 200, or - for none, and the blanks behind it. */
static bool take_status(struct text *t, struct text *ret)
{
	size_t n = t->n && *t->p == '-' ? 1 : 3;
	*ret = (struct text){t->p, n};
	if (t->n < n || (n == 3 && !all_digits(*ret)) || (t->n > n && t->p[n] != ' '))
		return false;
	advance(t, n);
	take_blanks(t);
	return true;
}

/* "request" status; a quote that a client has sent does not end the request. */
static bool take_request(struct text *line, struct text *request, struct text *status)
{
	if (!line->n || *line->p != '"')
		return false;
	struct text rest = *line;
	while (take_quoted(&rest, request)) {
		struct text behind = rest;
		*request = text_between(line->p + 1, request->p + request->n);
		if (take_status(&behind, status)) {
			*line = behind;
			return true;
		}
		/* The quote just read begins the next attempt. */
		rest = text_between(request->p + request->n, line->p + line->n);
	}
	return false;
}

bool weblog_access(const char *p, size_t n, int64_t now_ns, struct weblog *ret, struct fields *f)
{
	static const char *const names[] = {"referer", "agent", "forwarded_for"};
	struct text line = {p, n}, head, request, status, value;
	if (!take_head(&line, now_ns, &head, &ret->time_ns) ||
	    !take_request(&line, &request, &status))
		return false;
	struct text bytes = take_word(&line);
	if (!text_is(bytes, "-") && !all_digits(bytes))
		return false;
	put_head(f, head);
	put_request(f, request);
	int code = (int)number_of(status);
	if (!text_is(status, "-"))
		fields_int(f, "status", code);
	fields_int(f, "bytes", number_of(bytes));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && take_quoted(&line, &value); i++)
		put(f, names[i], value);
	ret->severity = weblog_severity(code);
	ret->message = p;
	ret->message_len = n;
	return true;
}

/* ---- nginx's error log ---------------------------------------------------------------------- */

/* A level in brackets: [error], [proxy:warn], [ssl:trace3]. */
static bool put_level(struct fields *f, struct text t, int *severity)
{
	const char *colon = memrchr(t.p, ':', t.n);
	struct text module = {t.p, 0}, level = t;
	if (colon) {
		module = text_between(t.p, colon);
		level = text_between(colon + 1, t.p + t.n);
	}
	*severity = severity_detect(level.p, level.n);
	if (*severity == SLUICE_NO_SEVERITY || memchr(t.p, ' ', t.n))
		return false;
	put(f, "module", module);
	put(f, "level", level);
	return true;
}

/* The place of `what` outside quotes, or NULL. */
static const char *find_unquoted(struct text t, const char *what)
{
	bool quoted = false;
	for (; t.n; advance(&t, 1)) {
		if (*t.p == '"')
			quoted = !quoted;
		else if (!quoted && begins(t, what))
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
	while (begins(rest, ", ")) {
		advance(&rest, 2);
		if (!take_until(&rest, ':', &name) || !take_char(&rest, ' '))
			return;
		if (!take_quoted(&rest, &value)) {
			const char *comma = memmem(rest.p, rest.n, ", ", 2);
			value = (struct text){rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
			advance(&rest, value.n);
		}
		if (text_is(name, "request"))
			put_request(f, value);
		else if (text_is(name, "client") || text_is(name, "server") ||
			 text_is(name, "upstream") || text_is(name, "subrequest") ||
			 text_is(name, "host") || text_is(name, "login"))
			put(f, fields_copy(f, name.p, name.n), value);
		else if (text_is(name, "referrer"))
			put(f, "referer", value);
	}
}

/* pid#tid: *connection message */
static void take_process(struct fields *f, struct text *line)
{
	struct text rest = *line, pid, tid, connection = {0};
	if (!take_until(&rest, '#', &pid) || !take_until(&rest, ':', &tid) || !all_digits(pid) ||
	    !all_digits(tid))
		return;
	take_blanks(&rest);
	*line = rest;
	if (take_char(&rest, '*'))
		connection = take_word(&rest);
	put_number(f, "pid", pid);
	put_number(f, "tid", tid);
	if (all_digits(connection)) {
		put_number(f, "connection", connection);
		*line = rest;
	}
}

bool weblog_nginx(const char *p, size_t n, int64_t now_ns, struct weblog *ret, struct fields *f)
{
	enum { STAMP = 19 };
	struct text line = {p, n}, level;
	if (n < STAMP || !times_read_by("%Y/%m/%d %H:%M:%S", p, STAMP, now_ns, &ret->time_ns))
		return weblog_access(p, n, now_ns, ret, f);
	advance(&line, STAMP);
	take_blanks(&line);
	if (!take_char(&line, '[') || !take_until(&line, ']', &level) ||
	    !put_level(f, level, &ret->severity))
		return false;
	take_blanks(&line);
	take_process(f, &line);
	put_context(f, line);
	ret->message = line.p;
	ret->message_len = line.n;
	return true;
}

/* ---- Apache's error log ------------------------------------------------------------------- */

/* pid 123, pid 123:tid 456 */
static void put_pid(struct fields *f, struct text t)
{
	take_word(&t);
	struct text pid = t;
	const char *tid = memmem(t.p, t.n, ":tid ", 5);
	if (tid) {
		pid = text_between(t.p, tid);
		put_number(f, "tid", text_between(tid + 5, t.p + t.n));
	}
	put_number(f, "pid", pid);
}

/* Apache 2.4, which names its process, writes the port behind every address, also
 * behind an IPv6 one.
 */
static void put_peer(struct fields *f, struct text t, bool with_port)
{
	take_word(&t);
	struct text host, port;
	const char *colon = t.n ? memrchr(t.p, ':', t.n) : NULL;
	bool has_port = split_port(t, &host, &port);
	if (!has_port && with_port && colon) {
		host = text_between(t.p, colon);
		port = text_between(colon + 1, t.p + t.n);
		has_port = true;
	}
	put(f, "client", has_port ? host : t);
	if (has_port)
		put_number(f, "client_port", port);
}

/* AH01630, perhaps behind "(13)Permission denied: ". */
static void put_code(struct fields *f, struct text t)
{
	const char *at = begins(t, "(") ? memmem(t.p, t.n, ": AH", 4) : NULL;
	if (at)
		t = text_between(at + 2, t.p + t.n);
	if (t.n > 7 && begins(t, "AH") && all_digits((struct text){t.p + 2, 5}) && t.p[7] == ':')
		put(f, "code", (struct text){t.p, 7});
}

bool weblog_apache_error(const char *p, size_t n, int64_t now_ns, struct weblog *ret,
			 struct fields *f)
{
	struct text line = {p, n}, part;
	if (!take_char(&line, '[') || !take_until(&line, ']', &part) ||
	    !times_read(part.p, part.n, now_ns, &ret->time_ns))
		return false;
	take_blanks(&line);
	for (bool has_level = false, has_pid = false;;) {
		struct text rest = line;
		if (!take_char(&rest, '[') || !take_until(&rest, ']', &part))
			break;
		if (begins(part, "pid ")) {
			put_pid(f, part);
			has_pid = true;
		} else if (begins(part, "client ") || begins(part, "remote "))
			put_peer(f, part, has_pid);
		else if (!has_level && put_level(f, part, &ret->severity))
			has_level = true;
		else
			break;
		line = rest;
		take_blanks(&line);
	}
	put_code(f, line);
	const char *referer = memmem(line.p, line.n, ", referer: ", 11);
	if (referer)
		put(f, "referer", text_between(referer + 11, line.p + line.n));
	ret->message = line.p;
	ret->message_len = line.n;
	return true;
}

/* ---- haproxy ------------------------------------------------------------------------------- */

/* The parts of "10/0/30/69/109"; how many there are. */
static int split_slashes(struct text t, struct text *ret, int max)
{
	int n = 0;
	while (n < max) {
		const char *slash = t.n ? memchr(t.p, '/', t.n) : NULL;
		ret[n++] = slash ? text_between(t.p, slash) : t;
		if (!slash)
			return n;
		advance(&t, ret[n - 1].n + 1);
	}
	return max + 1;
}

static bool is_signed(struct text t)
{
	if (t.n && (*t.p == '+' || *t.p == '-'))
		advance(&t, 1);
	return all_digits(t);
}

/* Numbers with a name each; -1 stands for what did not come to be. */
static bool put_numbers(struct fields *f, struct text t, const char *const *names, int n)
{
	struct text parts[5];
	if (split_slashes(t, parts, 5) != n)
		return false;
	for (int i = 0; i < n; i++)
		if (!is_signed(parts[i]))
			return false;
	for (int i = 0; i < n; i++) {
		if (*parts[i].p == '+')
			advance(&parts[i], 1);
		if (names[i] && *parts[i].p != '-')
			fields_int(f, names[i], number_of(parts[i]));
	}
	return true;
}

static void put_backend(struct fields *f, struct text frontend, struct text target)
{
	struct text parts[2];
	bool is_tls = frontend.n > 1 && frontend.p[frontend.n - 1] == '~';
	frontend.n -= is_tls;
	put(f, "frontend", frontend);
	if (is_tls)
		fields_bool(f, "tls", true);
	int n = split_slashes(target, parts, 2);
	put(f, "backend", n == 2 ? parts[0] : target);
	if (n == 2)
		put(f, "server", parts[1]);
}

static void put_headers(struct fields *f, struct text *line)
{
	struct text first, second;
	if (!take_char(line, '{') || !take_until(line, '}', &first))
		return;
	take_blanks(line);
	bool has_two = take_char(line, '{') && take_until(line, '}', &second);
	take_blanks(line);
	put(f, "request_headers", first);
	if (has_two)
		put(f, "response_headers", second);
}

static bool haproxy_traffic(struct text line, int64_t now_ns, struct weblog *ret, struct fields *f)
{
	static const char *const http_times[] = {"request_ms", "queue_ms", "connect_ms",
						 "response_ms", "total_ms"};
	static const char *const tcp_times[] = {"queue_ms", "connect_ms", "total_ms"};
	static const char *const counts[] = {"connections", NULL, NULL, NULL, "retries"};
	static const char *const queues[] = {"server_queue", "backend_queue"};
	struct text client = take_word(&line), stamp, host, port, request;
	const char *colon = client.n ? memrchr(client.p, ':', client.n) : NULL;
	if (!colon || !take_char(&line, '[') || !take_until(&line, ']', &stamp) ||
	    !times_read(stamp.p, stamp.n, now_ns, &ret->time_ns))
		return false;
	take_blanks(&line);
	host = text_between(client.p, colon);
	port = text_between(colon + 1, client.p + client.n);
	put(f, "client", host);
	put_number(f, "client_port", port);
	struct text frontend = take_word(&line), target = take_word(&line),
		    times = take_word(&line);
	if (frontend.n && frontend.p[frontend.n - 1] == ':')
		return true; /* an error of a connection: its words are the message */
	put_backend(f, frontend, target);
	bool is_http = put_numbers(f, times, http_times, 5);
	if (!is_http && !put_numbers(f, times, tcp_times, 3))
		return false;
	if (is_http) {
		int status = (int)number_of(take_word(&line));
		if (status > 0)
			fields_int(f, "status", status);
		ret->severity = weblog_severity(status);
	}
	struct text bytes = take_word(&line);
	take_char(&bytes, '+'); /* it was logged before the end */
	put_number(f, "bytes", bytes);
	if (is_http) {
		take_word(&line); /* the cookies */
		take_word(&line);
	}
	put(f, "termination", take_word(&line));
	if (!put_numbers(f, take_word(&line), counts, 5) ||
	    !put_numbers(f, take_word(&line), queues, 2))
		return false;
	put_headers(f, &line);
	if (is_http && take_quoted(&line, &request))
		put_request(f, request);
	return true;
}

bool weblog_haproxy(const char *p, size_t n, int64_t now_ns, struct weblog *ret, struct fields *f)
{
	struct syslog_message m;
	syslog_parse_line(p, n, now_ns, &m, f);
	struct text rest = {m.message.p, m.message.n};
	bool has_header = m.has_time || m.has_pri;
	size_t before = f->n;
	ret->message = rest.p;
	ret->message_len = rest.n;
	if (!haproxy_traffic(rest, now_ns, ret, f)) {
		f->n = before;
		ret->time_ns = m.has_time ? m.time_ns : 0;
		ret->severity = m.has_pri ? m.pri & 7 : SLUICE_NO_SEVERITY;
		if (!has_header)
			return false;
	}
	put(f, "host", (struct text){m.host.p, m.host.n});
	put(f, "app", (struct text){m.app.p, m.app.n});
	put_number(f, "pid", (struct text){m.pid.p, m.pid.n});
	return true;
}

/* ---- caddy ---------------------------------------------------------------------------------- */

static struct sluice_value *find(struct fields *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->all[i].name, name) == 0)
			return &f->all[i];
	return NULL;
}

static void rename_field(struct fields *f, const char *from, const char *to)
{
	struct sluice_value *v = find(f, from);
	bool is_empty = v && v->type == SLUICE_STRING && !v->string_len;
	if (v && !is_empty && !find(f, to))
		v->name = to;
}

/* ["text"]: a header that came once. */
static void put_header(struct fields *f, const char *from, const char *to)
{
	const struct sluice_value *v = find(f, from);
	if (!v || v->type != SLUICE_JSON || v->string_len < 4 || memcmp(v->string, "[\"", 2) != 0 ||
	    memchr(v->string, '\\', v->string_len) || memchr(v->string + 2, '"', v->string_len - 4))
		return;
	fields_str(f, to, v->string + 2, v->string_len - 4);
}

static struct text text_of(struct fields *f, const char *name)
{
	const struct sluice_value *v = find(f, name);
	return v && v->type == SLUICE_STRING ? (struct text){v->string, v->string_len}
					     : (struct text){"-", 1};
}

/* "handled request: GET /path 200" */
static void describe(struct fields *f, int status, struct weblog *ret)
{
	struct text method = text_of(f, "method"), path = text_of(f, "path");
	size_t size = ret->message_len + method.n + path.n + 20;
	char *text = fields_alloc(f, size);
	if (!text)
		return;
	ret->message_len = (size_t)snprintf(text, size, "%.*s: %.*s %.*s %d", (int)ret->message_len,
					    ret->message, (int)method.n, method.p, (int)path.n,
					    path.p, status);
	ret->message = text;
}

void weblog_caddy(struct weblog *ret, struct fields *f)
{
	static const char *const names[][2] = {
		{"request.client_ip", "client"},
		{"request.remote_ip", "client"},
		{"request.remote_addr", "client"},
		{"request.method", "method"},
		{"request.uri", "path"},
		{"request.proto", "protocol"},
		{"request.host", "vhost"},
		{"size", "bytes"},
		{"user_id", "user"},
	};
	const struct sluice_value *status = find(f, "status");
	if (!find(f, "request.uri") || !status || status->type != SLUICE_INT)
		return; /* the server's own words */
	int code = (int)status->integer, severity = weblog_severity(code);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		rename_field(f, names[i][0], names[i][1]);
	put_header(f, "request.headers.User-Agent", "agent");
	put_header(f, "request.headers.Referer", "referer");
	if (ret->severity == SLUICE_NO_SEVERITY || severity < ret->severity)
		ret->severity = severity;
	describe(f, code, ret);
}
