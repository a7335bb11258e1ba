/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "metrics.h"

/* The columns of /proc/net/dev, proc_pid_net(5). */
enum {
	RX_BYTES,
	RX_PACKETS,
	RX_ERRORS,
	RX_DROPPED,
	TX_BYTES = 8,
	TX_PACKETS,
	TX_ERRORS,
	TX_DROPPED,
	N_COLUMNS = 16
};

int collect_network(struct state *s, struct sample *m)
{
	char *rest = read_proc(s, "net/dev"), *line;
	int n = 0;
	if (!rest)
		return -1;
	while ((line = next_line(&rest))) {
		uint64_t c[N_COLUMNS] = {0};
		char *colon = strchr(line, ':');
		if (!colon)
			continue; /* the heading */
		*colon = 0;
		while (*line == ' ')
			line++;
		if (read_numbers(colon + 1, c, N_COLUMNS) < N_COLUMNS ||
		    !is_wanted(s, "network", line))
			continue;
		n++;
		sample_device(m, "network.interface.name", line);
		sample_counter(m, "system.network.io.receive", c[RX_BYTES], 1);
		sample_counter(m, "system.network.io.transmit", c[TX_BYTES], 1);
		sample_counter(m, "system.network.packets.receive", c[RX_PACKETS], 1);
		sample_counter(m, "system.network.packets.transmit", c[TX_PACKETS], 1);
		sample_counter(m, "system.network.errors.receive", c[RX_ERRORS], 1);
		sample_counter(m, "system.network.errors.transmit", c[TX_ERRORS], 1);
		sample_counter(m, "system.network.dropped.receive", c[RX_DROPPED], 1);
		sample_counter(m, "system.network.dropped.transmit", c[TX_DROPPED], 1);
	}
	sample_devices_end(m);
	sample_say(m, "%d network %s", n, plural((uint64_t)n, "interface", "interfaces"));
	return 0;
}
