/* SPDX-License-Identifier: MIT */
#include "base/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/unit.h"

enum { BACKLOG = 4096 };

const char *const address_words[] = {"udp",         "tcp",        "tls", "unix",
				     "unix-stream", "unix-dgram", NULL};

static const enum address_kind kinds[] = {ADDRESS_UDP,         ADDRESS_TCP,
					  ADDRESS_TLS,         ADDRESS_UNIX_STREAM,
					  ADDRESS_UNIX_STREAM, ADDRESS_UNIX_DGRAM};

static int parse_host_port(const char *text, const char *rest, struct address *ret, char **why)
{
	const char *colon = strrchr(rest, ':');
	int64_t port;
	size_t n = colon ? (size_t)(colon - rest) : 0;
	int word = (int)strcspn(text, ":");
	if (rest[0] == '/') {
		*why = mem_printf("\"%s\" is not an address (did you mean \"%.*s:%s\"?)", text,
				  word, text, rest + strspn(rest, "/"));
		return -EINVAL;
	}
	if (!colon && unit_parse_int(rest, &port) == 0) {
		*why = mem_printf("\"%s\" names no host (write %.*s:127.0.0.1:%s for this "
				  "machine alone, or %.*s:0.0.0.0:%s for others too)",
				  text, word, text, rest, word, text, rest);
		return -EINVAL;
	}
	if (!n || n >= sizeof(ret->host) || strlen(colon + 1) >= sizeof(ret->port) ||
	    unit_parse_int(colon + 1, &port) || port < 1 || port > 65535) {
		*why = mem_printf("\"%s\" names no host and port (write %.*s:127.0.0.1:9000)", text,
				  word, text);
		return -EINVAL;
	}
	if (rest[0] == '[' && rest[n - 1] == ']' && n > 2) {
		rest++;
		n -= 2;
	} else if (memchr(rest, ':', n)) {
		*why = mem_printf("\"%s\": an IPv6 address stands in brackets (write [::1]:9000)",
				  text);
		return -EINVAL;
	}
	memcpy(ret->host, rest, n);
	memcpy(ret->port, colon + 1, strlen(colon + 1) + 1);
	return 0;
}

static bool is_path_word(const char *word)
{
	return strncmp(word, "unix", 4) == 0;
}

/* What lacks its word, or has it misspelled, with the right one; owned, or NULL. */
static char *meant_by(const char *text, const char *const *words)
{
	size_t n = strcspn(text, ":");
	char *word = mem_strndup(text, n), *ret = NULL;
	const char *near = text[n] ? unit_nearest(word, words) : NULL;
	const char *rest = text + n + 1;
	int64_t port;
	free(word);
	if (near)
		return mem_printf("%s:%s", near,
				  rest + (is_path_word(near) ? 0 : strspn(rest, "/")));
	for (size_t i = 0; words[i] && !ret; i++) {
		if (text[0] == '/' && is_path_word(words[i]))
			ret = mem_printf("%s:%s", words[i], text);
		else if (is_path_word(words[i]) || text[0] == '/')
			continue;
		else if (unit_parse_int(text, &port) == 0)
			ret = mem_printf("%s:127.0.0.1:%s", words[i], text);
		else if (text[n] && unit_parse_int(rest, &port) == 0)
			ret = mem_printf("%s:%s%s", words[i], n ? "" : "0.0.0.0", text);
	}
	return ret;
}

char *address_explain(const char *text, const char *const *words)
{
	struct buf out = {0};
	char *meant = meant_by(text, words);
	buf_printf(&out, "\"%s\" is not an address (", text);
	if (meant)
		buf_printf(&out, "did you mean \"%s\"?  ", meant);
	buf_puts(&out, meant ? "Write " : "write ");
	for (size_t i = 0; words[i]; i++)
		buf_printf(&out, "%s%s:%s",
			   !i             ? ""
			   : words[i + 1] ? ", "
					  : " or ",
			   words[i], is_path_word(words[i]) ? "/path" : "host:port");
	buf_putc(&out, ')');
	free(meant);
	meant = mem_strdup(buf_text(&out));
	buf_fini(&out);
	return meant;
}

