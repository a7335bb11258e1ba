/* SPDX-License-Identifier: MIT
 *
 * file - what the parts of the file plugin share.
 *
 * The parts, each of which uses only those above it:
 *
 *	paths.c     what the file system says about names
 *	names.c     which generation a name says that it is
 *	pattern.c   names with *, ** and {}
 *	position.c  a place in a file that can be recognised again later
 *	unpack.c    what compressed files hold
 *	missed.c    what shows that files came and went unseen
 *	listing.c   the names in directories
 *	options.c   what the plugin can be told
 *	parse.c     a line into fields
 *	emit.c      an event with its position
 *	encoding.c  other encodings than UTF-8
 *	group.c     lines that belong together
 *	held.c      the same of containers: pieces of lines, of two streams
 *	assemble.c  lines into events
 *	lines.c     bytes into lines, of any length
 *	holes.c     runs of NULs
 *	files.c     the table of the files that are known
 *	handle.c    a file's descriptor: opened, read from some place on, closed
 *	ignored.c   what is named and not read, and why
 *	fifo.c      FIFOs, read as streams
 *	gz.c        compressed files: what of them has been read before
 *	follow.c    a plain file: reading, noticing truncation
 *	reopen.c    one that is known and closed
 *	search.c    where older files of a name are, and their order
 *	unseen.c    how many came and went unseen
 *	adopt.c     the rest of a file that is not there any more
 *	reading.c   reading on in any file, also in copies of one that was emptied
 *	missing.c   files that no pattern leads to: where they are, or that they are gone
 *	generations.c  files that were rotated away before anybody looked
 *	resume.c    after a restart
 *	discover.c  which files there are: patterns, rotation
 *	loop.c      the main loop
 *	file.c      the plugin's tables
 */
#ifndef FILE_FILE_H
#define FILE_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/basics.h"
#include "common/fields.h"
#include "common/say.h"
#include "options.h"
#include "pattern.h"
#include "position.h"
#include "sluice-plugin.h"

/* HOLE_MIN: fewer NULs within a file are part of its text. */
enum { READ_SIZE = 256 * 1024, HOLE_MIN = 64 };

/* One file, known by what it is and not by its name. */
struct file {
	struct file *next, *previous;
	struct file *next_by_path, *next_by_identity, *next_by_origin; /* in the hashes */
	dev_t dev;
	ino_t ino;
	char key[48];         /* of its cursors: "dev:ino" */
	uint64_t serial;      /* counts those that were found; 0: known from before a restart */
	char *path;           /* its name as last seen; owned */
	char *origin;         /* the name that it was first followed under; owned */
	char *place;          /* where it is, if that is another name; owned, or NULL */
	int64_t born_ns;      /* when it was made; 0: the file system does not say */
	int64_t open_born_ns; /* the same of what is open */
	int64_t lost_ns;      /* when it lost its name, or later; 0: not known */
	int64_t named_ns;     /* since 1970: when its name has led to it last; 0: not known */
	int64_t was_born_ns, was_mtime_ns; /* of what it was compressed from; 0: not known */
	int fd;                            /* -1 once it is done */
	struct position at;                /* behind the last line that was emitted */

	/* at.offset .. group .. part .. over .. where reading goes on */
	struct group *group;         /* lines that are held back; NULL: none */
	struct held *held;           /* of a container: the same; NULL: nothing is */
	struct container *container; /* owned; NULL: nothing has been emitted yet */
	char *part;                  /* owned: the start of a line that has not ended */
	size_t part_len;
	uint64_t over;    /* bytes of it beyond max_line, counted only */
	uint64_t nuls_to; /* NULs that were looked through in vain, until it changes; 0: none */
	struct decoder *decoder; /* NULL: none is needed, or not known yet */
	unsigned unit;           /* bytes of a character at least: 1, 2, 4; 0: not known (again) */
	unsigned mark;           /* bytes of a byte order mark at its start */
	struct unpacked *gz;     /* of a compressed one that is being read */
	uint64_t nuls;           /* of it, that were read and may be a hole */
	bool is_gz;
	char tail[TAIL_MAX]; /* the bytes before where reading goes on */
	size_t tail_len;

