/* SPDX-License-Identifier: MIT
 *
 * attr - compiler attributes and the few macros that everything uses.
 */
#ifndef SLUICE_BASE_ATTR_H
#define SLUICE_BASE_ATTR_H

#include <stddef.h>

#define must_check        __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define no_return         __attribute__((noreturn))
#define maybe_unused      __attribute__((unused))

#define array_size(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that embeds `member` at `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
