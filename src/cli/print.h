/* SPDX-License-Identifier: MIT
 *
 * print - text for a terminal.
 */
#ifndef SLUICE_CLI_PRINT_H
#define SLUICE_CLI_PRINT_H

#include <stdio.h>

#include "base/attr.h"

/* Prints lines that may contain foreign text, escaped for a terminal. */
void cli_print(FILE *out, const char *fmt, ...) printf_like(2, 3);

#endif
