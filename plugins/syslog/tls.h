/* SPDX-License-Identifier: MIT
 *
 * tls - what tls.c (connections) and certificate.c (files and options) share.
 */
#ifndef SYSLOG_TLS_H
#define SYSLOG_TLS_H

#include <openssl/ssl.h>

#include "syslog.h"

enum { N_FILES = 3, FINGERPRINT_SIZE = 32 };

/* What tells one version of a file from the next. */
struct version {
	uint64_t device, inode, size;
	int64_t written_ns, changed_ns;
	int error; /* of stat(); then the rest is 0 */
};

struct tls {
	SSL_CTX *ctx;
	struct sluice_source *src;
	char *paths[N_FILES];          /* owned; NULL: the option is not set */
	struct version tried[N_FILES]; /* what was loaded, or refused */
	struct version seen[N_FILES];  /* when it was looked last */
	unsigned char (*fingerprints)[FINGERPRINT_SIZE];
	size_t n_fingerprints;
};

/* What OpenSSL says last, as a sentence of few words, in `out`. */
const char *tls_reason(char *out, size_t size);

#endif
