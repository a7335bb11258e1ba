/* SPDX-License-Identifier: MIT
 *
 * A stream against an oracle: whatever comes between, a client sees each event once and in
 * order, or a gap that it is in.
 *
 * No hub and no process: channels, views, and streams on socketpairs, in one loop.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/mem.h"
#include "channel/channel.h"
#include "channel/channels.h"
#include "stream/streams.h"
#include "stream/views.h"
#include "wire/record.h"

enum { CHANNELS = 2, BIG = 60 * 1024, SEND_BUFFER = 4096 };

static uint64_t seed;

static unsigned draw(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* ---- a house without a hub ------------------------------------------------------------- */

struct published {
	event_id id;
	int channel;
};

struct house {
	char dir[64];
	struct loop *loop;
	struct settings settings;
	struct channel_settings channels[CHANNELS];
	struct registry registry;
	struct readers readers;
	struct views views;
	struct streams streams;
	struct access access;
	struct published *events; /* in the order of the ids */
	size_t n_events, room;
};

static void open_house(struct house *h, enum durability first, enum slow slow, int64_t history)
{
	char *why = NULL;
	memset(h, 0, sizeof(*h));
	strcpy(h->dir, "/tmp/sluice-stream-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(h->dir));
	static char names[CHANNELS][2] = {"a", "b"};
	for (int i = 0; i < CHANNELS; i++)
		h->channels[i] =
			(struct channel_settings){.name = names[i],
						  .history_size = history,
						  .durability = i ? DURABILITY_PROCESS : first,
						  .heartbeat_ns = 20 * NS_PER_MS,
						  .retry_ns = NS_PER_SEC,
						  .slow = slow,
						  .max_lag_ns = 30 * NS_PER_MS};
	h->settings.channels = h->channels;
	h->settings.n_channels = CHANNELS;
	h->settings.hub.state_dir = h->dir;
	h->settings.hub.event_size = 256 * 1024;
	h->settings.hub.max_views = 1000;
	h->settings.hub.max_stall_ns = 600 * NS_PER_SEC;
	h->loop = loop_new();
	ck_assert_msg(channels_open(&h->registry, h->loop, &h->settings, &why) == 0, "%s", why);
	ck_assert_msg(readers_start(&h->readers, h->loop, &why) == 0, "%s", why);
	views_init(&h->views, &h->registry, &h->readers);
	streams_init(&h->streams, &h->views, &h->access);
}

static int unlink_one(const char *path, const struct stat *st maybe_unused, int type maybe_unused,
		      struct FTW *at maybe_unused)
{
	return remove(path);
}

static void close_house(struct house *h)
{
	streams_end_all(&h->streams);
	readers_stop(&h->readers);
	loop_settle(h->loop);
	ck_assert_uint_eq(h->streams.n, 0);
	ck_assert_uint_eq(h->streams.n_catching_up, 0);
	ck_assert_uint_eq(h->views.n, 0);
	ck_assert_uint_eq(h->views.n_aside, 0);
	streams_fini(&h->streams);
	views_fini(&h->views);
	channels_close(&h->registry);
	loop_free(h->loop);
	free(h->events);
	nftw(h->dir, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* An event of some size, in one of the channels; none while its disk is behind. */
static void publish(struct house *h, size_t size)
{
	static char text[BIG];
	struct buf records = {0};
	struct channel_taken taken;
	int k = (int)draw(CHANNELS);
	const struct channel_from from = {.source = "s"};
	memset(text, 'x', sizeof(text));
	record_put_event(&records, &(struct event){.severity = SEVERITY_NONE,
						   .type = STR("line"),
						   .message = {text, size}});
	int r = channel_take(h->registry.channels[k], &from, buf_str(&records), &taken);
	buf_fini(&records);
	ck_assert(r == 0 || r == -EAGAIN);
	if (r)
		return;
	if (h->n_events == h->room) {
		h->room = h->room ? 2 * h->room : 1024;
		h->events = mem_resize(h->events, h->room * sizeof(h->events[0]));
	}
	h->events[h->n_events++] = (struct published){h->registry.last_id, k};
}

/* ---- a client ----------------------------------------------------------------------------- */

enum { SEEN_MAX = 200000, GAPS_MAX = 4000, PARTS_MAX = 2000 };

struct client {
	struct house *house;
	int fd; /* or -1 */
	struct buf got;
	char token[TOKEN_LEN + 1];
	event_id cursor; /* of the last block that had one */
	unsigned wants;  /* a bit for each channel: what was asked last */
	bool is_over;    /* its bye has come */
	event_id *seen;
	size_t n_seen;
	struct {
		event_id from, to;
		unsigned of; /* a bit for each channel */
	} gaps[GAPS_MAX];
	size_t n_gaps;
	/* From `after` on it sees these channels. */
	struct {
		event_id after;
		unsigned of;
	} parts[PARTS_MAX];
	size_t n_parts;
	uint64_t n_heartbeats;
};

static struct subscription subscribe(struct house *h, unsigned of)
{
	struct subscription s = {.framing = HANDOFF_PLAIN,
				 .format = FORMAT_SSE,
				 .heartbeat = SSE_HEARTBEAT_ID,
				 .heartbeat_ns = 20 * NS_PER_MS,
				 .retry_ns = NS_PER_SEC,
				 .max_lag_ns = h->channels[0].max_lag_ns,
				 .slow = h->channels[0].slow};
	buf_putc(&s.names, '[');
	for (int i = 0; i < CHANNELS; i++) {
		if (!(of & 1u << i))
			continue;
		s.channels[s.n_channels++].channel = h->registry.channels[i];
		buf_printf(&s.names, "%s\"%s\"", s.n_channels > 1 ? "," : "", h->channels[i].name);
	}
	buf_putc(&s.names, ']');
	subscription_put_key(&s);
	return s;
}

/* Connects anew, from where it was. */
static void connect_client(struct client *c)
{
	int pair[2], size = SEND_BUFFER;
	struct house *h = c->house;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ck_assert_int_eq(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	struct admission a = {.who = {.user = mem_strdup(""), .address = mem_strdup("192.0.2.1")},
			      .sub = subscribe(h, c->wants)};
	if (c->cursor) {
		a.sub.start = START_AFTER;
		a.sub.after = c->cursor;
	}
	admission_count(&a, h->streams.addresses, h->streams.users, &h->streams.n_admitted);
	stream_open(&h->streams, pair[0], &(struct handoff_request){.framing = HANDOFF_PLAIN}, &a);
	admission_fini(&a);
	c->fd = pair[1];
	c->is_over = false;
	c->got.len = 0;
}

/* Whatever is on its way is lost. */
static void disconnect_client(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	c->token[0] = 0;
}

static unsigned channels_in(struct house *h, struct str data)
{
	unsigned of = 0;
	for (int i = 0; i < CHANNELS; i++) {
		char name[16];
		int n = snprintf(name, sizeof(name), "\"%s\"", h->channels[i].name);
		if (memmem(data.data, data.len, name, (size_t)n))
			of |= 1u << i;
	}
	return of;
}

/* What stands behind `key` up to `end`; empty when it is not there. */
static struct str value_of(struct str block, const char *key, char end)
{
	const char *p = memmem(block.data, block.len, key, strlen(key));
	if (!p)
		return (struct str){"", 0};
	p += strlen(key);
	const char *e = memchr(p, end, (size_t)(block.data + block.len - p));
	return (struct str){p, e ? (size_t)(e - p) : (size_t)(block.data + block.len - p)};
}

static event_id id_in(struct str text)
{
	struct str epoch;
	event_id id;
	return text.len && id_parse(text, &epoch, &id) == 0 ? id : 0;
}

static void take_block(struct client *c, struct str block)
{
	struct str type = value_of(block, "event: ", '\n');
	struct str data = value_of(block, "data: ", '\n');
	event_id id = id_in(value_of(block, "id: ", '\n'));
	if (str_is(type, "hello") || str_is(type, "changed")) {
		struct str token = value_of(data, "\"token\":\"", '"');
		ck_assert_uint_eq(token.len, TOKEN_LEN);
		memcpy(c->token, token.data, TOKEN_LEN);
		ck_assert_uint_lt(c->n_parts, PARTS_MAX);
		c->parts[c->n_parts].after = id;
		c->parts[c->n_parts++].of =
			channels_in(c->house, value_of(data, "\"channels\":", ']'));
	} else if (str_is(type, "gap")) {
		struct str channel = value_of(data, "\"channel\":", ',');
		ck_assert_uint_lt(c->n_gaps, GAPS_MAX);
		c->gaps[c->n_gaps].from = id_in(value_of(data, "\"from\":\"", '"'));
		c->gaps[c->n_gaps].to = id_in(value_of(data, "\"to\":\"", '"'));
		c->gaps[c->n_gaps++].of = channel.len ? channels_in(c->house, channel) : ~0u;
	} else if (str_is(type, "bye")) {
		c->is_over = true;
	} else if (str_is(type, "line")) {
		ck_assert_msg(!c->n_seen || id > c->seen[c->n_seen - 1], "twice, or out of order");
		ck_assert_uint_lt(c->n_seen, SEEN_MAX);
		c->seen[c->n_seen++] = id;
	} else {
		ck_assert_uint_eq(type.len, 0);
		c->n_heartbeats++;
	}
	if (id) {
		ck_assert_msg(id >= c->cursor, "the cursor goes back");
		c->cursor = id;
	}
}

/* Reads some bytes; false at the end of the connection. */
static bool read_some(struct client *c, size_t max)
{
	if (c->fd < 0)
		return false;
	ssize_t n = read(c->fd, buf_reserve(&c->got, max), max);
	if (n > 0)
		c->got.len += (size_t)n;
	size_t done = 0;
	for (;;) {
		const char *p = c->got.data + done;
		const char *e = c->got.len > done ? memmem(p, c->got.len - done, "\n\n", 2) : NULL;
		if (!e)
			break;
		take_block(c, (struct str){p, (size_t)(e - p)});
		done = (size_t)(e + 2 - c->got.data);
	}
	buf_drop(&c->got, done);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Asks for other channels on the open stream. */
static void change_client(struct client *c)
{
	struct stream *s = streams_find(&c->house->streams, str_of(c->token));
	if (!s)
		return;
	unsigned of = 1 + draw((1u << CHANNELS) - 1);
	struct subscription sub = subscribe(c->house, of);
	if (stream_change(s, &sub))
		c->wants = of;
	subscription_fini(&sub);
}

static unsigned wanted_at(const struct client *c, event_id id)
{
	unsigned of = 0;
	for (size_t i = 0; i < c->n_parts; i++)
		if (c->parts[i].after < id)
			of = c->parts[i].of;
	return of;
}

static bool is_in_gap(const struct client *c, const struct published *e)
{
	for (size_t i = 0; i < c->n_gaps; i++)
		if (c->gaps[i].from < e->id && e->id <= c->gaps[i].to &&
		    c->gaps[i].of & 1u << e->channel)
			return true;
	return false;
}

/* Each event that it has asked for is there, or in a gap; and no others are. */
static void check_against_oracle(const struct client *c)
{
	const struct house *h = c->house;
	size_t k = 0;
	for (size_t i = 0; i < h->n_events; i++) {
		const struct published *e = &h->events[i];
		bool is_there = k < c->n_seen && c->seen[k] == e->id;
		k += is_there;
		bool is_wanted = wanted_at(c, e->id) & 1u << e->channel;
		ck_assert_msg(!is_there || is_wanted, "event %zu was not asked for", i);
		ck_assert_msg(is_there || !is_wanted || is_in_gap(c, e), "event %zu is lost", i);
	}
	ck_assert_uint_eq(k, c->n_seen);
}

/* ---- at random ---------------------------------------------------------------------------- */

static void turn(struct client *clients, int n, int i)
{
	struct client *c = &clients[i];
	unsigned what = draw(1000);
	if (what < 400)
		publish(c->house, 1 + draw(300));
	else if (what < 430)
		publish(c->house, 1 + draw(BIG));
	else if (what < 433)
		for (int k = 0; k < 80; k++) /* beyond the window of the views */
			publish(c->house, BIG - draw(1000));
	else if (what < 470)
		change_client(c);
	else if (what < 480 && c->fd >= 0)
		disconnect_client(c);
	else if (what < 900)
		for (int k = 0; k < n; k++)
			if (draw(3))
				read_some(&clients[k], 1 + draw(40000));
	loop_turn(c->house->loop);
	if (c->fd < 0 || c->is_over || !read_some(c, 1)) {
		if (c->fd >= 0)
			disconnect_client(c);
		connect_client(c);
	}
}

/* Nothing more is published: until all have everything. */
static void settle(struct house *h, struct client *clients, int n)
{
	int64_t deadline_ns = clock_mono_ns() + 60 * NS_PER_SEC;
	event_id last = h->n_events ? h->events[h->n_events - 1].id : 0;
	for (bool is_done = false; !is_done;) {
		ck_assert_msg(clock_mono_ns() < deadline_ns, "a stream does not get on");
		loop_turn(h->loop);
		is_done = true;
		for (int i = 0; i < n; i++) {
			struct client *c = &clients[i];
			if (c->is_over || !read_some(c, 1 << 20)) {
				if (c->fd >= 0)
					disconnect_client(c);
				connect_client(c);
			}
			is_done &= c->cursor >= last; /* a heartbeat's, if not an event's */
		}
	}
}

enum { LONG_HISTORY = 512 * 1024 * 1024, SHORT_HISTORY = 2 * 1024 * 1024 };

static void run(enum durability first, enum slow slow, int64_t history, int n_turns)
{
	enum { CLIENTS = 4 };
	static struct client clients[CLIENTS];
	struct house h;
	open_house(&h, first, slow, history);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.house = &h, .fd = -1, .wants = 1 + draw(3)};
		clients[i].seen = mem_zero(SEEN_MAX * sizeof(event_id));
		connect_client(&clients[i]);
	}
	for (int i = 0; i < n_turns; i++)
		turn(clients, CLIENTS, (int)draw(CLIENTS));
	settle(&h, clients, CLIENTS);
	uint64_t n_heartbeats = 0;
	for (int i = 0; i < CLIENTS; i++) {
		check_against_oracle(&clients[i]);
		n_heartbeats += clients[i].n_heartbeats;
		close(clients[i].fd);
		buf_fini(&clients[i].got);
		free(clients[i].seen);
	}
	ck_assert_uint_gt(n_heartbeats, 0);
	close_house(&h);
}

/* More of it: TEST_SEED=N TEST_TURNS=N. */
static int turns(int usual)
{
	const char *n = getenv("TEST_TURNS"), *s = getenv("TEST_SEED");
	seed = s ? strtoull(s, NULL, 10) : 1;
	return n ? atoi(n) : usual;
}

START_TEST(each_event_comes_once_and_in_order_whatever_happens)
{
	run(DURABILITY_PROCESS, SLOW_CATCH_UP, LONG_HISTORY, turns(1500));
}
END_TEST

START_TEST(what_the_history_has_dropped_is_a_gap)
{
	run(DURABILITY_PROCESS, SLOW_CATCH_UP, SHORT_HISTORY, turns(1500));
}
END_TEST

START_TEST(a_client_that_is_too_slow_is_told_what_it_has_missed)
{
	run(DURABILITY_PROCESS, SLOW_GAP, LONG_HISTORY, turns(1500));
}
END_TEST

START_TEST(a_client_that_wants_the_latest_is_told_what_was_left_out)
{
	run(DURABILITY_PROCESS, SLOW_LATEST, LONG_HISTORY, turns(1500));
}
END_TEST

START_TEST(a_client_that_is_sent_away_comes_back_to_where_it_was)
{
	run(DURABILITY_PROCESS, SLOW_DISCONNECT, LONG_HISTORY, turns(1500));
}
END_TEST

START_TEST(events_that_wait_for_the_disk_come_in_order_with_those_of_other_channels)
{
	run(DURABILITY_DISK, SLOW_CATCH_UP, LONG_HISTORY, turns(1500));
}
END_TEST

START_TEST(events_of_channels_in_memory_come_once_too)
{
	run(DURABILITY_MEMORY, SLOW_CATCH_UP, LONG_HISTORY, turns(1500));
}
END_TEST

UNIT_MAIN("stream", each_event_comes_once_and_in_order_whatever_happens,
	  what_the_history_has_dropped_is_a_gap,
	  a_client_that_is_too_slow_is_told_what_it_has_missed,
	  a_client_that_wants_the_latest_is_told_what_was_left_out,
	  a_client_that_is_sent_away_comes_back_to_where_it_was,
	  events_that_wait_for_the_disk_come_in_order_with_those_of_other_channels,
	  events_of_channels_in_memory_come_once_too)
