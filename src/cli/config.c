/* SPDX-License-Identifier: MIT
 *
 * config - what the commands that take a configuration have in common.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/unit.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "conf/remarks.h"
#include "source/probe.h"

void cli_print(FILE *out, const char *fmt, ...)
{
	struct buf text = {0}, visible = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	utf8_put_visible_lines(&visible, buf_str(&text), "");
	if (out == stderr)
		log_text(buf_str(&visible));
	else
		fputs(buf_text(&visible), out);
	buf_fini(&text);
	buf_fini(&visible);
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
		cli_print_errors(&e);
		cli_print(stderr, "sluice: %d %s in %s; nothing was started\n", e.count,
			  plural((uint64_t)e.count, "mistake", "mistakes"), file);
		settings_free(s);
		s = NULL;
	}
	errors_fini(&e);
	return s;
}
