/* SPDX-License-Identifier: MIT
 *
 * journal_command - sluice journal: what lies in the journals, for people.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "base/unit.h"
#include "base/utf8.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/journal_walk.h"
#include "conf/name.h"
#include "conf/paths.h"
#include "filter/filter.h"
#include "wire/format.h"

static const char usage[] =
	"usage: sluice journal stat   [-c FILE | --state DIR] [CHANNEL...]\n"
	"       sluice journal verify [-c FILE | --state DIR] [CHANNEL...]\n"
	"       sluice journal cat    [-c FILE | --state DIR] [--filter EXPRESSION]\n"
	"                             [--format text|ndjson] [--after ID]\n"
	"                             [--since TIME] [--until TIME] [--last N]\n"
	"                             CHANNEL...\n"
	"\n"
	"stat    shows what each journal contains: segments, events, bytes, ids, times\n"
	"verify  reads everything and reports all damaged and missing parts; the exit\n"
	"        status is 1 if there are any\n"
	"cat     prints the events, oldest first; those of several channels in the order\n"
	"        in which sluice received them\n"
	"\n"
	"A TIME is 2026-11-21T12:00:00Z, today, 1h30m (ago) and the like: see sluice(1).\n"
	"Nothing is changed.  sluice may be running.\n";

enum { LAST_MAX = 10 * 1000 * 1000 };

struct look {
	const char *verb;
	char *state_dir; /* owned */
	char **channels; /* borrowed; all when there are none */
	int n_channels;
	struct filter *filter;
	enum format format;
	event_id after, upto; /* exclusive, inclusive */
	uint64_t n_last;      /* print only the last n_last events; 0: all */
	struct filter_run run;
	struct buf out;
	event_id *last_ids; /* the last n_last matches, a ring; owned; NULL unless counting */
	uint64_t n_matches;
	struct witness *witness; /* as it was before anything was read; NULL: there is none */
	bool failed;             /* something could not be read */
};

/* FORMAT_TEXT has been escaped for a terminal already. */
static void print_events(struct look *l)
{
	struct buf visible = {0};
	if (l->format == FORMAT_NDJSON)
		utf8_put_visible_json(&visible, buf_str(&l->out));
	const struct buf *out = l->format == FORMAT_NDJSON ? &visible : &l->out;
	if (out->len)
		fwrite(out->data, 1, out->len, stdout);
	buf_fini(&visible);
	l->out.len = 0;
}

static void put_event(struct look *l, const struct walk *w)
{
	filter_run_event(&l->run, &w->event, str_of(w->channel));
	if (l->filter && filter_match(l->filter, &l->run) != 1)
		return;
	uint64_t n = l->n_matches++;
	if (l->last_ids)
		l->last_ids[n % l->n_last] = w->event.id;
	if (l->last_ids || (l->n_last && n >= l->n_last)) /* others came since the first reading */
		return;
	format_event(&l->out, l->format, str_of(w->found.epoch), str_of(w->channel), &w->event,
		     true);
	if (l->out.len > 65536)
		print_events(l);
}

static void put_when(struct buf *out, const char *epoch, event_id id)
{
	buf_put_id(out, str_of(epoch), id);
	buf_puts(out, " (");
	timestamp_put(out, (int64_t)id_ms(id) * NS_PER_MS);
	buf_putc(out, ')');
}

static void put_count(struct buf *out, uint64_t n, const char *one, const char *many)
{
	buf_printf(out, "%llu %s", (unsigned long long)n, plural(n, one, many));
}

static void print_found(const struct look *l, const char *channel, const struct walk_found *f)
{
	struct buf b = {0};
	buf_printf(&b, "%s: ", channel);
	put_count(&b, f->n_events, "event", "events");
	buf_puts(&b, " in ");
	put_count(&b, f->n_segments, "segment", "segments");
	if (f->n_compressed)
		buf_printf(&b, " (%llu compressed)", (unsigned long long)f->n_compressed);
	buf_puts(&b, ", ");
	put_count(&b, f->bytes, "byte", "bytes");
	if (f->n_compressed)
		buf_printf(&b, " on the disk, %llu uncompressed", (unsigned long long)f->whole);
	if (f->n_events && strcmp(l->verb, "stat") == 0) {
		buf_puts(&b, "\n  oldest ");
		put_when(&b, f->epoch, f->first);
		buf_puts(&b, "\n  newest ");
		put_when(&b, f->epoch, f->last);
		buf_printf(&b, "\n  cursors %llu", (unsigned long long)f->n_cursors);
	}
	if (f->damaged)
		buf_printf(&b, "; %llu %s damaged (clients see a gap there)",
			   (unsigned long long)f->damaged,
			   plural(f->damaged, "byte is", "bytes are"));
	if (f->unfinished)
		buf_printf(&b,
			   "; %llu %s unfinished at the end (being written, or cut off by a "
			   "crash before that was published)",
			   (unsigned long long)f->unfinished,
			   plural(f->unfinished, "byte is", "bytes are"));
	if (f->unread)
		buf_printf(&b, "; %llu %s could not be read", (unsigned long long)f->unread,
			   plural(f->unread, "segment", "segments"));
	if (f->n_missing)
		buf_printf(&b, "; %llu %s missing (clients see a gap there)",
			   (unsigned long long)f->n_missing,
			   plural(f->n_missing, "event is", "events are"));
	bool is_good = !f->damaged && !f->unfinished && !f->unread && !f->n_missing;
	buf_puts(&b, is_good && strcmp(l->verb, "verify") == 0 ? "; good\n" : "\n");
	cli_print(stdout, "%s", buf_text(&b));
	buf_fini(&b);
}

