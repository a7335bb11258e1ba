/* SPDX-License-Identifier: MIT
 *
 * The grammar, from weak to strong:
 *
 *	or       and { ("or" | "||") and }
 *	and      not { ("and" | "&&") not }
 *	not      ["not" | "!"] ( "(" or ")" | "exists" "(" subject ")" | test )
 *	test     subject operator value | subject ["not"] "in" "(" value {"," value} ")"
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/timestamp.h"
#include "base/unit.h"
#include "filter/fold.h"
#include "filter/lex.h"
#include "filter/node.h"
#include "filter/parse.h"
#include "wire/event_json.h"

struct parser {
	struct lexer lexer;
	struct token token; /* looked at, not taken */
	struct regex_pool *pool;
	struct buf *why;
	bool failed;
	int depth, depth_max, n_nodes, n_regexes;
};

static struct node *parse_or(struct parser *p);

/* ---- errors ------------------------------------------------------------------------- */

static size_t count_characters(const char *s, size_t n)
{
	size_t c = 0;
	for (size_t i = 0; i < n; i++)
		c += ((unsigned char)s[i] & 0xc0) != 0x80;
	return c;
}

/* The sentence, then the text with a caret below the place; a long text is shown
 * around it.  Only the first error is told: the others follow from it.
 */
printf_like(3, 4) static void fail(struct parser *p, size_t at, const char *fmt, ...)
{
	enum { AROUND = 60 };
	if (p->failed)
		return;
	p->failed = true;
	va_list ap;
	char text[512];
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	struct str whole = p->lexer.whole;
	size_t from = at > AROUND ? at - AROUND : 0, to = MIN(whole.len, at + AROUND);
	while (from > 0 && ((unsigned char)whole.data[from] & 0xc0) == 0x80)
		from--;
	while (to < whole.len && ((unsigned char)whole.data[to] & 0xc0) == 0x80)
		to++;
	buf_printf(p->why, "the filter, at character %zu: %s\n  ",
		   count_characters(whole.data, at) + 1, text);
	for (size_t i = from; i < to; i++)
		buf_putc(p->why, (unsigned char)whole.data[i] < 0x20 ? ' ' : whole.data[i]);
	buf_puts(p->why, "\n  ");
	for (size_t i = count_characters(whole.data + from, at - from); i > 0; i--)
		buf_putc(p->why, ' ');
	buf_puts(p->why, "^\n");
}

/* ---- words ---------------------------------------------------------------------------- */

static void advance(struct parser *p)
{
	p->token = lexer_next(&p->lexer);
	if (p->token.kind == TOKEN_BAD)
		fail(p, p->token.at, "%s", p->token.why);
}

static bool is_sign(const struct parser *p, const char *sign)
{
	return p->token.kind == TOKEN_SIGN && str_is(p->token.text, sign);
}

static bool is_word(const struct parser *p, const char *word)
{
	return p->token.kind == TOKEN_WORD && p->token.text.len == strlen(word) &&
	       strncasecmp(p->token.text.data, word, p->token.text.len) == 0;
}

static bool take(struct parser *p, const char *sign_or_word)
{
	if (p->failed || (!is_sign(p, sign_or_word) && !is_word(p, sign_or_word)))
		return false;
	advance(p);
	return true;
}

static void expect(struct parser *p, const char *sign, const char *what)
{
	if (!take(p, sign))
		fail(p, p->token.at, "%s", what);
}

/* ---- subjects --------------------------------------------------------------------------- */

static bool subject_of(struct str name, struct node *n)
{
	for (int i = 0; i < SUBJECT_FIELD; i++) {
		if (str_is(name, subject_names[i])) {
			n->subject = (enum subject)i;
			return true;
		}
	}
	n->subject = SUBJECT_FIELD;
	if (name.len > 7 && memcmp(name.data, "fields.", 7) == 0) {
		n->field = mem_strndup(name.data + 7, name.len - 7);
		return true;
	}
	return false;
}

/* fields["any name"] */
static void parse_bracket(struct parser *p, struct node *n)
{
	expect(p, "[", "\"fields\" alone names none of them (write fields.NAME)");
	if (!p->failed && p->token.kind == TOKEN_STRING && p->token.text.len)
		n->field = mem_strndup(p->token.text.data, p->token.text.len);
	else
		fail(p, p->token.at, "here the name of a field is missing: fields[\"NAME\"]");
	if (!p->failed)
		advance(p);
	expect(p, "]", "a ] is missing after the field's name");
}

static void parse_subject(struct parser *p, struct node *n)
{
	struct token t = p->token;
	if (t.kind == TOKEN_END) {
		fail(p, t.at,
		     "it ends where a comparison is expected, such as severity <= warning");
		return;
	}
	if (t.kind != TOKEN_WORD) {
		fail(p, t.at,
		     "a name is expected here: severity, message, source, channel, type, time "
		     "or fields.NAME");
		return;
	}
	if (str_is(t.text, "fields")) {
		n->subject = SUBJECT_FIELD;
		advance(p);
		parse_bracket(p, n);
		return;
	}
	if (!subject_of(t.text, n)) {
		char *name = mem_strndup(t.text.data, t.text.len);
		const char *near = unit_nearest(name, subject_names);
		bool known = near && strcmp(near, "fields") != 0;
		fail(p, t.at,
		     known ? "there is no \"%.40s\" (did you mean %s?)"
			   : "there is no \"%.40s\" (an event's own fields are written "
			     "fields.%.40s)",
		     name, known ? near : name);
		free(name);
		return;
	}
	advance(p);
}

