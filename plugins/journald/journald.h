/* SPDX-License-Identifier: MIT
 *
 * journald - what the parts of the journald plugin share.
 *
 *	journald.c  the plugin: its events and main loop
 *	start.c     where to begin, the first time and after a restart
 *	follow.c    reading a chain, from one of its files to the next
 *	missing.c   entries between two files that are in none
 *	moved.c     entries that journald moves from one directory to another
 *	discover.c  which journal files there are
 *	damage.c    files that cannot be read as they should
 *	deliver.c   an entry or a gap as an event
 *	chain.c     files that continue each other, and where we are in them
 *	select.c    which entries are wanted
 *	entry.c     an entry's fields
 *	jfile.c     one file, by libsystemd
 *	header.c    the head of a file
 *	options.c   the options
 *
 * Each file calls only those below it here.
 *
 * Each file is read by itself, in the order of its entries, with a position for each chain of
 * files.  (libsystemd's own merge of files skips entries that become visible late, as
 * journalctl -f does.)
 */
#ifndef JOURNALD_JOURNALD_H
#define JOURNALD_JOURNALD_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <systemd/sd-journal.h>

#include "common/basics.h"
#include "common/fields.h"
#include "common/option.h"
#include "common/say.h"
#include "common/text.h"
#include "header.h"
#include "sluice-plugin.h"

enum { RAWS_MAX = 512, CURSOR_TEXT = 512, KEY_TEXT = 240 };

/* ---- which entries ---- */

struct match {
	const char *name; /* borrowed from the option, up to the '=' */
	size_t name_len;
	struct text value;
	bool is_first; /* of its name: the others of the same name are alternatives */
};

struct options {
	size_t max_message, max_field; /* bytes */
	struct read_from read_from;
	int64_t sweep_ns;
	int priority;      /* 0 .. 7; 7 with !has_priority */
	bool has_priority; /* entries without one are left out */
	char boot[ID_TEXT];
	const char *namespace; /* "": the default one; "*": all */
	struct match *matches;
	size_t n_matches;
	char **units; /* with their suffix; owned */
	size_t n_units;
};

/* ---- entries ---- */

enum known {
	KNOWN_NOT,
	KNOWN_MESSAGE,
	KNOWN_PRIORITY,
	KNOWN_SOURCE_TIME,
	KNOWN_IDENTIFIER,
	KNOWN_UNIT,
	KNOWN_PID,
	KNOWN_UID,
	KNOWN_ABOUT_UNIT,    /* systemd about a unit */
	KNOWN_OBJECT_UNIT,   /* a privileged program about a unit */
	KNOWN_COREDUMP_UNIT, /* of a process that crashed */
	N_KNOWN
};

/* A field's name, kept for all entries. */
struct name {
	struct name *next;
	enum known known;
	bool is_number, is_wanted;
	size_t len;
	char text[];
};

/* A field as it is in the journal; the value is cut when there was no need for more. */
struct raw {
	const struct name *name;
	struct text value;
	size_t size; /* that it had, as far as is known */
	bool is_cut;
};

struct entry {
	struct raw all[RAWS_MAX];
	size_t n;
	size_t n_dropped;
	const struct raw *known[N_KNOWN]; /* the first of each; NULL: none */
	char boot[ID_TEXT];
	uint64_t time; /* of its reception, in microseconds since 1970 */
};

/* ---- files ---- */

struct chain;

/* One file, known by device and inode while it is open. */
struct jfile {
	struct jfile *next;
	struct chain *chain;

	/* ---- discover.c ---- */
	char *path; /* as last seen; owned */
	dev_t dev;
	ino_t ino;
	struct timespec ctime;
	bool is_gone; /* no name leads to it any more */
	bool is_seen; /* by the discovery under way */

	/* ---- jfile.c ---- */
	int fd;       /* opened by discover.c; -1: nothing more comes of it, or not yet open */
	bool is_done; /* read to its end, and nothing more will come */
	struct header h;
	sd_journal *j;  /* NULL: not being read */
	bool has_entry; /* one is loaded: */
	char *cursor;   /* of it, owned; libsystemd's text */
	uint64_t seqnum, time;

	/* ---- follow.c ---- */
	bool is_checked;  /* what should come before it has been looked for */
	uint64_t tried;   /* the tail for which damage was looked for in vain */
	int64_t stuck_ns; /* CLOCK_MONOTONIC: an entry that should be there is not, since; 0 */

