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

#include "common/stamp.h"
#include "common/times.h"

#define MS 1000000LL

/* Others are looked at with the sweep. */
enum { FIFOS_WAITED = 64 };
/* A runtime's line: docker cuts at 16 KiB, of which JSON may make six times as much. */
enum { WRAPPED_MAX = 256 * 1024 };

static const char *const long_lines[] = {"truncate", "split", "skip", NULL};
static const char *const watches[] = {"auto", "inotify", "poll", NULL};
static const char *const parses[] = {
	"none",           "json",         "logfmt",  "clf",   "regex",  "syslog", "nginx",
	"vhost_combined", "apache_error", "haproxy", "caddy", "docker", "cri",    NULL};
/* What a container writes may have any of the forms but those of the runtimes. */
static const char *const messages[] = {"none",         "json",    "logfmt", "clf",
				       "regex",        "syslog",  "nginx",  "vhost_combined",
				       "apache_error", "haproxy", "caddy",  NULL};
static const char *const ansis[] = {"keep", "strip", NULL};
static const char *const invalids[] = {"replace", "escape", NULL};

static const struct sluice_option options[] = {
	{.name = "include",
	 .type = SLUICE_GLOB,
	 .flags = SLUICE_LIST | SLUICE_REQUIRED | SLUICE_READ,
	 .doc = "files to follow, as glob(7) patterns; {a,b} matches a or b, and ** any number of "
		"directories"},
	{.name = "exclude",
	 .type = SLUICE_GLOB,
	 .flags = SLUICE_LIST,
	 .doc = "files that are not followed, although include matches them"},
	{.name = "follow_links",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "follow links to directories below ** too; each directory is entered once",
	 .needs = "include~**"},
	{.name = "fifos",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "read FIFOs (named pipes) too; each start but the first declares a gap"},
	{.name = "read_from",
	 .type = SLUICE_STRING,
	 .fallback = "end",
	 .doc = "where to begin in files that exist at the first start: beginning, end, or a "
		"number of last lines such as 100; files that appear later are read from their "
		"beginning"},
	{.name = "max_line",
	 .type = SLUICE_SIZE,
	 .fallback = "64KiB",
	 .min = 16,
	 .max = 64 << 20,
	 .doc = "longest line that is kept whole"},
	{.name = "on_long_line",
	 .type = SLUICE_ENUM,
	 .fallback = "truncate",
	 .choices = long_lines,
	 .doc = "truncate: cut the line and flag it; split: make several events of it; skip: leave "
		"it out and declare a gap"},
	{.name = "strip_cr",
	 .type = SLUICE_BOOL,
	 .fallback = "true",
	 .doc = "drop the CR of a line that ends in CR LF"},
	{.name = "severity",
	 .type = SLUICE_BOOL,
	 .fallback = "true",
	 .doc = "look for a level word such as ERROR near the start of the line"},
	{.name = "ansi",
	 .type = SLUICE_ENUM,
	 .fallback = "keep",
	 .choices = ansis,
	 .doc = "escape sequences that set a terminal's colours: keep them in the line, or strip "
		"them"},
	{.name = "path_field",
	 .type = SLUICE_STRING,
	 .fallback = "log.file.path",
	 .doc = "name of the field that holds the file's name; empty for none"},
	{.name = "watch",
	 .type = SLUICE_ENUM,
	 .fallback = "auto",
	 .choices = watches,
	 .doc = "inotify, poll (for network file systems), or auto: inotify where it works"},
	{.name = "sweep_interval",
	 .type = SLUICE_DURATION,
	 .fallback = "1s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "how often all files are checked, in addition to inotify"},
	{.name = "rotate_wait",
	 .type = SLUICE_DURATION,
	 .fallback = "5s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "how long a rotated file must be quiet before it is closed"},
	{.name = "ignore_older",
	 .type = SLUICE_DURATION,
	 .fallback = "0",
	 .max = 3650LL * 86400 * 1000 * MS,
	 .doc = "do not read files that were last written to longer ago than this, until they are "
		"written to again; 0: read all"},
	{.name = "close_inactive",
	 .type = SLUICE_DURATION,
	 .fallback = "0",
	 .max = 3650LL * 86400 * 1000 * MS,
	 .doc = "close files that have not changed for this time, until they change again; 0: "
		"never"},
	{.name = "max_files",
	 .type = SLUICE_INT,
	 .fallback = "100000",
	 .min = 1,
	 .max = 10000000,
	 .doc = "how many files are followed at most; further files are reported and not followed"},
	{.name = "read_budget",
	 .type = SLUICE_SIZE,
	 .fallback = "2MiB",
	 .min = 4096,
	 .max = 1 << 30,
	 .doc = "bytes that are read from one file before the next file has its turn"},
	{.name = "skip_empty",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "leave empty lines out"},
	{.name = "encoding",
	 .type = SLUICE_STRING,
	 .fallback = "auto",
	 .doc = "auto: as the byte order mark says, else UTF-8; or a name that iconv(1) knows, "
		"such as ISO-8859-1 or UTF-16LE"},
	{.name = "on_invalid",
	 .type = SLUICE_ENUM,
	 .fallback = "replace",
	 .choices = invalids,
	 .doc = "what stands for bytes that are not valid characters; replace: U+FFFD; escape: "
		"\\xNN"},
	{.name = "decompress",
	 .type = SLUICE_BOOL,
	 .fallback = "false",
	 .doc = "read .gz, .zst and .xz files too; lines that were read before they were "
		"compressed are not read again"},
	{.name = "multiline.preset",
	 .type = SLUICE_ENUM,
	 .fallback = "none",
	 .choices = traces_names,
	 .doc = "time: a line that begins with a time begins an event; a language: its stack "
		"traces are joined; you can write multiline: java for multiline: {preset: java}"},
	{.name = "multiline.start",
	 .type = SLUICE_REGEX,
	 .doc = "a line that matches begins an event; other lines belong to the event before them"},
	{.name = "multiline.continue",
	 .type = SLUICE_REGEX,
	 .doc = "a line that matches belongs to the event before it; other lines begin an event"},
	{.name = "multiline.end",
	 .type = SLUICE_REGEX,
	 .doc = "a line that matches is the last one of its event"},
	{.name = "multiline.timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "1s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "an event ends when no line has followed for this time",
	 .needs = "multiline.preset multiline.start multiline.continue multiline.end"},
	{.name = "multiline.max_lines",
	 .type = SLUICE_INT,
	 .fallback = "500",
	 .min = 2,
	 .max = 1000000,
	 .doc = "most lines in an event; the next line begins another event",
	 .needs = "multiline.preset multiline.start multiline.continue multiline.end"},
	{.name = "multiline.max_bytes",
	 .type = SLUICE_SIZE,
	 .fallback = "64KiB",
	 .min = 16,
	 .max = 64 << 20,
	 .doc = "longest event that is kept whole",
	 .needs = "multiline.preset multiline.start multiline.continue multiline.end"},
	{.name = "parse",
	 .type = SLUICE_ENUM,
	 .fallback = "none",
	 .choices = parses,
	 .doc = "form of the lines, from which fields, time and severity are taken; a line of "
		"another form is kept as it is, with the field \"unparsed\""},
	{.name = "parse_message",
	 .type = SLUICE_ENUM,
	 .fallback = "none",
	 .choices = messages,
	 .doc = "with parse: docker or cri: the form of the lines that the container itself "
		"writes, such as json"},
	{.name = "partial_timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "30s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "with parse: docker or cri: how long to wait for the rest of a line; then it is "
		"emitted as it is, flagged partial",
	 .needs = "parse=docker parse=cri"},
	{.name = "regex",
	 .type = SLUICE_REGEX,
	 .doc = "with parse: regex: the pattern; named groups become fields, except that "
		"(?<message>), (?<time>) and (?<level>) set the event's message, time and "
		"severity"},
	{.name = "time_format",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "formats to try before the built-in ones, in the notation of strptime(3), such as "
		"\"%d.%m.%Y %H:%M:%S.%f\"; or epoch, epoch_ms, epoch_us, epoch_ns"},
	{.name = "time_zone",
	 .type = SLUICE_STRING,
	 .fallback = "",
	 .doc = "zone of times that do not name one, such as Europe/Berlin or +02:00; empty: this "
		"machine's zone",
	 .needs = "parse"},
	{0},
};

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
	return complaint_begins(&s->complaints, path);
}

void no_more_complaint(struct state *s, const char *path)
{
	if (complaint_ends(&s->complaints, path))
		say(s, SLUICE_LOG_INFO, "%s can be read again", path);
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

static void read_more_options(struct sluice_source *src, struct options *o)
{
	const struct sluice_host *h = src->host;
	o->ignore_older_ns = h->number(src, "ignore_older");
	o->close_inactive_ns = h->number(src, "close_inactive");
	o->max_files = h->number(src, "max_files");
	o->read_budget = (size_t)h->number(src, "read_budget");
	o->skip_empty = h->number(src, "skip_empty");
	o->decompress = h->number(src, "decompress");
	o->follow_links = h->number(src, "follow_links");
	o->fifos = h->number(src, "fifos");
	o->encoding = h->option(src, "encoding", 0);
	o->on_invalid = (enum on_invalid)h->number(src, "on_invalid");
	o->has_time_format = h->option(src, "time_format", 0);
	o->parse = (enum parse)h->number(src, "parse");
	o->max_text = o->max_line;
	o->partial_timeout_ns = h->number(src, "partial_timeout");
	o->has_containers = o->parse == PARSE_DOCKER || o->parse == PARSE_CRI;
	if (o->has_containers) {
		o->container = o->parse == PARSE_CRI ? CONTAINER_CRI : CONTAINER_DOCKER;
		o->parse = (enum parse)h->number(src, "parse_message");
		o->max_line = o->max_line < WRAPPED_MAX ? WRAPPED_MAX : o->max_line;
	}
	o->preset = (enum trace_preset)h->number(src, "multiline.preset");
	o->has_groups = o->preset != TRACE_NONE || h->option(src, "multiline.start", 0) ||
			h->option(src, "multiline.continue", 0) ||
			h->option(src, "multiline.end", 0);
	o->group_timeout_ns = h->number(src, "multiline.timeout");
	o->group_lines = (size_t)h->number(src, "multiline.max_lines");
	o->group_bytes = (size_t)h->number(src, "multiline.max_bytes");
	/* Characters of two or four bytes are not cut in two. */
	o->max_line -= o->max_line % 4;
}

static int refuse_text(struct sluice_source *src, const char *option, const char *text,
		       const char *why)
{
	char message[500];
	snprintf(message, sizeof(message), "\"%.100s\" %s", text, why);
	return src->host->refuse(src, option, message);
}

/* (?<name>...), (?P<name>...) or (?'name'...). */
static bool has_named_group(const char *regex)
{
	const char *p = regex;
	while ((p = strstr(p, "(?"))) {
		p += 2;
		if (*p == '\'' || (p[0] == 'P' && p[1] == '<') ||
		    (p[0] == '<' && p[1] != '=' && p[1] != '!'))
			return true;
	}
	return false;
}

static int check_options(struct sluice_source *src, const struct options *o)
{
	const struct sluice_host *h = src->host;
	const char *zone = h->option(src, "time_zone", 0);
	if (!encoding_unit(o->encoding))
		return refuse_text(src, "encoding", o->encoding,
				   "is not supported: iconv does not know it, or its line feed "
				   "cannot be found, as in EBCDIC (iconv -l lists the names)");
	if (!o->has_containers && h->number(src, "parse_message"))
		return h->refuse(
			src, "parse_message",
			"is used only with parse: docker or cri (for other files, set parse)");
	if (o->parse == PARSE_REGEX && !h->option(src, "regex", 0))
		return h->refuse(src, "regex",
				 "is missing: parse: regex needs one, such as '(?<level>\\w+) "
				 "(?<message>.*)'");
	if (o->parse != PARSE_REGEX && h->option(src, "regex", 0))
		return h->refuse(src, "regex",
				 "is used only with parse: regex (set that, or remove regex)");
	if (o->parse == PARSE_REGEX && !has_named_group(h->option(src, "regex", 0)))
		return h->refuse(src, "regex",
				 "has no named group, so it makes no field (write (?<name>...) "
				 "around each part that is to be a field)");
	if (*zone && stamp_set_zone(zone))
		return refuse_text(src, "time_zone", zone,
				   "is not a time zone that this machine knows (write one such as "
				   "Europe/Berlin or +02:00; see /usr/share/zoneinfo)");
	for (size_t i = 0; h->option(src, "time_format", i); i++) {
		const char *why = times_check_format(h->option(src, "time_format", i));
		if (why)
			return refuse_text(src, "time_format", h->option(src, "time_format", i),
					   why);
	}
	if (o->parse == PARSE_NONE && !o->has_containers && o->has_time_format)
		return h->refuse(src, "time_format",
				 "is used only with parse, which finds the time of a line (set "
				 "that, or remove time_format)");
	return 0;
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

static void free_state(struct state *s)
{
	patterns_fini(&s->include);
	patterns_fini(&s->exclude);
	free(s);
}

static int file_open(struct sluice_source *src, void **ret)
{
	struct state *s = must(calloc(1, sizeof(*s)));
	struct options *o = &s->options;
	s->src = src;
	s->inotify = s->fifo_inotify = -1;
	s->is_first = true;
	o->max_line = (size_t)src->host->number(src, "max_line");
	o->on_long_line = (enum long_line)src->host->number(src, "on_long_line");
	o->strip_cr = src->host->number(src, "strip_cr");
	o->detect_severity = src->host->number(src, "severity");
	o->strip_ansi = src->host->number(src, "ansi") == 1;
	o->path_field = src->host->option(src, "path_field", 0);
	o->sweep_ns = src->host->number(src, "sweep_interval");
	o->rotate_wait_ns = src->host->number(src, "rotate_wait");
	o->use_inotify = src->host->number(src, "watch") != 2;
	read_more_options(src, o);
	int r = read_from(src, o);
	if (!r)
		r = check_options(src, o);
	if (!r)
		r = read_patterns(src, "include", &s->include);
	if (!r)
		r = read_patterns(src, "exclude", &s->exclude);
	if (r) {
		free_state(s);
		return r;
	}
	s->next_deadline_ns = INT64_MAX;
	ignored_check(s);
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
			if (e->mask & IN_IGNORED)
				discover_unwatch(s, e->wd);
			const struct watch *w = e->len ? discover_watch(s, e->wd) : NULL;
			if (!w)
				continue;
			char path[4096];
			snprintf(path, sizeof(path), "%s/%s", strcmp(w->dir, "/") ? w->dir : "",
				 e->name);
			struct file *f = file_by_path(s, path);
			if (f && f->is_idle)
				names_changed = true; /* it is opened again by a look */
			else if (f)
				f->is_dirty = true;
			else
				s->fifo_is_heard = true;
		}
	}
	return names_changed;
}

/* Files that nobody writes to keep no descriptor. */
static void rest_inactive(struct state *s)
{
	int64_t now = mono_ns();
	for (struct file *f = s->files; s->options.close_inactive_ns && f; f = f->next)
		if (f->fd >= 0 && !f->is_dirty && !f->is_rotated && !f->is_gz &&
		    now - f->quiet_since_ns > s->options.close_inactive_ns)
			file_rest(f);
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
		    (!f->is_gz && (uint64_t)st.st_size != read_offset(f)) || (f->is_gz && !f->gz))
			f->is_dirty = true;
		file_note_time(f, &st);
	}
}