/* ---- values ------------------------------------------------------------------------------- */

static int severity_of(struct str name)
{
	static const struct {
		const char *name;
		int severity;
	} others[] = {{"emerg", 0}, {"panic", 0}, {"crit", 2},       {"err", 3},
		      {"warn", 4},  {"note", 5},  {"information", 6}};
	for (int i = 0; i < 8; i++)
		if (strlen(severity_name((uint8_t)i)) == name.len &&
		    strncasecmp(severity_name((uint8_t)i), name.data, name.len) == 0)
			return i;
	for (size_t i = 0; i < array_size(others); i++)
		if (strlen(others[i].name) == name.len &&
		    strncasecmp(others[i].name, name.data, name.len) == 0)
			return others[i].severity;
	struct value v = value_of_number(name);
	return v.type == VALUE_INT && v.integer >= 0 && v.integer <= 7 ? (int)v.integer : -1;
}

static struct value owned_string(struct str s)
{
	return (struct value){.type = VALUE_STRING,
			      .string = {mem_strndup(s.len ? s.data : "", s.len), s.len}};
}

/* What the next word means to a comparison with this subject. */
static struct value value_of_token(struct parser *p, const struct node *n)
{
	struct token t = p->token;
	struct value none = {0};
	int64_t ns;
	if (t.kind != TOKEN_WORD && t.kind != TOKEN_STRING && t.kind != TOKEN_NUMBER) {
		fail(p, t.at,
		     t.kind == TOKEN_REGEX ? "a regex is compared with ~, not with this operator"
					   : "a value is missing here");
		return none;
	}
	if (n->subject == SUBJECT_SEVERITY) {
		int s = severity_of(t.text);
		if (s < 0)
			fail(p, t.at,
			     "\"%.*s\" is no severity (emergency, alert, critical, error, warning, "
			     "notice, info, debug, or 0 to 7)",
			     (int)MIN(t.text.len, (size_t)40), t.text.data);
		return (struct value){.type = VALUE_INT, .integer = s};
	}
	if (n->subject == SUBJECT_TIME) {
		if (timestamp_parse(t.text, clock_wall_ns(), &ns))
			fail(p, t.at, "\"%.*s\" is no time (%s)", (int)MIN(t.text.len, (size_t)40),
			     t.text.data, TIMESTAMP_FORMS);
		return (struct value){.type = VALUE_INT, .integer = ns};
	}
	if (t.kind == TOKEN_WORD && n->subject == SUBJECT_FIELD) {
		if (str_is(t.text, "true") || str_is(t.text, "false"))
			return (struct value){.type = VALUE_BOOL,
					      .integer = str_is(t.text, "true")};
		if (str_is(t.text, "null"))
			return (struct value){.type = VALUE_NULL};
	}
	struct value number = value_of_number(t.text);
	if (t.kind == TOKEN_NUMBER && n->subject == SUBJECT_FIELD && number.type)
		return number;
	return owned_string(t.text);
}

static void parse_value(struct parser *p, struct node *n)
{
	char small[32];
	struct value v = value_of_token(p, n);
	node_add_value(n, v);
	if (n->kind == NODE_ICONTAINS)
		fold_put(&n->folded, value_text(&v, small));
	if (!p->failed)
		advance(p);
}

static void parse_values(struct parser *p, struct node *n)
{
	expect(p, "(", "\"in\" needs a list: in (\"a\", \"b\")");
	do
		parse_value(p, n);
	while (take(p, ","));
	expect(p, ")", "a ) or a comma is missing in this list");
	if (n->n_values > NODES_MAX)
		fail(p, p->token.at, "more than %d values in one list", NODES_MAX);
}

