/* SPDX-License-Identifier: MIT
 *
 * setting - one row for each setting, from its key to the member that holds its value.
 *
 * A struct of settings has a table with a row for each of its members.  Reading the
 * configuration, packing, unpacking, comparing and freeing are loops over that table.
 * Members that have no key of their own (what a plugin says of its events, say) have
 * rows without an option.
 */
#ifndef SLUICE_CONF_SETTING_H
#define SLUICE_CONF_SETTING_H

#include <stddef.h>

#include "base/bytes.h"
#include "conf/option.h"

/* An access list, as written and checked (see conf/subject.h). */
struct acl {
	char **items;
	size_t n;
};

enum member_kind {
	MEMBER_NONE,    /* the end of a table */
	MEMBER_NUMBER,  /* int64_t in the unit of its option */
	MEMBER_BOOL,    /* also of a choice: false is the first of two words */
	MEMBER_CHOICE,  /* an enum: the index of one of the option's choices */
	MEMBER_WORD,    /* uint32_t, or an enum that has no option */
	MEMBER_RANGE,   /* two int64_t */
	MEMBER_TEXT,    /* char *, owned; NULL: neither set nor with a default */
	MEMBER_LIST,    /* char ** and its size_t, all owned */
	MEMBER_ACL,     /* struct acl *, owned; NULL: not set */
	MEMBER_STRUCT,  /* embedded, with a table of its own */
	MEMBER_STRUCTS, /* an owned array of such, and its size_t */
	MEMBER_OPAQUE,  /* nothing here touches it */
};

enum setting_flag {
	SETTING_BY_HAND = 1,             /* its reader is code of its own */
	SETTING_REQUIRED = 2,            /* a text that is never NULL */
	SETTING_LOCAL = 4,               /* of this process: neither packed nor compared */
	SETTING_RESTARTS_RESPONDERS = 8, /* they get it when they start */
};

/* Adds what is wrong with a value that the option's type and range allow. */
typedef void setting_check_fn(const struct option_value *v, const char *where, struct errors *e);

struct setting {
	struct sluice_option option; /* no name: it has no key */
	enum member_kind kind;
	uint16_t at;                /* where the member is, in bytes */
	uint16_t also_at;           /* of a list or array its length, of a range its upper end */
	size_t size;                /* of one struct, or of an opaque member */
	const struct setting *rows; /* of MEMBER_STRUCT and MEMBER_STRUCTS */
	setting_check_fn *check;    /* may be NULL */
	uint32_t flags;             /* enum setting_flag */
};

/* A filter that a configuration holds. */
setting_check_fn setting_check_filter;

/* The place of a member; no other type than the right one compiles. */
#define MEMBER_AT(of, member, type)                                                                \
	((uint16_t)(offsetof(of, member) + 0 * sizeof(_Generic(((of *)0)->member, type : 0))))

#define AS_NUMBER(of, member) .kind = MEMBER_NUMBER, .at = MEMBER_AT(of, member, int64_t)
#define AS_BOOL(of, member)   .kind = MEMBER_BOOL, .at = MEMBER_AT(of, member, bool)
#define AS_CHOICE(of, member) .kind = MEMBER_CHOICE, .at = MEMBER_AT(of, member, unsigned)
#define AS_WORD(of, member)   .kind = MEMBER_WORD, .at = MEMBER_AT(of, member, unsigned)
#define AS_TEXT(of, member)   .kind = MEMBER_TEXT, .at = MEMBER_AT(of, member, char *)
#define AS_ACL(of, member)    .kind = MEMBER_ACL, .at = MEMBER_AT(of, member, struct acl *)
#define AS_RANGE(of, low, high)                                                                    \
	.kind = MEMBER_RANGE, .at = MEMBER_AT(of, low, int64_t),                                   \
	.also_at = MEMBER_AT(of, high, int64_t)
#define AS_LIST(of, member, n)                                                                     \
	.kind = MEMBER_LIST, .at = MEMBER_AT(of, member, char **),                                 \
	.also_at = MEMBER_AT(of, n, size_t)
#define AS_STRUCT(of, member, type, table)                                                         \
	.kind = MEMBER_STRUCT, .at = MEMBER_AT(of, member, type), .size = sizeof(type),            \
	.rows = (table)
#define AS_STRUCTS(of, member, n, type, table)                                                     \
	.kind = MEMBER_STRUCTS, .at = MEMBER_AT(of, member, type *),                               \
	.also_at = MEMBER_AT(of, n, size_t), .size = sizeof(type), .rows = (table)
#define AS_OPAQUE(of, member)                                                                      \
	.kind = MEMBER_OPAQUE, .at = offsetof(of, member), .size = sizeof(((of *)0)->member)

/* The row with that key, or NULL. */
const struct setting *settings_find(const struct setting *rows, const char *key);

/* The options of all rows with a key, as option_read() takes them; owned. */
struct sluice_option *settings_options(const struct setting *rows) must_check;

/* Sets the members of `into` to what `v` has, or else to their defaults, and checks
 * them.  What they held before is not freed.  Leaves SETTING_BY_HAND alone.
 */
void settings_set(const struct setting *rows, const struct option_values *v, const char *where,
		  void *into, struct errors *e);

/* Reads the keys of `map` (NULL: there are none) into `v`, and from there into `into`. */
void settings_read(const struct setting *rows, const struct tree *map, const char *where,
		   struct option_values *v, void *into, struct errors *e);

/* Appends members as bytes, and gets them again from there: into a struct of zeros,
 * owned whatever the reader says.
 */
void settings_put(const struct setting *rows, const void *of, struct buf *out);
void settings_get(const struct setting *rows, struct reader *r, void *into);

/* Changes if any row does that decides what the bytes mean. */
uint32_t settings_layout(const struct setting *rows) must_check;

/* Frees what the members own, and leaves a struct of zeros but for opaque ones. */
void settings_release(const struct setting *rows, void *of);

bool setting_equals(const struct setting *row, const void *a, const void *b);
bool settings_equal(const struct setting *rows, const void *a, const void *b);

/* Whether the responders have to be started anew for `b` in place of `a`. */
bool settings_restart_responders(const struct setting *rows, const void *a, const void *b);

#endif
