/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "journald.h"

/* How old a file without a head must be to be a broken one, and how often a directory is
 * looked at again because its names have changed meanwhile.
 */
enum { YOUNG_S = 10, LOOKS_MAX = 8 };

static void drop_file(struct state *s, struct jfile *f)
{
	struct jfile **at = &s->files;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (f->chain && f->chain->file == f)
		f->chain->file = NULL;
	jfile_end(f);
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f);
}

static struct directory *directory_of(const struct state *s, const char *path)
{
	size_t n = (size_t)(strrchr(path, '/') - path);
	for (struct directory *d = s->directories; d; d = d->next)
		if (strlen(d->path) == n && memcmp(d->path, path, n) == 0)
			return d;
	return NULL;
}

/* Goes on without it: 0; but what descriptors or memory are missing for may be anything, so
 * then -error.
 */
static int skip(struct state *s, const char *path, int error)
{
	s->cannot_read = true;
	if (jfile_is_shortage(-error))
		return damage_none_yet(s, path, -error);
	if (!complaint_begins(&s->complaints, path))
		return 0;
	if (error == EACCES || error == EPERM)
		say(s->src, SLUICE_LOG_WARNING,
		    "%s cannot be read: permission denied (add \"groups: [systemd-journal]\" to "
		    "the source, or add sluice's user to that group)",
		    path);
	else
		say(s->src, SLUICE_LOG_WARNING, "%s cannot be read: %s", path, strerror(error));
	return 0;
}

/* ---- files ----------------------------------------------------------------------------- */

static struct jfile *find(const struct state *s, const struct stat *st)
{
	for (struct jfile *f = s->files; f; f = f->next)
		if (f->dev == st->st_dev && f->ino == st->st_ino)
			return f;
	return NULL;
}

/* A file of the number of one that is closed: whether it is that one. */
static bool is_same(const struct jfile *f, const char *path, const struct stat *st)
{
	struct jfile other = {.fd = -1};
	if (f->fd >= 0 ||
	    (f->ctime.tv_sec == st->st_ctim.tv_sec && f->ctime.tv_nsec == st->st_ctim.tv_nsec))
		return true;
	other.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r = other.fd < 0 ? -errno : jfile_refresh(&other);
	if (other.fd >= 0)
		close(other.fd);
	return r == 0 && strcmp(other.h.file_id, f->h.file_id) == 0 && other.h.tail == f->h.tail;
}

static int add_file(struct state *s, const char *path)
{
	struct stat st;
	struct jfile new = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
	if (new.fd < 0)
		return errno == ENOENT ? 0 : skip(s, path, errno);
	say_readable(s->src, &s->complaints, path);
	int r = fstat(new.fd, &st) < 0 ? -errno : jfile_refresh(&new);
	if (r < 0 || !S_ISREG(st.st_mode) || find(s, &st)) {
		bool is_young = r == -ENODATA && wall_ns() / 1000000000 - st.st_mtime < YOUNG_S;
		struct directory *d = directory_of(s, path);
		bool is_broken = r < 0 && !is_young;
		if (is_broken && d)
			d->has_damage = true;
		r = is_broken ? damage_unknown(s, path, new.fd, &st) : 0;
		close(new.fd);
		return r;
	}
	struct jfile *f = must(calloc(1, sizeof(*f)));
	*f = new;
	f->chain = chain_get(s, &f->h, path);
	f->path = must(strdup(path));
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->ctime = st.st_ctim;
	f->is_seen = true;
	f->next = s->files;
	s->files = f;
	if (f->chain) {
		f->chain->directory = directory_of(s, path);
		f->chain->is_volatile = options_is_volatile(s->src, path);
	} else
		drop_file(s, f);
	return 0;
}

static int look_at_file(struct state *s, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	struct jfile *f = find(s, &st);
	if (f && !is_same(f, path, &st)) {
		drop_file(s, f);
		f = NULL;
	}
	if (!f)
		return add_file(s, path);
	f->is_seen = true;
	f->is_gone = false;
	f->ctime = st.st_ctim;
	if (strcmp(f->path, path) != 0) {
		free(f->path);
		f->path = must(strdup(path));
	}
	return 0;
}

/* ---- directories ------------------------------------------------------------------------ */

static bool is_machine(const char *name, const char *namespace)
{
	size_t n = strspn(name, "0123456789abcdef");
	if (n != 32)
		return false;
	if (strcmp(namespace, "*") == 0)
		return name[n] == 0 || name[n] == '.';
	return *namespace ? name[n] == '.' && strcmp(name + n + 1, namespace) == 0 : name[n] == 0;
}

static struct directory *get_directory(struct state *s, const char *path)
{
	struct directory *d = s->directories;
	while (d && strcmp(d->path, path) != 0)
		d = d->next;
	if (!d) {
		const char *slash = strrchr(path, '/');
		d = must(calloc(1, sizeof(*d)));
		d->path = must(strdup(path));
		d->wd = -1;
		d->is_journald = slash && is_machine(slash + 1, "*");
		d->next = s->directories;
		s->directories = d;
	}
	if (d->wd < 0 && s->inotify >= 0)
		d->wd = inotify_add_watch(s->inotify, path,
					  IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |
						  IN_DELETE | IN_ATTRIB | IN_ONLYDIR);
	d->is_seen = true;
	return d;
}

/* Looks at the names until they do not change while it looks: one that is renamed just then
 * can be missed.  `fn` is called with each path.
 */
