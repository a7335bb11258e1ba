/* SPDX-License-Identifier: MIT
 *
 * option - options that several plugins have, and refusing options.
 */
#ifndef COMMON_OPTION_H
#define COMMON_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "sluice-plugin.h"

/* Refuses an option's value; returns -EINVAL to pass on. */
int option_refuse(struct sluice_source *src, const char *option, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same of a text that is no time zone. */
int option_refuse_zone(struct sluice_source *src, const char *option, const char *text);

/* The functions below read a value: 0, or -EINVAL after refusing it. */

/* Octal digits, 0 to 0777.  `example`: what to write instead, for the message. */
int option_octal(struct sluice_source *src, const char *option, const char *example, int *ret);

/* Where reading begins the first time. */
struct read_from {
	bool beginning;
	uint64_t last; /* so many of the last ones; 0 with !beginning: none */
};

/* The option read_from.  `what`: what is read, "lines", for the message. */
int option_read_from(struct sluice_source *src, const char *what, struct read_from *ret);

#endif
