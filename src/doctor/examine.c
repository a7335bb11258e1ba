/* SPDX-License-Identifier: MIT */
#include "doctor/examine.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/unit.h"

/* How long a first frame is waited for. */
#define ANSWER_NS (20 * NS_PER_SEC)

enum { HEAD_MAX = 32 * 1024, AT_ONCE_MS = 4000 };

/* One fetch. */
struct fetch {
	struct examination *e;
	bool is_http1;
	struct buf line; /* what is no whole line yet */
	char event[16];
	int64_t begun_ns;
	size_t n_lines;
};

static int64_t ms_since(int64_t ns)
{
	return (clock_mono_ns() - ns) / NS_PER_MS;
}

static int64_t number_of(struct str json, const char *key)
{
	struct str value;
	int64_t n = 0;
	if (json_member(json, str_of(key), &value)) {
		char text[32];
		snprintf(text, sizeof(text), "%.*s", (int)value.len, value.data);
		if (unit_parse_int(text, &n))
			n = 0;
	}
	return n;
}

/* What a server says of itself goes to a terminal. */
static void make_plain(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
			*s = '?';
}

static void text_of(struct str json, const char *key, char *ret, size_t size)
{
	struct str value;
	if (json_member(json, str_of(key), &value) && value.len >= 2)
		snprintf(ret, size, "%.*s", (int)value.len - 2, value.data + 1);
	make_plain(ret);
}

static void take_data(struct fetch *f, struct str data)
{
	struct examination *e = f->e;
	if (!json_check(data))
		return;
	if (strcmp(f->event, "hello") == 0) {
		struct str packed;
		text_of(data, "server", e->software, sizeof(e->software));
		text_of(data, "way", e->way, sizeof(e->way));
		e->is_packed = json_member(data, STR("gzip"), &packed) && str_is(packed, "true");
		e->hello.len = 0;
		buf_put_str(&e->hello, data);
		e->first_ms = ms_since(f->begun_ns);
	} else if (strcmp(f->event, "probe") != 0 && strcmp(f->event, "last") != 0) {
		return;
	}
	e->has_last |= strcmp(f->event, "last") == 0;
	if (e->n < EXAMINE_FRAMES_MAX) {
		e->sent_ms[e->n] = number_of(data, "sent_ms");
		e->came_ms[e->n++] = ms_since(f->begun_ns);
	}
}

static void take_line(struct fetch *f)
{
	const char *line = buf_text(&f->line);
	if (strncmp(line, "event: ", 7) == 0)
		snprintf(f->event, sizeof(f->event), "%.15s", line + 7);
	else if (strncmp(line, "data: ", 6) == 0)
		take_data(f, str_of(line + 6));
	f->n_lines++;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct fetch *f = ctx;
	for (size_t i = 0; i < size * n; i++) {
		if (p[i] == '\n') {
			take_line(f);
			f->line.len = 0;
		} else if (f->line.len < 4096) {
			buf_putc(&f->line, p[i]);
		}
	}
	return size * n;
}

/* Whether the line is a field of that name. */
static bool is_field(struct str line, const char *name)
{
	size_t n = strlen(name);
	return line.len > n && strncasecmp(line.data, name, n) == 0 && line.data[n] == ':';
}

bool examine_field(const struct examination *e, const char *name, char *ret, size_t size)
{
	size_t at = 0;
	bool has = false;
	*ret = 0;
	for (struct str rest = buf_str(&e->head); rest.len;) {
		const char *nl = memchr(rest.data, '\n', rest.len);
		struct str line = {rest.data, nl ? (size_t)(nl - rest.data) : rest.len};
		size_t used = line.len + (nl != NULL);
		rest = (struct str){rest.data + used, rest.len - used};
		if (!is_field(line, name))
			continue;
		size_t skip = strlen(name) + 1;
		while (skip < line.len && line.data[skip] == ' ')
			skip++;
		while (line.len > skip && line.data[line.len - 1] == '\r')
			line.len--;
		if (at < size)
			at += (size_t)snprintf(ret + at, size - at, "%s%.*s", has ? ", " : "",
					       (int)(line.len - skip), line.data + skip);
		has = true;
	}
	make_plain(ret);
	return has;
}

int64_t examine_number(const struct examination *e, const char *key)
{
	return e->hello.len ? number_of(buf_str(&e->hello), key) : 0;
}

void examine_text(const struct examination *e, const char *key, char *ret, size_t size)
{
	*ret = 0;
	if (e->hello.len)
		text_of(buf_str(&e->hello), key, ret, size);
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct fetch *f = ctx;
	struct examination *e = f->e;
	struct str line = {p, size * n};
	static const char *const ours[] = {"x-content-type-options:",
					   "cross-origin-resource-policy:"};
	if (line.len > 5 && memcmp(p, "HTTP/", 5) == 0) { /* an answer behind a 401 or a 100 */
		f->is_http1 = p[5] == '1';
		e->head.len = 0;
	}
	if (e->head.len + line.len < HEAD_MAX)
		buf_put_str(&e->head, line);
	for (size_t i = 0; i < array_size(ours) && f->is_http1; i++)
		e->has_lower_case |=
			line.len > strlen(ours[i]) && memcmp(p, ours[i], strlen(ours[i])) == 0;
	return line.len;
}

