/* SPDX-License-Identifier: MIT
 *
 * command - runs a program and makes events of what it writes.
 */
#include "command.h"

#include <stdlib.h>

static const struct sluice_field_type line_fields[] = {
	{"stream", SLUICE_STRING, NULL, "stdout or stderr"},
	{"size", SLUICE_INT, "By", "length of the event before it was truncated"},
	{"NAME", SLUICE_STRING, NULL, "with split: json: the names in the object"},
	{0},
};

static const struct sluice_field_type output_fields[] = {
	{"stream", SLUICE_STRING, NULL, "stdout or stderr"},
	{"size", SLUICE_INT, "By", "length of the event before it was truncated"},
	{"log.parse.problems", SLUICE_STRING, NULL,
	 "JSON values that are invalid or fit into no field, and are kept as text"},
	{0},
};

static const struct sluice_field_type exit_fields[] = {
	{"code", SLUICE_INT, NULL, "the exit code"},
	{"signal", SLUICE_INT, NULL, "or the signal that ended it"},
	{"success", SLUICE_BOOL, NULL, "whether the code is one of success_codes"},
	{"timed_out", SLUICE_BOOL, NULL, "whether it was ended for its timeout"},
	{"duration", SLUICE_DOUBLE, "s", "how long it ran"},
	{"bytes", SLUICE_INT, "By", "what it wrote"},
	{"run", SLUICE_INT, NULL, "counted from the start of the source"},
	{0},
};

static const struct sluice_field_type gap_fields[] = {
	{"reason", SLUICE_STRING, NULL, "max_output_per_run"},
	{"bytes", SLUICE_INT, "By", "that were dropped"},
	{0},
};

static const struct sluice_event_type events[] = {
	{"line", 1, line_fields,
	 "a line; with split: json an object, whose own \"type\" becomes the event's type"},
	{"output", 1, output_fields, "with split: whole: all that a run has written"},
	{"exit", 1, exit_fields, "a run has ended"},
	{"gap", 1, gap_fields, "output was dropped"},
	{0},
};

static void command_close(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	options_free(s);
	outputs_fini(s);
	fields_free(&s->fields);
	free(s);
}

static int command_open(struct sluice_source *src, void **ret)
{
	struct state *s = must(calloc(1, sizeof(*s)));
	s->src = src;
	outputs_init(s);
	int r = options_read(src, s);
	if (r) {
		command_close(src, s);
		return r;
	}
	*ret = s;
	return 0;
}

static int command_run(struct sluice_source *src, void *state)
{
	struct state *s = state;
	srandom((unsigned)mono_ns());
	schedule_start(s);
	int r = src->host->loop(src);
	run_abandon(s);
	return r;
}

static void command_pause(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	s->is_paused = true;
	run_watch(s, false);
}

static void command_resume(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	s->is_paused = false;
	run_watch(s, true);
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,
	.name = "command",
	.version = "1",
	.summary = "run a program, its output as events",
	.options = command_options,
	.events = events,
	.flags = SLUICE_NEEDS_EXEC | SLUICE_NEEDS_NETWORK,
	.open = command_open,
	.run = command_run,
	.close = command_close,
	.pause = command_pause,
	.resume = command_resume,
};

SLUICE_PLUGIN(plugin)
