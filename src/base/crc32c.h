/* SPDX-License-Identifier: MIT
 *
 * crc32c - the Castagnoli CRC of RFC 3720, appendix B.4.
 *
 * Uses the processor's instruction where there is one.
 */
#ifndef SLUICE_BASE_CRC32C_H
#define SLUICE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with `crc` 0; pass the result on to continue over more bytes. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* The portable form, for the test that compares both. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
