/* SPDX-License-Identifier: MIT
 *
 * test_plugin - sluice test-plugin: drives any plugin through its life and
 * through what may happen to it, and says which rule it breaks.
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/unit.h"
#include "base/utf8.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "conf/name.h"
#include "conf/packed.h"
#include "host/emission.h"
#include "source/driver.h"
#include "wire/format.h"
#include "wire/record.h"

static const char usage[] =
	"usage: sluice test-plugin [--allow-no-events] FILE.so [key=value ...]\n\n"
	"Drives the plugin through its life with these options - described, opened,\n"
	"run, held back, reloaded, stopped, killed and started again - and with bad\n"
	"options, little memory and a hub that goes away.  Prints a line for each rule;\n"
	"the exit status is 1 if one is broken.\n\n"
	"The plugin must emit events during the test.\n";

enum {
	CREDIT = 256 * 1024,
	OPEN_MS = 5000,
	EVENTS_MS = 2000,
	HELD_BACK_MS = 500,
	PING_MS = 2000,
	STOP_MS = 3000,
};

struct test {
	struct tables tables;
	struct source_settings settings;
	const char *file;
	struct buf cursors; /* records, the newest committed of each key last */
	uint64_t n_events;
	bool may_be_silent;
	char *undeclared, *refused; /* the first of each; owned, NULL: none */
	int passed, failed;
};

static void report(struct test *t, char *why, const char *fmt, ...) printf_like(3, 4);

/* `why` is NULL when the rule is kept; taken. */
static void report(struct test *t, char *why, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs(why ? "not ok " : "ok ", stdout);
	vprintf(fmt, ap);
	va_end(ap);
	if (why)
		cli_print(stdout, ": %s", why);
	putchar('\n');
	fflush(stdout);
	if (why)
		t->failed++;
	else
		t->passed++;
	free(why);
}

/* ---- the tables ----------------------------------------------------------------------- */

static bool is_event_name(const char *s)
{
	size_t n = strlen(s);
	return n >= 1 && n <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == n;
}

static char *check_event_types(const struct tables *t)
{
	for (const struct sluice_event_type *ev = t->events; ev->name; ev++) {
		if (!is_event_name(ev->name))
			return mem_printf("the event \"%s\" is not named [a-z0-9_.-]{1,64}",
					  ev->name);
		bool is_gap = strcmp(ev->name, "gap") == 0; /* what SLUICE_GAP is called */
		if (!is_gap && !str_eq(format_type(str_of(ev->name)), str_of(ev->name)))
			return mem_printf("the event \"%s\" has a name that is one of sluice's own "
					  "(clients would see \"event.%s\")",
					  ev->name, ev->name);
		if (!ev->version)
			return mem_printf("the event \"%s\" has no version (begin with 1)",
					  ev->name);
		for (const struct sluice_field_type *f = ev->fields; f && f->name; f++)
			if (f->type != SLUICE_BOOL && f->type != SLUICE_INT &&
			    f->type != SLUICE_DOUBLE && f->type != SLUICE_STRING &&
			    f->type != SLUICE_JSON)
				return mem_printf("the field \"%s\" of \"%s\" is of no type that a "
						  "field can have",
						  f->name, ev->name);
	}
	return NULL;
}

static char *check_options(const struct tables *t)
{
	for (const struct sluice_option *o = t->options; o->name; o++) {
		char *why = o->fallback && o->type != SLUICE_MAP && o->fallback[0]
				    ? option_check(o, o->fallback)
				    : NULL;
		char *said = why ? mem_printf("the default of \"%s\": %s", o->name, why) : NULL;
		free(why);
		if (said)
			return said;
		if (!*o->doc)
			return mem_printf("the option \"%s\" has no doc", o->name);
		if (settings_find(source_rows, o->name))
			return mem_printf(
				"the option \"%s\" is one that sluice itself has in every "
				"source (name it otherwise)",
				o->name);
	}
	return NULL;
}

