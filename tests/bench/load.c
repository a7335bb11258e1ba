/* SPDX-License-Identifier: MIT
 *
 * load - opens many streams, writes numbered lines into a followed file, and
 * measures what comes back: every line's latency on every stream, what is lost
 * or doubled, and what it cost named processes.  Prints one JSON object.
 *
 *	load --streams N --lines FILE (--http HOST:PORT/PATH | --fcgi SOCKET QUERY)
 *	     [--rate R | --window W] [--seconds S] [--at-once N] [--pid NAME=PID]...
 *	     [--hello TEXT] [--header "NAME: VALUE"] [--blind]
 *
 * A line is its number and the time when it was written, in nanoseconds.  With
 * --rate, R lines a second; with --window, W lines at once, the next W when all
 * streams have them: how fast it can go.  --at-once bounds how many streams are
 * being opened at a time.  A stream is open once a line begins with TEXT.  With
 * --blind what comes is counted and not looked at, for what is compressed.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <dirent.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/unit.h"
#include "wire/fcgi.h"

enum { PIDS_MAX = 16, REST_MAX = 512, BUCKETS = 2000000, EVENTS_MAX = 4000000 };

struct histogram {
	uint32_t *count; /* per microsecond; the last holds all above */
	uint64_t n;
	uint32_t max_us;
};

struct client {
	int fd;
	bool is_open;        /* its hello has come */
	char rest[REST_MAX]; /* of a line that has not ended */
	size_t rest_len;
	char head[FCGI_HEADER]; /* of the FastCGI record being read */
	size_t head_len, record_left, padding_left;
	uint64_t next;
};

struct process {
	char *name;
	int pid;
	int64_t cpu_ns, rss_kib, idle_rss_kib;
};

static struct {
	int64_t streams, rate, window, seconds, at_once;
	const char *http, *fcgi, *query, *lines, *label, *hello, *header;
	bool is_blind;
	uint64_t n_bytes;
	struct process pids[PIDS_MAX];
	size_t n_pids;

	struct client *clients;
	int epoll, file;
	int64_t n_open, n_pending, n_started, n_failed;
	uint64_t written;    /* number of the last line */
	uint32_t *receivers; /* per line */
	uint64_t complete;   /* lines that all streams have */
	uint64_t delivered, lost, duplicated;
	struct histogram latency, last;
} g = {.streams = 100,
       .rate = 10,
       .seconds = 5,
       .at_once = 500,
       .label = "",
       .hello = "event: hello",
       .header = ""};

static no_return void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- figures -------------------------------------------------------------------- */

static void histogram_add(struct histogram *h, int64_t ns)
{
	uint32_t us = ns < 0 ? 0 : (uint32_t)MIN(ns / 1000, (int64_t)BUCKETS - 1);
	h->count[us]++;
	h->n++;
	h->max_us = MAX(h->max_us, us);
}

static double histogram_ms(const struct histogram *h, double share)
{
	uint64_t want = (uint64_t)(share * (double)h->n), seen = 0;
	for (uint32_t i = 0; i < BUCKETS && h->n; i++) {
		seen += h->count[i];
		if (seen > want || seen == h->n)
			return (double)i / 1000;
	}
	return 0;
}

/* CPU time of all threads, and memory. */
static void measure(int pid, int64_t *cpu_ns, int64_t *rss_kib)
{
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *d = opendir(path);
	*cpu_ns = *rss_kib = 0;
	for (struct dirent *e; d && (e = readdir(d));) {
		char stat[400];
		snprintf(stat, sizeof(stat), "/proc/%d/task/%s/schedstat", pid, e->d_name);
		FILE *f = e->d_name[0] == '.' ? NULL : fopen(stat, "r");
		long long ns = 0;
		if (f && fscanf(f, "%lld", &ns) == 1)
			*cpu_ns += ns;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		long long kib;
		if (sscanf(line, "VmRSS: %lld", &kib) == 1)
			*rss_kib = kib;
	}
	if (f)
		fclose(f);
}

/* ---- streams ---------------------------------------------------------------------- */

