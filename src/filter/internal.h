/* SPDX-License-Identifier: MIT
 *
 * internal - the filter as its own files see it.
 */
#ifndef SLUICE_FILTER_INTERNAL_H
#define SLUICE_FILTER_INTERNAL_H

#include "filter/filter.h"
#include "filter/node.h"

struct filter {
	int refs;
	struct node *root;
	struct buf text; /* canonical */
	bool has_regex;
};

#endif
