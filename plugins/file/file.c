/* SPDX-License-Identifier: MIT
 *
 * file - follows files: every line once, also across rotation, truncation and
 * the death of any process.
 *
 * inotify is only a hint for speed.  A sweep of all files runs always, so an
 * event that the kernel dropped costs at most a sweep interval.
 */
#include "file.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000LL

static const char *const long_lines[] = {"truncate", "split", "skip", NULL};
static const char *const watches[] = {"auto", "inotify", "poll", NULL};

static const struct sluice_option options[] = {
	{"include", SLUICE_GLOB, SLUICE_LIST | SLUICE_REQUIRED, NULL, NULL, 0, 0,
	 "files to follow, as glob(7) patterns"},
	{"exclude", SLUICE_GLOB, SLUICE_LIST, NULL, NULL, 0, 0, "of these, files to leave out"},
	{"read_from", SLUICE_STRING, 0, "end", NULL, 0, 0,
	 "where to begin in files that are there at the first start: beginning, end, or the last "
	 "so "
	 "many lines; later ones are read from their beginning"},
	{"max_line", SLUICE_SIZE, 0, "64KiB", NULL, 16, 64 << 20, "bytes of a line that are kept"},
	{"on_long_line", SLUICE_ENUM, 0, "truncate", long_lines, 0, 0,
	 "truncate: cut and flag it; split: several events; skip: leave it out and declare a gap"},
	{"strip_cr", SLUICE_BOOL, 0, "true", NULL, 0, 0,
	 "drop the CR of a line that ends in CR LF"},
	{"severity", SLUICE_BOOL, 0, "true", NULL, 0, 0,
	 "look for a level word such as ERROR near the start of the line"},
	{"path_field", SLUICE_STRING, 0, "path", NULL, 0, 0,
	 "name of the field that holds the file's name; empty for none"},
	{"watch", SLUICE_ENUM, 0, "auto", watches, 0, 0,
	 "inotify, poll (for network file systems), or auto: inotify where it works"},
	{"sweep_interval", SLUICE_DURATION, 0, "1s", NULL, 10 * MS, 3600 * 1000 * MS,
	 "how often all files are looked at whatever inotify says"},
	{"rotate_wait", SLUICE_DURATION, 0, "5s", NULL, 10 * MS, 3600 * 1000 * MS,
	 "how long a rotated file must be quiet before it is closed"},
	{0},
};

static const struct sluice_field_type line_fields[] = {
	{"path", SLUICE_STRING, NULL, "the file's name as it is now"},
	{"size", SLUICE_INT, "bytes", "of a truncated line: what it had"},
	{0},
};

static const struct sluice_field_type gap_fields[] = {
	{"reason", SLUICE_STRING, NULL, "truncated, rotated or long_line"},
	{0},
};

static const struct sluice_event_type events[] = {
	{"line", 1, line_fields, "one line, without its line end"},
	{"gap", 1, gap_fields, "something that was written may not have been read"},
	{0},
};

int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

void *must(void *p)
{
	if (!p)
		abort(); /* sluice starts us again, and the cursors are committed */
	return p;
}

void say(struct state *s, enum sluice_log_level level, const char *fmt, ...)
{
	char message[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	s->src->host->log(s->src, level, message);
}

bool may_complain(struct state *s, const char *path)
{
	uint64_t h = 5381;
	for (const char *p = path; *p; p++)
		h = h * 33 + (unsigned char)*p;
	struct complaint *c =
		&s->complaints[h % (sizeof(s->complaints) / sizeof(s->complaints[0]))];
	if (c->about == h && now_ns() - c->at_ns < 600 * 1000 * MS)
		return false;
	*c = (struct complaint){h, now_ns()};
	return true;
}

/* ---- options ---------------------------------------------------------------------- */

static int read_from(struct sluice_source *src, struct options *o)
{
	const char *text = src->host->option(src, "read_from", 0);
	char *end;
	if (strcmp(text, "end") == 0)
		return 0;
	if (strcmp(text, "beginning") == 0) {
		o->from_beginning = true;
		return 0;
	}
	o->from_lines = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || o->from_lines > 1000000000)
		return src->host->refuse(src, "read_from",
					 "write beginning, end, or a number of lines such as 100");
	return 0;
}

