/* SPDX-License-Identifier: MIT */
#include "certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/basics.h"

const char *tls_reason(char *out, size_t size)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	snprintf(out, size, "%s", text ? text : "broken off");
	ERR_clear_error();
	return out;
}

/* False, with the trouble told. */
static bool __attribute__((format(printf, 3, 4)))
fail(struct certificate_trouble *t, const char *option, const char *fmt, ...)
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
static bool fail_file(struct certificate_trouble *t, const char *option, const char *path,
		      const char *what)
{
	char why[160];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return fail(t, option,
			    "%s cannot be used: %s (let the source's user read it; a file in "
			    "another directory needs allow_read, or a restart of the source)",
			    path, strerror(errno));
	if (fd < 0)
		return fail(t, option, "%s cannot be used: %s", path, strerror(errno));
	bool is_there = has_block(fd, what);
	close(fd);
	if (!is_there)
		return fail(t, option,
			    "%s cannot be used: it contains no %s in PEM form (it begins with "
			    "\"-----BEGIN\"; openssl converts other forms)",
			    path, what);
	return fail(t, option,
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

static bool load_pair(SSL_CTX *ctx, const char *cert, const char *key,
		      struct certificate_trouble *t)
{
	bool is_encrypted = false;
	SSL_CTX_set_default_passwd_cb(ctx, has_no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return fail_file(t, "tls.cert", cert, "CERTIFICATE");
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &is_encrypted);
	bool good = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1;
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (is_encrypted)
		return fail(t, "tls.key",
			    "%s cannot be used: the key is encrypted (decrypt it: openssl pkey "
			    "-in %s -out NEW; let only root and the source's user read NEW)",
			    key, key);
	unsigned long e = ERR_peek_error();
	bool fits = !(ERR_GET_LIB(e) == ERR_LIB_X509 &&
		      (ERR_GET_REASON(e) == X509_R_KEY_VALUES_MISMATCH ||
		       ERR_GET_REASON(e) == X509_R_KEY_TYPE_MISMATCH));
	if (!good && fits)
		return fail_file(t, "tls.key", key, "PRIVATE KEY");
	if (!fits || SSL_CTX_check_private_key(ctx) != 1)
		return fail(t, "tls.key",
			    "%s cannot be used: it is not the key of the certificate in %s "
			    "(tls.cert and tls.key must belong together)",
			    key, cert);
	return true;
}

SSL_CTX *certificate_context(const char *cert, const char *key, const char *ca,
			     struct certificate_trouble *trouble)
{
	static const unsigned char id[] = "sluice";
	SSL_CTX *ctx = must(SSL_CTX_new(TLS_server_method()));
	ERR_clear_error();
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	/* Who only sends never reads them, and to close on what is unread resets the
	 * connection, with all that is under way.
	 */
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	bool good = load_pair(ctx, cert, key, trouble);
	if (good && ca && SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
		good = fail_file(trouble, "tls.ca", ca, "CERTIFICATE");
	if (good)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}
