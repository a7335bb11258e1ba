/* SPDX-License-Identifier: MIT
 *
 * redact - takes secrets out of events before anything else sees them.
 *
 * Rules by name (what passwords, tokens and keys look like), by field and by regex:
 * what is found is masked, left out, or replaced by its keyed hash, which tells two
 * secrets apart without telling either.  A rule whose regex does not come to an end
 * takes out the whole text: nothing gets through for want of time.
 */
#ifndef SLUICE_REDACT_REDACT_H
#define SLUICE_REDACT_REDACT_H

#include "base/keyfile.h"
#include "wire/record.h"

enum redact_how { REDACT_MASK, REDACT_HASH, REDACT_DROP };

/* As the configuration has it; texts owned, NULL when not given. */
struct redact_rule {
	char *name;  /* of a built-in rule; then there is neither field nor regex */
	char *field; /* "message", a field's name, or everywhere */
	char *regex; /* else all of the field */
	char *with;  /* NULL: "***" */
	enum redact_how how;
};

/* Names of built-in rules, ended by NULL. */
extern const char *const redact_names[];

struct redactor;

/* For one source.  Borrows the rules' texts only during the call.  NULL with a
 * sentence in `why` when a regex is none.
 */
struct redactor *redactor_new(const struct redact_rule *rules, size_t n, const struct key *key,
			      struct buf *why) must_check;
void redactor_free(struct redactor *r);

/* Changes the message and fields of an event that is clean (UTF-8, see fields_clean());
 * what is changed lies in the redactor until the next call.  Whether it was.
 */
bool redact_event(struct redactor *r, struct event *ev);

/* How far the last event was into a secret that comes in pieces (a private key, line by
 * line); 0: outside.  To be kept with the events, and given back before the next ones are
 * read by another redactor, or the same ones again.  `r` may be NULL for both.
 */
int redact_place(const struct redactor *r) must_check;
void redact_go_on_from(struct redactor *r, int place);

/* The same for a line of a log: what is borrowed until the next call. */
struct str redact_text(struct redactor *r, struct str text) must_check;

#endif
