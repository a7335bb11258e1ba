/* SPDX-License-Identifier: MIT */
#include "conf/access.h"

#include <stdlib.h>
#include <strings.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/net.h"
#include "conf/subject.h"
#include "conf/values.h"
#include "wire/origin.h"

enum { GROUPS_FILE_MAX = 4 * 1024 * 1024 };

static const char *const defaults[] = {"deny", "allow", NULL};

const struct sluice_option access_options[] = {
	{"default", SLUICE_ENUM, 0, "deny", defaults, 0, 0,
	 "who may read channels that say nothing themselves: nobody, or anyone", NULL},
	{"admin", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "who sees /status and sluice's own channel: anyone, authenticated, user:, group:, net:",
	 NULL},
	{"groups", SLUICE_PATH, 0, NULL, NULL, 0, 0,
	 "a file of groups, each a line \"name: user user\"", NULL},
	{"certificate", SLUICE_STRING, 0, NULL, NULL, 0, 0,
	 "the parameter that names the holder of a verified client certificate, such as "
	 "SSL_CLIENT_S_DN_CN",
	 NULL},
	{"origins", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "pages of other sites that may read here in a user's name, as https://host[:port]", NULL},
	{"frame_ancestors", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "pages that may show the console in a frame: self, https://host[:port], "
	 "https://*.example.org; else none",
	 NULL},
	{"hosts", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "names that requests may be for (Host), such as logs.example.org or *.example.org; else "
	 "any",
	 NULL},
	{"trusted_proxies", SLUICE_STRING, SLUICE_LIST, NULL, NULL, 0, 0,
	 "the proxies in front of the web server, as networks or unix:. Their X-Forwarded-For or "
	 "Forwarded names the client. [] if there are none",
	 NULL},
	{0},
};

void who_free(struct who *w)
{
	if (w)
		list_free(w->items, w->n);
	free(w);
}

void access_settings_fini(struct access_settings *a)
{
	who_free(a->admin);
	free(a->certificate);
	list_free(a->members, a->n_members);
	list_free(a->origins, a->n_origins);
	list_free(a->frame_ancestors, a->n_frame_ancestors);
	list_free(a->hosts, a->n_hosts);
	list_free(a->trusted_proxies, a->n_trusted_proxies);
	*a = (struct access_settings){0};
}

struct who *access_read_list(const struct option_values *v, const char *name, const char *where,
			     struct errors *e)
{
	const struct option_value *set = option_find(v, name);
	if (!set)
		return NULL;
	struct who *w = mem_zero(sizeof(*w));
	w->items = mem_zero((set->n + 1) * sizeof(w->items[0]));
	for (; w->n < set->n; w->n++) {
		struct subject subject;
		char *why = NULL;
		w->items[w->n] = mem_strdup(set->items[w->n]);
		if (subject_parse(set->items[w->n], &subject, &why))
			errors_add(e, set->at, where, "%s", why);
		free(why);
	}
	return w;
}

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
static void check_certificate(const struct option_value *v, struct errors *e)
{
	const char *name = v->items[0];
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (strncmp(name, "HTTP_", 5) == 0)
		errors_add(e, v->at, "access.certificate",
			   "\"%s\" is a header, which any client can send (name a parameter that "
			   "the web server sets itself, such as SSL_CLIENT_S_DN_CN)",
			   name);
	else if (!n || name[n])
		errors_add(e, v->at, "access.certificate",
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

static void check_origins(const struct option_value *v, struct errors *e)
{
	for (size_t i = 0; v && i < v->n; i++)
		if (!is_origin(v->items[i], false))
			errors_add(e, v->at, "access.origins",
				   "\"%s\" is no origin (write https://host or https://host:port, "
				   "without a path)",
				   v->items[i]);
}

static void check_frame_ancestors(const struct option_value *v, struct errors *e)
{
	for (size_t i = 0; v && i < v->n; i++)
		if (strcmp(v->items[i], "self") != 0 && !is_origin(v->items[i], true))
			errors_add(e, v->at, "access.frame_ancestors",
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

static void check_hosts(const struct option_value *v, struct errors *e)
{
	for (size_t i = 0; v && i < v->n; i++)
		if (!is_host(v->items[i]))
			errors_add(e, v->at, "access.hosts",
				   "\"%s\" is no name of a host (write logs.example.org or "
				   "*.example.org, without http:// and without a port)",
				   v->items[i]);
}

static void check_proxies(const struct option_value *v, struct errors *e)
{
	struct net ignored;
	for (size_t i = 0; v && i < v->n; i++)
		if (strcmp(v->items[i], "unix:") != 0 && net_parse(v->items[i], &ignored))
			errors_add(e, v->at, "access.trusted_proxies",
				   "\"%s\" is not a network (write 10.0.0.7, 10.0.0.0/8, "
				   "2001:db8::/32, or unix: for proxies that connect by a unix "
				   "socket)",
				   v->items[i]);
}

void access_read(struct access_settings *a, const struct tree *map, struct errors *e)
{
	static const struct tree nothing = {.kind = TREE_MAP};
	struct option_values v = {0};
	option_read(map ? map : &nothing, "access", access_options, NULL, &v, e);
	a->allows = values_number(access_options, &v, "default") != 0;
	a->admin = access_read_list(&v, "admin", "access.admin", e);
	const struct option_value *groups = option_find(&v, "groups");
	const struct option_value *certificate = option_find(&v, "certificate");
	if (groups)
		read_groups(a, groups, e);
	if (certificate)
		check_certificate(certificate, e);
	check_origins(option_find(&v, "origins"), e);
	check_frame_ancestors(option_find(&v, "frame_ancestors"), e);
	check_hosts(option_find(&v, "hosts"), e);
	check_proxies(option_find(&v, "trusted_proxies"), e);
	a->certificate = mem_strdup(certificate ? certificate->items[0] : "");
	a->origins = values_list(access_options, &v, "origins", &a->n_origins);
	for (size_t i = 0; i < a->n_origins; i++)
		origin_normalise(a->origins[i]);
	a->frame_ancestors =
		values_list(access_options, &v, "frame_ancestors", &a->n_frame_ancestors);
	a->hosts = values_list(access_options, &v, "hosts", &a->n_hosts);
	a->trusted_proxies =
		values_list(access_options, &v, "trusted_proxies", &a->n_trusted_proxies);
	a->lists_proxies = option_find(&v, "trusted_proxies") != NULL;
	option_values_fini(&v);
}

static bool lists_net(const struct who *w)
{
	for (size_t i = 0; w && i < w->n; i++)
		if (strncmp(w->items[i], "net:", 4) == 0)
			return true;
	return false;
}

bool settings_use_net(const struct settings *s)
{
	bool uses = lists_net(s->access.admin);
	for (size_t i = 0; !uses && i < s->n_channels; i++)
		uses = lists_net(s->channels[i].access) || lists_net(s->channels[i].replay) ||
		       lists_net(s->channels[i].admin);
	return uses;
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
