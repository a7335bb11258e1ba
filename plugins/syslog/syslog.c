/* SPDX-License-Identifier: MIT
 *
 * syslog - takes what machines and programs say by syslog: datagrams, streams,
 * TLS, and the machine's own socket.
 */
#include "syslog.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const words[] = {"udp", "tcp", "tls", "unix", "unix-stream", "unix-dgram", NULL};
static const char *const formats[] = {"auto", "rfc3164", "rfc5424", "raw", NULL};
static const char *const framings[] = {"auto", "lf", "octet", "nul", NULL};
static const char *const oversizes[] = {"truncate", "split", "drop", NULL};
static const char *const timestamps[] = {"message", "receive", NULL};
static const char *const hosts[] = {"message", "peer", "both", NULL};
static const char *const verifies[] = {"none", "optional", "required", NULL};

static const struct sluice_option options[] = {
	{.name = "listen",
	 .type = SLUICE_ADDRESS,
	 .flags = SLUICE_LIST,
	 .fallback = "udp:127.0.0.1:514",
	 .choices = words,
	 .doc = "addresses to listen on; to receive from other machines, do not use a loopback "
		"address"},
	{.name = "format",
	 .type = SLUICE_ENUM,
	 .fallback = "auto",
	 .choices = formats,
	 .doc = "how messages are parsed; auto: by the form of each message; raw: not at all"},
	{.name = "framing",
	 .type = SLUICE_ENUM,
	 .fallback = "auto",
	 .choices = framings,
	 .doc = "where a message in a stream ends; lf: at a line feed; octet: after a counted "
		"number of bytes; nul: at a NUL; auto: by an octet count if a message begins like "
		"\"123 <\", else at a line feed, or at a NUL that ends a message"},
	{.name = "max_message",
	 .type = SLUICE_SIZE,
	 .fallback = "8KiB",
	 .min = 480,
	 .max = 1 << 20,
	 .doc = "longest message that is kept whole; UTF-8 characters are not cut"},
	{.name = "on_oversize",
	 .type = SLUICE_ENUM,
	 .fallback = "truncate",
	 .choices = oversizes,
	 .doc = "truncate: cut the message and flag it; split: make several events of it (streams "
		"only); drop: leave it out and declare a gap"},
	{.name = "receive_buffer",
	 .type = SLUICE_SIZE,
	 .fallback = "4MiB",
	 .min = 4096,
	 .max = 1 << 30,
	 .doc = "size of each socket's receive buffer in the kernel; messages that do not fit are "
		"lost, and a gap says how many"},
	{.name = "max_connections",
	 .type = SLUICE_INT,
	 .fallback = "1000",
	 .min = 1,
	 .max = 1000000,
	 .doc = "how many streams may be open at once; further ones are closed"},
	{.name = "idle_timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "0",
	 .max = 86400 * SEC,
	 .doc = "closes a stream that has sent nothing for this time; 0: never"},
	{.name = "handshake_timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "10s",
	 .min = 10 * MS,
	 .max = 600 * SEC,
	 .doc = "how long a TLS handshake or a PROXY header may take"},
	{.name = "tls.cert",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ | SLUICE_RELOADABLE,
	 .doc = "file with the server's certificate and its chain, in PEM form; a renewed "
		"certificate is picked up automatically"},
	{.name = "tls.key",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ | SLUICE_RELOADABLE,
	 .doc = "file with the certificate's private key, in PEM form, not encrypted"},
	{.name = "tls.ca",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ,
	 .doc = "file with the CA certificates that must have signed a sender's certificate, in "
		"PEM form"},
	{.name = "tls.verify",
	 .type = SLUICE_ENUM,
	 .fallback = "none",
	 .choices = verifies,
	 .doc = "whether senders need a certificate"},
	{.name = "tls.allowed_names",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "patterns, one of which must match a name in the sender's certificate"},
	{.name = "tls.allowed_fingerprints",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "SHA-256 fingerprints of the senders' certificates that are accepted; without "
		"tls.ca, no matter who signed them"},
	{.name = "allow",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "addresses and networks that may send, such as 10.0.0.0/8; default: all"},
	{.name = "proxy_protocol",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "TCP and TLS connections from trusted_proxies begin with a PROXY header (version 1 "
		"or 2) that names the sender"},
	{.name = "trusted_proxies",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "addresses and networks of the load balancers that send a PROXY header"},
	{.name = "time_zone",
	 .type = SLUICE_STRING,
	 .fallback = "",
	 .doc = "zone of times that do not name one, such as Europe/Berlin; empty: this machine's "
		"zone"},
	{.name = "time_zones",
	 .type = SLUICE_MAP,
	 .doc = "time zones of senders: a network and its zone, such as 10.1.0.0/16: Asia/Tokyo; "
		"the smallest matching network counts"},
	{.name = "timestamp",
	 .type = SLUICE_ENUM,
	 .fallback = "message",
	 .choices = timestamps,
	 .doc = "the event's time; message: the time in the message, if it is understood; receive: "
		"the time of receipt"},
	{.name = "host",
	 .type = SLUICE_ENUM,
	 .fallback = "both",
	 .choices = hosts,
	 .doc = "which hosts an event names; message: the host that the message claims; peer: the "
		"address that it came from"},
	{.name = "keep_raw",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "keep the message as it came in the field \"raw\" too"},
	{.name = "sender_rate_limit",
	 .type = SLUICE_INT,
	 .fallback = "0",
	 .max = 1000000000,
	 .doc = "messages per second that one address may send; further ones are dropped and a gap "
		"says how many; 0: no limit"},
	{.name = "socket_mode",
	 .type = SLUICE_STRING,
	 .fallback = "0666",
	 .doc = "rights of a unix socket, in octal"},
	{.name = "socket_owner",
	 .type = SLUICE_STRING,
	 .doc = "user that a unix socket belongs to"},
	{.name = "socket_group",
	 .type = SLUICE_STRING,
	 .doc = "group that a unix socket belongs to"},
	{0},
};

