/* SPDX-License-Identifier: MIT */
#include "channel/channel.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/unit.h"
#include "base/utf8.h"
#include "channel/batch.h"
#include "channel/commit.h"
#include "channel/cursors.h"
#include "channel/regexes.h"
#include "channel/registry.h"
#include "redact/redact.h"
#include "wire/format.h"

enum { FIELDS_BYTES_MAX = 1024 * 1024, SPARE_MAX = 16 };

static void on_cursor(void *ctx, const struct cursor *cur, event_id at)
{
	struct channel *c = ctx;
	cursors_set(c->registry->cursors, cur, at, c);
}

/* A redactor's place in a secret is kept as a cursor is: with the batch that led there.
 * No source has this name.
 */
static const char PLACES[] = ":redact";

static void put_place(struct channel_batch *b, const struct channel_from *from)
{
	int place = redact_place(from->redactor);
	struct buf value = {0};
	if (place)
		buf_put_u32(&value, (uint32_t)place);
	batch_put_cursor(b,
			 &(struct cursor){str_of(PLACES), str_of(from->source), buf_str(&value)});
	buf_fini(&value);
}

int channel_redact_place(const struct registry *r, const char *source)
{
	struct str value = cursors_get(r->cursors, str_of(PLACES), str_of(source));
	return value.len == 4 ? (int)(get_u32(value.data) & INT_MAX) : 0;
}

void channel_note_time(struct channel *c)
{
	c->lately[1] = c->lately[0];
	c->lately[0] = c->journal.last;
}

bool channel_is_live_from(const struct channel *c, event_id id)
{
	return id >= c->lately[1];
}

static void checkpoint(void *ctx, struct buf *entries)
{
	struct channel *c = ctx;
	cursors_put_of_owner(c->registry->cursors, c, entries);
}

int channel_open(struct registry *r, const struct channel_settings *settings, struct channel **ret,
		 char **why)
{
	struct channel *c = mem_zero(sizeof(*c));
	c->registry = r;
	c->settings = *settings;
	c->settings.name = mem_strdup(settings->name);
	list_init(&c->taps);
	list_init(&c->spare);
	char *dir = NULL;
	int error = 0;
	if (settings->durability != DURABILITY_MEMORY) {
		dir = mem_printf("%s/journal/%s", r->settings->hub.state_dir, settings->name);
		error = fd_make_dirs(dir);
		if (error)
			*why = mem_printf("%s: %s", dir, strerror(-error));
	}
	struct journal_config config = {
		.dir = dir,
		.epoch = r->epoch,
		.max_bytes = settings->history_size,
		.max_age_ms = settings->history_age_ns / NS_PER_MS,
		.start = dir ? 0 : registry_next_id(r, clock_wall_ns() / NS_PER_MS),
		.syncs = settings->durability == DURABILITY_DISK,
		.witness = dir ? r->witness : NULL,
		.spare_fd = &r->spare_fd,
		.name = c->settings.name,
		.on_cursor = on_cursor,
		.checkpoint = checkpoint,
		.ctx = c,
	};
	if (!error)
		error = journal_open(&config, &c->journal, why);
	if (error) {
		free(dir);
		free(c->settings.name);
		free(c);
		return error;
	}
	c->lately[0] = c->lately[1] = c->journal.last;
	if (c->journal.torn_bytes)
		log_info("channel %s: cut %llu %s of a write that a crash had interrupted; none "
			 "of it had been published",
			 settings->name, (unsigned long long)c->journal.torn_bytes,
			 plural(c->journal.torn_bytes, "byte", "bytes"));
	*ret = c;
	return 0;
}

/* Taps may go while they are called. */
static void show(struct channel *c, const struct event *ev)
{
	list_each_safe (e, &c->taps) {
		struct channel_tap *t = list_entry(e, struct channel_tap, link);
		t->on_event(t, c, ev);
	}
}

/* An empty one, to be put together. */
static struct channel_batch *take_batch(struct channel *c)
{
	if (list_is_empty(&c->spare))
		return batch_new();
	struct channel_batch *b = list_entry(c->spare.next, struct channel_batch, link);
	list_remove(&b->link);
	c->n_spare--;
	return b;
}

/* Its memory serves the next frame. */
static void give_back(struct channel *c, struct channel_batch *b)
{
	if (c->n_spare == SPARE_MAX) {
		batch_free(b);
		return;
	}
	batch_reset(b);
	list_append(&c->spare, &b->link);
	c->n_spare++;
}

