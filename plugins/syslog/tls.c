/* SPDX-License-Identifier: MIT
 *
 * The certificate and its key are looked at every second: a renewed pair serves
 * the connections that begin then, those that are open keep theirs.  A pair that
 * does not fit together, or is half written, leaves the old one in use.
 */
#include "tls.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "certificate.h"
#include "common/basics.h"
#include "common/say.h"

enum { N_FILES = 3, FINGERPRINT_SIZE = 32 };
enum verify { VERIFY_NONE, VERIFY_OPTIONAL, VERIFY_REQUIRED };

static const char *const file_options[N_FILES] = {"tls.cert", "tls.key", "tls.ca"};

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

/* ---- who may send ---- */

static bool is_allowed(const struct tls *t, const char *name)
{
	const char *pattern;
	for (size_t i = 0; (pattern = t->src->host->option(t->src, "tls.allowed_names", i)); i++)
		if (fnmatch(pattern, name, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

static bool has_allowed_name(const struct tls *t, X509 *cert)
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

int tls_check_peer(const struct tls *t, const SSL *ssl, char *why, size_t size)
{
	char print[2 * FINGERPRINT_SIZE + 1] = "";
	bool by_name = t->src->host->option(t->src, "tls.allowed_names", 0);
	if (!by_name && !t->n_fingerprints)
		return 0;
	X509 *cert = SSL_get1_peer_certificate(ssl);
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

/* ---- contexts ---- */

/* The sender is known by its fingerprint: who has signed it does not matter. */
static int accept_any(int verified, X509_STORE_CTX *store)
{
	(void)verified;
	(void)store;
	return 1;
}

/* A context of the files as they are; NULL with *trouble set. */
static SSL_CTX *new_context(const struct tls *t, struct certificate_trouble *trouble)
{
	SSL_CTX *ctx = certificate_context(t->paths[0], t->paths[1], t->paths[2], trouble);
	if (!ctx)
		return NULL;
	enum verify verify = (enum verify)t->src->host->number(t->src, "tls.verify");
	int mode = verify == VERIFY_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
	if (verify == VERIFY_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, verify != VERIFY_NONE && !t->paths[2] ? accept_any : NULL);
	return ctx;
}

SSL *tls_ssl(const struct tls *t)
{
	return SSL_new(t->ctx);
}

/* ---- renewal ---- */

static void look(const struct tls *t, struct version *ret)
{
	memset(ret, 0, N_FILES * sizeof(*ret));
	for (size_t i = 0; i < N_FILES; i++) {
		struct stat st;
		if (!t->paths[i])
			continue;
		if (stat(t->paths[i], &st) < 0) {
			ret[i].error = errno;
			continue;
		}
		ret[i].device = st.st_dev;
		ret[i].inode = st.st_ino;
		ret[i].size = (uint64_t)st.st_size;
		ret[i].written_ns = st.st_mtim.tv_sec * SEC + st.st_mtim.tv_nsec;
		ret[i].changed_ns = st.st_ctim.tv_sec * SEC + st.st_ctim.tv_nsec;
	}
}

/* Takes the paths from the options; whether they have changed. */
static bool take_paths(struct tls *t)
{
	bool changed = false;
	for (size_t i = 0; i < N_FILES; i++) {
		const char *path = t->src->host->option(t->src, file_options[i], 0);
		if (path && t->paths[i] && strcmp(path, t->paths[i]) == 0)
			continue;
		changed |= path || t->paths[i];
		free(t->paths[i]);
		t->paths[i] = path ? must(strdup(path)) : NULL;
	}
	return changed;
}

static bool renew(struct tls *t)
{
	struct certificate_trouble trouble;
	char until[64] = "";
	SSL_CTX *fresh = new_context(t, &trouble);
	if (!fresh) {
		say(t->src, SLUICE_LOG_ERROR, "%s: %s. The old certificate stays in use",
		    trouble.option, trouble.message);
		return false;
	}
	SSL_CTX_free(t->ctx);
	t->ctx = fresh;
	struct tm tm;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(fresh)), &tm) == 1)
		strftime(until, sizeof(until), "; it is valid until %FT%TZ", &tm);
	say(t->src, SLUICE_LOG_INFO, "new connections get the renewed certificate in %s%s",
	    t->paths[0], until);
	return true;
}

void tls_refresh(struct tls *t)
{
	struct version now[N_FILES];
	look(t, now);
	/* Two looks that see the same: nobody is writing. */
	bool is_settled = memcmp(now, t->seen, sizeof(now)) == 0;
	memcpy(t->seen, now, sizeof(now));
	if (!is_settled || memcmp(now, t->tried, sizeof(now)) == 0)
		return;
	memcpy(t->tried, now, sizeof(now));
	renew(t);
}

int tls_reload(struct tls *t)
{
	struct version now[N_FILES];
	bool moved = take_paths(t);
	look(t, now);
	bool is_same = !moved && memcmp(now, t->tried, sizeof(now)) == 0;
	memcpy(t->tried, now, sizeof(now));
	memcpy(t->seen, now, sizeof(now));
	if (is_same || renew(t))
		return 0;
	/* Other paths: a process that the sandbox lets read them is needed. */
	return moved ? -EAGAIN : 0;
}

/* ---- options ---- */

static int digit_of(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* 64 hexadecimal digits, with colons or without, as openssl and others print them. */
static bool read_fingerprint(const char *text, unsigned char *ret)
{
	static const char *const heads[] = {"sha256:", "sha-256:", "sha256 fingerprint="};
	size_t n = 0;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (strncasecmp(text, heads[i], strlen(heads[i])) == 0)
			text += strlen(heads[i]);
	for (; *text; text++) {
		int digit = digit_of(*text);
		if (*text == ':' && n % 2 == 0)
			continue;
		if (digit < 0 || n == 2 * FINGERPRINT_SIZE)
			return false;
		ret[n / 2] = (unsigned char)(n % 2 ? ret[n / 2] << 4 | digit : digit);
		n++;
	}
	return n == 2 * FINGERPRINT_SIZE;
}

static int read_fingerprints(struct tls *t)
{
	const char *text;
	for (size_t i = 0; (text = t->src->host->option(t->src, "tls.allowed_fingerprints", i));
	     i++) {
		t->fingerprints =
			must(realloc(t->fingerprints, (i + 1) * sizeof(t->fingerprints[0])));
		t->n_fingerprints = i + 1;
		if (!read_fingerprint(text, t->fingerprints[i]))
			return t->src->host->refuse(
				t->src, "tls.allowed_fingerprints",
				"write the SHA-256 of a certificate, 64 hexadecimal digits "
				"(openssl x509 -in CERT -noout -fingerprint -sha256)");
	}
	return 0;
}

static int check_options(const struct tls *t)
{
	const struct sluice_host *h = t->src->host;
	bool has_names = h->option(t->src, "tls.allowed_names", 0);
	if (!t->paths[0] || !t->paths[1])
		return h->refuse(t->src, t->paths[0] ? "tls.key" : "tls.cert",
				 "is missing: a tls: address needs a certificate and its key (set "
				 "tls.cert and tls.key)");
	if (h->number(t->src, "tls.verify") == VERIFY_NONE) {
		if (has_names || t->n_fingerprints)
			return h->refuse(t->src,
					 has_names ? "tls.allowed_names"
						   : "tls.allowed_fingerprints",
					 "has no effect without tls.verify: required");
		return 0;
	}
	if (!t->paths[2] && (has_names || !t->n_fingerprints))
		return h->refuse(t->src, "tls.ca",
				 "is missing: without it no certificate can be accepted (set "
				 "tls.ca, or tls.allowed_fingerprints)");
	return 0;
}

struct tls *tls_new(struct sluice_source *src)
{
	struct tls *t = must(calloc(1, sizeof(*t)));
	struct certificate_trouble trouble;
	t->src = src;
	take_paths(t);
	bool good = !read_fingerprints(t) && !check_options(t);
	if (good) {
		look(t, t->tried);
		memcpy(t->seen, t->tried, sizeof(t->seen));
		t->ctx = new_context(t, &trouble);
		if (!t->ctx)
			src->host->refuse(src, trouble.option, trouble.message);
	}
	if (t->ctx)
		return t;
	tls_free(t);
	return NULL;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	for (size_t i = 0; i < N_FILES; i++)
		free(t->paths[i]);
	free(t->fingerprints);
	free(t);
}
