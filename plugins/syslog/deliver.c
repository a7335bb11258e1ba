/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cut.h"
#include "syslog.h"

/* What is put beside structured data. */
enum { OWN_FIELDS = 12 };

static void put_text(struct fields *f, const char *name, struct syslog_text t)
{
	if (t.n)
		fields_str(f, name, t.p, t.n);
}

static void put_host(struct state *s, struct fields *f, const struct origin *o,
		     const struct syslog_message *m)
{
	enum host_field which = s->options.host;
	if (which == HOST_PEER && !o->is_unix)
		fields_str(f, "host", o->peer, o->peer_host_len);
	if (which != HOST_PEER)
		put_text(f, "host", m->host);
	if (which == HOST_BOTH && !o->is_unix)
		fields_str(f, "peer", o->peer, o->peer_host_len);
	if (o->has_credentials) {
		fields_int(f, "peer_pid", o->pid);
		fields_int(f, "peer_uid", o->uid);
	}
}

/* What has been read is gone from its socket: it is taken even if the source has
 * been told to stop meanwhile.
 */
static int emit(struct state *s, struct sluice_event *ev)
{
	int r = -ECANCELED;
	if (!s->is_stopping)
		r = s->src->host->emit(s->src, ev);
	if (r != -ECANCELED)
		return r;
	s->is_stopping = true;
	ev->flags |= SLUICE_LAST_WORDS;
	return s->src->host->emit(s->src, ev);
}

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r' || c == 0;
}

/* Leaves room for what is no structured data; whether that took something away. */
static bool make_room(struct fields *f)
{
	const size_t most = SLUICE_FIELDS_MAX - OWN_FIELDS;
	bool is_full = f->n_dropped || f->n > most;
	if (f->n > most)
		f->n = most;
	return is_full;
}

int deliver(struct state *s, const struct origin *o, const char *p, size_t n, uint32_t flags,
	    uint64_t size)
{
	struct syslog_message m;
	struct fields *f = &s->fields;
	if (flags & SLUICE_TRUNCATED)
		n = cut_utf8(p, n);
	/* What ends a line is framing, whatever else frames it; so is the NUL that
	 * Python's SysLogHandler sends.
	 */
	while (!(flags & DELIVER_PIECE) && n && is_line_end(p[n - 1]))
		n--;
	flags &= ~DELIVER_PIECE;
	if (!n)
		return 0;
	if (!senders_admit(s->senders, o, s->now_ns)) {
		s->n_limited++;
		return 0;
	}
	fields_reset(f);
	stamp_use_zone(o->zone);
	syslog_parse(p, n, s->options.format, s->now_ns, &m, f);
	bool is_cut = flags & SLUICE_TRUNCATED;
	if (make_room(f))
		flags |= SLUICE_TRUNCATED;
	fields_cstr(f, "facility", syslog_facility(m.pri));
	put_host(s, f, o, &m);
	put_text(f, "app", m.app);
	put_text(f, "pid", m.pid);
	put_text(f, "msgid", m.msgid);
	if (!m.has_pri && s->options.format != SYSLOG_RAW) {
		fields_bool(f, "no_pri", true);
		s->n_unparsed++;
	}
	if (m.is_damaged) {
		fields_bool(f, "damaged", true);
		s->n_unparsed++;
	}
	if (is_cut)
		fields_int(f, "size", (int64_t)size);
	if (s->options.keep_raw)
		fields_str(f, "raw", p, n);
	struct sluice_event ev = {
		.type = "message",
		.time_ns = m.has_time && s->options.use_message_time ? m.time_ns : s->now_ns,
		.severity = m.pri & 7,
		.flags = flags,
		.body = m.message.p,
		.body_len = m.message.n,
		.fields = f->all,
		.n_fields = f->n,
	};
	s->n_messages++;
	s->n_bytes += n;
	return emit(s, &ev);
}

int deliver_gap(struct state *s, const char *reason, int64_t count, const char *peer,
		const struct sluice_cursor *cursor, const char *fmt, ...)
{
	char message[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	struct fields *f = &s->fields;
	fields_reset(f);
	fields_cstr(f, "reason", reason);
	if (count >= 0)
		fields_int(f, "count", count);
	if (peer)
		fields_cstr(f, "peer", peer);
	struct sluice_event ev = {
		.type = "gap",
		.severity = 4,
		.flags = SLUICE_GAP,
		.body = message,
		.body_len = strlen(message),
		.fields = f->all,
		.n_fields = f->n,
		.cursor = cursor,
	};
	return emit(s, &ev);
}
