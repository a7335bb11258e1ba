/* SPDX-License-Identifier: MIT
 *
 * arguments - the options of a subcommand, and what is wrong with them.
 *
 * An option is one row of a table: it is parsed, suggested for a misspelt one, and shown
 * by --help from there.  Parsing is getopt_long(3)'s: --over 30s, --over=30s, -c FILE,
 * -cFILE and "--" work as elsewhere, in any order.  Every mistake names the option, its
 * value, and how to see the help.
 */
#ifndef SLUICE_CLI_ARGUMENTS_H
#define SLUICE_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"

/* Of -c, --config FILE. */
#define FLAG_CONFIG_DOC "the configuration; default: $SLUICE_CONFIG, else\n" SLUICE_CONF

struct flag {
	const char *name;  /* "over" for --over */
	char letter;       /* 'c' for -c as well; 0: none */
	const char *value; /* its value's name, such as "DURATION"; NULL: it has none */
	const char *doc;   /* for --help; lines that fit beside the names */
	/* Takes the value.  NULL, or an owned sentence: what it should be. */
	char *(*take)(void *into, const char *value);
	void *into;
};

struct arguments {
	const char *command; /* "drain" */
	const char *usage;        /* the synopsis, and what the command does */
	const struct flag *flags; /* beside --help; ended by a NULL name; NULL: none */
	int words_max;            /* beside options; -1: any number */
	const char **config;      /* set by -c FILE or --config FILE; NULL: no such option */
	char **words;             /* out: argv's, moved to its front */
	int n_words;
};

/* True: continue.  False: the command exits with *status. */
bool arguments_read(struct arguments *a, int argc, char **argv, int *status) must_check;

/* Prints rows as --help shows them. */
void arguments_print_flags(FILE *out, const struct flag *flags);

/* Prints "sluice drain: ...", and how to see the help.  Returns 2, the exit status. */
int arguments_refuse(const struct arguments *a, const char *fmt, ...) printf_like(2, 3);

/* Ways to take a value: into a bool, a const char * (borrowed, not empty). */
char *take_yes(void *into, const char *value);
char *take_text(void *into, const char *value);

#endif
