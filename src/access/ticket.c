/* SPDX-License-Identifier: MIT */
#include "access/ticket.h"

#include <errno.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/unit.h"
#include "wire/query.h"

enum { NUMBER_BYTES = 8 };

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

void ticket_free(struct ticket *t)
{
	if (!t)
		return;
	ticket_fini(t);
	free(t);
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