static void take_line(struct client *c, const char *p, size_t n, int64_t now)
{
	char text[64];
	size_t hello = strlen(g.hello);
	if (!c->is_open && n >= hello && memcmp(p, g.hello, hello) == 0) {
		c->is_open = true;
		g.n_open++;
		g.n_pending--;
	}
	size_t skip = n > 5 && p[5] == ' ' ? 6 : 5;
	if (n < 7 || n >= sizeof(text) || memcmp(p, "data:", 5) != 0 || p[skip] < '0' ||
	    p[skip] > '9')
		return;
	memcpy(text, p + skip, n - skip);
	text[n - skip] = 0;
	char *end;
	uint64_t number = strtoull(text, &end, 10);
	int64_t sent = strtoll(end, NULL, 10);
	if (number >= EVENTS_MAX)
		return;
	if (number < c->next) {
		g.duplicated++;
		return;
	}
	g.lost += number - c->next;
	c->next = number + 1;
	g.delivered++;
	histogram_add(&g.latency, now - sent);
	if (++g.receivers[number] == (uint32_t)g.streams) {
		g.complete++;
		histogram_add(&g.last, now - sent);
	}
}

static void take_text(struct client *c, const char *p, size_t n, int64_t now)
{
	while (n) {
		const char *lf = memchr(p, '\n', n);
		size_t len = lf ? (size_t)(lf - p) : n;
		if (!lf || c->rest_len) {
			size_t keep = MIN(len, REST_MAX - c->rest_len);
			memcpy(c->rest + c->rest_len, p, keep);
			c->rest_len += keep;
		}
		if (!lf)
			return;
		if (c->rest_len)
			take_line(c, c->rest, c->rest_len, now);
		else
			take_line(c, p, len, now);
		c->rest_len = 0;
		p += len + 1;
		n -= len + 1;
	}
}

static void take_records(struct client *c, const char *p, size_t n, int64_t now)
{
	while (n) {
		if (c->record_left) {
			size_t m = MIN(n, c->record_left);
			take_text(c, p, m, now);
			c->record_left -= m;
			p += m;
			n -= m;
		} else if (c->padding_left) {
			size_t m = MIN(n, c->padding_left);
			c->padding_left -= m;
			p += m;
			n -= m;
		} else {
			c->head[c->head_len++] = *p++;
			n--;
			if (c->head_len == FCGI_HEADER) {
				const unsigned char *h = (const unsigned char *)c->head;
				c->record_left = (size_t)h[4] << 8 | h[5];
				c->padding_left = h[6];
				c->head_len = 0;
			}
		}
	}
}

static void read_client(struct client *c)
{
	static char buffer[1 << 20];
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		epoll_ctl(g.epoll, EPOLL_CTL_DEL, c->fd, NULL);
		if (!c->is_open)
			g.n_pending--;
		g.n_failed++;
		return;
	}
	int64_t now = clock_wall_ns();
	g.n_bytes += (uint64_t)n;
	if (g.is_blind) {
		g.n_pending -= !c->is_open;
		g.n_open += !c->is_open;
		c->is_open = true;
		return;
	}
	if (g.fcgi)
		take_records(c, buffer, (size_t)n, now);
	else
		take_text(c, buffer, (size_t)n, now);
}

static void put_param(struct buf *b, const char *name, const char *value)
{
	buf_putc(b, (char)strlen(name));
	buf_putc(b, (char)strlen(value));
	buf_puts(b, name);
	buf_puts(b, value);
}

static void put_fcgi_request(struct buf *out)
{
	struct buf params = {0};
	char h[FCGI_HEADER];
	put_param(&params, "REQUEST_METHOD", "GET");
	put_param(&params, "SCRIPT_NAME", "");
	put_param(&params, "PATH_INFO", "/events");
	put_param(&params, "QUERY_STRING", g.query);
	fcgi_put_header(h, FCGI_TYPE_BEGIN, 1, 8);
	buf_put(out, h, sizeof(h));
	buf_put(out, "\0\1\0\0\0\0\0\0", 8);
	fcgi_put_header(h, FCGI_TYPE_PARAMS, 1, params.len);
	buf_put(out, h, sizeof(h));
	buf_put_str(out, buf_str(&params));
	fcgi_put_header(h, FCGI_TYPE_PARAMS, 1, 0);
	buf_put(out, h, sizeof(h));
	fcgi_put_header(h, FCGI_TYPE_STDIN, 1, 0);
	buf_put(out, h, sizeof(h));
	buf_fini(&params);
}

