/* SPDX-License-Identifier: MIT
 *
 * What a stream says beside events.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "stream/stream_internal.h"

int64_t jittered_ms(int64_t from)
{
	return from + (int64_t)(random() % (from > 0 ? from : 1));
}

/* Text for this client alone.  In a compressed stream only where what follows looks
 * back on nothing: before it joins, or at its end.
 */
void stream_say(struct stream *s, struct str text)
{
	struct buf packed = {0};
	if (s->reader.view->sub.gzips)
		gzip_put_stored(&packed, text);
	outlet_put(&s->outlet, s->reader.view->sub.gzips ? buf_str(&packed) : text);
	buf_fini(&packed);
}

static void put_id(struct json *j, const struct stream *s, const char *key, event_id id)
{
	char text[ID_TEXT_MAX];
	json_str(j, key, (struct str){text, id_put(text, registry_epoch(s->all->registry), id)});
}

/* hello and changed: what the stream is from here on. */
void stream_put_state(struct stream *s, struct buf *out, event_id cursor, const char *type,
		      const char *mode)
{
	const struct subscription *sub = &s->reader.view->sub;
	event_id oldest = UINT64_MAX;
	struct buf data = {0};
	struct json j = {&data, false};
	for (size_t i = 0; i < sub->n_channels; i++)
		oldest = MIN(oldest, journal_low_watermark(&sub->channels[i].channel->journal));
	json_open(&j, NULL, '{');
	json_cstr(&j, "mode", mode);
	put_id(&j, s, "head", view_newest_id(s->reader.view));
	put_id(&j, s, "oldest", oldest);
	json_int(&j, "heartbeat_ms", sub->heartbeat_ns / NS_PER_MS);
	json_raw(&j, "channels", buf_str(&sub->names));
	if (sub->filter.len)
		json_str(&j, "filter", buf_str(&sub->filter));
	json_cstr(&j, "token", s->token);
	json_close(&j, '}');
	if (strcmp(type, "hello") == 0)
		format_retry(out, sub->format, sub->retry_ns / NS_PER_MS);
	format_control(out, sub->format, registry_epoch(s->all->registry), cursor, type,
		       buf_str(&data));
	buf_fini(&data);
}

void stream_put_gap(struct stream *s, struct buf *out, event_id from, event_id to,
		    const char *reason)
{
	enum format f = s->reader.view->sub.format;
	format_begin(out, f);
	format_gap(out, f, registry_epoch(s->all->registry),
		   &(struct gap){.from = from, .to = to, .count = -1, .reason = reason}, true);
	format_end(out, f, registry_epoch(s->all->registry), to);
	s->all->n_gaps++;
}

void stream_say_bye(struct stream *s, const char *reason, const char *message)
{
	if (stream_is_leaving(s))
		return;
	enum format f = s->reader.view->sub.format;
	struct buf text = {0}, data = {0};
	struct json j = {&data, false};
	json_open(&j, NULL, '{');
	json_cstr(&j, "reason", reason);
	if (message)
		json_cstr(&j, "message", message);
	json_close(&j, '}');
	format_retry(&text, f, jittered_ms(MAX(s->reader.view->sub.retry_ns / NS_PER_MS, 1)));
	/* It has no id of its own: the cursor stays where it is. */
	format_control(&text, f, registry_epoch(s->all->registry), FORMAT_NO_ID, "bye",
		       buf_str(&data));
	if (s->is_poll && outlet_is_clear(&s->outlet)) {
		text.len = 0;
		format_begin(&text, f);
		format_end(&text, f, registry_epoch(s->all->registry), s->after);
	}
	stream_say(s, buf_str(&text));
	buf_fini(&text);
	buf_fini(&data);
	stream_finish(s);
}
