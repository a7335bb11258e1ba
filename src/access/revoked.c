/* SPDX-License-Identifier: MIT */
#include "access/revoked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

enum { FILE_MAX = 64 * 1024 * 1024, PRUNE_FROM = 256 * 1024 };

static char *path_in(const char *state_dir)
{
	return mem_printf("%s/tickets.revoked", state_dir);
}

/* The next line "ID EXPIRES" of `text` from *at on, or false.  One that was cut short
 * counts as never expiring.
 */
static bool next_line(struct str text, size_t *at, struct str *id, int64_t *expires_s)
{
	while (*at < text.len) {
		const char *line = text.data + *at;
		const char *end = memchr(line, '\n', text.len - *at);
		size_t len = end ? (size_t)(end - line) : text.len - *at;
		const char *blank = memchr(line, ' ', len);
		*at += len + 1;
		if (!blank || blank == line)
			continue;
		*id = (struct str){line, (size_t)(blank - line)};
		*expires_s = 0;
		for (const char *p = blank + 1; p < line + len && *p >= '0' && *p <= '9'; p++)
			*expires_s = MIN(*expires_s, INT64_MAX / 10 - 1) * 10 + (*p - '0');
		if (!end)
			*expires_s = INT64_MAX;
		return true;
	}
	return false;
}

/* ---- reading ------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void use(struct revoked *r, struct buf *text)
{
	int64_t now_s = clock_wall_ns() / NS_PER_SEC, expires_s;
	struct str id;
	size_t room = 0;
	buf_fini(&r->text);
	free(r->ids);
	r->text = *text;
	r->ids = NULL;
	r->n = 0;
	for (size_t at = 0; next_line(buf_str(&r->text), &at, &id, &expires_s);) {
		if (expires_s <= now_s)
			continue;
		if (r->n == room) {
			room = MAX(room * 2, (size_t)64);
			r->ids = mem_resize(r->ids, room * sizeof(r->ids[0]));
		}
		r->text.data[id.data + id.len - r->text.data] = 0;
		r->ids[r->n++] = id.data;
	}
	if (r->n)
		qsort(r->ids, r->n, sizeof(r->ids[0]), compare);
}

void revoked_refresh(struct revoked *r, const char *state_dir)
{
	char *path = path_in(state_dir);
	struct stat st = {0};
	struct buf fresh = {0};
	bool is_there = stat(path, &st) == 0;
	int err = !is_there && errno != ENOENT ? -errno : 0;
	bool same = r->has_looked && !r->is_unreadable && !err && r->size == st.st_size &&
		    r->inode == st.st_ino && r->changed.tv_sec == st.st_mtim.tv_sec &&
		    r->changed.tv_nsec == st.st_mtim.tv_nsec;
	if (!same && !err && is_there)
		err = fd_read_file(path, FILE_MAX, &fresh);
	if (!same && !err) {
		use(r, &fresh);
		r->size = st.st_size;
		r->inode = st.st_ino;
		r->changed = st.st_mtim;
		r->generation++;
	} else {
		buf_fini(&fresh);
	}
	r->is_unreadable = err != 0;
	r->has_looked = true;
	free(path);
}

bool revoked_holds(const struct revoked *r, const char *id)
{
	return r->n && bsearch(&id, r->ids, r->n, sizeof(r->ids[0]), compare);
}

void revoked_fini(struct revoked *r)
{
	buf_fini(&r->text);
	free(r->ids);
	*r = (struct revoked){0};
}

/* ---- writing ------------------------------------------------------------------------------ */

/* Opened, and locked against others that write; the file that has the name then.  No link
 * is followed, for who owns the directory may be less than who runs this.
 */
static int open_locked(const char *path)
{
	for (;;) {
		struct stat st;
		int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0) {
			int err = errno;
			close(fd);
			return -err;
		}
		if (st.st_nlink)
			return fd;
		close(fd); /* another one has just replaced it */
	}
}

/* As those of the directory: root may revoke for a hub that is not root. */
static int set_owner(int fd, const char *state_dir)
{
	struct stat owner;
	if (stat(state_dir, &owner) < 0)
		return -errno;
	if (geteuid() != 0)
		return 0;
	if (fchmod(fd, 0644) < 0 || (owner.st_uid && fchown(fd, owner.st_uid, owner.st_gid) < 0))
		return -errno;
	return 0;
}

static int append(int fd, struct str s)
{
	ssize_t w = write(fd, s.data, s.len);
	if (w < 0)
		return -errno;
	if ((size_t)w != s.len)
		return -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

/* The file without what has expired, in its place; *fd is the new one then. */
static int prune(const char *path, const char *state_dir, int *fd)
{
	struct buf text = {0}, kept = {0};
	int64_t now_s = clock_wall_ns() / NS_PER_SEC, expires_s;
	struct str id;
	int r = fd_read_file(path, FILE_MAX, &text);
	for (size_t at = 0; !r && next_line(buf_str(&text), &at, &id, &expires_s);)
		if (expires_s > now_s)
			buf_printf(&kept, "%.*s %lld\n", (int)id.len, id.data,
				   (long long)expires_s);
	if (!r && kept.len < text.len / 2) {
		char *fresh = mem_printf("%s.new", path);
		unlink(fresh);
		int to = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
		r = to < 0 || flock(to, LOCK_EX) < 0 ? -errno : set_owner(to, state_dir);
		if (!r)
			r = append(to, buf_str(&kept));
		if (!r && rename(fresh, path) < 0)
			r = -errno;
		if (r) {
			unlink(fresh);
			fd_close(&to);
		} else {
			close(*fd);
			*fd = to;
		}
		free(fresh);
	}
	buf_fini(&kept);
	buf_fini(&text);
	return r;
}

int revoked_add(const char *state_dir, const char *id, int64_t expires_s)
{
	char *path = path_in(state_dir);
	struct stat st;
	struct buf line = {0};
	int fd = open_locked(path);
	int r = fd < 0 ? fd : set_owner(fd, state_dir);
	if (!r && fstat(fd, &st) == 0 && st.st_size > PRUNE_FROM)
		r = prune(path, state_dir, &fd);
	/* Begun with a line end: a line before it may have been cut short. */
	buf_printf(&line, "\n%s %lld\n", id, (long long)expires_s);
	if (!r)
		r = append(fd, buf_str(&line));
	fd_close(&fd);
	buf_fini(&line);
	free(path);
	return r;
}
