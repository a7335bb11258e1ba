/* SPDX-License-Identifier: MIT */
#include "supervisor/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "base/fd.h"
#include "base/mem.h"

/* Who may connect is decided by the peer's user, see base/peers.h. */
static const struct address_how how_public = {.mode = 0666, .owner = (uid_t)-1, .group = (gid_t)-1};

/* The web server has to get into it. */
static int make_directory_of(const char *path, char **why)
{
	char *dir = mem_strdup(path), *slash = strrchr(dir, '/');
	mode_t old = umask(022);
	int r = 0;
	if (slash && slash != dir) {
		*slash = 0;
		r = fd_make_dirs(dir);
	}
	umask(old);
	if (r)
		*why = mem_printf("cannot listen on %s: %s cannot be made: %s (make it, and give "
				  "it to the user that sluice runs as)",
				  path, dir, strerror(-r));
	free(dir);
	return r;
}

int listen_open(const char *address, char **why)
{
	struct address a;
	int r = address_parse(address, &a, why);
	if (!r && a.kind == ADDRESS_UNIX_STREAM)
		r = make_directory_of(a.path, why);
	return r ? r : address_open(&a, &how_public, why);
}

int listen_open_unix(const char *path, int type, mode_t mode, char **why)
{
	struct address a = {.kind = ADDRESS_UNIX_STREAM};
	struct address_how how = how_public;
	how.mode = mode;
	how.socket_type = type;
	if (strlen(path) >= sizeof(a.path))
		return -ENAMETOOLONG;
	memcpy(a.path, path, strlen(path) + 1);
	return address_open(&a, &how, why);
}

void listen_unlink(const char *address)
{
	if (strncmp(address, "unix:", 5) == 0)
		unlink(address + 5);
}
