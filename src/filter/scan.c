/* SPDX-License-Identifier: MIT */
#include "filter/scan.h"

#include "filter/internal.h"

/* ---- what every match holds ------------------------------------------------------------ */

/* By how often they are in logs, roughly; what is not here is rare. */
static const char common[] = " e0t1a2io3n4s5r6l7d8c9uhmpg/-.:f,bywv=kxjq\"z_[]()";

/* Of all but the one at `other`. */
static size_t rarest_of(const struct scan_literal *l, size_t other)
{
	size_t best = l->len, best_rank = 0;
	for (size_t i = 0; i < l->len; i++) {
		const char *p = memchr(common, l->text[i], sizeof(common) - 1);
		size_t rank = p ? (size_t)(p - common) : sizeof(common);
		if (i != other && (best == l->len || rank > best_rank)) {
			best = i;
			best_rank = rank;
		}
	}
	return best;
}

static bool add(struct filter_scan *s, struct str text, bool is_any_case)
{
	if (text.len < SCAN_LITERAL_MIN || s->n == SCAN_LITERALS_MAX)
		return false;
	struct scan_literal *l = &s->literals[s->n++];
	*l = (struct scan_literal){.is_any_case = is_any_case,
				   .len = MIN(text.len, (size_t)SCAN_LITERAL_MAX)};
	memcpy(l->text, text.data, l->len);
	l->rare[0] = rarest_of(l, l->len);
	l->rare[1] = rarest_of(l, l->rare[0]);
	l->n_grams = grams_of((struct str){l->text, l->len}, l->grams);
	return true;
}

/* Other characters than these fold to k and s, and what is not ASCII folds by tables: of a folded
 * text the longest part without them.
 */
static bool is_plain(char c)
{
	return (unsigned char)c < 0x80 && c != 'k' && c != 's';
}

static bool add_folded(struct filter_scan *s, struct str folded)
{
	struct str best = {NULL, 0};
	for (size_t i = 0; i < folded.len;) {
		size_t n = 0;
		while (i + n < folded.len && is_plain(folded.data[i + n]))
			n++;
		if (n > best.len)
			best = (struct str){folded.data + i, n};
		i += n + 1;
	}
	return add(s, best, true);
}

static bool add_node(struct filter_scan *s, const struct node *n);

static bool add_values(struct filter_scan *s, const struct node *n)
{
	for (size_t i = 0; i < n->n_values; i++)
		if (n->values[i].type != VALUE_STRING || !add(s, n->values[i].string, false))
			return false;
	return n->n_values;
}

static bool add_field_value(struct filter_scan *s, struct str name, const struct value *v)
{
	if (s->n == SCAN_LITERALS_MAX)
		return false;
	struct scan_literal *l = &s->literals[s->n++];
	*l = (struct scan_literal){.n_field_grams = GRAMS_OF_FIELD};
	return grams_of_field(name, v, l->field_grams);
}

/* "a.b" may be the name of a field, or be in the JSON of a field "a".  Only the index is of use:
 * JSON has many forms for one value.
 */
static bool add_field(struct filter_scan *s, const struct node *n)
{
	static const struct value json = {.type = VALUE_JSON};
	for (size_t i = 0; i < n->n_values; i++)
		if (!add_field_value(s, str_of(n->field), &n->values[i]))
			return false;
	for (const char *dot = strchr(n->field, '.'); dot; dot = strchr(dot + 1, '.'))
		if (!add_field_value(s, (struct str){n->field, (size_t)(dot - n->field)}, &json))
			return false;
	return n->n_values;
}

static size_t shortest(const struct filter_scan *s)
{
	size_t ret = s->n ? SIZE_MAX : 0;
	for (size_t i = 0; i < s->n; i++)
		ret = MIN(ret, s->literals[i].len);
	return ret;
}

/* What holds both: the longer text, and the grams of both as far as there is room. */
static void join(struct scan_literal *l, const struct scan_literal *other)
{
	const struct scan_literal *longer = other->len > l->len ? other : l;
	struct scan_literal both = *longer;
	longer = longer == l ? other : l;
	size_t n = MIN(longer->n_grams, SCAN_GRAMS_MAX - both.n_grams);
	memcpy(both.grams + both.n_grams, longer->grams, n * sizeof(both.grams[0]));
	both.n_grams += n;
	n = MIN(longer->n_field_grams, SCAN_FIELD_GRAMS_MAX - both.n_field_grams);
	memcpy(both.field_grams + both.n_field_grams, longer->field_grams,
	       n * sizeof(both.field_grams[0]));
	both.n_field_grams += n;
	*l = both;
}

/* The operands with one literal together, or one of the others: that of which most is known, which
 * has the longest texts.
 */
static bool add_best(struct filter_scan *s, const struct node *n)
{
	struct filter_scan joined = {.n = 0}, best = {.n = 0}, one;
	for (size_t i = 0; i < n->n_children; i++) {
		one = (struct filter_scan){.n = 0};
		if (!add_node(&one, n->children[i]))
			continue;
		if (one.n == 1 && joined.n)
			join(&joined.literals[0], &one.literals[0]);
		else if (one.n == 1)
			joined = one;
		else if (!best.n || shortest(&one) > shortest(&best))
			best = one;
	}
	if (joined.n && (!best.n || shortest(&joined) || shortest(&best) < GRAMS_MIN))
		best = joined;
	if (!best.n || s->n + best.n > SCAN_LITERALS_MAX)
		return false;
	memcpy(&s->literals[s->n], best.literals, best.n * sizeof(best.literals[0]));
	s->n += best.n;
	return true;
}

