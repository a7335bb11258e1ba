/* SPDX-License-Identifier: MIT */
#include "conf/access.h"

#include <stdlib.h>
#include <strings.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/net.h"
#include "wire/origin.h"

enum { GROUPS_FILE_MAX = 4 * 1024 * 1024 };

static const char *const defaults[] = {"deny", "allow", NULL};

/* A line "name: user user" as "name user user". */
static void read_group(struct access_settings *a, char *line, struct place at, struct errors *e)
{
	line += strspn(line, " \t\r");
	if (!*line || *line == '#')
		return;
	char *colon = strchr(line, ':'), *save;
	if (!colon || colon == line) {
		errors_add(e, at, "access.groups", "a line is \"name: user user\"");
		return;
	}
	*colon = 0;
	if (strpbrk(line, " \t")) {
		errors_add(e, at, "access.groups", "\"%s\": the name of a group has no blanks",
			   line);
		return;
	}
	struct buf of = {0};
	buf_puts(&of, line);
	for (char *user = strtok_r(colon + 1, " \t\r", &save); user;
	     user = strtok_r(NULL, " \t\r", &save))
		buf_printf(&of, " %s", user);
	a->members = mem_resize(a->members, (a->n_members + 1) * sizeof(a->members[0]));
	a->members[a->n_members++] = mem_strdup(buf_text(&of));
	buf_fini(&of);
}

static void read_members(struct access_settings *a, const char *path, char *text, struct errors *e)
{
	struct place at = {path, 0, 1};
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		at.line++;
		read_group(a, line, at, e);
	}
}

static void read_groups(struct access_settings *a, const struct option_value *v, struct errors *e)
{
	struct buf text = {0};
	int r = fd_read_file(v->items[0], GROUPS_FILE_MAX, &text);
	if (r)
		errors_add(e, v->at, "access.groups", "%s: %s", v->items[0], strerror(-r));
	else
		read_members(a, v->items[0], (char *)(uintptr_t)buf_text(&text), e);
	buf_fini(&text);
}

/* Nobody can be let in by a header: whatever a client sends arrives as HTTP_*. */
static void check_certificate(const struct option_value *v, const char *where, struct errors *e)
{
	const char *name = v->n ? v->items[0] : "";
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (strncmp(name, "HTTP_", 5) == 0)
		errors_add(e, v->at, where,
			   "\"%s\" is a header, which any client can send (name a parameter that "
			   "the web server sets itself, such as SSL_CLIENT_S_DN_CN)",
			   name);
	else if (!n || name[n])
		errors_add(e, v->at, where,
			   "\"%s\" names no parameter (such as SSL_CLIENT_S_DN_CN)", name);
}

/* `wildcard`: "*." may stand before the host. */
static bool is_origin(const char *s, bool wildcard)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
	size_t n = strncasecmp(s, "https://", 8) == 0  ? 8
		   : strncasecmp(s, "http://", 7) == 0 ? 7
						       : 0;
	const char *host = s + n;
	if (wildcard && strncmp(host, "*.", 2) == 0)
		host += 2;
	return n && *host && !host[strspn(host, chars)];
}

static void check_origins(const struct option_value *v, const char *where, struct errors *e)
{
	for (size_t i = 0; i < v->n; i++)
		if (!is_origin(v->items[i], false))
			errors_add(e, v->at, where,
				   "\"%s\" is no origin (write https://host or https://host:port, "
				   "without a path)",
				   v->items[i]);
}

static void check_frame_ancestors(const struct option_value *v, const char *where, struct errors *e)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->items[i], "self") != 0 && !is_origin(v->items[i], true))
			errors_add(e, v->at, where,
				   "\"%s\" is not an origin (write self, https://host, "
				   "https://host:port or https://*.example.org, without a path)",
				   v->items[i]);
}

static bool is_host(const char *s)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	if (*s == '[') {
		size_t n = strspn(s + 1, "0123456789abcdefABCDEF:.");
		return n && strcmp(s + 1 + n, "]") == 0;
	}
	if (strncmp(s, "*.", 2) == 0)
		s += 2;
	return *s && !s[strspn(s, chars)];
}

