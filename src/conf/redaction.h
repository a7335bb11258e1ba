/* SPDX-License-Identifier: MIT
 *
 * redaction - the settings in the list "redact:" of a source.
 */
#ifndef SLUICE_CONF_REDACTION_H
#define SLUICE_CONF_REDACTION_H

#include "conf/setting.h"

extern const struct setting redact_rows[];

struct source_settings;

/* `tree` may be NULL: no rules. */
void redaction_read(struct source_settings *src, const struct tree *tree, const char *where,
		    struct errors *e);

#endif
