/* SPDX-License-Identifier: MIT
 *
 * Searches of random journals, some of them damaged, against a plain reading of all of it.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "journal/seal.h"
#include "past/counter.h"
#include "past/searcher.h"

enum { CHANNELS = 3, LINES_MAX = 200000 };

static char dirs[CHANNELS][64];
static struct journal journals[CHANNELS];
static event_id newest;
static char some_id[16][32]; /* texts that single lines hold */

static void open_journals(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		struct journal_config c = {.dir = dirs[i], .epoch = "test", .max_bytes = 3 << 20};
		char *why = NULL;
		ck_assert_msg(journal_open(&c, &journals[i], &why) == 0, "%s", why);
		ck_assert_msg(journal_begin(&journals[i], &why) == 0, "%s", why);
	}
}

static void close_journals(void)
{
	for (int i = 0; i < CHANNELS; i++)
		journal_close(&journals[i]);
}

static void remove_dirs(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		DIR *d = opendir(dirs[i]);
		for (struct dirent *e; d && (e = readdir(d));) {
			char path[512];
			snprintf(path, sizeof(path), "%s/%s", dirs[i], e->d_name);
			unlink(path);
		}
		closedir(d);
		rmdir(dirs[i]);
	}
}

/* Values of all kinds, one number in several forms, and what is rare beside what is not. */
static void put_fields(struct buf *out)
{
	char text[32];
	long n = random() % 5000;
	snprintf(text, sizeof(text), "%ld", n);
	const struct field user[] = {
		{.name = STR("user"), .type = FIELD_INT, .integer = n},
		{.name = STR("user"), .type = FIELD_STRING, .string = str_of(text)},
		{.name = STR("user"), .type = FIELD_DOUBLE, .number = (double)n},
		{.name = STR("user"), .type = FIELD_DOUBLE, .number = (double)n + 0.5},
		{.name = STR("user"), .type = FIELD_BOOL, .integer = n % 2},
		{.name = STR("user"), .type = FIELD_NULL},
	};
	out->len = 0;
	if (random() % 2)
		field_put(out, &user[random() % 4 ? 0 : (size_t)random() % array_size(user)]);
	field_put(out, &(struct field){.name = STR("id"),
				       .type = FIELD_STRING,
				       .string = str_of(some_id[(size_t)random() % 16])});
	if (random() % 50 == 0) {
		char json[64];
		snprintf(json, sizeof(json), "%s{\"er\":[1,{\"x\":%ld}]}", n % 2 ? " " : "",
			 n % 300);
		field_put(out, &(struct field){.name = STR("deep"),
					       .type = FIELD_JSON,
					       .string = str_of(json)});
	}
}

/* A batch of a random channel; ids ascend over all of them, with holes as times leave. */
static void append_some(void)
{
	struct journal *j = &journals[random() % CHANNELS];
	struct buf b = {0}, text = {0}, fields = {0};
	uint32_t n = (uint32_t)(random() % 40) + 1;
	event_id first = newest += (event_id)(random() % 3000) + 1;
	/* For a while, all may have one, and say of nothing that it was lost. */
	static long severity;
	if (random() % 60 == 0)
		severity = random() % 16;
	buf_reserve(&b, BATCH_HEADER);
	b.len = BATCH_HEADER;
	for (uint32_t i = 0; i < n; i++) {
		newest = i ? newest + 1 : first;
		text.len = 0;
		char *id = some_id[(size_t)random() % 16], other[32];
		snprintf(other, sizeof(other), "id-%06lx%06lx", random() & 0xffffff,
			 random() & 0xffffff);
		if (random() % 20 == 0)
			strcpy(id, other);
		buf_printf(&text, "%ld %s ", random() % 100000, other);
		put_fields(&fields);
		for (long pad = random() % (random() % 20 ? 100 : 20000); pad > 0; pad--)
			buf_putc(&text, 'x');
		record_put_event(
			&b, &(struct event){
				    .id = newest,
				    .severity = (uint8_t)(severity < 8 ? severity : random() % 8),
				    .flags = severity < 8 || random() % 100 ? 0 : EVENT_GAP,
				    .type = STR("line"),
				    .source = STR("s"),
				    .message = buf_str(&text),
				    .fields = buf_str(&fields)});
	}
	ck_assert_int_eq(journal_append(j, &b, first, newest, n, (int64_t)id_ms(newest)), 0);
	buf_fini(&b);
	buf_fini(&text);
	buf_fini(&fields);
}

