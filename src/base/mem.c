/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void *or_abort(void *p)
{
	if (!p) {
		log_error("out of memory");
		abort();
	}
	return p;
}

void *mem_zero(size_t size)
{
	return or_abort(calloc(1, size ? size : 1));
}

void *mem_resize(void *p, size_t size)
{
	return or_abort(realloc(p, size ? size : 1));
}

char *mem_strdup(const char *s)
{
	return or_abort(strdup(s));
}

char *mem_strndup(const char *s, size_t n)
{
	char *p = mem_zero(n + 1);
	memcpy(p, s, n);
	return p;
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return or_abort(n < 0 ? NULL : s);
}
