/* SPDX-License-Identifier: MIT
 *
 * errors - the mistakes of a configuration, collected so that all are told at once.
 *
 * Each is a line `file:line:column: where: what (remedy)`; further lines of it are
 * indented.  However they are found, they are told in the order of their places.
 */
#ifndef SLUICE_CONF_ERRORS_H
#define SLUICE_CONF_ERRORS_H

#include "base/buf.h"

struct place {
	const char *file; /* borrowed */
	int line, column; /* from 1; 0: the file as a whole */
};

struct mistake {
	char *file; /* owned */
	int line, column, number;
	char *text; /* safe for a terminal; owned */
};

struct errors {
	struct mistake *all;
	int count;
	char *main_file; /* is told before all others; owned, or NULL */
};

void errors_fini(struct errors *e);

/* `where` is a dotted path in the configuration, or NULL. */
void errors_add(struct errors *e, struct place at, const char *where, const char *fmt, ...)
	printf_like(4, 5);

/* Appends them all as lines. */
void errors_put(struct errors *e, struct buf *out);
/* The same on standard error. */
void errors_log(struct errors *e);

/* Appends "file:line:column: ", as far as these are known. */
void place_put(struct buf *out, struct place at);

#endif
