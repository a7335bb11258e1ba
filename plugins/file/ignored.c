/* SPDX-License-Identifier: MIT
 *
 * What `include` names and what is not read all the same.  Nothing of it is left
 * out silently: each pattern says once for each reason what it is, how many there
 * are, and what to do; the status counts them.
 */
#include "ignored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "handle.h"
#include "unpack.h"

static const struct {
	enum sluice_log_level level;
	const char *text; /* follows the name */
} reasons[N_IGNORED] = {
	[IGNORED_FIFO] = {SLUICE_LOG_WARNING,
			  "is a FIFO, which is not read (set fifos: true to read it as a stream)"},
	[IGNORED_SOCKET] = {SLUICE_LOG_WARNING,
			    "is a socket, which is not read (to receive what programs send to a "
			    "socket, use the plugin syslog)"},
	[IGNORED_DEVICE] = {SLUICE_LOG_WARNING,
			    "is a device, which is not read (name a file instead)"},
	[IGNORED_OUTPUT] =
		{SLUICE_LOG_WARNING,
		 "leads to the standard output of the program that writes it, and cannot be read "
		 "(read the container runtime's log file instead, or systemd's journal)"},
	[IGNORED_DIRECTORY] = {SLUICE_LOG_WARNING, "is a directory"},
	[IGNORED_COMPRESSED] = {SLUICE_LOG_WARNING,
				"is compressed and is not read (set decompress: true to read it)"},
	[IGNORED_FORMAT] = {SLUICE_LOG_WARNING,
			    "is compressed in a format that is not read (.gz, .zst and .xz are)"},
	[IGNORED_FORBIDDEN] = {SLUICE_LOG_WARNING,
			       "cannot be reached: permission denied (let this source's user "
			       "search the directories above it: chmod +x)"},
	[IGNORED_DANGLING] = {SLUICE_LOG_WARNING, "is a link to a file that does not exist yet; "
						  "the file is followed once it appears"},
	[IGNORED_UNLISTED] = {SLUICE_LOG_WARNING, "cannot be listed: permission denied (let this "
						  "source's user read that directory: chmod +r)"},
	[IGNORED_LINK] = {SLUICE_LOG_INFO,
			  "is a link to a directory, which ** does not enter (set follow_links: "
			  "true to follow it)"},
	[IGNORED_DEEP] = {SLUICE_LOG_WARNING, "is too many directories below **, and is not read "
					      "(add a pattern for it to include)"},
	[IGNORED_EXCLUDED] = {SLUICE_LOG_WARNING,
			      "is left out by exclude, and the pattern matches no other file"},
};

/* Whether a link leads to an output of the process that looks, as /dev/stdout does.
 * What it leads to here is our own, and not that of the program which made the link.
 */
static bool leads_to_output(const char *path)
{
	static const char *const outputs[] = {"/dev/std", "/dev/fd/", "/proc/self/",
					      "/proc/thread-self/"};
	char at[4096], target[2048];
	snprintf(at, sizeof(at), "%s", path);
	for (int i = 0; i < 8; i++) {
		ssize_t n = readlink(at, target, sizeof(target) - 1);
		if (n < 0)
			return false;
		target[n] = 0;
		for (size_t k = 0; k < sizeof(outputs) / sizeof(outputs[0]); k++)
			if (strncmp(target, outputs[k], strlen(outputs[k])) == 0)
				return true;
		char *slash = strrchr(at, '/');
		size_t dir = target[0] != '/' && slash ? (size_t)(slash + 1 - at) : 0;
		snprintf(at + dir, sizeof(at) - dir, "%s", target);
	}
	return false;
}

bool ignored_reads(const struct state *s, const char *path)
{
	return unpack_is_named(path) ? s->options.decompress : !unpack_is_foreign(path);
}

static int reason_of(const struct state *s, const char *path, const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG: break;
	case S_IFDIR: return IGNORED_DIRECTORY;
	case S_IFSOCK: return leads_to_output(path) ? IGNORED_OUTPUT : IGNORED_SOCKET;
	case S_IFIFO:
		if (leads_to_output(path))
			return IGNORED_OUTPUT;
		return s->options.fifos ? N_IGNORED : IGNORED_FIFO;
	default: return leads_to_output(path) ? IGNORED_OUTPUT : IGNORED_DEVICE;
	}
	if (unpack_is_named(path) && !s->options.decompress)
		return IGNORED_COMPRESSED;
	if (unpack_is_foreign(path))
		return IGNORED_FORMAT;
	/* Our own output may be a file. */
	return !file_by_identity(s, st->st_dev, st->st_ino) && leads_to_output(path)
		       ? IGNORED_OUTPUT
		       : N_IGNORED;
}

void ignored_add(struct state *s, size_t pattern, enum ignored why, const char *path)
{
	struct ignored_files *i = &s->ignored[pattern * N_IGNORED + why];
	if (!i->n++ && !i->is_told) {
		free(i->first);
		i->first = must(strdup(path));
	}
}

bool ignored_is(struct state *s, size_t pattern, const char *path, struct stat *st)
{
	const char *text = s->include.all[pattern];
	if (stat(path, st) < 0) {
		bool is_link = (errno == ENOENT || errno == ELOOP) && lstat(path, st) == 0 &&
			       S_ISLNK(st->st_mode);
		if (errno == EACCES)
			ignored_add(s, pattern, IGNORED_FORBIDDEN, path);
		else if (is_link && (!pattern_is_wild(text) || leads_to_output(path)))
			ignored_add(s, pattern,
				    leads_to_output(path) ? IGNORED_OUTPUT : IGNORED_DANGLING,
				    path);
		return true;
	}
	if (!S_ISDIR(st->st_mode) && patterns_match(&s->exclude, path)) {
		ignored_add(s, pattern, IGNORED_EXCLUDED, path);
		return true;
	}
	int why = reason_of(s, path, st);
	if (why != N_IGNORED)
		ignored_add(s, pattern, (enum ignored)why, path);
	return why != N_IGNORED;
}

