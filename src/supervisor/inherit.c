/* SPDX-License-Identifier: MIT */
#include "supervisor/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

/* Lines: the state directory, then "FD own|keep NAME" each. */
#define VARIABLE "SLUICE_INHERITED"

bool inherit_is_there(void)
{
	return getenv(VARIABLE) != NULL;
}

static struct str next_line(struct str *rest)
{
	const char *end = memchr(rest->data, '\n', rest->len);
	struct str line = {rest->data, end ? (size_t)(end - rest->data) : rest->len};
	size_t skip = MIN(line.len + 1, rest->len);
	*rest = (struct str){rest->data + skip, rest->len - skip};
	return line;
}

static int take(const char *state_dir, const char *kind, const char *name)
{
	const char *text = getenv(VARIABLE);
	if (!text)
		return -1;
	struct str rest = str_of(text), line = next_line(&rest);
	if (!str_is(line, state_dir))
		return -1;
	struct buf left = {0};
	char *wanted = mem_printf("%s %s", kind, name);
	int found = -1;
	buf_printf(&left, "%s", state_dir);
	while (rest.len) {
		line = next_line(&rest);
		const char *space = memchr(line.data, ' ', line.len);
		struct str is = {space ? space + 1 : "",
				 space ? line.len - (size_t)(space + 1 - line.data) : 0};
		if (found < 0 && str_is(is, wanted))
			found = atoi(line.data);
		else
			buf_printf(&left, "\n%.*s", (int)line.len, line.data);
	}
	/* The lock is for all who come from here, so that it is held to the last. */
	if (found >= 0 && fcntl(found, F_SETFD, strcmp(name, "lock") == 0 ? 0 : FD_CLOEXEC) < 0)
		found = -1;
	setenv(VARIABLE, buf_text(&left), 1);
	buf_fini(&left);
	free(wanted);
	return found;
}

int inherit_take(const char *state_dir, const char *name, bool *keeps_file)
{
	int fd = take(state_dir, "own", name);
	*keeps_file = false;
	if (fd >= 0)
		return fd;
	fd = take(state_dir, "keep", name);
	*keeps_file = fd >= 0;
	return fd;
}

void inherit_close_rest(void)
{
	const char *text = getenv(VARIABLE);
	struct str rest = text ? str_of(text) : STR("");
	struct str line = next_line(&rest); /* the state directory */
	while (rest.len) {
		line = next_line(&rest);
		close(atoi(line.data));
	}
	unsetenv(VARIABLE);
}

static void leave(struct buf *out, int fd, const char *kind, const char *name)
{
	if (fd >= 0 && fcntl(fd, F_SETFD, 0) == 0)
		buf_printf(out, "\n%d %s %s", fd, kind, name);
}

static void keep_to_ourselves(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int inherit_exec(const struct supervisor *s, const char *path, char *const argv[])
{
	struct buf text = {0};
	buf_puts(&text, s->settings->hub.state_dir);
	leave(&text, s->lock_fd, "own", "lock");
	leave(&text, s->gate_fd, "own", "gate");
	for (size_t i = 0; i < s->n_listen; i++)
		leave(&text, s->listen[i].from, s->keeps_file[i] ? "keep" : "own",
		      s->settings->hub.listen[i]);
	setenv(VARIABLE, buf_text(&text), 1);
	/* Signals stay blocked: one that comes now is taken by the new program's loop. */
	execv(path, argv);
	int r = -errno;
	unsetenv(VARIABLE);
	keep_to_ourselves(s->gate_fd);
	for (size_t i = 0; i < s->n_listen; i++)
		keep_to_ourselves(s->listen[i].from);
	buf_fini(&text);
	return r;
}
