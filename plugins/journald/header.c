/* SPDX-License-Identifier: MIT */
#include "header.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* Offsets of the published form. */
enum {
	AT_STATE = 16,
	AT_FILE_ID = 24,
	AT_SEQNUM_ID = 72,
	AT_HEADER_SIZE = 88,
	AT_N_ENTRIES = 152,
	AT_TAIL = 160,
	AT_HEAD = 168,
	AT_HEAD_TIME = 184,
	AT_TAIL_TIME = 192,
};

static uint64_t number_at(const char *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static void id_at(const char *p, char out[ID_TEXT])
{
	for (size_t i = 0; i < 16; i++) {
		out[2 * i] = "0123456789abcdef"[(unsigned char)p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	out[32] = 0;
}

int header_parse(const char *p, size_t n, struct header *ret)
{
	static const char nothing[8];
	*ret = (struct header){0};
	if (n < HEADER_SIZE || memcmp(p, nothing, 8) == 0)
		return -ENODATA;
	if (memcmp(p, "LPKSHHRH", 8) != 0 || number_at(p + AT_HEADER_SIZE) < HEADER_SIZE)
		return -EBADMSG;
	ret->state = (uint8_t)p[AT_STATE];
	id_at(p + AT_FILE_ID, ret->file_id);
	id_at(p + AT_SEQNUM_ID, ret->seqnum_id);
	ret->n_entries = number_at(p + AT_N_ENTRIES);
	ret->tail = number_at(p + AT_TAIL);
	ret->head = number_at(p + AT_HEAD);
	ret->head_time = number_at(p + AT_HEAD_TIME);
	ret->tail_time = number_at(p + AT_TAIL_TIME);
	/* A number is given out before its entry is whole. */
	if (!ret->n_entries)
		ret->tail = ret->head = 0;
	return 0;
}

size_t header_name(const char *name)
{
	size_t n = strlen(name);
	if (n > 9 && strcmp(name + n - 9, ".journal~") == 0)
		n -= 9;
	else if (n > 8 && strcmp(name + n - 8, ".journal") == 0)
		n -= 8;
	else
		return 0;
	const char *at = memchr(name, '@', n);
	return at ? (size_t)(at - name) : n;
}