/* Whether it is not to be read yet. */
static bool must_wait(struct file *f)
{
	struct stat st;
	while (f->older && f->older->is_done)
		f->older = f->older->older;
	if (f->between || f->doubt || (f->older && !f->is_rotated && (fstat(f->fd, &st) < 0 || !st.st_size)))
		return true;
	/* One that is being compressed still is read in its own time, and one that is
	 * looked for may be found.
	 */
	for (const struct file *o = f->older; o; o = o->older)
		if (o->is_missing || o->between || o->doubt || (o->is_gz && !o->is_done && o->fd >= 0))
			return true;
	return false;
}

/* The one that waits for the oldest of them, which itself waits for none. */
static struct file *last_to_wait(struct file *f)
{
	while (f->older->older)
		f = f->older;
	return f;
}

/* Reads the oldest file that it waits for to its end.  Others can be dropped meanwhile, and
 * a compressed one can be found to come before.
 */
static int drain_oldest(struct state *s, struct file *f)
{
	struct file *oldest = last_to_wait(f)->older;
	int r = generation_tell_missed(s, oldest);
	r = r ? r : follow_drain(s, oldest);
	r = r ? r : group_flush(s, oldest);
	if (!oldest->older)
		last_to_wait(f)->older = NULL;
	return r;
}

