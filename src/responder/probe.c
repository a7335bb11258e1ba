/* SPDX-License-Identifier: MIT
 *
 * probe - frames with their times, for who wants to know what lies between.
 *
 * A stream like any other to the web server, but without a hub: sluice doctor and the
 * console compare when a frame was sent with when it came.  It tells nothing that is
 * not for everybody.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/unit.h"
#include "responder/responder_internal.h"
#include "wire/gzip.h"
#include "wire/headers.h"
#include "wire/query.h"

enum { FRAMES_MAX = 200, PROBES_MAX = 64 };

#define INTERVAL_MIN_NS (10 * NS_PER_MS)
#define INTERVAL_MAX_NS (60 * NS_PER_SEC)

struct probe {
	struct request *request;
	struct loop_timer timer;
	int64_t frames, sent;
	int64_t interval_ns;
	bool gzips;
};

/* What asks too much gets less. */
static void read_query(struct probe *p, const char *query)
{
	struct str rest = str_of(query);
	struct buf key = {0}, value = {0};
	while (query_next(&rest, &key, &value) == 1) {
		int64_t n;
		if (str_is(buf_str(&key), "frames") && unit_parse_int(buf_text(&value), &n) == 0)
			p->frames = MAX(MIN(n, (int64_t)FRAMES_MAX), (int64_t)1);
		if (str_is(buf_str(&key), "interval") &&
		    unit_parse_duration(buf_text(&value), &n) == 0)
			p->interval_ns = MAX(MIN(n, INTERVAL_MAX_NS), INTERVAL_MIN_NS);
		if (str_is(buf_str(&key), "gzip"))
			p->gzips &= !str_is(buf_str(&value), "0");
	}
	buf_fini(&key);
	buf_fini(&value);
}

static void put_event(struct buf *out, const char *type, const struct buf *data)
{
	buf_printf(out, "event: %s\ndata: %.*s\n\n", type, (int)data->len, data->data);
}

static const char *way_of(const struct request *q)
{
	if (q->framing == HANDOFF_PLAIN)
		return "cgi";
	return q->responder->config->start_hub ? "spawned" : "socket";
}

/* As the web server names itself; what is no plain text is left out. */
static void put_text(struct json *j, const char *key, const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			return;
	json_cstr(j, key, text);
}

/* The proxies that name themselves in Via; of the rest of it, which may be names of
 * machines, nobody learns anything.
 */
static void put_via(struct json *j, const char *via)
{
	static const char *const known[] = {"varnish",    "squid", "haproxy", "nginx",
					    "apache",     "caddy", "traefik", "envoy",
					    "cloudfront", "google"};
	json_open(j, "via", '[');
	for (size_t i = 0; i < array_size(known); i++)
		if (strcasestr(via, known[i]))
			json_cstr(j, NULL, known[i]);
	json_close(j, ']');
}

/* Which fields proxies have added, without what these say. */
static void put_fields(struct json *j, const struct params *p)
{
	const struct {
		const char *name, *value;
	} fields[] = {{"Via", p->via},
		      {"X-Forwarded-For", p->forwarded_for},
		      {"X-Forwarded-Server", p->forwarded_server},
		      {"X-Real-Ip", p->real_ip},
		      {"X-Varnish", p->varnish}};
	json_open(j, "fields", '[');
	for (size_t i = 0; i < array_size(fields); i++)
		if (fields[i].value[0])
			json_cstr(j, NULL, fields[i].name);
	json_close(j, ']');
}

static void put_port(struct json *j, const char *key, const char *text)
{
	int64_t n;
	if (unit_parse_int(text, &n) == 0)
		json_int(j, key, n);
}

/* What the request shows of its way here: whoever has made it can compare. */
static void put_way_here(struct json *j, const struct params *p)
{
	put_text(j, "protocol", p->protocol);
	put_port(j, "client_port", p->port);
	put_port(j, "server_port", p->server_port);
	put_via(j, p->via);
	put_fields(j, p);
}

