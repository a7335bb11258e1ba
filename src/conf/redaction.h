/* SPDX-License-Identifier: MIT
 *
 * redaction - reads the list "redact:" of a source.
 */
#ifndef SLUICE_CONF_REDACTION_H
#define SLUICE_CONF_REDACTION_H

#include "conf/settings.h"

/* `tree` may be NULL: no rules. */
void redaction_read(struct source_settings *src, const struct tree *tree, const char *where,
		    struct errors *e);
void redaction_fini(struct source_settings *src);

#endif
