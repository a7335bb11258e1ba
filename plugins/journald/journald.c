/* SPDX-License-Identifier: MIT
 *
 * journald - reads systemd's journal: every entry once, also across rotation and the death of
 * any process.
 */
#include "journald.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Entries before other work has its turn, and how often names are looked at whatever inotify
 * says.
 */
enum { ROUND_MAX = 20000, NAMES_MS = 10000 };

static const struct sluice_field_type entry_fields[] = {
	{"FIELD", SLUICE_STRING, NULL, "every field of the entry, under systemd's name for it"},
	{"PRIORITY", SLUICE_INT, NULL,
	 "0 (emerg) to 7 (debug), which is also the event's severity"},
	{"SYSLOG_IDENTIFIER", SLUICE_STRING, NULL, "the name that the program gives itself"},
	{"_SYSTEMD_UNIT", SLUICE_STRING, NULL, "the unit that the program belongs to"},
	{"_HOSTNAME", SLUICE_STRING, NULL, "the name of the machine"},
	{"_PID", SLUICE_INT, NULL,
	 "the process id; _UID, _GID, SYSLOG_FACILITY, CODE_LINE, ERRNO and others are numbers "
	 "too"},
	{"size", SLUICE_INT, "By", "length of a message before it was cut, at least"},
	{"journald.cut", SLUICE_STRING, NULL, "names of the fields that were cut at max_field"},
	{"journald.binary", SLUICE_STRING, NULL,
	 "names of the fields that are not valid text; they are in base64, but MESSAGE has U+FFFD "
	 "for invalid bytes"},
	{0},
};

static const struct sluice_field_type gap_fields[] = {
	{"reason", SLUICE_STRING, NULL,
	 "vacuumed: journald removed entries before they were read; removed: a journal was "
	 "removed, and how many entries it held is not known; damaged: a file cannot be read"},
	{"count", SLUICE_INT, NULL, "number of entries that are missing, if it is known"},
	{"first_seqnum", SLUICE_INT, NULL,
	 "journald's sequence number of the first entry that may be missing"},
	{"last_seqnum", SLUICE_INT, NULL,
	 "journald's sequence number of the last entry that may be missing"},
	{"since", SLUICE_STRING, NULL, "time of the last entry before the gap"},
	{"until", SLUICE_STRING, NULL,
	 "time of the first entry after the gap, or of the last entry in it"},
	{"log.file.path", SLUICE_STRING, NULL, "the damaged file, or the file after the gap"},
	{0},
};

static const struct sluice_event_type events[] = {
	{"entry", 1, entry_fields, "one entry of the journal; MESSAGE is the message"},
	{"gap", 1, gap_fields, "entries of the journal that could not be read"},
	{0},
};

/* ---- reading ----------------------------------------------------------------------------- */

/* The chain with the oldest entry, and when the next one's is; NULL: there is none. */
static int oldest(struct state *s, struct chain **ret, uint64_t *until)
{
	*ret = NULL;
	*until = UINT64_MAX;
	for (struct chain *c = s->chains; c; c = c->next) {
		int r = c->is_idle ? 0 : follow(s, c);
		if (r < 0)
			return r;
		c->is_idle = r == 0;
		if (!r)
			continue;
		/* Of an entry that is being moved, the original comes before the copy. */
		if (!*ret || c->file->time < (*ret)->file->time ||
		    (c->file->time == (*ret)->file->time && c->is_volatile)) {
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
	s->has_more = false;
	for (struct chain *c = s->chains; c; c = c->next)
		c->is_idle = false;
	while (left > 0) {
		struct chain *c;
		uint64_t until;
		int r = oldest(s, &c, &until);
		if (r < 0 || !c)
			return r < 0 ? r : s->has_more;
		do {
			r = deliver_entry(s, c);
			if (!r)
				r = follow(s, c);
		} while (r == 1 && --left > 0 && c->file->time < until);
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
			r = follow_forget(s);
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
		say(s->src, SLUICE_LOG_WARNING,
		    "inotify is not available: %s; files are checked only every sweep_interval "
		    "(raise fs.inotify.max_user_instances)",
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
	SLUICE_PLUGIN_HEAD,
	.name = "journald",
	.version = "1",
	.summary = "read systemd's journal, every entry once",
	.options = journald_options,
	.events = events,
	.open = journald_open,
	.run = journald_run,
	.close = journald_close,
};

SLUICE_PLUGIN(plugin)
