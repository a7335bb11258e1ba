/* SPDX-License-Identifier: MIT
 *
 * certificate - the files of a certificate, and what is wrong with them.
 *
 * Knows nothing of the plugin's options except their names, for messages.
 */
#ifndef SYSLOG_CERTIFICATE_H
#define SYSLOG_CERTIFICATE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* Why files cannot be used, and the option that names the file. */
struct certificate_trouble {
	const char *option;
	char message[600];
};

/* A context for connections with this certificate and key, which trusts the CAs in `ca` (NULL:
 * none).  Owned by the caller; NULL with *trouble set.
 */
SSL_CTX *certificate_context(const char *cert, const char *key, const char *ca,
			     struct certificate_trouble *trouble);

/* What OpenSSL says last, as a sentence of few words, in `out`. */
const char *tls_reason(char *out, size_t size);

#endif
