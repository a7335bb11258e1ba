/* SPDX-License-Identifier: MIT
 *
 * parse - from a filter's text to its normalized tree.
 */
#ifndef SLUICE_FILTER_PARSE_H
#define SLUICE_FILTER_PARSE_H

#include "filter/node.h"

/* Owned; or NULL with `why` saying what is wrong and where. */
struct node *parse_filter(struct regex_pool *pool, struct str text, int depth_max,
			  struct buf *why) must_check;

#endif
