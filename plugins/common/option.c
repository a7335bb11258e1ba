/* SPDX-License-Identifier: MIT */
#include "common/option.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int option_refuse(struct sluice_source *src, const char *option, const char *fmt, ...)
{
	char why[1536];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return src->host->refuse(src, option, why);
}

int option_refuse_zone(struct sluice_source *src, const char *option, const char *text)
{
	return option_refuse(src, option,
			     "\"%.100s\" is not a time zone that this machine knows (write one "
			     "such as Europe/Berlin or +02:00; see /usr/share/zoneinfo)",
			     text);
}

int option_octal(struct sluice_source *src, const char *option, const char *example, int *ret)
{
	const char *text = src->host->option(src, option, 0);
	char *end;
	long v = strtol(text, &end, 8);
	if (end == text || *end || v < 0 || v > 0777)
		return option_refuse(src, option, "write octal digits such as %s", example);
	*ret = (int)v;
	return 0;
}

int option_read_from(struct sluice_source *src, const char *what, struct read_from *ret)
{
	const char *text = src->host->option(src, "read_from", 0);
	char *end;
	*ret = (struct read_from){.beginning = strcmp(text, "beginning") == 0};
	if (ret->beginning || strcmp(text, "end") == 0)
		return 0;
	ret->last = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || ret->last > 1000000000)
		return option_refuse(src, "read_from",
				     "write beginning, end, or a number of %s such as 100", what);
	return 0;
}
