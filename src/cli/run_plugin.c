/* SPDX-License-Identifier: MIT
 *
 * run_plugin - sluice run-plugin: one source with no hub, its events as lines
 * on standard output.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/process.h"
#include "base/utf8.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "source/driver.h"
#include "wire/record.h"
#include "wire/sse.h"

static const char usage[] =
	"usage: sluice run-plugin NAME|FILE.so [key=value ...]\n\n"
	"Runs the plugin as a source would, and prints each event as one line:\n"
	"its type, and JSON.\n"
	"A list is given by repeating its key; a map as key=name=value.  Its log goes\n"
	"to standard error.  Ctrl-C stops it.\n";

enum { CREDIT = 1024 * 1024, STOP_PATIENCE_MS = 3000 };

static volatile sig_atomic_t interrupted;

static void on_signal(int signo maybe_unused)
{
	interrupted = 1;
}

static int print_event(const struct event *raw)
{
	struct event ev = *raw;
	struct buf out = {0}, message = {0}, fields = {0}, visible = {0};
	int r = fields_clean(raw->fields, &fields, &ev.fields);
	utf8_put(&message, raw->message);
	ev.message = buf_str(&message);
	buf_printf(&out, "%.*s ", (int)ev.type.len, ev.type.data);
	event_put_json(&out, STR("run-plugin"), STR("run-plugin"), &ev, false);
	buf_putc(&out, '\n');
	utf8_put_visible_json(&visible, buf_str(&out));
	fwrite(visible.data, 1, visible.len, stdout);
	buf_fini(&visible);
	buf_fini(&out);
	buf_fini(&message);
	buf_fini(&fields);
	return r;
}

static int print_events(struct driver *d, struct str body)
{
	struct record rec;
	struct str rest = body;
	int got;
	while ((got = record_next(&rest, &rec)) == 1)
		if (rec.kind == RECORD_EVENT && print_event(&rec.event))
			return -EBADMSG;
	fflush(stdout);
	driver_credit(d, (uint32_t)body.len + FRAME_HEAD);
	return got;
}

/* Two texts of which the second is what matters. */
static void print_texts(const char *what, struct str body, bool short_strings)
{
	struct reader r = reader_of(body.data, body.len);
	struct str first = short_strings ? get_short_str(&r) : get_bytes(&r, 1);
	struct str text = short_strings || reader_left(&r) < 2 ? get_short_str(&r)
							       : get_bytes(&r, reader_left(&r));
	cli_print(stderr, "sluice: %s%.*s%s%.*s\n", what, short_strings ? (int)first.len : 0,
		  first.data, short_strings && first.len ? ": " : "", (int)text.len, text.data);
}

static void print_log(struct str body)
{
	static const char *const levels[] = {"error", "warning", "info", "debug"};
	struct reader r = reader_of(body.data, body.len);
	uint8_t level = get_byte(&r);
	struct str text = get_short_str(&r);
	cli_print(stderr, "sluice: %s: %.*s\n", levels[MIN(level, 3)], (int)text.len, text.data);
}

/* 0 to go on. */
static int take(struct driver *d, const struct frame *f, int *status)
{
	switch (f->type) {
	case FRAME_EVENTS: return print_events(d, f->body);
	case FRAME_LOG: print_log(f->body); return 0;
	case FRAME_REFUSED:
		print_texts("refused: ", f->body, true);
		*status = 2;
		return 0;
	case FRAME_END:
		print_texts("ended: ", f->body, false);
		*status = f->body.len && f->body.data[0] == END_FINISHED ? 0 : 1;
		return 0;
	default: return 0;
	}
}

static int drive(struct driver *d)
{
	int status = 0, got;
	struct frame f;
	bool stopping = false;
	driver_credit(d, CREDIT);
	while ((got = driver_next(d, 100, &f)) >= 0) {
		if (got && take(d, &f, &status))
			got = -EBADMSG;
		if (got < 0)
			break;
		if (interrupted && !stopping) {
			stopping = true;
			driver_send(d, FRAME_STOP, (struct str){NULL, 0});
		}
	}
	if (got == -EBADMSG) {
		fputs("sluice: the plugin's process sent what is no frame\n", stderr);
		status = 1;
	}
	int ended;
	driver_end(d, STOP_PATIENCE_MS, &ended);
	if (WIFSIGNALED(ended) && status == 0) {
		char *how = process_describe_status(ended);
		fprintf(stderr, "sluice: the plugin's process was %s\n", how);
		free(how);
		status = 1;
	}
	return status;
}

int run_plugin_command(int argc, char **argv)
{
	struct tables tables;
	struct source_settings settings;
	struct driver d;
	char *why = NULL;
	int status;
	struct arguments a = {.command = "run-plugin", .usage = usage, .words_max = -1};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	if (!a.n_words)
		return arguments_refuse(&a, "which plugin?  Give its name or its file");
	status = plugin_settings(a.words[0], a.n_words - 1, a.words + 1, &tables, &settings);
	struct sigaction sa = {.sa_handler = on_signal};
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (!status &&
	    driver_start(&d, NULL, OPENING_RUN, &settings, (struct str){NULL, 0}, &why)) {
		cli_print(stderr, "sluice: %s\n", why);
		status = 1;
	} else if (!status) {
		status = drive(&d);
	}
	free(why);
	source_settings_fini(&settings);
	tables_fini(&tables);
	return status;
}
