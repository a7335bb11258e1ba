/* SPDX-License-Identifier: MIT
 *
 * arguments - the options of a subcommand, and what is wrong with them.
 *
 * By getopt_long(3): --over 30s, --over=30s, -c FILE, -cFILE and "--" mean what they
 * mean elsewhere, in any order.  Every mistake names the option, its value, and how to
 * see the help.
 */
#ifndef SLUICE_CLI_ARGUMENTS_H
#define SLUICE_CLI_ARGUMENTS_H

#include <stdbool.h>

#include "base/attr.h"

struct flag {
	const char *name;  /* "over" for --over */
	char letter;       /* 'c' for -c as well; 0: none */
	const char *value; /* its value's name, such as "DURATION"; NULL: it has none */
	/* Takes the value.  NULL, or an owned sentence: what it should be. */
	char *(*take)(void *into, const char *value);
	void *into;
};

struct arguments {
	const char *command; /* "drain" */
	const char *usage;
	const struct flag *flags; /* beside --help; ended by a NULL name; NULL: none */
	int words_max;            /* beside options; -1: any number */
	const char **config;      /* set by -c FILE or --config FILE; NULL: no such option */
	char **words;             /* out: argv's, moved to its front */
	int n_words;
};

/* True: continue.  False: the command exits with *status. */
bool arguments_read(struct arguments *a, int argc, char **argv, int *status) must_check;

/* Prints "sluice drain: ...", and how to see the help.  Returns 2, the exit status. */
int arguments_refuse(const struct arguments *a, const char *fmt, ...) printf_like(2, 3);

/* Ways to take a value: into a bool, a const char * (borrowed, not empty). */
char *take_yes(void *into, const char *value);
char *take_text(void *into, const char *value);

#endif
