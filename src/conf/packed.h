/* SPDX-License-Identifier: MIT
 *
 * packed - checked settings as bytes, from the process that has checked them to
 * the hub.
 *
 * So the hub never reads YAML, and a restarted one works with exactly what was
 * checked, whatever has become of the files.
 */
#ifndef SLUICE_CONF_PACKED_H
#define SLUICE_CONF_PACKED_H

#include "base/bytes.h"
#include "conf/settings.h"

enum { PACKED_MAX = 64 * 1024 * 1024 };

void packed_put(struct buf *out, const struct settings *s);
/* Owned, or NULL for bytes that are none. */
struct settings *packed_get(struct str s) must_check;

/* One source: two that pack alike are configured alike. */
void packed_put_source(struct buf *out, const struct source_settings *src);
/* Owned in any case; whether it could be read says the reader. */
void packed_get_source(struct reader *r, struct source_settings *ret);

#endif
