/* SPDX-License-Identifier: MIT */
#include "access/ticket.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

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
		if (given.len == mac.len && CRYPTO_memcmp(given.data, mac.data, mac.len) == 0)
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

bool revoked_refresh(struct revoked *r, const char *state_dir)
{
	char *path = revoked_path(state_dir);
	struct stat st = {0};
	int64_t at = stat(path, &st) == 0 ? st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec : 0;
	bool changed = at != r->read_ns;
	if (changed) {
		r->text.len = 0;
		if (at && fd_read_file(path, REVOKED_MAX, &r->text))
			r->text.len = 0;
		r->read_ns = at;
	}
	free(path);
	return changed;
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

int revoked_add(const char *state_dir, const char *id, int64_t expires_s, int64_t now_s)
{
	struct revoked old = {0};
	struct buf text = {0};
	bool ignored = revoked_refresh(&old, state_dir);
	(void)ignored;
	char *save, *path = revoked_path(state_dir);
	for (char *line = strtok_r((char *)(uintptr_t)buf_text(&old.text), "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *space = strchr(line, ' ');
		if (space && strtoll(space + 1, NULL, 10) > now_s)
			buf_printf(&text, "%s\n", line);
	}
	buf_printf(&text, "%s %lld\n", id, (long long)expires_s);
	int r = fd_replace_file(path, text.data, text.len);
	buf_fini(&old.text);
	buf_fini(&text);
	free(path);
	return r;
}