static const struct sluice_field_type message_fields[] = {
	{"facility", SLUICE_STRING, NULL, "kern .. local7"},
	{"host", SLUICE_STRING, NULL, "the host that the message claims (option host)"},
	{"peer", SLUICE_STRING, NULL, "the address that it came from"},
	{"app", SLUICE_STRING, NULL, "RFC 5424's APP-NAME, RFC 3164's TAG"},
	{"pid", SLUICE_STRING, NULL, "RFC 5424's PROCID, or the text in brackets after a TAG"},
	{"msgid", SLUICE_STRING, NULL, "RFC 5424's MSGID"},
	{"sd.ID.NAME", SLUICE_STRING, NULL,
	 "a parameter of RFC 5424's structured data; sd.NAME if it has no ID"},
	{"peer_pid", SLUICE_INT, NULL,
	 "id of the sending process, from the kernel (unix sockets only)"},
	{"peer_uid", SLUICE_INT, NULL,
	 "user id of the sender, from the kernel (unix sockets only)"},
	{"no_pri", SLUICE_BOOL, NULL,
	 "the message has no valid priority; it is kept whole, as user.notice"},
	{"damaged", SLUICE_BOOL, NULL,
	 "part of the RFC 5424 header cannot be read; the message begins there"},
	{"size", SLUICE_INT, "By", "length of the message before it was truncated"},
	{"raw", SLUICE_STRING, NULL, "the message as it came (option keep_raw)"},
	{0},
};

static const struct sluice_field_type gap_fields[] = {
	{"reason", SLUICE_STRING, NULL, "dropped (by the kernel), oversize, or rate_limit"},
	{"count", SLUICE_INT, NULL, "messages"},
	{"peer", SLUICE_STRING, NULL, "whose"},
	{0},
};

static const struct sluice_event_type events[] = {
	{"message", 1, message_fields, "one message; its severity is the event's"},
	{"gap", 1, gap_fields, "messages that were sent are lost"},
	{0},
};

