/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fnmatch.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"

struct tls_session {
	SSL *ssl;
	struct tls *tls;
	bool is_up;
};

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

static bool has_allowed_fingerprint(const struct tls *t, X509 *cert, char *text, size_t size)
{
	unsigned char print[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	if (X509_digest(cert, EVP_sha256(), print, &n) != 1 || n != FINGERPRINT_SIZE)
		return false;
	for (size_t i = 0; i < FINGERPRINT_SIZE && 2 * i + 2 < size; i++)
		snprintf(text + 2 * i, size - 2 * i, "%02x", print[i]);
	for (size_t i = 0; i < t->n_fingerprints; i++)
		if (memcmp(t->fingerprints[i], print, FINGERPRINT_SIZE) == 0)
			return true;
	return false;
}

/* After the handshake: 0, or -EPROTO. */
static int check_peer(struct tls_session *ts, char *why, size_t size)
{
	struct tls *t = ts->tls;
	char print[2 * FINGERPRINT_SIZE + 1] = "";
	bool by_name = t->src->host->option(t->src, "tls.allowed_names", 0);
	if (!by_name && !t->n_fingerprints)
		return 0;
	X509 *cert = SSL_get1_peer_certificate(ts->ssl);
	bool good = cert && ((by_name && has_allowed_name(t, cert)) ||
			     has_allowed_fingerprint(t, cert, print, sizeof(print)));
	X509_free(cert);
	if (good)
		return 0;
	if (!cert)
		snprintf(why, size,
			 "it has no certificate: closed (give the sender a certificate that is "
			 "allowed)");
	else if (by_name)
		snprintf(why, size,
			 "no name in its certificate matches tls.allowed_names: closed (add one of "
			 "its names to tls.allowed_names, or %s to tls.allowed_fingerprints)",
			 print);
	else
		snprintf(why, size,
			 "the fingerprint of its certificate is not in tls.allowed_fingerprints: "
			 "closed (to let it send, add %s)",
			 print);
	return -EPROTO;
}

/* ---- reading ---- */

/* What to do about a handshake that has failed. */
static const char *remedy_of(int code)
{
	switch (code) {
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return "give the sender a certificate signed by tls.ca, or set tls.verify: "
		       "optional";
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return "TLS 1.2 or newer is needed: enable it at the sender, or update the sender";
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
		return "no algorithm in common: enable newer ones at the sender, or use a key of "
		       "another type (RSA, EC) in tls.cert and tls.key";
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
		return "the sender does not accept the certificate in tls.cert: let it trust the "
		       "CA that signed it, and connect by a name that is in it; add intermediate "
		       "certificates to tls.cert";
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: return "renew the certificate in tls.cert";
	default:
		return "check that the sender uses TLS; enable it there, or let it send to a tcp: "
		       "address";
	}
}

static const char *remedy_of_certificate(long verified)
{
	switch (verified) {
	case X509_V_ERR_CERT_HAS_EXPIRED: return "renew it at the sender";
	case X509_V_ERR_CERT_NOT_YET_VALID: return "compare the clocks of both machines";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return "tls.ca has not signed it: add its CA to tls.ca, or remove tls.ca and add "
		       "its fingerprint to tls.allowed_fingerprints";
	default: return "give the sender a client certificate signed by tls.ca";
	}
}

static ssize_t failed(struct tls_session *ts, int r, char *why, size_t size)
{
	char text[160];
	int err = SSL_get_error(ts->ssl, r);
	if (err == SSL_ERROR_WANT_READ || err == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	if (err == SSL_ERROR_ZERO_RETURN || (ts->is_up && err == SSL_ERROR_SYSCALL))
		return 0;
	long verified = SSL_get_verify_result(ts->ssl);
	int code = ERR_GET_REASON(ERR_peek_last_error());
	if (ts->is_up && code == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		return 0; /* closed without a word, as many do */
	}
	if (verified != X509_V_OK)
		snprintf(why, size, "its certificate is rejected: %s (%s)",
			 X509_verify_cert_error_string(verified), remedy_of_certificate(verified));
	else
		snprintf(why, size, "no TLS: %s (%s)", tls_reason(text, sizeof(text)),
			 remedy_of(code));
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
