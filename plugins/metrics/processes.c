/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "metrics.h"

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
		return sample_lacks(m, "%s: %s", s->procfs, strerror(errno));
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
	uint64_t created;
	if (text && find_number(text, "processes", &created))
		sample_counter(m, "system.process.created", created, 1);
	sample_say(m, "%lld %s, %lld running", (long long)all,
		   plural((uint64_t)all, "process", "processes"), (long long)counts[0]);
	return 0;
}
