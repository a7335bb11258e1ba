/* SPDX-License-Identifier: MIT
 *
 * journald - reads systemd's journal: every entry once, also across rotation and the death of
 * any process.
 */
#include "journald.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Entries before other work has its turn, and how often names are looked at whatever inotify
 * says.
 */
enum { ROUND_MAX = 20000, NAMES_MS = 10000 };

static const struct sluice_option options[] = {
	{.name = "units",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "entries of and about these systemd units only, such as nginx.service; * and ? "
		"stand for any characters"},
	{.name = "identifiers",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "entries with one of these syslog identifiers only, such as sshd or kernel"},
	{.name = "priority",
	 .type = SLUICE_STRING,
	 .fallback = "",
	 .doc = "entries of this priority and more severe ones only: emerg, alert, crit, err, "
		"warning, notice, info, debug, or 0 to 7"},
	{.name = "match",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "entries with these fields only, as FIELD=VALUE; values of the same field are "
		"alternatives"},
	{.name = "boot",
	 .type = SLUICE_STRING,
	 .fallback = "all",
	 .doc = "entries of one boot only: current, or an id of 32 hexadecimal digits; all: any"},
	{.name = "read_from",
	 .type = SLUICE_STRING,
	 .fallback = "end",
	 .doc = "where to begin at the first start: beginning, end, or the last so many entries "
		"that are wanted; later on it goes on where it was"},
	{.name = "fields",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .fallback = "*",
	 .doc = "fields that events get, by their names or patterns such as _SYSTEMD_*"},
	{.name = "directory",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_LIST | SLUICE_READ,
	 .fallback = "/var/log/journal",
	 .doc = "where the journal files are: there, or in directories named by a machine's id"},
	{.name = "runtime_directory",
	 .type = SLUICE_PATH,
	 .flags = SLUICE_READ,
	 .fallback = "/run/log/journal",
	 .doc = "where journald keeps files that do not outlive a boot; the default is not used "
		"with another directory"},
	{.name = "namespace",
	 .type = SLUICE_STRING,
	 .fallback = "",
	 .doc = "read that journal namespace instead of the default one; *: all of them"},
	{.name = "max_message",
	 .type = SLUICE_SIZE,
	 .fallback = "64KiB",
	 .min = 16,
	 .max = 16 << 20,
	 .doc = "bytes of a message that are kept"},
	{.name = "max_field",
	 .type = SLUICE_SIZE,
	 .fallback = "8KiB",
	 .min = 16,
	 .max = 1 << 20,
	 .doc = "bytes of any other field that are kept"},
	{.name = "sweep_interval",
	 .type = SLUICE_DURATION,
	 .fallback = "1s",
	 .min = 10 * MS,
	 .max = 3600 * 1000 * MS,
	 .doc = "how often the files are looked at whatever inotify says"},
	{0},
};

static const struct sluice_field_type entry_fields[] = {
	{"FIELD", SLUICE_STRING, NULL, "every field of the entry, under systemd's own name"},
	{"PRIORITY", SLUICE_INT, NULL, "0 (emerg) to 7 (debug); the event's severity as well"},
	{"SYSLOG_IDENTIFIER", SLUICE_STRING, NULL, "the program, as it names itself"},
	{"_SYSTEMD_UNIT", SLUICE_STRING, NULL, "the unit that the program runs in"},
	{"_HOSTNAME", SLUICE_STRING, NULL, "the machine"},
	{"_PID", SLUICE_INT, NULL,
	 "the process; so are _UID, _GID, SYSLOG_FACILITY, CODE_LINE, "
	 "ERRNO and others numbers"},
	{"size", SLUICE_INT, "By", "of a message that was cut: what it had at least"},
	{"journald.cut", SLUICE_STRING, NULL, "names of the fields that max_field has cut"},
	{"journald.binary", SLUICE_STRING, NULL,
	 "names of the fields that are no text: they come in base64, MESSAGE with U+FFFD for what "
	 "is no character"},
	{0},
};

static const struct sluice_field_type gap_fields[] = {
	{"reason", SLUICE_STRING, NULL,
	 "vacuumed: journald removed files before they were read; removed: so did somebody, files "
	 "and number unknown; damaged: a file cannot be read"},
	{"count", SLUICE_INT, NULL, "how many entries, if that is known"},
	{"first_seqnum", SLUICE_INT, NULL, "journald's number of the first entry that may be lost"},
	{"last_seqnum", SLUICE_INT, NULL, "of the last one"},
	{"since", SLUICE_STRING, NULL, "the time of the last entry before them"},
	{"until", SLUICE_STRING, NULL,
	 "the time of the first entry after them, or of the last one lost"},
	{"log.file.path", SLUICE_STRING, NULL, "the file that is damaged, or the one that follows"},
	{0},
};

