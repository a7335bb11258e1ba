/* SPDX-License-Identifier: MIT */
#include "hub/hub.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/unit.h"
#include "hub/channel.h"
#include "hub/cursors.h"
#include "hub/gate.h"
#include "hub/history.h"
#include "hub/open_files.h"
#include "hub/quota.h"
#include "hub/regexes.h"
#include "hub/schema.h"
#include "hub/state.h"
#include "hub/stream.h"
#include "hub/view.h"
#include "loop/helper.h"

#define HOUSEKEEPING_NS (5 * NS_PER_SEC)
#define EMPTYING_NS     (50 * NS_PER_MS)
#define JUMP_NS         (60 * NS_PER_SEC)
#define SETTLE_NS       (30 * NS_PER_SEC)

enum { READERS_MIN = 3, READERS_MAX = 8 };

struct channel *hub_channel(struct hub *h, const char *name)
{
	for (size_t i = 0; i < h->n_channels; i++)
		if (!h->channels[i]->is_removed && strcmp(h->channels[i]->settings.name, name) == 0)
			return h->channels[i];
	return NULL;
}

const struct channel_settings *hub_derived(const struct hub *h, const char *name)
{
	for (size_t i = 0; i < h->settings->n_channels; i++)
		if (h->settings->channels[i].n_from &&
		    strcmp(h->settings->channels[i].name, name) == 0)
			return &h->settings->channels[i];
	return NULL;
}

event_id hub_next_id(struct hub *h, int64_t now_ms)
{
	event_id now = id_make((uint64_t)now_ms, 0);
	h->last_id = now > h->last_id ? now : h->last_id + 1;
	return h->last_id;
}

/* Channels that the configuration has no more, and nobody reads or feeds. */
static void close_removed(struct hub *h)
{
	for (size_t i = h->n_channels; i-- > 0;) {
		struct channel *c = h->channels[i];
		if (!c->is_removed || !list_is_empty(&c->views) || c->n_users ||
		    (h->sources_feed && h->sources_feed(h->report_ctx, c)))
			continue;
		log_info("channel %s is not in the configuration any more; its journal is kept",
			 c->settings.name);
		channel_close(c);
		memmove(&h->channels[i], &h->channels[i + 1],
			(h->n_channels - i - 1) * sizeof(h->channels[0]));
		h->n_channels--;
	}
}

/* The journal that has the most to give. */
static struct channel *largest(struct hub *h)
{
	struct channel *best = NULL;
	for (size_t i = 0; i < h->n_channels; i++) {
		struct channel *c = h->channels[i];
		if (c->journal.config.dir && c->journal.n > 1 &&
		    (!best || c->journal.bytes > best->journal.bytes))
			best = c;
	}
	return best;
}

/* History gives way to whoever else needs the disk; what cannot be given is told
 * once.
 */
static void keep_space_free(struct hub *h)
{
	struct statvfs fs;
	if (statvfs(h->settings->hub.state_dir, &fs) < 0)
		return;
	uint64_t free_now = (uint64_t)fs.f_bavail * fs.f_frsize;
	uint64_t want = MIN((uint64_t)h->settings->hub.free_space,
			    (uint64_t)fs.f_blocks * fs.f_frsize / 20);
	/* A file that somebody reads frees nothing yet: counted, not asked again. */
	uint64_t given = 0;
	bool is_short = free_now < want;
	if (is_short != h->is_short_of_space)
		for (size_t i = 0; i < h->n_channels; i++)
			journal_spare(&h->channels[i]->journal, is_short);
	if (is_short && statvfs(h->settings->hub.state_dir, &fs) == 0)
		free_now = (uint64_t)fs.f_bavail * fs.f_frsize;
	while (free_now + given < want) {
		struct channel *c = largest(h);
		if (!c) {
			if (!h->is_short_of_space)
				log_warning("%s: %llu MiB are free, less than hub.free_space, and "
					    "no history is left to give way (free space there)",
					    h->settings->hub.state_dir,
					    (unsigned long long)(free_now >> 20));
			break;
		}
		uint64_t before = c->journal.bytes;
		if (!journal_shrink(&c->journal))
			break;
		given += before - c->journal.bytes;
		h->n_given_way++;
	}
	h->is_short_of_space = is_short;
}

