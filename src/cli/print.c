/* SPDX-License-Identifier: MIT */
#include "cli/print.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/utf8.h"

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
