/* SPDX-License-Identifier: MIT */
#include "journal/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/mem.h"

static const char checkpoint_magic[8] = "SLUICEC";

enum {
	CHECKPOINT_HEADER = 32,
	CHECKPOINT_VERSION = 1,
	CHECKPOINT_MAX = 1024 * 1024 * 1024, /* bytes; a larger file is not ours */
	CRC_FROM = 16,
};

void checkpoint_put(struct buf *entries, event_id at, const struct cursor *c)
{
	buf_put_u64(entries, at);
	record_put_cursor(entries, c);
}

bool checkpoint_next(struct str *rest, event_id *at, struct cursor *ret)
{
	struct record rec;
	if (rest->len < 8)
		return false;
	*at = get_u64(rest->data);
	*rest = (struct str){rest->data + 8, rest->len - 8};
	if (record_next(rest, &rec) != 1 || rec.kind != RECORD_CURSOR)
		return false;
	*ret = rec.cursor;
	return true;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w < 0 ? -errno : -ENOSPC;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int checkpoint_write(const char *dir, event_id upto, struct str entries)
{
	char h[CHECKPOINT_HEADER] = "";
	memcpy(h, checkpoint_magic, 8);
	put_u32(h + 8, CHECKPOINT_VERSION);
	put_u64(h + 16, upto);
	put_u64(h + 24, entries.len);
	put_u32(h + 12,
		crc32c(crc32c(0, h + CRC_FROM, sizeof(h) - CRC_FROM), entries.data, entries.len));
	char *path = mem_printf("%s/cursors.new", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	int r = fd < 0 ? -errno : write_all(fd, h, sizeof(h));
	if (!r)
		r = write_all(fd, entries.data, entries.len);
	if (fd >= 0)
		close(fd);
	if (r && fd >= 0)
		unlink(path);
	free(path);
	return r;
}

static int sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 || fdatasync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return r;
}

int checkpoint_place(const char *dir, bool synced)
{
	char *fresh = mem_printf("%s/cursors.new", dir), *path = mem_printf("%s/cursors", dir),
	     *old = mem_printf("%s/cursors.old", dir);
	int r = synced ? sync_file(fresh) : 0;
	if (!r && rename(path, old) < 0 && errno != ENOENT)
		r = -errno;
	if (!r && rename(fresh, path) < 0)
		r = -errno;
	free(fresh);
	free(path);
	free(old);
	return r;
}

static int read_one(const char *dir, const char *name, struct checkpoint *ret)
{
	char *path = mem_printf("%s/%s", dir, name);
	struct buf b = {0};
	*ret = (struct checkpoint){0};
	int r = fd_read_file(path, CHECKPOINT_MAX, &b);
	free(path);
	if (!r && (b.len < CHECKPOINT_HEADER || memcmp(b.data, checkpoint_magic, 8) != 0 ||
		   get_u32(b.data + 8) != CHECKPOINT_VERSION ||
		   get_u64(b.data + 24) != b.len - CHECKPOINT_HEADER ||
		   get_u32(b.data + 12) != crc32c(0, b.data + CRC_FROM, b.len - CRC_FROM)))
		r = -EBADMSG;
	if (r) {
		buf_fini(&b);
		return r;
	}
	ret->upto = get_u64(b.data + 16);
	buf_drop(&b, CHECKPOINT_HEADER);
	ret->entries = b;
	return 0;
}

int checkpoint_read(const char *dir, event_id last, struct checkpoint *ret)
{
	struct checkpoint old;
	int r = read_one(dir, "cursors", ret), r_old = read_one(dir, "cursors.old", &old);
	if (!r_old && (r || ret->upto > last)) {
		checkpoint_fini(ret);
		*ret = old;
		return 0;
	}
	checkpoint_fini(&old);
	return r;
}

void checkpoint_fini(struct checkpoint *c)
{
	buf_fini(&c->entries);
}