static void parse_regex(struct parser *p, struct node *n)
{
	struct token t = p->token;
	size_t at;
	if (t.kind != TOKEN_REGEX && t.kind != TOKEN_STRING) {
		fail(p, t.at, "a regex is missing here, such as /timed? out/i");
		return;
	}
	if (++p->n_regexes > REGEXES_MAX) {
		fail(p, t.at, "more than %d regexes in one filter", REGEXES_MAX);
		return;
	}
	struct buf why = {0};
	if (regex_get(p->pool, t.text, t.flags, &n->regex, &at, &why))
		fail(p, MIN(t.at + 1 + at, p->lexer.whole.len), "%s", buf_text(&why));
	buf_fini(&why);
	if (!p->failed)
		advance(p);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static struct node *negated(struct node *n)
{
	struct node *not = node_new(NODE_NOT);
	node_add(not, n);
	return not ;
}

static const struct {
	const char *sign;
	enum node_kind kind;
	bool negated;
} operators[] = {
	{"==", NODE_EQ, false},
	{"!=", NODE_EQ, true},
	{"<", NODE_LT, false},
	{"<=", NODE_LE, false},
	{">", NODE_GT, false},
	{">=", NODE_GE, false},
	{"~", NODE_MATCHES, false},
	{"!~", NODE_MATCHES, true},
	{"in", NODE_IN, false},
	{"contains", NODE_CONTAINS, false},
	{"icontains", NODE_ICONTAINS, false},
	{"startswith", NODE_STARTSWITH, false},
	{"endswith", NODE_ENDSWITH, false},
};

/* severity and time are numbers: text operators mean nothing to them. */
static void check_operator(struct parser *p, const struct node *n, size_t at)
{
	if ((n->subject == SUBJECT_SEVERITY || n->subject == SUBJECT_TIME) &&
	    n->kind >= NODE_CONTAINS)
		fail(p, at, "%s is compared with ==, !=, <, <=, >, >= or in",
		     subject_names[n->subject]);
}

static bool parse_operator(struct parser *p, struct node *n, bool *is_negated)
{
	*is_negated = take(p, "not");
	for (size_t i = 0; i < array_size(operators); i++) {
		size_t at = p->token.at;
		if (*is_negated && operators[i].kind < NODE_IN)
			continue;
		if (!take(p, operators[i].sign))
			continue;
		n->kind = operators[i].kind;
		*is_negated ^= operators[i].negated;
		check_operator(p, n, at);
		return true;
	}
	return false;
}

static struct node *parse_test(struct parser *p)
{
	struct node *n = node_new(NODE_EQ);
	bool is_negated = false;
	if (++p->n_nodes > NODES_MAX)
		fail(p, p->token.at, "more than %d comparisons in one filter", NODES_MAX);
	parse_subject(p, n);
	if (p->failed)
		return n;
	size_t next = p->token.at + 1;
	if (is_sign(p, "=") && next < p->lexer.whole.len && p->lexer.whole.data[next] == '~')
		fail(p, p->token.at, "a match with a regular expression is written ~");
	else if (is_sign(p, "="))
		fail(p, p->token.at, "equality is written ==");
	else if (!parse_operator(p, n, &is_negated))
		fail(p, p->token.at,
		     "an operator is expected here: == != < <= > >= ~ !~ contains icontains "
		     "startswith endswith in (or exists(...) around the name)");
	else if (n->kind == NODE_MATCHES)
		parse_regex(p, n);
	else if (n->kind == NODE_IN)
		parse_values(p, n);
	else
		parse_value(p, n);
	return is_negated ? negated(n) : n;
}

static struct node *parse_exists(struct parser *p)
{
	struct node *n = node_new(NODE_EXISTS);
	bool bracket = take(p, "(");
	p->n_nodes++;
	parse_subject(p, n);
	if (bracket)
		expect(p, ")", "a ) is missing after exists(...");
	return n;
}

static struct node *parse_not(struct parser *p)
{
	if (++p->depth > p->depth_max)
		fail(p, p->token.at, "nested more than %d deep", p->depth_max);
	struct node *n;
	if (p->failed) {
		n = node_new(NODE_EXISTS);
	} else if (take(p, "not") || take(p, "!")) {
		n = negated(parse_not(p));
	} else if (take(p, "exists")) {
		n = parse_exists(p);
	} else if (is_sign(p, "(")) {
		size_t at = p->token.at;
		advance(p);
		n = parse_or(p);
		if (!take(p, ")"))
			fail(p, p->token.kind == TOKEN_END ? at : p->token.at,
			     p->token.kind == TOKEN_END ? "this bracket is never closed"
							: "\"and\", \"or\" or ) is expected here");
	} else {
		n = parse_test(p);
	}
	p->depth--;
	return n;
}

static struct node *parse_row(struct parser *p, enum node_kind kind, const char *word,
			      const char *sign, struct node *(*parse_one)(struct parser *))
{
	struct node *first = parse_one(p), *row = NULL;
	while (take(p, word) || take(p, sign)) {
		if (!row) {
			row = node_new(kind);
			node_add(row, first);
		}
		node_add(row, parse_one(p));
	}
	return row ? row : first;
}

static struct node *parse_and(struct parser *p)
{
	return parse_row(p, NODE_AND, "and", "&&", parse_not);
}

static struct node *parse_or(struct parser *p)
{
	return parse_row(p, NODE_OR, "or", "||", parse_and);
}

struct node *parse_filter(struct regex_pool *pool, struct str text, int depth_max, struct buf *why)
{
	struct parser p = {.pool = pool, .why = why, .depth_max = depth_max};
	lexer_init(&p.lexer, text);
	advance(&p);
	struct node *n = parse_or(&p);
	if (p.token.kind != TOKEN_END)
		fail(&p, p.token.at, "\"and\" or \"or\" is expected here");
	lexer_fini(&p.lexer);
	if (!p.failed)
		return node_normalize(n);
	node_free(n);
	return NULL;
}