static void look_at(struct look *l, const char *channel)
{
	bool is_stat = strcmp(l->verb, "stat") == 0;
	struct walk w = {.channel = channel,
			 .upto = UINT64_MAX,
			 .telling = is_stat ? TELLS_FAILURES : TELLS_ALL};
	bool is_there = walk_begin(&w, l->state_dir, l->witness);
	while (walk_next(&w))
		;
	if (is_there)
		print_found(l, channel, &w.found);
	l->failed |= w.failed;
	walk_end(&w);
}

/* That whose event is the next in the order of ids; NULL: none has one. */
static struct walk *first_of(struct walk *all, const bool *has, size_t n)
{
	struct walk *first = NULL;
	for (size_t i = 0; i < n; i++)
		if (has[i] && (!first || all[i].event.id < first->event.id))
			first = &all[i];
	return first;
}

/* The events of all that were named, as one row. */
static void cat(struct look *l, enum walk_telling telling)
{
	size_t n = (size_t)l->n_channels;
	struct walk *all = mem_zero(n * sizeof(all[0])), *w;
	bool *has = mem_zero(n * sizeof(has[0]));
	for (size_t i = 0; i < n; i++) {
		all[i] = (struct walk){.channel = l->channels[i],
				       .after = l->after,
				       .upto = l->upto,
				       .telling = telling};
		has[i] = walk_begin(&all[i], l->state_dir, l->witness) && walk_next(&all[i]);
	}
	while ((w = first_of(all, has, n))) {
		put_event(l, w);
		has[w - all] = walk_next(w);
	}
	for (size_t i = 0; i < n; i++) {
		l->failed |= all[i].failed && telling != TELLS_NOTHING;
		walk_end(&all[i]);
	}
	free(all);
	free(has);
}