static char *check_name(const struct test *t)
{
	const char *base = strrchr(t->settings.plugin, '/') + 1;
	size_t n = strlen(t->tables.name);
	if (!name_is_valid(t->tables.name))
		return mem_printf("\"%s\" is no name", t->tables.name);
	if (strncmp(base, t->tables.name, n) != 0 || strcmp(base + n, ".so") != 0)
		return mem_printf("the plugin calls itself \"%s\" and its file is %s (a "
				  "configuration finds it by its file)",
				  t->tables.name, base);
	return NULL;
}

static void test_tables(struct test *t)
{
	report(t, check_name(t), "its name is that of its file");
	report(t, check_options(&t->tables), "its options are in order");
	report(t, check_event_types(&t->tables), "its event types are in order");
}

/* ---- opening --------------------------------------------------------------------------- */

static void test_open(struct test *t)
{
	char *why = NULL, *option = NULL;
	if (probe_open(&t->settings, &option, &why) == 0) {
		free(why);
		why = NULL;
	}
	report(t, why, "opens with these options, and closes");
	free(option);
}

/* A refusal is as good as an acceptance; only a crash or silence is not. */
static void test_bad_options(struct test *t)
{
	static const char *const values[] = {"", "\x01\xff\xfe", "0", "%n%s%n"};
	struct place nowhere = {0};
	char *broken = NULL;
	for (const struct sluice_option *o = t->tables.options; o->name && !broken; o++) {
		if (o->type != SLUICE_STRING && o->type != SLUICE_SECRET)
			continue;
		for (size_t i = 0; i < array_size(values) && !broken; i++) {
			struct source_settings src = t->settings;
			struct option_values only = {0};
			char *option = NULL, *why = NULL;
			option_add(&only, o, values[i], nowhere);
			src.options = only;
			if (probe_open(&src, &option, &why) == -EIO)
				broken = mem_printf("%s=\"%s\" alone: %s", o->name, values[i], why);
			option_values_fini(&only);
			free(option);
			free(why);
		}
	}
	report(t, broken, "takes or refuses any text in its options");
}

/* ---- running ------------------------------------------------------------------------------ */

/* In the tables a part of a name in capitals stands for any names: system.cpu.MODE. */
static bool is_placeholder(struct str part)
{
	for (size_t i = 0; i < part.len; i++)
		if (!isupper((unsigned char)part.data[i]))
			return false;
	return part.len > 1;
}

static bool names_field(const char *declared, struct str name)
{
	struct buf pattern = {0};
	char *text = mem_strndup(name.data, name.len);
	for (const char *p = declared; *p;) {
		struct str part = {p, strcspn(p, ".")};
		buf_put_str(&pattern, is_placeholder(part) ? STR("*") : part);
		p += part.len;
		if (*p)
			buf_putc(&pattern, *p++);
	}
	bool ret = fnmatch(buf_text(&pattern), text, 0) == 0;
	buf_fini(&pattern);
	free(text);
	return ret;
}

/* What a gap says needs no declaration. */
static bool is_declared(const struct sluice_event_type *type, const struct event *ev,
			struct str name)
{
	bool is_gap = (ev->flags & EVENT_GAP) != 0;
	if (is_gap && (str_is(name, "reason") || str_is(name, "count")))
		return true;
	for (const struct sluice_field_type *f = type->fields; f && f->name; f++)
		if (names_field(f->name, name))
			return true;
	return false;
}

static char *check_fields(const struct sluice_event_type *type, const struct event *ev)
{
	struct buf scratch = {0};
	struct str rest;
	struct field f;
	char *why = NULL;
	if (fields_clean(ev->fields, &scratch, &rest)) {
		buf_fini(&scratch);
		return mem_printf("an event \"%s\" has broken fields", type->name);
	}
	while (!why && field_next(&rest, &f) == 1)
		if (!is_declared(type, ev, f.name))
			why = mem_printf(
				"an event \"%s\" has the field \"%.*s\" (add it to the fields of "
				"this event type; a field called NAME stands for any)",
				type->name, (int)f.name.len, f.name.data);
	buf_fini(&scratch);
	return why;
}

