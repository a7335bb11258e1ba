/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "metrics.h"

enum { FIRST_ROOM = 16 * 1024, ROOM_MAX = 16 * 1024 * 1024 };

static char *read_file(struct state *s, const char *root, const char *name)
{
	char path[1024];
	snprintf(path, sizeof(path), "%s/%s", root, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = -1;
	while (fd >= 0) {
		if (s->text_room - len < FIRST_ROOM / 4) {
			if (s->text_room >= ROOM_MAX)
				break;
			s->text_room = s->text_room ? 2 * s->text_room : FIRST_ROOM;
			s->text = must(realloc(s->text, s->text_room));
		}
		n = read(fd, s->text + len, s->text_room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (n < 0)
		snprintf(s->failed, sizeof(s->failed), "%.600s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return NULL;
	s->text[len] = 0;
	return s->text;
}

char *read_proc(struct state *s, const char *name)
{
	return read_file(s, s->procfs, name);
}

char *read_sys(struct state *s, const char *name)
{
	return read_file(s, s->sysfs, name);
}

void proc_begin(struct state *s)
{
	s->failed[0] = 0;
}

void proc_free(struct state *s)
{
	free(s->text);
}

char *next_line(char **rest)
{
	char *line = *rest;
	if (!line || !*line)
		return NULL;
	char *lf = strchr(line, '\n');
	*rest = lf ? lf + 1 : NULL;
	if (lf)
		*lf = 0;
	return line;
}

size_t read_numbers(const char *p, uint64_t *ret, size_t max)
{
	size_t n = 0;
	while (n < max) {
		char *end;
		while (isspace((unsigned char)*p))
			p++;
		if (!isdigit((unsigned char)*p))
			break;
		ret[n++] = strtoull(p, &end, 10);
		p = end;
	}
	return n;
}

bool find_number(const char *text, const char *name, uint64_t *ret)
{
	size_t n = strlen(name);
	for (const char *p = text; p; p = strchr(p, '\n')) {
		if (*p == '\n')
			p++;
		if (strncmp(p, name, n) != 0)
			continue;
		const char *q = p + n;
		if (*q != ':' && *q != ' ' && *q != '\t')
			continue;
		while (*q == ':' || *q == ' ' || *q == '\t')
			q++;
		if (!isdigit((unsigned char)*q))
			continue;
		*ret = strtoull(q, NULL, 10);
		return true;
	}
	return false;
}
