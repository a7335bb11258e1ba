/* SPDX-License-Identifier: MIT */
#include "filter/lex.h"

#include <ctype.h>

#include "base/utf8.h"

void lexer_init(struct lexer *l, struct str text)
{
	*l = (struct lexer){.whole = text};
}

void lexer_fini(struct lexer *l)
{
	buf_fini(&l->scratch);
}

static bool is_word_start(char c)
{
	return isalpha((unsigned char)c) || c == '_' || c == '@' || (c & 0x80);
}

static bool is_word(char c)
{
	return is_word_start(c) || isdigit((unsigned char)c) || c == '.' || c == '-' || c == ':';
}

static struct token bad(struct lexer *l, size_t at, const char *why)
{
	l->at = l->whole.len;
	return (struct token){.kind = TOKEN_BAD, .at = at, .why = why};
}

/* Quoted by ' or ": a backslash before either or itself, \n and \t; before
 * anything else it stands for itself, as in a Windows path.
 */
static struct token quoted(struct lexer *l, char quote)
{
	struct token t = {.kind = TOKEN_STRING, .at = l->at++};
	l->scratch.len = 0;
	for (; l->at < l->whole.len; l->at++) {
		char c = l->whole.data[l->at];
		if (c == quote) {
			l->at++;
			t.text = (struct str){buf_text(&l->scratch), l->scratch.len};
			return t;
		}
		char next = l->at + 1 < l->whole.len ? l->whole.data[l->at + 1] : 0;
		if (c == '\\' && next && strchr("\\\"'nt", next)) {
			c = next == 'n' ? '\n' : next == 't' ? '\t' : next;
			l->at++;
		}
		buf_putc(&l->scratch, c);
	}
	return bad(l, t.at, "this string has no end (the same quote is missing)");
}

/* "\/" stands for a slash; every other backslash is the regex's own. */
static struct token regex(struct lexer *l)
{
	struct token t = {.kind = TOKEN_REGEX, .at = l->at++};
	l->scratch.len = 0;
	for (;; l->at++) {
		if (l->at >= l->whole.len)
			return bad(l, t.at, "this regex has no end (a / is missing)");
		char c = l->whole.data[l->at];
		if (c == '/')
			break;
		if (c == '\\' && l->at + 1 < l->whole.len) {
			if (l->whole.data[++l->at] != '/')
				buf_putc(&l->scratch, '\\');
			c = l->whole.data[l->at];
		}
		buf_putc(&l->scratch, c);
	}
	l->at++;
	for (size_t n = 0; l->at < l->whole.len && isalpha((unsigned char)l->whole.data[l->at]);) {
		if (!strchr("imsx", l->whole.data[l->at]))
			return bad(l, l->at,
				   "a regex knows the flags i, m, s and x, but not this one");
		if (!strchr(t.flags, l->whole.data[l->at]))
			t.flags[n++] = l->whole.data[l->at];
		l->at++;
	}
	t.text = (struct str){buf_text(&l->scratch), l->scratch.len};
	return t;
}

/* All the white space here. */
static size_t space_at(const struct lexer *l)
{
	struct str rest = {l->whole.data + l->at, l->whole.len - l->at};
	size_t n, all = 0;
	while ((n = utf8_space(rest)) > 0) {
		all += n;
		rest.data += n;
		rest.len -= n;
	}
	return all;
}

static struct token span(struct lexer *l, enum token_kind kind, bool (*belongs)(char))
{
	struct token t = {.kind = kind, .at = l->at};
	while (l->at < l->whole.len && belongs(l->whole.data[l->at]) && !space_at(l))
		l->at++;
	t.text = (struct str){l->whole.data + t.at, l->at - t.at};
	return t;
}

static bool is_number(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '+' || c == ':';
}

struct token lexer_next(struct lexer *l)
{
	static const char *const signs[] = {"==", "!=", "<=", ">=", "!~", "&&", "||", "~", "<",
					    ">",  "=",  "(",  ")",  ",",  "!",  "[",  "]"};
	l->at += space_at(l);
	if (l->at == l->whole.len)
		return (struct token){.kind = TOKEN_END, .at = l->at};
	char c = l->whole.data[l->at];
	char next = l->at + 1 < l->whole.len ? l->whole.data[l->at + 1] : 0;
	if (c == '"' || c == '\'')
		return quoted(l, c);
	if (c == '/')
		return regex(l);
	if (isdigit((unsigned char)c) || (strchr("+-.", c) && isdigit((unsigned char)next)))
		return span(l, TOKEN_NUMBER, is_number);
	if (is_word_start(c))
		return span(l, TOKEN_WORD, is_word);
	for (size_t i = 0; i < array_size(signs); i++) {
		size_t n = strlen(signs[i]);
		if (l->whole.len - l->at < n || memcmp(l->whole.data + l->at, signs[i], n) != 0)
			continue;
		struct token t = {.kind = TOKEN_SIGN, .at = l->at, .text = str_of(signs[i])};
		l->at += n;
		return t;
	}
	return bad(l, l->at, "this character means nothing here (quote text: \"...\")");
}
