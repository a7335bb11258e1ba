/* SPDX-License-Identifier: MIT */
#include "supervisor/sockets.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "channel/state.h"
#include "conf/values.h"
#include "supervisor/inherit.h"
#include "supervisor/listen.h"
#include "supervisor/systemd.h"

enum { LOCK_WAIT_MS = 3000 };

/* What a predecessor has left, before anything new is opened: what nobody wants of it is
 * closed, so that it is in nobody's way.
 */
static void take_over(struct supervisor *s, int listen[LISTEN_MAX])
{
	const struct hub_settings *hub = &s->settings->hub;
	bool ignored;
	s->lock_fd = inherit_take(hub->state_dir, "lock", &ignored);
	s->gate_fd = inherit_take(hub->state_dir, "gate", &ignored);
	for (size_t i = 0; i < hub->n_listen && i < LISTEN_MAX; i++)
		listen[i] = inherit_take(hub->state_dir, hub->listen[i], &s->keeps_file[i]);
	inherit_close_rest();
}

static int open_one(const char *address, bool *keeps_file, char **why)
{
	int fd = systemd_socket(address);
	*keeps_file = fd >= 0;
	return fd >= 0 ? fd : listen_open(address, why);
}

int sockets_open(struct supervisor *s, char **why)
{
	const struct hub_settings *hub = &s->settings->hub;
	int listen[LISTEN_MAX];
	take_over(s, listen);
	if (s->lock_fd < 0)
		s->lock_fd = state_lock(hub->state_dir, LOCK_WAIT_MS, why);
	s->gate_path = mem_printf("%s/hub.sock", hub->state_dir);
	if (!*why && s->gate_fd < 0)
		s->gate_fd = listen_open_unix(s->gate_path, SOCK_SEQPACKET, 0666, why);
	for (size_t i = 0; i < hub->n_listen && i < LISTEN_MAX; i++) {
		if (listen[i] < 0 && !*why)
			listen[i] = open_one(hub->listen[i], &s->keeps_file[i], why);
		if (*why)
			fd_close(&listen[i]);
		else
			s->listen[s->n_listen++] =
				(struct fd_map){listen[i], RESPONDER_FIRST_FD + (int)i};
	}
	return *why ? -1 : 0;
}

void sockets_close(struct supervisor *s)
{
	for (size_t i = 0; i < s->n_listen; i++) {
		if (!s->keeps_file[i])
			listen_unlink(s->settings->hub.listen[i]);
		fd_close(&s->listen[i].from);
	}
	if (s->gate_fd >= 0)
		unlink(s->gate_path);
	fd_close(&s->gate_fd);
	fd_close(&s->lock_fd);
	free(s->gate_path);
}

void sockets_leave_to_web_server(struct settings *s)
{
	list_free(s->hub.listen, s->hub.n_listen);
	s->hub.listen = NULL;
	s->hub.n_listen = 0;
	s->hub.responders = 0;
}