/* A jump of the clock must not expire history: the clock may be an hour wrong for three
 * seconds.  So expiry by age is suspended for a while after each jump.
 */
static bool clock_is_settled(struct hub *h)
{
	int64_t boot_ns = clock_read(CLOCK_BOOTTIME), offset_ns = clock_wall_ns() - boot_ns;
	int64_t jump_ns = offset_ns - h->clock_offset_ns;
	if (jump_ns > JUMP_NS || jump_ns < -JUMP_NS) {
		log_warning("the clock has been set %s by %lld s; no history expires by age for "
			    "the next %lld s",
			    jump_ns > 0 ? "forward" : "back",
			    (long long)((jump_ns > 0 ? jump_ns : -jump_ns) / NS_PER_SEC),
			    SETTLE_NS / NS_PER_SEC);
		h->expires_after_ns = boot_ns + SETTLE_NS;
	}
	h->clock_offset_ns = offset_ns;
	return boot_ns >= h->expires_after_ns;
}

static void on_housekeeping(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, housekeeping);
	int64_t now_ms = clock_wall_ns() / NS_PER_MS;
	bool is_settled = clock_is_settled(h);
	for (size_t i = 0; i < h->n_channels; i++) {
		journal_correct_times(&h->channels[i]->journal, now_ms);
		if (is_settled)
			journal_expire(&h->channels[i]->journal, now_ms);
		channel_note_time(h->channels[i]);
	}
	keep_space_free(h);
	revoked_refresh(&h->access.revoked, h->settings->hub.state_dir);
	if (h->revoked_seen != h->access.revoked.generation)
		streams_check_access(h);
	h->revoked_seen = h->access.revoked.generation;
	for (size_t i = 0; i < h->n_channels; i++)
		journal_tend(&h->channels[i]->journal, now_ms);
	close_removed(h);
	mem_give_back(&h->held_bytes);
	h->longest_turn_ns = loop_longest_turn(h->loop);
	loop_forget_turns(h->loop);
	open_files_look(h);
	loop_timer_set(h->loop, t, loop_now(h->loop) + HOUSEKEEPING_NS);
}

/* One that takes events itself.  In memory it knows no cursors, and must not have those
 * of a journal from before: after each death they would be older.
 */
static bool takes_events(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (strcmp(s->channels[i].name, name) == 0)
			return !s->channels[i].n_from;
	return false;
}

/* A journal of a channel that is not configured any more, or is derived now: its events
 * wait for the channel to come back, but its sources' cursors are good in any channel.
 */
struct absorbed {
	struct absorbed *next;
	struct hub *hub;
	char *name, *dir; /* owned */
	struct journal journal;
};

static void on_cursor(void *ctx, const struct cursor *cur, event_id at)
{
	struct absorbed *a = ctx;
	cursors_set(a->hub->cursors, cur, at, a);
}

static void checkpoint(void *ctx, struct buf *entries)
{
	struct absorbed *a = ctx;
	cursors_put_of_owner(a->hub->cursors, a, entries);
}

static void absorbed_free(struct absorbed *a)
{
	journal_close(&a->journal);
	free(a->name);
	free(a->dir);
	free(a);
}

static int absorb(struct hub *h, const char *name, struct absorbed **row)
{
	struct absorbed *a = mem_zero(sizeof(*a));
	a->hub = h;
	a->name = mem_strdup(name);
	a->dir = mem_printf("%s/journal/%s", h->settings->hub.state_dir, name);
	struct journal_config config = {.dir = a->dir,
					.epoch = h->epoch,
					.max_bytes = INT64_MAX,
					.witness = h->witness,
					.name = a->name,
					.on_cursor = on_cursor,
					.checkpoint = checkpoint,
					.ctx = a};
	char *why = NULL;
	int r = journal_open(&config, &a->journal, &why);
	free(why);
	if (r) {
		absorbed_free(a);
		return 0; /* what cannot be read is not needed to run */
	}
	log_info("channel %s is not in the configuration any more, or is now derived: %s is kept",
		 name, a->dir);
	h->last_id = MAX(h->last_id, a->journal.last);
	a->next = *row;
	*row = a;
	return a->journal.is_short;
}