static int look_at_all(struct look *l)
{
	char *folder = mem_printf("%s/journal", l->state_dir);
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, NULL, alphasort);
	if (n < 0)
		cli_print(stderr,
			  "sluice: %s: %s (to name another state directory, use -c FILE or "
			  "--state DIR)\n",
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

static char *take_filter(void *into, const char *text)
{
	struct look *l = into;
	struct buf why = {0};
	filter_unref(l->filter);
	l->filter = filter_parse(NULL, str_of(text), &why);
	while (why.len && why.data[why.len - 1] == '\n')
		why.len--;
	char *ret = l->filter ? NULL : mem_strdup(buf_text(&why));
	buf_fini(&why);
	return ret;
}

/* With both --after and --since, the later of the two counts. */
static char *take_after(void *into, const char *text)
{
	struct look *l = into;
	struct str epoch;
	event_id id;
	if (id_parse(str_of(text), &epoch, &id))
		return mem_strdup("not an event id (ids look like k3f9.1763689264123-0)");
	l->after = MAX(l->after, id);
	return NULL;
}

static char *take_time(const char *text, event_id *ret)
{
	int64_t ns;
	if (timestamp_parse(str_of(text), clock_wall_ns(), &ns))
		return mem_strdup("not a time (" TIMESTAMP_FORMS ")");
	*ret = id_before_time(ns);
	return NULL;
}

static char *take_since(void *into, const char *text)
{
	struct look *l = into;
	event_id id = 0;
	char *why = take_time(text, &id);
	l->after = MAX(l->after, id);
	return why;
}

static char *take_until(void *into, const char *text)
{
	struct look *l = into;
	return take_time(text, &l->upto);
}

static char *take_last(void *into, const char *text)
{
	struct look *l = into;
	int64_t n;
	if (unit_parse_int(text, &n) || n < 1 || n > LAST_MAX)
		return mem_printf("a number from 1 to %d", LAST_MAX);
	l->n_last = (uint64_t)n;
	return NULL;
}

static char *take_format(void *into, const char *text)
{
	struct look *l = into;
	l->format = strcmp(text, "ndjson") == 0 ? FORMAT_NDJSON : FORMAT_TEXT;
	return l->format == FORMAT_NDJSON || strcmp(text, "text") == 0
		       ? NULL
		       : mem_strdup("the formats are text or ndjson");
}

static int find_state(struct look *l, const char *file)
{
	struct errors e = {0};
	struct settings *s = settings_load(file, &e);
	int status = e.count ? 2 : 0;
	if (e.count)
		errors_log(&e);
	else
		l->state_dir = mem_strdup(s->hub.state_dir);
	settings_free(s);
	errors_fini(&e);
	return status;
}

static int refuse_verb(const struct arguments *a, const char *verb)
{
	static const char *const verbs[] = {"stat", "verify", "cat", NULL};
	const char *near = unit_nearest(verb, verbs);
	if (near)
		return arguments_refuse(a, "unknown action \"%s\": did you mean \"%s\"?", verb,
					near);
	return arguments_refuse(a, "unknown action \"%s\": use sluice journal stat, verify or cat",
				verb);
}

static int check_words(const struct arguments *a, struct look *l)
{
	if (!a->n_words)
		return arguments_refuse(a, "no action given: use sluice journal stat, verify or "
					   "cat");
	l->verb = a->words[0];
	l->channels = a->words + 1;
	l->n_channels = a->n_words - 1;
	if (strcmp(l->verb, "stat") != 0 && strcmp(l->verb, "verify") != 0 &&
	    strcmp(l->verb, "cat") != 0)
		return refuse_verb(a, l->verb);
	for (int i = 0; i < l->n_channels; i++)
		if (!name_is_valid(l->channels[i]))
			return arguments_refuse(a, "\"%s\" cannot name a channel", l->channels[i]);
	bool is_cat = strcmp(l->verb, "cat") == 0;
	bool selects = l->filter || l->after || l->upto != UINT64_MAX || l->n_last;
	if (!is_cat && (selects || l->format != FORMAT_TEXT))
		return arguments_refuse(a, "only sluice journal cat takes --filter, --format, "
					   "--after, --since, --until and --last");
	if (l->after >= l->upto)
		return arguments_refuse(a, "no event can match: --until is not after --since or "
					   "--after");
	if (is_cat && !l->n_channels)
		return arguments_refuse(a, "cat needs the name of a channel, or of several");
	for (int i = 1; is_cat && i < l->n_channels; i++)
		for (int k = 0; k < i; k++)
			if (strcmp(l->channels[i], l->channels[k]) == 0)
				return arguments_refuse(a, "\"%s\" is named twice", l->channels[i]);
	return 0;
}

/* Begins the range with the last events that match. */
static void find_last(struct look *l)
{
	l->last_ids = mem_zero(l->n_last * sizeof(l->last_ids[0]));
	cat(l, TELLS_NOTHING);
	if (l->n_matches >= l->n_last)
		l->after = l->last_ids[l->n_matches % l->n_last] - 1;
	l->n_matches = 0;
	free(l->last_ids);
	l->last_ids = NULL;
}

static int look(struct look *l)
{
	int status = 0;
	filter_run_init(&l->run);
	l->witness = walk_witness(l->state_dir);
	if (strcmp(l->verb, "cat") == 0) {
		if (l->n_last)
			find_last(l);
		cat(l, TELLS_ASIDE);
		print_events(l);
	} else if (!l->n_channels) {
		status = look_at_all(l);
	}
	for (int i = 0; strcmp(l->verb, "cat") != 0 && i < l->n_channels; i++)
		look_at(l, l->channels[i]);
	witness_close(l->witness);
	filter_run_fini(&l->run);
	return !status && l->failed ? 1 : status;
}

int journal_command(int argc, char **argv)
{
	struct look l = {.format = FORMAT_TEXT, .upto = UINT64_MAX};
	const char *config = NULL, *state_dir = NULL;
	int status;
	const struct flag flags[] = {
		{"state", 0, "DIR", "the state directory, instead of the configuration's",
		 take_text, &state_dir},
		{"filter", 0, "EXPRESSION", "cat: only events that match; see sluice-filters(7)",
		 take_filter, &l},
		{"format", 0, "FORMAT", "cat: text (the default) or ndjson", take_format, &l},
		{"after", 0, "ID", "cat: only events after this one", take_after, &l},
		{"since", 0, "TIME", "cat: only events received at this time or later", take_since,
		 &l},
		{"until", 0, "TIME", "cat: only events received before this time", take_until, &l},
		{"last", 'n', "N", "cat: only the last N of these events", take_last, &l},
		{0}};
	struct arguments a = {.command = "journal",
			      .usage = usage,
			      .flags = flags,
			      .words_max = -1,
			      .config = &config};
	bool goes_on = arguments_read(&a, argc, argv, &status);
	if (goes_on)
		status = check_words(&a, &l);
	if (goes_on && !status && state_dir)
		l.state_dir = mem_strdup(state_dir);
	else if (goes_on && !status)
		status = find_state(&l, path_of_config(config));
	if (goes_on && !status)
		status = look(&l);
	buf_fini(&l.out);
	filter_unref(l.filter);
	free(l.state_dir);
	return status;
}
