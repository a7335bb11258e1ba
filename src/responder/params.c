/* SPDX-License-Identifier: MIT */
#include "responder/params.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

int params_init(void)
{
	if (FCGX_Init())
		return -EIO;
	/* libfcgi 2.4.2 takes these over, and would survive SIGTERM with them. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	return 0;
}

/* Which parameter of the request is which member. */
static const struct {
	const char *name;
	size_t offset; /* of a char * in struct params */
} known[] = {
	{"REQUEST_METHOD", offsetof(struct params, method)},
	{"SCRIPT_NAME", offsetof(struct params, script_name)},
	{"PATH_INFO", offsetof(struct params, path_info)},
	{"SLUICE_PREFIX", offsetof(struct params, prefix)},
	{"QUERY_STRING", offsetof(struct params, query)},
	{"REMOTE_ADDR", offsetof(struct params, address)},
	{"REMOTE_USER", offsetof(struct params, user)},
	{"CONTENT_TYPE", offsetof(struct params, content_type)},
	{"HTTP_ACCEPT", offsetof(struct params, accept)},
	{"HTTP_ACCEPT_ENCODING", offsetof(struct params, accept_encoding)},
	{"HTTP_LAST_EVENT_ID", offsetof(struct params, last_event_id)},
	{"HTTP_IF_NONE_MATCH", offsetof(struct params, if_none_match)},
	{"HTTP_HOST", offsetof(struct params, host)},
	{"HTTP_ORIGIN", offsetof(struct params, origin)},
	{"HTTP_SEC_FETCH_SITE", offsetof(struct params, fetch_site)},
	{"HTTP_SEC_FETCH_MODE", offsetof(struct params, fetch_mode)},
	{"HTTP_COOKIE", offsetof(struct params, cookie)},
	{"SSL_CLIENT_VERIFY", offsetof(struct params, verify)},
	{"SERVER_SOFTWARE", offsetof(struct params, software)},
	{"SERVER_PROTOCOL", offsetof(struct params, protocol)},
	{"SERVER_PORT", offsetof(struct params, server_port)},
	{"REMOTE_PORT", offsetof(struct params, port)},
	{"HTTP_VIA", offsetof(struct params, via)},
	{"HTTP_X_FORWARDED_FOR", offsetof(struct params, forwarded_for)},
	{"HTTP_FORWARDED", offsetof(struct params, forwarded)},
	{"HTTP_X_FORWARDED_SERVER", offsetof(struct params, forwarded_server)},
	{"HTTP_X_REAL_IP", offsetof(struct params, real_ip)},
	{"HTTP_X_VARNISH", offsetof(struct params, varnish)},
};

/* Of which there may be one alone: who could send another one would choose. */
static const char *const unique[] = {"REMOTE_USER", "REMOTE_ADDR",       "SSL_CLIENT_VERIFY",
				     "HTTP_HOST",   "HTTP_ORIGIN",       "HTTP_SEC_FETCH_SITE",
				     "HTTP_COOKIE", "HTTP_LAST_EVENT_ID"};

static char **member(struct params *p, size_t i)
{
	return (char **)(void *)((char *)p + known[i].offset);
}

static void take(struct params *p, size_t i, const char *value)
{
	*member(p, i) = mem_strdup(value ? value : "");
}

/* Whether `entry`, "NAME=value", has that name, where "-" is as good as "_". */
static bool is_named(const char *entry, const char *name)
{
	for (; *name; entry++, name++)
		if (*entry != *name && !(*entry == '-' && *name == '_'))
			return false;
	return *entry == '=';
}

static bool is_there_twice(char *const *envp, const char *name)
{
	int n = 0;
	for (; *envp; envp++)
		n += is_named(*envp, name);
	return n > 1;
}

/* nginx 1.22 passes on each line of a header field as a parameter of its own: what a
 * proxy has added is the last of them, not the first.  With any other web server a second
 * one is a client's X_Forwarded_For, and which is which cannot be told.
 */
static void join(char **value, char *const *envp, const char *name, bool is_nginx)
{
	struct buf all = {0};
	int n = 0;
	for (; *envp; envp++)
		if (is_named(*envp, name))
			buf_printf(&all, "%s%s", n++ ? ", " : "", *envp + strlen(name) + 1);
	if (n > 1 && !is_nginx)
		buf_puts(&all, ", unknown");
	free(*value);
	*value = mem_strdup(buf_text(&all));
	buf_fini(&all);
}

static void join_fields(struct params *p, char *const *envp)
{
	bool is_nginx = strncmp(p->software, "nginx/", 6) == 0;
	join(&p->forwarded_for, envp, "HTTP_X_FORWARDED_FOR", is_nginx);
	join(&p->forwarded, envp, "HTTP_FORWARDED", is_nginx);
}

static bool has_twins(char *const *envp, const char *certificate)
{
	for (size_t i = 0; i < array_size(unique); i++)
		if (is_there_twice(envp, unique[i]))
			return true;
	return *certificate && is_there_twice(envp, certificate);
}

/* A certificate that was not verified names nobody. */
static void take_certificate(struct params *p, const char *value)
{
	bool verified = strcmp(p->verify, "SUCCESS") == 0;
	p->certificate = mem_strdup(verified && value ? value : "");
}

int params_read(const struct fcgi_request *request, const char *certificate, struct params *ret)
{
	int pair[2];
	*ret = (struct params){0};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	struct buf head = {0};
	fcgi_put_request(&head, request);
	ssize_t w = send(pair[0], head.data, head.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(pair[0], SHUT_WR);
	FCGX_Request r;
	FCGX_InitRequest(&r, -1, 0);
	r.ipcFd = pair[1];
	r.keepConnection = 1; /* else Accept_r would first accept another one */
	bool twins = false;
	int shortage = w < 0 ? -ENOBUFS : 0;
	bool ok = w == (ssize_t)head.len && FCGX_Accept_r(&r) == 0 && r.in &&
		  FCGX_GetError(r.in) == 0;
	if (ok) {
		ret->id = (uint16_t)r.requestId;
		for (size_t i = 0; i < array_size(known); i++)
			take(ret, i, FCGX_GetParam(known[i].name, r.envp));
		take_certificate(ret, *certificate ? FCGX_GetParam(certificate, r.envp) : NULL);
		join_fields(ret, r.envp);
		twins = has_twins(r.envp, certificate);
	}
	/* Never FCGX_Finish_r: it would answer the request. */
	r.ipcFd = -1;
	r.keepConnection = 0;
	FCGX_Free(&r, 0);
	buf_fini(&head);
	close(pair[0]);
	close(pair[1]);
	return shortage ? shortage : !ok ? -EBADMSG : twins ? -EEXIST : 0;
}

int params_read_environment(const char *certificate, struct params *ret)
{
	*ret = (struct params){0};
	for (size_t i = 0; i < array_size(known); i++)
		take(ret, i, getenv(known[i].name));
	take_certificate(ret, *certificate ? getenv(certificate) : NULL);
	join_fields(ret, environ);
	return has_twins(environ, certificate) ? -EEXIST : 0;
}

void params_fini(struct params *p)
{
	for (size_t i = 0; i < array_size(known); i++)
		free(*member(p, i));
	free(p->certificate);
	*p = (struct params){0};
}
