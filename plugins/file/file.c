/* SPDX-License-Identifier: MIT
 *
 * file - follows files: every line once, also across rotation, truncation and
 * the death of any process.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "discover.h"
#include "file.h"
#include "ignored.h"
#include "loop.h"
#include "parse.h"
#include "resume.h"

static const struct sluice_field_type line_fields[] = {
	{"log.file.path", SLUICE_STRING, NULL, "the file's current name"},
	{"log.iostream", SLUICE_STRING, NULL, "stdout or stderr, from a container's log"},
	{"k8s.namespace.name", SLUICE_STRING, NULL,
	 "the pod's namespace, from the path of the log file"},
	{"k8s.pod.name", SLUICE_STRING, NULL, "the pod's name, from the path"},
	{"k8s.pod.uid", SLUICE_STRING, NULL, "the pod's UID, from the path"},
	{"k8s.container.name", SLUICE_STRING, NULL,
	 "the container's name within the pod, from the path"},
	{"k8s.container.restart_count", SLUICE_INT, NULL,
	 "how often the container was restarted, from the path"},
	{"container.id", SLUICE_STRING, NULL, "the container's id, from the path"},
	{"container.name", SLUICE_STRING, NULL,
	 "docker's name for the container, if config.v2.json beside the log can be read"},
	{"container.image.name", SLUICE_STRING, NULL,
	 "the container's image, if config.v2.json beside the log can be read"},
	{"attrs.NAME", SLUICE_STRING, NULL, "a label or variable that docker writes with the line"},
	{"log.record.size", SLUICE_INT, "By", "length of the line before it was truncated"},
	{"log.parse.problems", SLUICE_STRING, NULL,
	 "what is wrong with the line: JSON values that are invalid or fit into no field, and are "
	 "kept as text; or a quote that is not closed"},
	{"unparsed", SLUICE_BOOL, NULL, "the line does not have the form that parse names"},
	{"time_unparsed", SLUICE_BOOL, NULL,
	 "the line's time was not understood; the event has the time at which the line was read"},
	{"text_before", SLUICE_STRING, NULL,
	 "with parse: regex and a group message: the text before the match"},
	{"text_after", SLUICE_STRING, NULL,
	 "with parse: regex and a group message: the text after the match"},
	{"NAME", SLUICE_STRING, NULL,
	 "whatever else parse finds in the line, such as status or pid; sluice-file(7) lists the "
	 "fields of each form"},
	{0},
};

static const struct sluice_field_type gap_fields[] = {
	{"reason", SLUICE_STRING, NULL, "truncated, rotated, long_line, hole, damaged or restart"},
	{0},
};

static const struct sluice_event_type events[] = {
	{"line", 1, line_fields, "one line, without its line end"},
	{"gap", 1, gap_fields, "lines may have been lost"},
	{0},
};

static void free_state(struct state *s)
{
	patterns_fini(&s->include);
	patterns_fini(&s->exclude);
	free(s);
}

static int read_patterns(struct sluice_source *src, const char *option, struct patterns *ret)
{
	const char *text;
	for (size_t i = 0; (text = src->host->option(src, option, i)); i++)
		if (patterns_add(ret, text))
			return src->host->refuse(src, option,
						 "its braces stand for more than 1000 patterns "
						 "(write several shorter ones)");
	return 0;
}

static int file_open(struct sluice_source *src, void **ret)
{
	struct state *s = must(calloc(1, sizeof(*s)));
	s->src = src;
	s->inotify = s->fifo_inotify = -1;
	s->is_first = true;
	s->next_deadline_ns = INT64_MAX;
	int r = options_read(src, &s->options);
	if (!r)
		r = read_patterns(src, "include", &s->include);
	if (!r)
		r = read_patterns(src, "exclude", &s->exclude);
	if (r) {
		free_state(s);
		return r;
	}
	ignored_check(s);
	*ret = s;
	return 0;
}

static int file_run(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	s->buffer = must(malloc(s->options.max_line + READ_SIZE + HOLE_MIN));
	s->regexes = regexes_new(src);
	if (s->options.preset != TRACE_NONE)
		s->traces = traces_new(s->options.preset);
	if (s->options.use_inotify) {
		s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (s->inotify < 0)
			say(s->src, SLUICE_LOG_WARNING,
			    "no inotify: %s (raise fs.inotify.max_user_instances); files "
			    "are looked at every sweep_interval",
			    strerror(errno));
	}
	int r = resume(s);
	if (!r)
		r = loop_run(s);
	if (s->inotify >= 0)
		close(s->inotify);
	return r;
}

static void file_close(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	discover_free(s);
	regexes_free(s->regexes);
	traces_free(s->traces);
	fields_free(&s->fields);
	fields_free(&s->unwrapped);
	free(s->text);
	free(s->plain);
	free(s->buffer);
	free_state(s);
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,       .name = "file",
	.version = "1",           .summary = "follow files, every line once",
	.options = options_table, .events = events,
	.open = file_open,        .run = file_run,
	.close = file_close,
};

SLUICE_PLUGIN(plugin)