static void publish(void *ctx, struct channel_batch *b)
{
	struct channel *c = ctx;
	for (size_t i = 0; i < b->n_events; i++) {
		const struct event *ev = &b->events[i].event;
		if (c->commit)
			c->unpublished = ev->id;
		show(c, ev);
		/* Not before: all up to it has been shown. */
		c->registry->newest_id = MAX(c->registry->newest_id, ev->id);
	}
	give_back(c, b);
}

/* The disk has all before `first`; 0: all. */
static void on_released(void *ctx, event_id first)
{
	struct channel *c = ctx;
	c->unpublished = first;
	list_each_safe (e, &c->taps) {
		struct channel_tap *t = list_entry(e, struct channel_tap, link);
		t->on_released(t);
	}
}

int channel_begin(struct channel *c, char **why)
{
	int r = journal_begin(&c->journal, why);
	if (r || c->settings.durability != DURABILITY_DISK)
		return r;
	c->commit = commit_new(&(struct commit_config){.loop = c->registry->loop,
						       .journal = &c->journal,
						       .name = c->settings.name,
						       .publish = publish,
						       .released = on_released,
						       .ctx = c},
			       why);
	return c->commit ? 0 : -EAGAIN;
}

void channel_close(struct channel *c)
{
	char *dir = (char *)(uintptr_t)c->journal.config.dir;
	commit_free(c->commit);
	journal_close(&c->journal);
	free(dir);
	list_each_safe (e, &c->spare)
		batch_free(list_entry(e, struct channel_batch, link));
	buf_fini(&c->scratch);
	free(c->settings.name);
	free(c);
}

void channel_change(struct channel *c, const struct channel_settings *settings)
{
	char *name = c->settings.name;
	c->settings = *settings;
	c->settings.name = name;
	journal_keep(&c->journal, settings->history_size, settings->history_age_ns / NS_PER_MS);
}

void channel_add_tap(struct channel *c, struct channel_tap *t)
{
	list_append(&c->taps, &t->link);
}

void channel_remove_tap(struct channel_tap *t)
{
	list_remove(&t->link);
}

void channel_hold(struct channel *c)
{
	c->n_users++;
}

void channel_release(struct channel *c)
{
	c->n_users--;
}

static bool type_is_valid(struct str type)
{
	for (size_t i = 0; i < type.len; i++) {
		unsigned char ch = (unsigned char)type.data[i];
		if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ||
		      (ch && strchr("_.-", ch))))
			return false;
	}
	return type.len > 0;
}

/* Makes one event of a source process fit to be kept and shown. */
static int clean_event(struct channel *c, const char *source, struct event *ev)
{
	size_t max = (size_t)c->registry->settings->hub.event_size;
	if (!type_is_valid(ev->type))
		return -EBADMSG;
	if (!(ev->flags & EVENT_GAP))
		ev->type = format_type(ev->type);
	ev->source = str_of(source);
	ev->flags &= EVENT_PARTIAL | EVENT_TRUNCATED | EVENT_GAP | EVENT_TRANSIENT;
	c->scratch.len = 0;
	if (ev->fields.len > FIELDS_BYTES_MAX)
		return -EBADMSG;
	if (ev->fields.len) {
		/* What follows may move the scratch buffer: make the room first. */
		buf_reserve(&c->scratch, 3 * (ev->fields.len + MIN(ev->message.len, max)) + 16);
		if (fields_clean(ev->fields, &c->scratch, &ev->fields))
			return -EBADMSG;
	}
	if (ev->message.len > max) {
		ev->message.len = utf8_cut(ev->message, max);
		ev->flags |= EVENT_TRUNCATED;
	}
	if (utf8_valid_prefix(ev->message.data, ev->message.len) != ev->message.len) {
		size_t from = c->scratch.len;
		utf8_put(&c->scratch, ev->message);
		ev->message = (struct str){c->scratch.data + from, c->scratch.len - from};
		/* A replacement is longer than what it stands for. */
		if (ev->message.len > max) {
			ev->message.len = utf8_cut(ev->message, max);
			ev->flags |= EVENT_TRUNCATED;
		}
	}
	return 0;
}

/* Whether there were any. */
static bool take_secrets_out(struct channel *c, struct redactor *redactor, struct event *ev)
{
	size_t max = (size_t)c->registry->settings->hub.event_size;
	bool any = redact_event(redactor, ev);
	if (ev->message.len > max) { /* what stands for a secret may be longer than it */
		ev->message.len = utf8_cut(ev->message, max);
		ev->flags |= EVENT_TRUNCATED;
	}
	return any;
}

