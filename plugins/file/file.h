/* SPDX-License-Identifier: MIT
 *
 * file - what the parts of the file plugin share.
 *
 *	file.c      the plugin's tables, options and main loop
 *	files.c     the table of the files that are known
 *	discover.c  which files there are: patterns, rotation, restart
 *	generations.c  files that were rotated away before anybody looked
 *	search.c    where those are, and their order
 *	names.c     what names say about that
 *	listing.c   the names in directories
 *	adopt.c     the rest of a file that is not there any more
 *	copies.c    files that were copied and emptied
 *	unseen.c    files that came and went unseen: how many
 *	missed.c    what shows that
 *	missing.c   files that no pattern leads to: where they are, or that they are gone
 *	pattern.c   names with *, ** and {}
 *	ignored.c   what is named and not read, and why
 *	follow.c    one file: reading, noticing truncation
 *	fifo.c      FIFOs, read as streams
 *	lines.c     bytes into lines, of any length
 *	group.c     lines that belong together
 *	held.c      the same of containers: pieces of lines, of two streams
 *	encoding.c  other encodings than UTF-8
 *	holes.c     runs of NULs
 *	parse.c     a line into fields
 *	emit.c      an event with its position
 *	gz.c        compressed files: what of them has been read before
 *	unpack.c    what compressed files hold
 *	position.c  a place in a file that can be recognised again later
 */
#ifndef FILE_FILE_H
#define FILE_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/basics.h"
#include "common/container.h"
#include "common/complaints.h"
#include "common/fields.h"
#include "common/traces.h"
#include "listing.h"
#include "pattern.h"
#include "position.h"
#include "sluice-plugin.h"

/* HOLE_MIN: fewer NULs within a file are part of its text. */
enum { READ_SIZE = 256 * 1024, HOLE_MIN = 64 };

enum long_line { LONG_TRUNCATE, LONG_SPLIT, LONG_SKIP };
enum on_invalid { INVALID_REPLACE, INVALID_ESCAPE };
enum parse {
	PARSE_NONE,
	PARSE_JSON,
	PARSE_LOGFMT,
	PARSE_CLF,
	PARSE_REGEX,
	PARSE_SYSLOG,
	PARSE_NGINX,
	PARSE_VHOST_COMBINED,
	PARSE_APACHE_ERROR,
	PARSE_HAPROXY,
	PARSE_CADDY,
	PARSE_DOCKER,
	PARSE_CRI
};

struct options {
	size_t max_line; /* bytes */
	enum long_line on_long_line;
	bool strip_cr, strip_ansi, detect_severity;
	const char *path_field; /* "" : none */
	bool from_beginning;
	uint64_t from_lines; /* the last so many lines; 0 with !from_beginning: none */
	int64_t sweep_ns, rotate_wait_ns;
	bool use_inotify;
	int64_t ignore_older_ns, close_inactive_ns; /* 0: never */
	int64_t max_files;
	size_t read_budget; /* bytes of one file before the next one's turn */
	bool skip_empty, decompress, follow_links, fifos;
	const char *encoding; /* as iconv(3) knows it; "auto": by the byte order mark, else UTF-8 */
	enum on_invalid on_invalid;
	enum parse parse;    /* of the line; in containers of the message */
	bool has_containers; /* each line is one of a container's log */
	enum container_format container;
	size_t max_text; /* of a container's line: bytes; max_line is of the runtime's then */
	int64_t partial_timeout_ns;
	bool has_time_format;
	bool has_groups; /* multiline */
	enum trace_preset preset;
	int64_t group_timeout_ns;
	size_t group_lines, group_bytes; /* at most */
};

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
	int64_t lost_ns;      /* when it got another name than its origin; 0: not known */
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
	bool is_done;            /* rotated, read to its end, closed; only remembered */
	bool owes_gap;           /* gone while we did not run, unless it comes back compressed */
	int64_t copied_ns;       /* when the last copy that was read was made */
	bool is_emptied;         /* while we did not run: what to do about it is still due */
	bool has_copies;         /* it has been emptied, and was copied before */
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
	struct sluice_source *src;
	struct options options;
	struct patterns include, exclude;
	struct file *fifos;               /* in no table; their next leads to the next of them */
	bool fifo_is_heard;               /* inotify has said something that may be of one */
	int fifo_inotify;                 /* about their writers; -1: there are none */
	struct ignored_files *ignored;    /* include.n * N_IGNORED; NULL before the first look */
	uint64_t n_ignored, n_unreadable; /* by the last look */
	struct file *files, *last_file;   /* in the order in which they began */
	struct file *next_missing;        /* of missing_look(); NULL: none */
	size_t n_files;
	uint64_t n_found;                                  /* ever */
	struct file **by_path, **by_identity, **by_origin; /* hashes of n_slots */
	size_t n_slots;
	bool is_by_path_stale;   /* it leads to files that are gone */
	struct fields fields;    /* of the event being emitted */
	struct fields unwrapped; /* memory of the container's line that is looked at */
	struct regexes *regexes;
	struct traces *traces; /* of multiline.preset; NULL: none */
	char *text;            /* of a line, decoded; grows */
	size_t text_room;
	char *plain; /* the same without escape sequences; grows */
	size_t plain_room;
	int64_t next_deadline_ns; /* of a group that is held back; INT64_MAX: none */
	bool is_over_max_files;
	char *buffer;          /* max_line + READ_SIZE bytes */
	int inotify;           /* -1: polling */
	struct watch *watches; /* directories */
	size_t n_watches;
	struct place *places; /* directories of the last look, owned */
	size_t n_places;
	struct place *old_places; /* the same of the look before, in order */
	size_t n_old_places;
	int64_t not_before_ns; /* CLOCK_MONOTONIC: no look because of changed names until then */
	int64_t disturbed_since_ns; /* CLOCK_MONOTONIC: names have changed in all looks since; 0 */
	int64_t look_at_ns;         /* CLOCK_MONOTONIC: another look is due then; 0: none */
	int64_t looked_ns;          /* since 1970: when the last look began */
	bool is_first;              /* discovery has not been run yet, by any process */
	bool has_looked;            /* by this one it has */
	struct complaints complaints;
	uint64_t n_lines, n_bytes, n_long, n_truncated, n_rotated, n_nuls, n_unparsed, n_invalid;
	uint64_t n_bad_times;
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