/* Absorbs all of them; returns whether any of them is short. */
static bool absorb_all(struct hub *h, struct absorbed **row)
{
	char *folder = mem_printf("%s/journal", h->settings->hub.state_dir);
	DIR *d = opendir(folder);
	bool is_short = false;
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' && !takes_events(h->settings, e->d_name))
			is_short |= absorb(h, e->d_name, row);
	if (d)
		closedir(d);
	free(folder);
	return is_short;
}

/* What is missing in them has now been reported, once. */
static void let_go_of_absorbed(struct absorbed *row)
{
	for (struct absorbed *next; row; row = next) {
		next = row->next;
		char *why = NULL;
		if (row->journal.is_short && journal_begin(&row->journal, &why))
			log_warning("%s", why);
		free(why);
		absorbed_free(row);
	}
}

/* ---- opening ------------------------------------------------------------------------ */

/* Channels on disk first: those in memory begin after all that these know. */
static int open_channels(struct hub *h, bool *is_short, char **why)
{
	const struct settings *s = h->settings;
	h->channels = mem_zero((s->n_channels + 1) * sizeof(h->channels[0]));
	for (int memory = 0; memory < 2; memory++) {
		for (size_t i = 0; i < s->n_channels; i++) {
			if ((s->channels[i].durability == DURABILITY_MEMORY) != memory ||
			    s->channels[i].n_from)
				continue;
			struct channel *c;
			int r = channel_open(h, &s->channels[i], &c, why);
			if (r)
				return r;
			h->channels[h->n_channels++] = c;
			h->last_id = MAX(h->last_id, c->journal.last);
			h->head = MAX(h->head, c->journal.last);
			*is_short |= c->journal.is_short;
		}
	}
	/* Channels in memory are empty now: earlier cursors are below their floor. */
	h->head = MAX(h->head, h->last_id);
	return 0;
}

static int open_journals(struct hub *h, char **why)
{
	struct absorbed *absorbed = NULL;
	char *path = mem_printf("%s/witness", h->settings->hub.state_dir);
	int r = witness_open(path, true, &h->witness);
	if (r)
		*why = mem_printf("%s: %s", path, strerror(-r));
	free(path);
	if (r)
		return r;
	bool is_short = absorb_all(h, &absorbed);
	r = open_channels(h, &is_short, why);
	if (!r && is_short) {
		log_warning("the journals have changed since sluice last ran (see above): a new "
			    "epoch of ids begins, and clients that reconnect receive a gap");
		r = state_new_epoch(h->settings->hub.state_dir, h->epoch, why);
	}
	for (size_t i = 0; !r && i < h->n_channels; i++)
		r = channel_begin(h->channels[i], why);
	let_go_of_absorbed(absorbed);
	cursors_settle(h->cursors);
	return r;
}

/* As many as there are processors, within limits: a reader that waits for a disk or for a
 * slow filter must not delay small requests.
 */
static size_t count_readers(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return (size_t)MIN(MAX(n, READERS_MIN), READERS_MAX);
}

