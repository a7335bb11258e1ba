/* SPDX-License-Identifier: MIT
 *
 * unpack - what a compressed file holds: gzip, Zstandard or xz, by its first bytes,
 * with any number of members behind each other.
 */
#ifndef FILE_UNPACK_H
#define FILE_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What decompressing may take in memory; a file that was made to need more is damaged. */
enum { UNPACK_MEMORY_MAX = 128 << 20 };

struct unpacked;

/* Whether the name is that of a compressed file which is read here: .gz, .zst, .xz. */
bool unpack_is_named(const char *path);
/* The same of one that is not: .bz2, .lz4 and others. */
bool unpack_is_foreign(const char *path);

/* Takes the descriptor.  NULL without memory. */
struct unpacked *unpack_open(int fd);
/* `n` bytes at p, fewer only before the end: how many, 0 at the end, -1 when it is
 * damaged or cut off.
 */
int unpack_read(struct unpacked *u, char *p, size_t n);
/* Goes on behind so many bytes more; false when there are fewer. */
bool unpack_skip(struct unpacked *u, uint64_t n);
/* The last read has found the end of a whole file. */
bool unpack_is_over(const struct unpacked *u);
void unpack_close(struct unpacked *u);

#endif
