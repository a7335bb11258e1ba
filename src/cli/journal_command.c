/* SPDX-License-Identifier: MIT
 *
 * journal_command - sluice journal: what lies in the journals, for people.
 *
 * Only reads, and may do so while a hub writes: what stands unfinished at the very
 * end of the newest segment is then no damage.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "cli/cli.h"
#include "filter/filter.h"
#include "journal/journal.h"
#include "wire/format.h"

static const char usage[] =
	"usage: sluice journal stat   [-c FILE | --state DIR] [CHANNEL...]\n"
	"       sluice journal verify [-c FILE | --state DIR] [CHANNEL...]\n"
	"       sluice journal cat    [-c FILE | --state DIR] [--filter EXPRESSION]\n"
	"                             [--format text|ndjson] [--after ID] CHANNEL\n\n"
	"stat    what each journal holds: segments, events, bytes, ids, times\n"
	"verify  reads everything and reports each damage and each hole; the exit\n"
	"        status is 1 if there is any\n"
	"cat     prints the events, the oldest first\n\n"
	"Nothing is changed, and sluice may be running meanwhile.\n";

struct look {
	const char *verb;
	char *state_dir; /* owned */
	char **channels; /* borrowed; all when there are none */
	int n_channels;
	struct filter *filter;
	enum format format;
	event_id after;
	struct filter_run run;
	struct buf out;
	struct witness *witness; /* as it was before anything was read; NULL: there is none */
	bool failed;             /* something could not be read */
};

/* What was found of one channel. */
struct found {
	uint64_t n_segments, n_events, n_cursors, bytes, damaged, unfinished, unread;
	uint64_t next,
		n_missing; /* ordinal of the event that should follow; events that are gone */
	bool knows_next;
	event_id first, last;
	char epoch[EPOCH_MAX + 1];
};

static void put_event(struct look *l, const char *channel, const char *epoch,
		      const struct event *ev)
{
	if (ev->id <= l->after)
		return;
	filter_run_event(&l->run, ev, str_of(channel));
	if (l->filter && filter_match(l->filter, &l->run) != 1)
		return;
	format_event(&l->out, l->format, str_of(epoch), str_of(channel), ev, true);
	if (l->out.len > 65536) {
		fwrite(l->out.data, 1, l->out.len, stdout);
		l->out.len = 0;
	}
}

/* Events that were there, and are not any more, before what stands at `path`. */
static void tell_missing(struct look *l, const char *path, uint64_t ordinal, struct found *f)
{
	uint64_t n = f->knows_next && ordinal > f->next ? ordinal - f->next : 0;
	f->next = f->knows_next ? MAX(f->next, ordinal) : ordinal;
	f->knows_next = true;
	f->n_missing += n;
	if (!n || strcmp(l->verb, "stat") == 0)
		return;
	bool shows = strcmp(l->verb, "cat") == 0;
	struct buf when = {0};
	if (f->last)
		timestamp_put(&when, (int64_t)id_ms(f->last) * NS_PER_MS);
	else
		buf_puts(&when, "the beginning");
	fprintf(shows ? stderr : stdout, "%s%s: %llu event%s missing after %s\n",
		shows ? "sluice: " : "", path, (unsigned long long)n, n == 1 ? " is" : "s are",
		buf_text(&when));
	buf_fini(&when);
}

static void take_batch(struct look *l, const char *channel, const struct segment *s,
		       const struct batch *b, struct found *f)
{
	struct str rest = b->records;
	struct record rec;
	if (b->ordinal != ORDINAL_UNKNOWN)
		tell_missing(l, s->path, b->ordinal, f);
	f->next = b->ordinal == ORDINAL_UNKNOWN ? f->next + b->n_events
						: MAX(f->next, b->ordinal + b->n_events);
	while (record_next(&rest, &rec) == 1) {
		if (rec.kind == RECORD_CURSOR) {
			f->n_cursors++;
			continue;
		}
		f->n_events++;
		f->first = f->first ? f->first : rec.event.id;
		f->last = rec.event.id;
		if (strcmp(l->verb, "cat") == 0)
			put_event(l, channel, s->epoch, &rec.event);
	}
}

static void tell_damage(struct look *l, const char *path, uint64_t from, uint64_t to,
			event_id after)
{
	bool shows = strcmp(l->verb, "cat") == 0;
	if (strcmp(l->verb, "stat") == 0)
		return;
	struct buf when = {0};
	if (after)
		timestamp_put(&when, (int64_t)id_ms(after) * NS_PER_MS);
	else
		buf_puts(&when, "its beginning");
	fprintf(shows ? stderr : stdout, "%s%s: damaged from byte %llu to %llu, after %s%s\n",
		shows ? "sluice: " : "", path, (unsigned long long)from, (unsigned long long)to,
		buf_text(&when), shows ? "; what was there is left out" : "");
	buf_fini(&when);
}

