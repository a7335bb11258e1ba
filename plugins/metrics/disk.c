/* SPDX-License-Identifier: MIT */
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

int collect_disk(struct state *s, struct sample *m)
{
	char *rest = read_proc(s, "diskstats"), *line;
	int n = 0;
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
		/* A device that has never been used is none that matters. */
		if (!c[READS] && !c[WRITES])
			continue;
		n++;
		sample_device(m, "system.device", name);
		sample_counter(m, "system.disk.io.read", c[READ_SECTORS], SECTOR);
		sample_counter(m, "system.disk.io.write", c[WRITTEN_SECTORS], SECTOR);
		sample_counter(m, "system.disk.operations.read", c[READS], 1);
		sample_counter(m, "system.disk.operations.write", c[WRITES], 1);
		sample_counter(m, "system.disk.merged.read", c[READS_MERGED], 1);
		sample_counter(m, "system.disk.merged.write", c[WRITES_MERGED], 1);
		sample_counter(m, "system.disk.operation_time.read", c[READ_MS], 1e-3);
		sample_counter(m, "system.disk.operation_time.write", c[WRITE_MS], 1e-3);
		sample_counter(m, "system.disk.io_time", c[BUSY_MS], 1e-3);
		sample_counter(m, "system.disk.weighted_io_time", c[WEIGHTED_MS], 1e-3);
		sample_int(m, "system.disk.pending_operations", (int64_t)c[IN_PROGRESS]);
	}
	sample_devices_end(m);
	sample_say(m, "%d %s", n, plural((uint64_t)n, "disk", "disks"));
	return 0;
}
