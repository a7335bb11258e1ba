/* SPDX-License-Identifier: MIT */
#include "source/grant.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
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

int grant_get_wish(const struct source_settings *src, struct str body, struct grant_wish *ret,
		   char **why)
{
	struct reader r = reader_of(body.data, body.len);
	memset(ret, 0, sizeof(*ret)); /* `how` is compared as bytes */
	ret->address = get_short_str(&r);
	ret->how.mode = (mode_t)get_word(&r) & 0777;
	ret->owner = get_short_str(&r);
	ret->group = get_short_str(&r);
	uint32_t receive_bytes = get_word(&r);
	ret->how.receive_bytes = (int)MIN(receive_bytes, 1u << 30);
	if (r.failed)
		return -EBADMSG;
	char *address = mem_strndup(ret->address.data, ret->address.len);
	bool is_known = is_address_of(src, address);
	if (!is_known)
		*why = mem_printf("\"%s\" is no address in the source's options", address);
	free(address);
	return is_known ? 0 : -EACCES;
}

int grant_listen(struct grants *g, const struct grant_wish *wish, char **why)
{
	size_t i = 0;
	while (i < g->n && !str_is(wish->address, g->all[i].address))
		i++;
	if (i < g->n && memcmp(&g->all[i].how, &wish->how, sizeof(wish->how)) != 0) {
		drop(g, i); /* it is to be another one by now */
		i = g->n;
	}
	if (i < g->n) {
		g->all[i].is_claimed = true;
		return g->all[i].fd;
	}
	char *address = mem_strndup(wish->address.data, wish->address.len);
	int fd = open_address(address, &wish->how, why);
	if (fd < 0) {
		free(address);
		return fd;
	}
	g->all = mem_resize(g->all, (g->n + 1) * sizeof(g->all[0]));
	g->all[g->n++] = (struct granted){
		.address = address, .fd = fd, .is_claimed = true, .how = wish->how};
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