static void put_hello(struct probe *p, struct buf *out)
{
	const struct request *q = p->request;
	struct buf data = {0};
	struct json j = {&data, false};
	json_open(&j, NULL, '{');
	json_cstr(&j, "way", way_of(q));
	put_text(&j, "server", q->params.software);
	put_way_here(&j, &q->params);
	json_bool(&j, "gzip", p->gzips);
	json_int(&j, "frames", p->frames);
	json_int(&j, "interval_ms", p->interval_ns / NS_PER_MS);
	json_int(&j, "sent_ms", clock_wall_ns() / NS_PER_MS);
	json_close(&j, '}');
	put_event(out, "hello", &data);
	buf_fini(&data);
}

static void put_frame(struct probe *p, struct buf *out)
{
	struct buf data = {0};
	struct json j = {&data, false};
	json_open(&j, NULL, '{');
	json_int(&j, "n", ++p->sent);
	json_int(&j, "sent_ms", clock_wall_ns() / NS_PER_MS);
	json_close(&j, '}');
	put_event(out, p->sent == p->frames ? "last" : "probe", &data);
	buf_fini(&data);
}

/* Compressed as a stream is: a stored block at its ends, and each event with a flush. */
static struct str packed(const struct probe *p, struct str text, bool is_event, struct buf *out)
{
	if (!p->gzips)
		return text;
	if (is_event)
		gzip_put_alone(out, text);
	else
		gzip_put_stored(out, text);
	return buf_str(out);
}

static void on_timer(struct loop_timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);
	struct request *q = p->request;
	struct buf out = {0}, body = {0};
	put_frame(p, &out);
	bool is_last = p->sent == p->frames;
	request_set_deadline(q, 2 * INTERVAL_MAX_NS);
	if (!is_last)
		loop_timer_set(q->responder->loop, t,
			       loop_now(q->responder->loop) + p->interval_ns);
	struct str text = packed(p, buf_str(&out), !is_last, &body);
	request_write(q, text, is_last); /* may end it, and with it the probe */
	buf_fini(&out);
	buf_fini(&body);
}

/* The head of a stream. */
static void put_head(const struct probe *p, struct buf *out)
{
	buf_printf(
		out,
		"Status: 200 OK\r\nContent-Type: text/event-stream\r\n%s"
		"Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\n" SAFE_HEADERS,
		p->gzips ? "Content-Encoding: gzip\r\n" : "");
	request_put_cors(p->request, "Accept, Accept-Encoding, ", out);
	buf_puts(out, "\r\n");
}

static void begin(struct probe *p)
{
	struct request *q = p->request;
	struct buf out = {0}, text = {0}, body = {0};
	put_head(p, &out);
	if (p->gzips)
		gzip_put_header(&out);
	put_hello(p, &text);
	buf_put_str(&out, packed(p, buf_str(&text), false, &body));
	request_set_deadline(q, 2 * INTERVAL_MAX_NS);
	loop_timer_set(q->responder->loop, &p->timer,
		       loop_now(q->responder->loop) + p->interval_ns);
	request_write(q, buf_str(&out), false);
	buf_fini(&text);
	buf_fini(&body);
	buf_fini(&out);
}

static void end(struct request *q)
{
	q->responder->n_probes--;
	loop_timer_cancel(q->responder->loop, &q->probe->timer);
	free(q->probe);
	q->probe = NULL;
}

void probe_begin(struct request *q)
{
	if (q->responder->n_probes == PROBES_MAX) {
		request_respond_text(q, "503 Service Unavailable", "Retry-After: 5\r\n",
				     "Too many are probing at once.\n");
		return;
	}
	struct probe *p = mem_zero(sizeof(*p));
	q->responder->n_probes++;
	p->request = q;
	p->timer.fn = on_timer;
	p->frames = 10;
	p->interval_ns = 200 * NS_PER_MS;
	p->gzips = accepts_gzip(str_of(q->params.accept_encoding));
	read_query(p, q->params.query);
	q->probe = p;
	q->on_end = end;
	if (strcmp(q->params.method, "HEAD") == 0) {
		struct buf head = {0};
		put_head(p, &head);
		request_respond(q, buf_str(&head), false);
		buf_fini(&head);
	} else {
		begin(p);
	}
}
