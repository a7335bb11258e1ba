/* SPDX-License-Identifier: MIT */
#include "common/text.h"

#include <ctype.h>

bool text_take_quoted(struct text *t, struct text *ret)
{
	if (!t->n || *t->p != '"')
		return false;
	for (size_t i = 1; i < t->n; i++) {
		if (t->p[i] == '\\')
			i++;
		else if (t->p[i] == '"') {
			*ret = (struct text){t->p + 1, i - 1};
			text_advance(t, i + 1);
			text_take_blanks(t);
			return true;
		}
	}
	return false;
}

bool text_is_number(struct text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (!isdigit((unsigned char)t.p[i]))
			return false;
	return t.n > 0 && t.n < 19;
}

int64_t text_number(struct text t)
{
	int64_t v = 0;
	bool minus = t.n && *t.p == '-';
	for (size_t i = minus; i < t.n && i < 18 && isdigit((unsigned char)t.p[i]); i++)
		v = v * 10 + t.p[i] - '0';
	return minus ? -v : v;
}

void text_put(struct fields *f, const char *name, struct text t)
{
	if (t.n && !text_is(t, "-"))
		fields_str(f, name, t.p, t.n);
}

void text_put_number(struct fields *f, const char *name, struct text t)
{
	if (text_is_number(t))
		fields_int(f, name, text_number(t));
	else
		text_put(f, name, t);
}
