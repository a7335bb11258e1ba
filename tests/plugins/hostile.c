/* SPDX-License-Identifier: MIT
 *
 * A plugin that does what a plugin must not do; option `how` says which.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sluice-plugin.h>

#ifndef ABI
#define ABI SLUICE_ABI_VERSION
#endif

static const char *const hows[] = {"behave", "segfault", "abort",  "exit",   "loop_in_open",
				   "hang",   "deaf",     "leak",   "stdout", "flood",
				   "frames", "nul",      "fork",   "refuse", "give_up",
				   "finish", "mistaken", "silent", NULL};

static const struct sluice_option options[] = {
	{.name = "how", .type = SLUICE_ENUM, .fallback = "behave", .choices = hows, .doc = "which"},
	{.name = "armed_by",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ,
	 .doc = "misbehaves only while this file is there"},
	{.name = "secret", .type = SLUICE_SECRET, .doc = "is not told"},
	{.name = NULL},
};

static const struct sluice_event_type events[] = {
	{.name = "tick", .version = 1, .doc = "a number"},
	{.name = NULL},
};

static int is(struct sluice_source *src, const char *how)
{
	const char *file = src->host->option(src, "armed_by", 0);
	return strcmp(src->host->option(src, "how", 0), how) == 0 &&
	       (!file || access(file, F_OK) == 0);
}

static int emit(struct sluice_source *src, int n)
{
	char text[32];
	snprintf(text, sizeof(text), "%s %d", VERSION, n);
	struct sluice_event ev = {.type = "tick",
				  .severity = SLUICE_NO_SEVERITY,
				  .body = text,
				  .body_len = strlen(text)};
	return src->host->emit(src, &ev);
}

/* An event that the host refuses, and one with a field that no table has. */
static int emit_mistaken(struct sluice_source *src)
{
	struct sluice_value v = {.name = "surprise", .type = SLUICE_INT, .integer = 1};
	struct sluice_event ev = {.type = "A Tick"};
	src->host->emit(src, &ev);
	ev = (struct sluice_event){.type = "tick", .fields = &v, .n_fields = 1};
	return src->host->emit(src, &ev);
}

static int hostile_open(struct sluice_source *src, void **state)
{
	*state = NULL;
	if (is(src, "refuse"))
		return src->host->refuse(src, "how", "not today");
	while (is(src, "loop_in_open"))
		continue;
	return 0;
}

/* wire/frame.h, wire/record.h: an event of the type "t", NUL, "t". */
static void write_nul(void)
{
	enum { EVENTS = 35, EVENT = 1, NAME = 3, RECORD = 1 + 24 + NAME };
	char frame[5 + 4 + RECORD] = {4 + RECORD, 0, 0, 0, EVENTS, RECORD, 0, 0, 0, EVENT};
	char *fixed = frame + 10;
	fixed[16] = 6;
	fixed[18] = NAME;
	memcpy(fixed + 24, "t\0t", NAME);
	if (write(3, frame, sizeof(frame)) < 0)
		exit(1);
}

static void misbehave(struct sluice_source *src)
{
	if (is(src, "segfault"))
		*(volatile int *)(uintptr_t)8 = 1;
	if (is(src, "abort"))
		abort();
	if (is(src, "exit"))
		exit(0);
	while (is(src, "hang"))
		pause();
	while (is(src, "leak")) {
		void *p = malloc(1 << 20);
		if (!p)
			abort();
		memset(p, 1, 1 << 20);
	}
	if (is(src, "stdout"))
		for (int i = 0; i < 100000; i++)
			puts("what has this to do here");
	if (is(src, "frames"))
		for (int i = 0; i < 1000; i++)
			if (write(3, "garbage that is no frame at all ", 32) < 0)
				return;
	if (is(src, "nul"))
		write_nul();
	if (is(src, "fork"))
		for (int i = 0; i < 5; i++)
			if (fork() == 0) {
				setsid();
				sleep(1000);
				_exit(0);
			}
}

static int run(struct sluice_source *src, void *state)
{
	(void)state;
	if (is(src, "give_up")) {
		src->host->log(src, SLUICE_LOG_ERROR, "it cannot be done");
		return -EINVAL;
	}
	for (int n = 1;; n++) {
		misbehave(src);
		if (is(src, "fork"))
			abort();
		int r = is(src, "silent")     ? 0
			: is(src, "mistaken") ? emit_mistaken(src)
					      : emit(src, n);
		if (is(src, "finish") && n == 3)
			return 0;
		while (is(src, "deaf"))
			src->host->wait(src, NULL, 0, 10);
		if (!r && !is(src, "flood"))
			r = src->host->wait(src, NULL, 0, 20);
		if (r < 0)
			return r;
	}
}

static const struct sluice_plugin plugin = {
	.magic = SLUICE_PLUGIN_MAGIC,
	.abi_version = ABI,
	.struct_size = sizeof(struct sluice_plugin),
	.sizes = SLUICE_SIZES,
	.name = "hostile",
	.version = VERSION,
	.summary = "does what it must not",
	.options = options,
	.events = events,
	.open = hostile_open,
	.run = run,
};

#ifndef NO_SYMBOL
SLUICE_PLUGIN(plugin)
#else
const struct sluice_plugin *nothing(void);
const struct sluice_plugin *nothing(void)
{
	return &plugin;
}
#endif
