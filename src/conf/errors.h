/* SPDX-License-Identifier: MIT
 *
 * errors - the mistakes of a configuration, collected so that all are told at once.
 *
 * Each is a line `file:line:column: where: what (remedy)`.
 */
#ifndef SLUICE_CONF_ERRORS_H
#define SLUICE_CONF_ERRORS_H

#include "base/buf.h"

struct place {
	const char *file; /* borrowed */
	int line, column; /* from 1; 0: the file as a whole */
};

struct errors {
	struct buf text; /* whole lines */
	int count;
};

void errors_fini(struct errors *e);

/* `where` is a dotted path in the configuration, or NULL. */
void errors_add(struct errors *e, struct place at, const char *where, const char *fmt, ...)
	printf_like(4, 5);

#endif
