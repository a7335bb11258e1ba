/* SPDX-License-Identifier: MIT
 *
 * The certificate and its key are looked at every second: a renewed pair serves
 * the connections that begin then, those that are open keep theirs.  A pair that
 * does not fit together, or is half written, leaves the old one in use.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tls.h"

enum verify { VERIFY_NONE, VERIFY_OPTIONAL, VERIFY_REQUIRED };

static const char *const file_options[N_FILES] = {"tls.cert", "tls.key", "tls.ca"};

/* Why files cannot be used. */
struct trouble {
	const char *option;
	char message[600];
};

const char *tls_reason(char *out, size_t size)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	snprintf(out, size, "%s", text ? text : "broken off");
	ERR_clear_error();
	return out;
}

/* ---- files ---- */

/* False, with the trouble told. */
static bool __attribute__((format(printf, 3, 4)))
refuse(struct trouble *t, const char *option, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(t->message, sizeof(t->message), fmt, ap);
	va_end(ap);
	t->option = option;
	ERR_clear_error();
	return false;
}

/* Whether a file, or what there is of it, has a line "-----BEGIN ... `what`-----". */
static bool has_block(int fd, const char *what)
{
	static char text[64 * 1024];
	char end[64];
	ssize_t n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	snprintf(end, sizeof(end), "%s-----", what);
	return strstr(text, "-----BEGIN ") && strstr(text, end);
}

/* `what`: CERTIFICATE or PRIVATE KEY, as PEM calls it. */
static bool refuse_file(struct trouble *t, const char *option, const char *path, const char *what)
{
	char why[160];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return refuse(t, option,
			      "%s cannot be used: %s (let the source's user read it; a file in "
			      "another directory needs allow_read, or a restart of the source)",
			      path, strerror(errno));
	if (fd < 0)
		return refuse(t, option, "%s cannot be used: %s", path, strerror(errno));
	bool is_there = has_block(fd, what);
	close(fd);
	if (!is_there)
		return refuse(t, option,
			      "%s cannot be used: it contains no %s in PEM form (it begins with "
			      "\"-----BEGIN\"; openssl converts other forms)",
			      path, what);
	return refuse(t, option,
		      "%s cannot be used: its %s is damaged, cut off or too weak: %s (write the "
		      "file again)",
		      path, what, tls_reason(why, sizeof(why)));
}

/* OpenSSL would ask at the terminal. */
static int has_no_passphrase(char *out, int size, int for_writing, void *is_encrypted)
{
	(void)out;
	(void)size;
	(void)for_writing;
	if (is_encrypted)
		*(bool *)is_encrypted = true;
	return -1;
}

static bool load_pair(SSL_CTX *ctx, const char *cert, const char *key, struct trouble *t)
{
	bool is_encrypted = false;
	SSL_CTX_set_default_passwd_cb(ctx, has_no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return refuse_file(t, "tls.cert", cert, "CERTIFICATE");
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &is_encrypted);
	bool good = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1;
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (is_encrypted)
		return refuse(t, "tls.key",
			      "%s cannot be used: the key is encrypted (decrypt it: openssl pkey "
			      "-in %s -out NEW; let only root and the source's user read NEW)",
			      key, key);
	unsigned long e = ERR_peek_error();
	bool fits = !(ERR_GET_LIB(e) == ERR_LIB_X509 &&
		      (ERR_GET_REASON(e) == X509_R_KEY_VALUES_MISMATCH ||
		       ERR_GET_REASON(e) == X509_R_KEY_TYPE_MISMATCH));
	if (!good && fits)
		return refuse_file(t, "tls.key", key, "PRIVATE KEY");
	if (!fits || SSL_CTX_check_private_key(ctx) != 1)
		return refuse(t, "tls.key",
			      "%s cannot be used: it is not the key of the certificate in %s "
			      "(tls.cert and tls.key must belong together)",
			      key, cert);
	return true;
}

/* The sender is known by its fingerprint: who has signed it does not matter. */
static int accept_any(int verified, X509_STORE_CTX *store)
{
	(void)verified;
	(void)store;
	return 1;
}

/* A context of the files as they are; NULL, with the trouble told. */
static SSL_CTX *new_context(const struct tls *t, struct trouble *trouble)
{
	static const unsigned char id[] = "sluice";
	const char *ca = t->paths[2];
	SSL_CTX *ctx = must(SSL_CTX_new(TLS_server_method()));
	ERR_clear_error();
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	/* Who only sends never reads them, and to close on what is unread resets the
	 * connection, with all that is under way.
	 */
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	bool good = load_pair(ctx, t->paths[0], t->paths[1], trouble);
	if (good && ca && SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
		good = refuse_file(trouble, "tls.ca", ca, "CERTIFICATE");
	if (!good) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	enum verify verify = (enum verify)t->src->host->number(t->src, "tls.verify");
	int mode = verify == VERIFY_NONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
	if (verify == VERIFY_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, mode, verify != VERIFY_NONE && !ca ? accept_any : NULL);
	return ctx;
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

static bool renew(struct tls *t, struct state *s)
{
	struct trouble trouble;
	char until[64] = "";
	SSL_CTX *fresh = new_context(t, &trouble);
	if (!fresh) {
		say(s, SLUICE_LOG_ERROR, "%s: %s. The old certificate stays in use", trouble.option,
		    trouble.message);
		return false;
	}
	SSL_CTX_free(t->ctx);
	t->ctx = fresh;
	struct tm tm;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(fresh)), &tm) == 1)
		strftime(until, sizeof(until), "; it is valid until %FT%TZ", &tm);
	say(s, SLUICE_LOG_INFO, "new connections get the renewed certificate in %s%s", t->paths[0],
	    until);
	return true;
}

void tls_refresh(struct tls *t, struct state *s)
{
	struct version now[N_FILES];
	look(t, now);
	/* Two looks that see the same: nobody is writing. */
	bool is_settled = memcmp(now, t->seen, sizeof(now)) == 0;
	memcpy(t->seen, now, sizeof(now));
	if (!is_settled || memcmp(now, t->tried, sizeof(now)) == 0)
		return;
	memcpy(t->tried, now, sizeof(now));
	renew(t, s);
}

int tls_reload(struct tls *t, struct state *s)
{
	struct version now[N_FILES];
	bool moved = take_paths(t);
	look(t, now);
	bool is_same = !moved && memcmp(now, t->tried, sizeof(now)) == 0;
	memcpy(t->tried, now, sizeof(now));
	memcpy(t->seen, now, sizeof(now));
	if (is_same || renew(t, s))
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
	struct trouble trouble;
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
