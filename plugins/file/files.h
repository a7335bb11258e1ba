/* SPDX-License-Identifier: MIT
 *
 * files - the table of the files that are known.
 */
#ifndef FILE_FILES_H
#define FILE_FILES_H

#include "file.h"

struct file *file_by_identity(const struct state *s, dev_t dev, ino_t ino);
/* The newest file that was followed under this name. */
struct file *file_by_origin(const struct state *s, const char *path);
/* The first of a list by next_by_origin that has all files of this name, and others. */
struct file *file_first_by_origin(const struct state *s, const char *path);
/* By its present name, as of the last files_index(). */
struct file *file_by_path(struct state *s, const char *path);
void files_index(struct state *s);

/* It goes on in another file, which holds the same: 0 or -ECANCELED. */
int file_become(struct state *s, struct file *f, const char *path, const struct stat *st,
		int64_t born_ns);
/* A compressed file knows from now on of what file it was made. */
void file_note_original(struct file *f, const struct file *original);
/* When the text in it began, and was last written to; 0: not known. */
int64_t file_began_ns(const struct file *f);
int64_t file_ended_ns(const struct file *f);
/* Whether `a` began after `b`.  Of one moment: was found after it. */
bool file_is_younger(const struct file *a, const struct file *b);

/* Another file has its number by now.  0 or -ECANCELED. */
int file_lose_identity(struct state *s, struct file *f);

/* It waits no longer for what comes before it. */
void file_end_wait(struct file *f);
/* Whether `f` is read behind `older`. */
bool file_waits_for(const struct file *f, const struct file *older);
/* Whether the patterns have brought it in before `f`, which is to be read behind it. */
bool file_is_pending(const struct file *p, const struct file *f);
/* Whether the file `name` holds what `f` was followed to, at that place. */
bool file_is_held_by(const struct file *f, const char *name, const struct stat *st);

struct file *file_add(struct state *s, const char *origin, const char *path, const struct stat *st);
void file_drop(struct state *s, struct file *gone);
/* One that is in no table. */
void file_free(struct file *f);
/* Its number belongs to another file by now.  What was read of it is kept in mind
 * for a while, for it may come back compressed, or as a copy.  0 or -ECANCELED.
 */
int file_let_go(struct state *s, struct file *f);
/* Drops it together with its cursor.  0 or -ECANCELED. */
int file_forget(struct state *s, struct file *f);
void file_set_path(struct file *f, const char *path);
void file_note_time(struct file *f, const struct stat *st);

/* Ends the doubt, if there is one. */
void file_end_doubt(struct file *f);
/* Of a compressed one: what has been unpacked of it and not read. */
void file_end_gz(struct file *f);

#endif
