/* SPDX-License-Identifier: MIT */
#include "access/ticket.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/unit.h"
#include "wire/query.h"

enum { NUMBER_BYTES = 8, REVOKED_MAX = 16 * 1024 * 1024 };

#define PREFIX "st1."

/* ---- tickets --------------------------------------------------------------------------- */

static void put_mac(struct buf *out, const struct key *key, struct str payload)
{
	unsigned char mac[KEY_PROOF_BYTES];
	key_prove(key, payload.data, payload.len, mac);
	hex_put(out, mac, sizeof(mac));
}

void ticket_number(struct ticket *t)
{
	unsigned char bytes[NUMBER_BYTES];
	struct buf text = {0};
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		abort();
	hex_put(&text, bytes, sizeof(bytes));
	t->id = mem_strdup(buf_text(&text));
	buf_fini(&text);
}

void ticket_put(struct buf *out, const struct key *key, const struct ticket *t)
{
	struct buf payload = {0}, number = {0};
	query_put(&payload, "user", str_of(t->user));
	for (size_t i = 0; i < t->n_channels; i++)
		query_put(&payload, "channel", str_of(t->channels[i]));
	buf_printf(&number, "%lld", (long long)t->expires_s);
	query_put(&payload, "expires", buf_str(&number));
	query_put(&payload, "id", str_of(t->id));
	buf_puts(out, PREFIX);
	hex_put(out, payload.data, payload.len);
	buf_putc(out, '.');
	put_mac(out, key, buf_str(&payload));
	buf_fini(&payload);
	buf_fini(&number);
}

void ticket_fini(struct ticket *t)
{
	free(t->user);
	free(t->id);
	for (size_t i = 0; i < t->n_channels; i++)
		free(t->channels[i]);
	*t = (struct ticket){0};
}

/* What we have signed ourselves; so what does not fit is of another version. */
static int read_payload(struct str rest, struct ticket *t)
{
	struct buf key = {0}, value = {0};
	int got;
	while ((got = query_next(&rest, &key, &value)) == 1) {
		const char *k = buf_text(&key), *v = buf_text(&value);
		if (strcmp(k, "user") == 0 && !t->user)
			t->user = mem_strdup(v);
		else if (strcmp(k, "id") == 0 && !t->id)
			t->id = mem_strdup(v);
		else if (strcmp(k, "expires") == 0 && unit_parse_int(v, &t->expires_s))
			got = -EINVAL;
		else if (strcmp(k, "channel") == 0 && t->n_channels < TICKET_CHANNELS_MAX)
			t->channels[t->n_channels++] = mem_strdup(v);
	}
	buf_fini(&key);
	buf_fini(&value);
	return got < 0 || !t->user || !t->id || !t->expires_s ? -EINVAL : 0;
}

const char *ticket_get(const struct key *key, struct str text, int64_t now_s, struct ticket *ret)
{
	struct buf payload = {0}, mac = {0};
	size_t n = strlen(PREFIX);
	const char *dot =
		text.len > n && text.len <= TICKET_TEXT_MAX && memcmp(text.data, PREFIX, n) == 0
			? memchr(text.data + n, '.', text.len - n)
			: NULL;
	const char *why = "it is not one of ours";
	*ret = (struct ticket){0};
	if (dot &&
	    hex_get((struct str){text.data + n, (size_t)(dot - text.data) - n}, &payload) == 0) {
		struct str given = {dot + 1, text.len - (size_t)(dot + 1 - text.data)};
		put_mac(&mac, key, buf_str(&payload));
		if (given.len == mac.len && memeql_sec(given.data, mac.data, mac.len))
			why = read_payload(buf_str(&payload), ret) ? "it is of another version"
			      : ret->expires_s <= now_s            ? "it has expired"
								   : NULL;
	}
	if (why)
		ticket_fini(ret);
	buf_fini(&payload);
	buf_fini(&mac);
	return why;
}

/* ---- revoked ones ------------------------------------------------------------------------ */

static char *revoked_path(const char *state_dir)
{
	return mem_printf("%s/tickets.revoked", state_dir);
}

void revoked_refresh(struct revoked *r, const char *state_dir)
{
	char *path = revoked_path(state_dir);
	struct stat st = {0};
	struct buf fresh = {0};
	bool is_there = stat(path, &st) == 0;
	int err = !is_there && errno != ENOENT ? -errno : 0;
	bool same = r->has_looked && !r->is_unreadable && !err && r->size == st.st_size &&
		    r->inode == st.st_ino && r->changed.tv_sec == st.st_mtim.tv_sec &&
		    r->changed.tv_nsec == st.st_mtim.tv_nsec;
	if (!same && !err && is_there)
		err = fd_read_file(path, REVOKED_MAX, &fresh);
	if (!same && !err) {
		buf_fini(&r->text);
		r->text = fresh;
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
	size_t n = strlen(id);
	for (size_t at = 0; at < r->text.len;) {
		const char *line = r->text.data + at;
		const char *end = memchr(line, '\n', r->text.len - at);
		size_t len = end ? (size_t)(end - line) : r->text.len - at;
		if (len > n && memcmp(line, id, n) == 0 && line[n] == ' ')
			return true;
		at += len + 1;
	}
	return false;
}

int revoked_add(const char *state_dir, const char *id, int64_t expires_s)
{
	char *path = revoked_path(state_dir);
	struct stat owner;
	struct buf line = {0};
	buf_printf(&line, "%s %lld\n", id, (long long)expires_s);
	/* One write at the end: others may do the same just now.  No link is followed, for
	 * who owns the directory may be less than who runs this.
	 */
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = fd < 0 || stat(state_dir, &owner) < 0 ? -errno : 0;
	if (!r && geteuid() == 0 &&
	    (fchmod(fd, 0644) < 0 || (owner.st_uid && fchown(fd, owner.st_uid, owner.st_gid) < 0)))
		r = -errno;
	if (!r && write(fd, line.data, line.len) != (ssize_t)line.len)
		r = -EIO;
	if (!r && fsync(fd) < 0)
		r = -errno;
	fd_close(&fd);
	buf_fini(&line);
	free(path);
	return r;
}