	/* ---- damage.c ---- */
	uint64_t n_lost; /* entries of it that were declared damaged */
};

/* The files that one writer has filled one after another: system@...journal, system.journal. */
struct chain {
	struct chain *next;

	/* ---- chain.c: the position ---- */
	char key[KEY_TEXT];       /* of its cursor: seqnum id and name */
	bool is_placed;           /* the position is known */
	bool is_ended;            /* another chain of the same name has followed */
	bool is_moved;            /* the position has changed without a cursor being sent */
	bool was_followed;        /* an entry of it has been read by this process */
	uint64_t seqnum;          /* of the last entry that was read or declared lost */
	uint64_t time;            /* of it */
	uint64_t n_read;          /* entries of its file that were read; UNKNOWN */
	char cursor[CURSOR_TEXT]; /* libsystemd's text of the last entry; "" */

	/* ---- discover.c ---- */
	struct directory *directory; /* of its files; NULL: not known */
	bool is_volatile;            /* its files are where journald keeps them until a reboot */

	/* ---- follow.c; NULL also by those that close the file ---- */
	struct jfile *file; /* being read; NULL: none */

	/* ---- moved.c ---- */
	const struct chain *moved_from; /* what is moved from there may have been read; NULL */

	/* ---- journald.c ---- */
	bool is_idle; /* has nothing more in this round */
};

#define UNKNOWN UINT64_MAX

/* By discover.c alone. */
struct directory {
	struct directory *next;
	char *path; /* owned */
	int wd;     /* of inotify; -1 */
	bool is_seen;
	bool is_journald; /* its files share one counter of entries */
	bool has_damage;  /* one of its files is no journal */
};

/* Each part is written by the file that is named, and may be read by all. */
struct state {
	struct sluice_source *src;
	struct complaints complaints;
	struct fields fields; /* of the event that is being made: entry.c, deliver.c */
	uint64_t n_damaged;   /* damage.c and deliver.c */

	/* ---- options.c ---- */
	struct options options;

	/* ---- journald.c ---- */
	int inotify; /* -1: polling */

	/* ---- start.c ---- */
	bool is_first; /* nothing has been read before, by any process */

	/* ---- follow.c; journald.c clears it ---- */
	bool has_more; /* this round was cut short */

	/* ---- discover.c ---- */
	struct jfile *files;
	struct directory *directories;
	size_t n_seen;    /* journal files, while they are only looked at */
	bool cannot_read; /* a file or directory, as of the last discovery */

	/* ---- chain.c ---- */
	struct chain *chains;

	/* ---- entry.c ---- */
	struct name *names[512];
	size_t n_names;
	struct entry entry;

	/* ---- deliver.c ---- */
	uint64_t n_entries, n_filtered, n_bytes, n_lost, n_cut, n_binary;
};

/* ---- options.c ---- */
extern const struct sluice_option journald_options[];
/* 0, or -EINVAL after refusing one. */
int options_read(struct state *s);
void options_free(struct options *o);
/* The value of `directory` or `runtime_directory` number `i`, or NULL beyond the last. */
const char *options_directory(struct sluice_source *src, size_t i);
/* Whether a path is below `runtime_directory`. */
bool options_is_volatile(struct sluice_source *src, const char *path);
bool options_is_below(const char *path, const char *root);

/* ---- discover.c ---- */

/* Looks for journal files.  0 or a negative errno. */
int discover(struct state *s);
/* Warns of what is not there or cannot be read, without reading anything. */
void discover_check(struct state *s);
/* What inotify says: whether names have changed. */
bool discover_hear(struct state *s);
void discover_free(struct state *s);

/* ---- jfile.c ---- */

/* Reads its head again.  0 or a negative errno. */
int jfile_refresh(struct jfile *f);
/* A reader of an open file, or NULL with a negative errno in *r. */
sd_journal *jfile_reader(const struct state *s, const struct jfile *f, int *r);
/* Prepares reading from the first entry whose number is at least `seqnum`. */
int jfile_begin(struct state *s, struct jfile *f, uint64_t seqnum);
/* Loads the next entry: 1; 0 at the end; or a negative errno. */
int jfile_next(struct jfile *f);
void jfile_taken(struct jfile *f);
void jfile_end(struct jfile *f);
/* Closes it: nothing more comes of it. */
void jfile_leave(struct jfile *f);
/* The number of the entry that a reader is at; 0 when it cannot be told. */
uint64_t jfile_number(sd_journal *j);
/* How many entries have numbers from..to and times since..until; `until` is earlier than `since`
 * where the clock was set back in between.  0 or a negative errno: they cannot be counted.
 */
