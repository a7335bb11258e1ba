/* SPDX-License-Identifier: MIT
 *
 * lex - the words of a filter's text, each with its place.
 */
#ifndef SLUICE_FILTER_LEX_H
#define SLUICE_FILTER_LEX_H

#include "base/buf.h"

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,   /* a field's name, a keyword, or a bare string */
	TOKEN_STRING, /* quoted; `text` is what it stands for */
	TOKEN_NUMBER,
	TOKEN_REGEX, /* /text/flags */
	TOKEN_SIGN,  /* one of the operators and brackets; `text` is it */
	TOKEN_BAD,   /* `why` says what */
};

struct token {
	enum token_kind kind;
	size_t at;       /* offset of its first byte in the whole text */
	struct str text; /* borrowed until the next token */
	char flags[8];   /* of a regex */
	const char *why;
};

struct lexer {
	struct str whole;
	size_t at;
	struct buf scratch; /* holds what quoted text stands for */
};

void lexer_init(struct lexer *l, struct str text);
void lexer_fini(struct lexer *l);
struct token lexer_next(struct lexer *l);

#endif