/* What cannot be decided is kept. */
static bool is_filtered(struct channel *c, const struct filter *filter, const struct event *ev)
{
	if (!filter || ev->flags & EVENT_GAP)
		return false;
	struct filter_run *run = regexes_run_of_sources(c->registry->regexes);
	filter_run_event(run, ev, str_of(c->settings.name));
	int is = filter_match(filter, run);
	if (is < 0)
		regexes_switch_off(c->registry->regexes, run->slow);
	return is == 0;
}

/* Puts the batch together: events named and cleaned, cursors with their source. */
static int build(struct channel *c, const struct channel_from *from, struct str records,
		 struct channel_batch *b, struct channel_taken *taken)
{
	struct record rec;
	int got;
	int64_t now_ns = clock_wall_ns();
	int64_t now_ms = now_ns / NS_PER_MS;
	while ((got = record_next(&records, &rec)) == 1) {
		if (rec.kind == RECORD_CURSOR) {
			rec.cursor.source = str_of(from->source);
			if (!cursors_admit(c->registry->cursors, &rec.cursor))
				return -E2BIG;
			batch_put_cursor(b, &rec.cursor);
			continue;
		}
		if (clean_event(c, from->source, &rec.event))
			return -EBADMSG;
		if (from->redactor)
			taken->n_redacted += take_secrets_out(c, from->redactor, &rec.event);
		if (!rec.event.time_ns)
			rec.event.time_ns = now_ns;
		if (is_filtered(c, from->filter, &rec.event)) {
			taken->n_filtered++;
			continue;
		}
		rec.event.id = registry_next_id(c->registry, now_ms);
		if (rec.event.flags & EVENT_GAP)
			c->n_gaps++;
		batch_put_event(b, &rec.event);
		taken->n_events++;
	}
	if (!b->first)
		b->first = b->last = registry_next_id(c->registry, now_ms);
	return got;
}

static const char *advice_for(int r)
{
	switch (-r) {
	case ENOSPC: return "free space on the disk of hub.state_dir";
	case EDQUOT: return "raise the disk quota of the user that sluice runs as";
	case EMFILE: return "raise the limit of open files: LimitNOFILE= or ulimit -n";
	case ENFILE: return "raise the limit of open files of the machine: sysctl fs.file-max";
	case EIO: return "the disk of hub.state_dir fails: see dmesg, and replace it";
	case EROFS: return "mount the disk of hub.state_dir writable again";
	case EACCES:
	case EPERM: return "give sluice's user the right to write to hub.state_dir";
	case ENOENT: return "make hub.state_dir again, or mount its disk";
	default: return "look at the disk of hub.state_dir";
	}
}

static void tell_stuck(struct channel *c, int r)
{
	if (r && !c->is_stuck)
		log_error("channel %s: the journal cannot be written: %s; its sources wait until "
			  "it can be (%s)",
			  c->settings.name, strerror(-r), advice_for(r));
	else if (!r && c->is_stuck)
		log_info("channel %s: the journal can be written again", c->settings.name);
	c->is_stuck = r != 0;
}

bool channel_is_stuck(const struct channel *c)
{
	return c->is_stuck || (c->commit && commit_is_stuck(c->commit));
}

/* Puts a sealed batch into the journal. */
static int keep(struct channel *c, struct channel_batch *b)
{
	if (!batch_has_records(b))
		return 0;
	return journal_append(&c->journal, &b->kept, b->first, b->last, b->n_kept,
			      clock_wall_ns() / NS_PER_MS);
}

int channel_take(struct channel *c, const struct channel_from *from, struct str records,
		 struct channel_taken *taken)
{
	*taken = (struct channel_taken){0};
	if (c->commit && commit_is_behind(c->commit))
		return -EAGAIN;
	int place = redact_place(from->redactor);
	struct channel_batch *b = take_batch(c);
	int r = build(c, from, records, b, taken);
	buf_reset(&c->scratch, 1024 * 1024);
	if (!r && redact_place(from->redactor) != place)
		put_place(b, from);
	batch_seal(b);
	if (!r)
		r = keep(c, b);
	if (r != -EBADMSG && r != -E2BIG && r != -EAGAIN)
		tell_stuck(c, r);
	if (r) {
		give_back(c, b);
		redact_go_on_from(from->redactor, place);
		return r;
	}
	for (size_t i = 0; i < b->n_cursors; i++)
		cursors_set(c->registry->cursors, &b->cursors[i].cursor, b->last, c);
	if (c->commit) {
		if (!c->unpublished)
			c->unpublished = b->first;
		commit_put(c->commit, b);
	} else {
		publish(c, b);
	}
	return 0;
}