	struct between *between; /* it waits for those that came before it; NULL: not */
	struct file *older;      /* must be read to its end before this one */
	size_t n_missed;         /* files before it that may have been removed unread, to be told */
	struct doubt *doubt;     /* whether those may count: it waits for that; owned; NULL: none */
	size_t n_strangers;      /* files that may have had its name, which is a link; to be told */
	bool is_noted;           /* a restart knows of it, and of all that come before it */
	bool is_generation;      /* found as an older one of a file that has its name */
	bool is_rotated;         /* its name belongs to another file, or to none */
	bool is_copy;            /* of a file that was emptied: nothing is added to it */
	bool is_done;            /* rotated, read to its end, closed; only remembered */
	bool owes_gap;           /* gone while we did not run, unless it comes back compressed */
	int64_t copied_ns;       /* when the last copy that was read was made */
	bool is_emptied;         /* while we did not run: what to do about it is still due */
	bool has_copies;         /* it has been emptied, and was copied before */
	bool owes_emptied;       /* that it was emptied is to be told, once the copies are read */
	bool is_missing;         /* known from before a restart, and not found yet */
	bool is_sought;          /* by the look under way */
	unsigned n_looks;        /* that did not find it */
	bool is_removed;         /* had no name any more when it was closed */
	bool is_idle;            /* closed for close_inactive, until it changes */
	bool is_dirty;           /* something may have been written */
	bool has_writer;         /* of a FIFO: somebody has it open for writing */
	struct fifo *fifo;       /* of a FIFO: owned; what inotify says about its writers */
	bool is_seen;            /* by the discovery under way */
	int64_t shrunk_ns;       /* CLOCK_MONOTONIC: what was read is not there since; 0: it is */
	int64_t quiet_since_ns;  /* CLOCK_MONOTONIC */
	int64_t vanished_ns;     /* no name leads to it any more since then; 0: one does */
	struct timespec mtime;   /* when it was last looked at */
	off_t size;
};

/* Why something that `include` names is not read. */
enum ignored {
	IGNORED_FIFO,
	IGNORED_SOCKET,
	IGNORED_DEVICE,
	IGNORED_OUTPUT,
	IGNORED_DIRECTORY,
	IGNORED_COMPRESSED,
	IGNORED_FORMAT,
	IGNORED_FORBIDDEN,
	IGNORED_DANGLING,
	IGNORED_UNLISTED,
	IGNORED_LINK,
	IGNORED_DEEP,
	IGNORED_EXCLUDED,
	IGNORED_NOTHING, /* nothing is ignored, and nothing is there */
	N_IGNORED
};

struct ignored_files {
	uint64_t n;  /* in the look under way */
	char *first; /* of their names; owned */
	bool is_told;
};

struct candidate; /* see search.h */
struct search;

struct state {
	/* ---- file.c ---- */
	struct sluice_source *src;
	struct options options;
	struct patterns include, exclude;
	struct regexes *regexes;
	struct traces *traces; /* of multiline.preset; NULL: none */
	int inotify;           /* -1: polling */

	/* ---- files.c ---- */
	struct file *files, *last_file; /* in the order in which they began */
	size_t n_files;
	uint64_t n_found;                                  /* ever */
	struct file **by_path, **by_identity, **by_origin; /* hashes of n_slots */
	size_t n_slots;
	bool is_by_path_stale; /* it leads to files that are gone */

	/* ---- discover.c ---- */
	struct watch *watches; /* directories */
	size_t n_watches;
	int64_t looked_ns;          /* since 1970: when the last look began */
	int64_t disturbed_since_ns; /* CLOCK_MONOTONIC: names have changed in all looks since; 0 */
	bool is_first;              /* discovery has not been run yet, by any process (resume.c) */
	bool has_looked;            /* by this one it has */
	bool is_over_max_files;
	uint64_t n_rotated;

	/* ---- missing.c ---- */
	struct place *places; /* directories of the last look, owned */
	size_t n_places;
	struct place *old_places; /* the same of the look before, in order */
	size_t n_old_places;
	struct file
		*next_missing; /* of missing_look(); NULL: none.  files.c steps over dropped ones */