int address_parse(const char *text, struct address *ret, char **why)
{
	*ret = (struct address){0};
	const char *colon = strchr(text, ':');
	size_t i = 0;
	while (address_words[i] && (!colon || strlen(address_words[i]) != (size_t)(colon - text) ||
				    strncmp(text, address_words[i], (size_t)(colon - text)) != 0))
		i++;
	if (!address_words[i]) {
		*why = address_explain(text, address_words);
		return -EINVAL;
	}
	ret->kind = kinds[i];
	if (ret->kind < ADDRESS_UNIX_STREAM)
		return parse_host_port(text, colon + 1, ret, why);
	size_t n = strlen(colon + 1);
	if (colon[1] != '/') {
		*why = mem_printf("\"%s\": the socket's path is not absolute (write %.*s:/path)",
				  text, (int)(colon - text), text);
		return -EINVAL;
	}
	if (n >= sizeof(ret->path)) {
		*why = mem_printf(
			"\"%s\" is longer than the %zu characters that a socket's path may "
			"have (choose a shorter directory)",
			colon + 1, sizeof(ret->path) - 1);
		return -EINVAL;
	}
	memcpy(ret->path, colon + 1, n + 1);
	return 0;
}

/* 0 when nothing is in the way of binding `addr`; a negative errno with *why. */
static int clear_the_way(const struct sockaddr_un *addr, int type, char **why)
{
	struct stat st;
	if (lstat(addr->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		*why = mem_printf("%s exists and is no socket (remove it, or listen elsewhere)",
				  addr->sun_path);
		return -EEXIST;
	}
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	int err = errno;
	if (fd >= 0)
		close(fd);
	if (r == 0 || err == EAGAIN) {
		*why = mem_printf(
			"%s: another process listens there (stop it, or listen elsewhere)",
			addr->sun_path);
		return -EADDRINUSE;
	}
	if (err != ECONNREFUSED) {
		*why = mem_printf("%s: %s", addr->sun_path, strerror(err));
		return -err;
	}
	log_info("%s: replacing a socket that a process left behind", addr->sun_path);
	unlink(addr->sun_path);
	return 0;
}

static void set_receive_bytes(int fd, int bytes)
{
	if (bytes && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/* The file's rights are the socket's, less the umask. */
static int bind_with_mode(int fd, const struct sockaddr_un *addr, mode_t mode)
{
	mode_t old = umask(0777 & ~mode);
	int r = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	int err = errno;
	umask(old);
	errno = err;
	return r;
}

static int open_unix(const char *path, int type, const struct address_how *how, char **why)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	memcpy(addr.sun_path, path, strlen(path));
	int r = clear_the_way(&addr, type, why);
	if (r)
		return r;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		set_receive_bytes(fd, how->receive_bytes);
	/* The rights before the name is there; and no link that somebody puts in its
	 * place is followed.
	 */
	if (fd < 0 || fchmod(fd, how->mode) < 0 || bind_with_mode(fd, &addr, how->mode) < 0 ||
	    ((how->owner != (uid_t)-1 || how->group != (gid_t)-1) &&
	     fchownat(AT_FDCWD, path, how->owner, how->group, AT_SYMLINK_NOFOLLOW) < 0) ||
	    (type != SOCK_DGRAM && listen(fd, BACKLOG) < 0)) {
		int err = errno;
		*why = mem_printf("cannot listen on %s: %s%s", path, strerror(err),
				  err == ENOENT ? " (make its directory)" : "");
		if (fd >= 0)
			close(fd);
		return -err;
	}
	return fd;
}

static const char *remedy(int err)
{
	if (err == EADDRINUSE)
		return " (another process has the port: stop it, or listen on another one)";
	if (err == EACCES)
		return " (ports below 1024 need CAP_NET_BIND_SERVICE: take another one, or give "
		       "it)";
	return "";
}

static int open_inet(const struct address *a, int type, const struct address_how *how, char **why)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = type}, *all = NULL;
	int fd = -1, on = 1, err = getaddrinfo(a->host, a->port, &hints, &all);
	if (err) {
		*why = mem_printf("cannot listen on %s:%s: %s", a->host, a->port,
				  gai_strerror(err));
		return -EINVAL;
	}
	fd = socket(all->ai_family, type | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		set_receive_bytes(fd, how->receive_bytes);
	/* Of UDP it would let a second process share the port and take our datagrams. */
	if (fd < 0 ||
	    (type == SOCK_STREAM &&
	     setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
	    bind(fd, all->ai_addr, all->ai_addrlen) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)) {
		err = errno;
		*why = mem_printf("cannot listen on %s:%s: %s%s", a->host, a->port, strerror(err),
				  remedy(err));
		if (fd >= 0)
			close(fd);
		fd = -err;
	}
	freeaddrinfo(all);
	return fd;
}

int address_open(const struct address *a, const struct address_how *how, char **why)
{
	int type = SOCK_STREAM;
	if (a->kind == ADDRESS_UDP || a->kind == ADDRESS_UNIX_DGRAM)
		type = SOCK_DGRAM;
	if (how->socket_type)
		type = how->socket_type;
	if (a->kind == ADDRESS_UNIX_STREAM || a->kind == ADDRESS_UNIX_DGRAM)
		return open_unix(a->path, type, how, why);
	return open_inet(a, type, how, why);
}
