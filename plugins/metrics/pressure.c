/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "metrics.h"

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0": shares in percent, and
 * microseconds.
 */
static bool put_pressure(struct sample *m, const char *line, const char *const names[4])
{
	double avg[3];
	unsigned long long total;
	const char *p = strchr(line, ' ');
	if (!p || sscanf(p, " avg10=%lf avg60=%lf avg300=%lf total=%llu", &avg[0], &avg[1], &avg[2],
			 &total) != 4)
		return false;
	for (int i = 0; i < 3; i++)
		sample_double(m, names[i], avg[i] / 100);
	sample_time(m, names[3], total, 1e-6);
	return true;
}

#define PRESSURE_NAMES(what, kind)                                                                 \
	{                                                                                          \
		"system.linux.pressure." what "." kind ".10s",                                     \
			"system.linux.pressure." what "." kind ".60s",                             \
			"system.linux.pressure." what "." kind ".300s",                            \
			"system.linux.pressure." what "." kind ".time"                             \
	}

int collect_pressure(struct state *s, struct sample *m)
{
	static const struct {
		const char *file;
		const char *some[4], *full[4];
	} kinds[] = {
		{"pressure/cpu", PRESSURE_NAMES("cpu", "some"), PRESSURE_NAMES("cpu", "full")},
		{"pressure/memory", PRESSURE_NAMES("memory", "some"),
		 PRESSURE_NAMES("memory", "full")},
		{"pressure/io", PRESSURE_NAMES("io", "some"), PRESSURE_NAMES("io", "full")},
	};
	bool any = false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char *rest = read_proc(s, kinds[i].file), *line;
		while (rest && (line = next_line(&rest))) {
			double share = 0;
			bool is_some = strncmp(line, "some ", 5) == 0;
			sscanf(line, "some avg10=%lf", &share);
			any |= put_pressure(m, line, is_some ? kinds[i].some : kinds[i].full);
			if (is_some)
				sample_say(m, "%s%s %.1f %%", i ? ", " : "pressure of ",
					   strchr(kinds[i].file, '/') + 1, share);
		}
	}
	return any ? 0
		   : sample_lacks(m, "this kernel has no pressure stall information (it needs "
				     "CONFIG_PSI, and psi=1 on some distributions)");
}
