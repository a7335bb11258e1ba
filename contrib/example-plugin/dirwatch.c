/* SPDX-License-Identifier: MIT
 *
 * dirwatch - what happens in directories: files that come, go, are renamed or
 * rewritten.  Somebody's drop box, a spool, the configuration under /etc.
 *
 * An example of a plugin made outside sluice's tree: a descriptor in the host's
 * loop, a typed event with fields, a gap where the kernel has lost something.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <sluice-plugin.h>

enum { DIRS_MAX = 256 };

static const struct sluice_option options[] = {
	{.name = "dirs",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_LIST | SLUICE_REQUIRED | SLUICE_READ,
	 .doc = "directories to watch; not those below them"},
	{.name = "hidden",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "also files whose names begin with a dot"},
	{.name = NULL},
};

static const struct sluice_field_type fields[] = {
	{.name = "dir", .type = SLUICE_STRING, .doc = "the directory"},
	{.name = "name", .type = SLUICE_STRING, .doc = "the file in it"},
	{.name = "is_dir", .type = SLUICE_BOOL, .doc = "it is a directory itself"},
	{.name = NULL},
};

static const struct sluice_event_type events[] = {
	{.name = "created", .version = 1, .fields = fields, .doc = "it is there now"},
	{.name = "written", .version = 1, .fields = fields, .doc = "a writer has closed it"},
	{.name = "moved", .version = 1, .fields = fields, .doc = "it got this name"},
	{.name = "deleted",
	 .version = 1,
	 .fields = fields,
	 .doc = "it is gone, or has another name"},
	{.name = "gap", .version = 1, .doc = "the kernel's queue has overflowed"},
	{.name = NULL},
};

struct state {
	int inotify;
	int hidden;
	const char *dirs[DIRS_MAX]; /* by watch number, which begins with 1 */
	uint64_t n_events;
};

static const char *type_of(uint32_t mask)
{
	if (mask & IN_CREATE)
		return "created";
	if (mask & IN_CLOSE_WRITE)
		return "written";
	if (mask & IN_MOVED_TO)
		return "moved";
	return "deleted";
}

static void emit(struct sluice_source *src, struct state *s, const struct inotify_event *e)
{
	char message[4096];
	const char *dir = e->wd > 0 && e->wd < DIRS_MAX && s->dirs[e->wd] ? s->dirs[e->wd] : "";
	const char *type = type_of(e->mask);
	struct sluice_value values[] = {
		{.name = "dir", .type = SLUICE_STRING, .string = dir, .string_len = strlen(dir)},
		{.name = "name",
		 .type = SLUICE_STRING,
		 .string = e->name,
		 .string_len = strlen(e->name)},
		{.name = "is_dir", .type = SLUICE_BOOL, .integer = (e->mask & IN_ISDIR) != 0},
	};
	snprintf(message, sizeof(message), "%s/%s %s", dir, e->name, type);
	struct sluice_event ev = {
		.type = type,
		.severity = 6,
		.body = message,
		.body_len = strlen(message),
		.fields = values,
		.n_fields = sizeof(values) / sizeof(values[0]),
	};
	s->n_events++;
	src->host->emit(src, &ev);
}

static void emit_gap(struct sluice_source *src)
{
	static const char text[] = "the kernel's inotify queue has overflowed (raise "
				   "fs.inotify.max_queued_events)";
	struct sluice_value reason = {
		.name = "reason", .type = SLUICE_STRING, .string = "overflow", .string_len = 8};
	struct sluice_event ev = {
		.type = "gap",
		.severity = 4,
		.flags = SLUICE_GAP,
		.body = text,
		.body_len = sizeof(text) - 1,
		.fields = &reason,
		.n_fields = 1,
	};
	src->host->emit(src, &ev);
}

static void on_inotify(struct sluice_source *src, int fd, short revents, void *ctx)
{
	struct state *s = ctx;
	char buffer[16384] __attribute__((aligned(8)));
	ssize_t n = read(fd, buffer, sizeof(buffer));
	(void)revents;
	for (char *p = buffer; n > 0 && p < buffer + n;) {
		const struct inotify_event *e = (const struct inotify_event *)(void *)p;
		p += sizeof(*e) + e->len;
		if (e->mask & IN_Q_OVERFLOW)
			emit_gap(src);
		else if (e->len && (s->hidden || e->name[0] != '.'))
			emit(src, s, e);
	}
	src->host->counter(src, "events", s->n_events);
}

static int dirwatch_open(struct sluice_source *src, void **state)
{
	struct state *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->inotify = -1;
	s->hidden = src->host->number(src, "hidden") != 0;
	*state = s;
	return 0;
}

static int dirwatch_run(struct sluice_source *src, void *state)
{
	struct state *s = state;
	const char *dir;
	char message[4200];
	s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->inotify < 0)
		return -errno;
	for (size_t i = 0; (dir = src->host->option(src, "dirs", i)); i++) {
		int wd = inotify_add_watch(s->inotify, dir,
					   IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO |
						   IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR);
		if (wd < 0 || wd >= DIRS_MAX) {
			int err = wd < 0 ? errno : E2BIG;
			snprintf(message, sizeof(message), "%s cannot be watched: %s", dir,
				 strerror(err));
			src->host->log(src, SLUICE_LOG_ERROR, message);
			return -err; /* it may come yet: start me again later */
		}
		s->dirs[wd] = dir;
	}
	int r = src->host->watch(src, s->inotify, POLLIN, on_inotify, s);
	return r ? r : src->host->loop(src);
}

static void dirwatch_close(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	if (s->inotify >= 0)
		close(s->inotify);
	free(s);
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,      .name = "dirwatch",
	.version = "1.0",        .summary = "what happens in directories",
	.options = options,      .events = events,
	.open = dirwatch_open,   .run = dirwatch_run,
	.close = dirwatch_close,
};

SLUICE_PLUGIN(plugin)
