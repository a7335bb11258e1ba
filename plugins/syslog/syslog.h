/* SPDX-License-Identifier: MIT
 *
 * syslog - what the parts of the syslog plugin share.
 *
 *	syslog.c       the plugin: its events, its sockets, its life
 *	connection.c   TCP, TLS and unix streams
 *	datagram.c     UDP and unix datagrams, and what the kernel dropped of them
 *	deliver.c      one message into one event
 *	senders.c      who may send, and how much
 *	proxy.c        the PROXY protocol's header of a connection
 *	framing.c      a byte stream into messages
 *	tls_session.c  one connection by OpenSSL
 *	tls.c          the options of TLS, renewal, whose certificates are accepted
 *	certificate.c  the files of a certificate
 *	options.c      the other options
 *
 * Each file calls only those below it here.
 */
#ifndef SYSLOG_SYSLOG_H
#define SYSLOG_SYSLOG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/basics.h"
#include "common/say.h"
#include "common/stamp.h"
#include "common/syslogmsg.h"
#include "framing.h"
#include "sluice-plugin.h"
#include "tls.h"

enum { READ_SIZE = 256 * 1024, PEER_TEXT_MAX = 72 };

enum host_field { HOST_MESSAGE, HOST_PEER, HOST_BOTH };
enum oversize { OVERSIZE_TRUNCATE, OVERSIZE_SPLIT, OVERSIZE_DROP };

struct options {
	enum syslog_format format;
	enum framing_mode framing;
	size_t max_message;
	enum oversize on_oversize;
	int receive_buffer;
	int64_t max_connections;
	int64_t idle_ns, handshake_ns;
	bool use_message_time;
	enum host_field host;
	bool keep_raw;
	bool proxy_protocol;
	int64_t sender_rate; /* messages a second; 0: any */
	int socket_mode;
};

/* Where a message came from. */
struct origin {
	char peer[PEER_TEXT_MAX]; /* address and port; "unix" */
	size_t peer_host_len;     /* of it, the address alone */
	struct in6_addr address;  /* IPv4 mapped */
	struct stamp_zone *zone;  /* borrowed: of its times without one; NULL: the source's */
	bool is_unix;
	bool has_credentials; /* of a unix socket, from the kernel */
	pid_t pid;
	uid_t uid;
};

struct listener {
	struct state *s;
	char *address; /* owned: as in the options */
	int fd;
	bool is_datagram, is_unix, is_tls;
	uint32_t dropped;  /* by the kernel, as it has counted so far */
	uint64_t cookie;   /* of the socket: counts of another one are not ours */
	bool has_dropped;  /* `dropped` is known */
	int64_t window_ns; /* when n_wakes began to be counted */
	unsigned n_wakes;
};

/* Each part is written by the files that are named, and may be read by all. */
struct state {
	struct sluice_source *src;
	struct warnings warnings;
	/* When what is delivered was read, since 1970; connection.c and datagram.c. */
	int64_t now_ns;
	uint64_t n_oversize, n_refused; /* the same */

	/* ---- syslog.c ---- */
	struct options options; /* by options.c */
	struct listener *listeners;
	size_t n_listeners;
	struct senders *senders;
	struct tls *tls;  /* NULL: no tls listener */
	bool is_stopping; /* what is delivered now are last words */

	/* ---- connection.c ---- */
	struct connection *connections;
	size_t n_connections;
	char *buffer;     /* max_message + READ_SIZE and some */
	bool has_refused; /* one over the limit: told once until there is room */
	uint64_t n_accepted;

	/* ---- datagram.c ---- */
	struct datagrams *datagrams;
	uint64_t n_dropped;

	/* ---- deliver.c ---- */
	struct fields fields; /* of the event that is being made */
	uint64_t n_messages, n_bytes, n_limited, n_unparsed;
};

/* ---- options.c ---- */
extern const struct sluice_option syslog_options[];
/* 0, or -EINVAL after refusing one. */
int options_read(struct sluice_source *src, struct options *o);

/* ---- deliver.c ---- */

/* Beside the flags of an event: more of the message follows, in another event. */
#define DELIVER_PIECE (1u << 31)

/* One message, without its framing.  `size`: what it had, if it was cut.  As
 * emit(): 0 or -ECANCELED.
 */
int deliver(struct state *s, const struct origin *o, const char *p, size_t n, uint32_t flags,
	    uint64_t size);
/* Something is lost: `count` messages, or -1. */
int deliver_gap(struct state *s, const char *reason, int64_t count, const char *peer,
		const struct sluice_cursor *cursor, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* ---- datagram.c ---- */
void datagrams_start(struct state *s, struct listener *l);
/* Looks what the kernel has dropped. */
void datagrams_count_drops(struct state *s);
void datagrams_free(struct state *s);

/* ---- connection.c ---- */
void connections_start(struct state *s, struct listener *l);
void connections_expire(struct state *s);
/* Delivers what has arrived and closes all. */
void connections_close_all(struct state *s);
void connections_free(struct state *s);

/* ---- senders.c ---- */
struct senders *senders_new(struct sluice_source *src, int64_t rate, int *error);
void senders_free(struct senders *t);
/* Whether anyone from there may send (option allow). */
bool senders_allow(const struct senders *t, const struct in6_addr *from);
/* Whether a PROXY header from there is believed; never without proxy_protocol. */
bool senders_is_proxy(const struct senders *t, const struct in6_addr *from);
/* Where something came from, by the address that the kernel gives. */
void senders_origin(const struct senders *t, struct origin *o, const struct sockaddr_storage *from);
/* Whether this message is within the sender's rate; counts it if not. */
bool senders_admit(struct senders *t, const struct origin *o, int64_t now_ns);
/* Calls `fn` for each sender that has exceeded its rate since the last call. */
void senders_each_limited(struct senders *t, void (*fn)(void *ctx, const char *peer, uint64_t n),
			  void *ctx);

#endif
