/* SPDX-License-Identifier: MIT
 *
 * A file that is known and closed is opened again.
 */
#include "reopen.h"

#include <string.h>
#include <unistd.h>

#include "emit.h"
#include "files.h"
#include "gz.h"
#include "handle.h"
#include "unpack.h"

bool reopen_is_another(const struct file *f)
{
	return f->born_ns && f->open_born_ns && f->born_ns != f->open_born_ns;
}

/* Opens a known file again and goes on in it.  When it holds other content by
 * now, its number has been given to another file, or it was emptied: then it is
 * forgotten, and begins anew as what it is.
 */
int reopen(struct state *s, struct file *f, const struct stat *st)
{
	f->is_gz = s->options.decompress && unpack_is_named(f->path);
	if (handle_open(s, f))
		return 0; /* tried again by the next look */
	if (f->is_gz)
		return gz_reopen(s, f);
	bool is_other = reopen_is_another(f);
	if (is_other || (uint64_t)st->st_size < f->at.offset || !position_fits(&f->at, f->fd)) {
		char message[512];
		close(f->fd);
		f->fd = -1;
		if (f->is_done)
			return file_let_go(s, f);
		if (is_other) {
			/* That one begins as itself; this one is looked for. */
			f->is_missing = true;
			return file_lose_identity(s, f);
		}
		snprintf(message, sizeof(message),
			 "%s was replaced or truncated while it could not be read: lines written "
			 "after it was last read are lost, if there were any",
			 f->path);
		int r = emit_gap(s, f, "truncated", message);
		return r ? r : file_let_go(s, f);
	}
	file_note_time(f, st);
	f->is_missing = false;
	if (f->is_idle) {
		/* It has its part and its group still. */
		f->is_idle = false;
		f->quiet_since_ns = mono_ns();
		return 0;
	}
	f->is_done = f->at.is_done = false;
	f->vanished_ns = 0;
	f->is_rotated = strcmp(f->path, f->origin) != 0;
	f->quiet_since_ns = mono_ns();
	handle_seek(f, f->at.offset);
	return 0;
}
