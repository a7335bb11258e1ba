/* SPDX-License-Identifier: MIT
 *
 * mem - allocation that does not fail.
 *
 * A process that cannot get memory says so and aborts: its parent starts it
 * again and the journal makes the restart exact.  What a peer can make large
 * is bounded before it is allocated, so this is never the answer to an input.
 */
#ifndef SLUICE_BASE_MEM_H
#define SLUICE_BASE_MEM_H

#include <stddef.h>

#include "base/attr.h"

/* Called before the abort, in place of a line on standard error. */
void mem_on_exhausted(void (*fn)(void));

/* Zeroed; the caller owns it and gives it back with free(). */
void *mem_zero(size_t size) must_check;
void *mem_resize(void *p, size_t size) must_check;
char *mem_strdup(const char *s) must_check;
char *mem_strndup(const char *s, size_t n) must_check;

/* For a process that is large now and then.  At its start: large blocks are given back as
 * soon as they are freed.
 */
void mem_hold_little(void);
/* Gives back to the system what is free. */
void mem_trim(void);
/* Now and then: gives back what is free, when it holds much more than after the last time.
 * *held is kept by the caller, 0 at first: bytes.
 */
void mem_give_back(size_t *held);

/* A formatted string; returns owned. */
char *mem_printf(const char *fmt, ...) printf_like(1, 2) must_check;

#endif