/* Some of the segments that are full. */
static void seal_some(void)
{
	static const atomic_bool never;
	for (int i = 0; i < CHANNELS; i++) {
		struct segment *s, *sealed;
		char path[256];
		snprintf(path, sizeof(path), "%s/" SEALING_NAME, dirs[i]);
		while (random() % 4 && (s = journal_next_to_seal(&journals[i]))) {
			ck_assert_int_eq(segment_seal(s, path, &never, &sealed), 0);
			ck_assert_int_eq(journal_put_sealed(&journals[i], s, sealed), 0);
		}
	}
}

/* One thing that may happen to a file while nothing runs. */
static void tamper(int i)
{
	char **paths;
	size_t n;
	struct stat st;
	ck_assert_int_eq(journal_list(dirs[i], &paths, &n), 0);
	if (!n)
		return;
	const char *path = paths[(size_t)random() % n];
	ck_assert_int_eq(stat(path, &st), 0);
	switch (random() % 3) {
	case 0: unlink(path); break;
	case 1: ck_assert_int_eq(truncate(path, random() % (st.st_size + 1)), 0); break;
	case 2: {
		int fd = open(path, O_RDWR);
		off_t at = st.st_size ? random() % st.st_size : 0;
		char byte = 0;
		ck_assert_int_ge(pread(fd, &byte, 1, at), 0);
		byte = (char)(byte ^ 1 << random() % 8);
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
		close(fd);
	}
	}
	for (size_t k = 0; k < n; k++)
		free(paths[k]);
	free(paths);
}

/* ---- a plain reading ---------------------------------------------------------------------- */

struct item {
	char *text; /* as NDJSON; owned */
	event_id id;
	uint8_t severity;
	bool is_gap, is_match, is_damage;
};

static struct item items[LINES_MAX];
static size_t n_items;
static struct filter_run run;
static struct past_channel channels[CHANNELS];
static uint64_t n_indexed; /* events that were counted by the index alone */

static void note(const struct past *p)
{
	struct buf b = {0};
	struct item *it = &items[n_items++];
	ck_assert_uint_lt(n_items, LINES_MAX);
	if (p->gap_reason)
		format_gap(&b, FORMAT_NDJSON, STR("e"),
			   &(struct gap){.channel = p->channel->name,
					 .from = p->gap_from,
					 .to = p->gap_to,
					 .at = MAX(p->upto, (event_id)1),
					 .count = p->gap_count,
					 .reason = p->gap_reason},
			   true);
	else
		format_event(&b, FORMAT_NDJSON, STR("e"), p->channel->name, &p->event, true);
	*it = (struct item){.text = mem_strndup(b.data, b.len),
			    .id = p->id,
			    .severity = p->event.severity,
			    .is_gap = p->gap_reason,
			    .is_match = past_matches(p, &run) == 1,
			    .is_damage = p->gap_reason && strcmp(p->gap_reason, "damaged") == 0};
	buf_fini(&b);
}

static void read_plainly(event_id after, event_id upto)
{
	struct pasts pasts;
	struct past *p;
	while (n_items)
		free(items[--n_items].text);
	pasts_init(&pasts, channels, CHANNELS, after);
	for (; (p = pasts_first(&pasts, upto)); past_advance(p))
		note(p);
	pasts_fini(&pasts);
}

static bool is_near(const struct item *const *in_order, size_t end, size_t i, int step, uint64_t n)
{
	while (n) {
		i += (size_t)step;
		if (i >= end)
			return false;
		if (in_order[i]->is_gap)
			continue;
		if (in_order[i]->is_match)
			return true;
		n--;
	}
	return false;
}

