/* SPDX-License-Identifier: MIT */
#include "host/needs.h"

#include <stdlib.h>

#include "base/mem.h"

/* One word of sluice_option.needs. */
struct need {
	char *name;       /* owned */
	const char *text; /* in the word; NULL: none */
	char how;         /* '=', '~', '!', or 0 */
};

static struct need need_of(const char *word, size_t n)
{
	if (*word == '!')
		return (struct need){.name = mem_strndup(word + 1, n - 1), .how = '!'};
	size_t len = strcspn(word, "=~ ");
	if (len >= n)
		return (struct need){.name = mem_strndup(word, n)};
	return (struct need){mem_strndup(word, len), word + len + 1, word[len]};
}

/* Whether that value is what the option has without being set. */
static bool is_default(const struct sluice_option *o, const char *value)
{
	int64_t a, b;
	char *why = NULL;
	if (!o->fallback)
		return false;
	bool is_number = o->type != SLUICE_STRING && !option_number(o, value, &a, &why) &&
			 !option_number(o, o->fallback, &b, &why);
	free(why);
	return is_number ? a == b : strcmp(value, o->fallback) == 0;
}

/* Whether it says that something is not wanted: then nothing is missed. */
static bool is_off(const struct sluice_option *o, const struct option_value *v)
{
	static const char *const words[] = {"", "0", "false", "none"};
	if (!v->n)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (o->fallback && strcmp(o->fallback, words[i]) == 0)
			return v->n == 1 && is_default(o, v->items[0]);
	return false;
}

static bool is_like(const struct need *need, const char *value, size_t n)
{
	if (need->how == '=')
		return strlen(value) == n && memcmp(value, need->text, n) == 0;
	return memmem(value, strlen(value), need->text, n) != NULL;
}

static bool is_met(const struct need *need, size_t text_len, const struct sluice_option *table,
		   const struct option_values *set)
{
	const struct option_value *v = option_find(set, need->name);
	const struct sluice_option *o = option_lookup(table, need->name);
	if (need->how == '!')
		return !option_is_set(set, need->name);
	if (!o)
		return true; /* the table is wrong, not the configuration */
	if (!need->how)
		return v && v->n && !is_default(o, v->items[0]);
	if (!v)
		return o->fallback && is_like(need, o->fallback, text_len);
	for (size_t i = 0; i < v->n; i++)
		if (is_like(need, v->items[i], text_len))
			return true;
	return false;
}

static void put_need(struct buf *out, const struct need *need, size_t text_len)
{
	if (need->how == '~')
		buf_printf(out, "\"%.*s\" in %s", (int)text_len, need->text, need->name);
	else if (need->how == '=')
		buf_printf(out, "%s: %.*s", need->name, (int)text_len, need->text);
	else
		buf_puts(out, need->name);
}

/* What is missing, as "a, b or c"; empty: nothing is. */
static void put_missing(struct buf *out, const struct sluice_option *o,
			const struct sluice_option *table, const struct option_values *set)
{
	bool is_any = false;
	for (const char *p = o->needs; *p && !is_any;) {
		size_t n = strcspn(p, " ");
		const char *next = p + n + (p[n] == ' ');
		struct need need = need_of(p, n);
		size_t text_len = need.text ? (size_t)(p + n - need.text) : 0;
		is_any = is_met(&need, text_len, table, set);
		if (need.how != '!') {
			buf_puts(out, !out->len ? "" : *next ? ", " : " or ");
			put_need(out, &need, text_len);
		}
		free(need.name);
		p = next;
	}
	if (is_any)
		out->len = 0;
}

void needs_check(const struct sluice_option *table, const struct option_values *set,
		 void (*tell)(void *ctx, const char *sentence), void *ctx)
{
	struct buf missing = {0}, sentence = {0};
	for (const struct sluice_option *o = table; o && o->name; o++) {
		const struct option_value *v = o->needs ? option_find(set, o->name) : NULL;
		missing.len = sentence.len = 0;
		if (v && !(v->flags & OPTION_FALLBACK) && !is_off(o, v))
			put_missing(&missing, o, table, set);
		if (!missing.len)
			continue;
		buf_printf(&sentence, "%s has no effect without %s (set that, or remove %s)",
			   o->name, buf_text(&missing), o->name);
		tell(ctx, buf_text(&sentence));
	}
	buf_fini(&missing);
	buf_fini(&sentence);
}
