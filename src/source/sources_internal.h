/* SPDX-License-Identifier: MIT
 *
 * sources_internal - the set of sources, for the files that keep it.
 */
#ifndef SLUICE_SOURCE_SOURCES_INTERNAL_H
#define SLUICE_SOURCE_SOURCES_INTERNAL_H

#include "host/nursery.h"
#include "source/sources.h"

struct sources {
	struct hub *hub;
	struct list all; /* of struct source */
	int64_t event_size;
	struct names *names;
	bool stopping;
	void (*done)(void *ctx);
	void *ctx;
	struct nursery nursery;
	struct loop_child nursery_child;
	bool nursery_has_answered;
	int64_t nursery_pause_ns, nursery_from_ns; /* when there may be another one */
};

struct sources *sources_of(const struct hub *h) must_check;

#endif