int jfile_count(const struct state *s, const struct jfile *f, uint64_t from, uint64_t to,
		uint64_t since, uint64_t until, uint64_t *ret);
/* Whether a later try can succeed, for what is missing is descriptors or memory.  Nothing is
 * declared lost then: run() ends with that error, and the source is started again.
 */
bool jfile_is_shortage(int error);

/* ---- chain.c ---- */
struct chain *chain_get(struct state *s, const struct header *h, const char *path);
struct chain *chain_by_key(struct state *s, const char *key, size_t n);
void chain_drop(struct state *s, struct chain *c);
/* The entry that is loaded has been taken. */
void chain_taken(struct chain *c);
/* Everything up to this number is behind us. */
void chain_pass(struct chain *c, uint64_t seqnum, uint64_t time);
/* Everything behind this number is read again. */
void chain_rewind(struct chain *c, uint64_t seqnum);
/* The position as a cursor's value, at most `size` bytes; its length. */
size_t chain_encode(const struct chain *c, char *out, size_t size);
/* Takes over the position that an earlier run has sent. */
void chain_decode(struct chain *c, const struct sluice_cursor *from);
/* The cursor of its position, with `value` for its value; the position counts as sent. */
struct sluice_cursor chain_cursor(struct chain *c, char value[CURSOR_TEXT]);
int chain_commit(struct state *s, struct chain *c);
bool chain_has_file(const struct state *s, const struct chain *c);
/* Notes which chains another one of the same name has followed. */
void chains_note_ends(struct state *s);

/* ---- follow.c ---- */

/* Has the next entry loaded: 1; 0 for none; or a negative errno. */
int follow(struct state *s, struct chain *c);
/* Forgets chains that are ended and whose files are gone. */
int follow_forget(struct state *s);

/* ---- missing.c ---- */

/* Looks whether entries are missing between the position and the first entry of a file, and
 * declares them.  0 or a negative errno.
 */
int missing_declare(struct state *s, struct chain *c, struct jfile *f);

/* ---- moved.c ---- */

/* Whether the entry that the chain has loaded is the copy of one that was read before it was
 * moved.  1, 0, or a negative errno.
 */
int moved_was_read(const struct state *s, struct chain *c);
/* Whether the entries of a chain that has no files any more were moved to another one, which
 * is noted there until the copies of those that were read are behind us.  1, 0, or a negative
 * errno.
 */
int moved_find_target(const struct state *s, const struct chain *from);
/* Whether its position is needed to tell which entries were read. */
bool moved_is_needed(const struct state *s, const struct chain *from);

/* ---- start.c ---- */

/* Takes over the cursors of an earlier run, and sets where to begin.  0 or a negative errno. */
int start_positions(struct state *s);

/* ---- damage.c ---- */

/* The file should hold more than could be read.  Declares what is lost, and prepares reading
 * behind it.  1 when there is something to read, 0, or a negative errno.
 */
int damage_survey(struct state *s, struct chain *c, struct jfile *f);
/* It cannot be read for now, for want of descriptors or memory: says so.  Returns `error`. */
int damage_none_yet(struct state *s, const char *path, int error);
/* It cannot be read at all.  0 or a negative errno. */
int damage_give_up(struct state *s, struct chain *c, struct jfile *f, int error);
/* It is no journal, so nothing is known of what it held.  0 or -ECANCELED. */
int damage_unknown(struct state *s, const char *path, int fd, const struct stat *st);

/* ---- entry.c ---- */

/* Reads the fields of the entry that a reader is at.  0, or -EBADMSG for one without any. */
int entry_read(struct state *s, sd_journal *j);
void entry_free(struct state *s);

/* ---- select.c ---- */
bool select_entry(const struct state *s);

/* ---- deliver.c ---- */
struct loss {
	const char *reason;
	uint64_t count;        /* 0: not known */
	uint64_t first, last;  /* numbers; 0: not known */
	uint64_t since, until; /* in microseconds; 0: not known */
	const char *path;      /* NULL: none */
	const char *message;
};
/* The entry that the chain has loaded, if it is wanted.  0 or -ECANCELED. */
int deliver_entry(struct state *s, struct chain *c);
/* `c` may be NULL, then `cursor` may be given. */
int deliver_gap(struct state *s, const struct chain *c, const struct loss *l,
		const struct sluice_cursor *cursor);

#endif