static int connect_http(struct buf *request)
{
	char host[256];
	const char *slash = strchr(g.http, '/');
	snprintf(host, sizeof(host), "%.*s", (int)(slash - g.http), g.http);
	char *colon = strchr(host, ':');
	*colon = 0;
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(colon + 1))};
	inet_pton(AF_INET, host, &in.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	buf_printf(request,
		   "GET %s HTTP/1.0\r\nHost: bench\r\nAccept: text/event-stream\r\n%s%s\r\n", slash,
		   g.header, *g.header ? "\r\n" : "");
	return fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0 ? fd : -1;
}

static int connect_fcgi(struct buf *request)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", g.fcgi);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	put_fcgi_request(request);
	return fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 ? fd : -1;
}

static void start_client(struct client *c)
{
	struct buf request = {0};
	g.n_started++;
	c->next = 1;
	c->fd = g.fcgi ? connect_fcgi(&request) : connect_http(&request);
	if (c->fd < 0 ||
	    send(c->fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len) {
		g.n_failed++;
	} else {
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
		epoll_ctl(g.epoll, EPOLL_CTL_ADD, c->fd, &ev);
		g.n_pending++;
	}
	buf_fini(&request);
}

static void turn(int timeout_ms)
{
	struct epoll_event ready[512];
	int n = epoll_wait(g.epoll, ready, 512, timeout_ms);
	for (int i = 0; i < n; i++)
		read_client(ready[i].data.ptr);
}

/* ---- the run --------------------------------------------------------------------------- */

static void write_lines(int64_t n)
{
	struct buf b = {0};
	int64_t now = clock_wall_ns();
	for (int64_t i = 0; i < n; i++)
		buf_printf(&b, "%llu %lld\n", (unsigned long long)++g.written, (long long)now);
	if (write(g.file, b.data, b.len) != (ssize_t)b.len)
		die(g.lines);
	buf_fini(&b);
}

static void open_all(void)
{
	int64_t until = clock_mono_ns() + 60 * NS_PER_SEC;
	while (g.n_open + g.n_failed < g.streams && clock_mono_ns() < until) {
		while (g.n_started < g.streams && g.n_pending < g.at_once)
			start_client(&g.clients[g.n_started]);
		turn(10);
	}
}

static void run_at_rate(int64_t begin)
{
	int64_t total = g.rate * g.seconds;
	for (int64_t i = 0; i < total; i++) {
		int64_t due = begin + i * NS_PER_SEC / g.rate;
		for (int64_t left; (left = due - clock_mono_ns()) > 0;)
			turn((int)(left / NS_PER_MS));
		write_lines(1);
	}
}

static void run_with_window(int64_t begin)
{
	while (clock_mono_ns() < begin + g.seconds * NS_PER_SEC &&
	       g.written + (uint64_t)g.window < EVENTS_MAX) {
		write_lines(g.window);
		while (g.complete < g.written &&
		       clock_mono_ns() < begin + (g.seconds + 20) * NS_PER_SEC)
			turn(10);
	}
}

static void report(double connect_ms, double elapsed_s)
{
	struct buf out = {0};
	struct json j = {&out, false};
	json_open(&j, NULL, '{');
	json_cstr(&j, "label", g.label);
	json_int(&j, "streams", g.streams);
	json_int(&j, "connected", g.n_open);
	json_int(&j, "failed", g.n_failed);
	json_double(&j, "connect_ms", connect_ms);
	json_int(&j, "lines", (int64_t)g.written);
	json_int(&j, "delivered", (int64_t)g.delivered);
	json_double(&j, "delivered_per_s", (double)g.delivered / elapsed_s);
	json_int(&j, "lost",
		 (int64_t)(g.lost + g.written * (uint64_t)g.n_open - g.delivered - g.lost));
	json_int(&j, "duplicated", (int64_t)g.duplicated);
	json_double(&j, "bytes_per_delivered",
		    g.delivered ? (double)g.n_bytes / (double)g.delivered : 0);
	const struct {
		const char *key;
		const struct histogram *h;
	} both[] = {{"latency_ms", &g.latency}, {"last_receiver_ms", &g.last}};
	for (size_t i = 0; i < 2; i++) {
		json_open(&j, both[i].key, '{');
		json_double(&j, "p50", histogram_ms(both[i].h, 0.5));
		json_double(&j, "p95", histogram_ms(both[i].h, 0.95));
		json_double(&j, "p99", histogram_ms(both[i].h, 0.99));
		json_double(&j, "max", (double)both[i].h->max_us / 1000);
		json_close(&j, '}');
	}
	json_open(&j, "processes", '{');
	for (size_t i = 0; i < g.n_pids; i++) {
		struct process *p = &g.pids[i];
		int64_t cpu, rss;
		measure(p->pid, &cpu, &rss);
		json_open(&j, p->name, '{');
		json_double(&j, "cpu_ns_per_delivered",
			    g.delivered ? (double)(cpu - p->cpu_ns) / (double)g.delivered : 0);
		json_double(&j, "rss_bytes_per_stream",
			    (double)(p->idle_rss_kib - p->rss_kib) * 1024 / (double)g.streams);
		json_close(&j, '}');
	}
	json_close(&j, '}');
	json_close(&j, '}');
	puts(buf_text(&out));
	buf_fini(&out);
}

static void read_arguments(int argc, char **argv)
{
	const struct {
		const char *name;
		int64_t *number;
		const char **text;
	} known[] = {
		{"--streams", &g.streams, NULL}, {"--rate", &g.rate, NULL},
		{"--window", &g.window, NULL},   {"--seconds", &g.seconds, NULL},
		{"--at-once", &g.at_once, NULL}, {"--http", NULL, &g.http},
		{"--fcgi", NULL, &g.fcgi},       {"--query", NULL, &g.query},
		{"--lines", NULL, &g.lines},     {"--label", NULL, &g.label},
		{"--hello", NULL, &g.hello},     {"--header", NULL, &g.header},
	};
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "--blind") == 0) {
			g.is_blind = true;
			i--;
			continue;
		}
		if (i + 1 == argc) {
			fprintf(stderr, "load: %s needs a value\n", argv[i]);
			exit(2);
		}
		size_t k = 0;
		while (k < array_size(known) && strcmp(known[k].name, argv[i]) != 0)
			k++;
		char *eq = strchr(argv[i + 1], '=');
		if (k == array_size(known) && strcmp(argv[i], "--pid") == 0 && eq &&
		    g.n_pids < PIDS_MAX) {
			*eq = 0;
			g.pids[g.n_pids++] =
				(struct process){.name = argv[i + 1], .pid = atoi(eq + 1)};
		} else if (k == array_size(known) ||
			   (known[k].number && unit_parse_int(argv[i + 1], known[k].number))) {
			fprintf(stderr, "load: %s %s is not understood\n", argv[i], argv[i + 1]);
			exit(2);
		} else if (known[k].text) {
			*known[k].text = argv[i + 1];
		}
	}
	if (!g.lines || (!g.http && !(g.fcgi && g.query))) {
		fputs("load: needs --lines FILE and --http HOST:PORT/PATH or --fcgi SOCKET --query "
		      "Q\n",
		      stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	read_arguments(argc, argv);
	fd_raise_limit();
	g.clients = mem_zero((size_t)g.streams * sizeof(g.clients[0]));
	g.receivers = mem_zero(EVENTS_MAX * sizeof(g.receivers[0]));
	g.latency.count = mem_zero(BUCKETS * sizeof(uint32_t));
	g.last.count = mem_zero(BUCKETS * sizeof(uint32_t));
	g.epoll = epoll_create1(EPOLL_CLOEXEC);
	g.file = open(g.lines, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (g.file < 0)
		die(g.lines);
	for (size_t i = 0; i < g.n_pids; i++)
		measure(g.pids[i].pid, &g.pids[i].cpu_ns, &g.pids[i].rss_kib);
	int64_t begin = clock_mono_ns();
	open_all();
	double connect_ms = (double)(clock_mono_ns() - begin) / 1e6;
	for (size_t i = 0; i < g.n_pids; i++)
		measure(g.pids[i].pid, &g.pids[i].cpu_ns, &g.pids[i].idle_rss_kib);
	begin = clock_mono_ns();
	if (g.window)
		run_with_window(begin);
	else
		run_at_rate(begin);
	double elapsed = (double)(clock_mono_ns() - begin) / 1e9;
	if (g.is_blind) {
		for (int i = 0; i < 50; i++)
			turn(10);
		g.delivered = g.written * (uint64_t)g.n_open;
		g.complete = g.written;
	}
	int64_t until = clock_mono_ns() + 10 * NS_PER_SEC;
	while (g.complete < g.written && clock_mono_ns() < until)
		turn(10);
	report(connect_ms, elapsed);
	return g.n_failed || g.duplicated || g.delivered != g.written * (uint64_t)g.streams;
}
