/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "metrics.h"

enum { SECTOR = 512, N_COLUMNS = 11 };

/* The columns of /proc/diskstats behind the name (iostats.rst of the kernel). */
enum {
	READS,
	READS_MERGED,
	READ_SECTORS,
	READ_MS,
	WRITES,
	WRITES_MERGED,
	WRITTEN_SECTORS,
	WRITE_MS,
	IN_PROGRESS,
	BUSY_MS,
	WEIGHTED_MS
};

static void say_disk(struct sample *m, const char *name, const uint64_t *c, const double rates[2],
		     double busy)
{
	char read[16], written[16];
	if (isfinite(rates[0]) && isfinite(rates[1]))
		sample_highlight(m, isfinite(busy) ? busy : 0,
				 "%s reads %s/s, writes %s/s, busy %.0f %%", name,
				 human(read, rates[0]), human(written, rates[1]),
				 isfinite(busy) ? 100 * busy : 0);
	else
		sample_highlight(m, 0, "%s has read %s and written %s", name,
				 human(read, (double)c[READ_SECTORS] * SECTOR),
				 human(written, (double)c[WRITTEN_SECTORS] * SECTOR));
}

static void put_disk(struct sample *m, const char *name, const uint64_t *c)
{
	double rates[2];
	sample_device(m, "system.device", name);
	rates[0] = sample_counter(m, "system.disk.io.read", c[READ_SECTORS], SECTOR);
	rates[1] = sample_counter(m, "system.disk.io.write", c[WRITTEN_SECTORS], SECTOR);
	sample_counter(m, "system.disk.operations.read", c[READS], 1);
	sample_counter(m, "system.disk.operations.write", c[WRITES], 1);
	sample_counter(m, "system.disk.merged.read", c[READS_MERGED], 1);
	sample_counter(m, "system.disk.merged.write", c[WRITES_MERGED], 1);
	sample_counter(m, "system.disk.operation_time.read", c[READ_MS], 1e-3);
	sample_counter(m, "system.disk.operation_time.write", c[WRITE_MS], 1e-3);
	double busy = sample_time(m, "system.disk.io_time", c[BUSY_MS], 1e-3);
	sample_counter(m, "system.disk.weighted_io_time", c[WEIGHTED_MS], 1e-3);
	sample_int(m, "system.disk.pending_operations", (int64_t)c[IN_PROGRESS]);
	say_disk(m, name, c, rates, busy);
}

int collect_disk(struct state *s, struct sample *m)
{
	char *rest = read_proc(s, "diskstats"), *line;
	if (!rest)
		return -1;
	while ((line = next_line(&rest))) {
		char name[64];
		int at = 0;
		uint64_t c[N_COLUMNS] = {0};
		if (sscanf(line, " %*u %*u %63s%n", name, &at) != 1 ||
		    read_numbers(line + at, c, N_COLUMNS) < N_COLUMNS ||
		    !is_wanted(s, "disk", name))
			continue;
		/* A device that has never been used matters only to those who name it. */
		if (c[READS] || c[WRITES] || has_option(s, "disk.include"))
			put_disk(m, name, c);
	}
	sample_devices_end(m);
	if (m->n_highlights)
		sample_say_highlights(m);
	else
		sample_say(m, "no disks");
	trouble_about_includes(s, "disk", "disk");
	return 0;
}
