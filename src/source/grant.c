/* SPDX-License-Identifier: MIT */
#include "source/grant.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/address.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "base/mem.h"

enum { ANSWER_MAX = 1000 };

static void drop(struct grants *g, size_t i)
{
	struct address a;
	char *why = NULL;
	if (address_parse(g->all[i].address, &a, &why) == 0 && a.path[0])
		unlink(a.path);
	free(why);
	fd_close(&g->all[i].fd);
	free(g->all[i].address);
	g->all[i] = g->all[--g->n];
}

void grants_fini(struct grants *g)
{
	while (g->n)
		drop(g, 0);
	free(g->all);
	*g = (struct grants){0};
}

void grants_unclaim(struct grants *g)
{
	for (size_t i = 0; i < g->n; i++)
		g->all[i].is_claimed = false;
}

void grants_drop_unclaimed(struct grants *g)
{
	for (size_t i = g->n; i-- > 0;)
		if (!g->all[i].is_claimed)
			drop(g, i);
}

/* Whether an option that is an address has this value. */
static bool is_address_of(const struct source_settings *src, const char *address)
{
	for (size_t i = 0; i < src->options.n; i++) {
		const struct option_value *v = &src->options.all[i];
		for (size_t k = 0; v->type == SLUICE_ADDRESS && k < v->n; k++)
			if (strcmp(v->items[k], address) == 0)
				return true;
	}
	return false;
}

static int find_owner(const char *owner, const char *group, struct address_how *how, char **why)
{
	const struct passwd *p = *owner ? getpwnam(owner) : NULL;
	const struct group *g = *group ? getgrnam(group) : NULL;
	if ((*owner && !p) || (*group && !g)) {
		*why = mem_printf("there is no %s \"%s\"", *owner && !p ? "user" : "group",
				  *owner && !p ? owner : group);
		return -EINVAL;
	}
	how->owner = p ? p->pw_uid : (uid_t)-1;
	how->group = g ? g->gr_gid : (gid_t)-1;
	return 0;
}

static int open_address(const char *address, const struct address_how *how, char **why)
{
	struct address a;
	int r = address_parse(address, &a, why);
	if (!r)
		r = address_open(&a, how, why);
	if (r >= 0 && fd_set_nonblocking(r))
		r = -EIO;
	/* It is for hearing: one of datagrams could send to any other socket here. */
	if (r >= 0 && a.kind == ADDRESS_UNIX_DGRAM && shutdown(r, SHUT_WR) < 0)
		r = -errno;
	return r;
}

void grants_move(struct grants *from, const struct source_settings *of, struct grants *to,
		 struct str address)
{
	for (size_t i = 0; i < from->n; i++) {
		struct granted *g = &from->all[i];
		if (!str_is(address, g->address) || is_address_of(of, g->address))
			continue;
		to->all = mem_resize(to->all, (to->n + 1) * sizeof(to->all[0]));
		to->all[to->n++] = *g;
		*g = from->all[--from->n];
		return;
	}
}

int grant_listen(struct grants *g, const struct source_settings *src, struct str body, char **why)
{
	struct reader r = reader_of(body.data, body.len);
	struct str text = get_short_str(&r);
	struct address_how how;
	memset(&how, 0, sizeof(how)); /* compared as bytes */
	how.mode = (mode_t)get_word(&r) & 0777;
	struct str o = get_short_str(&r), gr = get_short_str(&r);
	uint32_t receive_bytes = get_word(&r);
	how.receive_bytes = (int)MIN(receive_bytes, 1u << 30);
	if (r.failed)
		return -EBADMSG;
	char *address = mem_strndup(text.data, text.len);
	char *owner = mem_strndup(o.data, o.len), *group = mem_strndup(gr.data, gr.len);
	int fd = -EACCES;
	size_t i = 0;
	while (i < g->n && strcmp(g->all[i].address, address) != 0)
		i++;
	int err = find_owner(owner, group, &how, why);
	if (!err && i < g->n && memcmp(&g->all[i].how, &how, sizeof(how)) != 0) {
		drop(g, i); /* it is to be another one by now */
		i = g->n;
	}
	if (err)
		fd = err;
	else if (!is_address_of(src, address))
		*why = mem_printf("\"%s\" is no address in the source's options", address);
	else if (i < g->n)
		fd = g->all[i].fd;
	else
		fd = open_address(address, &how, why);
	if (fd >= 0 && i == g->n) {
		g->all = mem_resize(g->all, (g->n + 1) * sizeof(g->all[0]));
		g->all[g->n++] =
			(struct granted){.address = mem_strdup(address), .fd = fd, .how = how};
	}
	if (fd >= 0)
		g->all[i].is_claimed = true;
	free(address);
	free(owner);
	free(group);
	return fd;
}

/* Whether an option that names what is read covers the path. */
static bool is_path_of(const struct source_settings *src, const char *path)
{
	for (size_t i = 0; i < src->options.n; i++) {
		const struct option_value *v = &src->options.all[i];
		for (size_t k = 0; (v->flags & SLUICE_READ) && k < v->n; k++) {
			size_t n = strlen(v->items[k]);
			while (n > 1 && v->items[k][n - 1] == '/')
				n--;
			if (v->type == SLUICE_GLOB && fnmatch(v->items[k], path, FNM_PATHNAME) == 0)
				return true;
			if (v->type != SLUICE_GLOB && strncmp(path, v->items[k], n) == 0 &&
			    (!path[n] || path[n] == '/'))
				return true;
		}
	}
	return false;
}

int grant_open(const struct source_settings *src, struct str text, char **why)
{
	char *path = mem_strndup(text.data, text.len);
	/* No link: who can write in a log directory must not choose what we open. */
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
			       .resolve = RESOLVE_NO_SYMLINKS};
	int fd = -EACCES;
	if (!is_path_of(src, path) || strstr(path, "/..")) {
		*why = mem_printf("\"%s\" is below no path in the source's options", path);
	} else {
		fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
		if (fd < 0) {
			fd = -errno;
			*why = mem_printf("%s: %s", path, strerror(errno));
		}
	}
	free(path);
	return fd;
}

int grant_answer(int sock, int result, int fd, const char *why)
{
	char packet[4 + ANSWER_MAX];
	size_t n = why ? strnlen(why, ANSWER_MAX) : 0;
	put_u32(packet, (uint32_t)result);
	if (n)
		memcpy(packet + 4, why, n);
	return fd_send_packet(sock, packet, 4 + n, fd);
}
