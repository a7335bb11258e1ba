/* SPDX-License-Identifier: MIT */
#include "conf/paths.h"

#include <stdlib.h>

static const char *first_of(const char *given, const char *variable, const char *built_in)
{
	const char *path = given ? given : getenv(variable);
	return path && *path ? path : built_in;
}

const char *path_of_config(const char *given)
{
	return first_of(given, "SLUICE_CONFIG", SLUICE_CONF);
}

const char *path_of_console(void)
{
	return first_of(NULL, "SLUICE_CONSOLE_DIR", SLUICE_CONSOLE_DIR);
}
