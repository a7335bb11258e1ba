/* SPDX-License-Identifier: MIT
 *
 * A channel alone: no hub, no views, no clients.  Its disk is this program's fdatasync().
 */
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "channel/cursors.h"
#include "channel/regexes.h"
#include "filter/filter.h"

enum { SEEN_MAX = 64 };

/* Also called by a helper thread. */
static _Atomic int refusals; /* so many syncs fail from now on */
static _Atomic int n_syncs;

int fdatasync(int fd)
{
	n_syncs++;
	if (refusals > 0) {
		refusals--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

struct watcher {
	struct channel_tap tap;
	char *seen[SEEN_MAX]; /* messages; owned */
	event_id ids[SEEN_MAX];
	size_t n;
	bool leaves; /* after its first event */
	bool is_released;
};

static struct {
	char dir[64];
	struct channel_settings settings;
	struct settings all;
	struct loop *loop;
	struct registry registry;
	struct channel *channel;
	struct watcher watcher;
} fix;

static void on_event(struct channel_tap *t, struct channel *c maybe_unused, const struct event *ev)
{
	struct watcher *w = container_of(t, struct watcher, tap);
	ck_assert_uint_lt(w->n, SEEN_MAX);
	w->ids[w->n] = ev->id;
	w->seen[w->n++] = mem_strndup(ev->message.data, ev->message.len);
	if (w->leaves)
		list_remove(&t->link);
}

static void on_released(struct channel_tap *t)
{
	container_of(t, struct watcher, tap)->is_released = true;
}

static void watch(struct watcher *w)
{
	*w = (struct watcher){.tap = {.on_event = on_event, .on_released = on_released}};
	list_append(&fix.channel->taps, &w->tap.link);
}

static void forget(struct watcher *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->seen[i]);
	w->n = 0;
}

static void open_channels(void)
{
	char *why = NULL;
	fix.loop = loop_new();
	int r = channels_open(&fix.registry, fix.loop, &fix.all, &why);
	ck_assert_msg(!r, "%s", why);
	fix.channel = registry_channel(&fix.registry, "c");
	ck_assert_ptr_nonnull(fix.channel);
	watch(&fix.watcher);
}

static void close_channels(void)
{
	forget(&fix.watcher);
	channels_close(&fix.registry);
	loop_free(fix.loop);
}

static void begin(enum durability durability)
{
	memset(&fix, 0, sizeof(fix));
	refusals = 0;
	strcpy(fix.dir, "/tmp/sluice-channel-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(fix.dir));
	fix.settings = (struct channel_settings){
		.name = (char *)(uintptr_t) "c", .history_size = 1 << 20, .durability = durability};
	fix.all = (struct settings){.hub = {.state_dir = fix.dir, .event_size = 1024},
				    .channels = &fix.settings,
				    .n_channels = 1};
	open_channels();
}

static int remove_one(const char *path, const struct stat *st maybe_unused, int type maybe_unused,
		      struct FTW *f maybe_unused)
{
	return remove(path);
}

static void end(void)
{
	close_channels();
	ck_assert_int_eq(nftw(fix.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void run_a_turn(void)
{
	struct pollfd pfd = {.fd = loop_fd(fix.loop), .events = POLLIN};
	int ms = loop_next_ms(fix.loop);
	ck_assert_int_ge(poll(&pfd, 1, ms < 0 ? 1000 : MIN(ms, 1000)), 0);
	loop_turn(fix.loop);
}

/* Runs the loop until the watcher has seen `n` events. */
static void run_until(size_t n)
{
	int64_t end_ns = clock_mono_ns() + 60 * NS_PER_SEC;
	while (fix.watcher.n < n) {
		ck_assert_msg(clock_mono_ns() < end_ns, "it was not shown in time");
		run_a_turn();
	}
}

/* A frame's records: "text" is a line, "~text" one that passes, "=text" a cursor. */
static struct buf frame(const char *const *items)
{
	struct buf out = {0};
	for (; *items; items++) {
		const char *s = *items;
		if (*s == '=')
			record_put_cursor(
				&out, &(struct cursor){.key = STR("at"), .value = str_of(s + 1)});
		else
			record_put_event(&out,
					 &(struct event){.type = STR("line"),
							 .severity = SEVERITY_NONE,
							 .flags = *s == '~' ? EVENT_TRANSIENT : 0,
							 .message = str_of(s + (*s == '~'))});
	}
	return out;
}

static struct channel_taken taken;

static int take_from(const struct channel_from *from, const char *const *items)
{
	struct buf records = frame(items);
	int r = channel_take(fix.channel, from, buf_str(&records), &taken);
	/* What was taken is the channel's own. */
	memset(records.data, 'x', records.len);
	buf_fini(&records);
	return r;
}

#define take(...)                                                                                  \
	take_from(&(struct channel_from){.source = "s"}, (const char *const[]){__VA_ARGS__, NULL})

static void seen(const char *const *messages)
{
	size_t n = 0;
	for (; messages[n]; n++) {
		ck_assert_uint_lt(n, fix.watcher.n);
		ck_assert_str_eq(fix.watcher.seen[n], messages[n]);
		ck_assert_uint_gt(fix.watcher.ids[n], n ? fix.watcher.ids[n - 1] : 0);
	}
	ck_assert_uint_eq(fix.watcher.n, n);
}

#define saw(...) seen((const char *const[]){__VA_ARGS__, NULL})

static struct str position(void)
{
	return cursors_get(fix.registry.cursors, STR("s"), STR("at"));
}

START_TEST(what_is_taken_is_kept_then_shown_with_its_position)
{
	begin(DURABILITY_PROCESS);
	ck_assert_int_eq(take("=1", "one", "~passing", "two", "=2"), 0);
	saw("one", "passing", "two");
	ck_str_is(position(), "2");
	ck_assert_uint_eq(taken.n_events, 3);
	ck_assert_uint_eq(fix.channel->journal.n_events, 2);
	ck_assert_uint_eq(fix.registry.newest_id, fix.watcher.ids[2]);
	end();
}
END_TEST

START_TEST(frames_of_any_size_follow_each_other)
{
	begin(DURABILITY_PROCESS);
	char large[3][1000];
	for (int i = 0; i < 3; i++) {
		memset(large[i], 'a' + i, sizeof(large[i]) - 1);
		large[i][sizeof(large[i]) - 1] = 0;
	}
	ck_assert_int_eq(take("small"), 0);
	ck_assert_int_eq(take(large[0], large[1], "=1", large[2], large[0], large[1], large[2]), 0);
	ck_assert_int_eq(take("=2"), 0);
	ck_assert_int_eq(take("small again"), 0);
	saw("small", large[0], large[1], large[2], large[0], large[1], large[2], "small again");
	ck_str_is(position(), "2");
	end();
}
END_TEST

START_TEST(of_a_frame_with_one_bad_record_nothing_is_taken)
{
	begin(DURABILITY_PROCESS);
	ck_assert_int_eq(take("first", "=1"), 0);
	event_id newest = fix.registry.newest_id;
	struct buf records = frame((const char *const[]){"second", "=2", NULL});
	record_put_event(&records, &(struct event){.type = STR("Not A Type")});
	const struct channel_from from = {.source = "s"};
	ck_assert_int_eq(channel_take(fix.channel, &from, buf_str(&records), &taken), -EBADMSG);
	buf_fini(&records);
	saw("first");
	ck_str_is(position(), "1");
	ck_assert_uint_eq(fix.registry.newest_id, newest);
	ck_assert_uint_eq(fix.channel->journal.n_events, 1);
	ck_assert_int_eq(take("third"), 0);
	saw("first", "third");
	end();
}
END_TEST

START_TEST(a_filter_leaves_events_out_and_no_positions)
{
	begin(DURABILITY_PROCESS);
	struct buf why = {0};
	struct filter *f = filter_parse(regexes_pool_of_sources(fix.registry.regexes),
					STR("message contains \"keep\""), &why);
	ck_assert_msg(f != NULL, "%s", buf_text(&why));
	buf_fini(&why);
	const struct channel_from from = {.source = "s", .filter = f};
	ck_assert_int_eq(take_from(&from, (const char *const[]){"keep 1", "drop 1", "keep 2",
								"drop 2", "=4", NULL}),
			 0);
	saw("keep 1", "keep 2");
	ck_assert_uint_eq(taken.n_filtered, 2);
	ck_str_is(position(), "4");
	filter_unref(f);
	end();
}
END_TEST

START_TEST(a_tap_may_leave_while_it_is_called)
{
	begin(DURABILITY_PROCESS);
	struct watcher other;
	watch(&other);
	fix.watcher.leaves = true;
	ck_assert_int_eq(take("one", "two"), 0);
	saw("one");
	ck_assert_uint_eq(other.n, 2);
	list_remove(&other.tap.link);
	forget(&other);
	end();
}
END_TEST

START_TEST(with_durability_disk_nothing_is_shown_before_the_disk_has_it)
{
	begin(DURABILITY_DISK);
	int before = n_syncs;
	ck_assert_int_eq(take("one", "~passing", "=1"), 0);
	ck_assert_int_eq(take("two", "=2"), 0);
	ck_assert_uint_eq(fix.watcher.n, 0);
	ck_assert_uint_ne(fix.channel->unpublished, 0);
	event_id newest = fix.registry.newest_id;
	run_until(3);
	saw("one", "passing", "two");
	ck_assert_int_gt(n_syncs, before);
	ck_assert_uint_gt(fix.registry.newest_id, newest);
	end();
}
END_TEST

START_TEST(more_batches_wait_for_the_disk_than_are_kept_for_reuse)
{
	begin(DURABILITY_DISK);
	char text[16];
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 24; i++) {
			snprintf(text, sizeof(text), "%d", i);
			ck_assert_int_eq(take(text), 0);
		}
		run_until(24);
		for (size_t i = 0; i < 24; i++)
			ck_assert_int_eq(atoi(fix.watcher.seen[i]), (int)i);
		forget(&fix.watcher);
	}
	end();
}
END_TEST

START_TEST(what_the_disk_has_refused_is_written_anew_and_shown_once)
{
	begin(DURABILITY_DISK);
	ck_assert_int_eq(take("one"), 0);
	run_until(1);
	refusals = 1;
	ck_assert_int_eq(take("two", "=2"), 0);
	ck_assert_int_eq(take("three", "=3"), 0);
	run_until(3);
	saw("one", "two", "three");
	ck_assert(!channel_is_stuck(fix.channel));
	ck_assert_int_eq(take("four"), 0);
	run_until(4);
	close_channels();
	/* So the next hub finds it. */
	open_channels();
	ck_assert_uint_eq(fix.channel->journal.n_events, 4);
	ck_str_is(position(), "3");
	end();
}
END_TEST

START_TEST(while_the_disk_refuses_nothing_more_is_taken)
{
	begin(DURABILITY_DISK);
	refusals = 1;
	ck_assert_int_eq(take("one"), 0);
	while (!channel_is_stuck(fix.channel))
		run_a_turn();
	ck_assert_int_eq(take("two"), -EAGAIN);
	ck_assert_uint_eq(fix.watcher.n, 0);
	run_until(1);
	ck_assert_int_eq(take("two"), 0);
	run_until(2);
	saw("one", "two");
	end();
}
END_TEST

UNIT_MAIN("channel", what_is_taken_is_kept_then_shown_with_its_position,
	  frames_of_any_size_follow_each_other, of_a_frame_with_one_bad_record_nothing_is_taken,
	  a_filter_leaves_events_out_and_no_positions, a_tap_may_leave_while_it_is_called,
	  with_durability_disk_nothing_is_shown_before_the_disk_has_it,
	  more_batches_wait_for_the_disk_than_are_kept_for_reuse,
	  what_the_disk_has_refused_is_written_anew_and_shown_once,
	  while_the_disk_refuses_nothing_more_is_taken)
