/* SPDX-License-Identifier: MIT */
#include "supervisor/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/peers.h"
#include "supervisor/listen.h"

#define SAY_WITHIN_NS (2 * NS_PER_SEC)

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
	struct loop *loop;
	command_fn *obey;
	void *ctx;
	bool is_reloading;
	char *path;
	int fd;
	struct loop_io io;
	struct client clients[CLIENTS_MAX];
	struct peers peers;
};

/* ---- answers --------------------------------------------------------------------------- */

static void close_client(struct client *c)
{
	loop_remove(c->commands->loop, &c->io);
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
	if (kind == COMMAND_RELOAD)
		c->is_reloading = false;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *x = &c->clients[i];
		if (x->fd >= 0 && x->waits && x->kind == kind && !x->is_early)
			answer(x, good, text);
	}
}

void commands_reload_begins(struct commands *c)
{
	c->is_reloading = true;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		c->clients[i].is_early = false;
}

/* ---- who asks ---------------------------------------------------------------------------- */

/* The words of enum command_kind; one that ends in a blank has an argument. */
static const char *const words[] = {[COMMAND_RELOAD] = "reload",
				    [COMMAND_DRAIN] = "drain ",
				    [COMMAND_UPGRADE] = "upgrade",
				    [COMMAND_WHICH] = "which"};

/* What is said, without its line feed. */
static void take(struct client *c, const char *said)
{
	struct commands *all = c->commands;
	for (size_t i = 0; i < array_size(words); i++) {
		size_t n = strlen(words[i]);
		bool has_argument = words[i][n - 1] == ' ';
		if (strncmp(said, words[i], n) != 0 || (said[n] && !has_argument))
			continue;
		c->waits = true;
		c->kind = (enum command_kind)i;
		c->is_early = c->kind == COMMAND_RELOAD && all->is_reloading;
		all->obey(all->ctx, c->kind, said + n);
		return;
	}
	close_client(c);
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
	word[strcspn(word, "\n")] = 0;
	take(c, word);
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
	int64_t now = loop_now(all->loop);
	if (fd >= 0 && !peers_admit(&all->peers, fd, "the control socket")) {
		turn_away(fd, "programs started by a source may not use the control socket");
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
		if (loop_add(all->loop, &c->io, fd, EPOLLIN, on_client) == 0) {
			c->fd = fd;
			return;
		}
		break;
	}
	turn_away(fd, "too many commands at once; try again");
}

/* ---- life ---------------------------------------------------------------------------------- */

struct commands *commands_new(struct loop *l, const char *state_dir, command_fn *obey, void *ctx)
{
	struct commands *c = mem_zero(sizeof(*c));
	*c = (struct commands){.loop = l, .obey = obey, .ctx = ctx, .fd = -1, .io.fd = -1};
	c->path = mem_printf("%s/" COMMANDS_SOCKET, state_dir);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		c->clients[i].fd = c->clients[i].io.fd = -1;
		c->clients[i].commands = c;
	}
	return c;
}

int commands_listen(struct commands *c, char **why)
{
	peers_init(&c->peers);
	c->peers.supervisor = getpid();
	c->fd = listen_open_unix(c->path, SOCK_STREAM, 0600, why);
	if (c->fd >= 0 && !fd_set_nonblocking(c->fd) &&
	    !loop_add(c->loop, &c->io, c->fd, EPOLLIN, on_connection))
		return 0;
	if (!*why)
		*why = mem_printf("%s: %s", c->path, strerror(errno));
	commands_shut(c);
	return -1;
}

void commands_shut(struct commands *c)
{
	loop_remove(c->loop, &c->io);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		close_client(&c->clients[i]);
	if (c->fd >= 0)
		unlink(c->path);
	fd_close(&c->fd);
}

void commands_free(struct commands *c)
{
	commands_shut(c);
	free(c->path);
	free(c);
}
