/* SPDX-License-Identifier: MIT
 *
 * filter - which events somebody wants: one small expression language.
 *
 *	severity <= warning and (source == "nginx" or fields.status >= 500)
 *	and not message ~ /healthz/i
 *
 * doc/filters.md describes it.  A filter is read-only once made, so the loop and
 * the readers may match with the same one, each with a `filter_run` of its
 * own; references are counted in the loop's thread alone.
 */
#ifndef SLUICE_FILTER_FILTER_H
#define SLUICE_FILTER_FILTER_H

#include "filter/regex.h"
#include "filter/value.h"
#include "wire/record.h"

enum { FILTER_TEXT_MAX = 4096 };

struct filter;
struct regex_set;

/* Parses `text`; regexes are shared in `pool` where there is one.  Returns a
 * reference, or NULL with `why` saying what is wrong, at which character, and
 * showing the place.
 */
struct filter *filter_parse(struct regex_pool *pool, struct str text, struct buf *why) must_check;

/* The same for a text put together from filters that were accepted: it may be
 * longer and nested deeper.
 */
struct filter *filter_compose(struct regex_pool *pool, struct str text, struct buf *why) must_check;

struct filter *filter_ref(struct filter *f);
void filter_unref(struct filter *f);

/* Its canonical text: equal for filters that are the same but for spaces,
 * quoting and the order of operands.  Borrowed.
 */
struct str filter_text(const struct filter *f);

/* The pattern of a regex in it that is switched off (see hub/regexes.h), or NULL.
 * Borrowed.
 */
const char *filter_trouble(const struct filter *f);

bool filter_has_regex(const struct filter *f) must_check;

/* ---- shorthands: each appends to `out` an expression that stands for it ---------- */

/* What `grep=` takes: /regex/flags, or plain text, in either case when it holds no
 * capital letter.
 */
void filter_put_grep(struct buf *out, struct str text);
/* SUBJECT is one of the values, which are separated by commas. */
void filter_put_one_of(struct buf *out, const char *subject, struct str values);
/* A quoted string of the language. */
void filter_put_string(struct buf *out, struct str s);

/* ---- matching ------------------------------------------------------------------- */

struct filter_memo {
	uint64_t turn; /* of the event that it is of */
	int result;
};

/* What one thread needs: the event looked at, and what is known of it already. */
struct filter_run {
	struct regex_run regex;
	const struct event *event;
	struct str channel;
	uint64_t turn;
	size_t n_fields;
	bool has_fields;
	struct field fields[FIELDS_MAX];
	struct buf scratch;
	struct filter_memo *memos; /* by the slots of the pool's regexes, for the message */
	size_t n_memos;
	struct regex_set *set; /* borrowed, or NULL */
	bool is_scanned;
	bool is_folded;
	struct buf folded;  /* the message (fold_put()), once somebody has asked */
	struct buf other;   /* the same of what was looked at last and is no message */
	struct regex *slow; /* the one that went over its limit last; borrowed */
};

void filter_run_init(struct filter_run *run);
void filter_run_fini(struct filter_run *run);

/* The event that the next calls are about; borrowed until the next one. */
void filter_run_event(struct filter_run *run, const struct event *ev, struct str channel);

/* What the event has as fields.NAME; borrowed until the next call. */
struct value filter_run_field(struct filter_run *run, const char *name);

/* What all filters share of an event's work is done, so that the next match takes only its
 * own time; and the same event once more, as if nothing of it had been matched.
 */
void filter_run_prepare(struct filter_run *run);
void filter_run_again(struct filter_run *run);

/* 1, 0, or -ELIMIT when a regex that would decide it went over its limit.  A gap (EVENT_GAP)
 * matches unless its source, channel or time says that what is lost would not have: nobody
 * knows what else it was.
 */
int filter_match(const struct filter *f, struct filter_run *run) must_check;

/* What their severity alone decides about events of a channel: two sets of severities (record.h),
 * those of which every event matches, and those of which none does.  Not about gaps.
 */
void filter_by_severity(const struct filter *f, struct str channel, uint32_t *always,
			uint32_t *never);

#endif
