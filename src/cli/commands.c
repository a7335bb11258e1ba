/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/peers.h"
#include "base/unit.h"
#include "cli/cli.h"
#include "cli/listen.h"
#include "cli/reload.h"
#include "cli/supervisor.h"
#include "cli/upgrade.h"

#define SAY_WITHIN_NS (2 * NS_PER_SEC)
#define COME_BACK_NS  (5 * NS_PER_SEC)

enum { CLIENTS_MAX = 64 };

struct client {
	struct loop_io io;
	struct commands *commands;
	int fd; /* -1: free */
	int64_t since_ns;
	bool waits; /* for the answer to: */
	enum command_kind kind;
	bool is_early; /* that of the next reload: this one has read the files already */
};

struct commands {
	struct supervisor *supervisor;
	char *path;
	int fd;
	struct loop_io io;
	struct client clients[CLIENTS_MAX];
	struct peers peers;
};

static struct loop *loop_of(const struct commands *c)
{
	return c->supervisor->loop;
}

/* ---- answers --------------------------------------------------------------------------- */

static void close_client(struct client *c)
{
	loop_remove(loop_of(c->commands), &c->io);
	fd_close(&c->fd);
}

static void answer(struct client *c, bool good, const char *text)
{
	char *bytes = mem_printf("%s\n%s\n", good ? "ok" : "error", text);
	ssize_t ignored = send(c->fd, bytes, strlen(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)ignored;
	free(bytes);
	close_client(c);
}

void commands_answer(struct commands *c, enum command_kind kind, bool good, const char *text)
{
	for (size_t i = 0; c && i < CLIENTS_MAX; i++) {
		struct client *x = &c->clients[i];
		if (x->fd >= 0 && x->waits && x->kind == kind && !x->is_early)
			answer(x, good, text);
	}
}

void commands_reload_begins(struct commands *c)
{
	for (size_t i = 0; c && i < CLIENTS_MAX; i++)
		c->clients[i].is_early = false;
}

/* ---- who asks ---------------------------------------------------------------------------- */

static void obey(struct client *c, char *word)
{
	struct supervisor *s = c->commands->supervisor;
	int64_t ms;
	c->waits = true;
	if (strcmp(word, "reload\n") == 0) {
		c->kind = COMMAND_RELOAD;
		c->is_early = reload_is_busy(s->reloader);
		reload_begin(s->reloader);
	} else if (strcmp(word, "which\n") == 0) {
		char *file = realpath(s->settings->file, NULL);
		answer(c, true, file ? file : s->settings->file);
		free(file);
	} else if (strcmp(word, "upgrade\n") == 0) {
		c->kind = COMMAND_UPGRADE;
		upgrade_begin(s->upgrader);
	} else if (strncmp(word, "drain ", 6) == 0) {
		c->kind = COMMAND_DRAIN;
		word[strcspn(word, "\n")] = 0;
		if (unit_parse_int(word + 6, &ms) || supervisor_drain(s, ms))
			answer(c, false, "there is no hub just now; try again");
	} else {
		close_client(c);
	}
}

static void on_client(struct loop_io *io, uint32_t events maybe_unused)
{
	struct client *c = container_of(io, struct client, io);
	char word[64];
	ssize_t n = recv(c->fd, word, sizeof(word) - 1, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || c->waits) {
		close_client(c);
		return;
	}
	word[n] = 0;
	obey(c, word);
}

/* Before the client has sent anything. */
static void turn_away(int fd, const char *text)
{
	char *bytes = mem_printf("error\n%s\n", text);
	ssize_t ignored = fd < 0 ? 0 : send(fd, bytes, strlen(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)ignored;
	free(bytes);
	fd_close(&fd);
}

static void on_connection(struct loop_io *io, uint32_t events maybe_unused)
{
	struct commands *all = container_of(io, struct commands, io);
	int fd = accept4(all->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int64_t now = loop_now(loop_of(all));
	if (fd >= 0 && !peers_admit(&all->peers, fd, "the control socket")) {
		turn_away(fd, "a program that a source has started may not use the control socket");
		return;
	}
	for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++) {
		struct client *c = &all->clients[i];
		/* One that says nothing makes room. */
		if (c->fd >= 0 && !c->waits && now - c->since_ns > SAY_WITHIN_NS)
			close_client(c);
		if (c->fd >= 0)
			continue;
		c->since_ns = now;
		c->waits = c->is_early = false;
		if (loop_add(loop_of(all), &c->io, fd, EPOLLIN, on_client) == 0) {
			c->fd = fd;
			return;
		}
		break;
	}
	turn_away(fd, "too many commands at once; try again");
}

/* ---- life ---------------------------------------------------------------------------------- */

static char *path_in(const char *state_dir)
{
	return mem_printf("%s/control.sock", state_dir);
}

struct commands *commands_open(struct supervisor *s, char **why)
{
	struct commands *c = mem_zero(sizeof(*c));
	c->supervisor = s;
	peers_init(&c->peers);
	c->peers.supervisor = getpid();
	c->io.fd = -1;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		c->clients[i].fd = c->clients[i].io.fd = -1;
		c->clients[i].commands = c;
	}
	c->path = path_in(s->settings->hub.state_dir);
	c->fd = listen_open_unix(c->path, SOCK_STREAM, 0600, why);
	if (c->fd >= 0 && !fd_set_nonblocking(c->fd) &&
	    !loop_add(s->loop, &c->io, c->fd, EPOLLIN, on_connection))
		return c;
	if (!*why)
		*why = mem_printf("%s: %s", c->path, strerror(errno));
	commands_close(c);
	return NULL;
}

void commands_close(struct commands *c)
{
	loop_remove(loop_of(c), &c->io);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		close_client(&c->clients[i]);
	if (c->fd >= 0)
		unlink(c->path);
	fd_close(&c->fd);
	free(c->path);
	free(c);
}

/* ---- the other side ---------------------------------------------------------------------------
 */

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = errno;
		fd_close(&fd);
		return -err;
	}
	return fd;
}

