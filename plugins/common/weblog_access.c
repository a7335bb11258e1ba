/* SPDX-License-Identifier: MIT */
#include "common/stamp.h"
#include "common/times.h"
#include "common/weblog_parts.h"

enum { STAMP_MAX = 80 }; /* bytes of a time in brackets, with the bracket */

static int count_words(struct text t)
{
	int n = 0;
	while (t.n) {
		text_take_word(&t);
		n++;
	}
	return n;
}

static bool is_address(struct text t)
{
	return t.n > 2 && (memchr(t.p, '.', t.n) || memchr(t.p, ':', t.n));
}

/* One address, or a list of them as proxies write it. */
static void put_client(struct fields *f, struct text *head)
{
	struct text list = text_take_word(head);
	const char *from = list.p;
	while (list.n && list.p[list.n - 1] == ',' && head->n) {
		struct text next = text_take_word(head);
		list = text_between(from, next.p + next.n);
	}
	const char *comma = list.n ? memchr(list.p, ',', list.n) : NULL;
	if (!comma) {
		text_put(f, "client", list);
		return;
	}
	text_put(f, "client", text_between(list.p, comma));
	text_put(f, "forwarded_for", list);
}

/* [vhost:port] client [ident] user; a user's name may have blanks. */
static void put_head(struct fields *f, struct text head)
{
	struct text rest = head, first = text_take_word(&rest), second = rest, host, port;
	second = text_take_word(&second);
	if (second.n && second.p[second.n - 1] == ',')
		second.n--;
	if (count_words(head) >= 4 && is_address(second) &&
	    weblog_split_port(first, &host, &port)) {
		text_put(f, "vhost", host);
		text_put_number(f, "port", port);
		head = rest;
	}
	put_client(f, &head);
	if (count_words(head) > 1)
		text_put(f, "ident", text_take_word(&head));
	while (head.n && head.p[head.n - 1] == ' ')
		head.n--;
	if (!text_is(head, "\"\""))
		text_put(f, "user", head);
}

/* The first brackets that hold a time; head is what stands before them. */
static bool take_head(struct text *line, int64_t now_ns, struct text *head, int64_t *ns)
{
	const char *from = line->p;
	struct text rest = *line, skipped, stamp;
	while (text_take_until(&rest, '[', &skipped)) {
		struct text behind = {rest.p, rest.n < STAMP_MAX ? rest.n : STAMP_MAX};
		if (!text_take_until(&behind, ']', &stamp))
			continue;
		behind.n = (size_t)(from + line->n - behind.p);
		if (stamp_clf(stamp.p, stamp.n, ns) != stamp.n &&
		    !times_read(stamp.p, stamp.n, now_ns, ns))
			continue;
		*head = text_between(from, rest.p - 1);
		while (head->n && head->p[head->n - 1] == ' ')
			head->n--;
		*line = behind;
		text_take_blanks(line);
		return head->n > 0;
	}
	return false;
}

/* 200, or - for none, and the blanks behind it. */
static bool take_status(struct text *t, struct text *ret)
{
	size_t n = t->n && *t->p == '-' ? 1 : 3;
	*ret = (struct text){t->p, n};
	if (t->n < n || (n == 3 && !text_is_number(*ret)) || (t->n > n && t->p[n] != ' '))
		return false;
	text_advance(t, n);
	text_take_blanks(t);
	return true;
}

/* "request" status; a quote that a client has sent does not end the request. */
static bool take_request(struct text *line, struct text *request, struct text *status)
{
	if (!line->n || *line->p != '"')
		return false;
	struct text rest = *line;
	while (text_take_quoted(&rest, request)) {
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
	struct text bytes = text_take_word(&line);
	if (!text_is(bytes, "-") && !text_is_number(bytes))
		return false;
	put_head(f, head);
	weblog_put_request(f, request);
	int code = (int)text_number(status);
	if (!text_is(status, "-"))
		fields_int(f, "status", code);
	fields_int(f, "bytes", text_number(bytes));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && text_take_quoted(&line, &value);
	     i++)
		text_put(f, names[i], value);
	ret->severity = weblog_severity(code);
	ret->message = p;
	ret->message_len = n;
	return true;
}