static void read_segment(struct look *l, const char *channel, const char *path, bool is_newest,
			 struct found *f)
{
	struct segment *s;
	int r = segment_open(path, false, &s);
	if (r) {
		fprintf(stderr, "sluice: %s: %s\n", path,
			r == -EPROTO    ? "written by a newer version of sluice"
			: r == -EBADMSG ? "no journal segment (its header is damaged)"
			: r == -EACCES  ? "Permission denied (run this as sluice's user, or root)"
					: strerror(-r));
		l->failed = true;
		f->unread++;
		return;
	}
	struct batch_reader reader;
	struct batch b;
	int got;
	memcpy(f->epoch, s->epoch, sizeof(f->epoch));
	tell_missing(l, path, s->ordinal, f);
	batch_reader_init(&reader, s, segment_start(s), s->size);
	while ((got = batch_next(&reader, &b)) != 0) {
		if (got == 1) {
			take_batch(l, channel, s, &b, f);
			continue;
		}
		uint64_t bad = reader.offset;
		bool goes_on = got == -EBADMSG && batch_resync(&reader) == 1;
		uint64_t to = goes_on ? reader.offset : s->size;
		if (!goes_on && is_newest) {
			f->unfinished += to - bad;
		} else {
			f->damaged += to - bad;
			tell_damage(l, path, bad, to, f->last);
		}
		if (!goes_on)
			break;
	}
	batch_reader_fini(&reader);
	f->n_segments++;
	f->bytes += s->size;
	segment_unref(s);
}

static void put_when(struct buf *out, const char *epoch, event_id id)
{
	buf_put_id(out, str_of(epoch), id);
	buf_puts(out, " (");
	timestamp_put(out, (int64_t)id_ms(id) * NS_PER_MS);
	buf_putc(out, ')');
}

static void print_found(const struct look *l, const char *channel, const struct found *f)
{
	struct buf b = {0};
	buf_printf(&b, "%s: %llu events in %llu segments, %llu bytes", channel,
		   (unsigned long long)f->n_events, (unsigned long long)f->n_segments,
		   (unsigned long long)f->bytes);
	if (f->n_events && strcmp(l->verb, "stat") == 0) {
		buf_puts(&b, "\n  oldest ");
		put_when(&b, f->epoch, f->first);
		buf_puts(&b, "\n  newest ");
		put_when(&b, f->epoch, f->last);
		buf_printf(&b, "\n  cursors %llu", (unsigned long long)f->n_cursors);
	}
	if (f->damaged)
		buf_printf(&b,
			   "; %llu bytes are damaged (copies are kept beside the segments; "
			   "clients see a gap there)",
			   (unsigned long long)f->damaged);
	if (f->unfinished)
		buf_printf(&b,
			   "; %llu bytes at the end are unfinished (being written, or cut off "
			   "by a crash before they were published)",
			   (unsigned long long)f->unfinished);
	if (f->unread)
		buf_printf(&b, "; %llu segments could not be read", (unsigned long long)f->unread);
	if (f->n_missing)
		buf_printf(&b, "; %llu event%s missing (clients see a gap there)",
			   (unsigned long long)f->n_missing, f->n_missing == 1 ? " is" : "s are");
	bool is_good = !f->damaged && !f->unfinished && !f->unread && !f->n_missing;
	buf_puts(&b, is_good && strcmp(l->verb, "verify") == 0 ? "; good\n" : "\n");
	fputs(buf_text(&b), stdout);
	buf_fini(&b);
}

static struct witness *open_witness(const struct look *l)
{
	char *path = mem_printf("%s/witness", l->state_dir);
	struct witness *w;
	int r = witness_open(path, false, &w);
	free(path);
	return r ? NULL : w;
}

/* Read again behind the list of files: a hub drops the oldest meanwhile. */
static bool read_extent(const struct look *l, const char *channel, struct extent *ret)
{
	struct witness *w = open_witness(l);
	bool is_known = w && witness_get(w, channel, ret);
	witness_close(w);
	return is_known;
}

static void look_at(struct look *l, const char *channel)
{
	char *dir = mem_printf("%s/journal/%s", l->state_dir, channel);
	char **paths = NULL;
	size_t n = 0;
	struct found f = {0};
	int r = journal_list(dir, &paths, &n);
	if (r) {
		fprintf(stderr, "sluice: %s: %s\n", dir, strerror(-r));
		l->failed = true;
	}
	struct extent before, now;
	bool is_known = l->witness && witness_get(l->witness, channel, &before);
	if (is_known && read_extent(l, channel, &now)) {
		f.next = now.low_ordinal;
		f.knows_next = true;
	}
	for (size_t i = 0; i < n; i++) {
		read_segment(l, channel, paths[i], i == n - 1, &f);
		free(paths[i]);
	}
	if (is_known)
		tell_missing(l, dir, before.n_events, &f);
	free(paths);
	free(dir);
	if (!r && strcmp(l->verb, "cat") != 0)
		print_found(l, channel, &f);
	l->failed |= f.damaged > 0 || f.n_missing > 0;
}

