/* SPDX-License-Identifier: MIT
 *
 * chain - the files that one writer fills one after another, and our position in them.
 */
#include <stdio.h>
#include <string.h>

#include "journald.h"

struct chain *chain_by_key(struct state *s, const char *key, size_t n)
{
	for (struct chain *c = s->chains; c; c = c->next)
		if (strlen(c->key) == n && memcmp(c->key, key, n) == 0)
			return c;
	if (n >= KEY_TEXT)
		return NULL;
	struct chain *c = must(calloc(1, sizeof(*c)));
	memcpy(c->key, key, n);
	c->n_read = UNKNOWN;
	c->next = s->chains;
	s->chains = c;
	return c;
}

struct chain *chain_get(struct state *s, const struct header *h, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char key[KEY_TEXT];
	snprintf(key, sizeof(key), "%s/%.*s", h->seqnum_id, (int)header_name(name), name);
	return chain_by_key(s, key, strlen(key));
}

void chain_drop(struct state *s, struct chain *c)
{
	struct chain **at = &s->chains;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
}

void chain_pass(struct chain *c, uint64_t seqnum, uint64_t time)
{
	if (seqnum > c->seqnum)
		c->seqnum = seqnum;
	if (time > c->time)
		c->time = time;
	c->n_read = UNKNOWN;
	c->is_placed = c->is_moved = true;
}

void chain_taken(struct chain *c)
{
	struct jfile *f = c->file;
	if (f->seqnum <= f->h.head)
		c->n_read = 0;
	c->seqnum = f->seqnum;
	c->time = f->time;
	c->n_read += c->n_read != UNKNOWN;
	c->is_placed = c->is_moved = c->was_followed = true;
	snprintf(c->cursor, sizeof(c->cursor), "%s", f->cursor);
	jfile_taken(f);
}

void chain_rewind(struct chain *c, uint64_t seqnum)
{
	c->seqnum = seqnum;
	c->cursor[0] = 0;
}

/* p= is the position, n= how much of its file has been read, e= whether the chain has ended;
 * the rest is libsystemd's own text of the last entry.
 */
size_t chain_encode(const struct chain *c, char *out, size_t size)
{
	int n = snprintf(out, size, "p=%llx;w=%llx;n=%llx;e=%d;%.400s",
			 (unsigned long long)c->seqnum, (unsigned long long)c->time,
			 (unsigned long long)c->n_read, c->is_ended, c->cursor);
	return (size_t)n < size ? (size_t)n : size - 1;
}

void chain_decode(struct chain *c, const struct sluice_cursor *from)
{
	char text[CURSOR_TEXT];
	unsigned long long seqnum, time, n_read;
	int ended, at = 0;
	size_t n = from->value_len < sizeof(text) ? from->value_len : sizeof(text) - 1;
	memcpy(text, from->value, n);
	text[n] = 0;
	if (sscanf(text, "p=%llx;w=%llx;n=%llx;e=%d;%n", &seqnum, &time, &n_read, &ended, &at) < 4)
		return;
	*c = (struct chain){.next = c->next,
			    .is_placed = true,
			    .is_ended = ended,
			    .seqnum = seqnum,
			    .time = time,
			    .n_read = n_read};
	memcpy(c->key, from->key, from->key_len);
	snprintf(c->cursor, sizeof(c->cursor), "%s", text + at);
}

struct sluice_cursor chain_cursor(struct chain *c, char value[CURSOR_TEXT])
{
	c->is_moved = false;
	return (struct sluice_cursor){c->key, strlen(c->key), value,
				      chain_encode(c, value, CURSOR_TEXT)};
}

int chain_commit(struct state *s, struct chain *c)
{
	char value[CURSOR_TEXT];
	struct sluice_cursor cursor = chain_cursor(c, value);
	return s->src->host->commit(s->src, &cursor);
}

bool chain_has_file(const struct state *s, const struct chain *c)
{
	for (const struct jfile *f = s->files; f; f = f->next)
		if (f->chain == c)
			return true;
	return false;
}

/* Whether it has been read to its end, and the other one began later under the same name. */
static bool is_followed_by(const struct state *s, const struct chain *c, const struct chain *other)
{
	bool is_later = false;
	if (!c->is_placed || c->directory != other->directory ||
	    strcmp(c->key + ID_TEXT, other->key + ID_TEXT) != 0)
		return false;
	for (const struct jfile *f = s->files; f; f = f->next) {
		if (f->chain == c && f->h.tail > c->seqnum)
			return false;
		is_later |= f->chain == other && f->h.head_time > c->time;
	}
	return is_later;
}

void chains_note_ends(struct state *s)
{
	for (struct chain *c = s->chains; c; c = c->next)
		for (struct chain *o = s->chains; o && !c->is_ended && chain_has_file(s, c);
		     o = o->next)
			if (o != c && is_followed_by(s, c, o))
				c->is_ended = c->is_moved = true;
}
