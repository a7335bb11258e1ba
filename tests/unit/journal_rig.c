/* SPDX-License-Identifier: MIT */
#include "journal_rig.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "journal/checkpoint.h"
#include "past/replay.h"
#include "unit.h"

char dir[64];

void make_dir(void)
{
	strcpy(dir, "/tmp/sluice-journal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

void remove_dir(void)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[400];
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	closedir(d);
	rmdir(dir);
}

static void on_cursor(void *ctx, const struct cursor *c, event_id at maybe_unused)
{
	struct seen *s = ctx;
	s->n_cursors++;
	snprintf(s->last, sizeof(s->last), "%.*s", (int)c->value.len, c->value.data);
}

struct journal_config config(struct seen *s)
{
	return (struct journal_config){.dir = dir,
				       .epoch = "test",
				       .max_bytes = 1 << 20,
				       .on_cursor = on_cursor,
				       .ctx = s};
}

void open_journal(struct journal *j, struct seen *s)
{
	char *why = NULL;
	struct journal_config c = config(s);
	*s = (struct seen){0};
	ck_assert_msg(journal_open(&c, j, &why) == 0, "%s", why);
	ck_assert_msg(journal_begin(j, &why) == 0, "%s", why);
}

void append_of(struct journal *j, int n, size_t pad, const char *type)
{
	struct buf b = {0}, text = {0};
	buf_reserve(&b, BATCH_HEADER);
	b.len = BATCH_HEADER;
	buf_printf(&text, "%d", n);
	size_t len = text.len;
	for (size_t i = 0; i < pad; i++)
		buf_putc(&text, 'x');
	event_id id = id_make((uint64_t)n, 0);
	record_put_event(&b, &(struct event){.id = id,
					     .severity = SEVERITY_NONE,
					     .type = str_of(type),
					     .source = STR("s"),
					     .message = buf_str(&text)});
	record_put_cursor(&b, &(struct cursor){STR("s"), STR("k"), {text.data, len}});
	ck_assert_int_eq(journal_append(j, &b, id, id, 1, n), 0);
	buf_fini(&b);
	buf_fini(&text);
}

void append(struct journal *j, int n, size_t pad)
{
	append_of(j, n, pad, "line");
}

static struct filter_run run; /* no filter here uses it */

void replay_all(struct journal *j, event_id after, event_id gap_to, uint64_t tail, struct buf *out)
{
	struct replay *r = replay_new(1);
	r->epoch = STR("e");
	r->format = FORMAT_SSE_MESSAGE;
	r->run = &run;
	r->after = after;
	r->upto = j->last;
	r->tail = tail;
	r->budget = SIZE_MAX / 2;
	r->channels[0].name = STR("c");
	r->channels[0].gap_to = gap_to;
	if (tail) {
		journal_snapshot_back(j, j->last, &r->channels[0].snapshot);
		tail_search_init(&r->search, r->channels, 1, r->upto, tail);
	} else {
		journal_snapshot(j, after, &r->channels[0].snapshot);
	}
	while (!replay_run(r))
		;
	bool is_complete = r->is_complete;
	event_id last = r->last;
	buf_put_str(out, buf_str(&r->out));
	replay_free(r);
	if (!is_complete) /* its slice of time was over, as under valgrind */
		replay_all(j, last, 0, 0, out);
}

int count(struct buf *b, const char *what)
{
	int n = 0;
	for (const char *p = buf_text(b); (p = strstr(p, what)); p++)
		n++;
	return n;
}

char *only_segment(void)
{
	DIR *d = opendir(dir);
	char *path = NULL;
	for (struct dirent *e; (e = readdir(d));)
		if (strstr(e->d_name, ".seg"))
			path = mem_printf("%s/%s", dir, e->d_name);
	closedir(d);
	return path;
}

void put_checkpoint(void *ctx maybe_unused, struct buf *entries)
{
	checkpoint_put(entries, 1, &(struct cursor){STR("s"), STR("old"), STR("still here")});
}
