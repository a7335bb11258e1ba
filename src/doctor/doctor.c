/* SPDX-License-Identifier: MIT
 *
 * doctor - what sluice doctor URL runs: what lies between a client and sluice, what it does to a
 * stream, and which line of whose configuration changes that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/unit.h"
#include "cli/arguments.h"
#include "doctor/remedies.h"

static const char usage[] =
	"usage: sluice doctor [--hold DURATION] [--insecure] [--user NAME:PASSWORD] URL\n"
	"\n"
	"Shows how anything between you and sluice changes a stream, and which setting\n"
	"fixes it.  URL is where sluice is mounted, such as http://localhost/logs/.\n"
	"The doctor fetches a test stream with gzip and one without.  It names each proxy\n"
	"on the way, and reports if one delays, unpacks or cuts off streams, or allows\n"
	"only a few at once.  The exit status is 1 if it finds a problem.\n";

/* What one kind of client gets. */
struct form {
	const char *what;
	const struct examination *e;
	const struct layers *layers;
};

/* ---- delays ------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* By how much each frame was late, sorted: the fastest one shows how far the clocks are
 * apart, and the last one is always fast, for nobody holds back the end of an answer.
 */
static void find_delays(const struct examination *e, int64_t *ret)
{
	for (size_t i = 0; i < e->n; i++)
		ret[i] = e->came_ms[i] - e->sent_ms[i];
	qsort(ret, e->n, sizeof(ret[0]), by_size);
	for (size_t i = e->n; i-- > 0;)
		ret[i] -= ret[0];
}

/* A single one may be late because a machine was busy. */
static size_t count_late(const int64_t *delays, size_t n, int64_t interval_ms)
{
	int64_t limit_ms = MIN(interval_ms / 2, (int64_t)1000);
	size_t late = 0;
	for (size_t i = 0; i < n; i++)
		late += delays[i] > limit_ms;
	return late * 3 >= n ? late : 0;
}

/* Some are late, and some are not: it may be a machine that is busy. */
static bool is_doubtful(const struct examination *e, int64_t interval_ms)
{
	int64_t delays[EXAMINE_FRAMES_MAX];
	find_delays(e, delays);
	size_t late = count_late(delays, e->n, interval_ms);
	return late && late * 3 < e->n * 2;
}

/* ---- judgements --------------------------------------------------------------------------- */

static int tell_no_answer(const struct examination *e, const char *base)
{
	printf("PROBLEM: %s/probe ", base);
	if (e->error)
		printf("does not answer: %s\n", e->error);
	else if (e->status == 404)
		printf("answers 404: sluice is not mounted here, or the web server does not pass "
		       "on the rest of the path\n");
	else if (e->status == 401 || e->status == 403)
		printf("answers %ld: the web server requires a password (use --user "
		       "NAME:PASSWORD)\n",
		       e->status);
	else if (e->status == 502 || e->status == 503 || e->status == 504)
		printf("answers %ld: %s does not reach sluice (does it run?  is it the same socket "
		       "as hub.listen?  is the web server's user in hub.web_users?)\n",
		       e->status, e->server[0] ? e->server : "the web server");
	else if (e->status == 200)
		printf("answers with %s instead of a stream: something else is mounted there\n",
		       e->type[0] ? e->type : "something");
	else if (e->location[0])
		printf("answers %ld and redirects to %s (run the doctor with that address)\n",
		       e->status, e->location);
	else
		printf("answers %ld\n", e->status);
	return 1;
}

static bool is_stream(const struct examination *e)
{
	return e->status == 200 && strncasecmp(e->type, "text/event-stream", 17) == 0;
}

/* Why it may be late: who changes it has to gather it. */
static enum trouble trouble_of(const struct form *f, int64_t median_ms, int64_t interval_ms)
{
	const struct examination *e = f->e;
	if (e->n && e->is_packed && !e->encoding[0])
		return UNPACKED;
	if (e->n && !e->is_packed && e->encoding[0])
		return COMPRESSED;
	return median_ms < 2 * interval_ms ? DELAYED : HELD_BACK;
}

