/* SPDX-License-Identifier: MIT */
#include "responder/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/mem.h"
#include "wire/headers.h"
#include "wire/query.h"

enum { FILE_MAX = 4 * 1024 * 1024 };

static const struct {
	const char *suffix, *type;
} types[] = {
	{".html", "text/html; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".svg", "image/svg+xml"},
	{".woff2", "font/woff2"},
};

/* Compressed forms lie beside the file that they are of. */
static const struct {
	const char *name, *suffix, *tag;
} codings[CODINGS] = {
	[CODING_GZIP] = {"gzip", ".gz", "-gz"},
	[CODING_BROTLI] = {"br", ".br", "-br"},
};

/* Nothing from elsewhere, nothing inline, nothing made from strings: a line of
 * a log can become nothing but text.
 */
static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	"worker-src 'self'; font-src 'self'; img-src 'self' data:; base-uri 'none'; "
	"form-action 'self'; require-trusted-types-for 'script'; trusted-types sluice; "
	"frame-ancestors";

static const char *type_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot && i < array_size(types); i++)
		if (strcmp(dot, types[i].suffix) == 0)
			return types[i].type;
	return NULL;
}

/* "app-3XK2Q7LD.js": the build puts a hash of eight letters and digits there. */
static bool has_hash(const char *name)
{
	const char *dash = strrchr(name, '-');
	return dash && strspn(dash + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == 8 && dash[9] == '.';
}

static int load_codings(const char *dir, struct file *f)
{
	int r = 0;
	for (size_t i = CODING_NONE + 1; !r && i < CODINGS; i++) {
		char *path = mem_printf("%s/%s%s", dir, f->name, codings[i].suffix);
		r = fd_read_file(path, FILE_MAX, &f->bodies[i]);
		r = r == -ENOENT ? 0 : r;
		free(path);
	}
	return r;
}

int files_load(const char *dir, struct files *ret)
{
	*ret = (struct files){0};
	DIR *d = opendir(dir);
	if (!d)
		return -errno;
	int r = 0;
	for (struct dirent *e; !r && (e = readdir(d));) {
		const char *type = type_of(e->d_name);
		if (!type || e->d_name[0] == '.')
			continue;
		struct file f = {.name = mem_strdup(e->d_name),
				 .type = type,
				 .is_immutable = has_hash(e->d_name)};
		struct buf *body = &f.bodies[CODING_NONE];
		char *path = mem_printf("%s/%s", dir, e->d_name);
		r = fd_read_file(path, FILE_MAX, body);
		free(path);
		if (!r)
			r = load_codings(dir, &f);
		snprintf(f.etag, sizeof(f.etag), "%08x%zx", crc32c(0, body->data, body->len),
			 body->len & 0xffffff);
		ret->all = mem_resize(ret->all, (ret->n + 1) * sizeof(ret->all[0]));
		ret->all[ret->n++] = f;
	}
	closedir(d);
	return r;
}

void files_free(struct files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->all[i].name);
		for (size_t k = 0; k < CODINGS; k++)
			buf_fini(&f->all[i].bodies[k]);
	}
	free(f->all);
	*f = (struct files){0};
}

const struct file *files_find(const struct files *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->all[i].name, name) == 0)
			return &f->all[i];
	return NULL;
}

/* Whether If-None-Match (RFC 9110, 13.1.2) names this entity tag; weak ones are as good. */
static bool names_tag(const char *list, const char *tag)
{
	size_t n = strlen(tag);
	list += strspn(list, " \t,");
	if (*list == '*')
		return true;
	while (*list) {
		list += strncmp(list, "W/", 2) == 0 ? 2 : 0;
		size_t len = *list == '"' ? 1 + strcspn(list + 1, "\"") + 1 : strcspn(list, ",");
		if (len == n && strncmp(list, tag, n) == 0)
			return true;
		list += strnlen(list, len);
		list += strspn(list, " \t,");
	}
	return false;
}

/* What old browsers know instead; it has no word for pages of others. */
static const char *frame_options(const char *ancestors)
{
	if (strcmp(ancestors, "'none'") == 0)
		return "X-Frame-Options: DENY\r\n";
	return strcmp(ancestors, "'self'") == 0 ? "X-Frame-Options: SAMEORIGIN\r\n" : "";
}

static enum coding coding_for(const struct file *f, struct str accept_encoding)
{
	for (size_t i = CODINGS; --i > CODING_NONE;)
		if (f->bodies[i].len && accepts_coding(accept_encoding, codings[i].name))
			return i;
	return CODING_NONE;
}

void file_put_answer(const struct file *f, const char *if_none_match, struct str accept_encoding,
		     const char *ancestors, struct str more, struct buf *out)
{
	enum coding coding = coding_for(f, accept_encoding);
	const struct buf *body = &f->bodies[coding];
	char tag[40];
	snprintf(tag, sizeof(tag), "\"%s%s\"", f->etag, coding ? codings[coding].tag : "");
	bool held = names_tag(if_none_match, tag);
	buf_printf(out,
		   "Status: %s\r\nContent-Type: %s\r\nETag: %s\r\n"
		   "Cache-Control: %s\r\n" SAFE_HEADERS_ALWAYS
		   "%sContent-Security-Policy: %s %s\r\n",
		   held ? "304 Not Modified" : "200 OK", f->type, tag,
		   f->is_immutable ? "public, max-age=31536000, immutable" : "no-cache",
		   frame_options(ancestors), policy, ancestors);
	buf_put_str(out, more);
	if (!held && coding)
		buf_printf(out, "Content-Encoding: %s\r\n", codings[coding].name);
	if (!held)
		buf_printf(out, "Content-Length: %zu\r\n", body->len);
	buf_puts(out, "\r\n");
	if (!held)
		buf_put_str(out, buf_str(body));
}
