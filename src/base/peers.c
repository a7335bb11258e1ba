/* SPDX-License-Identifier: MIT */
#include "base/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ancestry.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

static void add(struct peers *p, uid_t uid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->uids[i] == uid)
			return;
	if (p->n < PEERS_MAX)
		p->uids[p->n++] = uid;
}

void peers_init(struct peers *p)
{
	*p = (struct peers){0};
	add(p, 0);
	add(p, geteuid());
}

bool peers_add_user(struct peers *p, const char *name)
{
	const struct passwd *pw = getpwnam(name);
	if (pw)
		add(p, pw->pw_uid);
	return pw != NULL;
}

void peers_put(const struct peers *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++)
		buf_printf(out, "%s%u", i ? "," : "", (unsigned)p->uids[i]);
}

int peers_parse(const char *text, struct peers *ret)
{
	*ret = (struct peers){0};
	for (const char *s = text; *s;) {
		char *end;
		unsigned long uid = strtoul(s, &end, 10);
		if (end == s || (*end && *end != ','))
			return -EINVAL;
		add(ret, (uid_t)uid);
		s = *end ? end + 1 : end;
	}
	return 0;
}

/* Whether the log is to be told; *n gets how many there were since. */
static bool is_news(struct peers *p, unsigned long long *n)
{
	int64_t now = clock_mono_ns();
	p->untold++;
	if (p->told_ns && now - p->told_ns < NS_PER_SEC)
		return false;
	*n = p->untold;
	p->told_ns = now;
	p->untold = 0;
	return true;
}

static bool is_unix(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain == AF_UNIX;
}

/* Whether that child of the supervisor is its hub; no source can change what that is called. */
static bool is_hub(pid_t pid)
{
	static const char hub[] = "sluice\0hub";
	char path[32], text[sizeof(hub)] = "";
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
	fd_close(&fd);
	return n == sizeof(text) && memcmp(text, hub, sizeof(hub)) == 0;
}

bool peers_admit_origin(struct peers *p, int fd, const char *what)
{
	unsigned long long n;
	if (!p->supervisor || !is_unix(fd))
		return true;
	pid_t child;
	int depth = ancestry_of_peer(fd, p->supervisor, &child);
	if (depth == -ESRCH || (depth >= 0 && depth <= p->depth))
		return true;
	/* As the first process of a container it is the parent of what else was started there. */
	if (depth > 0 && p->supervisor == 1 && !is_hub(child))
		return true;
	if (depth > 0 && is_news(p, &n))
		log_warning("closed a connection to %s: its process was started by a source "
			    "(process %d; %llu since the last report)",
			    what, (int)ancestry_peer(fd), n);
	return false;
}

bool peers_admit(struct peers *p, int fd, const char *what)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	unsigned long long n;
	if (!is_unix(fd))
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (p->uids[i] == cred.uid)
			return peers_admit_origin(p, fd, what);
	if (is_news(p, &n))
		log_warning("closed a connection to %s: user %u is not in hub.web_users (if the "
			    "web server runs as that user, add its name, see id -nu %u; %llu since "
			    "the last report)",
			    what, (unsigned)cred.uid, (unsigned)cred.uid, n);
	return false;
}
