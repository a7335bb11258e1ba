/* SPDX-License-Identifier: MIT
 *
 * tls - connections by OpenSSL.
 *
 *	tls.c          the options: which certificate senders see, and which of theirs
 *	               are accepted; renewal
 *	tls_session.c  one connection
 *
 * Both know nothing of the plugin's state.
 */
#ifndef SYSLOG_TLS_H
#define SYSLOG_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "sluice-plugin.h"

struct tls;
struct tls_session;

/* ---- tls.c ---- */

/* From the options; NULL after refusing them. */
struct tls *tls_new(struct sluice_source *src);
void tls_free(struct tls *t);
/* Looks, once a second, whether the files have been renewed, and uses them. */
void tls_refresh(struct tls *t);
/* The same at once, of paths that may be others.  0, or -EAGAIN when only a new process
 * may read them.
 */
int tls_reload(struct tls *t);
/* For a connection that begins now; owned by the caller, NULL without memory. */
SSL *tls_ssl(const struct tls *t);
/* After the handshake, whether the sender may send: 0, or -EPROTO with a sentence in `why`. */
int tls_check_peer(const struct tls *t, const SSL *ssl, char *why, size_t size);

/* ---- tls_session.c ---- */

/* Takes nothing over: the caller closes `fd`, after tls_session_free(). */
struct tls_session *tls_session_new(const struct tls *t, int fd);
void tls_session_free(struct tls_session *ts);
/* Bytes read; 0 at the end; -EAGAIN; -EPROTO with a sentence in `why`. */
ssize_t tls_session_read(struct tls_session *ts, char *p, size_t n, char *why, size_t why_size);
/* Whether it holds bytes that were read from the network already. */
bool tls_session_has_more(const struct tls_session *ts);
/* Whether the handshake is over. */
bool tls_session_is_up(const struct tls_session *ts);

#endif
