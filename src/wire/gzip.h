/* SPDX-License-Identifier: MIT
 *
 * gzip - a gzip stream (RFC 1952) put together from pieces that several streams
 * may share.
 *
 * Every piece ends on a byte, so pieces may follow each other as long as each of
 * them looks back only on what its reader has had: a piece begun "anew" looks back
 * on nothing.  The stream has no end, so it has no checksum: what reads it must
 * take what has arrived, as browsers and curl do.
 */
#ifndef SLUICE_WIRE_GZIP_H
#define SLUICE_WIRE_GZIP_H

#include "base/buf.h"

/* The ten bytes at the beginning. */
void gzip_put_header(struct buf *out);

/* `text` as it is, in stored blocks.  What follows may not look back beyond it.  Ends, as
 * every piece does, with an empty stored block: some decoders (Go's compress/flate) pass
 * on what they have only when they meet one.
 */
void gzip_put_stored(struct buf *out, struct str text);

/* `text` compressed, looking back on nothing. */
void gzip_put_alone(struct buf *out, struct str text);

struct gzip;

struct gzip *gzip_new(void) must_check;
void gzip_free(struct gzip *g);

/* `text` compressed, looking back on what was put before unless `anew`. */
void gzip_put(struct gzip *g, struct buf *out, struct str text, bool anew);

#endif
