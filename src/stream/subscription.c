/* SPDX-License-Identifier: MIT */
#include "stream/subscription.h"

#include "channel/channel.h"

void subscription_put_key(struct subscription *s)
{
	buf_printf(&s->key, "%d %d %d %d %.*s", s->framing, s->format, s->gzips, s->heartbeat,
		   (int)s->names.len, s->names.data);
	for (size_t i = 0; i < s->n_channels; i++) {
		buf_printf(&s->key, "%c%p%c", 0, (void *)s->channels[i].channel, 0);
		if (s->channels[i].filter)
			buf_put_str(&s->key, filter_text(s->channels[i].filter));
	}
}

void subscription_liken(struct subscription *s, const struct subscription *like)
{
	s->format = like->format;
	s->framing = like->framing;
	s->gzips = like->gzips;
	s->heartbeat = like->heartbeat;
	s->key.len = 0;
	subscription_put_key(s);
}

void subscription_hold(const struct subscription *s)
{
	for (size_t i = 0; i < s->n_channels; i++)
		channel_hold(s->channels[i].channel);
}

void subscription_release(const struct subscription *s)
{
	for (size_t i = 0; i < s->n_channels; i++)
		channel_release(s->channels[i].channel);
}

void subscription_fini(struct subscription *s)
{
	for (size_t i = 0; i < s->n_channels; i++)
		filter_unref(s->channels[i].filter);
	for (size_t i = 0; i < s->n_channels; i++)
		filter_unref(s->channels[i].bounds);
	buf_fini(&s->names);
	buf_fini(&s->filter);
	buf_fini(&s->key);
	buf_fini(&s->fields);
	s->n_channels = 0;
}
