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
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	line[len] = '\n';
	ssize_t ignored = write(STDERR_FILENO, line, len + 1);
	(void)ignored;
	errno = saved;
}
