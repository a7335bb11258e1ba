/* SPDX-License-Identifier: MIT
 *
 * What is run stands in the configuration, all of it: nothing of a request or
 * an event ever reaches a command line.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "common/option.h"
#include "common/say.h"

static const char *const modes[] = {"interval", "daemon", "once", NULL};
static const char *const overlaps[] = {"skip", "kill", NULL};
static const char *const exits[] = {"restart", "restart_on_failure", "stop", NULL};
static const char *const out_sinks[] = {"events", "log", "discard", NULL};
static const char *const err_sinks[] = {"events", "log", "discard", "merge", NULL};
static const char *const splits[] = {"lines", "whole", "nul", "json", NULL};
static const char *const emits[] = {"failures", "always", "never", NULL};
static const char *const signals[] = {"TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "KILL", NULL};
static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGKILL};

const struct sluice_option command_options[] = {
	{.name = "argv",
	 .type = SLUICE_STRING,
	 .flags = SLUICE_LIST,
	 .doc = "the program and its arguments, one for each list item; nothing is expanded",
	 .conflicts = "shell"},
	{.name = "shell", .type = SLUICE_STRING, .doc = "a command line for /bin/sh -c"},
	{.name = "mode",
	 .type = SLUICE_ENUM,
	 .fallback = "interval",
	 .choices = modes,
	 .doc = "when the program runs; interval: again and again; daemon: all the time; once: a "
		"single time"},
	{.name = "interval",
	 .type = SLUICE_DURATION,
	 .fallback = "60s",
	 .min = 10 * MS,
	 .max = 366 * 86400 * SEC,
	 .doc = "from one start to the next",
	 .needs = "mode=interval"},
	{.name = "overlap",
	 .type = SLUICE_ENUM,
	 .fallback = "skip",
	 .choices = overlaps,
	 .doc = "if the program still runs when its next run is due; skip: leave that run out; "
		"kill: end the program and start it again",
	 .needs = "mode=interval"},
	{.name = "timeout",
	 .type = SLUICE_DURATION,
	 .fallback = "0",
	 .max = 366 * 86400 * SEC,
	 .doc = "ends a run that takes longer; 0: never"},
	{.name = "kill_signal",
	 .type = SLUICE_ENUM,
	 .fallback = "TERM",
	 .choices = signals,
	 .doc = "signal that first ends the program's process group"},
	{.name = "kill_grace",
	 .type = SLUICE_DURATION,
	 .fallback = "5s",
	 .max = 600 * SEC,
	 .doc = "time from kill_signal to SIGKILL"},
	{.name = "on_exit",
	 .type = SLUICE_ENUM,
	 .fallback = "restart",
	 .choices = exits,
	 .doc = "what to do when a daemon ends",
	 .needs = "mode=daemon"},
	{.name = "backoff",
	 .type = SLUICE_RANGE,
	 .fallback = "1s..60s",
	 .min = MS,
	 .max = 86400 * SEC,
	 .doc = "wait before a daemon is restarted, or a program that cannot be started is tried "
		"again; it doubles from the first value to the last"},
	{.name = "stdout",
	 .type = SLUICE_ENUM,
	 .fallback = "events",
	 .choices = out_sinks,
	 .doc = "where standard output goes; log: to sluice's log"},
	{.name = "stderr",
	 .type = SLUICE_ENUM,
	 .fallback = "events",
	 .choices = err_sinks,
	 .doc = "where standard error goes; log: to sluice's log; merge: to where standard output "
		"goes"},
	{.name = "split",
	 .type = SLUICE_ENUM,
	 .fallback = "lines",
	 .choices = splits,
	 .doc = "what one event is; lines: a line; whole: all output of a run; nul: text that ends "
		"with a NUL; json: a JSON object on a line",
	 .needs = "stdout=events stderr=events"},
	{.name = "max_line",
	 .type = SLUICE_SIZE,
	 .fallback = "64KiB",
	 .min = 16,
	 .max = 64 << 20,
	 .doc = "longest event that is kept whole; hub.limits.event_size limits it too"},
	{.name = "max_output_per_run",
	 .type = SLUICE_SIZE,
	 .fallback = "0",
	 .max = 1LL << 40,
	 .doc = "how much output of one run is kept; further output is dropped and a gap says so; "
		"0: no limit"},
	{.name = "env", .type = SLUICE_MAP, .doc = "environment variables"},
	{.name = "clear_env",
	 .type = SLUICE_BOOL,
	 .fallback = "true",
	 .doc = "start with PATH and LANG only, not with sluice's own environment variables"},
	{.name = "cwd", .type = SLUICE_PATH, .fallback = "/", .doc = "working directory"},
	{.name = "umask", .type = SLUICE_STRING, .fallback = "022", .doc = "in octal"},
	{.name = "nice",
	 .type = SLUICE_INT,
	 .fallback = "0",
	 .min = -20,
	 .max = 19,
	 .doc = "added to its niceness"},
	{.name = "severity",
	 .type = SLUICE_BOOL,
	 .fallback = "true",
	 .doc = "look for a level word such as ERROR near the start of a line",
	 .needs = "stdout=events stderr=events"},
	{.name = "emit_exit",
	 .type = SLUICE_ENUM,
	 .fallback = "failures",
	 .choices = emits,
	 .doc = "which runs emit an event at their end: failures, all runs, or none"},
	{.name = "success_codes",
	 .type = SLUICE_INT,
	 .flags = SLUICE_LIST,
	 .fallback = "0",
	 .min = 0,
	 .max = 255,
	 .doc = "exit codes that are no failure"},
	{0},
};

static int refuse_line(struct sluice_source *src, const char *line)
{
	char words[400] = "";
	size_t n = 0;
	for (const char *p = line; *p && n < sizeof(words) - 3; p++) {
		if (*p != ' ' && *p != '\t')
			words[n++] = *p;
		else if (n && words[n - 1] != ' ')
			n += (size_t)sprintf(words + n, ", ");
	}
	return option_refuse(src, "argv",
			     "no program is called \"%.400s\" (write argv: [%s], one word for each "
			     "item, or shell: \"%.400s\")",
			     line, words, line);
}

static int read_argv(struct sluice_source *src, struct state *s)
{
	const char *shell = src->host->option(src, "shell", 0), *text;
	size_t n = 0;
	while (src->host->option(src, "argv", n))
		n++;
	if (!n && !shell)
		return src->host->refuse(
			src, NULL,
			"nothing to run (write argv: [program, argument], or shell: "
			"\"a command line\")");
	s->argv = must(calloc(n + 4, sizeof(s->argv[0])));
	if (shell && !shell[strspn(shell, " \t\n")])
		return src->host->refuse(src, "shell", "is empty: nothing would run");
	if (shell) {
		s->argv[0] = "/bin/sh";
		s->argv[1] = "-c";
		s->argv[2] = shell;
		return 0;
	}
	size_t i = 0;
	for (; (text = src->host->option(src, "argv", i)); i++)
		s->argv[i] = text;
	if (!s->argv[0][0])
		return src->host->refuse(src, "argv", "names no program");
	/* A whole command line that was meant to be split. */
	if (i == 1 && strpbrk(s->argv[0], " \t") && access(s->argv[0], X_OK) < 0)
		return refuse_line(src, s->argv[0]);
	return 0;
}

