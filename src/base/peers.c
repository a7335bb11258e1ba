/* SPDX-License-Identifier: MIT */
#include "base/peers.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
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

static void tell(struct peers *p, uid_t who, const char *what)
{
	int64_t now = clock_mono_ns();
	p->untold++;
	if (p->told_ns && now - p->told_ns < NS_PER_SEC)
		return;
	log_warning("a connection of user %u to %s is closed (%llu since the last word on it): if "
		    "the web server runs as that user, add its name (id -nu %u) to hub.web_users",
		    (unsigned)who, what, (unsigned long long)p->untold, (unsigned)who);
	p->told_ns = now;
	p->untold = 0;
}

bool peers_admit(struct peers *p, int fd, const char *what)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int domain = 0;
	socklen_t domain_len = sizeof(domain);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) == 0 && domain != AF_UNIX)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (p->uids[i] == cred.uid)
			return true;
	tell(p, cred.uid, what);
	return false;
}