static int judge_lateness(const struct form *f, const struct examine_how *how)
{
	static const char *const why[] = {[COMPRESSED] = " by something that compresses it",
					  [UNPACKED] = " by something that unpacks it",
					  [FEW_AT_ONCE] = NULL};
	const struct examination *e = f->e;
	int64_t delays[EXAMINE_FRAMES_MAX];
	find_delays(e, delays);
	size_t late = count_late(delays, e->n, how->interval_ms);
	if (!late)
		return 0;
	enum trouble trouble = trouble_of(f, delays[e->n / 2], how->interval_ms);
	printf("PROBLEM: %s is held back%s: %zu of %zu frames arrived late, half of them by %lld "
	       "ms or more; the first arrived after %lld ms\n",
	       f->what, why[trouble] ? why[trouble] : "", late, e->n,
	       (long long)delays[e->n - late / 2 - 1], (long long)e->first_ms);
	remedies_print(f->layers, trouble);
	return 1;
}

/* Harmless while it comes at once, but good to know. */
static void note_changes(const struct form *f)
{
	if (f->e->is_packed && !f->e->encoding[0])
		printf("note: something on the way unpacks %s, which sluice sent compressed\n",
		       f->what);
	else if (!f->e->is_packed && f->e->encoding[0])
		printf("note: something on the way compresses %s (%s), which sluice sent "
		       "uncompressed\n",
		       f->what, f->e->encoding);
}

/* All but the last event, which came too late for somebody who checks how a compressed
 * answer ends: streams have no end, so none that is gzip's (Varnish drops what it has).
 */
static bool is_end_lost(const struct examination *e, const struct examine_how *how)
{
	return !e->has_last && e->is_packed && e->encoding[0] && e->n == (size_t)how->frames;
}

static int judge_frames(const struct form *f, const struct examine_how *how)
{
	const struct examination *e = f->e;
	int bad = judge_lateness(f, how);
	if (is_end_lost(e, how)) {
		printf("note: the last event of %s is lost when the stream ends; clients "
		       "reconnect anyway\n",
		       f->what);
	} else if (!e->has_last) {
		printf("PROBLEM: %s is cut off after %lld ms, with %zu of %d frames\n", f->what,
		       (long long)e->took_ms, e->n - 1, how->frames);
		remedies_print(f->layers, CUT_OFF);
		bad = 1;
	}
	if (bad)
		return 1;
	printf("good: %s arrives frame by frame, the first after %lld ms\n", f->what,
	       (long long)e->first_ms);
	note_changes(f);
	return 0;
}

/* There is an answer, and nothing in it.  Where another form does arrive, the difference
 * is the compression.
 */
static int judge_nothing(const struct form *f, const struct examination *other)
{
	bool is_unpacked = other->n && other->is_packed;
	printf("PROBLEM: %s is held back: nothing of it arrives%s\n", f->what,
	       is_unpacked ? " (something on the way requests gzip, unpacks the stream and "
			     "passes nothing on)"
			   : "");
	remedies_print(f->layers, is_unpacked ? UNPACKED : HELD_BACK);
	return 1;
}

static int judge_form(const struct form *f, const struct examine_how *how,
		      const struct examination *other)
{
	if (f->e->n)
		return judge_frames(f, how);
	if (is_stream(f->e))
		return judge_nothing(f, other);
	return tell_no_answer(f->e, how->base);
}

static int judge_http2(const struct examine_how *how, const struct layers *layers)
{
	enum { AT_ONCE = 20 };
	int n = examine_at_once(how, AT_ONCE);
	if (n < 0) {
		puts("note: no HTTP/2 here; a browser opens at most six streams to a host");
		return 0;
	}
	if (n == AT_ONCE) {
		printf("good: %d streams at once over one HTTP/2 connection\n", n);
		return 0;
	}
	printf("PROBLEM: of %d streams over one HTTP/2 connection, only %d start; the others "
	       "wait\n",
	       AT_ONCE, n);
	remedies_print(layers, FEW_AT_ONCE);
	return 1;
}

