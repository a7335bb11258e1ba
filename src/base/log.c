/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {"error", "warning", "info", "debug"};
/* As the journal knows them (sd-daemon(3), syslog(3)). */
static const char *const journal_marks[] = {"<3>", "<4>", "<6>", "<7>"};
static const char *role = "sluice";
static bool is_journal;
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

void log_init(const char *name)
{
	role = name;
	is_journal = writes_to_journal();
	const char *level = getenv("SLUICE_LOG");
	for (size_t i = 0; level && i < array_size(names); i++)
		if (strcmp(level, names[i]) == 0)
			highest = (enum log_level)i;
}

/* What may move the cursor of a terminal or turn the direction of a line: controls (C0, C1)
 * and U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069.
 */
static void make_harmless(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char *p = (unsigned char *)line + i;
		size_t left = len - i;
		if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
		else if (left > 1 && p[0] == 0xc2 && p[1] < 0xa0)
			memset(p, ' ', 2);
		else if (left > 2 && p[0] == 0xe2 &&
			 ((p[1] == 0x80 &&
			   (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xaa && p[2] <= 0xae))) ||
			  (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)))
			memset(p, ' ', 3);
	}
}

/* One write() a line, so that lines of several processes do not mix. */
void log_line(enum log_level level, const char *fmt, ...)
{
	if (level > highest)
		return;
	int saved = errno;
	char line[2048];
	int n = snprintf(line, sizeof(line),
			 "%ssluice %s: %s: ", is_journal ? journal_marks[level] : "", role,
			 names[level]);
	va_list ap;
	va_start(ap, fmt);
	int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	size_t len = MIN((size_t)n + (size_t)MAX(m, 0), sizeof(line) - 2);
	make_harmless(line, len);
	line[len] = '\n';
	ssize_t ignored = write(STDERR_FILENO, line, len + 1);
	(void)ignored;
	errno = saved;
}
