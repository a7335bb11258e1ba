/* SPDX-License-Identifier: MIT
 *
 * syslog - takes what machines and programs say by syslog: datagrams, streams,
 * TLS, and the machine's own socket.
 */
#include "syslog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	connections_free(s);
	senders_free(s->senders);
	tls_free(s->tls);
	fields_free(&s->fields);
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
	int r = options_read(src, &s->options);
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
		tls_refresh(s->tls);
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
	return s->tls ? tls_reload(s->tls) : 0;
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,
	.name = "syslog",
	.version = "1",
	.summary = "listen for syslog messages",
	.options = syslog_options,
	.events = events,
	.open = syslog_open,
	.run = syslog_run,
	.close = syslog_close,
	.reload = syslog_reload,
};

SLUICE_PLUGIN(plugin)