static const struct sluice_event_type events[] = {
	{"entry", 1, entry_fields, "one entry of the journal; MESSAGE is the message"},
	{"gap", 1, gap_fields, "entries of the journal that could not be read"},
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

static struct complaint *complaint_of(struct state *s, const char *about, uint64_t *h)
{
	*h = 5381;
	for (const char *p = about; *p; p++)
		*h = *h * 33 + (unsigned char)*p;
	return &s->complaints[*h % (sizeof(s->complaints) / sizeof(s->complaints[0]))];
}

bool may_complain(struct state *s, const char *about)
{
	uint64_t h;
	struct complaint *c = complaint_of(s, about, &h);
	if (c->about == h)
		return false;
	c->about = h;
	return true;
}

void complaint_over(struct state *s, const char *about)
{
	uint64_t h;
	struct complaint *c = complaint_of(s, about, &h);
	if (c->about != h)
		return;
	c->about = 0;
	say(s, SLUICE_LOG_INFO, "%s can be read again", about);
}

/* ---- reading ----------------------------------------------------------------------------- */

/* The chain with the oldest entry, and when the next one's is; NULL: there is none. */
static int oldest(struct state *s, struct chain **ret, uint64_t *until)
{
	*ret = NULL;
	*until = UINT64_MAX;
	for (struct chain *c = s->chains; c; c = c->next) {
		int r = c->is_idle ? 0 : chain_load(s, c);
		if (r < 0)
			return r;
		c->is_idle = r == 0;
		if (!r)
			continue;
		if (!*ret || c->file->time < (*ret)->file->time) {
			if (*ret)
				*until = (*ret)->file->time;
			*ret = c;
		} else if (c->file->time < *until) {
			*until = c->file->time;
		}
	}
	return 0;
}

/* What there is, in the order of time: 1 when there is more, 0, or a negative errno. */
static int read_round(struct state *s)
{
	int left = ROUND_MAX;
	for (struct chain *c = s->chains; c; c = c->next)
		c->is_idle = false;
	while (left > 0) {
		struct chain *c;
		uint64_t until;
		int r = oldest(s, &c, &until);
		if (r < 0 || !c)
			return r;
		do {
			r = deliver_entry(s, c);
			if (!r)
				r = chain_load(s, c);
		} while (r == 1 && --left > 0 && c->file->time <= until);
		if (r < 0)
			return r;
	}
	return 1;
}

static int commit_moved(struct state *s)
{
	int r = 0;
	for (struct chain *c = s->chains; c && !r; c = c->next)
		if (c->is_moved)
			r = chain_commit(s, c);
	return r;
}

static void report(struct state *s)
{
	uint64_t n = 0;
	for (const struct jfile *f = s->files; f; f = f->next)
		n += f->fd >= 0;
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{"entries", s->n_entries}, {"bytes", s->n_bytes}, {"filtered", s->n_filtered},
		{"lost", s->n_lost},       {"cut", s->n_cut},     {"binary", s->n_binary},
		{"damaged", s->n_damaged}, {"files", n},
	};
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		s->src->host->counter(s->src, counters[i].name, counters[i].value);
}

/* One turn of the loop; *look_at: when names are looked at again whatever happens. */
static int turn(struct state *s, bool names_changed, int64_t *look_at)
{
	int r = 0;
	if (names_changed || mono_ns() >= *look_at) {
		r = discover(s);
		if (!r && !s->cannot_read)
			r = chains_forget(s);
		*look_at = mono_ns() + (s->inotify >= 0 && s->directories ? NAMES_MS * MS
									  : s->options.sweep_ns);
	}
	if (!r)
		r = read_round(s);
	int committed = r < 0 ? 0 : commit_moved(s);
	report(s);
	return committed ? committed : r;
}

static int loop(struct state *s)
{
	int64_t look_at = mono_ns();
	bool names_changed = true;
	for (;;) {
		struct pollfd p = {.fd = s->inotify, .events = POLLIN};
		int r = turn(s, names_changed, &look_at);
		if (r < 0)
			return r;
		int timeout = r ? 0 : (int)(s->options.sweep_ns / MS);
		names_changed = false;
		r = s->src->host->wait(s->src, &p, s->inotify >= 0 ? 1 : 0, timeout);
		if (r < 0)
			return r;
		if (r > 0)
			names_changed = discover_hear(s);
	}
}

/* ---- the plugin ---------------------------------------------------------------------------- */

static void journald_close(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	discover_free(s);
	entry_free(s);
	options_free(&s->options);
	free(s);
}

static int journald_open(struct sluice_source *src, void **ret)
{
	struct state *s = must(calloc(1, sizeof(*s)));
	s->src = src;
	s->inotify = -1;
	int r = options_read(s);
	if (r) {
		journald_close(src, s);
		return r;
	}
	discover_check(s);
	*ret = s;
	return 0;
}

static int journald_run(struct sluice_source *src, void *state)
{
	struct state *s = state;
	(void)src;
	s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->inotify < 0)
		say(s, SLUICE_LOG_WARNING,
		    "no inotify: %s (raise fs.inotify.max_user_instances); files are looked at "
		    "every "
		    "sweep_interval",
		    strerror(errno));
	int r = start_positions(s);
	if (!r)
		r = loop(s);
	if (s->inotify >= 0)
		close(s->inotify);
	s->inotify = -1;
	return r;
}

static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD,      .name = "journald",
	.version = "1",          .summary = "read systemd's journal, every entry once",
	.options = options,      .events = events,
	.open = journald_open,   .run = journald_run,
	.close = journald_close,
};

SLUICE_PLUGIN(plugin)