static int look_at_all(struct look *l)
{
	char *folder = mem_printf("%s/journal", l->state_dir);
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, NULL, alphasort);
	if (n < 0)
		fprintf(stderr,
			"sluice: %s: %s (which state directory? say -c FILE or --state DIR)\n",
			folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.')
			look_at(l, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	free(folder);
	return n < 0 ? 1 : 0;
}

/* ---- arguments ------------------------------------------------------------------------ */

static int set_filter(struct look *l, const char *text)
{
	struct buf why = {0};
	filter_unref(l->filter);
	l->filter = filter_parse(NULL, str_of(text), &why);
	if (!l->filter)
		fputs(buf_text(&why), stderr);
	buf_fini(&why);
	return l->filter ? 0 : 2;
}

static int set_after(struct look *l, const char *text)
{
	struct str epoch;
	if (id_parse(str_of(text), &epoch, &l->after) == 0)
		return 0;
	fprintf(stderr, "sluice: \"%s\" is no event id (they look like k3f9.1763689264123-0)\n",
		text);
	return 2;
}

static int set_format(struct look *l, const char *text)
{
	l->format = strcmp(text, "ndjson") == 0 ? FORMAT_NDJSON : FORMAT_TEXT;
	if (l->format == FORMAT_NDJSON || strcmp(text, "text") == 0)
		return 0;
	fprintf(stderr, "sluice: --format is text or ndjson, not \"%s\"\n", text);
	return 2;
}

static int set_state(struct look *l, const char *text)
{
	free(l->state_dir);
	l->state_dir = mem_strdup(text);
	return 0;
}

static int set_config(struct look *l, const char *file)
{
	struct errors e = {0};
	struct settings *s = settings_load(file, &e);
	int status = 0;
	if (!s->hub.state_dir || e.count) {
		cli_print_errors(&e);
		status = 2;
	} else {
		set_state(l, s->hub.state_dir);
	}
	settings_free(s);
	errors_fini(&e);
	return status;
}

static int read_arguments(struct look *l, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*set)(struct look *l, const char *value);
	} options[] = {{"-c", set_config},
		       {"--state", set_state},
		       {"--filter", set_filter},
		       {"--format", set_format},
		       {"--after", set_after}};
	l->channels = argv;
	for (int i = 0; i < argc; i++) {
		size_t k = 0;
		while (k < array_size(options) && strcmp(argv[i], options[k].name) != 0)
			k++;
		if (k < array_size(options) && i + 1 < argc) {
			int status = options[k].set(l, argv[++i]);
			if (status)
				return status;
		} else if (argv[i][0] == '-') {
			fprintf(stderr, "sluice: \"%s\" is not understood, or lacks its value\n%s",
				argv[i], usage);
			return 2;
		} else if (!name_is_valid(argv[i])) {
			fprintf(stderr, "sluice: \"%s\" cannot name a channel\n", argv[i]);
			return 2;
		} else {
			l->channels[l->n_channels++] = argv[i];
		}
	}
	const char *from_env = getenv("SLUICE_CONFIG");
	if (!l->state_dir)
		return set_config(l, from_env && *from_env ? from_env : SLUICE_CONF);
	return 0;
}

static bool is_verb(const char *s)
{
	return strcmp(s, "stat") == 0 || strcmp(s, "verify") == 0 || strcmp(s, "cat") == 0;
}

int journal_command(int argc, char **argv)
{
	struct look l = {.format = FORMAT_TEXT};
	if (argc && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
		fputs(usage, stdout);
		return 0;
	}
	if (!argc || !is_verb(argv[0])) {
		fputs(usage, stderr);
		return 2;
	}
	l.verb = argv[0];
	filter_run_init(&l.run);
	int status = read_arguments(&l, argc - 1, argv + 1);
	if (!status && strcmp(l.verb, "cat") == 0 && l.n_channels != 1) {
		fprintf(stderr, "sluice: cat wants the name of one channel\n%s", usage);
		status = 2;
	}
	if (!status)
		l.witness = open_witness(&l);
	if (!status && !l.n_channels)
		status = look_at_all(&l);
	for (int i = 0; !status && i < l.n_channels; i++)
		look_at(&l, l.channels[i]);
	fwrite(l.out.data ? l.out.data : "", 1, l.out.len, stdout);
	if (!status && l.failed)
		status = 1;
	buf_fini(&l.out);
	witness_close(l.witness);
	filter_run_fini(&l.run);
	filter_unref(l.filter);
	free(l.state_dir);
	return status;
}
