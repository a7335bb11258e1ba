/* SPDX-License-Identifier: MIT */
#include "hub/open_files.h"

#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "channel/channel.h"
#include "channel/internal_event.h"
#include "hub/hub.h"

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

/* What a segment takes on the disk, by those that are compressed if there are any. */
static int64_t usual_bytes(const struct journal *j)
{
	uint64_t n = 0, bytes = 0;
	for (size_t i = 0; i < j->n; i++) {
		n += j->segments[i]->sealed != NULL;
		bytes += j->segments[i]->sealed ? segment_bytes(j->segments[i]) : 0;
	}
	return MAX((int64_t)(n ? bytes / n : j->segment_size), (int64_t)4096);
}

/* The descriptors that the journals may still need until their histories are full, and those
 * that restarting all sources takes.
 */
static int64_t wanted_reserve(const struct hub *h)
{
	int64_t n = FOR_ITSELF + OF_A_SOURCE * (int64_t)h->settings->n_sources;
	for (size_t i = 0; i < h->registry.n_channels; i++) {
		const struct journal *j = &h->registry.channels[i]->journal;
		int64_t segments = j->config.max_bytes / usual_bytes(j) + 2;
		n += OF_A_CHANNEL + MAX(segments - (int64_t)j->n, (int64_t)0);
	}
	return n;
}

/* An estimate, good enough for a warning: responders' connections come and go. */
static int64_t in_use(const struct hub *h)
{
	int64_t n = FOR_ITSELF / 2 + OF_A_SOURCE / 2 * (int64_t)h->settings->n_sources +
		    (int64_t)(h->streams.n + h->pages.n_open);
	for (size_t i = 0; i < h->registry.n_channels; i++)
		n += (int64_t)h->registry.channels[i]->journal.n;
	return n;
}

static int64_t for_clients(const struct hub *h)
{
	return fd_limit() - h->open_files.reserve;
}

static void tell_nearly_reached(struct hub *h, int64_t used, int64_t limit)
{
	struct buf fields = {0};
	char *text =
		mem_printf("%lld of at most %lld files are open: from %lld on, new clients are "
			   "rejected (raise LimitNOFILE, or ulimit -n)",
			   (long long)used, (long long)limit, (long long)for_clients(h));
	log_warning("%s", text);
	field_put(&fields,
		  &(struct field){.name = STR("open"), .type = FIELD_INT, .integer = used});
	field_put(&fields,
		  &(struct field){.name = STR("limit"), .type = FIELD_INT, .integer = limit});
	internal_event_publish(&h->registry, "open_files", 4, buf_str(&fields), "%s", text);
	buf_fini(&fields);
	free(text);
}

void open_files_look(struct hub *h)
{
	struct open_files *f = &h->open_files;
	int64_t limit = fd_limit(), wanted = wanted_reserve(h), used = in_use(h);
	f->reserve = MIN(wanted, limit / 2);
	if (wanted > limit / 2 && !f->is_short)
		log_warning(
			"only %lld files may be open at once, and full journals and the sources "
			"may need %lld more: at the limit, the oldest history is dropped (raise "
			"LimitNOFILE, or ulimit -n)",
			(long long)limit, (long long)wanted);
	f->is_short = wanted > limit / 2;
	int64_t end = for_clients(h);
	if (used * 10 >= end * 8 && !f->is_nearly_reached) {
		f->is_nearly_reached = true;
		tell_nearly_reached(h, used, limit);
	} else if (used * 10 < end * 7) {
		f->is_nearly_reached = false;
	}
}

static bool is_below(int fd, int64_t end)
{
	return fd >= 0 && fd < end;
}

bool open_files_admit(struct hub *h, int fd)
{
	bool good = is_below(fd < 0 ? fd_lowest_free() : fd, for_clients(h));
	h->open_files.n_refused += !good;
	return good;
}

bool open_files_admit_responder(const struct hub *h)
{
	return is_below(fd_lowest_free(), for_clients(h) + h->open_files.reserve / 2);
}

void open_files_lost_one(struct hub *h)
{
	if (!h->open_files.n_lost++)
		log_error("a client got an empty response: its connection could not be passed to "
			  "the hub, because %lld files are open (raise LimitNOFILE, or ulimit -n)",
			  (long long)fd_limit());
}

void open_files_report(const struct hub *h, struct json *j)
{
	json_open(j, "open_files", '{');
	json_int(j, "open", in_use(h));
	json_int(j, "limit", fd_limit());
	json_int(j, "reserved", h->open_files.reserve);
	json_int(j, "refused", (int64_t)h->open_files.n_refused);
	json_int(j, "lost", (int64_t)h->open_files.n_lost);
	json_close(j, '}');
}
