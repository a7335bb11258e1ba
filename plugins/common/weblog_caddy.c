/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "common/text.h"
#include "common/weblog.h"

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
