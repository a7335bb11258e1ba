/* SPDX-License-Identifier: MIT
 *
 * config - what the commands that take a configuration have in common.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/cli.h"
#include "conf/remarks.h"
#include "source/probe.h"

const char *config_argument(int argc, char **argv, const char *usage, int *status)
{
	const char *file = getenv("SLUICE_CONFIG");
	if (!file || !*file)
		file = SLUICE_CONF;
	*status = 2;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(usage, stdout);
			*status = 0;
			return NULL;
		}
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			file = argv[++i];
			continue;
		}
		if (strcmp(argv[i], "-c") == 0)
			fputs("sluice: -c needs the name of a file behind it\n", stderr);
		else
			fprintf(stderr, "sluice: \"%s\" is not understood\n%s", argv[i], usage);
		return NULL;
	}
	return file;
}

void cli_put_origins(const struct access_settings *a, struct buf *out)
{
	for (size_t i = 0; i < a->n_origins; i++)
		buf_printf(out, "%s%s", i ? " " : "", a->origins[i]);
}

void cli_put_frame_ancestors(const struct access_settings *a, struct buf *out)
{
	if (!a->n_frame_ancestors)
		buf_puts(out, "'none'");
	for (size_t i = 0; i < a->n_frame_ancestors; i++) {
		const char *s = a->frame_ancestors[i];
		buf_printf(out, "%s%s", i ? " " : "", strcmp(s, "self") == 0 ? "'self'" : s);
	}
}

const char *cli_console_dir(void)
{
	const char *dir = getenv("SLUICE_CONSOLE_DIR");
	return dir && *dir ? dir : SLUICE_CONSOLE_DIR;
}

static void log_remark(void *ctx maybe_unused, const char *sentence)
{
	log_warning("%s", sentence);
}

void log_remarks(const struct settings *s)
{
	settings_remarks(s, log_remark, NULL);
}

void cli_print_errors(struct errors *e)
{
	struct buf text = {0};
	errors_put(e, &text);
	log_text(buf_str(&text));
	buf_fini(&text);
}

struct settings *load_checked(const char *file, bool strict)
{
	struct errors e = {0};
	struct settings *s = settings_load(file, &e);
	probe_sources(s, &e);
	if (strict)
		probe_tell_troubles(s, &e);
	if (e.count) {
		struct buf last = {0};
		cli_print_errors(&e);
		buf_printf(&last, "sluice: %d mistake%s in %s; nothing was started\n", e.count,
			   e.count == 1 ? "" : "s", file);
		log_text(buf_str(&last));
		buf_fini(&last);
		settings_free(s);
		s = NULL;
	}
	errors_fini(&e);
	return s;
}
