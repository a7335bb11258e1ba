/* SPDX-License-Identifier: MIT */
#include "responder/params.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
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

static char *param(FCGX_Request *r, const char *name)
{
	const char *s = FCGX_GetParam(name, r->envp);
	return mem_strdup(s ? s : "");
}

int params_read(const struct fcgi_request *request, struct params *ret)
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
	bool ok = w == (ssize_t)head.len && FCGX_Accept_r(&r) == 0 && r.in &&
		  FCGX_GetError(r.in) == 0;
	if (ok) {
		ret->id = (uint16_t)r.requestId;
		ret->method = param(&r, "REQUEST_METHOD");
		ret->script_name = param(&r, "SCRIPT_NAME");
		ret->path_info = param(&r, "PATH_INFO");
		ret->query = param(&r, "QUERY_STRING");
		ret->accept = param(&r, "HTTP_ACCEPT");
		ret->last_event_id = param(&r, "HTTP_LAST_EVENT_ID");
		ret->address = param(&r, "REMOTE_ADDR");
		ret->user = param(&r, "REMOTE_USER");
		ret->accept_encoding = param(&r, "HTTP_ACCEPT_ENCODING");
		ret->content_type = param(&r, "CONTENT_TYPE");
		ret->if_none_match = param(&r, "HTTP_IF_NONE_MATCH");
	}
	/* Never FCGX_Finish_r: it would answer the request. */
	r.ipcFd = -1;
	r.keepConnection = 0;
	FCGX_Free(&r, 0);
	buf_fini(&head);
	close(pair[0]);
	close(pair[1]);
	return ok ? 0 : -EBADMSG;
}

void params_fini(struct params *p)
{
	free(p->method);
	free(p->script_name);
	free(p->path_info);
	free(p->query);
	free(p->accept);
	free(p->last_event_id);
	free(p->address);
	free(p->user);
	free(p->accept_encoding);
	free(p->content_type);
	free(p->if_none_match);
	*p = (struct params){0};
}