void say(struct state *s, enum sluice_log_level level, const char *fmt, ...)
{
	char message[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	s->src->host->log(s->src, level, message);
}

void complain(struct state *s, const char *about, const char *fmt, ...)
{
	char message[1024];
	uint64_t h = 5381;
	for (const char *p = about; *p; p++)
		h = h * 33 + (unsigned char)*p;
	for (const char *p = fmt; *p; p++)
		h = h * 33 + (unsigned char)*p;
	struct complaint *c =
		&s->complaints[h % (sizeof(s->complaints) / sizeof(s->complaints[0]))];
	if (c->about == h && mono_ns() - c->at_ns < 60 * SEC)
		return;
	*c = (struct complaint){h, mono_ns()};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	s->src->host->log(s->src, SLUICE_LOG_WARNING, message);
}

/* ---- options ---------------------------------------------------------------------- */

static int read_mode(struct sluice_source *src, int *ret)
{
	const char *text = src->host->option(src, "socket_mode", 0);
	char *end;
	long mode = strtol(text, &end, 8);
	if (end == text || *end || mode < 0 || mode > 0777)
		return src->host->refuse(src, "socket_mode", "write octal digits such as 0660");
	*ret = (int)mode;
	return 0;
}

static int read_options(struct sluice_source *src, struct options *o)
{
	const struct sluice_host *h = src->host;
	o->format = (enum syslog_format)h->number(src, "format");
	o->framing = (enum framing_mode)h->number(src, "framing");
	o->max_message = (size_t)h->number(src, "max_message");
	o->on_oversize = (enum oversize)h->number(src, "on_oversize");
	o->receive_buffer = (int)h->number(src, "receive_buffer");
	o->max_connections = h->number(src, "max_connections");
	o->idle_ns = h->number(src, "idle_timeout");
	o->handshake_ns = h->number(src, "handshake_timeout");
	o->use_message_time = h->number(src, "timestamp") == 0;
	o->host = (enum host_field)h->number(src, "host");
	o->keep_raw = h->number(src, "keep_raw");
	o->proxy_protocol = h->number(src, "proxy_protocol");
	o->sender_rate = h->number(src, "sender_rate_limit");
	const char *zone = h->option(src, "time_zone", 0);
	if (*zone && stamp_set_zone(zone)) {
		char why[300];
		snprintf(why, sizeof(why),
			 "\"%.100s\" is not a time zone that this machine knows (write one such as "
			 "Europe/Berlin or +02:00; see /usr/share/zoneinfo)",
			 zone);
		return h->refuse(src, "time_zone", why);
	}
	return read_mode(src, &o->socket_mode);
}

static void syslog_close(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	for (size_t i = 0; i < s->n_listeners; i++) {
		if (s->listeners[i].fd >= 0)
			close(s->listeners[i].fd);
		free(s->listeners[i].address);
	}
	free(s->listeners);
	datagrams_free(s);
	senders_free(s->senders);
	tls_free(s->tls);
	fields_free(&s->fields);
	free(s->buffer);
	free(s);
}

/* Nothing that is configured is left aside without a word. */
static int check_uses(struct state *s)
{
	static const char *const of_tls[] = {"tls.cert", "tls.key", "tls.ca", "tls.allowed_names",
					     "tls.allowed_fingerprints"};
	struct sluice_source *src = s->src;
	bool has_tls = false, has_streams = false;
	for (size_t i = 0; i < s->n_listeners; i++) {
		const struct listener *l = &s->listeners[i];
		has_tls |= l->is_tls;
		has_streams |= !l->is_datagram && !l->is_unix;
	}
	for (size_t i = 0; !has_tls && i < sizeof(of_tls) / sizeof(of_tls[0]); i++)
		if (src->host->option(src, of_tls[i], 0))
			return src->host->refuse(src, of_tls[i],
						 "has no effect: no address of listen begins with "
						 "tls: (write one such as tls:0.0.0.0:6514)");
	if (s->options.proxy_protocol && !has_streams)
		return src->host->refuse(src, "proxy_protocol",
					 "has no effect: it is for tcp: and tls: addresses");
	return 0;
}

static void add_listener(struct state *s, const char *address)
{
	s->listeners = must(realloc(s->listeners, (s->n_listeners + 1) * sizeof(s->listeners[0])));
	s->listeners[s->n_listeners++] = (struct listener){
		.s = s,
		.address = must(strdup(address)),
		.fd = -1,
		.is_datagram = strncmp(address, "udp:", 4) == 0 ||
			       strncmp(address, "unix-dgram:", 11) == 0,
		.is_unix = strncmp(address, "unix", 4) == 0,
		.is_tls = strncmp(address, "tls:", 4) == 0,
	};
}

static int syslog_open(struct sluice_source *src, void **ret)
{
	struct state *s = must(calloc(1, sizeof(*s)));
	const char *address;
	bool needs_tls = false;
	s->src = src;
	int r = read_options(src, &s->options);
	if (!r)
		s->senders = senders_new(src, s->options.sender_rate, &r);
	for (size_t i = 0; !r && (address = src->host->option(src, "listen", i)); i++) {
		add_listener(s, address);
		needs_tls |= s->listeners[i].is_tls;
	}
	if (!r && !s->n_listeners)
		r = src->host->refuse(src, "listen",
				      "is an empty list (nobody could send anything)");
	if (!r)
		r = check_uses(s);
	if (!r && needs_tls) {
		s->tls = tls_new(src);
		r = s->tls ? 0 : -EINVAL;
	}
	if (r) {
		syslog_close(src, s);
		return r;
	}
	*ret = s;
	return 0;
}

/* ---- running ------------------------------------------------------------------------- */

static void tell_limited(void *ctx, const char *peer, uint64_t n)
{
	struct state *s = ctx;
	int ignored = deliver_gap(s, "rate_limit", (int64_t)n, peer, NULL,
				  "%llu %s from %s dropped (sender_rate_limit)",
				  (unsigned long long)n, plural(n, "message", "messages"), peer);
	(void)ignored;
}

static void on_second(struct sluice_source *src, void *ctx)
{
	struct state *s = ctx;
	const struct sluice_host *h = src->host;
	datagrams_count_drops(s);
	senders_each_limited(s->senders, tell_limited, s);
	connections_expire(s);
	if (s->tls)
		tls_refresh(s->tls, s);
	h->counter(src, "messages", s->n_messages);
	h->counter(src, "bytes", s->n_bytes);
	h->counter(src, "oversize", s->n_oversize);
	h->counter(src, "dropped", s->n_dropped);
	h->counter(src, "rate_limited", s->n_limited);
	h->counter(src, "refused", s->n_refused);
	h->counter(src, "unparsed", s->n_unparsed);
	h->counter(src, "connections", s->n_connections);
	h->counter(src, "accepted", s->n_accepted);
}

static int start_listeners(struct state *s)
{
	struct sluice_source *src = s->src;
	struct sluice_listen how = {
		.mode = s->options.socket_mode,
		.owner = src->host->option(src, "socket_owner", 0),
		.group = src->host->option(src, "socket_group", 0),
		.receive_buffer = s->options.receive_buffer,
	};
	for (size_t i = 0; i < s->n_listeners; i++) {
		struct listener *l = &s->listeners[i];
		l->fd = src->host->listen(src, l->address, &how);
		if (l->fd < 0)
			return l->fd == -EINVAL ? -EIO : l->fd;
		if (l->is_datagram)
			datagrams_start(s, l);
		else
			connections_start(s, l);
	}
	return 0;
}

static int syslog_run(struct sluice_source *src, void *state)
{
	struct state *s = state;
	s->buffer = must(malloc(s->options.max_message + 64 + READ_SIZE));
	int r = start_listeners(s);
	if (r)
		return r;
	src->host->timer(src, SEC, SEC, on_second, s);
	r = src->host->loop(src);
	s->is_stopping = true;
	connections_close_all(s);
	datagrams_count_drops(s);
	return r;
}

static int syslog_reload(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	return s->tls ? tls_reload(s->tls, s) : 0;
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,    .name = "syslog",
	.version = "1",        .summary = "listen for syslog messages",
	.options = options,    .events = events,
	.open = syslog_open,   .run = syslog_run,
	.close = syslog_close, .reload = syslog_reload,
};

SLUICE_PLUGIN(plugin)
