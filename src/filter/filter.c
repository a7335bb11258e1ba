/* SPDX-License-Identifier: MIT */
#include "filter/filter.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "filter/fold.h"
#include "filter/internal.h"
#include "filter/parse.h"

static bool has_regex(const struct node *n)
{
	bool has = n->regex != NULL;
	for (size_t i = 0; i < n->n_children && !has; i++)
		has = has_regex(n->children[i]);
	return has;
}

bool filter_has_regex(const struct filter *f)
{
	return f->has_regex;
}

static struct filter *make(struct regex_pool *pool, struct str text, int depth_max, struct buf *why)
{
	struct node *root = parse_filter(pool, text, depth_max, why);
	if (!root)
		return NULL;
	struct filter *f = mem_zero(sizeof(*f));
	f->refs = 1;
	f->root = root;
	f->has_regex = has_regex(root);
	node_put(&f->text, root);
	return f;
}

struct filter *filter_compose(struct regex_pool *pool, struct str text, struct buf *why)
{
	return make(pool, text, 2 * DEPTH_MAX, why);
}

struct filter *filter_parse(struct regex_pool *pool, struct str text, struct buf *why)
{
	if (text.len > FILTER_TEXT_MAX) {
		buf_printf(why, "the filter is longer than %d bytes\n", FILTER_TEXT_MAX);
		return NULL;
	}
	if (utf8_valid_prefix(text.data, text.len) != text.len ||
	    (text.len && memchr(text.data, 0, text.len))) {
		buf_puts(why, "the filter is no UTF-8 text\n");
		return NULL;
	}
	return make(pool, text, DEPTH_MAX, why);
}

struct filter *filter_ref(struct filter *f)
{
	if (f)
		f->refs++;
	return f;
}

void filter_unref(struct filter *f)
{
	if (!f || --f->refs)
		return;
	node_free(f->root);
	buf_fini(&f->text);
	free(f);
}

struct str filter_text(const struct filter *f)
{
	return buf_str(&f->text);
}

static const char *trouble_of(const struct node *n)
{
	const char *found = n->regex && n->regex->is_slow ? n->regex->pattern : NULL;
	for (size_t i = 0; i < n->n_children && !found; i++)
		found = trouble_of(n->children[i]);
	return found;
}

const char *filter_trouble(const struct filter *f)
{
	return trouble_of(f->root);
}

/* ---- shorthands ------------------------------------------------------------------- */

void filter_put_string(struct buf *out, struct str s)
{
	node_put_string(out, s);
}

/* Whether an odd number of backslashes stands before it. */
static bool is_escaped(struct str s, size_t at)
{
	size_t n = 0;
	while (n < at && s.data[at - n - 1] == '\\')
		n++;
	return n % 2 != 0;
}

/* Whether what is between slashes is a regex.  A path may look like one, /usr/bin/, so
 * something in it has to be more than text: a special character, or the flag i where no
 * further slash speaks for a path.
 */
static bool is_regex(struct str s)
{
	static const char special[] = "^$*+?()[]{}|\\";
	size_t end = s.len, n_slashes = 0;
	bool is_special = false;
	while (end > 1 && strchr("imsx", s.data[end - 1]))
		end--;
	if (end < 3 || s.data[0] != '/' || s.data[end - 1] != '/' || s.len > end + 4)
		return false;
	for (size_t i = 1; i < end - 1; i++) {
		n_slashes += s.data[i] == '/';
		is_special |= memchr(special, s.data[i], sizeof(special) - 1) != NULL;
	}
	if (is_escaped(s, end - 1))
		return false; /* it has no end */
	bool has_i = memchr(s.data + end, 'i', s.len - end) != NULL;
	return is_special || (has_i && !n_slashes);
}

/* The first and the last slash are its ends; those between stand for themselves. */
static void put_regex(struct buf *out, struct str s)
{
	const char *last = memrchr(s.data, '/', s.len);
	buf_puts(out, "message ~ ");
	for (size_t i = 0; i < s.len; i++) {
		bool is_inner = s.data[i] == '/' && i > 0 && s.data + i != last;
		if (is_inner && !is_escaped(s, i))
			buf_putc(out, '\\');
		buf_putc(out, s.data[i]);
	}
}

/* As events have them: a form sends CR LF, and often one behind the last line. */
static void put_lines(struct buf *out, struct str s)
{
	while (s.len && strchr("\r\n", s.data[s.len - 1]))
		s.len--;
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != '\r' || i + 1 == s.len || s.data[i + 1] != '\n')
			buf_putc(out, s.data[i]);
}

void filter_put_grep(struct buf *out, struct str text)
{
	struct buf lines = {0};
	put_lines(&lines, text);
	text = buf_str(&lines);
	if (is_regex(text)) {
		put_regex(out, text);
	} else {
		buf_puts(out, fold_has_capital(text) ? "message contains " : "message icontains ");
		filter_put_string(out, text);
	}
	buf_fini(&lines);
}

void filter_put_one_of(struct buf *out, const char *subject, struct str values)
{
	buf_printf(out, "%s in (", subject);
	for (;;) {
		const char *comma = memchr(values.data, ',', values.len);
		size_t n = comma ? (size_t)(comma - values.data) : values.len;
		filter_put_string(out, utf8_trim((struct str){values.data, n}));
		if (!comma)
			break;
		buf_puts(out, ", ");
		values.data += n + 1;
		values.len -= n + 1;
	}
	buf_putc(out, ')');
}
