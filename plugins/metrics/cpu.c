/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
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

static void put_times(struct sample *m, const char *line, bool by_state, double *busy)
{
	uint64_t t[N_TIMES] = {0}, total = 0;
	read_numbers(line, t, N_TIMES);
	for (int i = 0; i < N_TIMES; i++)
		total += t[i];
	*busy = sample_share(m, "busy", total - t[IDLE] - t[IOWAIT], total);
	if (*busy < 0)
		sample_null(m, "system.cpu.utilization");
	else
		sample_double(m, "system.cpu.utilization", *busy);
	for (int i = 0; by_state && i < N_TIMES; i++) {
		double share = sample_share(m, names[i], t[i], total);
		if (share < 0)
			sample_null(m, names[i]);
		else
			sample_double(m, names[i], share);
	}
}

int collect_cpu(struct state *s, struct sample *m)
{
	char *rest = read_proc(s, "stat"), *line;
	int n = 0;
	double busy = -1, ignored;
	if (!rest)
		return -1;
	while ((line = next_line(&rest)) && strncmp(line, "cpu", 3) == 0) {
		if (line[3] == ' ') {
			put_times(m, line + 4, true, &busy);
			continue;
		}
		n++;
		char *numbers = strchr(line, ' ');
		if (!s->per_cpu || !numbers)
			continue;
		*numbers = 0;
		sample_device(m, "cpu", line + 3);
		put_times(m, numbers + 1, false, &ignored);
	}
	if (s->per_cpu)
		sample_devices_end(m);
	sample_int(m, "system.cpu.logical.count", n);
	if (busy >= 0)
		sample_say(m, "cpu %.1f %% of %d", busy * 100, n);
	else
		sample_say(m, "cpu not known yet");
	return n ? 0 : -1;
}

int collect_load(struct state *s, struct sample *m)
{
	double l[3];
	char *text = read_proc(s, "loadavg");
	if (!text || sscanf(text, "%lf %lf %lf", &l[0], &l[1], &l[2]) != 3)
		return -1;
	sample_double(m, "system.cpu.load_average.1m", l[0]);
	sample_double(m, "system.cpu.load_average.5m", l[1]);
	sample_double(m, "system.cpu.load_average.15m", l[2]);
	sample_say(m, "load %.2f %.2f %.2f", l[0], l[1], l[2]);
	return 0;
}

/* The letter behind the name, which may hold blanks and parentheses. */
static char state_of(struct state *s, const char *pid)
{
	char name[300];
	snprintf(name, sizeof(name), "%s/stat", pid);
	const char *text = read_proc(s, name);
	const char *end = text ? strrchr(text, ')') : NULL;
	return end && end[1] == ' ' ? end[2] : 0;
}

int collect_processes(struct state *s, struct sample *m)
{
	static const struct {
		const char *letters, *name;
	} kinds[] = {
		{"R", "system.process.count.running"},  {"S", "system.process.count.sleeping"},
		{"D", "system.process.count.blocked"},  {"Z", "system.process.count.zombie"},
		{"Tt", "system.process.count.stopped"}, {"I", "system.process.count.idle"},
	};
	enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };
	int64_t counts[N_KINDS] = {0}, all = 0;
	DIR *d = opendir(s->procfs);
	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d));) {
		char state = isdigit((unsigned char)e->d_name[0]) ? state_of(s, e->d_name) : 0;
		all += state != 0;
		for (int i = 0; state && i < N_KINDS; i++)
			counts[i] += strchr(kinds[i].letters, state) != NULL;
	}
	closedir(d);
	sample_int(m, "system.process.count", all);
	for (int i = 0; i < N_KINDS; i++)
		sample_int(m, kinds[i].name, counts[i]);
	const char *text = read_proc(s, "stat");
	if (text)
		sample_counter(m, "system.process.created", find_number(text, "processes", 0), 1);
	sample_say(m, "%lld %s, %lld running", (long long)all,
		   plural((uint64_t)all, "process", "processes"), (long long)counts[0]);
	return 0;
}
