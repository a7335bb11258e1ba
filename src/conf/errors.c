/* SPDX-License-Identifier: MIT */
#include "conf/errors.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"

void errors_fini(struct errors *e)
{
	for (int i = 0; i < e->count; i++) {
		free(e->all[i].file);
		free(e->all[i].text);
	}
	free(e->all);
	free(e->main_file);
	*e = (struct errors){0};
}

void place_put(struct buf *out, struct place at)
{
	if (at.file)
		utf8_put_visible(out, str_of(at.file));
	if (at.file && at.line)
		buf_printf(out, ":%d:%d", at.line, at.column);
	if (at.file)
		buf_puts(out, ": ");
}

void errors_add(struct errors *e, struct place at, const char *where, const char *fmt, ...)
{
	struct buf what = {0}, text = {0};
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&what, fmt, ap);
	va_end(ap);
	place_put(&text, at);
	if (where) {
		utf8_put_visible(&text, str_of(where));
		buf_puts(&text, ": ");
	}
	while (what.len && what.data[what.len - 1] == '\n')
		what.len--;
	/* Indented, so that a value cannot pass for another mistake. */
	utf8_put_visible_lines(&text, buf_str(&what), "  ");
	e->all = mem_resize(e->all, ((size_t)e->count + 1) * sizeof(e->all[0]));
	e->all[e->count] = (struct mistake){.file = mem_strdup(at.file ? at.file : ""),
					    .line = at.line,
					    .column = at.column,
					    .number = e->count,
					    .text = mem_strdup(buf_text(&text))};
	e->count++;
	buf_fini(&what);
	buf_fini(&text);
}

static int compare(const void *left, const void *right, void *main_file)
{
	const struct mistake *a = left, *b = right;
	bool a_is_main = main_file && strcmp(a->file, main_file) == 0;
	bool b_is_main = main_file && strcmp(b->file, main_file) == 0;
	int files = a_is_main || b_is_main ? b_is_main - a_is_main : strcmp(a->file, b->file);
	if (files)
		return files;
	if (a->line != b->line)
		return a->line - b->line;
	return a->column != b->column ? a->column - b->column : a->number - b->number;
}

void errors_put(struct errors *e, struct buf *out)
{
	if (e->count)
		qsort_r(e->all, (size_t)e->count, sizeof(e->all[0]), compare, e->main_file);
	for (int i = 0; i < e->count; i++)
		buf_printf(out, "%s\n", e->all[i].text);
}

void errors_log(struct errors *e)
{
	struct buf text = {0};
	errors_put(e, &text);
	log_text(buf_str(&text));
	buf_fini(&text);
}
