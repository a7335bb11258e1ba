/* SPDX-License-Identifier: MIT
 *
 * header - what the head of a journal file says about it.
 *
 * libsystemd reads entries but shows nothing of a file.  Which entries a file holds, and
 * whether it will get more, is in its head, whose form is published and stable
 * (systemd.io/JOURNAL_FILE_FORMAT).
 */
#ifndef JOURNALD_HEADER_H
#define JOURNALD_HEADER_H

#include <stddef.h>
#include <stdint.h>

enum { HEADER_SIZE = 208, ID_TEXT = 33 };
enum header_state { HEADER_OFFLINE = 0, HEADER_ONLINE = 1, HEADER_ARCHIVED = 2 };

struct header {
	uint8_t state;         /* enum header_state, or what a later systemd adds */
	char file_id[ID_TEXT]; /* in hex */
	char seqnum_id[ID_TEXT];
	uint64_t n_entries;
	uint64_t head, tail;           /* numbers of its first and last entry; 0: it has none */
	uint64_t head_time, tail_time; /* in microseconds since 1970 */
};

/* Reads the first `n` bytes of a file: 0; -ENODATA for one that has no head yet; -EBADMSG for
 * one that is no journal.
 */
int header_parse(const char *p, size_t n, struct header *ret);

/* What a file's name says it belongs to, "system" of system@ID-N-T.journal: the length of that
 * part of `name`; 0 for what is no name of a journal file.
 */
size_t header_name(const char *name);

#endif