/* The older files of the same name are read to their ends once this one holds
 * something: a writer that has moved on writes nothing more to them.
 */
static int wait_for_older(struct state *s, struct file *f, bool *wait)
{
	int r = 0;
	while (!(*wait = must_wait(f)) && f->older && !r)
		r = drain_oldest(s, f);
	return r;
}

/* A rotated file that has been read to its end: should it be removed while sluice does
 * not run, nothing of it is lost.
 */
static int note_end(struct state *s, struct file *f)
{
	if (!f->is_rotated || f->is_gz || f->fd < 0 || f->at.is_done || f->part_len || f->group ||
	    f->held)
		return 0;
	f->at.is_done = true;
	return emit_cursor(s, f);
}

/* An empty file is remembered too: should it be gone after a restart, what was written to it
 * in between is lost.  But not before those that it waits for, which would be left out then;
 * nor where it may be compressed, for an empty one is not recognised in that.
 */
static int note_begin(struct state *s, struct file *f)
{
	if (f->is_noted || f->between || f->doubt || s->options.decompress)
		return 0;
	for (const struct file *o = f->older; o; o = o->older)
		if (!o->is_noted && !o->at.offset)
			return 0;
	f->is_noted = true;
	return f->at.offset ? 0 : emit_cursor(s, f);
}

