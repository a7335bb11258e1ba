/* SPDX-License-Identifier: MIT
 *
 * mount - sluice mount SERVER: the lines that a web server needs, with this
 * installation's paths.
 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/unit.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "conf/paths.h"

static const char usage[] =
	"usage: sluice mount SERVER [WAY] [--prefix /PATH] [-c FILE]\n"
	"\n"
	"Prints the configuration that mounts sluice under a web server.\n"
	"The ways to mount it:\n"
	"  lighttpd            over sluice's socket; sluice runs as a service\n"
	"  lighttpd spawned    started by lighttpd itself\n"
	"  lighttpd cgi        a process for each request\n"
	"  apache              over the socket, with mod_proxy_fcgi\n"
	"  apache fcgid        started by Apache itself, with mod_fcgid\n"
	"  apache cgi          a process for each request, with mod_cgid or mod_cgi\n"
	"  nginx, caddy        over the socket\n"
	"  haproxy             over the socket, without another web server\n"
	"  varnish, squid      in front of one of the others\n";

enum { FILE_MAX = 64 * 1024 };

static const struct {
	const char *server, *way, *file;
} mounts[] = {
	{"lighttpd", "", "lighttpd.conf"},
	{"lighttpd", "spawned", "lighttpd-spawned.conf"},
	{"lighttpd", "cgi", "lighttpd-cgi.conf"},
	{"apache", "", "apache-proxy.conf"},
	{"apache", "fcgid", "apache-fcgid.conf"},
	{"apache", "cgi", "apache-cgi.conf"},
	{"nginx", "", "nginx.conf"},
	{"caddy", "", "Caddyfile"},
	{"haproxy", "", "haproxy.cfg"},
	{"varnish", "", "varnish.vcl"},
	{"squid", "", "squid.conf"},
};

static const char *file_of(const char *server, const char *way)
{
	for (size_t i = 0; i < array_size(mounts); i++)
		if (strcmp(mounts[i].server, server) == 0 && strcmp(mounts[i].way, way) == 0)
			return mounts[i].file;
	return NULL;
}

static void put_replaced(struct buf *out, struct str text, const char *what, const char *with)
{
	size_t n = strlen(what);
	for (size_t at = 0; at < text.len;) {
		const char *p = memmem(text.data + at, text.len - at, what, n);
		size_t end = p ? (size_t)(p - text.data) : text.len;
		buf_put(out, text.data + at, end - at);
		if (p)
			buf_puts(out, with);
		at = p ? end + n : end;
	}
}

static void replace(struct buf *text, const char *what, const char *with)
{
	struct buf out = {0};
	put_replaced(&out, buf_str(text), what, with);
	buf_fini(text);
	*text = out;
}

/* "unix:/path" as it stands in the files. */
static const char *socket_of(const struct settings *s)
{
	for (size_t i = 0; i < s->hub.n_listen; i++)
		if (strncmp(s->hub.listen[i], "unix:", 5) == 0)
			return s->hub.listen[i] + 5;
	return NULL;
}

/* Each server has its own way of writing a host and a port. */
static void use_tcp(struct buf *text, const struct settings *s)
{
	const char *address = s->hub.n_listen ? s->hub.listen[0] + strlen("tcp:") : "";
	const char *port = strrchr(address, ':');
	if (!port)
		return;
	char *host = mem_strndup(address, (size_t)(port - address));
	char *lighttpd = mem_printf("\"host\" => \"%s\", \"port\" => %s", host, port + 1);
	char *apache = mem_printf("fcgi://%s/", address);
	replace(text, "\"socket\" => \"/run/sluice/fcgi.sock\"", lighttpd);
	replace(text, "unix:/run/sluice/fcgi.sock|", "");
	replace(text, "fcgi://sluice/", apache);
	replace(text, "unix:/run/sluice/fcgi.sock", address); /* nginx */
	replace(text, "unix@/run/sluice/fcgi.sock", address); /* HAProxy */
	replace(text, "unix//run/sluice/fcgi.sock", address); /* Caddy */
	free(apache);
	free(lighttpd);
	free(host);
}

/* Removes the line that contains `what`. */
static void drop_line(struct buf *text, const char *what)
{
	const char *all = buf_text(text), *at = strstr(all, what);
	if (!at)
		return;
	const char *begin = at, *end = at + strcspn(at, "\n");
	while (begin > all && begin[-1] != '\n')
		begin--;
	struct buf rest = {0};
	buf_put(&rest, all, (size_t)(begin - all));
	buf_puts(&rest, *end ? end + 1 : end);
	buf_fini(text);
	*text = rest;
}

static void use_prefix(struct buf *text, const char *prefix)
{
	if (strcmp(prefix, "/") != 0) {
		replace(text, "/logs", prefix);
		return;
	}
	/* A path that is the prefix alone does not exist here. */
	drop_line(text, "location = /logs ");
	drop_line(text, "# Without this condition");
	/* An alias of "/" turns "/a" into "a". */
	replace(text, "\"/logs\" => \"" SLUICE_FCGI "\"", "\"/\" => \"" SLUICE_FCGI "/\"");
	replace(text, "\"/logs\" \"" SLUICE_FCGI "\"", "\"/\" \"" SLUICE_FCGI "/\"");
	replace(text, "\"check-local\" => \"disable\"",
		"\"check-local\" => \"disable\", \"fix-root-scriptname\" => \"enable\"");
	replace(text, "/logs/", "/");
	replace(text, "\"/logs\"", "\"/\"");
	replace(text, "/logs", "");
}

