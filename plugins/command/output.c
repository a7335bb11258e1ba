/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "common/jsonline.h"
#include "common/say.h"
#include "common/severity.h"

enum { READ_SIZE = 64 * 1024, READS_PER_TURN = 4 };

static void log_line(struct output *o, const char *p, size_t n)
{
	say(o->s->src, SLUICE_LOG_INFO, "%s: %.*s", o->name, (int)(n < 900 ? n : 900), p);
}

/* A level as for systemd, "<3>", in front of a line of standard error
 * (sd-daemon(3)).
 */
static int take_level(const char **p, size_t *n)
{
	if (*n < 3 || (*p)[0] != '<' || (*p)[1] < '0' || (*p)[1] > '7' || (*p)[2] != '>')
		return SLUICE_NO_SEVERITY;
	int level = (*p)[1] - '0';
	*p += 3;
	*n -= 3;
	return level;
}

/* An object without a message is its own: the line as it was written. */
static void emit_json(struct output *o, const struct jsonline *j, const char *line, size_t n,
		      uint32_t flags)
{
	struct state *s = o->s;
	struct sluice_event ev = {
		.type = j->type ? j->type : "line",
		.time_ns = j->time_ns,
		.severity = j->severity,
		.flags = flags,
		.body = j->message ? j->message : line,
		.body_len = j->message ? j->message_len : n,
		.fields = s->fields.all,
		.n_fields = s->fields.n,
	};
	int ignored = s->src->host->emit(s->src, &ev); /* the loop says when to stop */
	(void)ignored;
}

static void emit_text(struct output *o, const char *p, size_t n, uint32_t flags, uint64_t size)
{
	struct state *s = o->s;
	int level = o == &s->err ? take_level(&p, &n) : SLUICE_NO_SEVERITY;
	if (level == SLUICE_NO_SEVERITY && s->options.severity)
		level = severity_detect(p, n);
	fields_cstr(&s->fields, "stream", o->name);
	if (flags & SLUICE_TRUNCATED)
		fields_int(&s->fields, "size", (int64_t)size);
	struct sluice_event ev = {
		.type = s->options.split == SPLIT_WHOLE ? "output" : "line",
		.severity = level,
		.flags = flags,
		.body = p,
		.body_len = n,
		.fields = s->fields.all,
		.n_fields = s->fields.n,
	};
	int ignored = s->src->host->emit(s->src, &ev);
	(void)ignored;
}

static void take_event(struct output *o, const char *p, size_t n, uint32_t flags, uint64_t size)
{
	struct state *s = o->s;
	if (s->options.split != SPLIT_WHOLE && n && p[n - 1] == '\r' && !(flags & SLUICE_TRUNCATED))
		n--;
	if (o->sink == SINK_LOG) {
		log_line(o, p, n);
		return;
	}
	s->n_lines++;
	fields_reset(&s->fields);
	struct jsonline j;
	if (s->options.split == SPLIT_JSON && jsonline_parse(p, n, &j, &s->fields)) {
		emit_json(o, &j, p, n, flags);
		return;
	}
	fields_reset(&s->fields);
	emit_text(o, p, n, flags, size);
}

/* Adds to the event that has not ended, within max_line. */
static void keep(struct output *o, const char *p, size_t n)
{
	size_t max = o->s->options.max_line;
	size_t room = o->part_len < max ? max - o->part_len : 0;
	size_t k = n < room ? n : room;
	o->over += n - k;
	if (!k)
		return;
	o->part = must(realloc(o->part, o->part_len + k));
	memcpy(o->part + o->part_len, p, k);
	o->part_len += k;
}

static void end_part(struct output *o, uint32_t flags)
{
	uint64_t size = o->part_len + o->over;
	if (o->over)
		flags |= SLUICE_TRUNCATED;
	take_event(o, o->part ? o->part : "", o->part_len, flags, size);
	free(o->part);
	o->part = NULL;
	o->part_len = 0;
	o->over = 0;
}

static void take_bytes(struct output *o, const char *p, size_t n)
{
	const struct options *opt = &o->s->options;
	char delimiter = opt->split == SPLIT_NUL ? 0 : '\n';
	const char *end = p + n, *at;
	while (opt->split != SPLIT_WHOLE && (at = memchr(p, delimiter, (size_t)(end - p)))) {
		size_t len = (size_t)(at - p);
		if (o->part_len || o->over || len > opt->max_line) {
			keep(o, p, len);
			end_part(o, 0);
		} else {
			take_event(o, p, len, 0, 0);
		}
		p = at + 1;
	}
	keep(o, p, (size_t)(end - p));
}

/* Of this run's output, how much may still be taken. */
static size_t admit(struct state *s, size_t n)
{
	uint64_t max = s->options.max_output;
	size_t take = n;
	if (max && s->taken + n > max)
		take = s->taken < max ? (size_t)(max - s->taken) : 0;
	s->taken += n;
	s->dropped += n - take;
	s->n_dropped += n - take;
	s->n_bytes += n;
	return take;
}

void outputs_init(struct state *s)
{
	s->buffer = must(malloc(READ_SIZE));
	s->out.fd = s->err.fd = -1;
}

void outputs_fini(struct state *s)
{
	free(s->buffer);
}

void outputs_open(struct state *s, int out, int err)
{
	const struct options *o = &s->options;
	s->taken = s->dropped = 0;
	s->out = (struct output){.s = s, .name = "stdout", .sink = o->out, .fd = out};
	s->err = (struct output){.s = s, .name = "stderr", .sink = o->err, .fd = err};
}

bool output_read(struct output *o)
{
	struct state *s = o->s;
	for (int i = 0; i < READS_PER_TURN && !s->is_paused; i++) {
		ssize_t n = read(o->fd, s->buffer, READ_SIZE);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0)
			return false;
		size_t take = admit(s, (size_t)n);
		if (take && o->sink != SINK_DISCARD)
			take_bytes(o, s->buffer, take);
		if (n < READ_SIZE)
			return true;
	}
	return true;
}

void output_close(struct output *o)
{
	if (o->fd < 0)
		return;
	int ignored = o->s->src->host->watch(o->s->src, o->fd, 0, NULL, NULL);
	(void)ignored;
	close(o->fd);
	o->fd = -1;
	if (o->part_len || o->over)
		end_part(o, o->s->options.split == SPLIT_WHOLE ? 0 : SLUICE_PARTIAL);
	free(o->part);
	o->part = NULL;
}
