/* SPDX-License-Identifier: MIT */
#include "common/syslogmsg.h"
#include "common/times.h"
#include "common/weblog_parts.h"

/* The parts of "10/0/30/69/109"; how many there are. */
static int split_slashes(struct text t, struct text *ret, int max)
{
	int n = 0;
	while (n < max) {
		const char *slash = t.n ? memchr(t.p, '/', t.n) : NULL;
		ret[n++] = slash ? text_between(t.p, slash) : t;
		if (!slash)
			return n;
		text_advance(&t, ret[n - 1].n + 1);
	}
	return max + 1;
}

static bool is_signed(struct text t)
{
	if (t.n && (*t.p == '+' || *t.p == '-'))
		text_advance(&t, 1);
	return text_is_number(t);
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
			text_advance(&parts[i], 1);
		if (names[i] && *parts[i].p != '-')
			fields_int(f, names[i], text_number(parts[i]));
	}
	return true;
}

static void put_backend(struct fields *f, struct text frontend, struct text target)
{
	struct text parts[2];
	bool is_tls = frontend.n > 1 && frontend.p[frontend.n - 1] == '~';
	frontend.n -= is_tls;
	text_put(f, "frontend", frontend);
	if (is_tls)
		fields_bool(f, "tls", true);
	int n = split_slashes(target, parts, 2);
	text_put(f, "backend", n == 2 ? parts[0] : target);
	if (n == 2)
		text_put(f, "server", parts[1]);
}

static void put_headers(struct fields *f, struct text *line)
{
	struct text first, second;
	if (!text_take(line, '{') || !text_take_until(line, '}', &first))
		return;
	text_take_blanks(line);
	bool has_two = text_take(line, '{') && text_take_until(line, '}', &second);
	text_take_blanks(line);
	text_put(f, "request_headers", first);
	if (has_two)
		text_put(f, "response_headers", second);
}

static bool haproxy_traffic(struct text line, int64_t now_ns, struct weblog *ret, struct fields *f)
{
	static const char *const http_times[] = {"request_ms", "queue_ms", "connect_ms",
						 "response_ms", "total_ms"};
	static const char *const tcp_times[] = {"queue_ms", "connect_ms", "total_ms"};
	static const char *const counts[] = {"connections", NULL, NULL, NULL, "retries"};
	static const char *const queues[] = {"server_queue", "backend_queue"};
	struct text client = text_take_word(&line), stamp, host, port, request;
	const char *colon = client.n ? memrchr(client.p, ':', client.n) : NULL;
	if (!colon || !text_take(&line, '[') || !text_take_until(&line, ']', &stamp) ||
	    !times_read(stamp.p, stamp.n, now_ns, &ret->time_ns))
		return false;
	text_take_blanks(&line);
	host = text_between(client.p, colon);
	port = text_between(colon + 1, client.p + client.n);
	text_put(f, "client", host);
	text_put_number(f, "client_port", port);
	struct text frontend = text_take_word(&line), target = text_take_word(&line),
		    times = text_take_word(&line);
	if (frontend.n && frontend.p[frontend.n - 1] == ':')
		return true; /* an error of a connection: its words are the message */
	put_backend(f, frontend, target);
	bool is_http = put_numbers(f, times, http_times, 5);
	if (!is_http && !put_numbers(f, times, tcp_times, 3))
		return false;
	if (is_http) {
		int status = (int)text_number(text_take_word(&line));
		if (status > 0)
			fields_int(f, "status", status);
		ret->severity = weblog_severity(status);
	}
	struct text bytes = text_take_word(&line);
	text_take(&bytes, '+'); /* it was logged before the end */
	text_put_number(f, "bytes", bytes);
	if (is_http) {
		text_take_word(&line); /* the cookies */
		text_take_word(&line);
	}
	text_put(f, "termination", text_take_word(&line));
	if (!put_numbers(f, text_take_word(&line), counts, 5) ||
	    !put_numbers(f, text_take_word(&line), queues, 2))
		return false;
	put_headers(f, &line);
	if (is_http && text_take_quoted(&line, &request))
		weblog_put_request(f, request);
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
	text_put(f, "host", (struct text){m.host.p, m.host.n});
	text_put(f, "app", (struct text){m.app.p, m.app.n});
	text_put_number(f, "pid", (struct text){m.pid.p, m.pid.n});
	return true;
}