int hub_open(struct hub *h, struct loop *l, struct settings *s, int gate_fd, char **why)
{
	*h = (struct hub){
		.open_files.spare_fd = -1, .loop = l, .settings = s, .started_ns = clock_wall_ns()};
	budget_init(&h->budget);
	list_init(&h->views);
	h->view_buckets = mem_zero(VIEW_BUCKETS * sizeof(h->view_buckets[0]));
	for (int i = 0; i < VIEW_BUCKETS; i++)
		list_init(&h->view_buckets[i]);
	h->regexes = regexes_new(l);
	h->n_readers = count_readers();
	h->reader_runs = mem_zero(h->n_readers * sizeof(h->reader_runs[0]));
	for (size_t i = 0; i < h->n_readers; i++)
		filter_run_init(&h->reader_runs[i]);
	h->quota_addresses = quota_new();
	h->quota_pages = quota_new();
	h->quota_users = quota_new();
	list_init(&h->streams);
	list_init(&h->managers);
	list_init(&h->histories);
	h->cursors = cursors_new();
	int r = state_open(s->hub.state_dir, h->epoch, why);
	if (!r)
		r = access_open(&h->access, s, why);
	if (!r && (r = key_open(s->hub.state_dir, "redact.key", &h->redact_key)))
		*why = mem_printf("%s/redact.key: %s (it holds 64 hexadecimal digits; when it is "
				  "gone a new one is made)",
				  s->hub.state_dir, strerror(-r));
	if (!r)
		r = open_journals(h, why);
	if (!r)
		r = helper_new(l, h->n_readers, true, &h->helper, why);
	if (!r)
		r = gate_open(h, gate_fd, why);
	if (r)
		return r;
	schema_note(h);
	open_files_look(h);
	h->clock_offset_ns = clock_wall_ns() - clock_read(CLOCK_BOOTTIME);
	h->housekeeping.fn = on_housekeeping;
	loop_timer_set(l, &h->housekeeping, clock_mono_ns() + HOUSEKEEPING_NS);
	return 0;
}

static struct channel *find_any(struct hub *h, const char *name)
{
	for (size_t i = 0; i < h->n_channels; i++)
		if (strcmp(h->channels[i]->settings.name, name) == 0)
			return h->channels[i];
	return NULL;
}

static bool has_channel(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_channels; i++)
		if (!s->channels[i].n_from && strcmp(s->channels[i].name, name) == 0)
			return true;
	return false;
}

/* Opens the channels that are new; all of them, or none. */
static int open_new(struct hub *h, struct settings *fresh, char **why)
{
	size_t before = h->n_channels;
	int r = 0;
	h->channels =
		mem_resize(h->channels, (before + fresh->n_channels + 1) * sizeof(h->channels[0]));
	for (size_t i = 0; !r && i < fresh->n_channels; i++) {
		const struct channel_settings *s = &fresh->channels[i];
		if (s->n_from)
			continue;
		const struct channel *old = find_any(h, s->name);
		if (old && old->settings.durability != s->durability) {
			*why = mem_printf("channels.%s.durability cannot change while sluice runs "
					  "(restart it)",
					  s->name);
			r = -EINVAL;
		} else if (!old) {
			r = channel_open(h, s, &h->channels[h->n_channels], why);
			h->n_channels += !r;
			if (!r)
				r = channel_begin(h->channels[h->n_channels - 1], why);
		}
	}
	while (r && h->n_channels > before)
		channel_close(h->channels[--h->n_channels]);
	for (size_t i = before; i < h->n_channels; i++)
		h->last_id = MAX(h->last_id, h->channels[i]->journal.last);
	return r;
}

static void put_derived(struct buf *out, const struct settings *s)
{
	for (size_t i = 0; i < s->n_channels; i++) {
		const struct channel_settings *c = &s->channels[i];
		buf_printf(out, "%s%c%s%c", c->n_from ? c->name : "", 0, c->filter ? c->filter : "",
			   0);
		for (size_t k = 0; k < c->n_from; k++)
			buf_printf(out, "%s%c", c->from[k], 0);
	}
}

static bool derived_are_same(const struct settings *a, const struct settings *b)
{
	struct buf x = {0}, y = {0};
	put_derived(&x, a);
	put_derived(&y, b);
	bool same = str_eq(buf_str(&x), buf_str(&y));
	buf_fini(&x);
	buf_fini(&y);
	return same;
}

int hub_reload(struct hub *h, struct settings *fresh, char **why)
{
	if (strcmp(h->settings->hub.state_dir, fresh->hub.state_dir) != 0) {
		*why = mem_strdup("hub.state_dir cannot change while sluice runs (restart it)");
		return -EINVAL;
	}
	int r = open_new(h, fresh, why);
	if (r)
		return r;
	for (size_t i = 0; i < fresh->n_channels; i++)
		if (!fresh->channels[i].n_from)
			channel_change(find_any(h, fresh->channels[i].name), &fresh->channels[i]);
	if (!derived_are_same(h->settings, fresh))
		streams_of_derived_come_back(h);
	for (size_t i = 0; i < h->n_channels; i++)
		h->channels[i]->is_removed = !has_channel(fresh, h->channels[i]->settings.name);
	h->settings = fresh;
	h->access.settings = fresh;
	h->access.told_of_proxy_ns = 0;
	gate_reload(h);
	open_files_look(h);
	streams_check_access(h);
	schema_note(h);
	return 0;
}

