/* SPDX-License-Identifier: MIT */
#include "common/say.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/basics.h"

static void log_line(struct sluice_source *src, enum sluice_log_level level, const char *fmt,
		     va_list ap)
{
	char message[1024];
	vsnprintf(message, sizeof(message), fmt, ap);
	src->host->log(src, level, message);
}

void say(struct sluice_source *src, enum sluice_log_level level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_line(src, level, fmt, ap);
	va_end(ap);
}

void say_readable(struct sluice_source *src, struct complaints *c, const char *path)
{
	if (complaint_ends(c, path))
		say(src, SLUICE_LOG_INFO, "%s can be read again", path);
}

static uint64_t hash(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = h * 33 + (unsigned char)*text;
	return h;
}

void complain(struct sluice_source *src, struct warnings *w, const char *about, const char *fmt,
	      ...)
{
	uint64_t h = hash(hash(5381, about), fmt);
	int64_t now = mono_ns();
	if (w->recent[h % WARNINGS_MAX].about == h &&
	    now - w->recent[h % WARNINGS_MAX].at_ns < 60 * SEC)
		return;
	w->recent[h % WARNINGS_MAX].about = h;
	w->recent[h % WARNINGS_MAX].at_ns = now;
	va_list ap;
	va_start(ap, fmt);
	log_line(src, SLUICE_LOG_WARNING, fmt, ap);
	va_end(ap);
}
