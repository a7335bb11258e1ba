/* SPDX-License-Identifier: MIT */
#include "common/complaints.h"

static uint64_t hash(const char *about)
{
	uint64_t h = 5381;
	for (const char *p = about; *p; p++)
		h = h * 33 + (unsigned char)*p;
	return h;
}

bool complaint_begins(struct complaints *c, const char *about)
{
	uint64_t h = hash(about), *at = &c->about[h % COMPLAINTS_MAX];
	if (*at == h)
		return false;
	*at = h;
	return true;
}

bool complaint_ends(struct complaints *c, const char *about)
{
	uint64_t h = hash(about), *at = &c->about[h % COMPLAINTS_MAX];
	if (*at != h)
		return false;
	*at = 0;
	return true;
}