static bool can_run(const char *dir, size_t n, const char *name)
{
	char path[4096];
	struct stat st;
	snprintf(path, sizeof(path), "%.*s%s%s", (int)n, dir, n ? "/" : "", name);
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Whether the program is there; a relative path is left to its working directory. */
static bool is_there(const struct state *s)
{
	const char *name = s->argv[0], *dir = "";
	if (strchr(name, '/'))
		return name[0] != '/' || can_run("", 0, name);
	for (size_t i = 0; s->env[i]; i++)
		if (strncmp(s->env[i], "PATH=", 5) == 0)
			dir = s->env[i] + 5;
	for (; *dir; dir += strcspn(dir, ":"), dir += *dir == ':')
		if (can_run(dir, strcspn(dir, ":"), name))
			return true;
	return false;
}

/* What may be mended before it runs. */
static void check_program(struct sluice_source *src, const struct state *s)
{
	struct stat st;
	if (!is_there(s))
		say(src, SLUICE_LOG_WARNING,
		    "argv: there is no program %s%s (install it, or correct its name)", s->argv[0],
		    strchr(s->argv[0], '/') ? " that may be run" : " in any directory of PATH");
	if (stat(s->options.cwd, &st) < 0 || !S_ISDIR(st.st_mode))
		say(src, SLUICE_LOG_WARNING,
		    "cwd: there is no directory %s (create it, or change cwd)", s->options.cwd);
}

extern char **environ;

/* A later one of the same name stands in for an earlier one. */
static void put_env(struct state *s, size_t *n, const char *text)
{
	size_t name = strcspn(text, "=") + 1, i = 0;
	while (i < *n && strncmp(s->env[i], text, name) != 0)
		i++;
	if (i == *n) {
		s->env = must(realloc(s->env, (*n + 2) * sizeof(s->env[0])));
		++*n;
		s->env[*n] = NULL;
	} else {
		free(s->env[i]);
	}
	s->env[i] = must(strdup(text));
}

static void read_env(struct sluice_source *src, struct state *s)
{
	size_t n = 0;
	const char *text;
	put_env(s, &n, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put_env(s, &n, "LANG=C.UTF-8");
	for (char **e = environ; !src->host->number(src, "clear_env") && *e; e++)
		put_env(s, &n, *e);
	for (size_t i = 0; (text = src->host->option(src, "env", i)); i++)
		put_env(s, &n, text);
}

int options_read(struct sluice_source *src, struct state *s)
{
	const struct sluice_host *h = src->host;
	s->options = (struct options){
		.mode = (enum mode)h->number(src, "mode"),
		.interval_ns = h->number(src, "interval"),
		.overlap = (enum overlap)h->number(src, "overlap"),
		.timeout_ns = h->number(src, "timeout"),
		.kill_signal = signal_numbers[h->number(src, "kill_signal")],
		.kill_grace_ns = h->number(src, "kill_grace"),
		.on_exit = (enum on_exit)h->number(src, "on_exit"),
		.backoff_ns = h->number(src, "backoff"),
		.backoff_max_ns = (int64_t)h->real(src, "backoff"),
		.out = (enum sink)h->number(src, "stdout"),
		.err = (enum sink)h->number(src, "stderr"),
		.split = (enum split)h->number(src, "split"),
		.max_line = (size_t)h->number(src, "max_line"),
		.max_output = (uint64_t)h->number(src, "max_output_per_run"),
		.severity = h->number(src, "severity"),
		.emit_exit = (enum emit_exit)h->number(src, "emit_exit"),
		.cwd = h->option(src, "cwd", 0),
		.nice = (int)h->number(src, "nice"),
	};
	read_env(src, s);
	int r = option_octal(src, "umask", "027", &s->options.umask);
	r = r ? r : read_argv(src, s);
	if (!r)
		check_program(src, s);
	return r;
}

void options_free(struct state *s)
{
	for (size_t i = 0; s->env && s->env[i]; i++)
		free(s->env[i]);
	free(s->env);
	free(s->argv);
}
