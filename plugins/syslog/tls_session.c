/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "certificate.h"
#include "common/basics.h"
#include "tls.h"

struct tls_session {
	SSL *ssl;
	const struct tls *tls; /* borrowed */
	bool is_up;
};

struct tls_session *tls_session_new(const struct tls *t, int fd)
{
	struct tls_session *ts = must(calloc(1, sizeof(*ts)));
	ts->tls = t;
	ts->ssl = tls_ssl(t);
	if (!ts->ssl || SSL_set_fd(ts->ssl, fd) != 1) {
		tls_session_free(ts);
		return NULL;
	}
	SSL_set_accept_state(ts->ssl);
	return ts;
}

void tls_session_free(struct tls_session *ts)
{
	if (ts->ssl && ts->is_up)
		SSL_shutdown(ts->ssl);
	SSL_free(ts->ssl);
	ERR_clear_error();
	free(ts);
}

bool tls_session_is_up(const struct tls_session *ts)
{
	return ts->is_up;
}

bool tls_session_has_more(const struct tls_session *ts)
{
	return ts->is_up && SSL_pending(ts->ssl) > 0;
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

ssize_t tls_session_read(struct tls_session *ts, char *p, size_t n, char *why, size_t why_size)
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
		if (tls_check_peer(ts->tls, ts->ssl, why, why_size))
			return -EPROTO;
	}
	int r = SSL_read(ts->ssl, p, (int)n);
	return r > 0 ? r : failed(ts, r, why, why_size);
}
