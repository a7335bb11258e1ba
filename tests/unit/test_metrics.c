/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "../../plugins/metrics/metrics.h"
#include "../../plugins/metrics/sizes.h"

/* ---- a host of one option, which keeps what it is told ------------------------------------ */

static const char *thresholds[4];
static char refused[700], emitted[700];

static const char *option(struct sluice_source *src, const char *name, size_t i)
{
	(void)src;
	return strcmp(name, "thresholds") == 0 && i < 4 ? thresholds[i] : NULL;
}

static int refuse(struct sluice_source *src, const char *name, const char *message)
{
	(void)src;
	(void)name;
	snprintf(refused, sizeof(refused), "%s", message);
	return -EINVAL;
}

static int emit(struct sluice_source *src, const struct sluice_event *ev)
{
	(void)src;
	size_t n = strlen(emitted);
	snprintf(emitted + n, sizeof(emitted) - n, "%.*s\n", (int)ev->body_len, ev->body);
	return 0;
}

static void log_line(struct sluice_source *src, enum sluice_log_level level, const char *message)
{
	(void)src;
	(void)level;
	(void)message;
}

static const struct sluice_host host = {
	.option = option, .refuse = refuse, .emit = emit, .log = log_line};
static struct sluice_source source = {.host = &host};

static struct state new_state(void)
{
	refused[0] = emitted[0] = 0;
	memset(thresholds, 0, sizeof(thresholds));
	struct state s = {
		.src = &source, .history = history_new(), .rates = true, .interval_ns = 10 * SEC};
	for (size_t i = 0; i < N_COLLECTORS; i++)
		s.wanted[i] = i != COLLECTOR_PRESSURE;
	return s;
}

static void free_state(struct state *s)
{
	history_free(s->history);
	thresholds_free(s->thresholds);
	troubles_forget(s);
	sample_free(&s->sample);
}

static double rate_at(struct state *s, double seconds, uint64_t v)
{
	sample_begin(&s->sample, s, "disk");
	s->sample.now_ns = (int64_t)(seconds * 1e9) + SEC;
	return sample_counter(&s->sample, "x", v, 1);
}

START_TEST(a_rate_is_over_the_time_that_went_by)
{
	struct state s = new_state();
	ck_assert(isnan(rate_at(&s, 0, 1000)));
	ck_assert_double_eq(rate_at(&s, 10, 2000), 100);
	ck_assert_double_eq(rate_at(&s, 15, 2000), 0);
	ck_assert_double_eq(rate_at(&s, 20, UINT64_MAX), (double)(UINT64_MAX - 2000) / 5);
	free_state(&s);
}
END_TEST

START_TEST(a_counter_that_goes_back_has_no_rate)
{
	struct state s = new_state();
	ck_assert(isnan(rate_at(&s, 0, 1000)));
	ck_assert(isnan(rate_at(&s, 10, 999)));
	ck_assert(s.sample.was_reset);
	ck_assert_double_eq(rate_at(&s, 20, 1009), 1);
	ck_assert(!s.sample.was_reset);
	free_state(&s);
}
END_TEST

/* One tick late and the next in time are close together. */
START_TEST(a_span_that_is_too_short_is_measured_with_the_next_one)
{
	struct state s = new_state();
	ck_assert(isnan(rate_at(&s, 0, 1000)));
	ck_assert_double_eq(rate_at(&s, 19.9, 1199), 10);
	ck_assert(isnan(rate_at(&s, 20, 1299)));
	ck_assert_double_eq(rate_at(&s, 29.9, 1299), 10);
	free_state(&s);
}
END_TEST

/* Each by a thread of its own. */
START_TEST(a_mount_point_that_is_not_there_does_not_hide_the_others)
{
	static const char *const dirs[] = {"/", "/proc", "/no/such/directory"};
	struct sizes *z = sizes_new();
	for (int tick = 0; tick < 20; tick++) {
		sizes_begin(z);
		for (size_t i = 0; i < 3; i++)
			sizes_ask(z, dirs[i]);
		sizes_wait(z, 60 * SEC);
		for (size_t i = 0; i < 3; i++) {
			struct sizes_answer a = sizes_get(z, dirs[i]);
			ck_assert(a.is_there);
			ck_assert_int_eq(a.error, i == 2 ? ENOENT : 0);
		}
	}
	sizes_free(z);
}
END_TEST

