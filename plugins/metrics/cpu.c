/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

/* The columns of /proc/stat, proc_stat(5).  guest is counted in user already. */
enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, N_TIMES };

static const char *const names[N_TIMES] = {
	"system.cpu.utilization.user",    "system.cpu.utilization.nice",
	"system.cpu.utilization.system",  "system.cpu.utilization.idle",
	"system.cpu.utilization.iowait",  "system.cpu.utilization.irq",
	"system.cpu.utilization.softirq", "system.cpu.utilization.steal",
};

/* Shares of what all columns grew by.  idle and iowait do go back at times, in containers
 * (LXCFS) and on idle CPUs; then no share of that tick is known.
 */
static bool take_shares(struct sample *m, const char *line, double shares[N_TIMES])
{
	uint64_t t[N_TIMES] = {0}, grown[N_TIMES];
	double total = 0;
	bool is_known = true;
	read_numbers(line, t, N_TIMES);
	for (int i = 0; i < N_TIMES; i++) {
		is_known &= sample_growth(m, names[i], t[i], &grown[i]);
		total += (double)grown[i];
	}
	is_known &= total > 0;
	for (int i = 0; i < N_TIMES; i++)
		shares[i] = is_known ? (double)grown[i] / total : NAN;
	return is_known;
}

/* NAN: not known. */
static double put_times(struct sample *m, const char *line, bool by_state, double shares[N_TIMES])
{
	bool is_known = take_shares(m, line, shares);
	double busy = 0;
	for (int i = 0; i < N_TIMES; i++)
		if (i != IDLE && i != IOWAIT)
			busy += shares[i];
	busy = is_known ? fmin(busy, 1) : NAN;
	sample_double(m, "system.cpu.utilization", busy);
	for (int i = 0; by_state && i < N_TIMES; i++)
		sample_double(m, names[i], shares[i]);
	return busy;
}

int collect_cpu(struct state *s, struct sample *m)
{
	char *rest = read_proc(s, "stat"), *line;
	int n = 0;
	double busy = NAN, shares[N_TIMES] = {0}, ignored[N_TIMES];
	if (!rest)
		return -1;
	while ((line = next_line(&rest)) && strncmp(line, "cpu", 3) == 0) {
		if (line[3] == ' ') {
			busy = put_times(m, line + 4, true, shares);
			continue;
		}
		n++;
		char *numbers = strchr(line, ' ');
		if (!s->per_cpu || !numbers)
			continue;
		*numbers = 0;
		sample_device(m, "cpu", line + 3);
		put_times(m, numbers + 1, false, ignored);
	}
	if (s->per_cpu)
		sample_devices_end(m);
	sample_int(m, "system.cpu.logical.count", n);
	if (isfinite(busy))
		sample_say(m, "cpu %.1f %% of %d (user %.1f %%, system %.1f %%, iowait %.1f %%)",
			   busy * 100, n, shares[USER] * 100, shares[SYSTEM] * 100,
			   shares[IOWAIT] * 100);
	else
		sample_say(m, "cpu usage is not known %s",
			   m->was_reset ? "(a counter went back)" : "yet");
	return n ? 0 : sample_lacks(m, "%s/stat lists no CPUs", s->procfs);
}

int collect_load(struct state *s, struct sample *m)
{
	double l[3];
	char *text = read_proc(s, "loadavg");
	if (!text)
		return -1;
	if (sscanf(text, "%lf %lf %lf", &l[0], &l[1], &l[2]) != 3)
		return sample_lacks(m, "%s/loadavg holds no load averages", s->procfs);
	sample_double(m, "system.cpu.load_average.1m", l[0]);
	sample_double(m, "system.cpu.load_average.5m", l[1]);
	sample_double(m, "system.cpu.load_average.15m", l[2]);
	sample_say(m, "load %.2f %.2f %.2f", l[0], l[1], l[2]);
	return 0;
}