/* One round over what may have changed: 1 when there is more, 0, -ECANCELED. */
static int read_round(struct state *s)
{
	int more = 0;
	for (struct file *f = s->files; f; f = f->next) {
		bool wait = false;
		if (f->fd < 0 || !f->is_dirty)
			continue;
		int r = note_begin(s, f);
		r = r ? r : wait_for_older(s, f, &wait);
		if (wait && !r)
			continue;
		if (!r)
			r = generation_tell_missed(s, f);
		if (!r)
			r = follow_read(s, f);
		if (r < 0)
			return r;
		f->is_dirty = r == 1;
		more |= r;
		r = r ? 0 : note_end(s, f);
		if (r)
			return r;
	}
	return more;
}

/* What is compressed while a program still writes to it is compared with it, as long as
 * it is open.
 */
static int64_t wait_of(const struct state *s, const struct file *f)
{
	struct stat st;
	int64_t wait = s->options.rotate_wait_ns, least = GZ_SETTLE_NS + 2 * s->options.sweep_ns;
	if (s->options.decompress && wait < least && fstat(f->fd, &st) == 0 && !st.st_nlink)
		return least;
	return wait;
}

static int finish_rotated(struct state *s)
{
	int64_t now = mono_ns();
	for (struct file *f = s->files; f; f = f->next) {
		if (f->fd < 0 || !f->is_rotated || f->is_dirty || f->is_gz ||
		    now - f->quiet_since_ns < wait_of(s, f))
			continue;
		int r = follow_drain(s, f);
		if (!r && mono_ns() - f->quiet_since_ns >= wait_of(s, f))
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
		{"lines", s->n_lines},
		{"bytes", s->n_bytes},
		{"long_lines", s->n_long},
		{"truncated", s->n_truncated},
		{"rotated", s->n_rotated},
		{"nul_bytes_skipped", s->n_nuls},
		{"unparsed", s->n_unparsed},
		{"invalid_bytes", s->n_invalid},
		{"unparsed_times", s->n_bad_times},
	};
	uint64_t n = 0;
	for (struct file *f = s->files; f; f = f->next)
		n += f->fd >= 0;
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		s->src->host->counter(s->src, counters[i].name, counters[i].value);
	s->src->host->counter(s->src, "files", n);
	s->src->host->counter(s->src, "ignored_files", s->n_ignored);
	s->src->host->counter(s->src, "unreadable_files", s->n_unreadable);
}