	/* ---- ignored.c ---- */
	struct ignored_files *ignored; /* include.n * N_IGNORED; NULL before the first look */
	uint64_t n_ignored;            /* by the last look */

	/* ---- fifo.c ---- */
	struct file *fifos; /* in no table; their next leads to the next of them */
	int fifo_inotify;   /* about their writers; -1: there are none */

	/* ---- loop.c ---- */
	bool fifo_is_heard;    /* inotify has said something that may be of a FIFO */
	int64_t not_before_ns; /* CLOCK_MONOTONIC: no look because of changed names until then */

	/* ---- encoding.c ---- */
	char *text; /* of a line, decoded; grows */
	size_t text_room;
	uint64_t n_invalid;

	/* ---- group.c ---- */
	char *plain; /* a line without escape sequences; grows */
	size_t plain_room;

	/* ---- held.c ---- */
	struct fields unwrapped; /* memory of the container's line that is looked at */

	/* ---- emit.c, and parse.c the fields ---- */
	struct fields fields; /* of the event being emitted */
	uint64_t n_lines, n_truncated, n_unparsed, n_bad_times;

	/* ---- whoever reads or opens ---- */
	char *buffer;                     /* max_line + READ_SIZE bytes */
	uint64_t n_bytes, n_long, n_nuls; /* of the last two: lines, and bytes in holes */
	uint64_t n_unreadable;            /* by the last look, which sets it to 0 */
	struct complaints complaints;
	int64_t next_deadline_ns; /* of a group that is held back; INT64_MAX: none */
	int64_t look_at_ns;       /* CLOCK_MONOTONIC: another look is due then; 0: none */
};

/* What a file comes after that has the name of another one. */
struct between {
	struct position at;        /* of that one */
	int64_t mtime_ns, born_ns; /* of that one */
	int64_t named_ns;          /* when the name was seen to be its own last; 0: not known */
	char *place;               /* where that one was, if not at its name; owned, or NULL */
	bool is_open;
	unsigned n_looks; /* that were not sure */
	int64_t told_ns;  /* until then a gap has told of those that cannot be read */
	int64_t since_ns; /* CLOCK_MONOTONIC: when they began */
};

/* Numbers are left out behind this file, perhaps only until all names have been shifted. */
struct doubt {
	char *dir, *base; /* where it is, and whose number it has; owned */
	dev_t dev;
	ino_t ino;
	int64_t born_ns, mtime_ns; /* of it */
	int64_t since_ns;          /* CLOCK_MONOTONIC: when they were found to be left out */
};

/* Lines that are held back until it is known that the event is whole. */
struct group {
	struct position at; /* behind the last of them */
	char *text;         /* owned: joined by line feeds */
	size_t len;
	uint64_t size; /* what it had without max_bytes */
	size_t n_lines;
	enum trace_state trace;
	int64_t since_ns; /* CLOCK_MONOTONIC, of the last of them */

	/* Of a container: */
	struct position from; /* before the first of them */
	int64_t time_ns;      /* of that one */
	char *attrs;          /* owned: what docker says about it, a JSON object; NULL: nothing */
};

/* What a container's file holds back, of each stream. */
struct held {
	struct position at;                    /* behind the last line that was read */
	struct group *line[CONTAINER_STREAMS]; /* has not ended */
	struct group *group[CONTAINER_STREAMS];
};

/* Behind the last line that was taken, be it emitted or held back. */
static inline struct position *taken_to(struct file *f)
{
	return f->held ? &f->held->at : f->group ? &f->group->at : &f->at;
}

static inline int64_t ns_of(const struct timespec *t)
{
	return t->tv_sec * 1000000000LL + t->tv_nsec;
}

static inline uint64_t read_offset(const struct file *f)
{
	const struct position *p = f->held ? &f->held->at : f->group ? &f->group->at : &f->at;
	return p->offset + f->part_len + f->over;
}

struct watch {
	int wd;
	char *dir; /* owned */
};

/* A directory that is looked into. */
struct place {
	char *dir;           /* owned */
	struct stat before;  /* all zero when it is to be searched */
	struct stat at_look; /* right before it was read */
	int64_t looked_ns;   /* since 1970: when that was */
	bool is_due;
};

#endif
