/* SPDX-License-Identifier: MIT
 *
 * doctor - what sluice doctor URL runs: what lies between a client and sluice, what it does to a
 * stream, and which line of whose configuration changes that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/unit.h"
#include "doctor/examine.h"

static const char usage[] =
	"usage: sluice doctor [--hold 5m] [--insecure] [--user NAME:PASSWORD] URL\n"
	"\n"
	"URL is where sluice is mounted, such as http://localhost/logs/.  Fetches\n"
	"streams of probes and says whether something between holds them back,\n"
	"compresses them, cuts them off or allows only a few at once, and what to set.\n"
	"--hold also keeps a quiet stream open for that time.  The exit status is 1\n"
	"when there is something to set.\n";

enum trouble { HELD_BACK, COMPRESSED, CUT_OFF, FEW_AT_ONCE };

/* What to set, by web server and how sluice is mounted there ("" for any way). */
static const struct {
	enum trouble trouble;
	const char *server, *way, *directive;
} remedies[] = {
	{HELD_BACK, "lighttpd", "", "server.stream-response-body = 2"},
	{HELD_BACK, "Apache", "socket",
	 "<Proxy \"fcgi://sluice/\">\n    ProxySet flushpackets=on\n  </Proxy>"},
	{HELD_BACK, "Apache", "spawned", "FcgidOutputBufferSize 0"},
	{HELD_BACK, "Apache", "cgi", "SetEnv no-gzip 1     (mod_deflate holds CGI output back)"},
	{HELD_BACK, "nginx", "", "fastcgi_buffering off;"},
	{HELD_BACK, "Caddy", "", "flush_interval -1"},
	{COMPRESSED, "Apache", "", "SetEnv no-gzip 1     (in sluice's <Location>)"},
	{COMPRESSED, "nginx", "", "gzip off;     (in sluice's location)"},
	{COMPRESSED, "lighttpd", "", "deflate.mimetypes without text/event-stream"},
	{COMPRESSED, "Caddy", "", "no \"encode\" for sluice's path"},
	{CUT_OFF, "lighttpd", "", "server.max-write-idle = 360"},
	{CUT_OFF, "Apache", "spawned", "FcgidIOTimeout 60"},
	{CUT_OFF, "Apache", "", "Timeout 60"},
	{CUT_OFF, "nginx", "", "fastcgi_read_timeout 60s;"},
	{FEW_AT_ONCE, "lighttpd", "",
	 "HTTP/1.1 for streams (lighttpd 1.4 allows 8 at once on an HTTP/2 connection)"},
	{FEW_AT_ONCE, "Apache", "",
	 "H2MaxWorkers 512 and H2MaxSessionStreams 100, or HTTP/1.1 for streams"},
	{FEW_AT_ONCE, "nginx", "", "http2_max_concurrent_streams 128;"},
};

/* What to set where nginx and the like only pass on to the web server in question. */
static const struct {
	enum trouble trouble;
	const char *server, *directive;
} proxy_remedies[] = {
	{HELD_BACK, "nginx", "proxy_buffering off;"},
	{HELD_BACK, "Apache", "ProxyPass ... flushpackets=on"},
	{HELD_BACK, "Caddy", "flush_interval -1     (in reverse_proxy)"},
	{CUT_OFF, "nginx", "proxy_read_timeout 60s;"},
	{COMPRESSED, "nginx", "gzip off;"},
};

static bool is_server(const char *text, const char *server)
{
	return strncasecmp(text, server, strlen(server)) == 0;
}

/* Whether the one who answers is another one than sluice is mounted under. */
static bool has_proxy(const struct examination *e)
{
	size_t n = strcspn(e->software, "/ ");
	return e->server[0] && e->software[0] && strncasecmp(e->server, e->software, n) != 0;
}

static void print_remedy(const struct examination *e, enum trouble trouble)
{
	for (size_t i = 0; has_proxy(e) && i < array_size(proxy_remedies); i++)
		if (proxy_remedies[i].trouble == trouble &&
		    is_server(e->server, proxy_remedies[i].server))
			printf("  in %s, which passes on to %s:\n  %s\n", e->server, e->software,
			       proxy_remedies[i].directive);
	for (size_t i = 0; i < array_size(remedies); i++) {
		if (remedies[i].trouble != trouble || !is_server(e->software, remedies[i].server) ||
		    (remedies[i].way[0] && strcmp(remedies[i].way, e->way) != 0))
			continue;
		printf("  in %s:\n  %s\n", e->software, remedies[i].directive);
		return;
	}
}

/* Frames that did not come when they were sent, but together with a later one. */
static size_t late_frames(const struct examination *e, int64_t interval_ms)
{
	size_t late = 0;
	for (size_t i = 0; i + 1 < e->n; i++) {
		int64_t sent = e->sent_ms[i + 1] - e->sent_ms[i];
		int64_t came = e->came_ms[i + 1] - e->came_ms[i];
		late += sent > interval_ms / 2 && came < sent / 4;
	}
	return late;
}

