/* SPDX-License-Identifier: MIT */
#include "channel/registry.h"

#include <string.h>

#include "channel/channel.h"

struct channel *registry_channel(const struct registry *r, const char *name)
{
	for (size_t i = 0; i < r->n_channels; i++)
		if (!r->channels[i]->is_removed && strcmp(r->channels[i]->settings.name, name) == 0)
			return r->channels[i];
	return NULL;
}

const struct channel_settings *registry_derived(const struct registry *r, const char *name)
{
	for (size_t i = 0; i < r->settings->n_channels; i++)
		if (r->settings->channels[i].n_from &&
		    strcmp(r->settings->channels[i].name, name) == 0)
			return &r->settings->channels[i];
	return NULL;
}

event_id registry_next_id(struct registry *r, int64_t now_ms)
{
	event_id now = id_make((uint64_t)now_ms, 0);
	r->last_id = now > r->last_id ? now : r->last_id + 1;
	return r->last_id;
}
