/* SPDX-License-Identifier: MIT
 *
 * search - which files had the name of a log before the one that has it now.
 *
 * They are looked for where the log is and was, and where it leads to if it is a link.
 * Names say which files may be meant; when they were made and last written to says which
 * are, and in which order.
 */
#ifndef FILE_SEARCH_H
#define FILE_SEARCH_H

#include "file.h"
#include "listing.h"
#include "names.h"

enum { BASES_MAX = 4, DIRS_MAX = 16 };

/* Where a name such as app.log.2 stands in the row of those with numbers. */
struct rank {
	const char *base; /* borrowed of the search; NULL: it has no number */
	long number;      /* 0: the log itself */
};

struct candidate {
	char *path;
	struct stat st;
	int64_t born_ns;
	int64_t order;     /* when it began, or, of one that was compressed, when it ended */
	struct rank rank;  /* by its name */
	bool is_alike;     /* a link may have led to it: numbers in such names go up */
	struct file *file; /* it is followed already; else NULL */
};

struct search {
	struct state *s;
	struct listings *lists;
	const char *dirs[DIRS_MAX], *bases[BASES_MAX]; /* in owned */
	char *owned[DIRS_MAX + BASES_MAX + 1];
	size_t n_dirs, n_bases, n_owned;
	const struct between *than;
	size_t n_strangers;       /* files that may have had the name, although theirs is another */
	const struct file *until; /* the file that has the name now; NULL: none */
	char *until_name;         /* the name that it has meanwhile; owned, or NULL */
	struct rank until_rank;   /* by that */
	bool is_until_gone;       /* it has none, and others have come after it */
	bool wants_known;         /* compressed ones that are known, too */
	bool wants_all;           /* all that are known, too, but the file itself */
	bool has_compressed;      /* there are some, also such that are known or came later */
	struct candidate *all;
	size_t n;
	bool is_sure, is_short; /* as of its listings */
};

/* Files that are done with, and whose number others have by now, can be dropped.  Fills in what
 * is below `wants_all`; then search_free().
 */
void search_run(struct search *q, const struct file *of);
void search_free(struct search *q);
/* Whether one that is done with is the candidate, and not another that has its number. */
bool candidate_is_still(const struct file *f, const struct candidate *c);

#endif
