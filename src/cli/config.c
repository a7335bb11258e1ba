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

struct settings *load_checked(const char *file, bool strict)
{
	struct errors e = {0};
	struct settings *s = settings_load(file, &e);
	probe_sources(s, &e);
	if (strict)
		probe_tell_troubles(s, &e);
	if (e.count) {
		errors_log(&e);
		cli_print(stderr, "sluice: %d %s in %s; nothing was started\n", e.count,
			  plural((uint64_t)e.count, "mistake", "mistakes"), file);
		settings_free(s);
		s = NULL;
	}
	errors_fini(&e);
	return s;
}
