/* SPDX-License-Identifier: MIT
 *
 * name - what may name a channel, a source or an event type.
 */
#ifndef SLUICE_CONF_NAME_H
#define SLUICE_CONF_NAME_H

#include <stdbool.h>

/* Letters, digits, "_", "." and "-", at most 64 bytes, and first a letter or a digit. */
bool name_is_valid(const char *s);

#endif
