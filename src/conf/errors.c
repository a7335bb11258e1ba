/* SPDX-License-Identifier: MIT */
#include "conf/errors.h"

#include <stdarg.h>
#include <stdio.h>

void errors_fini(struct errors *e)
{
	buf_fini(&e->text);
}

void errors_add(struct errors *e, struct place at, const char *where, const char *fmt, ...)
{
	char what[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (at.line)
		buf_printf(&e->text, "%s:%d:%d: ", at.file, at.line, at.column);
	else
		buf_printf(&e->text, "%s: ", at.file);
	if (where)
		buf_printf(&e->text, "%s: ", where);
	buf_printf(&e->text, "%s\n", what);
	e->count++;
}