static int print_mount(const char *file, const char *prefix, const char *config,
		       const struct settings *s)
{
	const char *dir = getenv("SLUICE_MOUNT_DIR");
	char *path = mem_printf("%s/%s", dir && *dir ? dir : SLUICE_MOUNT_DIR, file);
	char fcgi[] = SLUICE_FCGI;
	struct buf text = {0};
	int r = fd_read_file(path, FILE_MAX, &text);
	if (r) {
		fprintf(stderr, "sluice: %s: %s (install sluice)\n", path, strerror(-r));
		free(path);
		return 1;
	}
	const char *socket = socket_of(s);
	if (socket)
		replace(&text, "/run/sluice/fcgi.sock", socket);
	else
		use_tcp(&text, s);
	char *folder = mem_printf("\"%s\"", dirname(fcgi));
	replace(&text, "/usr/lib/sluice/sluice.fcgi", SLUICE_FCGI);
	replace(&text, "\"/usr/lib/sluice\"", folder);
	use_prefix(&text, prefix);
	replace(&text, "/etc/sluice/sluice.yaml", config);
	free(folder);
	fputs(buf_text(&text), stdout);
	buf_fini(&text);
	free(path);
	return 0;
}

/* With the ways that this server has, or the server that was meant. */
static int refuse_way(const struct arguments *a, const char *server, const char *way)
{
	const char *servers[array_size(mounts) + 1] = {NULL};
	struct buf ways = {0}, all = {0};
	for (size_t i = 0; i < array_size(mounts); i++) {
		servers[i] = mounts[i].server;
		if (!mounts[i].way[0])
			buf_printf(&all, "%s%s", i ? ", " : "", mounts[i].server);
		if (strcmp(mounts[i].server, server) == 0 && mounts[i].way[0])
			buf_printf(&ways, "%s%s", ways.len ? ", " : "", mounts[i].way);
	}
	const char *near = unit_nearest(server, servers);
	int status;
	if (file_of(server, ""))
		status = arguments_refuse(a, "unknown way \"%s %s\" (known: %s)", server, way,
					  ways.len ? buf_text(&ways) : "only the socket");
	else if (near)
		status = arguments_refuse(a, "unknown server \"%s\": did you mean \"%s\"?", server,
					  near);
	else
		status = arguments_refuse(a, "unknown server \"%s\" (known: %s)", server,
					  buf_text(&all));
	buf_fini(&all);
	buf_fini(&ways);
	return status;
}

static bool prefix_is_good(const char *s)
{
	size_t n = strlen(s);
	return s[0] == '/' && (n == 1 || s[n - 1] != '/') && !strstr(s, "//") &&
	       s[strspn(s, "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
		       0;
}

/* Characters that every web server accepts between quotation marks. */
static bool path_is_good(const char *s)
{
	return !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "/._-+,=@~ ")];
}

/* The absolute path of the configuration, owned; or NULL after saying why not.  The
 * installed one need not be there yet.
 */
static char *config_path(const char *file, bool is_named)
{
	char *path = realpath(file, NULL);
	if (path && access(path, R_OK) < 0) {
		free(path);
		path = NULL;
	}
	if (!path && !is_named && errno == ENOENT)
		return mem_strdup(file);
	if (!path)
		cli_print(stderr, "sluice: %s: %s (name the configuration that sluice runs with)\n",
			  file, strerror(errno));
	else if (!path_is_good(path))
		cli_print(stderr,
			  "sluice: %s: web servers would need quotes around this name (use "
			  "another name, or a link)\n",
			  path);
	if (path && path_is_good(path))
		return path;
	free(path);
	return NULL;
}

/* Warns if hub.prefix is set and does not list this prefix. */
static void warn_of_prefix(const char *prefix, const char *config, const struct settings *s)
{
	if (!*s->hub.prefix)
		return;
	for (const char *p = s->hub.prefix; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");
		if (strlen(prefix) == n && memcmp(prefix, p, n) == 0)
			return;
		p += n;
	}
	cli_print(stderr,
		  "sluice: hub.prefix in %s does not list %s: requests there will be rejected "
		  "(add it to hub.prefix)\n",
		  config, prefix);
}

static char *take_prefix(void *into, const char *value)
{
	*(const char **)into = value;
	return prefix_is_good(value)
		       ? NULL
		       : mem_strdup("write it as /logs, or as / for all of the server");
}

int mount_command(int argc, char **argv)
{
	const char *prefix = "/logs", *config = NULL;
	int status;
	const struct flag flags[] = {{"prefix", 0, "/PATH",
				      "where it is mounted (default: /logs); / uses the whole\n"
				      "server",
				      take_prefix, &prefix},
				     {0}};
	struct arguments a = {.command = "mount",
			      .usage = usage,
			      .flags = flags,
			      .words_max = 2,
			      .config = &config};
	if (!arguments_read(&a, argc, argv, &status))
		return status;
	if (!a.n_words) {
		fputs(usage, stderr);
		return 2;
	}
	const char *server = a.words[0], *way = a.n_words > 1 ? a.words[1] : "";
	const char *mount = file_of(server, way), *from_env = getenv("SLUICE_CONFIG");
	if (!mount)
		return refuse_way(&a, server, way);
	char *path = config_path(path_of_config(config), config || (from_env && *from_env));
	if (!path)
		return 2;
	struct errors e = {0};
	struct settings *s = settings_load(path, &e); /* only for its sockets and prefix */
	warn_of_prefix(prefix, path, s);
	status = print_mount(mount, prefix, path, s);
	errors_fini(&e);
	settings_free(s);
	free(path);
	return status;
}
