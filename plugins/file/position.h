/* SPDX-License-Identifier: MIT
 *
 * position - a place in a file that can be recognised again later.
 *
 * An inode's number is not enough: it may be given to another file, and a file
 * may be emptied and written anew.  So a position also remembers a hash of the
 * file's head and the bytes that stand just before it.
 */
#ifndef FILE_POSITION_H
#define FILE_POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TAIL_MAX = 32, HEAD_MAX = 1024, POSITION_VALUE_MAX = 4096 + 128 };

struct position {
	uint64_t offset;
	bool is_done;      /* the file was rotated away and read to its end */
	uint16_t head_len; /* bytes at the start of the file that head_hash covers */
	uint64_t head_hash;
	int64_t mtime_ns; /* of the file, when it was last looked at */
	uint8_t tail_len;
	bool is_hashed;      /* of the tail only the hash is known, as a cursor holds it */
	char tail[TAIL_MAX]; /* the bytes before offset */
	uint64_t tail_hash;

	/* Of a container's streams: what begins before has been emitted already, though it lies
	 * behind `offset`.  Up to `offset` it means nothing.
	 */
	uint64_t emitted_to[2];
};

/* Which file a position is of, beside its number. */
struct origin {
	char *name;      /* that it was followed under */
	char *place;     /* where it was last, if that is another name; or NULL */
	int64_t born_ns; /* when it was made, since 1970; 0: the file system does not say */
	int64_t lost_ns; /* when it lost its name, or later; 0: not known */
	int64_t was_born_ns, was_mtime_ns; /* of what it was compressed from; 0: not known */
};

/* Writes the cursor's value: position and origin; returns its length. */
size_t position_encode(const struct position *p, const struct origin *o,
		       char out[POSITION_VALUE_MAX]);

/* 0, or -1 for what is no value of ours; the names in *origin are owned. */
int position_decode(const void *value, size_t len, struct position *ret, struct origin *origin);
void origin_free(struct origin *o);

/* Whether the open file still has this position's head and tail, which is known then. */
bool position_fits(struct position *p, int fd);

/* Whether so much was read that another file does not begin like that by chance. */
bool position_is_telling(const struct position *p);

/* Whether these tail_len bytes are the ones before it. */
bool position_has_tail(const struct position *p, const char *tail);
/* The `n` bytes before it, at most TAIL_MAX. */
void position_set_tail(struct position *p, const char *tail, size_t n);

uint64_t position_hash(const char *p, size_t n);

/* Lets the head's hash cover more of the file, now that there is more. */
void position_grow_head(struct position *p, int fd, uint64_t size);

#endif
