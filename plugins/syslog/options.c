/* SPDX-License-Identifier: MIT */
#include "common/option.h"
#include "syslog.h"

static const char *const words[] = {"udp", "tcp", "tls", "unix", "unix-stream", "unix-dgram", NULL};
static const char *const formats[] = {"auto", "rfc3164", "rfc5424", "raw", NULL};
static const char *const framings[] = {"auto", "lf", "octet", "nul", NULL};
static const char *const oversizes[] = {"truncate", "split", "drop", NULL};
static const char *const timestamps[] = {"message", "receive", NULL};
static const char *const hosts[] = {"message", "peer", "both", NULL};
static const char *const verifies[] = {"none", "optional", "required", NULL};

const struct sluice_option syslog_options[] = {
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
		"\"123 <\", else at a line feed, or at a NUL that ends a message",
	 .needs = "listen~tcp: listen~tls: listen~unix:"},
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
	 .doc = "how many streams may be open at once; further ones are closed",
	 .needs = "listen~tcp: listen~tls: listen~unix:"},
	{.name = "idle_timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "0",
	 .max = 86400 * SEC,
	 .doc = "closes a stream that has sent nothing for this time; 0: never",
	 .needs = "listen~tcp: listen~tls: listen~unix:"},
	{.name = "handshake_timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "10s",
	 .min = 10 * MS,
	 .max = 600 * SEC,
	 .doc = "how long a TLS handshake or a PROXY header may take",
	 .needs = "listen~tls: proxy_protocol"},
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
		"PEM form",
	 .needs = "tls.verify"},
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
	 .doc = "addresses and networks that may send, such as 10.0.0.0/8; default: all",
	 .needs = "listen~udp: listen~tcp: listen~tls:"},
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
		"zone",
	 .needs = "timestamp=message"},
	{.name = "time_zones",
	 .type = SLUICE_MAP,
	 .doc = "time zones of senders: a network and its zone, such as 10.1.0.0/16: Asia/Tokyo; "
		"the smallest matching network counts",
	 .needs = "timestamp=message"},
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
		"says how many; 0: no limit",
	 .needs = "listen~udp: listen~tcp: listen~tls:"},
	{.name = "socket_mode",
	 .type = SLUICE_STRING,
	 .fallback = "0666",
	 .doc = "rights of a unix socket, in octal",
	 .needs = "listen~unix"},
	{.name = "socket_owner",
	 .type = SLUICE_STRING,
	 .doc = "user that a unix socket belongs to",
	 .needs = "listen~unix"},
	{.name = "socket_group",
	 .type = SLUICE_STRING,
	 .doc = "group that a unix socket belongs to",
	 .needs = "listen~unix"},
	{0},
};

int options_read(struct sluice_source *src, struct options *o)
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
	if (*zone && stamp_set_zone(zone))
		return option_refuse_zone(src, "time_zone", zone);
	return option_octal(src, "socket_mode", "0660", &o->socket_mode);
}