#define SIGN_NS (15 * NS_PER_SEC)

static int judge_silence(struct examine_how how, const struct layers *layers, int64_t hold_ns)
{
	struct examination e;
	how.interval_ms = (int)(SIGN_NS / NS_PER_MS);
	how.frames = (int)MIN(hold_ns / NS_PER_MS / how.interval_ms + 1, (int64_t)200);
	printf("holding a quiet stream for %d s...\n", (int)(how.frames * how.interval_ms / 1000));
	fflush(stdout);
	examine(&how, &e, 1);
	struct form f = {"a quiet stream with one frame every 15 s", &e, layers};
	int bad = judge_form(&f, &how, &(struct examination){0});
	examination_fini(&e);
	return bad;
}

static int judge_all(struct examine_how how, const struct examination *packed,
		     const struct examination *plain, int64_t hold_ns)
{
	struct layers layers;
	layers_find(how.base, packed, plain, &layers);
	layers_print(&layers);
	struct form browsers = {"a stream", packed, &layers},
		    others = {"a stream to a client without gzip", plain, &layers};
	int bad = judge_form(&browsers, &how, plain);
	bad |= judge_form(&others, &how, packed);
	how.takes_gzip = true;
	if (strncmp(how.base, "https:", 6) == 0) /* without TLS no browser speaks it */
		bad |= judge_http2(&how, &layers);
	if (hold_ns)
		bad |= judge_silence(how, &layers, hold_ns);
	return bad;
}

static int run_all(struct examine_how how, int64_t hold_ns)
{
	struct examine_how forms[] = {how, how};
	struct examination got[array_size(forms)];
	forms[0].takes_gzip = true;
	forms[1].http1 = true;
	examine(forms, got, array_size(forms));
	if (is_doubtful(&got[0], how.interval_ms) || is_doubtful(&got[1], how.interval_ms)) {
		examination_fini(&got[0]);
		examination_fini(&got[1]);
		examine(forms, got, array_size(forms));
	}
	int bad = is_stream(&got[0]) ? judge_all(how, &got[0], &got[1], hold_ns)
				     : tell_no_answer(&got[0], how.base);
	examination_fini(&got[0]);
	examination_fini(&got[1]);
	return bad;
}

static char *take_hold(void *into, const char *value)
{
	int64_t ns;
	if (unit_parse_duration(value, &ns) || ns < SIGN_NS)
		return mem_strdup("not a duration from 15s, such as 5m");
	*(int64_t *)into = ns;
	return NULL;
}

static bool is_url(const char *s)
{
	return strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0;
}

int main(int argc, char **argv)
{
	fd_fill_standard();
	struct examine_how how = {.frames = 8, .interval_ms = 250};
	int64_t hold_ns = 0;
	int status;
	const struct flag flags[] = {
		{"hold", 0, "DURATION", "also keep a quiet stream open for this time", take_hold,
		 &hold_ns},
		{"insecure", 0, NULL, "accept any certificate", take_yes, &how.insecure},
		{"user", 0, "NAME:PASSWORD", "log in to the web server", take_text, &how.user},
		{0}};
	struct arguments a = {.command = "doctor", .usage = usage, .flags = flags, .words_max = 1};
	if (!arguments_read(&a, argc - 1, argv + 1, &status))
		return status;
	if (!a.n_words || !is_url(a.words[0]))
		return arguments_refuse(&a, "which URL?  Such as http://localhost/logs/");
	char *base = mem_strdup(a.words[0]);
	for (size_t n = strlen(base); n && base[n - 1] == '/';)
		base[--n] = 0;
	how.base = base;
	status = run_all(how, hold_ns);
	free(base);
	return status;
}
