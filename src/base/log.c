/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sink.h"
#include "base/utf8.h"

#define RETRY_NS    (50 * NS_PER_MS)
#define PATIENCE_NS (500 * NS_PER_MS)

enum { LINE_ROOM = 2048, PENDING_MAX = 64 * 1024 };

static const char *const names[] = {"error", "warning", "info", "debug"};
/* As the journal knows them (sd-daemon(3), syslog(3)). */
static const char *const journal_marks[] = {"<3>", "<4>", "<6>", "<7>"};
static const char *role = "sluice";
static bool is_initialised, is_journal;
static enum log_level highest = LOG_INFO;

/* Whether standard error is a stream to systemd's journal (systemd.exec(5)). */
static bool writes_to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	unsigned long long device, inode;
	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

/* ---- the lines that wait --------------------------------------------------------------- */

/* pending:  0 .. the end of what sink_write() has taken of the first line .. n
 * All of it under the lock.
 */
static struct {
	char bytes[PENDING_MAX];
	size_t n;
	uint64_t n_lost; /* lines that were dropped and are not told of yet */
	uint64_t n_told; /* those that a line in it tells of */
	int64_t tried_ns;
} pending;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t count_lines(const char *p, size_t n)
{
	size_t lines = 0;
	for (const char *end = p + n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		lines++;
	return lines;
}

/* Whole lines, as many as are written at once. */
static size_t next_piece(void)
{
	if (pending.n <= SINK_WRITE_MAX)
		return pending.n;
	const char *last = memrchr(pending.bytes, '\n', SINK_WRITE_MAX);
	return last ? (size_t)(last + 1 - pending.bytes) : SINK_WRITE_MAX;
}

static void drop(size_t n)
{
	pending.n -= n;
	memmove(pending.bytes, pending.bytes + n, pending.n);
	if (!pending.n)
		pending.n_told = 0;
}

/* What a sink does not take for another reason than room is lost. */
static void lose(size_t n)
{
	size_t lines = count_lines(pending.bytes, n);
	pending.n_lost += pending.n_told + lines - (pending.n_told && lines);
	pending.n_told = 0;
	drop(n);
}

static void write_pending(void)
{
	while (pending.n) {
		size_t n = next_piece();
		ssize_t w = sink_write(pending.bytes, n);
		if (w == -EINTR)
			continue;
		if (w == -EAGAIN)
			return;
		if (w < 0)
			lose(n);
		else
			drop((size_t)w);
	}
}

static void put(const char *line, size_t n)
{
	memcpy(pending.bytes + pending.n, line, n);
	pending.n += n;
}

static size_t begin_line(char line[LINE_ROOM], enum log_level level)
{
	return (size_t)snprintf(line, LINE_ROOM,
				"%ssluice %s: %s: ", is_journal ? journal_marks[level] : "", role,
				names[level]);
}

/* Once half of the buffer is free, so that the number stands where the lines are missing
 * and is not told line by line.
 */
static void tell_lost(void)
{
	if (!pending.n_lost || pending.n > PENDING_MAX / 2)
		return;
	char line[LINE_ROOM];
	size_t n = begin_line(line, LOG_WARNING);
	n += (size_t)snprintf(line + n, sizeof(line) - n,
			      "%" PRIu64 " log line%s dropped: standard error was blocked (is its "
			      "reader stuck, or its disk full?)\n",
			      pending.n_lost, pending.n_lost == 1 ? " was" : "s were");
	pending.n_told += pending.n_lost;
	pending.n_lost = 0;
	put(line, n);
}

static void put_line(const char *line, size_t n)
{
	tell_lost();
	if (pending.n_lost || pending.n + n > PENDING_MAX)
		pending.n_lost++;
	else
		put(line, n);
	write_pending();
}

/* ---- what others call ------------------------------------------------------------------- */

/* On one line, and safe for a terminal; how many bytes, at most `room`. */
static size_t put_message(char *to, size_t room, const char *fmt, va_list ap)
{
	char text[LINE_ROOM];
	struct buf visible = {0};
	int m = vsnprintf(text, sizeof(text), fmt, ap);
	size_t len = MIN((size_t)MAX(m, 0), sizeof(text) - 1);
	len = utf8_cut((struct str){text, len}, room);
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\n')
			text[i] = ' ';
	utf8_put_visible(&visible, (struct str){text, len});
	size_t n = utf8_cut(buf_str(&visible), room);
	if (n)
		memcpy(to, visible.data, n);
	buf_fini(&visible);
	return n;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	if (level > highest)
		return;
	int saved = errno;
	char line[LINE_ROOM];
	size_t n = begin_line(line, level);
	va_list ap;
	va_start(ap, fmt);
	n += put_message(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	line[n] = '\n';
	pthread_mutex_lock(&lock);
	put_line(line, n + 1);
	pthread_mutex_unlock(&lock);
	errno = saved;
}

bool log_is_waiting(void)
{
	pthread_mutex_lock(&lock);
	bool waits = pending.n;
	pthread_mutex_unlock(&lock);
	return waits;
}

void log_flush(void)
{
	int saved = errno;
	pthread_mutex_lock(&lock);
	int64_t now = pending.n || pending.n_lost ? clock_mono_ns() : 0;
	if (now - pending.tried_ns > RETRY_NS) {
		pending.tried_ns = now;
		tell_lost();
		write_pending();
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
}

/* Under the lock. */
static void write_patiently(void)
{
	int64_t until = clock_mono_ns() + PATIENCE_NS;
	write_pending();
	while (pending.n && clock_mono_ns() < until) {
		sink_wait(10);
		write_pending();
	}
}

void log_text(struct str text)
{
	if (!is_initialised) {
		fwrite(text.data, 1, text.len, stderr);
		return;
	}
	pthread_mutex_lock(&lock);
	while (text.len) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t n = end ? (size_t)(end + 1 - text.data) : text.len;
		if (pending.n + n > PENDING_MAX)
			write_patiently();
		put_line(text.data, n);
		text = (struct str){text.data + n, text.len - n};
	}
	pthread_mutex_unlock(&lock);
}

void log_finish(void)
{
	pthread_mutex_lock(&lock);
	write_patiently();
	tell_lost();
	write_pending();
	pthread_mutex_unlock(&lock);
}

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

/* What waits is the parent's to write. */
static void in_child(void)
{
	pending.n = 0;
	pending.n_lost = pending.n_told = 0;
	sink_forget();
	pthread_mutex_unlock(&lock);
}

static void say_exhausted(void)
{
	log_error("out of memory");
}

void log_init(const char *name)
{
	mem_on_exhausted(say_exhausted);
	role = name;
	is_initialised = true;
	is_journal = writes_to_journal();
	const char *level = getenv("SLUICE_LOG");
	for (size_t i = 0; level && i < array_size(names); i++)
		if (strcmp(level, names[i]) == 0)
			highest = (enum log_level)i;
	pthread_atfork(before_fork, in_parent, in_child);
	atexit(log_finish);
}