static int read_files_and_fifos(struct state *s, bool all_fifos)
{
	int more = read_round(s);
	if (more < 0 || !s->fifos)
		return more;
	int r = fifos_read(s, all_fifos || s->fifo_is_heard);
	s->fifo_is_heard = false;
	return r < 0 ? r : more | r;
}

/* Waits for what is to be read, at most until the next sweep; names_changed as inotify says. */
static int wait_for_more(struct state *s, int64_t next_sweep, bool more, bool *names_changed)
{
	struct pollfd fds[1 + FIFOS_WAITED] = {{.fd = s->inotify, .events = POLLIN}};
	size_t first = s->inotify >= 0 ? 0 : 1;
	size_t n = 1 + fifos_poll(s, fds + 1, FIFOS_WAITED);
	int64_t due = next_sweep < s->next_deadline_ns ? next_sweep : s->next_deadline_ns;
	if (s->look_at_ns && s->look_at_ns < due)
		due = s->look_at_ns;
	int64_t left = (due - mono_ns() + MS - 1) / MS;
	int timeout = more ? 0 : left > 0 ? (int)left : 0;
	int r = s->src->host->wait(s->src, fds + first, n - first, timeout);
	if (r > 0 && s->inotify >= 0)
		*names_changed |= hear_inotify(s);
	return r < 0 ? r : 0;
}