static char *check_event(const struct test *t, const struct event *ev)
{
	for (const struct sluice_event_type *type = t->tables.events; type->name; type++)
		if (str_is(ev->type, type->name))
			return check_fields(type, ev);
	return mem_printf("an event has the type \"%.*s\" (add it to the event types)",
			  (int)ev->type.len, ev->type.data);
}

/* What the host did not take, it says in the log. */
static void note_refused(struct test *t, struct str body)
{
	struct reader r = reader_of(body.data, body.len);
	uint8_t level = get_byte(&r);
	struct str text = get_short_str(&r);
	struct str begin = {text.data, MIN(text.len, strlen(HOST_MISTAKE))};
	if (!r.failed && level == SLUICE_LOG_ERROR && !t->refused && str_is(begin, HOST_MISTAKE))
		t->refused = mem_strndup(text.data, text.len);
}

/* Takes what a frame holds; *opened when the source has opened. */
static char *take(struct test *t, const struct frame *f, bool *opened)
{
	struct str rest = f->body;
	struct record rec;
	int got = 0;
	if (f->type == FRAME_OPENED)
		*opened = true;
	if (f->type == FRAME_REFUSED)
		return mem_strdup("refuses options that open() has taken before");
	if (f->type == FRAME_END && f->body.len && f->body.data[0] == END_FOR_GOOD)
		return mem_strdup("gives up for good");
	if (f->type == FRAME_LOG)
		note_refused(t, f->body);
	if (f->type != FRAME_EVENTS)
		return NULL;
	while ((got = record_next(&rest, &rec)) == 1) {
		if (rec.kind == RECORD_CURSOR) {
			record_put_cursor(&t->cursors, &rec.cursor);
			continue;
		}
		t->n_events++;
		if (!t->undeclared)
			t->undeclared = check_event(t, &rec.event);
	}
	return got < 0 ? mem_strdup("sent invalid records") : NULL;
}

/* Takes frames, giving credit back for events if it is to, until one of type `until` has
 * *come or the time is over: NULL in both cases.
 */
static char *await(struct test *t, struct driver *d, int ms, enum frame_type until, bool credit,
		   bool *come)
{
	int64_t end = clock_mono_ns() + ms * NS_PER_MS;
	bool opened = false;
	*come = false;
	while (!*come) {
		struct frame f;
		int64_t left = (end - clock_mono_ns()) / NS_PER_MS;
		int got = left > 0 ? driver_next(d, (int)left, &f) : 0;
		if (got == 0)
			return NULL;
		if (got == -EPIPE)
			return mem_strdup("its process has ended");
		char *why = got < 0 ? mem_strdup("sent what is no frame") : take(t, &f, &opened);
		if (why)
			return why;
		if (credit && f.type == FRAME_EVENTS)
			driver_credit(d, (uint32_t)f.body.len + FRAME_HEAD);
		*come = f.type == until;
	}
	return NULL;
}

/* The same where it may come or not. */
static char *pump(struct test *t, struct driver *d, int ms, enum frame_type until, bool credit)
{
	bool come;
	return await(t, d, ms, until, credit, &come);
}

/* Started and open; or a sentence. */
static char *begin(struct test *t, struct driver *d)
{
	char *why = NULL;
	if (driver_start(d, NULL, OPENING_RUN, &t->settings, buf_str(&t->cursors), &why))
		return why;
	struct frame f;
	bool opened = false;
	while (!opened) {
		int got = driver_next(d, OPEN_MS, &f);
		if (got == 0)
			return mem_printf("has not opened within %d ms", OPEN_MS);
		if (got < 0)
			return mem_strdup("its process ended before it had opened");
		why = take(t, &f, &opened);
		if (why)
			return why;
	}
	return NULL;
}