static void on_linger(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, linger);
	int64_t now = loop_now(h->loop), linger_ns = h->settings->hub.linger_ns;
	if (h->n_streams || h->n_pages_open || !gate_is_idle(h))
		h->used_ns = now;
	if (now - h->used_ns >= linger_ns)
		h->on_unused(h);
	else
		loop_timer_set(h->loop, t, now + linger_ns / 8 + NS_PER_MS);
}

void hub_watch_use(struct hub *h, void (*on_unused)(struct hub *h))
{
	h->on_unused = on_unused;
	h->linger.fn = on_linger;
	h->used_ns = loop_now(h->loop);
	on_linger(&h->linger);
}

static void on_emptying(struct loop_timer *t)
{
	struct hub *h = container_of(t, struct hub, emptying);
	int64_t now = loop_now(h->loop), left_ns = h->empty_at_ns - now;
	size_t steps = left_ns > 0 ? (size_t)(left_ns / EMPTYING_NS) + 1 : 1;
	size_t n = (h->n_streams + steps - 1) / steps;
	/* Few of them: one at a time. */
	int64_t pause_ns = MAX(EMPTYING_NS, left_ns / (int64_t)(h->n_streams + 1));
	list_each_safe (e, &h->streams) {
		struct stream *s = list_entry(e, struct stream, link);
		if (!n)
			break;
		if (s->outlet.ends)
			continue;
		stream_say_bye(s, "drain", NULL);
		n--;
	}
	if (left_ns > 0)
		loop_timer_set(h->loop, t, now + MIN(pause_ns, left_ns));
	else
		log_info("drained: waiting for %zu %s to receive bye", h->n_streams,
			 plural(h->n_streams, "stream", "streams"));
}

void hub_empty(struct hub *h, int64_t over_ns)
{
	h->is_draining = true;
	h->emptying.fn = on_emptying;
	h->empty_at_ns = loop_now(h->loop) + over_ns;
	on_emptying(&h->emptying);
}

void hub_refill(struct hub *h)
{
	loop_timer_cancel(h->loop, &h->emptying);
	h->is_draining = false;
}

void hub_close(struct hub *h)
{
	int r;
	loop_timer_cancel(h->loop, &h->housekeeping);
	loop_timer_cancel(h->loop, &h->linger);
	loop_timer_cancel(h->loop, &h->emptying);
	loop_timer_cancel(h->loop, &h->farewell);
	streams_end_all(h);
	histories_end_all(h);
	helper_free(h->helper);
	loop_settle(h->loop);
	/* Before the epoch is called clean: it vouches for what they hold. */
	for (size_t i = 0; i < h->n_channels; i++)
		if ((r = journal_sync(&h->channels[i]->journal)))
			log_warning("channel %s: %s", h->channels[i]->settings.name, strerror(-r));
	for (size_t i = 0; i < h->n_channels; i++)
		channel_close(h->channels[i]);
	free(h->channels);
	cursors_free(h->cursors);
	regexes_free(h->regexes);
	for (size_t i = 0; i < h->n_readers; i++)
		filter_run_fini(&h->reader_runs[i]);
	free(h->reader_runs);
	quota_free(h->quota_addresses);
	for (size_t i = 0; i < PAGES_MAX; i++)
		quota_give(h->promises[i].of);
	quota_free(h->quota_pages);
	quota_free(h->quota_users);
	access_close(&h->access);
	fd_close(&h->open_files.spare_fd);
	free(h->view_buckets);
	if (h->witness && (r = witness_sync(h->witness)))
		log_warning("%s/witness: %s", h->settings->hub.state_dir, strerror(-r));
	witness_close(h->witness);
	if (state_mark_clean(h->settings->hub.state_dir, h->epoch))
		log_warning("%s: could not note the clean end", h->settings->hub.state_dir);
}
