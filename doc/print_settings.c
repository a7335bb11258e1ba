/* SPDX-License-Identifier: MIT
 *
 * print_settings - the tables of sluice.yaml(5), from those that sluice reads its
 * configuration by: print-settings hub|access|channels|sources|redact.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/option_text.h"
#include "conf/redaction.h"
#include "conf/settings.h"

static const struct {
	const char *name;
	const struct setting *rows;
} tables[] = {
	{"hub", hub_rows},        {"access", access_rows}, {"channels", channel_rows},
	{"sources", source_rows}, {"redact", redact_rows},
};

/* The page is the same for all installations: with the paths of a distribution. */
static void use_usual_paths(struct sluice_option *o)
{
	static const struct {
		const char *built, *usual;
	} paths[] = {{SLUICE_RUN_DIR, "/run/sluice"}, {SLUICE_STATE_DIR, "/var/lib/sluice"}};
	for (size_t i = 0; o->fallback && i < array_size(paths); i++) {
		const char *at = strstr(o->fallback, paths[i].built);
		if (at)
			o->fallback = mem_printf("%.*s%s%s", (int)(at - o->fallback), o->fallback,
						 paths[i].usual, at + strlen(paths[i].built));
	}
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < array_size(tables); i++) {
		if (strcmp(argv[1], tables[i].name) != 0)
			continue;
		struct buf out = {0};
		struct sluice_option *options = settings_options(tables[i].rows);
		for (struct sluice_option *o = options; o->name; o++)
			use_usual_paths(o);
		option_put_markdown(&out, options);
		fputs(buf_text(&out), stdout);
		buf_fini(&out);
		return 0;
	}
	fputs("usage: print-settings hub|access|channels|sources|redact\n", stderr);
	return 2;
}
