/* SPDX-License-Identifier: MIT
 *
 * config - what the commands that take a configuration have in common.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/unit.h"
#include "cli/cli.h"
#include "source/probe.h"

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
