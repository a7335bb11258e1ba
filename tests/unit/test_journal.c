/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal_rig.h"
#include "past/replay.h"

static struct filter_run run; /* no filter here uses it */

START_TEST(what_was_appended_is_there_after_a_restart_with_its_cursor)
{
	struct journal j;
	struct seen s;
	struct buf out = {0};
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 100; i++)
		append(&j, i, 0);
	journal_close(&j);
	open_journal(&j, &s);
	ck_assert_uint_eq(j.n_events, 100);
	ck_assert_int_eq(s.n_cursors, 100);
	ck_assert_str_eq(s.last, "100");
	replay_all(&j, id_make(40, 0), 0, 0, &out);
	ck_assert_int_eq(count(&out, "event: line"), 60);
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "id: e.41-0\n"));
	out.len = 0;
	replay_all(&j, 0, 0, 7, &out);
	ck_assert_int_eq(count(&out, "event: line"), 7);
	ck_assert_ptr_nonnull(strstr(buf_text(&out), "data: 94\n"));
	buf_fini(&out);
	journal_close(&j);
	remove_dir();
}
END_TEST

START_TEST(a_segment_cut_at_every_length_keeps_the_longest_good_prefix)
{
	struct journal j;
	struct seen s;
	make_dir();
	open_journal(&j, &s);
	uint64_t ends[6] = {SEGMENT_HEADER};
	for (int i = 1; i <= 5; i++) {
		append(&j, i, 3);
		ends[i] = j.segments[0]->size;
	}
	journal_close(&j);
	char *path = only_segment();
	for (uint64_t cut = ends[5]; cut-- > SEGMENT_HEADER;) {
		ck_assert_int_eq(truncate(path, (off_t)cut), 0);
		open_journal(&j, &s);
		uint64_t want = 0;
		while (want < 5 && ends[want + 1] <= cut)
			want++;
		ck_assert_uint_eq(j.n_events, want);
		ck_assert_int_eq(s.n_cursors, (int)want);
		/* And it can be written to again, at the place of the cut. */
		ck_assert_uint_eq(j.segments[0]->size, ends[want]);
		journal_close(&j);
	}
	free(path);
	remove_dir();
}
END_TEST

START_TEST(a_flipped_byte_anywhere_loses_one_batch_and_says_so)
{
	struct journal j;
	struct seen s;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 4; i++)
		append(&j, i, 3);
	uint64_t size = j.segments[0]->size;
	journal_close(&j);
	char *path = only_segment();
	int fd = open(path, O_RDWR);
	for (uint64_t at = SEGMENT_HEADER; at < size; at++) {
		char byte, flipped;
		ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
		flipped = (char)(byte ^ 0x40);
		ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)at), 1);
		/* A newer segment, so that this one is not the one being written. */
		open_journal(&j, &s);
		bool is_last_batch = j.n_events == 3 && j.torn_bytes;
		/* The others know that there was one more. */
		ck_assert_uint_eq(j.segments[0]->n_events, is_last_batch ? 3 : 4);
		ck_assert_uint_eq(j.n_missing, is_last_batch ? 0 : 1);
		struct buf out = {0};
		replay_all(&j, 0, 0, 0, &out);
		ck_assert_int_eq(count(&out, "event: line"), 3);
		ck_assert_int_eq(count(&out, "event: gap"), is_last_batch ? 0 : 1);
		ck_assert_int_eq(count(&out, "\"count\":1"), is_last_batch ? 0 : 1);
		buf_fini(&out);
		journal_close(&j);
		ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
		if (is_last_batch)
			break; /* it was cut off: what follows is gone from the file */
	}
	close(fd);
	free(path);
	remove_dir();
}
END_TEST

static void on_old_cursor(void *ctx, const struct cursor *c, event_id at)
{
	struct seen *s = ctx;
	if (at == 1 && str_is(c->key, "old"))
		s->n_cursors += str_is(c->value, "still here");
}

