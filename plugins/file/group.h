/* SPDX-License-Identifier: MIT
 *
 * group - lines that belong together.
 */
#ifndef FILE_GROUP_H
#define FILE_GROUP_H

#include "file.h"

/* Whether a line begins another event than `g`, which may be NULL; *trace is where the event
 * that holds it stands.
 */
bool group_begins(struct state *s, const struct group *g, enum trace_state *trace, const char *p,
		  size_t n);
/* Adds a line; whether it is the last one of its event. */
bool group_add(struct state *s, struct group *g, enum trace_state trace, const char *p, size_t n);
/* Without escape sequences, if those are not wanted. */
const char *group_strip(struct state *s, const char *p, size_t *n);

#endif