void say(struct state *s, enum sluice_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether a trouble with this file may be told now: once until it is over. */
bool may_complain(struct state *s, const char *path);

/* Whether one that could not be read, and was complained about, can be again. */
void no_more_complaint(struct state *s, const char *path);

/* ---- follow.c ---- */

/* Reads what there is, within a budget: 1 when there may be more, 0 at the
 * end, or -ECANCELED.
 */
int follow_read(struct state *s, struct file *f);
/* Everything up to the size that the file has now. 0 or -ECANCELED. */
int follow_drain(struct state *s, struct file *f);
/* Emits a last line without a line end and closes the file.  0 or -ECANCELED. */
int follow_finish(struct state *s, struct file *f);
/* The offset of the last `n` lines of what is open; of 0: behind the last line end. */
uint64_t follow_find_lines(struct state *s, struct file *f, uint64_t n);
/* Sets where to read on, and what stands before it. */
void follow_seek(struct file *f, uint64_t offset);

/* ---- fifo.c ---- */

/* One that a pattern leads to.  0 or -ECANCELED. */
int fifo_found(struct state *s, const char *path, const struct stat *st);
/* Before a look: none of them has been found by it. */
void fifos_unsee(struct state *s);
/* Reads those that have a writer, or all: 1 when there may be more, 0, or -ECANCELED. */
int fifos_read(struct state *s, bool all);
/* What is to be waited for, at most `max`. */
size_t fifos_poll(const struct state *s, struct pollfd *ret, size_t max);
void fifos_free(struct state *s);

/* ---- holes.c ---- */

/* How many of the `n` bytes at p, which are to be read next, come before a hole;
 * *nuls: how many NULs follow, be it up to the end of the bytes; 0: none.
 */
size_t hole_find(const struct file *f, const char *p, size_t n, size_t *nuls);
/* Goes on behind a hole that begins where reading stands, `is_all` when nothing
 * else has been read: 1, 0 when there is no text behind it, or -ECANCELED.
 */
int hole_cross(struct state *s, struct file *f, size_t nuls, bool is_all);
/* As lines_take(), of bytes that are not read again: what may be a hole is counted in file.nuls. */
int hole_take(struct state *s, struct file *f, size_t n);

/* ---- lines.c ---- */

/* Whether these `unit` bytes are a line feed. */
bool lines_is_end(const char *p, unsigned unit);

/* The buffer holds the part that was kept, then `n` new bytes.  0 or -ECANCELED. */
int lines_take(struct state *s, struct file *f, size_t n);
/* What has not ended is the last line.  0 or -ECANCELED. */
int lines_end(struct state *s, struct file *f);
void lines_drop(struct file *f);

/* ---- group.c ---- */

/* A line with the position behind it; emits what is whole.  0 or -ECANCELED. */
int group_take(struct state *s, struct file *f, const char *p, size_t n, uint32_t flags,
	       uint64_t size, const struct position *behind);
int group_flush(struct state *s, struct file *f);
void group_drop(struct file *f);
/* Whether a line begins another event than `g`, which may be NULL; *trace is where the event
 * that holds it stands.
 */
bool group_begins(struct state *s, const struct group *g, enum trace_state *trace, const char *p,
		  size_t n);
/* Adds a line; whether it is the last one of its event. */
bool group_add(struct state *s, struct group *g, enum trace_state trace, const char *p, size_t n);
/* Without escape sequences, if those are not wanted. */
const char *group_strip(struct state *s, const char *p, size_t *n);
/* Flushes those that have been quiet for multiline.timeout. */
int groups_expire(struct state *s);

/* ---- held.c ---- */

/* As group_take(), of a container's line. */
int held_take(struct state *s, struct file *f, const char *p, size_t n, uint32_t flags,
	      uint64_t size, const struct position *behind);
int held_flush(struct state *s, struct file *f);
int held_expire(struct state *s, struct file *f, int64_t now_ns);
void held_drop(struct file *f);

/* ---- encoding.c ---- */

/* What its characters have at least: 1, 2, 4; or 0 when iconv does not know it, or
 * when what it makes of a line feed is none.
 */
unsigned encoding_unit(const char *name);
/* Learns the file's encoding, by its first bytes if it has to; false while those
 * are too few.
 */
bool encoding_begin(struct state *s, struct file *f, const char *head, size_t n);
/* The same of a file to which nothing is added any more. */
void encoding_begin_whole(struct state *s, struct file *f, const char *head, size_t n);
void encoding_end(struct file *f);
/* How many of the `n` bytes at p, cut off behind them, are whole characters. */
size_t encoding_cut(const struct file *f, const char *p, size_t n);
/* The line in UTF-8, borrowed from it or from state.text. */
const char *encoding_decode(struct state *s, struct file *f, const char *p, size_t *n);

/* ---- parse.c ---- */
struct parsed {
	int64_t time_ns;   /* 0: none */
	bool has_bad_time; /* something is called its time but is not understood */
	int severity;
	const char *message;
	size_t message_len;
	bool has_message; /* a part of the line is the message, not all of it */
};
struct regexes *regexes_new(struct sluice_source *src);
void regexes_free(struct regexes *r);
enum regex_name { REGEX_START, REGEX_CONTINUE, REGEX_END, REGEX_PARSE };
bool regex_is_set(const struct regexes *r, enum regex_name which);
bool regex_matches(const struct regexes *r, enum regex_name which, const char *p, size_t n);
/* Fills in state.fields.  False: not of that form; then it is a plain line. */
bool parse_line(struct state *s, const char *p, size_t n, struct parsed *ret);

/* ---- emit.c ---- */

/* What a container's runtime says about a line. */
struct wrapping {
	int64_t time_ns;
	enum container_stream stream;
	const char *attrs; /* a JSON object; NULL: nothing */
	size_t attrs_len;
};

/* One event; the file's position is behind it already.  `w` is NULL for a line that is not
 * a container's.  0 or -ECANCELED.
 */
int emit_line(struct state *s, struct file *f, const char *line, size_t len, uint32_t flags,
	      uint64_t size, const struct wrapping *w);
/* Declares that something is lost, at this file's position. 0 or -ECANCELED. */
int emit_gap(struct state *s, struct file *f, const char *reason, const char *message);
/* The gap of a file that was emptied, or written anew. */
int emit_emptied(struct state *s, struct file *f);
int emit_cursor(struct state *s, struct file *f);

/* ---- gz.c ---- */

/* gzip(1) writes it while the original is still there. */
#define GZ_SETTLE_NS 2000000000LL

/* Whether this compressed file has that position. */
bool gz_holds(const char *path, const struct position *p);
/* Whether this compressed file begins like that open one, which is not empty. */
bool gz_begins_like(const char *path, const struct file *f);
/* Whether this compressed file begins like one that is followed, or was. */
bool gz_is_of_known(struct state *s, const char *path);
/* Goes on in one that is known and has changed: 0 or -ECANCELED. */
int gz_reopen(struct state *s, struct file *f);
/* As follow_read(), of a compressed file. */
int gz_read(struct state *s, struct file *f);
void gz_close(struct file *f);

/* ---- ignored.c ---- */

/* For each pattern: ignored_begin() once, and behind all that it finds ignored_tell(). */
void ignored_begin(struct state *s);
/* Whether what the pattern has found is not to be read, which is noted; else *st is filled in. */
bool ignored_is(struct state *s, size_t pattern, const char *path, struct stat *st);
void ignored_add(struct state *s, size_t pattern, enum ignored why, const char *path);
void ignored_trouble(struct state *s, size_t pattern, enum pattern_trouble what, const char *path);
void ignored_tell(struct state *s, size_t pattern, size_t n_found);
/* Tells the same before anything is read, and of files that may not be. */
void ignored_check(struct state *s);
/* Whether a file of this name is read: not if it is compressed in a way that is not. */
bool ignored_reads(const struct state *s, const char *path);
void ignored_free(struct state *s);

/* ---- files.c ---- */

struct file *file_by_identity(const struct state *s, dev_t dev, ino_t ino);
/* The newest file that was followed under this name. */
struct file *file_by_origin(const struct state *s, const char *path);
/* The first of a list by next_by_origin that has all files of this name, and others. */
struct file *file_first_by_origin(const struct state *s, const char *path);
/* By its present name, as of the last files_index(). */
struct file *file_by_path(struct state *s, const char *path);
void files_index(struct state *s);

/* What has this name, with its birth (0: unknown): false when there is nothing. */
bool file_stat(const char *path, struct stat *st, int64_t *born_ns);
/* The name that an open file has now, wherever it is: owned; NULL: none. */
char *file_name_of_open(const struct file *f);
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
/* Opens it by its present name: 0 or a negative errno; -ESTALE: that is another file's now. */
int file_open_fd(struct state *s, struct file *f);
/* Says that it could not be opened, if it is there; returns -error. */
int file_cannot_open(struct state *s, const char *path, int error);
/* Whether a later try can succeed, for what is missing is descriptors or memory. */
bool file_is_shortage(int error);

int compare_times(const struct timespec *a, const struct timespec *b);
/* Both owned; the name of an inode in the directory of `path`, or NULL. */
char *dir_of(const char *path);
char *name_of_inode(const char *path, dev_t dev, ino_t ino);

/* ---- discover.c ---- */

/* Looks at all patterns.  0 or -ECANCELED. */
int discover(struct state *s);
/* The watch of that number, or NULL. */
struct watch *discover_watch(struct state *s, int wd);
void discover_unwatch(struct state *s, int wd);
/* Closes a file that may be written to again. */
void file_rest(struct file *f);
/* Opens a known file again and goes on in it, or drops it: 0 or -ECANCELED. */
int file_reopen(struct state *s, struct file *f, const struct stat *st);
/* Takes over the committed cursors of an earlier run.  0 or -ECANCELED. */
int discover_resume(struct state *s);
void discover_free(struct state *s);

/* ---- generations.c ---- */

/* It has the name that `before` had, and waits for what came between them. */
void generations_await(struct file *f, struct file *before);
/* Looks for what came between, for all that wait for it.  0 or -ECANCELED. */
int generations_settle(struct state *s);
/* The gap of files that may have been removed unread, when what came before has been read.
 * 0 or -ECANCELED.
 */
int generation_tell_missed(struct state *s, struct file *f);
/* Whether it is looked after by generations_settle(). */
bool generation_is_awaited(struct state *s, const char *path);
/* Whether the name is that of an older generation of a file that is followed. */
bool generation_has_base(struct state *s, const char *path);

/* ---- unseen.c ---- */

/* Sets file.n_missed: how many came between `before` and those of the search, and were removed;
 * NULL: that one is done with.  What is not certain yet is file.doubt.
 */
void unseen_count(struct search *q, struct file *f, const struct file *before);
/* Looks again at what is in doubt, and ends the doubt or has it looked at later. */
void unseen_judge(struct state *s, struct listings *lists, struct file *f);
/* Ends the doubt, if there is one. */
void unseen_end(struct file *f);

/* ---- adopt.c ---- */

/* Looks for the rest of a file that is not there any more: in copies of it, also
 * compressed ones.  1 if it goes on there, 0, -EAGAIN when another look can tell, or
 * -ECANCELED.
 */
int generation_adopt(struct state *s, struct file *f);
/* The rest of `f` is in a compressed file, which is read from where `at` is; it is the last of the
 * table then.  False: it cannot be opened.
 */
bool adopt_in_gz(struct state *s, struct file *f, const struct candidate *c,
		 const struct position *at);

/* ---- copies.c ---- */

/* A file was emptied: reads what is behind `at` in the copy that was made before, if
 * there is one, and those made after it; also those that were made after `since_ns` and
 * hold something else.  0 or -ECANCELED.
 */
int generation_read_copy(struct state *s, struct file *f, const struct position *at,
			 int64_t since_ns);
/* Copies of what was in a file that we have read nothing of since it was emptied: it
 * has been emptied again.  0 or -ECANCELED.
 */
int generation_look_for_copies(struct state *s, struct file *f);

/* ---- missing.c ---- */

void place_add(struct state *s, const char *dir);
/* Of another look. */
void places_begin(struct state *s);
void places_clear(struct state *s);
/* Whether no name in them has changed since they were read, nor right before. */
bool places_were_quiet(const struct state *s);
/* Looks after the files that are not open and were not seen by the discovery
 * under way, in all places.  0 or -ECANCELED.
 */
int missing_look(struct state *s);
/* Nothing more can come of this file, and a gap says so.  0 or -ECANCELED. */
int missing_is_gone(struct state *s, struct file *f);

#endif