static void take_head(struct examination *e)
{
	examine_field(e, "Server", e->server, sizeof(e->server));
	examine_field(e, "Content-Encoding", e->encoding, sizeof(e->encoding));
	examine_field(e, "Content-Type", e->type, sizeof(e->type));
	examine_field(e, "Location", e->location, sizeof(e->location));
}

static CURL *prepare(const struct examine_how *how, struct fetch *f)
{
	CURL *c = curl_easy_init();
	if (!c)
		abort();
	char *url = mem_printf("%s/probe?frames=%d&interval=%lldms", how->base, how->frames,
			       (long long)how->interval_ms);
	f->begun_ns = clock_mono_ns();
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(how->frames * how->interval_ms + 20000));
	curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice-doctor");
	if (how->takes_gzip) /* undone by libcurl; that it was done is in the header */
		curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
	if (how->http1)
		curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (how->http2)
		curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	if (how->insecure) {
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (how->user)
		curl_easy_setopt(c, CURLOPT_USERPWD, how->user);
	free(url);
	return c;
}

static void finish(struct fetch *f, CURL *c, CURLcode code)
{
	struct examination *e = f->e;
	long version = 0, local_port = 0, port = 0;
	take_head(e);
	e->took_ms = ms_since(f->begun_ns);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &e->status);
	curl_easy_getinfo(c, CURLINFO_HTTP_VERSION, &version);
	curl_easy_getinfo(c, CURLINFO_LOCAL_PORT, &local_port);
	curl_easy_getinfo(c, CURLINFO_PRIMARY_PORT, &port);
	e->local_port = local_port;
	e->port = port;
	e->is_http2 = version == CURL_HTTP_VERSION_2_0;
	if (code != CURLE_OK && !e->status)
		e->error = mem_strdup(curl_easy_strerror(code));
}

void examine(const struct examine_how *how, struct examination *ret, size_t n)
{
	struct fetch all[EXAMINE_MAX] = {0};
	CURL *handles[EXAMINE_MAX];
	CURLM *m = curl_multi_init();
	n = MIN(n, (size_t)EXAMINE_MAX);
	for (size_t i = 0; i < n; i++) {
		ret[i] = (struct examination){0};
		all[i].e = &ret[i];
		handles[i] = prepare(&how[i], &all[i]);
		curl_multi_add_handle(m, handles[i]);
	}
	for (int running = 1; running;) {
		curl_multi_perform(m, &running);
		const CURLMsg *done;
		int left;
		while ((done = curl_multi_info_read(m, &left)))
			for (size_t i = 0; i < n; i++)
				if (handles[i] == done->easy_handle)
					finish(&all[i], handles[i], done->data.result);
		if (running)
			curl_multi_poll(m, NULL, 0, 100, NULL);
	}
	for (size_t i = 0; i < n; i++) {
		curl_multi_remove_handle(m, handles[i]);
		curl_easy_cleanup(handles[i]);
		buf_fini(&all[i].line);
	}
	curl_multi_cleanup(m);
}

void examination_fini(struct examination *e)
{
	free(e->error);
	buf_fini(&e->head);
	buf_fini(&e->hello);
	*e = (struct examination){0};
}

int examine_at_once(const struct examine_how *how, int n)
{
	struct fetch *all = mem_zero((size_t)n * sizeof(all[0]));
	struct examination *results = mem_zero((size_t)n * sizeof(results[0]));
	CURL **handles = mem_zero((size_t)n * sizeof(handles[0]));
	CURLM *m = curl_multi_init();
	struct examine_how one = *how;
	one.http2 = true;
	/* Long enough that a busy machine starts all that may start before the first one ends. */
	one.interval_ms = MAX(how->interval_ms, AT_ONCE_MS / how->frames);
	curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
	for (int i = 0; i < n; i++) {
		all[i].e = &results[i];
		handles[i] = prepare(&one, &all[i]);
		curl_easy_setopt(handles[i], CURLOPT_PIPEWAIT, 1L);
	}
	/* One alone at first: until its first frame, how long an answer takes says nothing, and by
	 * then libcurl knows how many streams the server allows.
	 */
	int64_t window_ns = one.frames * one.interval_ms * NS_PER_MS * 3 / 4;
	int64_t until = clock_mono_ns() + ANSWER_NS;
	int running = 1, started = 0, asked = 1;
	curl_multi_add_handle(m, handles[0]);
	while (running && started < n && clock_mono_ns() < until) {
		curl_multi_perform(m, &running);
		started = 0;
		for (int i = 0; i < n; i++)
			started += results[i].n > 0;
		if (started && asked == 1) {
			until = clock_mono_ns() + window_ns;
			while (asked < n)
				curl_multi_add_handle(m, handles[asked++]);
			running = 1;
		}
		curl_multi_poll(m, NULL, 0, 20, NULL);
	}
	long version = 0;
	curl_easy_getinfo(handles[0], CURLINFO_HTTP_VERSION, &version);
	for (int i = 0; i < n; i++) {
		if (i < asked)
			curl_multi_remove_handle(m, handles[i]);
		curl_easy_cleanup(handles[i]);
		buf_fini(&all[i].line);
		examination_fini(&results[i]);
	}
	curl_multi_cleanup(m);
	free(handles);
	free(results);
	free(all);
	return version == CURL_HTTP_VERSION_2_0 ? started : -1;
}