START_TEST(retention_drops_whole_segments_and_carries_the_cursors_on)
{
	struct journal j;
	struct seen s = {0};
	char *why = NULL;
	struct journal_config c = config(&s);
	c.checkpoint = put_checkpoint;
	make_dir();
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	for (int i = 1; i <= 4000; i++)
		append(&j, i, 1000);
	ck_assert_uint_le(j.bytes, 1 << 20);
	ck_assert_uint_gt(journal_low_watermark(&j), 0);
	ck_assert_uint_eq(j.n_events, 4000);
	event_id floor = journal_low_watermark(&j);
	struct buf out = {0};
	replay_all(&j, id_make(1, 0), floor, 0, &out);
	ck_assert_int_eq(count(&out, "event: gap"), 1);
	ck_assert_int_eq(count(&out, "event: line"), (int)(4000 - id_ms(floor)));
	ck_assert_ptr_eq(strstr(buf_text(&out), "event: gap"), strstr(buf_text(&out), "event: "));
	buf_fini(&out);
	journal_close(&j);
	s.n_cursors = 0;
	c.on_cursor = on_old_cursor;
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	ck_assert_uint_eq(j.n_events, 4000);
	ck_assert_uint_eq(journal_low_watermark(&j), floor);
	ck_assert_int_eq(s.n_cursors, 1);
	ck_assert(!j.is_short);
	journal_close(&j);
	remove_dir();
}
END_TEST

START_TEST(events_go_when_they_are_older_than_the_age_also_in_a_quiet_channel)
{
	struct journal j;
	struct seen s = {0};
	char *why = NULL;
	struct journal_config c = config(&s);
	c.max_age_ms = 1000;
	make_dir();
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	for (int ms = 1; ms <= 3000; ms += 10)
		append(&j, ms, 0);
	ck_assert_int_gt(journal_expire(&j, 3000), 0);
	/* Whole segments, each a quarter of the age. */
	ck_assert_uint_gt(journal_low_watermark(&j), id_make(1700, 0));
	ck_assert_uint_le(journal_low_watermark(&j), id_make(2000, 0));
	journal_expire(&j, 10000);
	ck_assert_uint_eq(journal_low_watermark(&j), id_make(2991, 0));
	append(&j, 10001, 0);
	journal_close(&j);
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	ck_assert_uint_eq(journal_low_watermark(&j), id_make(2991, 0));
	journal_close(&j);
	remove_dir();
}
END_TEST

START_TEST(a_replay_within_a_budget_goes_on_where_it_stopped)
{
	struct journal j;
	struct seen s;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 500; i++)
		append(&j, i, 20);
	event_id after = 0;
	int got = 0, rounds = 0;
	for (bool complete = false; !complete; rounds++) {
		struct replay *r = replay_new(1);
		r->epoch = STR("e");
		r->format = FORMAT_SSE_MESSAGE;
		r->run = &run;
		r->after = after;
		r->upto = j.last;
		r->budget = 1000;
		r->channels[0].name = STR("c");
		journal_snapshot(&j, after, &r->channels[0].snapshot);
		ck_assert(replay_run(r));
		got += count(&r->out, "event: line");
		after = r->last;
		complete = r->is_complete;
		replay_free(r);
	}
	ck_assert_int_eq(got, 500);
	ck_assert_int_gt(rounds, 10);
	journal_close(&j);
	remove_dir();
}
END_TEST

static int n_read;

static void on_read_at_once(struct replay *r)
{
	struct loop *l = r->owner;
	if (!r->is_complete) { /* its slice of time was over */
		r->after = r->last;
		replay_submit(r->readers, r, 0);
		return;
	}
	ck_assert_uint_eq(r->n_events, 33); /* 30 end in 7; 33, 133, 233 */
	replay_free(r);
	if (++n_read == 64)
		loop_stop(l);
}

