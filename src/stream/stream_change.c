/* SPDX-License-Identifier: MIT
 *
 * A stream goes on with another subscription, from where it is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "stream/stream_internal.h"
#include "stream/views.h"
#include "wire/query.h"

/* ---- what is asked ------------------------------------------------------------------------ */

static bool is_filter(const char *key)
{
	static const char *const keys[] = {"filter",   "grep", "exclude",
					   "severity", "type", "source"};
	for (size_t i = 0; i < array_size(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* Whether the query holds this key, with this value where one is given; else with any that
 * is not empty.
 */
static bool query_has(struct str query, const char *key, struct str value)
{
	struct buf k = {0}, v = {0};
	bool has = false;
	while (!has && query_next(&query, &k, &v) == 1) {
		struct str got = utf8_trim(buf_str(&v));
		has = str_is(buf_str(&k), key) && (value.data ? str_eq(got, value) : got.len > 0);
	}
	buf_fini(&k);
	buf_fini(&v);
	return has;
}

void stream_put_change(const struct stream *s, struct str query, struct buf *out)
{
	const struct subscription *sub = s->next ? s->next : &s->reader.view->sub;
	struct str names = buf_str(&sub->names), quoted, any = {NULL, 0};
	struct buf key = {0}, value = {0};
	bool keeps = !query_has(query, "channel", any), has_filter = !keeps;
	while (keeps && json_next_element(&names, &quoted)) {
		struct str name = {quoted.data + 1, quoted.len - 2};
		if (!query_has(query, "drop", name))
			query_put(out, "channel", name);
	}
	int got;
	while ((got = query_next(&query, &key, &value)) == 1) {
		const char *k = buf_text(&key);
		bool adds = keeps && strcmp(k, "add") == 0;
		has_filter |= is_filter(k);
		if (!keeps || strcmp(k, "drop") != 0)
			query_put(out, adds ? "channel" : k, buf_str(&value));
	}
	if (got < 0)
		buf_puts(out, "&%"); /* refused as what it is */
	if (!has_filter && sub->filter.len)
		query_put(out, "filter", buf_str(&sub->filter));
	buf_fini(&key);
	buf_fini(&value);
}

/* ---- when it is applied ------------------------------------------------------------------ */

void stream_note_change(struct stream *s, struct subscription *sub)
{
	stream_forget_change(s);
	s->next = mem_zero(sizeof(*s->next));
	*s->next = *sub;
	*sub = (struct subscription){0};
	subscription_hold(s->next);
}

/* Nothing is known of channels that it did not have: what they have dropped since its place
 * is a gap.
 */
static event_id *lows_after_change(const struct stream *s, const struct view *old)
{
	const struct subscription *sub = &s->reader.view->sub;
	if (!s->known_lows)
		return NULL;
	event_id *lows = mem_zero((sub->n_channels + 1) * sizeof(lows[0]));
	for (size_t i = 0; i < sub->n_channels; i++)
		for (size_t k = 0; k < old->sub.n_channels; k++)
			if (old->sub.channels[k].channel == sub->channels[i].channel)
				lows[i] = s->known_lows[k];
	return lows;
}

static void move_to(struct stream *s, struct view *v)
{
	struct view *old = s->reader.view;
	if (s->state == STREAM_READY)
		s->after = MAX(s->after, view_newest_id(old));
	stream_set_state(s, STREAM_APART);
	view_remove(&s->reader);
	view_add(v, &s->reader);
	event_id *lows = lows_after_change(s, old);
	free(s->known_lows);
	s->known_lows = lows;
	stream_join(s);
	view_put(old);
}

/* What the old view had for it is sent or pending; from `after` on it is the new
 * one's, by the journal where there is something between.
 */
void stream_apply_change(struct stream *s)
{
	subscription_release(s->next);
	struct view *v = view_get(s->all->views, s->next, reader_owner(&s->who, READS_VIEW));
	subscription_fini(s->next);
	free(s->next);
	s->next = NULL;
	if (!v) {
		stream_say_bye(s, "hub.limits.subscriptions", NULL);
		return;
	}
	move_to(s, v);
	struct buf text = {0};
	stream_put_state(s, &text, s->after, "changed", "resumed");
	stream_say(s, buf_str(&text));
	buf_fini(&text);
}
