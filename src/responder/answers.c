/* SPDX-License-Identifier: MIT
 *
 * answers - where a request goes by its path: to an answer that needs no hub, or to the hub.
 */
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "responder/responder_internal.h"

enum { QUERY_MAX = 16 * 1024, HANDOFF_TEXT_MAX = 60 * 1024 };

/* Only what can stand in a header as it is, and `more`; it came from the client. */
static bool is_plain(const char *s, const char *more)
{
	for (; *s; s++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_.~-",
			    *s) &&
		    !strchr(more, *s))
			return false;
	return true;
}

static void respond_redirect(struct request *q)
{
	struct params *p = &q->params;
	bool has_query = *p->query && is_plain(p->query, "?&=%+:;,");
	char *header = mem_printf("Location: %s%s/%s%s\r\n", p->script_name, p->path_info,
				  has_query ? "?" : "", has_query ? p->query : "");
	if (is_plain(p->script_name, "") && is_plain(p->path_info, "") &&
	    p->script_name[0] == '/' && p->script_name[1] != '/')
		request_respond_text(q, "301 Moved Permanently", header,
				     "The console is at this address with a slash at its end.\n");
	else
		request_respond_text(q, "404 Not Found", "", "There is nothing here.\n");
	free(header);
}

/* OPTIONS from a page of another origin is a CORS preflight, which the hub answers. */
static bool is_preflight(const struct request *q, const struct route *to)
{
	return to->kind == ROUTE_HUB && q->params.origin[0];
}

/* What the method alone decides: false when that was the answer. */
static bool method_is_known(struct request *q, const struct route *to)
{
	const char *method = q->params.method;
	bool is_options = strcmp(method, "OPTIONS") == 0;
	if (to->kind == ROUTE_NONE || route_takes(to, method) ||
	    (is_options && is_preflight(q, to)))
		return true;
	char *allow = mem_printf("Allow: %s%s\r\n", to->methods, is_options ? ", OPTIONS" : "");
	if (is_options)
		request_respond_empty(q, "204 No Content", allow);
	else
		request_respond_text(q, "405 Method Not Allowed", allow,
				     strcmp(to->methods, ROUTE_READS) == 0
					     ? "This path supports only GET and HEAD.\n"
					     : "This path does not support that method.\n");
	free(allow);
	return false;
}

/* A form says the same as a query string, and may be longer. */
static bool take_form(struct request *q)
{
	if (strlen(q->params.query) > QUERY_MAX) {
		request_respond_text(q, "414 URI Too Long", "",
				     "The query is longer than 16 KiB (send the parameters as a "
				     "form with POST, up to 60 KiB).\n");
		return false;
	}
	static const char form[] = "application/x-www-form-urlencoded";
	const char *type = q->params.content_type;
	bool is_post = strcmp(q->params.method, "POST") == 0;
	if (is_post && q->form && *q->form && strncasecmp(type, form, sizeof(form) - 1) != 0) {
		request_respond_text(q, "415 Unsupported Media Type", "",
				     "Send the parameters as a form (Content-Type: "
				     "application/x-www-form-urlencoded).\n");
		return false;
	}
	if (q->form_has_nul) {
		request_respond_text(q, "400 Bad Request", "", "The form contains a NUL byte.\n");
		return false;
	}
	const char *more = is_post && q->form ? q->form : "";
	if (strlen(q->params.query) + strlen(more) > HANDOFF_TEXT_MAX) {
		request_respond_text(q, "413 Content Too Large", "",
				     "The query and the form are longer than 60 KiB together.\n");
		return false;
	}
	q->query =
		mem_printf("%s%s%s", q->params.query, *q->params.query && *more ? "&" : "", more);
	return true;
}

void request_route(struct request *q)
{
	struct responder *r = q->responder;
	struct buf b = {0}, cors = {0};
	struct route to = route_find(&q->params, r->config->prefix, &r->files);
	if (method_is_known(q, &to)) {
		switch (to.kind) {
		case ROUTE_NONE:
			request_respond_text(q, "404 Not Found", "", "There is nothing here.\n");
			break;
		case ROUTE_REDIRECT: respond_redirect(q); break;
		case ROUTE_PROBE: probe_begin(q); break;
		case ROUTE_LIVE: request_respond_text(q, "200 OK", "", "live\n"); break;
		case ROUTE_FILE:
			request_put_cors(q, "Accept-Encoding, ", &cors);
			file_put_answer(to.file, q->params.if_none_match,
					str_of(q->params.accept_encoding),
					r->config->frame_ancestors, buf_str(&cors), &b);
			request_respond(q, buf_str(&b), false);
			break;
		case ROUTE_HUB:
			if (take_form(q)) {
				request_begin_to_ask(q, to.path);
				to.path = NULL;
			}
			break;
		}
	}
	free(to.path);
	buf_fini(&b);
	buf_fini(&cors);
}
