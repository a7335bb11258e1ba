/* SPDX-License-Identifier: MIT */
#include "stream/streams.h"

#include <string.h>

#include "stream/quota.h"
#include "stream/stream_internal.h"

struct stream *streams_find(struct streams *all, struct str token)
{
	if (token.len != TOKEN_LEN)
		return NULL;
	list_each (e, &all->all) {
		struct stream *s = list_entry(e, struct stream, link);
		if (!stream_is_leaving(s) && memcmp(s->token, token.data, TOKEN_LEN) == 0)
			return s;
	}
	return NULL;
}

void streams_of_derived_come_back(struct streams *all)
{
	list_each (e, &all->all) {
		struct stream *s = list_entry(e, struct stream, link);
		if (s->reader.view->sub.is_derived || (s->next && s->next->is_derived))
			stream_say_bye(s, "reload", "the channel is defined anew");
	}
}

void streams_check_access(struct streams *all)
{
	list_each (e, &all->all) {
		struct stream *s = list_entry(e, struct stream, link);
		const struct subscription *sub = s->next ? s->next : &s->reader.view->sub;
		/* One that is live may go on without the right to see the past. */
		enum right needs = stream_is_live(s) || s->is_poll ? RIGHT_READ : RIGHT_REPLAY;
		const char *lost = access_lost(all->access, &s->who, buf_str(&sub->names), needs);
		if (lost)
			stream_say_bye(s, s->who.ticket ? "ticket" : "access", lost);
	}
}

void streams_say_bye(struct streams *all, size_t n, const char *reason)
{
	list_each (e, &all->all) {
		struct stream *s = list_entry(e, struct stream, link);
		if (!n)
			break;
		if (stream_is_leaving(s))
			continue;
		stream_say_bye(s, reason, NULL);
		n--;
	}
}

size_t streams_count_pending(const struct streams *all)
{
	size_t n = 0;
	list_each (e, &all->all)
		n += !outlet_is_clear(&list_entry(e, struct stream, link)->outlet);
	return n;
}

int64_t streams_moved_ns(const struct streams *all)
{
	int64_t last = 0;
	list_each (e, &all->all)
		last = MAX(last, list_entry(e, struct stream, link)->outlet.moved_ns);
	return last;
}

void streams_end_all(struct streams *all)
{
	list_each_safe (e, &all->all)
		stream_end(list_entry(e, struct stream, link));
}

static void on_manager_exited(struct managed *m)
{
	stream_say_bye(container_of(m, struct stream, managed), "server",
		       "the web server is ending");
}

void streams_init(struct streams *all, struct views *views, const struct access *access)
{
	*all = (struct streams){.registry = views->registry,
				.views = views,
				.readers = views->readers,
				.access = access,
				.addresses = quota_new(),
				.users = quota_new()};
	list_init(&all->all);
	managers_init(&all->managers, views->registry->loop, on_manager_exited);
}

void streams_fini(struct streams *all)
{
	quota_free(all->addresses);
	quota_free(all->users);
}
