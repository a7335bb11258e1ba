/* SPDX-License-Identifier: MIT
 *
 * option_text - options as people read them: in help, and in tables of manual pages.
 */
#ifndef SLUICE_CONF_OPTION_TEXT_H
#define SLUICE_CONF_OPTION_TEXT_H

#include "conf/option.h"

/* "duration", "list of path", or the words of a choice, each between quotes. */
void option_put_type(struct buf *out, const struct sluice_option *o, const char *quote);

/* ", 1s to 24h", where there is a range. */
void option_put_range(struct buf *out, const struct sluice_option *o);

/* "number", "text" and the like. */
const char *option_type_word(enum sluice_type type);

/* A table in Markdown: name, value, default, meaning. */
void option_put_markdown(struct buf *out, const struct sluice_option *table);

/* Text in a cell of such a table. */
void option_put_cell(struct buf *out, const char *s);

#endif