void ignored_begin(struct state *s)
{
	size_t n = s->include.n * N_IGNORED;
	if (!s->ignored)
		s->ignored = must(calloc(n ? n : 1, sizeof(s->ignored[0])));
	for (size_t i = 0; i < n; i++)
		s->ignored[i].n = 0;
	s->n_ignored = 0;
}

void ignored_trouble(struct state *s, size_t pattern, enum pattern_trouble what, const char *path)
{
	static const enum ignored whys[] = {[PATTERN_UNLISTED] = IGNORED_UNLISTED,
					    [PATTERN_LINK] = IGNORED_LINK,
					    [PATTERN_DEEP] = IGNORED_DEEP};
	ignored_add(s, pattern, whys[what], path);
}

/* Why there is no file of this name: the first directory that is missing. */
static void tell_nothing(struct state *s, size_t i)
{
	const char *pattern = s->include.all[i];
	bool *is_told = &s->ignored[i * N_IGNORED + IGNORED_NOTHING].is_told;
	if (*is_told || s->has_looked)
		return;
	*is_told = true;
	char dir[4096], why[4200] = "";
	for (const char *slash = strchr(pattern + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - pattern), pattern);
		if (pattern_is_wild(dir))
			break;
		if (faccessat(AT_FDCWD, dir, X_OK, AT_EACCESS) == 0)
			continue;
		snprintf(why, sizeof(why),
			 errno == EACCES ? ": this source's user may not enter the directory %s"
					 : ": the directory %s does not exist",
			 dir);
		break;
	}
	say(s->src, SLUICE_LOG_WARNING,
	    "include: no file matches %s yet%s (files are followed once they appear)", pattern,
	    why);
}

static void tell_one(struct state *s, size_t pattern, int why, bool is_all)
{
	struct ignored_files *i = &s->ignored[pattern * N_IGNORED + (size_t)why];
	const char *name = i->first;
	char more[64] = "";
	i->is_told = true;
	if (i->n > 1)
		snprintf(more, sizeof(more), "; so %s %llu more", i->n > 2 ? "are" : "is",
			 (unsigned long long)i->n - 1);
	if (why == IGNORED_DIRECTORY)
		snprintf(more, sizeof(more), " (name the files in it: ");
	/* A few that a pattern matches as well are no reason to warn. */
	bool is_minor = (why == IGNORED_COMPRESSED || why == IGNORED_FORMAT) && !is_all;
	say(s->src, is_minor ? SLUICE_LOG_INFO : reasons[why].level, "include: %s %s%s%s%s", name,
	    reasons[why].text, more, why == IGNORED_DIRECTORY ? name : "",
	    why == IGNORED_DIRECTORY ? "/*.log)" : "");
}

void ignored_tell(struct state *s, size_t pattern, size_t n_found)
{
	const char *text = s->include.all[pattern];
	bool any = n_found > 0;
	for (int why = 0; why < N_IGNORED; why++) {
		const struct ignored_files *i = &s->ignored[pattern * N_IGNORED + (size_t)why];
		/* That * matches directories, and that exclude leaves some out, is as it is meant.
		 */
		bool is_meant = (why == IGNORED_DIRECTORY && pattern_is_wild(text)) ||
				why == IGNORED_EXCLUDED;
		s->n_ignored += is_meant ? 0 : i->n;
		if (!i->n || (is_meant && n_found))
			continue;
		any = true;
		if (!i->is_told && (!is_meant || !s->has_looked))
			tell_one(s, pattern, why, !n_found);
	}
	if (!any)
		tell_nothing(s, pattern);
}

/* ---- before anything is read ---- */

/* A walk through a large tree is left to run(), for open() has to answer. */
enum { CHECK_MAX_S = 2 };

struct checking {
	struct state *s;
	size_t pattern, n_found;
};

static void check_one(void *ctx, const char *path)
{
	struct checking *c = ctx;
	struct stat st;
	if (ignored_is(c->s, c->pattern, path, &st))
		return;
	c->n_found++;
	if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
		handle_refused(c->s, path, errno);
}

static void check_trouble(void *ctx, enum pattern_trouble what, const char *path)
{
	struct checking *c = ctx;
	ignored_trouble(c->s, c->pattern, what, path);
}

static void check_dir(void *ctx, const char *path)
{
	(void)ctx;
	(void)path;
}

void ignored_check(struct state *s)
{
	struct checking c = {.s = s};
	const struct pattern_visitor v = {check_one,
					  check_dir,
					  check_trouble,
					  &c,
					  s->options.follow_links,
					  mono_ns() + CHECK_MAX_S * 1000000000LL};
	ignored_begin(s);
	for (; c.pattern < s->include.n; c.pattern++) {
		c.n_found = 0;
		pattern_expand(s->include.all[c.pattern], &v);
		if (mono_ns() >= v.until_ns)
			return;
		ignored_tell(s, c.pattern, c.n_found);
	}
}

void ignored_free(struct state *s)
{
	for (size_t i = 0; s->ignored && i < s->include.n * N_IGNORED; i++)
		free(s->ignored[i].first);
	free(s->ignored);
}