/* Looks take a tenth of the time at most, however often names change; but for sweeps. */
static int look_and_rest(struct state *s)
{
	int64_t began = mono_ns();
	int r = discover(s);
	int64_t ended = mono_ns();
	s->not_before_ns = ended + 9 * (ended - began);
	if (s->look_at_ns && s->look_at_ns < s->not_before_ns)
		s->look_at_ns = s->not_before_ns;
	return r;
}

static int loop(struct state *s)
{
	int64_t next_sweep = 0;
	bool names_changed = true;
	for (;;) {
		int64_t now = mono_ns();
		int r = 0;
		bool sweep = now >= next_sweep;
		if (sweep)
			sweep_files(s);
		if (sweep || (s->look_at_ns && now >= s->look_at_ns) ||
		    (names_changed && now >= s->not_before_ns)) {
			r = look_and_rest(s);
			names_changed = false;
		} else if (names_changed && (!s->look_at_ns || s->not_before_ns < s->look_at_ns)) {
			s->look_at_ns = s->not_before_ns;
		}
		int more = r ? r : read_files_and_fifos(s, sweep);
		r = more < 0 ? more : groups_expire(s);
		if (r)
			return r;
		if (sweep) {
			r = finish_rotated(s);
			if (r)
				return r;
			rest_inactive(s);
			report(s);
			next_sweep = mono_ns() + s->options.sweep_ns;
		}
		r = wait_for_more(s, next_sweep, more, &names_changed);
		if (r)
			return r;
	}
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
	SLUICE_PLUGIN_HEAD,  .name = "file",
	.version = "1",      .summary = "follow files, every line once",
	.options = options,  .events = events,
	.open = file_open,   .run = file_run,
	.close = file_close,
};

SLUICE_PLUGIN(plugin)
