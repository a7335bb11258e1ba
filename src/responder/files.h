/* SPDX-License-Identifier: MIT
 *
 * files - the console's files, read once at the start and served from memory.
 */
#ifndef SLUICE_RESPONDER_FILES_H
#define SLUICE_RESPONDER_FILES_H

#include <stdbool.h>

#include "base/buf.h"

enum coding { CODING_NONE, CODING_GZIP, CODING_BROTLI, CODINGS };

struct file {
	char *name;                 /* "app-3XK2Q7LD.js" */
	const char *type;           /* media type */
	char etag[24];              /* without quotes */
	bool is_immutable;          /* its name changes with what it holds */
	struct buf bodies[CODINGS]; /* the first always, the others where they were made */
};

struct files {
	struct file *all;
	size_t n;
};

/* Every file of a known kind in `dir`.  0 or a negative errno. */
int files_load(const char *dir, struct files *ret) must_check;
void files_free(struct files *f);
const struct file *files_find(const struct files *f, const char *name);

/* The whole CGI answer, compressed if the client accepts that; 304 when it holds this
 * version already.  `ancestors` are the pages that may frame it, as in a Content-Security-Policy;
 * `more` are further header fields.
 */
void file_put_answer(const struct file *f, const char *if_none_match, struct str accept_encoding,
		     const char *ancestors, struct str more, struct buf *out);

#endif