static int ask(int fd, const char *word)
{
	struct buf got = {0};
	ssize_t n = send(fd, word, strlen(word), MSG_NOSIGNAL);
	while (n > 0 && (n = read(fd, buf_reserve(&got, 65536), 65536)) > 0)
		got.len += (size_t)n;
	const char *text = buf_text(&got);
	int status = 1;
	if (strncmp(text, "ok\n", 3) == 0) {
		cli_print(stdout, "%s", text + 3);
		status = 0;
	} else if (strncmp(text, "error\n", 6) == 0) {
		cli_print(stderr, "%s", text + 6);
		fputs("sluice: nothing was changed\n", stderr);
		status = 2;
	} else {
		fputs("sluice: it ended before it answered (see its log)\n", stderr);
	}
	buf_fini(&got);
	return status;
}

/* Whether a sluice has the state directory, be it just being upgraded. */
static bool is_running(const char *state_dir)
{
	char *path = mem_printf("%s/lock", state_dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool runs = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	fd_close(&fd);
	free(path);
	return runs;
}

/* The configuration of the sluice that listens there, owned; NULL if it does not say. */
static char *file_of_running(const char *path)
{
	static const char word[] = "which\n";
	struct buf got = {0};
	int fd = connect_to(path);
	ssize_t n = fd < 0 ? -1 : send(fd, word, strlen(word), MSG_NOSIGNAL);
	while (n > 0 && (n = read(fd, buf_reserve(&got, PATH_MAX), PATH_MAX)) > 0)
		got.len += (size_t)n;
	const char *text = buf_text(&got);
	bool says = strncmp(text, "ok\n", 3) == 0;
	char *file = says ? mem_strndup(text + 3, strcspn(text + 3, "\n")) : NULL;
	buf_fini(&got);
	fd_close(&fd);
	return file;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;
	return strcmp(a, b) == 0 || (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
				     x.st_ino == y.st_ino);
}

/* A reload reads only the file that sluice was started with, so another one is refused. */
static bool runs_with(const char *path, const char *file)
{
	char *running = file ? file_of_running(path) : NULL;
	bool runs = !running || is_same_file(running, file);
	if (!runs)
		cli_print(stderr,
			  "sluice: the running sluice uses %s, not %s: nothing was changed (use "
			  "-c %s, or stop sluice and start it with the other file)\n",
			  running, file, running);
	free(running);
	return runs;
}

int commands_ask(const char *state_dir, const char *file, const char *word)
{
	char *path = path_in(state_dir);
	int fd = connect_to(path), status = 1;
	int64_t until = clock_mono_ns() + COME_BACK_NS;
	while (fd < 0 && fd != -EACCES && clock_mono_ns() < until && is_running(state_dir)) {
		usleep(50 * 1000);
		fd = connect_to(path);
	}
	if (fd >= 0)
		status = runs_with(path, file) ? ask(fd, word) : 2;
	else if (fd == -EACCES)
		fprintf(stderr,
			"sluice: %s: Permission denied (ask as root, or as the user that sluice "
			"runs as)\n",
			path);
	else
		fprintf(stderr,
			"sluice: no sluice runs with this configuration: %s: %s (start it with "
			"sluice run; after a change of hub.state_dir, end the old one first)\n",
			path, strerror(-fd));
	fd_close(&fd);
	free(path);
	return status;
}