/* An index is asked for all literal parts of the regex together; the text is searched only for the
 * longest.
 */
static bool add_regex(struct filter_scan *s, const struct regex *r)
{
	if (!r->literal_len || !add(s, (struct str){r->literal, r->literal_len}, false))
		return false;
	struct scan_literal *l = &s->literals[s->n - 1];
	for (size_t at = 0; at < r->literals.len;) {
		size_t n = (unsigned char)r->literals.data[at];
		struct str text = {r->literals.data + at + 1, MIN(n, (size_t)SCAN_LITERAL_MAX)};
		if (l->n_grams + grams_max(text.len) <= SCAN_GRAMS_MAX)
			l->n_grams += grams_of(text, l->grams + l->n_grams);
		at += 1 + n;
	}
	return true;
}

static bool add_node(struct filter_scan *s, const struct node *n)
{
	if (n->kind == NODE_AND)
		return add_best(s, n);
	if (n->kind == NODE_OR) {
		for (size_t i = 0; i < n->n_children; i++)
			if (!add_node(s, n->children[i]))
				return false;
		return true;
	}
	if (n->subject == SUBJECT_FIELD && (n->kind == NODE_EQ || n->kind == NODE_IN))
		return add_field(s, n);
	if (n->subject != SUBJECT_MESSAGE)
		return false;
	switch (n->kind) {
	case NODE_EQ:
	case NODE_IN:
	case NODE_CONTAINS:
	case NODE_STARTSWITH:
	case NODE_ENDSWITH: return add_values(s, n);
	case NODE_ICONTAINS: return add_folded(s, buf_str(&n->folded));
	case NODE_MATCHES: return add_regex(s, n->regex);
	default: return false;
	}
}

void filter_scan_init(struct filter_scan *s, const struct filter *f, struct str channel)
{
	*s = (struct filter_scan){.always = SEVERITIES_ALL};
	if (!f)
		return;
	if (!add_node(s, f->root))
		s->n = 0;
	s->is_in_text = shortest(s) > 0;
	filter_by_severity(f, channel, &s->always, &s->never);
}

/* ---- looking for it -------------------------------------------------------------------- */

static char small(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_here(const struct scan_literal *l, const char *p)
{
	for (size_t i = 0; i < l->len; i++)
		if (small(p[i]) != l->text[i])
			return false;
	return true;
}

/* Many bytes at once, in whatever the processor has for that. */
typedef unsigned char many __attribute__((vector_size(16)));
enum { STRIDE = 4 * sizeof(many) };
typedef uint64_t words __attribute__((vector_size(16)));

static many load(const char *p)
{
	many ret;
	memcpy(&ret, p, sizeof(ret));
	return ret;
}

static many all_of(unsigned char c)
{
	return c - (many){0};
}

static bool is_any_set(many m)
{
	words w = (words)m;
	return (w[0] | w[1]) != 0;
}

/* In [from, to), from which on it may stand as a whole; `to` if it does not. */
static const char *find_one_by_one(const struct scan_literal *l, const char *from, const char *to)
{
	for (; from < to; from++)
		if (l->is_any_case ? is_here(l, from) : memcmp(from, l->text, l->len) == 0)
			return from;
	return to;
}

/* Places where both of its rarest bytes stand are few, and are found fast.  Bit 0x20 is that
 * between small letters and capital ones; other bytes that differ in it are found for nothing.
 */
static const char *find(const struct scan_literal *l, const char *from, const char *end)
{
	if ((size_t)(end - from) < l->len)
		return end;
	const char *to = end - l->len + 1;
	const unsigned char fold = l->is_any_case ? 0x20 : 0;
	const many folds = all_of(fold);
	const many first = all_of((unsigned char)l->text[l->rare[0]] | fold);
	const many second = all_of((unsigned char)l->text[l->rare[1]] | fold);
	const char *p = from + l->rare[0], *q = from + l->rare[1];
	for (; to - from >= STRIDE; from += STRIDE, p += STRIDE, q += STRIDE) {
		many hits = {0};
		for (size_t i = 0; i < STRIDE; i += sizeof(many))
			hits |= (many)((load(p + i) | folds) == first) &
				(many)((load(q + i) | folds) == second);
		if (!is_any_set(hits))
			continue;
		const char *block = from + STRIDE, *hit = find_one_by_one(l, from, block);
		if (hit < block)
			return hit;
	}
	const char *hit = find_one_by_one(l, from, to);
	return hit < to ? hit : end;
}

const char *filter_scan_next(const struct filter_scan *s, struct scan_place *at, const char *from,
			     const char *end)
{
	const char *first = s->is_in_text ? end : from;
	for (size_t i = 0; s->is_in_text && i < s->n; i++) {
		if (!at->next[i] || at->next[i] < from)
			at->next[i] = find(&s->literals[i], from, end);
		first = MIN(first, at->next[i]);
	}
	return first;
}
