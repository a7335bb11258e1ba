/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGE = 256 * 1024, MUCH = 8 * 1024 * 1024 };

static void say(void)
{
	static const char text[] = "sluice: out of memory\n";
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return;
}

static void (*tell)(void) = say;

void mem_on_exhausted(void (*fn)(void))
{
	tell = fn;
}

/* Telling takes memory as well: one that is at its limit dies without a word then. */
static void *or_abort(void *p)
{
	static _Thread_local bool is_telling;
	if (!p && !is_telling) {
		is_telling = true;
		tell();
	}
	if (!p)
		abort();
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

void mem_hold_little(void)
{
	/* Without this glibc raises the limit with each large block that is freed, and keeps them.
	 */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, MUCH);
}

static size_t resident(void)
{
	unsigned long long size, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &size, &pages) != 2)
		pages = 0;
	fclose(f);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

void mem_trim(void)
{
#ifdef HAVE_MALLOC_TRIM
	malloc_trim(0);
#endif
}

void mem_give_back(size_t *held)
{
	size_t now = resident();
	if (now <= *held + MUCH) {
		*held = *held ? (now < *held ? now : *held) : now;
		return;
	}
#ifdef HAVE_MALLINFO2
	if (mallinfo2().fordblks < MUCH)
		return;
#endif
	mem_trim();
	*held = resident();
}
