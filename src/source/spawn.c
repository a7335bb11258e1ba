/* SPDX-License-Identifier: MIT
 *
 * spawn - processes for sources, and what they have in common: the nursery, names of users,
 * sockets that pass from one to the next.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/process.h"
#include "hub/hub.h"
#include "source/instance.h"
#include "source/sources_internal.h"

#define NURSERY_PAUSE_NS     (10 * NS_PER_SEC) /* after the first time; doubled each time */
#define NURSERY_PAUSE_MAX_NS (600 * NS_PER_SEC)

struct sources *sources_of(const struct hub *h)
{
	return h->report_ctx;
}

struct names *sources_names(const struct hub *h)
{
	return sources_of(h)->names;
}

void sources_move_socket(struct source *to, struct str address)
{
	static const struct source_settings nothing;
	const struct sources *all = sources_of(to->hub);
	list_each (e, &all->all) {
		struct source *s = list_entry(e, struct source, link);
		const struct source_settings *of = &s->settings;
		if (s->state == STATE_STOPPING)
			of = !s->is_restarting ? &nothing : s->has_next ? &s->next : of;
		if (s != to)
			grants_move(&s->grants, of, &to->grants, address);
	}
}

static void on_nursery_end(struct loop_child *c, int status maybe_unused)
{
	struct sources *all = container_of(c, struct sources, nursery_child);
	nursery_close(&all->nursery);
	all->nursery_has_answered = false;
}

/* Kills a nursery that does not answer, as waiting would delay all sources; replaced later. */
static void lose_nursery(struct sources *all, int error)
{
	if (error == -ETIMEDOUT) {
		all->nursery_pause_ns =
			MIN(MAX(2 * all->nursery_pause_ns, NURSERY_PAUSE_NS), NURSERY_PAUSE_MAX_NS);
		all->nursery_from_ns = loop_now(all->hub->loop) + all->nursery_pause_ns;
	}
	if (all->nursery.pid)
		kill(all->nursery.pid, SIGKILL);
	fd_close(&all->nursery.fd);
}

int sources_spawn(struct source *s, const struct fd_map *map, size_t n, pid_t *pid)
{
	struct sources *all = sources_of(s->hub);
	struct loop *l = s->hub->loop;
	if (!all->nursery.pid && loop_now(l) >= all->nursery_from_ns &&
	    nursery_open(&all->nursery) == 0)
		loop_watch_child(l, &all->nursery_child, all->nursery.pid, on_nursery_end);
	/* Nothing has been asked of one that hangs now: the process is started without it. */
	int r = all->nursery_has_answered && all->nursery.fd >= 0 ? nursery_check(&all->nursery)
								  : 0;
	if (r)
		lose_nursery(all, r);
	*pid = nursery_start(&all->nursery, s->settings.name, s->settings.type, map, n);
	all->nursery_has_answered |= *pid > 0;
	if (*pid > 0)
		return 0;
	r = *pid;
	lose_nursery(all, r);
	if (r == -ETIMEDOUT)
		return r; /* it may have forked one yet, which ends when these descriptors do */
	char parent[16];
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	char *argv[] = {(char[]){"sluice"}, (char[]){"source"}, parent,
			s->settings.name,   s->settings.type,   NULL};
	return process_spawn(argv, map, n, pid);
}

static void end_orphan(void *ctx, pid_t pid)
{
	if (!loop_watches(ctx, pid))
		kill(pid, SIGKILL);
}

void sources_end_orphans(struct loop *l)
{
	process_each_child(end_orphan, l);
}
