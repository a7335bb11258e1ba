/* SPDX-License-Identifier: MIT */
#include "cli/arguments.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/unit.h"
#include "cli/print.h"

enum { FLAGS_MAX = 16, WORD = 1, FIRST = 256 };

/* The command's own options, and those of every command. */
struct known {
	struct flag all[FLAGS_MAX + 1];
	int n;
	bool wants_help;
};

int arguments_refuse(const struct arguments *a, const char *fmt, ...)
{
	struct buf text = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	cli_print(stderr, "sluice %s: %s (see sluice %s --help)\n", a->command, buf_text(&text),
		  a->command);
	buf_fini(&text);
	return 2;
}

char *take_yes(void *into, const char *value maybe_unused)
{
	*(bool *)into = true;
	return NULL;
}

char *take_text(void *into, const char *value)
{
	*(const char **)into = value;
	return *value ? NULL : mem_strdup("it is empty");
}

/* "-c, --config FILE", with room for a letter in every row if one has any. */
static void put_names(struct buf *out, const struct flag *f, bool has_letters)
{
	if (f->letter)
		buf_printf(out, "-%c, ", f->letter);
	else if (has_letters)
		buf_puts(out, "    ");
	buf_printf(out, "--%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
}

void arguments_print_flags(FILE *out, const struct flag *flags)
{
	bool has_letters = false;
	size_t width = 0;
	struct buf names = {0};
	for (const struct flag *f = flags; f->name; f++)
		has_letters |= f->letter != 0;
	for (const struct flag *f = flags; f->name; f++) {
		names.len = 0;
		put_names(&names, f, has_letters);
		width = MAX(width, names.len);
	}
	for (const struct flag *f = flags; f->name; f++) {
		names.len = 0;
		put_names(&names, f, has_letters);
		fprintf(out, "  %-*s", (int)width, buf_text(&names));
		for (const char *line = f->doc; *line; line += strcspn(line, "\n")) {
			line += *line == '\n';
			fprintf(out, "%*s%.*s\n", line == f->doc ? 2 : (int)width + 4, "",
				(int)strcspn(line, "\n"), line);
		}
	}
	buf_fini(&names);
}

static void print_help(const struct arguments *a, const struct known *k)
{
	fputs(a->usage, stdout);
	fputs("\noptions:\n", stdout);
	arguments_print_flags(stdout, k->all);
}

static void know(struct known *k, const struct arguments *a)
{
	for (const struct flag *f = a->flags; f && f->name; f++)
		k->all[k->n++] = *f;
	if (a->config)
		k->all[k->n++] =
			(struct flag){"config", 'c', "FILE", FLAG_CONFIG_DOC, take_text, a->config};
	k->all[k->n++] =
		(struct flag){"help", 'h', NULL, "print this text", take_yes, &k->wants_help};
}

static void put_short_options(const struct known *k, char *out)
{
	/* "-": words are returned in place.  ":": a missing value differs from an unknown option.
	 */
	*out++ = '-';
	*out++ = ':';
	for (int i = 0; i < k->n; i++) {
		if (k->all[i].letter)
			*out++ = k->all[i].letter;
		if (k->all[i].letter && k->all[i].value)
			*out++ = ':';
	}
	*out = 0;
}

static int refuse_unknown(const struct arguments *a, const struct known *k, const char *text)
{
	const char *names[FLAGS_MAX + 1] = {NULL};
	char *name = mem_strndup(text + strspn(text, "-"), strcspn(text, "=") - strspn(text, "-"));
	for (int i = 0; i < k->n; i++)
		names[i] = k->all[i].name;
	const char *near = strncmp(text, "--", 2) == 0 ? unit_nearest(name, names) : NULL;
	free(name);
	if (near)
		return arguments_refuse(a, "unknown option \"%s\": did you mean --%s?", text, near);
	return arguments_refuse(a, "unknown option \"%s\"", text);
}

static const struct flag *flag_of(const struct known *k, int code)
{
	for (int i = 0; i < k->n; i++)
		if (code == FIRST + i || (k->all[i].letter && code == k->all[i].letter))
			return &k->all[i];
	return NULL;
}

/* As it was written: -c or --config. */
static char *written(const struct flag *f, int code)
{
	return code < FIRST ? mem_printf("-%c", f->letter) : mem_printf("--%s", f->name);
}

static int refuse_option(const struct arguments *a, const struct known *k, bool lacks_value,
			 char **argv)
{
	const struct flag *f = optopt ? flag_of(k, optopt) : NULL;
	char *name = f ? written(f, optopt) : mem_printf("-%c", optopt);
	int status;
	if (f && lacks_value)
		status = arguments_refuse(a, "%s needs a value: %s %s", name, name, f->value);
	else if (f)
		status = arguments_refuse(a, "\"%s\": %s takes no value", argv[optind - 2], name);
	else /* in the middle of "-abc", optind has not advanced yet */
		status = refuse_unknown(a, k, optopt ? name : argv[optind - 2]);
	free(name);
	return status;
}

static int take(const struct arguments *a, const struct flag *f, int code, const char *value)
{
	char *why = f->take(f->into, value);
	if (!why)
		return 0;
	char *name = written(f, code);
	int status = arguments_refuse(a, "%s %s: %s", name, *value ? value : "\"\"", why);
	free(name);
	free(why);
	return status;
}

static int take_word(struct arguments *a, char **argv, char *word)
{
	if (a->words_max < 0 || a->n_words < a->words_max) {
		argv[a->n_words++] = word;
		return 0;
	}
	if (a->config && !a->words_max)
		return arguments_refuse(
			a,
			"unexpected argument \"%s\": to name a configuration, write sluice %s -c "
			"%s",
			word, a->command, word);
	return arguments_refuse(a, "unexpected argument \"%s\"", word);
}

static int take_next(struct arguments *a, const struct known *k, int code, char **argv)
{
	if (code == WORD)
		return take_word(a, argv, optarg);
	if (code == '?' || code == ':')
		return refuse_option(a, k, code == ':', argv);
	return take(a, flag_of(k, code), code, optarg ? optarg : "");
}

bool arguments_read(struct arguments *a, int argc, char **argv, int *status)
{
	struct known k = {.n = 0};
	struct option all[FLAGS_MAX + 1] = {{0}};
	char letters[2 * FLAGS_MAX + 3];
	int code;
	know(&k, a);
	put_short_options(&k, letters);
	for (int i = 0; i < k.n; i++)
		all[i] = (struct option){k.all[i].name,
					 k.all[i].value ? required_argument : no_argument, NULL,
					 FIRST + i};
	a->words = argv;
	a->n_words = 0;
	optind = opterr = 0;
	*status = 0;
	/* argv[-1] exists: the command follows the program's name. */
	while (!*status && !k.wants_help &&
	       (code = getopt_long(argc + 1, argv - 1, letters, all, NULL)) != -1)
		*status = take_next(a, &k, code, argv);
	for (int i = optind - 1; !*status && !k.wants_help && i < argc; i++)
		*status = take_word(a, argv, argv[i]);
	if (!*status && k.wants_help)
		print_help(a, &k);
	return !*status && !k.wants_help;
}
