/* SPDX-License-Identifier: MIT */
#include "journal/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/record.h"

static const char witness_magic[8] = "SLUICEW";

enum { SLOT = 128, SLOT_NAME = 48, CRC_FROM = 4, SLOTS_MAX = 65536 };

struct slot {
	char name[NAME_MAX_LEN + 1];
	bool is_known; /* `extent` is what was written last */
	struct extent extent;
};

struct witness {
	int fd;
	struct slot *slots; /* as they stand in the file, behind its header */
	size_t n;
};

static void read_slot(const char *p, struct slot *s)
{
	memcpy(s->name, p + SLOT_NAME, NAME_MAX_LEN);
	s->is_known = get_u32(p) == crc32c(0, p + CRC_FROM, SLOT - CRC_FROM);
	s->extent = (struct extent){get_u64(p + 8), get_u64(p + 16), get_u64(p + 24),
				    get_u64(p + 32), get_u64(p + 40)};
}

static int read_all(struct witness *w)
{
	char p[SLOT];
	ssize_t got = pread(w->fd, p, SLOT, 0);
	if (got < 0)
		return -errno;
	if (got != SLOT || memcmp(p, witness_magic, sizeof(witness_magic)) != 0)
		return -EBADMSG;
	while (w->n < SLOTS_MAX && pread(w->fd, p, SLOT, (off_t)(w->n + 1) * SLOT) == SLOT) {
		w->slots = mem_resize(w->slots, (w->n + 1) * sizeof(w->slots[0]));
		w->slots[w->n] = (struct slot){0};
		read_slot(p, &w->slots[w->n++]);
	}
	return 0;
}

static int begin_anew(struct witness *w)
{
	char p[SLOT] = "";
	memcpy(p, witness_magic, sizeof(witness_magic));
	if (ftruncate(w->fd, 0) < 0)
		return -errno;
	ssize_t n = pwrite(w->fd, p, SLOT, 0);
	return n < 0 ? -errno : n != SLOT ? -ENOSPC : 0;
}

int witness_open(const char *path, bool writable, struct witness **ret)
{
	struct witness *w = mem_zero(sizeof(*w));
	w->fd = open(path, writable ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0640);
	int r = w->fd < 0 ? -errno : read_all(w);
	if (r == -EBADMSG && writable) {
		if (lseek(w->fd, 0, SEEK_END) > 0)
			log_error("%s: damaged, and begun anew: what was cut from the ends of "
				  "journals before now is not noticed",
				  path);
		r = begin_anew(w);
	}
	if (r) {
		witness_close(w);
		w = NULL;
	}
	*ret = w;
	return r;
}

void witness_close(struct witness *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	free(w->slots);
	free(w);
}

/* The slot of a name, perhaps this one; w->n when there is none. */
static size_t find(const struct witness *w, const char *name, size_t maybe)
{
	if (maybe < w->n && strcmp(w->slots[maybe].name, name) == 0)
		return maybe;
	size_t i = 0;
	while (i < w->n && strcmp(w->slots[i].name, name) != 0)
		i++;
	return i;
}

bool witness_get(const struct witness *w, const char *name, struct extent *ret)
{
	size_t i = find(w, name, 0);
	if (i == w->n || !w->slots[i].is_known)
		return false;
	*ret = w->slots[i].extent;
	return true;
}

int witness_put(struct witness *w, const char *name, const struct extent *e, size_t *slot)
{
	size_t i = find(w, name, *slot);
	char p[SLOT] = "";
	put_u64(p + 8, e->last);
	put_u64(p + 16, e->n_events);
	put_u64(p + 24, e->low);
	put_u64(p + 32, e->low_ordinal);
	put_u64(p + 40, e->cursors);
	memcpy(p + SLOT_NAME, name, strnlen(name, NAME_MAX_LEN));
	put_u32(p, crc32c(0, p + CRC_FROM, SLOT - CRC_FROM));
	ssize_t n = pwrite(w->fd, p, SLOT, (off_t)(i + 1) * SLOT);
	if (n != SLOT)
		return n < 0 ? -errno : -ENOSPC;
	if (i == w->n) {
		w->slots = mem_resize(w->slots, (w->n + 1) * sizeof(w->slots[0]));
		w->slots[w->n++] = (struct slot){0};
	}
	*slot = i;
	read_slot(p, &w->slots[i]);
	return 0;
}

int witness_sync(const struct witness *w)
{
	return fdatasync(w->fd) < 0 ? -errno : 0;
}
