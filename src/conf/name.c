/* SPDX-License-Identifier: MIT */
#include "conf/name.h"

#include <ctype.h>
#include <string.h>

bool name_is_valid(const char *s)
{
	size_t n = strlen(s);
	if (!n || n > 64 || !isalnum((unsigned char)s[0]))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	return true;
}
