/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "command.h"

/* A daemon that ran so long was well. */
#define STEADY_NS (10 * SEC)

static void report(struct state *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{"runs", s->n_runs},       {"failed", s->n_failed},
		{"skipped", s->n_skipped}, {"timeouts", s->n_timeouts},
		{"lines", s->n_lines},     {"bytes", s->n_bytes},
		{"dropped", s->n_dropped}, {"start_failed", s->n_start_failed},
	};
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		s->src->host->counter(s->src, counters[i].name, counters[i].value);
}

static void try_begin(struct state *s);

static void on_next(struct sluice_source *src, void *ctx)
{
	struct state *s = ctx;
	(void)src;
	s->next = 0;
	try_begin(s);
}

static void begin_in(struct state *s, int64_t ns)
{
	if (!s->next)
		s->next = s->src->host->timer(s->src, ns, 0, on_next, s);
}

/* Longer after each failure in a row, with some jitter. */
static void begin_later(struct state *s)
{
	int64_t wait = s->backoff_now_ns / 2 + random() % (s->backoff_now_ns + 1);
	s->backoff_now_ns *= 2;
	if (s->backoff_now_ns > s->options.backoff_max_ns)
		s->backoff_now_ns = s->options.backoff_max_ns;
	begin_in(s, wait);
}

/* `good`: with one of success_codes. */
static void on_run_ended(struct state *s, bool good)
{
	const struct options *o = &s->options;
	report(s);
	if (o->mode == MODE_ONCE) {
		s->src->host->leave(s->src, 0);
		return;
	}
	if (good || mono_ns() - s->started_ns > STEADY_NS)
		s->backoff_now_ns = o->backoff_ns;
	if (o->mode == MODE_INTERVAL) {
		if (s->runs_next) {
			s->runs_next = false;
			try_begin(s);
		}
		return;
	}
	if (o->on_exit == ON_EXIT_STOP || (o->on_exit == ON_EXIT_RESTART_ON_FAILURE && good))
		s->src->host->leave(s->src, 0);
	else
		begin_later(s);
}

/* What cannot be started is told by the host, and tried again. */
static void try_begin(struct state *s)
{
	if (s->pid)
		return;
	if (run_begin(s, on_run_ended) == 0)
		return;
	s->n_start_failed++;
	report(s);
	begin_later(s);
}

static void on_interval(struct sluice_source *src, void *ctx)
{
	struct state *s = ctx;
	(void)src;
	if (s->next)
		return; /* it could not be started, and waits */
	if (!s->pid) {
		try_begin(s);
		return;
	}
	s->n_skipped++;
	report(s);
	if (s->options.overlap == OVERLAP_KILL) {
		s->runs_next = true;
		run_kill(s);
	}
}

void schedule_start(struct state *s)
{
	s->backoff_now_ns = s->options.backoff_ns;
	if (s->options.mode == MODE_INTERVAL)
		s->src->host->timer(s->src, s->options.interval_ns, s->options.interval_ns,
				    on_interval, s);
	try_begin(s);
}
