/* SPDX-License-Identifier: MIT */
#include "hub/subscription.h"

#include <errno.h>
#include <stdlib.h>

#include "base/unit.h"
#include "hub/channel.h"
#include "wire/query.h"

static int add_channel(struct hub *h, const char *name, struct subscription *s, struct buf *why)
{
	struct channel *c = hub_channel(h, name);
	if (!c) {
		buf_printf(why, "There is no channel of that name here (see /channels).\n");
		return 404;
	}
	size_t at = 0;
	while (at < s->n_channels && strcmp(s->channels[at]->settings.name, name) < 0)
		at++;
	if (at < s->n_channels && s->channels[at] == c)
		return 0;
	if (s->n_channels == SUBSCRIPTION_CHANNELS_MAX) {
		buf_printf(why, "More than %d channels in one stream (open several).\n",
			   SUBSCRIPTION_CHANNELS_MAX);
		return 400;
	}
	memmove(&s->channels[at + 1], &s->channels[at],
		(s->n_channels - at) * sizeof(s->channels[0]));
	s->channels[at] = c;
	s->n_channels++;
	return 0;
}

static int set_cursor(struct hub *h, struct str text, const char *what, struct subscription *s,
		      struct buf *why)
{
	struct str epoch;
	event_id id;
	if (text.len > CURSOR_TEXT_MAX || id_parse(text, &epoch, &id)) {
		buf_printf(why,
			   "%s is no event id (ids look like %s.1763689264123-0; take one from "
			   "the \"id:\" of an event).\n",
			   what, h->epoch);
		return 400;
	}
	s->after = id;
	s->start = str_is(epoch, h->epoch) && id <= h->head ? START_AFTER : START_UNKNOWN;
	return 0;
}

static int set_tail(const char *value, struct subscription *s, struct buf *why)
{
	int64_t n;
	if (unit_parse_int(value, &n) || n < 0 || n > 100000) {
		buf_printf(why, "\"tail\" is a number of events from 0 to 100000.\n");
		return 400;
	}
	s->start = START_TAIL;
	s->tail = (uint64_t)n;
	return 0;
}

static int one_parameter(struct hub *h, const char *key, const char *value, struct subscription *s,
			 struct buf *why)
{
	if (strcmp(key, "channel") == 0)
		return add_channel(h, value, s, why);
	if (strcmp(key, "after") == 0)
		return set_cursor(h, str_of(value), "\"after\"", s, why);
	if (strcmp(key, "tail") == 0)
		return set_tail(value, s, why);
	if (strcmp(key, "earliest") == 0 && strcmp(value, "1") == 0) {
		s->start = START_EARLIEST;
		return 0;
	}
	if (strcmp(key, "data") == 0 && strcmp(value, "json") == 0) {
		s->data = SSE_DATA_JSON;
		return 0;
	}
	if (strcmp(key, "data") == 0 && strcmp(value, "message") == 0) {
		s->data = SSE_DATA_MESSAGE;
		return 0;
	}
	static const char *const known[] = {"channel", "after", "tail", "earliest", "data", NULL};
	const char *near = unit_nearest(key, known);
	if (near && strcmp(near, key) == 0)
		buf_printf(why,
			   "\"%s\" has a value that is not known (earliest=1, data=json, "
			   "data=message).\n",
			   key);
	else
		buf_printf(why,
			   "A parameter is not known here%s%s%s (known: channel, after, tail, "
			   "earliest, data).\n",
			   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return 400;
}

int subscription_parse(struct hub *h, const struct door_request *r, struct subscription *ret,
		       struct buf *why)
{
	*ret = (struct subscription){.data = SSE_DATA_JSON, .framing = r->framing};
	struct buf key = {0}, value = {0};
	struct str rest = r->query;
	int status = 0;
	while (!status) {
		int got = query_next(&rest, &key, &value);
		if (got == 0)
			break;
		if (got < 0) {
			buf_printf(why, "The query holds a broken percent escape or a NUL.\n");
			status = 400;
			break;
		}
		status = one_parameter(h, buf_text(&key), buf_text(&value), ret, why);
	}
	buf_fini(&key);
	buf_fini(&value);
	/* The header is newer than the URL: a browser sends it when it reconnects. */
	if (!status && r->last_event_id.len)
		status = set_cursor(h, r->last_event_id, "Last-Event-ID", ret, why);
	if (!status && !ret->n_channels) {
		buf_printf(why, "Which channel?  Write /events?channel=NAME (see /channels).\n");
		status = 400;
	}
	if (!status && !accept_admits(r->accept, "text/event-stream")) {
		buf_printf(why,
			   "The stream is text/event-stream, which \"Accept\" does not admit.\n");
		status = 406;
	}
	if (!status && ret->start == START_NOW) {
		for (size_t i = 0; i < ret->n_channels; i++)
			ret->tail = MAX(ret->tail, (uint64_t)ret->channels[i]->settings.tail);
		if (ret->tail)
			ret->start = START_TAIL;
	}
	return status;
}
