/* SPDX-License-Identifier: MIT */
#include "filter/filter.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
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

static bool is_regex(struct str s)
{
	size_t n = s.len;
	while (n > 1 && isalpha((unsigned char)s.data[n - 1]))
		n--;
	return s.len > 2 && s.data[0] == '/' && n > 2 && s.data[n - 1] == '/' && n + 4 >= s.len;
}

static bool has_capital(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (isupper((unsigned char)s.data[i]))
			return true;
	return false;
}

void filter_put_grep(struct buf *out, struct str text)
{
	if (is_regex(text)) {
		buf_puts(out, "message ~ ");
		buf_put_str(out, text);
		return;
	}
	buf_puts(out, has_capital(text) ? "message contains " : "message icontains ");
	filter_put_string(out, text);
}

void filter_put_one_of(struct buf *out, const char *subject, struct str values)
{
	buf_printf(out, "%s in (", subject);
	for (;;) {
		const char *comma = memchr(values.data, ',', values.len);
		size_t n = comma ? (size_t)(comma - values.data) : values.len;
		filter_put_string(out, (struct str){values.data, n});
		if (!comma)
			break;
		buf_puts(out, ", ");
		values.data += n + 1;
		values.len -= n + 1;
	}
	buf_putc(out, ')');
}