START_TEST(several_readers_share_a_filter_and_its_regexes)
{
	struct readers readers;
	struct journal j;
	struct seen s;
	struct regex_pool pool;
	struct buf why = {0};
	struct loop *l = loop_new();
	char *trouble = NULL;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 300; i++)
		append(&j, i, 20);
	regex_pool_init(&pool);
	struct filter *f = filter_parse(
		&pool, STR("message ~ /^[0-9]*7x+$/ or message icontains \"33X\""), &why);
	ck_assert_msg(f != NULL, "%s", buf_text(&why));
	ck_assert_int_eq(readers_start(&readers, l, &trouble), 0);
	for (unsigned i = 0; i < 64; i++) {
		struct replay *r = replay_new(1);
		r->owner = l;
		r->done = on_read_at_once;
		r->epoch = STR("e");
		r->format = FORMAT_SSE_MESSAGE;
		r->upto = j.last;
		r->budget = SIZE_MAX / 2;
		r->channels[0].name = STR("c");
		r->channels[0].filter = filter_ref(f);
		journal_snapshot(&j, 0, &r->channels[0].snapshot);
		replay_submit(&readers, r, i % 5);
	}
	loop_run(l);
	readers_stop(&readers);
	loop_free(l);
	filter_unref(f);
	regex_pool_fini(&pool);
	buf_fini(&why);
	journal_close(&j);
	remove_dir();
}
END_TEST

/* Each slice gets on by a few events only. */
START_TEST(the_latest_of_each_kind_are_found_in_slices)
{
	struct journal j;
	struct seen s;
	struct buf out = {0};
	int slices = 1;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 100; i++)
		append_of(&j, i, 1, i % 30 ? "line" : "rare");
	struct replay *r = replay_new(1);
	r->epoch = STR("e");
	r->format = FORMAT_SSE_MESSAGE;
	r->run = &run;
	r->upto = j.last;
	r->is_latest = true;
	r->channels[0].name = STR("c");
	journal_snapshot(&j, 0, &r->channels[0].snapshot);
	atomic_store(&r->is_cancelled, true); /* as if time were always over */
	while (!replay_run(r))
		slices++;
	buf_put_str(&out, buf_str(&r->out));
	ck_assert_int_gt(slices, 100 / 8);
	ck_assert(r->is_complete && r->last == j.last);
	ck_assert_uint_eq(r->n_events, 2);
	ck_assert_int_eq(count(&out, "data: 90x"), 1);
	ck_assert_int_eq(count(&out, "data: 100x"), 1);
	ck_assert_int_eq(count(&out, "\"reason\":\"slow\""), 1);
	replay_free(r);
	buf_fini(&out);
	journal_close(&j);
	remove_dir();
}
END_TEST

/* A slow filter, so that each slice ends within a piece, or within a batch of it. */
/* How many numbers up to 20,000 that begin with 1777 come after an id. */
static uint64_t n_1777_after(event_id after)
{
	uint64_t n = 0;
	for (int i = 17770; i < 17780; i++)
		n += id_make((uint64_t)i, 0) > after;
	return n + (id_make(1777, 0) > after);
}

START_TEST(a_search_that_is_interrupted_at_every_event_finds_the_same)
{
	struct journal j;
	struct seen s;
	struct buf why = {0}, text = {0};
	struct filter_run slow;
	make_dir();
	open_journal(&j, &s);
	for (int i = 1; i <= 20000; i++)
		append(&j, i, 200);
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "%smessage contains \"y%d\"", i ? " or " : "", i);
	buf_puts(&text, " or message startswith \"1777\"");
	struct filter *f = filter_parse(NULL, buf_str(&text), &why);
	ck_assert_msg(f != NULL, "%s", buf_text(&why));
	filter_run_init(&slow);
	struct past_channel c = {.name = STR("c"), .filter = f};
	journal_snapshot_back(&j, j.last, &c.snapshot);
	event_id found[2];
	int slices[2] = {0};
	for (int interrupted = 0; interrupted < 2; interrupted++) {
		struct tail_search l;
		tail_search_init(&l, &c, 1, j.last, 8);
		int64_t slice_ns = interrupted ? 10 * 1000 : 100 * NS_PER_SEC;
		while (!tail_search_run(&l, &slow, clock_mono_ns() + slice_ns)) {
			uint64_t n = tail_search_found(&l); /* which is never a guess */
			ck_assert_uint_eq(n, n_1777_after(tail_search_after(&l)));
			slices[interrupted]++;
		}
		ck_assert_uint_ge(l.n_ids, 8);
		ck_assert_uint_le(l.n_ids, 11); /* each once: 17770 to 17779, 1777 */
		found[interrupted] = tail_search_after(&l);
		tail_search_fini(&l);
	}
	ck_assert_uint_eq(found[0], found[1]);
	ck_assert_uint_eq(found[0], id_make(17772, 0) - 1);
	ck_assert_int_eq(slices[0], 0);
	ck_assert_int_gt(slices[1], 0);
	journal_snapshot_fini(&c.snapshot);
	filter_run_fini(&slow);
	filter_unref(f);
	buf_fini(&why);
	buf_fini(&text);
	journal_close(&j);
	remove_dir();
}
END_TEST

