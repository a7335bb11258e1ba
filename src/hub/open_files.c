/* SPDX-License-Identifier: MIT */
#include "hub/open_files.h"

enum {
	FOR_ITSELF = 32,  /* sockets, responders, what threads read */
	OF_A_CHANNEL = 3, /* its segment, the next one, a sync of the directory */
	OF_A_SOURCE = 8,  /* both ends of what connects its process, while that is started */
	CLIENTS_MIN = 8,
};

static size_t n_journals(const struct settings *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n_channels; i++)
		n += !s->channels[i].n_from;
	return n;
}

int64_t open_files_needed(const struct settings *s)
{
	return (int64_t)(FOR_ITSELF + OF_A_CHANNEL * n_journals(s) + OF_A_SOURCE * s->n_sources +
			 CLIENTS_MIN);
}
