/* SPDX-License-Identifier: MIT */
#include "base/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/hmac.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/mem.h"

static int write_key(int fd, const struct stat *owner)
{
	unsigned char bytes[KEY_BYTES];
	struct buf text = {0};
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	hex_put(&text, bytes, sizeof(bytes));
	buf_putc(&text, '\n');
	/* Of whoever owns the directory, also when root asks for it first. */
	int r = 0;
	if (geteuid() == 0 && owner->st_uid && fchown(fd, owner->st_uid, owner->st_gid) < 0)
		r = -errno;
	if (!r && write(fd, text.data, text.len) != (ssize_t)text.len)
		r = -EIO;
	if (!r && fsync(fd) < 0)
		r = -errno;
	explicit_bzero(bytes, sizeof(bytes));
	buf_fini(&text);
	return r;
}

/* Under its name it is whole, or not there; of two who make it the first one counts. */
static int make(const char *dir, const char *path)
{
	char *draft = mem_printf("%s.%d.new", path, (int)getpid());
	struct stat owner;
	unlink(draft);
	int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 || stat(dir, &owner) < 0 ? -errno : write_key(fd, &owner);
	if (!r && link(draft, path) < 0 && errno != EEXIST)
		r = -errno;
	unlink(draft);
	fd_close(&fd);
	free(draft);
	return r;
}

int key_open(const char *dir, const char *name, struct key *ret)
{
	char *path = mem_printf("%s/%s", dir, name);
	struct buf text = {0}, bytes = {0};
	int r = fd_read_file(path, 1024, &text);
	if (r == -ENOENT) {
		r = make(dir, path);
		if (!r)
			r = fd_read_file(path, 1024, &text);
	}
	while (text.len && text.data[text.len - 1] == '\n')
		text.len--;
	if (!r)
		r = hex_get(buf_str(&text), &bytes);
	if (!r && bytes.len != sizeof(ret->bytes))
		r = -EINVAL;
	if (!r)
		memcpy(ret->bytes, bytes.data, sizeof(ret->bytes));
	buf_fini(&text);
	buf_fini(&bytes);
	free(path);
	return r;
}

void key_prove(const struct key *key, const void *p, size_t n, unsigned char ret[KEY_PROOF_BYTES])
{
	struct hmac_sha256_ctx ctx;
	hmac_sha256_set_key(&ctx, sizeof(key->bytes), key->bytes);
	hmac_sha256_update(&ctx, n, p ? p : (const void *)"");
	hmac_sha256_digest(&ctx, KEY_PROOF_BYTES, ret);
}
