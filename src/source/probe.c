/* SPDX-License-Identifier: MIT */
#include "source/probe.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/process.h"
#include "source/opening.h"
#include "source/plugin.h"

enum { ANSWER_MAX = 1024 * 1024, PATIENCE_MS = 10000 };

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* Reads until the child closes its end or time is up. */
static void read_answer(int fd, struct buf *answer)
{
	int64_t until = clock_mono_ns() + PATIENCE_MS * NS_PER_MS;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int left = (int)((until - clock_mono_ns()) / NS_PER_MS);
		if (left <= 0 || poll(&p, 1, left) == 0 || answer->len > ANSWER_MAX)
			return;
		ssize_t n = read(fd, buf_reserve(answer, 65536), 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		answer->len += (size_t)n;
	}
}

/* Runs a source process for one question; `answer` gets all that it says. */
static int ask(const struct opening *o, struct buf *answer, char **why)
{
	int pair[2];
	pid_t pid;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		*why = mem_printf("cannot ask the plugin: %s", strerror(errno));
		return -EINVAL;
	}
	char parent[16];
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	char *argv[] = {(char[]){"sluice"}, (char[]){"source"}, parent, o->name, NULL};
	int r = process_spawn(argv, &(struct fd_map){pair[1], SOURCE_FD}, 1, &pid);
	fd_close(&pair[1]);
	if (r) {
		*why = mem_printf("cannot start a process for the plugin: %s", strerror(-r));
		fd_close(&pair[0]);
		return -EINVAL;
	}
	struct buf frame = {0};
	opening_put(&frame, o);
	r = write_all(pair[0], frame.data, frame.len);
	buf_fini(&frame);
	if (!r)
		read_answer(pair[0], answer);
	fd_close(&pair[0]);
	kill(pid, SIGKILL);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (answer->len)
		return 0;
	char *how = process_describe_status(status);
	*why = mem_printf("%s: the plugin said nothing for itself (%s)", o->path, how);
	free(how);
	return -EINVAL;
}

/* The first frame of an answer that settles the question. */
static int settle(struct buf *answer, struct frame *ret)
{
	struct str rest = buf_str(answer);
	while (frame_next(&rest, ANSWER_MAX, ret) == 1)
		if (ret->type == FRAME_DESCRIBE || ret->type == FRAME_OPENED ||
		    ret->type == FRAME_REFUSED)
			return 0;
	return -EBADMSG;
}

static char *refusal(struct str body, struct str *option)
{
	struct reader r = reader_of(body.data, body.len);
	*option = get_short_str(&r);
	struct str message = get_short_str(&r);
	return mem_strndup(message.data, message.len);
}

int probe_describe(const char *path, struct tables *ret, char **why)
{
	struct buf answer = {0};
	struct frame f;
	struct opening o = {.mode = OPENING_DESCRIBE,
			    .path = (char *)(uintptr_t)path,
			    .name = (char[]){"describe"}};
	*ret = (struct tables){0};
	int r = ask(&o, &answer, why);
	if (!r && settle(&answer, &f)) {
		*why = mem_printf("%s: the plugin broke off while it was asked", path);
		r = -EINVAL;
	} else if (!r && f.type == FRAME_REFUSED) {
		struct str option;
		*why = refusal(f.body, &option);
		r = -EINVAL;
	} else if (!r && tables_get(f.body, ret)) {
		*why = mem_printf("%s: the plugin's tables cannot be read", path);
		tables_fini(ret);
		r = -EINVAL;
	}
	buf_fini(&answer);
	return r;
}

/* Lets the plugin's open() look at the options. */
static void check_open(struct source_settings *src, const char *path, const char *where,
		       struct errors *e)
{
	struct buf answer = {0};
	struct frame f;
	char *why = NULL;
	struct opening o = {.mode = OPENING_CHECK,
			    .path = (char *)(uintptr_t)path,
			    .name = src->name,
			    .options = src->options};
	if (ask(&o, &answer, &why) || settle(&answer, &f)) {
		errors_add(e, src->tree->at, where, "%s",
			   why ? why : "the plugin broke off while it was asked");
	} else if (f.type == FRAME_REFUSED) {
		struct str option;
		why = refusal(f.body, &option);
		char *name = mem_strndup(option.data, option.len);
		const struct option_value *v = option_find(&src->options, name);
		char *full = option.len ? mem_printf("%s.%s", where, name) : mem_strdup(where);
		errors_add(e, v ? v->at : src->tree->at, full, "%s", why);
		free(full);
		free(name);
	}
	free(why);
	buf_fini(&answer);
}

static void probe_source(struct settings *s, struct source_settings *src, struct errors *e)
{
	char *where = mem_printf("sources.%s", src->name);
	char *why = NULL;
	struct tables tables = {0};
	int before = e->count;
	char *path = plugin_find(&s->hub, src->type, &why);
	if (!path) {
		errors_add(e, tree_get(src->tree, "type")->at, where, "%s", why);
	} else if (probe_describe(path, &tables, &why)) {
		errors_add(e, tree_get(src->tree, "type")->at, where, "%s", why);
	} else {
		settings_read_options(src, tables.options, e);
		if (e->count == before)
			check_open(src, path, where, e);
		tables_fini(&tables);
	}
	free(path);
	free(why);
	free(where);
}

void probe_sources(struct settings *s, struct errors *e)
{
	for (size_t i = 0; i < s->n_sources; i++)
		if (s->sources[i].type)
			probe_source(s, &s->sources[i], e);
}