static int each_name(struct state *s, const char *path, bool is_root,
		     int (*fn)(struct state *s, const char *path, const char *name, bool is_root))
{
	struct stat before, after;
	char child[4096];
	int r = 0;
	for (int i = 0; i < LOOKS_MAX && !r; i++) {
		struct dirent *e;
		DIR *dir = opendir(path);
		if (!dir)
			return errno == ENOENT || errno == ENOTDIR ? 0 : skip(s, path, errno);
		say_readable(s->src, &s->complaints, path);
		bool is_known = fstat(dirfd(dir), &before) == 0;
		while (!r && (e = readdir(dir))) {
			snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
			r = fn(s, child, e->d_name, is_root);
		}
		is_known = is_known && fstat(dirfd(dir), &after) == 0;
		closedir(dir);
		if (is_known && before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
		    before.st_mtim.tv_nsec == after.st_mtim.tv_nsec)
			break;
	}
	return r;
}

static int look_at_name(struct state *s, const char *path, const char *name, bool is_root)
{
	struct stat st;
	if (header_name(name))
		return look_at_file(s, path);
	if (!is_root || !is_machine(name, s->options.namespace) || stat(path, &st) < 0 ||
	    !S_ISDIR(st.st_mode))
		return 0;
	get_directory(s, path);
	return each_name(s, path, false, look_at_name);
}

static int look_at_root(struct state *s, const char *root)
{
	char path[4096];
	size_t n = (size_t)snprintf(path, sizeof(path), "%s", root);
	while (n > 1 && n < sizeof(path) && path[n - 1] == '/')
		path[--n] = 0;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	get_directory(s, path);
	return each_name(s, path, true, look_at_name);
}

/* Files that nothing more will come of need no descriptor. */
static void close_read(struct state *s)
{
	for (struct jfile *f = s->files; f; f = f->next) {
		if (f->fd < 0 || f->j || f->h.state != HEADER_ARCHIVED || !f->chain->is_placed ||
		    f->h.tail > f->chain->seqnum)
			continue;
		jfile_leave(f);
	}
}

static void drop_unseen(struct state *s)
{
	for (struct directory **at = &s->directories; *at;) {
		struct directory *d = *at;
		if (d->is_seen) {
			at = &d->next;
			continue;
		}
		if (d->wd >= 0)
			inotify_rm_watch(s->inotify, d->wd);
		for (struct chain *c = s->chains; c; c = c->next)
			if (c->directory == d)
				c->directory = NULL;
		*at = d->next;
		free(d->path);
		free(d);
	}
	for (struct jfile *f = s->files, *next; f; f = next) {
		next = f->next;
		f->is_gone = !f->is_seen;
		/* One that is being read is kept open to its end. */
		if (f->is_gone &&
		    (f->fd < 0 ||
		     (f->h.tail <= f->chain->seqnum && !f->has_entry && jfile_refresh(f) == 0 &&
		      f->h.tail <= f->chain->seqnum && f->h.state != HEADER_ONLINE)))
			drop_file(s, f);
	}
}

int discover(struct state *s)
{
	const char *root;
	int r = 0;
	for (struct directory *d = s->directories; d; d = d->next)
		d->is_seen = false;
	for (struct jfile *f = s->files; f; f = f->next)
		f->is_seen = false;
	s->cannot_read = false;
	for (size_t i = 0; !r && (root = options_directory(s->src, i)); i++)
		r = look_at_root(s, root);
	if (!r)
		drop_unseen(s);
	close_read(s);
	chains_note_ends(s);
	return r;
}

/* ---- before anything is read ------------------------------------------------------------- */

static int check_name(struct state *s, const char *path, const char *name, bool is_root)
{
	if (header_name(name) && access(path, R_OK) < 0 && errno != ENOENT)
		return skip(s, path, errno);
	s->n_seen += header_name(name) > 0;
	if (is_root && is_machine(name, s->options.namespace))
		return each_name(s, path, false, check_name);
	return 0;
}

void discover_check(struct state *s)
{
	const char *root;
	s->n_seen = 0;
	for (size_t i = 0; (root = options_directory(s->src, i)); i++)
		each_name(s, root, true, check_name);
	if (s->n_seen || s->cannot_read || !complaint_begins(&s->complaints, "no files"))
		return;
	const char *first = options_directory(s->src, 0), *second = options_directory(s->src, 1);
	const char *namespace = s->options.namespace;
	bool is_named = *namespace && strcmp(namespace, "*") != 0;
	say(s->src, SLUICE_LOG_WARNING,
	    "no journal files%s%s in %s%s%s yet (files are read once they appear; if journald "
	    "keeps them elsewhere, set directory; journalctl --header shows where they are)",
	    is_named ? " of the namespace " : "", is_named ? namespace : "", first,
	    second ? " or " : "", second ? second : "");
}

bool discover_hear(struct state *s)
{
	char buffer[16384] __attribute__((aligned(8)));
	bool names_changed = false;
	ssize_t n;
	while ((n = read(s->inotify, buffer, sizeof(buffer))) > 0) {
		for (char *p = buffer; p < buffer + n;) {
			struct inotify_event *e = (struct inotify_event *)(void *)p;
			p += sizeof(*e) + e->len;
			names_changed |= (e->mask & ~(uint32_t)IN_MODIFY) != 0;
			for (struct directory *d = s->directories; d; d = d->next)
				if ((e->mask & IN_IGNORED) && d->wd == e->wd)
					d->wd = -1;
		}
	}
	return names_changed;
}

void discover_free(struct state *s)
{
	while (s->files)
		drop_file(s, s->files);
	while (s->chains)
		chain_drop(s, s->chains);
	while (s->directories) {
		struct directory *d = s->directories;
		s->directories = d->next;
		free(d->path);
		free(d);
	}
}
