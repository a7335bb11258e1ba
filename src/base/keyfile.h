/* SPDX-License-Identifier: MIT
 *
 * keyfile - a secret key of 32 bytes in a file of its own, made when it is first wanted.
 */
#ifndef SLUICE_BASE_KEYFILE_H
#define SLUICE_BASE_KEYFILE_H

#include "base/attr.h"

enum { KEY_BYTES = 32, KEY_PROOF_BYTES = 32 };

struct key {
	unsigned char bytes[KEY_BYTES];
};

/* Reads dir/name: 64 hexadecimal digits, readable for the owner of `dir` alone.
 * 0 or a negative errno, -EINVAL for what is no such key.
 */
int key_open(const char *dir, const char *name, struct key *ret) must_check;

/* HMAC-SHA256 (RFC 2104). */
void key_prove(const struct key *key, const void *p, size_t n, unsigned char ret[KEY_PROOF_BYTES]);

#endif