/* What a search should bring, in order. */
static void expect(const struct searcher *s, struct buf *out)
{
	const struct item **in_order = mem_zero((n_items + 1) * sizeof(in_order[0]));
	uint64_t ahead = s->is_oldest_first ? s->lines_before : s->lines_after;
	uint64_t behind = s->is_oldest_first ? s->lines_after : s->lines_before;
	uint64_t n_matches = 0, left = 0;
	size_t end = 0;
	for (size_t i = 0; i < n_items; i++)
		in_order[i] = &items[s->is_oldest_first ? i : n_items - 1 - i];
	for (; end < n_items; end++) {
		const struct item *it = in_order[end];
		if (s->limit && n_matches == s->limit && (!left || (it->is_match && !it->is_gap)))
			break;
		if (it->is_gap)
			continue;
		if (it->is_match) {
			n_matches++;
			left = behind;
		} else if (left) {
			left--;
		}
	}
	for (size_t i = 0; i < end; i++) {
		const struct item *it = in_order[i];
		bool is_context = !it->is_gap && !it->is_match &&
				  (is_near(in_order, end, i, 1, ahead) ||
				   is_near(in_order, end, i, -1, behind));
		if (!it->is_gap && !it->is_match && !is_context)
			continue;
		size_t len = strlen(it->text);
		buf_put(out, it->text, is_context ? len - 2 : len);
		if (is_context)
			buf_puts(out, ",\"context\":true}\n");
	}
	free(in_order);
}

/* ---- */

static void search(struct searcher *s, bool in_slices, struct buf *out)
{
	*out = (struct buf){0};
	for (;;) {
		bool is_over = searcher_run(s, in_slices ? 0 : clock_mono_ns() + 100 * NS_PER_SEC,
					    in_slices ? (size_t)(random() % 5000) + 1 : SIZE_MAX);
		ck_assert_uint_le(s->read, s->total);
		buf_put_str(out, buf_str(&s->out));
		s->out.len = 0;
		if (is_over)
			return;
	}
}

/* Blocks that are skipped are not read, so damage in them is not told. */
static bool may_skip(void)
{
	for (int i = 0; i < CHANNELS; i++)
		for (size_t k = 0; channels[i].scan && k < channels[i].snapshot.n; k++)
			if (channels[i].snapshot.parts[k].segment->sealed)
				return true;
	return false;
}

/* Those of journals; events that say that something was lost have a time. */
static void drop_gaps(struct buf *text)
{
	struct buf left = {0};
	for (char *p = text->data, *end = p + text->len; p < end;) {
		char *next = (char *)memchr(p, '\n', (size_t)(end - p)) + 1;
		if (!memmem(p, (size_t)(next - p), "\"event\":\"gap\",\"channel\"", 23))
			buf_put(&left, p, (size_t)(next - p));
		p = next;
	}
	buf_fini(text);
	*text = left;
}

static void compare(const struct searcher *asked, bool in_slices)
{
	struct searcher s = *asked;
	struct buf want = {0}, got;
	expect(&s, &want);
	search(&s, in_slices, &got);
	if (may_skip() && want.len && memmem(want.data, want.len, "\"reason\":\"damaged\"", 18)) {
		drop_gaps(&want);
		drop_gaps(&got);
	}
	if (!str_eq(buf_str(&got), buf_str(&want))) {
		size_t i = 0;
		while (i < got.len && i < want.len && got.data[i] == want.data[i])
			i++;
		i = i > 300 ? i - 300 : 0;
		ck_abort_msg(
			"oldest %d, limit %u, context %u %u, from %llu to %llu: got %zu bytes, not "
			"%zu; from byte %zu\ngot:  %.600s\nwant: %.600s",
			s.is_oldest_first, (unsigned)s.limit, (unsigned)s.lines_before,
			(unsigned)s.lines_after, (unsigned long long)s.after,
			(unsigned long long)s.upto, got.len, want.len, i,
			got.len > i ? got.data + i : "", want.len > i ? want.data + i : "");
	}
	ck_assert(s.is_complete || s.is_full);
	buf_fini(&want);
	buf_fini(&got);
	searcher_fini(&s);
}

/* ---- counts ----------------------------------------------------------------------------- */