START_TEST(a_clock_that_was_wrong_for_a_while_keeps_nothing_for_ever)
{
	struct journal j;
	struct seen s = {0};
	char *why = NULL;
	struct journal_config c = config(&s);
	c.max_age_ms = 1000;
	make_dir();
	ck_assert_int_eq(journal_open(&c, &j, &why), 0);
	ck_assert_int_eq(journal_begin(&j, &why), 0);
	int64_t now = 1000000;
	struct buf b = {0};
	/* Events come while the clock is an hour ahead, and after it was set right; their ids
	 * stay ahead, for they only grow.
	 */
	for (int i = 0; i < 200; i++, now += 20) {
		event_id id = id_make(4600000, (uint32_t)i + 1);
		b.len = 0;
		buf_reserve(&b, BATCH_HEADER);
		b.len = BATCH_HEADER;
		record_put_event(&b, &(struct event){.id = id,
						     .severity = SEVERITY_NONE,
						     .type = STR("line"),
						     .source = STR("s")});
		ck_assert_int_eq(journal_append(&j, &b, id, id, 1, i < 10 ? now + 3600000 : now),
				 0);
		journal_correct_times(&j, now);
		journal_expire(&j, now);
	}
	ck_assert_uint_gt(j.low_ordinal, 100);
	ck_assert_uint_lt(j.n, 10);
	buf_fini(&b);
	journal_close(&j);
	remove_dir();
}
END_TEST

START_TEST(an_idle_journal_takes_next_to_nothing_of_the_disk)
{
	struct journal j;
	struct seen s;
	struct stat st;
	make_dir();
	open_journal(&j, &s);
	j.config.max_bytes = 512 << 20;
	append(&j, 1, 100);
	journal_tend(&j, 1);
	ck_assert_int_eq(stat(j.segments[0]->path, &st), 0);
	ck_assert_int_le(st.st_blocks * 512, 64 * 1024);
	/* What is set aside grows with what comes, and goes when the disk is short. */
	for (int i = 2; i < 100; i++)
		append(&j, i, 2000);
	journal_spare(&j, true);
	ck_assert_int_eq(stat(j.segments[j.n - 1]->path, &st), 0);
	ck_assert_int_le(st.st_blocks * 512, st.st_size + 8192);
	journal_close(&j);
	remove_dir();
}
END_TEST

UNIT_MAIN("journal", what_was_appended_is_there_after_a_restart_with_its_cursor,
	  a_segment_cut_at_every_length_keeps_the_longest_good_prefix,
	  a_flipped_byte_anywhere_loses_one_batch_and_says_so,
	  retention_drops_whole_segments_and_carries_the_cursors_on,
	  events_go_when_they_are_older_than_the_age_also_in_a_quiet_channel,
	  a_replay_within_a_budget_goes_on_where_it_stopped,
	  several_readers_share_a_filter_and_its_regexes,
	  the_latest_of_each_kind_are_found_in_slices,
	  a_search_that_is_interrupted_at_every_event_finds_the_same,
	  a_clock_that_was_wrong_for_a_while_keeps_nothing_for_ever,
	  an_idle_journal_takes_next_to_nothing_of_the_disk)
