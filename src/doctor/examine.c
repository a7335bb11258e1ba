/* SPDX-License-Identifier: MIT */
#include "doctor/examine.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/unit.h"

enum { HEADER_MAX = 300 };

/* One fetch. */
struct fetch {
	struct examination *e;
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
		text_of(data, "server", e->software, sizeof(e->software));
		text_of(data, "way", e->way, sizeof(e->way));
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

static void keep(const char *line, const char *name, char *ret, size_t size)
{
	size_t n = strlen(name);
	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return;
	line += n + 1;
	line += strspn(line, " ");
	snprintf(ret, size, "%.*s", (int)strcspn(line, "\r\n"), line);
	make_plain(ret);
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct fetch *f = ctx;
	char line[HEADER_MAX];
	snprintf(line, sizeof(line), "%.*s", (int)MIN(size * n, sizeof(line) - 1), p);
	keep(line, "Server", f->e->server, sizeof(f->e->server));
	keep(line, "Content-Encoding", f->e->encoding, sizeof(f->e->encoding));
	keep(line, "Content-Type", f->e->type, sizeof(f->e->type));
	return size * n;
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

void examine(const struct examine_how *how, struct examination *ret)
{
	*ret = (struct examination){0};
	struct fetch f = {.e = ret};
	CURL *c = prepare(how, &f);
	long version = 0;
	CURLcode code = curl_easy_perform(c);
	ret->took_ms = ms_since(f.begun_ns);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &ret->status);
	curl_easy_getinfo(c, CURLINFO_HTTP_VERSION, &version);
	ret->is_http2 = version == CURL_HTTP_VERSION_2_0;
	if (code != CURLE_OK && !ret->status)
		ret->error = mem_strdup(curl_easy_strerror(code));
	curl_easy_cleanup(c);
	buf_fini(&f.line);
}

void examination_fini(struct examination *e)
{
	free(e->error);
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
	curl_multi_setopt(m, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
	for (int i = 0; i < n; i++) {
		all[i].e = &results[i];
		handles[i] = prepare(&one, &all[i]);
		curl_easy_setopt(handles[i], CURLOPT_PIPEWAIT, 1L);
		curl_multi_add_handle(m, handles[i]);
	}
	int64_t until = clock_mono_ns() + how->frames * how->interval_ms * NS_PER_MS / 2;
	int running = 1, started = 0;
	while (running && clock_mono_ns() < until) {
		curl_multi_perform(m, &running);
		curl_multi_poll(m, NULL, 0, 20, NULL);
	}
	long version = 0;
	curl_easy_getinfo(handles[0], CURLINFO_HTTP_VERSION, &version);
	for (int i = 0; i < n; i++) {
		started += results[i].n > 0;
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