static void expect_counts(const struct counter *c, uint64_t *counts, uint64_t *n_gaps,
			  bool *has_damage)
{
	for (size_t i = 0; i < n_items; i++) {
		const struct item *it = &items[i];
		*n_gaps += it->is_gap;
		*has_damage |= it->is_damage;
		if (it->is_gap || !it->is_match)
			continue;
		uint64_t ms = MAX(id_ms(it->id), c->since_ms) - c->since_ms;
		size_t bucket = (size_t)MIN(ms / c->width_ms, c->n_buckets - 1);
		counts[bucket * SEVERITIES + severity_place(it->severity)]++;
	}
}

/* Whatever is read, and whatever only the index is asked for. */
static void compare_counts(const struct filter_scan *scans, event_id after, event_id upto,
			   bool in_slices)
{
	struct counter c = {.run = &run,
			    .channels = channels,
			    .scans = scans,
			    .n_channels = CHANNELS,
			    .after = after,
			    .upto = upto,
			    .since_ms = id_ms(after) + (uint64_t)random() % 2,
			    .width_ms = (uint64_t)(random() % 3 ? random() % 100 + 1 : 1000000),
			    .n_buckets = (size_t)random() % 50 + 1};
	uint64_t *want = mem_zero(c.n_buckets * SEVERITIES * sizeof(want[0])), n_gaps = 0;
	bool has_damage = false;
	expect_counts(&c, want, &n_gaps, &has_damage);
	counter_init(&c);
	while (!counter_run(&c, in_slices ? 0 : INT64_MAX))
		ck_assert_uint_le(c.backwards.read, c.backwards.total);
	ck_assert(c.is_complete);
	for (size_t i = 0; i < c.n_buckets * SEVERITIES; i++)
		ck_assert_msg(c.counts[i] == want[i] || (has_damage && c.counts[i] > want[i] &&
							 c.counts[i] - want[i] <= c.n_indexed),
			      "bucket %zu, severity %zu: %llu, not %llu; %llu from the index",
			      i / SEVERITIES, i % SEVERITIES, (unsigned long long)c.counts[i],
			      (unsigned long long)want[i], (unsigned long long)c.n_indexed);
	/* Blocks that are not read tell no damage, and are counted as if there were none. */
	if (!has_damage)
		ck_assert_uint_eq(c.missing.n, n_gaps);
	n_indexed += c.n_indexed;
	counter_fini(&c);
	free(want);
}

static event_id random_id(void)
{
	return random() % 3 ? (event_id)random() % (newest + 2) : 0;
}

