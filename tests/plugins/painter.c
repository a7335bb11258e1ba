/* SPDX-License-Identifier: MIT
 *
 * A plugin whose every word would command a terminal, and that says each of them once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice-plugin.h>

/* A title, a cleared screen as C1, a turned direction, a line of somebody else. */
#define EVIL                                                                                       \
	"\x1b]0;gotcha\x07\xc2\x9b"                                                                \
	"2J\xe2\x80\xae"                                                                           \
	"exe\xe2\x81\xa6\x7f\r"

static const char *const choices[] = {"a" EVIL, "b", NULL};

static const struct sluice_option options[] = {
	{.name = "refuses", .type = SLUICE_BOOL, .fallback = "false", .doc = "not today" EVIL},
	{.name = "choice",
	 .type = SLUICE_ENUM,
	 .fallback = "b",
	 .choices = choices,
	 .doc = "which" EVIL},
	{.name = NULL},
};

static const struct sluice_field_type fields[] = {
	{.name = "field", .type = SLUICE_STRING, .unit = "unit" EVIL, .doc = "a field" EVIL},
	{.name = NULL},
};

static const struct sluice_event_type events[] = {
	{.name = "tick", .version = 1, .doc = "an event" EVIL, .fields = fields},
	{.name = NULL},
};

static int painter_open(struct sluice_source *src, void **state)
{
	*state = NULL;
	if (strcmp(src->host->option(src, "refuses", 0), "true") == 0)
		return src->host->refuse(src, "refuses", "I will not" EVIL);
	return 0;
}

static int painter_run(struct sluice_source *src, void *state)
{
	(void)state;
	static const char text[] = "painted" EVIL;
	struct sluice_event ev = {.type = "tick",
				  .severity = SLUICE_NO_SEVERITY,
				  .body = text,
				  .body_len = sizeof(text) - 1};
	int r = src->host->emit(src, &ev);
	src->host->log(src, SLUICE_LOG_WARNING, "my log" EVIL);
	while (!r)
		r = src->host->wait(src, NULL, 0, 1000);
	return r == -ECANCELED ? 0 : r;
}

static void painter_close(struct sluice_source *src, void *state)
{
	(void)src;
	(void)state;
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,       .name = "painter",  .version = "1" EVIL,
	.summary = "paints" EVIL, .options = options, .events = events,
	.open = painter_open,     .run = painter_run, .close = painter_close,
};

SLUICE_PLUGIN(plugin)