static int tell_no_answer(const struct examination *e, const char *base)
{
	printf("PROBLEM: %s/probe ", base);
	if (e->error)
		printf("gives no answer: %s\n", e->error);
	else if (e->status == 404)
		printf("is not there: this is not where sluice is mounted, or the web server does "
		       "not pass the rest of the path on\n");
	else if (e->status == 401 || e->status == 403)
		printf("answers %ld: the web server wants to know who asks (--user "
		       "NAME:PASSWORD)\n",
		       e->status);
	else if (e->status == 502 || e->status == 503 || e->status == 504)
		printf("answers %ld: %s does not reach sluice (does it run?  is it the same socket "
		       "as hub.listen?  is the web server's user in hub.web_users?)\n",
		       e->status, e->server[0] ? e->server : "the web server");
	else if (e->status == 200)
		printf("answers with %s instead of a stream: somebody else is mounted there\n",
		       e->type[0] ? e->type : "something");
	else
		printf("answers %ld\n", e->status);
	return 1;
}

static int judge_frames(const struct examination *e, const struct examine_how *how,
			const char *what)
{
	int bad = 0;
	size_t late = late_frames(e, how->interval_ms);
	if (late > 1) {
		printf("PROBLEM: %s is held back: %zu of %zu frames came together with a later "
		       "one; "
		       "the first after %lld ms\n",
		       what, late, e->n - 1, (long long)e->first_ms);
		print_remedy(e, HELD_BACK);
		bad = 1;
	}
	if (!e->has_last) {
		printf("PROBLEM: %s is cut off after %lld ms, with %zu of %d frames\n", what,
		       (long long)e->took_ms, e->n ? e->n - 1 : 0, how->frames);
		print_remedy(e, CUT_OFF);
		bad = 1;
	}
	if (!bad)
		printf("good: %s comes frame by frame, the first after %lld ms\n", what,
		       (long long)e->first_ms);
	return bad;
}

static int judge_compression(struct examine_how how)
{
	struct examination e;
	int bad = 0;
	how.takes_gzip = true;
	examine(&how, &e);
	if (e.encoding[0]) {
		printf("PROBLEM: something compresses the stream (%s), though sluice has not; it "
		       "compresses streams better itself\n",
		       e.encoding);
		print_remedy(&e, COMPRESSED);
		bad = 1;
	}
	if (e.n)
		bad |= judge_frames(&e, &how, "a stream to a client that takes gzip");
	examination_fini(&e);
	return bad;
}

static int judge_http2(const struct examine_how *how, const struct examination *first)
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
	printf("PROBLEM: of %d streams over one HTTP/2 connection only %d begin; the others wait\n",
	       AT_ONCE, n);
	print_remedy(first, FEW_AT_ONCE);
	return 1;
}

#define SIGN_NS (15 * NS_PER_SEC)

static int judge_silence(struct examine_how how, int64_t hold_ns)
{
	struct examination e;
	how.interval_ms = (int)(SIGN_NS / NS_PER_MS);
	how.frames = (int)MIN(hold_ns / NS_PER_MS / how.interval_ms + 1, (int64_t)200);
	printf("holding a quiet stream for %d s...\n", (int)(how.frames * how.interval_ms / 1000));
	fflush(stdout);
	examine(&how, &e);
	int bad = judge_frames(&e, &how, "a quiet stream with a sign of life every 15 s");
	examination_fini(&e);
	return bad;
}

static int run_all(struct examine_how how, int64_t hold_ns)
{
	struct examination e;
	examine(&how, &e);
	if (!e.n || e.status != 200) {
		int bad = tell_no_answer(&e, how.base);
		examination_fini(&e);
		return bad;
	}
	static const struct {
		const char *way, *text;
	} ways[] = {{"socket", "over its socket"},
		    {"spawned", "as FastCGI, started by it"},
		    {"cgi", "as CGI"}};
	for (size_t i = 0; i < array_size(ways); i++)
		if (strcmp(ways[i].way, e.way) == 0)
			printf("sluice is mounted under %s, %s\n",
			       e.software[0] ? e.software : "a web server", ways[i].text);
	if (has_proxy(&e))
		printf("note: %s answers in its name: there is a proxy between\n", e.server);
	int bad = judge_frames(&e, &how, "a stream");
	bad |= judge_compression(how);
	if (strncmp(how.base, "https:", 6) == 0) /* without TLS no browser speaks it */
		bad |= judge_http2(&how, &e);
	if (hold_ns)
		bad |= judge_silence(how, hold_ns);
	examination_fini(&e);
	return bad;
}

int main(int argc, char **argv)
{
	fd_fill_standard();
	struct examine_how how = {.frames = 10, .interval_ms = 200};
	int64_t hold_ns = 0;
	const char *url = NULL;
	for (int i = 1; i < argc; i++) {
		bool has_value = i + 1 < argc;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(usage, stdout);
			return 0;
		}
		if (strcmp(argv[i], "--insecure") == 0) {
			how.insecure = true;
		} else if (strcmp(argv[i], "--user") == 0 && has_value) {
			how.user = argv[++i];
		} else if (strcmp(argv[i], "--hold") == 0 && has_value) {
			if (unit_parse_duration(argv[++i], &hold_ns) || hold_ns < SIGN_NS) {
				fprintf(stderr,
					"sluice: --hold %s: a duration from 15s, such as 5m\n",
					argv[i]);
				return 2;
			}
		} else if (argv[i][0] != '-' && !url) {
			url = argv[i];
		} else {
			fprintf(stderr, "sluice: \"%s\" is not understood\n%s", argv[i], usage);
			return 2;
		}
	}
	if (!url || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) {
		fprintf(stderr, "sluice: which URL?  Such as http://localhost/logs/\n");
		return 2;
	}
	char *base = mem_strdup(url);
	for (size_t n = strlen(base); n && base[n - 1] == '/';)
		base[--n] = 0;
	how.base = base;
	int status = run_all(how, hold_ns);
	free(base);
	return status;
}