static void search_at_random(void)
{
	static const char *const filters[] = {
		NULL,
		"message contains \"77\"",
		"severity <= 1",
		"message == \"none\"",
		"not message contains \"7\"",
		"message icontains \"5 XXX\" and severity <= 4",
		"message ~ /7[0-9]7/ or message ~ /123.*xxx/",
		"message ~ /^99/ or message contains \"11 \"",
	};
	/* With a number between the two parts. */
	static const char *const of_number[][2] = {
		{"fields.user == ", ""},
		{"fields.user == \"", "\""},
		{"fields.user == ", ".5"},
		{"fields.user in (1, null, ", ")"},
		{"message contains \"7\" and fields.user == ", ""},
		{"fields.deep.er.1.x == ", ""},
		{"fields.deep.er.1.x == 7 or fields.user == ", " or fields.id == \"none\""},
		{"not fields.user == ", ""},
		{"fields.user == true or fields.nowhere == ", ""},
	};
	/* With one of these texts between the two parts. */
	static const char *const of_one[][2] = {
		{"message contains \"", "\""},
		{"message contains \"nobody-has-this\" or message contains \"", "\""},
		{"message icontains \"", "\""},
		{"message ~ /[0-9]+ ", "/"},
		{"severity <= 6 and message contains \"", "\""},
		{"fields.id == \"", "\""},
		{"message contains \"xxxxxxxxxx\" and fields.id == \"", "\""},
		{"(fields.user == 7 or fields.user == 8) and message contains \"", "\""},
	};
	char one[256];
	const char *text = filters[(size_t)random() % array_size(filters)];
	if (random() % 2) {
		const char *const *parts = of_one[(size_t)random() % array_size(of_one)];
		snprintf(one, sizeof(one), "%s%s%s", parts[0], some_id[(size_t)random() % 16],
			 parts[1]);
		text = one;
	} else if (random() % 2) {
		const char *const *parts = of_number[(size_t)random() % array_size(of_number)];
		snprintf(one, sizeof(one), "%s%ld%s", parts[0], random() % 5000, parts[1]);
		text = one;
	}
	struct buf why = {0};
	struct filter *f = text ? filter_parse(NULL, str_of(text), &why) : NULL;
	ck_assert_msg(!why.len, "%s: %s", text, buf_text(&why));
	struct searcher s = {.run = &run,
			     .epoch = STR("e"),
			     .channels = channels,
			     .n_channels = CHANNELS,
			     .format = FORMAT_NDJSON,
			     .is_oldest_first = random() % 2,
			     .after = random_id(),
			     .upto = newest,
			     .limit = random() % 2 ? (uint64_t)(random() % 50) : 0};
	event_id upto = random_id();
	if (upto)
		s.upto = upto;
	if (random() % 3 == 0) {
		s.lines_before = (uint64_t)random() % 5;
		s.lines_after = (uint64_t)random() % 5;
	}
	for (int i = 0; i < CHANNELS; i++) {
		static const char *const names[] = {"a", "b", "c"};
		event_id low = journal_low_watermark(&journals[i]);
		channels[i] = (struct past_channel){.name = str_of(names[i]), .filter = f};
		journal_snapshot_back(&journals[i], s.upto, &channels[i].snapshot);
		if (low > s.after && low <= s.upto)
			channels[i].gap_to = low;
	}
	read_plainly(s.after, s.upto);
	struct filter_scan scans[CHANNELS];
	bool scans_too = !s.lines_before && !s.lines_after && random() % 4;
	for (int i = 0; i < CHANNELS; i++) {
		filter_scan_init(&scans[i], f, channels[i].name);
		if (scans_too)
			channels[i].scan = &scans[i];
	}
	compare(&s, false);
	compare(&s, true);
	compare_counts(scans, s.after, s.upto, random() % 2);
	for (int i = 0; i < CHANNELS; i++)
		journal_snapshot_fini(&channels[i].snapshot);
	filter_unref(f);
	buf_fini(&why);
}

START_TEST(newest_first_is_the_reverse_of_oldest_first_and_both_are_a_plain_reading)
{
	const char *is_long = getenv("TEST_LONG");
	int rounds = is_long && strcmp(is_long, "1") == 0 ? 300 : 12;
	int64_t until_ns = clock_mono_ns() + (rounds > 12 ? 100 : 5) * NS_PER_SEC;
	const char *wanted = getenv("TEST_SEED");
	unsigned seed = wanted ? (unsigned)atoi(wanted) : (unsigned)getpid();
	fprintf(stderr, "seed %u\n", seed);
	srandom(seed);
	filter_run_init(&run);
	for (int round = 0; round < rounds && clock_mono_ns() < until_ns; round++) {
		newest = 1000000;
		for (int i = 0; i < CHANNELS; i++) {
			strcpy(dirs[i], "/tmp/sluice-searcher-XXXXXX");
			ck_assert_ptr_nonnull(mkdtemp(dirs[i]));
		}
		for (int life = 0; life < 3; life++) {
			open_journals();
			for (long n = random() % 400; n > 0; n--)
				append_some();
			if (random() % 2)
				seal_some();
			for (int i = 0; i < 6; i++)
				search_at_random();
			close_journals();
			for (long n = random() % 3; n > 0; n--)
				tamper((int)(random() % CHANNELS));
		}
		remove_dirs();
	}
	while (n_items)
		free(items[--n_items].text);
	filter_run_fini(&run);
	fprintf(stderr, "%llu events were counted by the index alone\n",
		(unsigned long long)n_indexed);
}
END_TEST

UNIT_MAIN("searcher", newest_first_is_the_reverse_of_oldest_first_and_both_are_a_plain_reading)
