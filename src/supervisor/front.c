/* SPDX-License-Identifier: MIT */
#include "supervisor/front.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "conf/paths.h"
#include "conf/settings.h"
#include "responder/responder.h"

#define FRONT_VARIABLE "SLUICE_FRONT"

/* Failed starts in a row before a pause is made between them. */
enum { LOG_MAX = 1024 * 1024, ATTACHED_LOCK_FD = 3, STARTS_AT_ONCE = 2, PAUSE_S = 30 };

struct front {
	struct settings *settings;
	char *file; /* the configuration's, absolute */
};

static bool is_cgi(void)
{
	return getenv("GATEWAY_INTERFACE") && getenv("REQUEST_METHOD");
}

static bool is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

/* By its name, or because sluice.fcgi has said so: a web application may well call
 * other commands of ours with an environment or a socket like that.
 */
static bool is_named_front(const char *argv0)
{
	const char *dot = argv0 ? strrchr(argv0, '.') : NULL;
	return getenv(FRONT_VARIABLE) ||
	       (dot && (strcmp(dot, ".fcgi") == 0 || strcmp(dot, ".cgi") == 0));
}

bool front_is_meant(int argc, char **argv)
{
	return is_named_front(argc ? argv[0] : NULL) && (is_cgi() || is_listening(STDIN_FILENO));
}

/* A web server passes a query without "=" on as arguments (RFC 3875, section 4.4): if
 * somebody mounts the plain program, what a client has sent is no command.
 */
bool front_is_misused(int argc, char **argv)
{
	const char *query = getenv("QUERY_STRING");
	return is_cgi() && argc > 1 && query && *query && !strchr(query, '=') &&
	       strncmp(query, argv[1], strlen(argv[1])) == 0;
}

/* ---- starting a hub ----------------------------------------------------------------- */

static int open_log(const char *dir)
{
	struct stat st;
	char *path = mem_printf("%s/sluice.log", dir), *old = mem_printf("%s.1", path);
	if (stat(path, &st) == 0 && st.st_size > LOG_MAX && rename(path, old) < 0)
		log_warning("%s: %s", path, strerror(errno));
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	free(path);
	free(old);
	return fd;
}