static void check_hosts(const struct option_value *v, const char *where, struct errors *e)
{
	for (size_t i = 0; i < v->n; i++)
		if (!is_host(v->items[i]))
			errors_add(e, v->at, where,
				   "\"%s\" is no name of a host (write logs.example.org or "
				   "*.example.org, without http:// and without a port)",
				   v->items[i]);
}

static void check_proxies(const struct option_value *v, const char *where, struct errors *e)
{
	struct net ignored;
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->items[i], "unix:") != 0 && net_parse(v->items[i], &ignored))
			errors_add(e, v->at, where,
				   "\"%s\" is not a network (write 10.0.0.7, 10.0.0.0/8, "
				   "2001:db8::/32, or unix: for proxies that connect by a unix "
				   "socket)",
				   v->items[i]);
}

/* ---- the table ------------------------------------------------------------------------ */

const struct setting access_rows[] = {
	{{"default", SLUICE_ENUM, 0, "deny", defaults, 0, 0,
	  "who may read the channels that have no \"access\": nobody, or anyone", NULL, NULL},
	 AS_BOOL(struct access_settings, allows)},
	{{"admin", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "who may read /status and the channel \"sluice\", as in \"access\" of a channel", NULL,
	  NULL},
	 AS_ACL(struct access_settings, admin)},
	{{"groups", SLUICE_PATH, 0, NULL, NULL, 0, 0,
	  "a file of groups, with lines \"name: user user\"", NULL, NULL},
	 AS_LIST(struct access_settings, members, n_members),
	 .flags = SETTING_BY_HAND},
	{{"certificate", SLUICE_STRING, 0, "", NULL, 0, 0,
	  "the parameter that names the holder of a verified client certificate, such as "
	  "SSL_CLIENT_S_DN_CN",
	  NULL, NULL},
	 AS_TEXT(struct access_settings, certificate),
	 .check = check_certificate,
	 .flags = SETTING_REQUIRED | SETTING_RESTARTS_RESPONDERS},
	{{"origins", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "other sites whose pages may read in the name of a user, as https://host[:port]", NULL,
	  NULL},
	 AS_LIST(struct access_settings, origins, n_origins),
	 .check = check_origins,
	 .flags = SETTING_RESTARTS_RESPONDERS},
	{{"frame_ancestors", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "pages that may show the console in a frame: self, https://host[:port], "
	  "https://*.example.org",
	  NULL, NULL},
	 AS_LIST(struct access_settings, frame_ancestors, n_frame_ancestors),
	 .check = check_frame_ancestors,
	 .flags = SETTING_RESTARTS_RESPONDERS},
	{{"hosts", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "the host names by which people reach sluice, such as logs.example.org or "
	  "*.example.org; requests for others are rejected. Default: any",
	  NULL, NULL},
	 AS_LIST(struct access_settings, hosts, n_hosts),
	 .check = check_hosts},
	{{"trusted_proxies", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	  "the proxies in front of the web server, as networks or unix:. Their X-Forwarded-For or "
	  "Forwarded names the client. [] if there are none",
	  NULL, NULL},
	 AS_LIST(struct access_settings, trusted_proxies, n_trusted_proxies),
	 .check = check_proxies},
	{AS_BOOL(struct access_settings, lists_proxies)},
	{.kind = MEMBER_NONE},
};

void access_read(struct access_settings *a, const struct tree *map, struct errors *e)
{
	struct option_values v = {0};
	settings_read(access_rows, map, "access", &v, a, e);
	const struct option_value *groups = option_find(&v, "groups");
	if (groups && groups->n)
		read_groups(a, groups, e);
	for (size_t i = 0; i < a->n_origins; i++)
		origin_normalise(a->origins[i]);
	a->lists_proxies = option_find(&v, "trusted_proxies") != NULL;
	option_values_fini(&v);
}

void access_put_origins(const struct access_settings *a, struct buf *out)
{
	for (size_t i = 0; i < a->n_origins; i++)
		buf_printf(out, "%s%s", i ? " " : "", a->origins[i]);
}

void access_put_frame_ancestors(const struct access_settings *a, struct buf *out)
{
	if (!a->n_frame_ancestors)
		buf_puts(out, "'none'");
	for (size_t i = 0; i < a->n_frame_ancestors; i++) {
		const char *s = a->frame_ancestors[i];
		buf_printf(out, "%s%s", i ? " " : "", strcmp(s, "self") == 0 ? "'self'" : s);
	}
}