static int file_open(struct sluice_source *src, void **ret)
{
	struct state *s = must(calloc(1, sizeof(*s)));
	struct options *o = &s->options;
	s->src = src;
	s->inotify = -1;
	s->is_first = true;
	o->max_line = (size_t)src->host->number(src, "max_line");
	o->on_long_line = (enum long_line)src->host->number(src, "on_long_line");
	o->strip_cr = src->host->number(src, "strip_cr");
	o->detect_severity = src->host->number(src, "severity");
	o->path_field = src->host->option(src, "path_field", 0);
	o->sweep_ns = src->host->number(src, "sweep_interval");
	o->rotate_wait_ns = src->host->number(src, "rotate_wait");
	o->use_inotify = src->host->number(src, "watch") != 2;
	int r = read_from(src, o);
	if (r) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* ---- the main loop ------------------------------------------------------------------- */

/* What inotify says: files that were written to, and whether names changed. */
static bool hear_inotify(struct state *s)
{
	char buffer[65536] __attribute__((aligned(8)));
	bool names_changed = false;
	ssize_t n;
	while ((n = read(s->inotify, buffer, sizeof(buffer))) > 0) {
		for (char *p = buffer; p < buffer + n;) {
			struct inotify_event *e = (struct inotify_event *)(void *)p;
			p += sizeof(*e) + e->len;
			if (e->mask & IN_Q_OVERFLOW)
				for (struct file *f = s->files; f; f = f->next)
					f->is_dirty = true;
			if (e->mask & ~(uint32_t)IN_MODIFY)
				names_changed = true;
			char path[4096] = "";
			for (size_t i = 0; e->len && i < s->n_watches; i++)
				if (s->watches[i].wd == e->wd)
					snprintf(path, sizeof(path), "%s/%s", s->watches[i].dir,
						 e->name);
			struct file *f = file_by_path(s, path);
			if (f)
				f->is_dirty = true;
		}
	}
	return names_changed;
}

/* Looks at every file itself, whatever inotify has said. */
static void sweep_files(struct state *s)
{
	for (struct file *f = s->files; f; f = f->next) {
		struct stat st;
		if (f->fd < 0 || fstat(f->fd, &st) < 0)
			continue;
		if (st.st_size != f->size || st.st_mtim.tv_sec != f->mtime.tv_sec ||
		    st.st_mtim.tv_nsec != f->mtime.tv_nsec ||
		    (uint64_t)st.st_size != read_offset(f))
			f->is_dirty = true;
		file_note_time(f, &st);
	}
}

static int drain_older(struct state *s, struct file *f)
{
	struct file *older = f->older;
	f->older = NULL;
	if (!older)
		return 0;
	int r = drain_older(s, older);
	return r ? r : follow_drain(s, older);
}

/* The older files of the same name are read to their ends once this one holds
 * something: a writer that has moved on writes nothing more to them.
 */
static int wait_for_older(struct state *s, struct file *f, bool *wait)
{
	struct stat st;
	while (f->older && f->older->is_done)
		f->older = f->older->older;
	*wait = f->older && !f->is_rotated && (fstat(f->fd, &st) < 0 || st.st_size == 0);
	return *wait ? 0 : drain_older(s, f);
}

/* One round over what may have changed: 1 when there is more, 0, -ECANCELED. */
static int read_round(struct state *s)
{
	int more = 0;
	for (struct file *f = s->files; f; f = f->next) {
		bool wait = false;
		if (f->fd < 0 || !f->is_dirty)
			continue;
		int r = wait_for_older(s, f, &wait);
		if (wait)
			continue;
		if (!r)
			r = follow_read(s, f);
		if (r < 0)
			return r;
		f->is_dirty = r == 1;
		more |= r;
	}
	return more;
}

static int finish_rotated(struct state *s)
{
	int64_t now = now_ns();
	for (struct file *f = s->files; f; f = f->next) {
		if (f->fd < 0 || !f->is_rotated || f->is_dirty ||
		    now - f->quiet_since_ns < s->options.rotate_wait_ns)
			continue;
		int r = follow_drain(s, f);
		if (!r && now_ns() - f->quiet_since_ns >= s->options.rotate_wait_ns)
			r = follow_finish(s, f);
		if (r)
			return r;
	}
	return 0;
}

static void report(struct state *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{"lines", s->n_lines},         {"bytes", s->n_bytes},     {"long_lines", s->n_long},
		{"truncated", s->n_truncated}, {"rotated", s->n_rotated},
	};
	uint64_t n = 0;
	for (struct file *f = s->files; f; f = f->next)
		n += f->fd >= 0;
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		s->src->host->counter(s->src, counters[i].name, counters[i].value);
	s->src->host->counter(s->src, "files", n);
}

static int loop(struct state *s)
{
	int64_t next_sweep = 0;
	bool names_changed = true;
	for (;;) {
		int64_t now = now_ns();
		int r = 0;
		bool sweep = now >= next_sweep;
		if (sweep)
			sweep_files(s);
		if (sweep || names_changed)
			r = discover(s);
		names_changed = false;
		int more = r ? r : read_round(s);
		if (more < 0)
			return more;
		if (sweep) {
			r = finish_rotated(s);
			if (r)
				return r;
			report(s);
			next_sweep = now_ns() + s->options.sweep_ns;
		}
		struct pollfd p = {.fd = s->inotify, .events = POLLIN};
		int64_t left = (next_sweep - now_ns() + MS - 1) / MS;
		int timeout = more ? 0 : left > 0 ? (int)left : 0;
		r = s->src->host->wait(s->src, &p, s->inotify >= 0 ? 1 : 0, timeout);
		if (r < 0)
			return r;
		if (r > 0)
			names_changed = hear_inotify(s);
	}
}

static int file_run(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	s->buffer = must(malloc(s->options.max_line + READ_SIZE));
	if (s->options.use_inotify) {
		s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (s->inotify < 0)
			say(s, SLUICE_LOG_WARNING,
			    "no inotify: %s (raise fs.inotify.max_user_instances); files "
			    "are looked at every sweep_interval",
			    strerror(errno));
	}
	int r = discover_resume(s);
	if (!r)
		r = loop(s);
	if (s->inotify >= 0)
		close(s->inotify);
	return r;
}

static void file_close(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	discover_free(s);
	free(s->buffer);
	free(s);
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,  .name = "file",
	.version = "1",      .summary = "follow files, every line once",
	.options = options,  .events = events,
	.open = file_open,   .run = file_run,
	.close = file_close,
};

SLUICE_PLUGIN(plugin)