/* Its lock is held by who is starting or running: the one that was started keeps it. */
static int lock_start(const char *dir)
{
	char *path = mem_printf("%s/start.lock", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int r = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : fd;
	if (r < 0)
		fd_close(&fd);
	free(path);
	return r;
}

/* Who holds the lock keeps count in it of starts that came to nothing; a supervisor whose
 * hub runs empties it.  Whether it is time for another one.
 */
static bool may_start_again(int lock)
{
	char text[64] = "";
	long long n = 0, at_s = 0, now_s = clock_wall_ns() / NS_PER_SEC;
	if (pread(lock, text, sizeof(text) - 1, 0) > 0 && sscanf(text, "%lld %lld", &n, &at_s) != 2)
		n = 0;
	if (n >= STARTS_AT_ONCE && now_s >= at_s && now_s - at_s < PAUSE_S)
		return false;
	int len = snprintf(text, sizeof(text), "%lld %lld\n", n + 1, now_s);
	if (ftruncate(lock, 0) < 0 || pwrite(lock, text, (size_t)len, 0) != len)
		log_debug("cannot count the starts");
	return true;
}

void front_start_worked(const char *state_dir)
{
	struct stat ours, file;
	char *path = mem_printf("%s/start.lock", state_dir);
	/* There is no inherited lock if somebody runs this by hand. */
	if (fstat(ATTACHED_LOCK_FD, &ours) == 0 && stat(path, &file) == 0 &&
	    ours.st_ino == file.st_ino && ours.st_dev == file.st_dev &&
	    ftruncate(ATTACHED_LOCK_FD, 0) < 0)
		log_debug("this start stays counted as failed");
	free(path);
}

/* Of our environment what sluice and its sources need: the rest is the web server's,
 * and with CGI the client's.  The array is owned, the texts are borrowed.
 */
static char **kept_environment(void)
{
	static const char *const kept[] = {"PATH=",   "HOME=", "LANG=", "TZ=",   "TMPDIR=",
					   "SLUICE_", "LC_",   "LD_",   "ASAN_", "UBSAN_"};
	size_t n = 0, all = 0;
	while (environ[all])
		all++;
	char **env = mem_zero((all + 1) * sizeof(env[0]));
	for (size_t i = 0; i < all; i++)
		for (size_t k = 0; k < array_size(kept); k++)
			if (strncmp(environ[i], kept[k], strlen(kept[k])) == 0 &&
			    strncmp(environ[i], FRONT_VARIABLE "=", sizeof(FRONT_VARIABLE)) != 0)
				env[n++] = environ[i];
	return env;
}

/* The log contains details that clients must not see. */
static const char *cannot_use(const struct front *f, int err, bool tells)
{
	if (tells)
		log_error("sluice is not running, and cannot be started: hub.state_dir %s: %s "
			  "(start it as a service, or give that directory to user %u)",
			  f->settings->hub.state_dir, strerror(-err), (unsigned)geteuid());
	return "sluice is not running, and cannot be started: the web server's user cannot use "
	       "its state directory (see the web server's error log).\n";
}

static const char *spawn(const struct front *f, int lock, bool tells)
{
	const char *dir = f->settings->hub.state_dir;
	int log = open_log(dir), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const struct fd_map map[] = {{null, STDIN_FILENO},
				     {log >= 0 ? log : null, STDOUT_FILENO},
				     {log >= 0 ? log : null, STDERR_FILENO},
				     {lock, ATTACHED_LOCK_FD}};
	char *argv[] = {(char[]){"sluice"},     (char[]){"run"},
			(char[]){"-c"},         f->file,
			(char[]){"--attached"}, NULL};
	char **env = kept_environment();
	int r = process_spawn_apart(argv, env, map, array_size(map));
	free(env);
	fd_close(&log);
	fd_close(&null);
	if (!r)
		log_info("starting sluice with %s; its log is %s/sluice.log", f->file, dir);
	else if (tells)
		log_error("cannot start sluice: %s", strerror(-r));
	return r ? "sluice is not running, and cannot be started at the moment.\n" : NULL;
}

static const char *start_hub(void *ctx, bool tells)
{
	const struct front *f = ctx;
	const char *dir = f->settings->hub.state_dir, *why;
	int r = fd_make_dirs(dir);
	if (!r && access(dir, W_OK | X_OK) < 0)
		r = -errno;
	int lock = r ? r : lock_start(dir);
	if (lock == -EWOULDBLOCK)
		return NULL; /* somebody does it already */
	if (lock < 0)
		return cannot_use(f, lock, tells);
	if (may_start_again(lock)) {
		why = spawn(f, lock, tells);
	} else {
		why = "sluice is not running: it was started, but exited at once (see sluice.log "
		      "in its state directory).\n";
		if (tells)
			log_error("sluice exits as soon as it is started (see %s/sluice.log); the "
				  "next attempt is in %d s at the earliest",
				  dir, PAUSE_S);
	}
	fd_close(&lock);
	return why;
}

/* ---- the web server's ------------------------------------------------------------------ */

/* A web server that is killed cannot end us.  Programs that start a FastCGI server
 * and go are no web server.  Its process, or 0.
 */
static pid_t stay_with_web_server(void)
{
	static const char *const starters[] = {"spawn-fcgi\n", "cgi-fcgi\n"};
	pid_t parent = getppid();
	struct buf name = {0};
	char *path = mem_printf("/proc/%d/comm", (int)parent);
	bool stays = parent > 1 && fd_read_file(path, 64, &name) == 0;
	for (size_t i = 0; stays && i < array_size(starters); i++)
		stays = strcmp(buf_text(&name), starters[i]) != 0;
	if (stays)
		process_die_with_parent(parent, SIGTERM);
	buf_fini(&name);
	free(path);
	return stays ? parent : 0;
}

static int refuse(bool cgi)
{
	if (cgi)
		fputs("Status: 500 Internal Server Error\r\nContent-Type: text/plain\r\n\r\n"
		      "sluice's configuration has mistakes; the web server's error log says "
		      "which.\n",
		      stdout);
	return 2;
}

int front_main(void)
{
	bool cgi = is_cgi();
	struct errors e = {0};
	struct front f = {0};
	log_init("front");
	const char *file = path_of_config(NULL);
	f.settings = settings_load(file, &e);
	if (e.count) {
		errors_log(&e);
		settings_free(f.settings);
		errors_fini(&e);
		return refuse(cgi);
	}
	errors_fini(&e);
	f.file = realpath(file, NULL);
	pid_t manager = cgi ? 0 : stay_with_web_server();
	signal(SIGCHLD, SIG_IGN); /* whom we start goes on alone */
	struct buf origins = {0}, ancestors = {0};
	access_put_origins(&f.settings->access, &origins);
	access_put_frame_ancestors(&f.settings->access, &ancestors);
	char *gate = mem_printf("%s/hub.sock", f.settings->hub.state_dir);
	int status = responder_main(&(struct responder_config){
		.hub_socket = gate,
		.prefix = f.settings->hub.prefix,
		.console_dir = path_of_console(),
		.certificate = f.settings->access.certificate,
		.origins = buf_text(&origins),
		.frame_ancestors = buf_text(&ancestors),
		.is_cgi = cgi,
		.first_listen_fd = STDIN_FILENO,
		.n_listen = cgi ? 0 : 1,
		.manager = manager,
		.is_on_its_own = !cgi && !manager,
		.start_hub = start_hub,
		.ctx = &f,
	});
	free(gate);
	buf_fini(&origins);
	buf_fini(&ancestors);
	free(f.file);
	settings_free(f.settings);
	return status;
}