/* How a process ended, if it ought to have ended well. */
static char *end_well(struct driver *d, int patience_ms)
{
	int status;
	if (!driver_end(d, patience_ms, &status))
		return mem_printf("did not end within %d ms", patience_ms);
	if (!WIFSIGNALED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	char *how = process_describe_status(status);
	char *why = mem_printf("its process ended badly: %s", how);
	free(how);
	return why;
}

/* Asks it to stop, goes on reading, and waits for its end. */
static char *stop(struct test *t, struct driver *d)
{
	char *why = NULL;
	int64_t end = clock_mono_ns() + STOP_MS * NS_PER_MS;
	driver_send(d, FRAME_STOP, (struct str){NULL, 0});
	while (!why && clock_mono_ns() < end)
		why = pump(t, d, STOP_MS, FRAME_END, true);
	free(why); /* that it has ended is what is asked for */
	return end_well(d, STOP_MS);
}

static void test_run(struct test *t)
{
	struct driver d;
	char *why = begin(t, &d);
	if (!why) {
		driver_credit(&d, CREDIT);
		why = pump(t, &d, EVENTS_MS, FRAME_EVENTS, true);
	}
	if (why && d.pid)
		driver_end(&d, 0, NULL);
	report(t, why, "runs (%llu %s in at most %d ms)", (unsigned long long)t->n_events,
	       plural(t->n_events, "event", "events"), EVENTS_MS);
	if (!d.pid)
		return;
	if (!(t->tables.flags & SLUICE_MAY_BLOCK)) {
		driver_send(&d, FRAME_PING, (struct str){NULL, 0});
		bool come;
		why = await(t, &d, PING_MS, FRAME_PONG, true, &come);
		if (!why && !come)
			why = mem_printf("has not called its host for %d ms (call wait(), or set "
					 "SLUICE_MAY_BLOCK)",
					 PING_MS);
		report(t, why, "answers the watchdog");
	}
	report(t, stop(t, &d), "stops when it is told to");
}

static void test_held_back(struct test *t)
{
	struct driver d;
	char *why = begin(t, &d);
	if (!why)
		why = pump(t, &d, HELD_BACK_MS, FRAME_EVENTS, false);
	if (!why) {
		driver_credit(&d, CREDIT);
		why = pump(t, &d, HELD_BACK_MS, FRAME_END, true);
	}
	char *stopped = d.pid ? stop(t, &d) : NULL;
	if (!why)
		why = stopped;
	else
		free(stopped);
	report(t, why, "waits while the hub is behind, and goes on");
}

static void test_stop_held_back(struct test *t)
{
	struct driver d;
	char *why = begin(t, &d);
	if (!why)
		why = pump(t, &d, HELD_BACK_MS, FRAME_EVENTS, false);
	if (!why)
		why = stop(t, &d);
	else if (d.pid)
		driver_end(&d, 0, NULL);
	report(t, why, "stops while the hub is behind");
}

static void test_killed(struct test *t)
{
	char *why = NULL;
	for (int i = 0; i < 3 && !why; i++) {
		struct driver d;
		why = begin(t, &d);
		if (!why) {
			driver_credit(&d, CREDIT);
			why = pump(t, &d, 100, FRAME_EVENTS, true);
		}
		if (d.pid)
			driver_end(&d, 0, NULL);
	}
	report(t, why, "starts again from its cursors after kill -9");
}

static void test_hub_gone(struct test *t)
{
	struct driver d;
	char *why = begin(t, &d);
	if (!why) {
		driver_credit(&d, CREDIT);
		why = pump(t, &d, 100, FRAME_EVENTS, true);
	}
	if (!why) {
		fd_close(&d.fd);
		if (!driver_end(&d, STOP_MS, NULL))
			why = mem_strdup("lives on without a hub");
	} else if (d.pid) {
		driver_end(&d, 0, NULL);
	}
	report(t, why, "ends when the hub is gone");
}

static void test_reload(struct test *t)
{
	struct driver d;
	struct buf packed = {0};
	bool can = false;
	for (const struct sluice_option *o = t->tables.options; o->name; o++)
		can |= (o->flags & SLUICE_RELOADABLE) != 0;
	if (!can)
		return;
	char *why = begin(t, &d);
	if (!why) {
		driver_credit(&d, CREDIT);
		packed_put_source(&packed, &t->settings);
		driver_send(&d, FRAME_RELOAD, buf_str(&packed));
		bool come;
		why = await(t, &d, OPEN_MS, FRAME_RELOADED, true, &come);
		if (!why && !come)
			why = mem_strdup("has not taken its options over");
	}
	buf_fini(&packed);
	char *stopped = d.pid ? stop(t, &d) : NULL;
	if (!why)
		why = stopped;
	else
		free(stopped);
	report(t, why, "takes changed options over while it runs");
}

/* It may end, and be started again by the hub; it must not hang. */
static void test_little_memory(struct test *t)
{
	char *why = NULL;
	int ended = 0, tries = 0;
	for (int64_t kib = 512; kib <= 16 * 1024 && !why; kib *= 2, tries++) {
		struct driver d;
		t->settings.limits.memory = kib * 1024;
		char *ignored = begin(t, &d);
		if (!ignored) {
			driver_credit(&d, CREDIT);
			ignored = pump(t, &d, 100, FRAME_END, true);
		}
		ended += ignored != NULL;
		free(ignored);
		if (!d.pid)
			continue;
		driver_send(&d, FRAME_STOP, (struct str){NULL, 0});
		free(pump(t, &d, STOP_MS, FRAME_END, true));
		if (!driver_end(&d, STOP_MS, NULL))
			why = mem_printf("hangs with %lld KiB of memory", (long long)kib);
	}
	report(t, why, "does not hang for want of memory (ended in %d of %d tries)", ended, tries);
}

/* What has come of all that. */
static void test_events(struct test *t)
{
	char *why = NULL;
	if (!t->n_events && !t->may_be_silent)
		why = mem_strdup("no event was emitted in the test (set options with which the "
				 "plugin emits events at once, or use --allow-no-events)");
	report(t, why, "emits events (%llu)", (unsigned long long)t->n_events);
	report(t, t->refused, "emits only events that the host accepts");
	report(t, t->undeclared, "emits only events and fields that it declares");
}

int test_plugin_command(int argc, char **argv)
{
	struct test t = {0};
	int status;
	const struct flag flags[] = {{"allow-no-events", 0, NULL,
				      "no events are needed, for a plugin that waits for\n"
				      "something that does not happen in a test",
				      take_yes, &t.may_be_silent},
				     {0}};
	struct arguments a = {
		.command = "test-plugin", .usage = usage, .flags = flags, .words_max = -1};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	if (!a.n_words)
		return arguments_refuse(&a, "which plugin?  Give its file");
	t.file = a.words[0];
	status = plugin_settings(t.file, a.n_words - 1, a.words + 1, &t.tables, &t.settings);
	if (!status) {
		int64_t memory = t.settings.limits.memory;
		test_tables(&t);
		test_open(&t);
		test_bad_options(&t);
		test_run(&t);
		test_held_back(&t);
		test_stop_held_back(&t);
		test_killed(&t);
		test_reload(&t);
		test_hub_gone(&t);
		test_events(&t);
		test_little_memory(&t);
		t.settings.limits.memory = memory;
		printf("%d passed, %d failed\n", t.passed, t.failed);
		status = t.failed ? 1 : 0;
	}
	buf_fini(&t.cursors);
	source_settings_fini(&t.settings);
	tables_fini(&t.tables);
	return status;
}
