/* SPDX-License-Identifier: MIT
 *
 * file - what the parts of the file plugin share.
 *
 *	file.c      the plugin's tables, options and main loop
 *	files.c     the table of the files that are known
 *	discover.c  which files there are: patterns, rotation, restart
 *	follow.c    one file: reading, splitting into lines, noticing truncation
 *	position.c  a place in a file that can be recognised again later
 *	severity.c  how bad a line is
 */
#ifndef FILE_FILE_H
#define FILE_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "position.h"
#include "sluice-plugin.h"

enum { READ_SIZE = 256 * 1024, READS_PER_ROUND = 8 };

enum long_line { LONG_TRUNCATE, LONG_SPLIT, LONG_SKIP };

struct options {
	size_t max_line; /* bytes */
	enum long_line on_long_line;
	bool strip_cr, detect_severity;
	const char *path_field; /* "" : none */
	bool from_beginning;
	uint64_t from_lines; /* the last so many lines; 0 with !from_beginning: none */
	int64_t sweep_ns, rotate_wait_ns;
	bool use_inotify;
};

/* One file, known by what it is and not by its name. */
struct file {
	struct file *next;
	struct file *next_by_path; /* in the hash of names */
	dev_t dev;
	ino_t ino;
	char key[48];       /* of its cursors: "dev:ino" */
	char *path;         /* its name as last seen; owned */
	char *origin;       /* the name that it was first followed under; owned */
	int fd;             /* -1 once it is done */
	struct position at; /* behind the last line that was emitted */

	/* offset .. part .. over .. where reading goes on */
	char *part; /* owned: the start of a line that has not ended */
	size_t part_len;
	uint64_t over;       /* bytes of it beyond max_line, counted only */
	char tail[TAIL_MAX]; /* the bytes before where reading goes on */
	size_t tail_len;

	struct file *older;     /* must be read to its end before this one */
	bool is_rotated;        /* its name belongs to another file, or to none */
	bool is_done;           /* rotated, read to its end, closed; only remembered */
	bool is_dirty;          /* something may have been written */
	bool is_seen;           /* by the discovery under way */
	int64_t quiet_since_ns; /* CLOCK_MONOTONIC */
	int64_t vanished_ns;    /* no name leads to it any more since then; 0: one does */
	struct timespec mtime;  /* when it was last looked at */
	off_t size;
};

struct state {
	struct sluice_source *src;
	struct options options;
	struct file *files;    /* in the order in which they began */
	struct file **by_path; /* hash of names; n_slots of them */
	size_t n_slots;
	char *buffer;          /* max_line + READ_SIZE bytes */
	int inotify;           /* -1: polling */
	struct watch *watches; /* directories */
	size_t n_watches;
	bool is_first; /* discovery has not been run yet */
	struct complaint {
		uint64_t about;
		int64_t at_ns;
	} complaints[64];
	uint64_t n_lines, n_bytes, n_long, n_truncated, n_rotated;
};

static inline uint64_t read_offset(const struct file *f)
{
	return f->at.offset + f->part_len + f->over;
}

struct watch {
	int wd;
	char *dir; /* owned */
};

int64_t now_ns(void);
void *must(void *p); /* aborts when there is no memory */
void say(struct state *s, enum sluice_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether a trouble with this file may be told now: once in ten minutes. */
bool may_complain(struct state *s, const char *path);

/* ---- follow.c ---- */

/* Reads what there is, within a budget: 1 when there may be more, 0 at the
 * end, or -ECANCELED.
 */
int follow_read(struct state *s, struct file *f);
/* Everything up to the size that the file has now. 0 or -ECANCELED. */
int follow_drain(struct state *s, struct file *f);
/* Emits a last line without a line end and closes the file.  0 or -ECANCELED. */
int follow_finish(struct state *s, struct file *f);
/* The offset of the last `n` lines; of 0: behind the last line end. */
uint64_t follow_find_lines(int fd, uint64_t size, uint64_t n);
/* Declares that something is lost, at this file's position. 0 or -ECANCELED. */
int follow_gap(struct state *s, struct file *f, const char *reason, const char *message);
/* Sets where to read on, and what stands before it. */
void follow_seek(struct file *f, uint64_t offset);

/* ---- files.c ---- */

struct file *file_by_identity(const struct state *s, dev_t dev, ino_t ino);
/* The newest file that was followed under this name. */
struct file *file_by_origin(const struct state *s, const char *path);
/* By its present name, as of the last files_index(). */
struct file *file_by_path(struct state *s, const char *path);
void files_index(struct state *s);

struct file *file_add(struct state *s, const char *origin, const char *path, const struct stat *st);
void file_drop(struct state *s, struct file *gone);
/* Drops it together with its cursor.  0 or -ECANCELED. */
int file_forget(struct state *s, struct file *f);
void file_set_path(struct file *f, const char *path);
void file_note_time(struct file *f, const struct stat *st);
/* Opens it by its present name; -1 after complaining. */
int file_open_fd(struct state *s, struct file *f);

int compare_times(const struct timespec *a, const struct timespec *b);
/* Both owned; the name of an inode in the directory of `path`, or NULL. */
char *dir_of(const char *path);
char *name_of_inode(const char *path, dev_t dev, ino_t ino);

/* ---- discover.c ---- */

/* Looks at all patterns.  0 or -ECANCELED. */
int discover(struct state *s);
/* Takes over the committed cursors of an earlier run.  0 or -ECANCELED. */
int discover_resume(struct state *s);
void discover_free(struct state *s);

#endif
