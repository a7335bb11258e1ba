/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fnmatch.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syslog.h"

enum verify { VERIFY_NONE, VERIFY_OPTIONAL, VERIFY_REQUIRED };

struct tls {
	SSL_CTX *ctx;
	struct sluice_source *src;
};

struct tls_session {
	SSL *ssl;
	struct tls *tls;
	bool is_up;
};

/* What OpenSSL says last, as a sentence of few words. */
static const char *reason(char *out, size_t size)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	snprintf(out, size, "%s", text ? text : "broken off");
	ERR_clear_error();
	return out;
}

static int refuse_file(struct sluice_source *src, const char *option, const char *path)
{
	char why[160], message[512];
	snprintf(message, sizeof(message), "%s cannot be used: %s", path, reason(why, sizeof(why)));
	return src->host->refuse(src, option, message);
}

static int load(struct tls *t, struct sluice_source *src)
{
	const char *cert = src->host->option(src, "tls.cert", 0);
	const char *key = src->host->option(src, "tls.key", 0);
	const char *ca = src->host->option(src, "tls.ca", 0);
	int verify = (int)src->host->number(src, "tls.verify");
	if (!cert || !key)
		return src->host->refuse(
			src, cert ? "tls.key" : "tls.cert",
			"is missing: a tls: address needs a certificate and its key");
	if (SSL_CTX_use_certificate_chain_file(t->ctx, cert) != 1)
		return refuse_file(src, "tls.cert", cert);
	if (SSL_CTX_use_PrivateKey_file(t->ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(t->ctx) != 1)
		return refuse_file(src, "tls.key", key);
	if (verify != VERIFY_NONE && !ca)
		return src->host->refuse(src, "tls.ca",
					 "is missing: whose certificates are to be accepted?");
	if (ca && SSL_CTX_load_verify_locations(t->ctx, ca, NULL) != 1)
		return refuse_file(src, "tls.ca", ca);
	if (verify == VERIFY_NONE && src->host->option(src, "tls.allowed_names", 0))
		return src->host->refuse(src, "tls.allowed_names",
					 "has no effect without tls.verify: required");
	int mode = SSL_VERIFY_NONE;
	if (verify != VERIFY_NONE)
		mode = SSL_VERIFY_PEER;
	if (verify == VERIFY_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(t->ctx, mode, NULL);
	return 0;
}

struct tls *tls_new(struct sluice_source *src)
{
	struct tls *t = must(calloc(1, sizeof(*t)));
	static const unsigned char id[] = "sluice";
	t->src = src;
	t->ctx = must(SSL_CTX_new(TLS_server_method()));
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_session_id_context(t->ctx, id, sizeof(id) - 1);
	/* Who only sends never reads them, and to close on what is unread resets the
	 * connection, with all that is under way.
	 */
	SSL_CTX_set_num_tickets(t->ctx, 0);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS);
	if (load(t, src)) {
		tls_free(t);
		return NULL;
	}
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

struct tls_session *tls_accept(struct tls *t, int fd)
{
	struct tls_session *ts = must(calloc(1, sizeof(*ts)));
	ts->tls = t;
	ts->ssl = SSL_new(t->ctx);
	if (!ts->ssl || SSL_set_fd(ts->ssl, fd) != 1) {
		tls_end(ts);
		return NULL;
	}
	SSL_set_accept_state(ts->ssl);
	return ts;
}

void tls_end(struct tls_session *ts)
{
	if (ts->ssl && ts->is_up)
		SSL_shutdown(ts->ssl);
	SSL_free(ts->ssl);
	ERR_clear_error();
	free(ts);
}

bool tls_is_up(const struct tls_session *ts)
{
	return ts->is_up;
}

bool tls_has_more(const struct tls_session *ts)
{
	return ts->is_up && SSL_pending(ts->ssl) > 0;
}

/* ---- names ---- */

static bool is_allowed(struct tls *t, const char *name)
{
	const char *pattern;
	for (size_t i = 0; (pattern = t->src->host->option(t->src, "tls.allowed_names", i)); i++)
		if (fnmatch(pattern, name, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

static bool has_allowed_name(struct tls *t, X509 *cert)
{
	bool ok = false;
	char cn[256];
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *dns = g->type == GEN_DNS ? g->d.dNSName : NULL;
		/* A NUL inside a name is an old trick. */
		if (dns && strlen((const char *)ASN1_STRING_get0_data(dns)) ==
				   (size_t)ASN1_STRING_length(dns))
			ok |= is_allowed(t, (const char *)ASN1_STRING_get0_data(dns));
	}
	if (!names && X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn,
						sizeof(cn)) > 0)
		ok = is_allowed(t, cn);
	GENERAL_NAMES_free(names);
	return ok;
}

/* After the handshake: 0, or -EPROTO. */
static int check_peer(struct tls_session *ts, char *why, size_t size)
{
	struct tls *t = ts->tls;
	X509 *cert = SSL_get1_peer_certificate(ts->ssl);
	bool good = !t->src->host->option(t->src, "tls.allowed_names", 0) ||
		    (cert && has_allowed_name(t, cert));
	X509_free(cert);
	if (!good)
		snprintf(why, size, "its certificate has none of tls.allowed_names: closed");
	return good ? 0 : -EPROTO;
}

/* ---- reading ---- */

static ssize_t failed(struct tls_session *ts, int r, char *why, size_t size)
{
	char text[160];
	int err = SSL_get_error(ts->ssl, r);
	if (err == SSL_ERROR_WANT_READ || err == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	if (err == SSL_ERROR_ZERO_RETURN || (ts->is_up && err == SSL_ERROR_SYSCALL))
		return 0;
	long verified = SSL_get_verify_result(ts->ssl);
	if (ts->is_up &&
	    ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		return 0; /* closed without a word, as many do */
	}
	if (verified != X509_V_OK)
		snprintf(why, size, "its certificate is refused: %s",
			 X509_verify_cert_error_string(verified));
	else
		snprintf(why, size, "no TLS: %s (does it speak TLS at all?)",
			 reason(text, sizeof(text)));
	ERR_clear_error();
	return -EPROTO;
}

ssize_t tls_read(struct tls_session *ts, char *p, size_t n, char *why, size_t why_size)
{
	ERR_clear_error();
	if (!ts->is_up) {
		int r = SSL_accept(ts->ssl);
		if (r != 1) {
			ssize_t got = failed(ts, r, why, why_size);
			if (got)
				return got;
			snprintf(why, why_size, "broke off the TLS handshake");
			return -EPROTO;
		}
		ts->is_up = true;
		if (check_peer(ts, why, why_size))
			return -EPROTO;
	}
	int r = SSL_read(ts->ssl, p, (int)n);
	return r > 0 ? r : failed(ts, r, why, why_size);
}
