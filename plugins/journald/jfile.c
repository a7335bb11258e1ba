/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "journald.h"

bool jfile_is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

int jfile_refresh(struct jfile *f)
{
	char head[HEADER_SIZE];
	struct header h;
	ssize_t n = pread(f->fd, head, sizeof(head), 0);
	if (n < 0)
		return -errno;
	int r = header_parse(head, (size_t)n, &h);
	if (!r)
		f->h = h;
	return r;
}

sd_journal *jfile_reader(const struct state *s, const struct jfile *f, int *r)
{
	sd_journal *j = NULL;
	char path[32];
	const char *paths[] = {path, NULL};
	/* By its descriptor, for the name may be another file's by now.  (Given the descriptor
	 * itself, libsystemd 252 closes it in the end; its manual does not say so.)
	 */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	*r = sd_journal_open_files(&j, paths, 0);
	if (*r < 0)
		return NULL;
	size_t longest = s->options.max_message > s->options.max_field ? s->options.max_message
								       : s->options.max_field;
	/* One byte more tells what is cut; the name is counted too. */
	sd_journal_set_data_threshold(j, longest + 66);
	return j;
}

static void take_cursor(const char *text, uint64_t *seqnum, uint64_t *time)
{
	const char *i = strstr(text, ";i="), *t = strstr(text, ";t=");
	*seqnum = i ? strtoull(i + 3, NULL, 16) : 0;
	*time = t ? strtoull(t + 3, NULL, 16) : 0;
}

uint64_t jfile_number(sd_journal *j)
{
	char *text;
	uint64_t seqnum, time;
	if (sd_journal_get_cursor(j, &text) < 0)
		return 0;
	take_cursor(text, &seqnum, &time);
	free(text);
	return seqnum;
}

static int seek(sd_journal *j, const struct jfile *f, uint64_t seqnum)
{
	char text[80];
	if (seqnum <= f->h.head)
		return sd_journal_seek_head(j);
	snprintf(text, sizeof(text), "s=%s;i=%llx", f->h.seqnum_id, (unsigned long long)seqnum);
	return sd_journal_seek_cursor(j, text);
}

int jfile_begin(struct state *s, struct jfile *f, uint64_t seqnum)
{
	int r;
	jfile_end(f);
	f->j = jfile_reader(s, f, &r);
	return f->j ? seek(f->j, f, seqnum) : r;
}

int jfile_next(struct jfile *f)
{
	if (f->has_entry)
		return 1;
	int r = sd_journal_next(f->j);
	if (r <= 0)
		return r;
	r = sd_journal_get_cursor(f->j, &f->cursor);
	if (r < 0)
		return r;
	take_cursor(f->cursor, &f->seqnum, &f->time);
	f->has_entry = true;
	f->stuck_ns = 0;
	return 1;
}

void jfile_taken(struct jfile *f)
{
	free(f->cursor);
	f->cursor = NULL;
	f->has_entry = false;
}

void jfile_end(struct jfile *f)
{
	jfile_taken(f);
	sd_journal_close(f->j);
	f->j = NULL;
}

void jfile_leave(struct jfile *f)
{
	jfile_end(f);
	f->is_done = true;
	close(f->fd);
	f->fd = -1;
}

/* The clock can have been set back in between: then all is between that is not after the one
 * and before the other.
 */
static bool is_between(uint64_t time, uint64_t since, uint64_t until)
{
	return since <= until ? time >= since && time <= until : time >= since || time <= until;
}

int jfile_count(const struct state *s, const struct jfile *f, uint64_t from, uint64_t to,
		uint64_t since, uint64_t until, uint64_t *ret)
{
	int r;
	uint64_t seqnum, time;
	struct jfile open_one = *f;
	*ret = 0;
	if (f->fd < 0)
		open_one.fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (open_one.fd < 0)
		return -errno;
	sd_journal *j = jfile_reader(s, &open_one, &r);
	if (j)
		r = seek(j, f, from);
	while (r >= 0 && (r = sd_journal_next(j)) > 0) {
		seqnum = jfile_number(j);
		if (seqnum > to || !seqnum)
			break;
		if (seqnum >= from && sd_journal_get_realtime_usec(j, &time) >= 0)
			*ret += is_between(time, since, until);
	}
	sd_journal_close(j);
	if (f->fd < 0)
		close(open_one.fd);
	return r < 0 ? r : 0;
}