START_TEST(thresholds_that_cannot_be_met_are_refused)
{
	static const struct {
		const char *option, *said; /* NULL: it is taken */
	} cases[] = {
		{"system.memory.utilization=0.9", NULL},
		{"system.memory.utilization=above 90 %", NULL},
		{"system.memory.utilization= above  90% until  80% , below 1e-1 until .2 ", NULL},
		{"system.linux.memory.available=below 1.5GiB", NULL},
		{"system.filesystem.utilization /mnt/a=b c=0.9", NULL},
		{"system.disk.io.read.rate sd*=100MB", NULL},
		{"system.filesystem.hung=0", NULL},
		{"system.memory.utilisation=0.9", "did you mean \"system.memory.utilization\"?"},
		{"memory.utilization=0.9", "did you mean \"system.memory.utilization\"?"},
		{"system.disk.io.reads.rate=1", "did you mean \"system.disk.io.read.rate\"?"},
		{"cpu=1", "sluice plugins metrics"},
		{"system.memory.utilization.rate=1", "did you mean"},
		{"system.memory.utilization=", "has no threshold"},
		{"system.memory.utilization=,", "has no threshold"},
		{"system.memory.utilization=above", "is not a threshold"},
		{"system.memory.utilization=above0.9", "is not a threshold"},
		{"system.memory.utilization=0.9 0.8", "is not a threshold"},
		{"system.memory.utilization=0.9 until", "is not a threshold"},
		{"system.memory.utilization=inf", "is not a threshold"},
		{"system.memory.utilization=0.8 until 0.9", "until must be lower"},
		{"system.memory.utilization=below 0.2 until 0.1", "until must be higher"},
		{"system.memory.utilization sda=0.9", "one value for the whole machine"},
		{"system.cpu.utilization 0=0.9", "per_cpu"},
		{"system.linux.pressure.cpu.some.10s=0.9", "add pressure to collectors"},
		{"system.memory.utilization=90", "never above 90 (a percentage needs its sign"},
		{"system.memory.utilization=above 100%", "never above 1"},
		{"system.memory.utilization=above -1", "always above -1"},
		{"system.memory.utilization=below 10", "always below 10"},
		{"system.memory.utilization=below 0", "never below 0"},
		{"system.memory.utilization=below 100%", NULL},
		{"system.memory.utilization=above 0", NULL},
		{"system.memory.utilization=below 10% until 20", "would not end at 20"},
		{"system.memory.utilization=above 90% until -80%", "would not end at -0.8"},
		{"system.disk.io_time.rate=90", "never above 90"},
		{"system.disk.weighted_io_time.rate=250%", NULL},
		{"system.linux.memory.available=below 10%", "% is for shares"},
		{"system.memory.utilization=0.8, 0.9", "two thresholds \"above\""},
		{"system.disk.io.read.rate sd*=below 1, below 2", "two thresholds \"below\""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct state s = new_state();
		thresholds[0] = cases[i].option;
		int r = thresholds_read(&s);
		ck_assert_msg(r == (cases[i].said ? -EINVAL : 0), "%s: %s", cases[i].option,
			      refused);
		ck_assert_msg(!cases[i].said || strstr(refused, cases[i].said), "%s: %s",
			      cases[i].option, refused);
		free_state(&s);
	}
}
END_TEST

static const char *said_of(struct state *s, const char *device, double v)
{
	emitted[0] = 0;
	sample_begin(&s->sample, s, "filesystem");
	thresholds_begin(s, "filesystem");
	if (device)
		sample_device(&s->sample, "system.filesystem.mountpoint", device);
	if (device && !isnan(v))
		sample_double(&s->sample, "system.filesystem.utilization", v);
	thresholds_emit(s, "filesystem");
	return emitted;
}

START_TEST(an_alarm_begins_and_ends_once)
{
	struct state s = new_state();
	thresholds[0] = "system.filesystem.utilization=above 0.9 until 0.8";
	ck_assert_int_eq(thresholds_read(&s), 0);
	ck_assert_str_eq(said_of(&s, "/a", 0.9), "");
	ck_assert_str_eq(said_of(&s, "/a", 0.91),
			 "system.filesystem.utilization of /a is 0.91, above its threshold of "
			 "0.9\n");
	ck_assert_str_eq(said_of(&s, "/a", 0.99), "");
	ck_assert_str_eq(said_of(&s, "/a", 0.81), "");
	ck_assert_str_eq(said_of(&s, "/a", NAN), "");
	ck_assert_str_eq(
		said_of(&s, "/a", 0.8),
		"system.filesystem.utilization of /a is 0.8, no longer above its threshold "
		"of 0.9\n");
	ck_assert_str_eq(said_of(&s, "/a", 0.8), "");
	ck_assert(*said_of(&s, "/a", 1));
	ck_assert_str_eq(said_of(&s, NULL, 0),
			 "system.filesystem.utilization of /a no longer exists; it was above its "
			 "threshold of 0.9\n");
	ck_assert_str_eq(said_of(&s, NULL, 0), "");
	free_state(&s);
}
END_TEST

START_TEST(an_alarm_ends_with_its_threshold)
{
	struct state s = new_state();
	thresholds[0] = "system.filesystem.utilization /a=below 0.9";
	ck_assert_int_eq(thresholds_read(&s), 0);
	ck_assert_str_eq(said_of(&s, "/b", 0.1), "");
	ck_assert(*said_of(&s, "/a", 0.1));
	thresholds[0] = "system.filesystem.utilization /b=below 0.05";
	ck_assert_int_eq(thresholds_read(&s), 0);
	ck_assert_str_eq(said_of(&s, "/a", 0.1),
			 "system.filesystem.utilization of /a was below its threshold, which is no "
			 "longer configured\n");
	ck_assert_str_eq(said_of(&s, "/a", 0.1), "");
	free_state(&s);
}
END_TEST

UNIT_MAIN("metrics", a_rate_is_over_the_time_that_went_by, a_counter_that_goes_back_has_no_rate,
	  a_span_that_is_too_short_is_measured_with_the_next_one,
	  a_mount_point_that_is_not_there_does_not_hide_the_others,
	  thresholds_that_cannot_be_met_are_refused, an_alarm_begins_and_ends_once,
	  an_alarm_ends_with_its_threshold)
