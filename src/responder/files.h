/* SPDX-License-Identifier: MIT
 *
 * files - the console's files, read once at the start and served from memory.
 */
#ifndef SLUICE_RESPONDER_FILES_H
#define SLUICE_RESPONDER_FILES_H

#include "base/buf.h"

struct file {
	char *name;       /* "app.js" */
	const char *type; /* media type */
	char etag[24];    /* quoted */
	struct buf body;
};

struct files {
	struct file *all;
	size_t n;
};

/* Every file of a known kind in `dir`.  0 or a negative errno. */
int files_load(const char *dir, struct files *ret) must_check;
void files_free(struct files *f);
const struct file *files_find(const struct files *f, const char *name);

/* The whole CGI answer; 304 when the client holds this version already.  `ancestors`
 * are the pages that may frame it, as in a Content-Security-Policy; `more` are further
 * header fields.
 */
void file_put_answer(const struct file *f, const char *if_none_match, const char *ancestors,
		     struct str more, struct buf *out);

#endif
