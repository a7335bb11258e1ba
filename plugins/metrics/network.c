/* SPDX-License-Identifier: MIT */
#include <math.h>
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

static void put_interface(struct sample *m, const char *name, const uint64_t *c)
{
	char in[16], out[16];
	sample_device(m, "network.interface.name", name);
	double rx = sample_counter(m, "system.network.io.receive", c[RX_BYTES], 1);
	double tx = sample_counter(m, "system.network.io.transmit", c[TX_BYTES], 1);
	sample_counter(m, "system.network.packets.receive", c[RX_PACKETS], 1);
	sample_counter(m, "system.network.packets.transmit", c[TX_PACKETS], 1);
	sample_counter(m, "system.network.errors.receive", c[RX_ERRORS], 1);
	sample_counter(m, "system.network.errors.transmit", c[TX_ERRORS], 1);
	sample_counter(m, "system.network.dropped.receive", c[RX_DROPPED], 1);
	sample_counter(m, "system.network.dropped.transmit", c[TX_DROPPED], 1);
	if (isfinite(rx) && isfinite(tx))
		sample_highlight(m, rx + tx, "%s receives %s/s, sends %s/s", name, human(in, rx),
				 human(out, tx));
	else
		sample_highlight(m, 0, "%s has received %s and sent %s", name,
				 human(in, (double)c[RX_BYTES]), human(out, (double)c[TX_BYTES]));
}

/* With rootfs, the interfaces of the host: net/dev is that of the reader. */
static char *read_interfaces(struct state *s)
{
	char *text = s->rootfs ? read_proc(s, "1/net/dev") : NULL;
	return text ? text : read_proc(s, "net/dev");
}

int collect_network(struct state *s, struct sample *m)
{
	char *rest = read_interfaces(s), *line;
	if (!rest)
		return -1;
	while ((line = next_line(&rest))) {
		uint64_t c[N_COLUMNS] = {0};
		char *colon = strrchr(line, ':'); /* an alias has one in its name */
		if (!colon)
			continue; /* the heading */
		*colon = 0;
		while (*line == ' ')
			line++;
		if (read_numbers(colon + 1, c, N_COLUMNS) == N_COLUMNS &&
		    is_wanted(s, "network", line))
			put_interface(m, line, c);
	}
	sample_devices_end(m);
	if (m->n_highlights)
		sample_say_highlights(m);
	else
		sample_say(m, "no network interfaces");
	trouble_about_includes(s, "network", "network interface");
	return 0;
}
