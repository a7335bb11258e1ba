/* SPDX-License-Identifier: MIT */
#include "redact/secrets.h"

#include <ctype.h>

enum { CARD_DIGITS_MIN = 13, CARD_DIGITS_MAX = 19, KEY_LINES_MAX = 500, FOREIGN_LINE = 25 };

/* A string inside of one that is quoted already, however often: \"...\" in which \\\" is
 * a quote.  NAME is of the group that holds the backslashes.
 */
#define QUOTED_QUOTES(name)                                                                        \
	"(?<" name ">\\\\++)\"(?:[^\"\\\\]|\\\\++(?!\")|(?!\\k<" name ">\")\\\\++\")*+\\k<" name   \
	">\""
/* A value as people write it: quoted, perhaps inside of something quoted, cut off, a
 * list or an object, or up to what ends a word.  What has a beginning and no end is taken
 * to the end of the text: to look for the end in vain once more for each value would be
 * quadratic.
 */
#define STRING "\"(?:[^\"\\\\]|\\\\.)*+(?:\"|\\\\?+\\z)"
#define NESTED(name, open, close)                                                                  \
	"(?<" name ">" open "(?:[^" open close "\"]++|" STRING "|(?&" name "))*+" close "?)"
#define LIST   NESTED("l", "\\[", "\\]")
#define OBJECT NESTED("o", "\\{", "\\}")
#define QUOTED "\"(?:[^\"\\\\]|\\\\.)*+\"|'(?:[^'\\\\]|\\\\.)*+'|'[^']*+'|" QUOTED_QUOTES("q")
#define CUT    "\\\\++\"[^\"]*+\"|\\\\*+\"[^\"\\r\\n]*+$"
#define VALUE  "(" QUOTED "|" CUT "|" LIST "|" OBJECT "|[^\\s&;,\"'<>\\[\\]{})]++)"
/* name=value, name: value, "name":"value", name%3Dvalue, also inside a longer name such as
 * db_password; but not what sudo writes (PWD=/home/alice), nor pam (passwd:chauthtok).
 */
#define PAIR(names)                                                                                \
	"(?:" names ")[0-9_]{0,3}+\\\\*+(?:[\"']|%22)?\\s*+(?:=>?|:(?<!\\(passwd:)=?|%3D|%3A)\\s*" \
	"+(?!(?<=pwd=)/"                                                                           \
	")" VALUE
/* <name>value<, --name value, name 'value' */
#define ELEMENT(names)  "<(?:" names ")>([^<]++)<"
#define ARGUMENT(names) "(?<!-)--(?:" names ")[= ]([^\\s]++)"
#define PASSWORDS       "passwords?|passwd|passphrase|(?<![a-z])pass|pwd|secrets?|credentials?"
#define TOKENS          "token|ticket|sig(?:nature)?|session[-_]?id|php_?sessid|jsessionid"
#define KEYS                                                                                       \
	"(?:api|access|secret|private|encryption|account|signing|license|client|shared)[-_. ]?(?:" \
	"access)?[-_. ]?(?:key|secret)"

const struct secret_pattern secret_patterns[] = {
	{"headers",
	 "(?<![a-z0-9_])(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token|"
	 "cookies(?=[\\\\\"']*+\\s*+:\\s*+[{\\[])|http_(?:cookie(?==)|authorization))\\\\*+"
	 "[\"']?\\s*+[:=]\\s*+(" LIST "|" OBJECT
	 "|" QUOTED_QUOTES("h") "|"
				"\"(?:[^\"\\\\]|\\\\.)*+\"(?:;[^\\r\\n\"]*+)?|\"[^\"\\r\\n]*+$|"
				"[^\\r\\n\"]++(?:\"[^\"\\r\\n]*+\"(?=\\s*+;)[^\\r\\n\"]*+)*+)",
	 "authorization,cookie,x api key,x auth token"},
	{"password", PAIR(PASSWORDS),
	 "password,passwords,passwd,passphrase,pass,secret,secrets,credential,credentials"},
	{"password", ELEMENT(PASSWORDS), NULL},
	{"password", ARGUMENT(PASSWORDS), NULL},
	{"password", "\\b(?:password|identified by)\\s++'([^']++)'", NULL},
	{"password",
	 "(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}+://[^\\s/:@]{0,256}+:"
	 "([^\\s@]{1,256}+(?:@[^\\s@/]{1,64}+(?=@))*+)@",
	 NULL},
	{"token", PAIR(TOKENS "|" KEYS),
	 "token,ticket,signature,session id,sessionid,api key,apikey,access key,secret key,private "
	 "key,encryption key,account key,client secret"},
	{"token", ELEMENT(TOKENS "|" KEYS), NULL},
	{"token", ARGUMENT("[a-z-]{0,40}?token|" KEYS), NULL},
	/* Words follow these as well: a secret has a digit, or a capital inside. */
	{"bearer",
	 "\\b(?:bearer|basic)\\s++((?-i:(?=[A-Za-z~+/-]*+(?:[0-9=_]|\\.[A-Za-z0-9])|[a-z]+[A-Z]|"
	 "[A-Z]+[a-z]+[A-Z]))[A-Za-z0-9._~+/=-]{8,}+)",
	 NULL},
	/* JSON Web Tokens (RFC 7519), wherever they are; our own tickets. */
	{"bearer", "\\beyJ[a-z0-9_-]{8,4096}+\\.[a-z0-9_-]{8,8192}+\\.[a-z0-9_-]*+", NULL},
	{"bearer", "\\bst1\\.[0-9a-f]++\\.[0-9a-f]++", NULL},
	{"keys", "\\b(?-i:AKIA|ASIA|AROA|AIDA)(?-i:[A-Z0-9]{16})\\b", NULL},
	{"keys", "\\b(?-i:gh[pousr]_[A-Za-z0-9]{30,}+|github_pat_[A-Za-z0-9_]{30,}+)", NULL},
	{"keys",
	 "\\b(?-i:glpat-[A-Za-z0-9_-]{20,}+|xox[abeoprs]-[A-Za-z0-9-]{10,}+|xapp-[A-Za-z0-9-]{10,}+"
	 ")",
	 NULL},
	{"keys",
	 "\\b(?-i:AIza[A-Za-z0-9_-]{35}|ya29\\.[A-Za-z0-9_-]{20,}+|GOCSPX-[A-Za-z0-9_-]{20,}+)",
	 NULL},
	{"keys",
	 "\\b(?-i:(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}+|sk-[A-Za-z0-9_-]{20,}+|whsec_[A-Za-"
	 "z0-9+/=]{16,}+|"
	 "npm_[A-Za-z0-9]{36}|dop_v1_[a-f0-9]{64}|dckr_pat_[A-Za-z0-9_-]{20,}+|hf_[A-Za-z0-9]{30,}+"
	 "|"
	 "hvs\\.[A-Za-z0-9_-]{20,}+|SG\\.[A-Za-z0-9_-]{16,}+\\.[A-Za-z0-9_-]{16,}+)",
	 NULL},
	{"keys", "\\bhooks\\.slack\\.com/services/([A-Za-z0-9/]++)", NULL},
	{"keys", "\\b[0-9]{8,10}:(?-i:AA[A-Za-z0-9_-]{33})", NULL},
	{"pem",
	 "-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE "
	 "KEY(?: BLOCK)?-----|\\z)",
	 NULL},
	{0},
};

/* ---- cards ---- */

static bool passes_luhn(const char *digits, size_t n)
{
	int sum = 0;
	for (size_t i = 0; i < n; i++) {
		int d = digits[n - 1 - i] - '0';
		if (i % 2)
			d = d > 4 ? 2 * d - 9 : 2 * d;
		sum += d;
	}
	return sum % 10 == 0;
}

static bool is_digit(struct str s, size_t i)
{
	return i < s.len && isdigit((unsigned char)s.data[i]);
}

/* By the issuers' first digits and lengths, so that times and counters are none. */
static bool is_issued(const char *digits, size_t n)
{
	int four = (digits[0] - '0') * 1000 + (digits[1] - '0') * 100 + (digits[2] - '0') * 10 +
		   (digits[3] - '0');
	int two = four / 100;
	switch (digits[0]) {
	case '2': return n == 16 && four >= 2221 && four <= 2720;
	case '3':
		return two == 34 || two == 37                             ? n == 15
		       : two == 35                                        ? n >= 16
		       : two == 30 || two == 36 || two == 38 || two == 39 ? n == 14 || n >= 16
									  : false;
	case '4': return n == 13 || n == 16 || n == 19;
	case '5': return n == 16 || (n > 13 && (two == 50 || two >= 56));
	case '6': return n >= 16;
	default: return false;
	}
}

static bool is_card(const char *digits, size_t n)
{
	return n >= CARD_DIGITS_MIN && n <= CARD_DIGITS_MAX && is_issued(digits, n) &&
	       passes_luhn(digits, n);
}

/* The longest card that begins with the group of digits at `at`, made of whole groups
 * with one blank or dash between; its length in bytes, or 0.
 */
static size_t card_at(struct str s, size_t at)
{
	char digits[CARD_DIGITS_MAX];
	size_t n = 0, best = 0;
	for (size_t i = at; is_digit(s, i);) {
		while (is_digit(s, i)) {
			if (n == CARD_DIGITS_MAX)
				return best;
			digits[n++] = s.data[i++];
		}
		bool ends = i == s.len || (!isalpha((unsigned char)s.data[i]) && s.data[i] != '_');
		if (ends && is_card(digits, n))
			best = i - at;
		if (i + 1 >= s.len || (s.data[i] != ' ' && s.data[i] != '-'))
			break;
		i++;
	}
	return best;
}

size_t secret_card(struct str s, size_t *at)
{
	for (size_t i = *at; i < s.len; i++) {
		bool begins = is_digit(s, i) && !(i && is_digit(s, i - 1)) &&
			      (!i || (!isalpha((unsigned char)s.data[i - 1]) &&
				      s.data[i - 1] != '.' && s.data[i - 1] != '_'));
		size_t n = begins ? card_at(s, i) : 0;
		if (n) {
			*at = i;
			return n;
		}
	}
	return 0;
}

/* ---- keys, line by line ---- */

static bool holds(struct str s, const char *text)
{
	return memmem(s.data, s.len, text, strlen(text)) != NULL;
}

static bool is_base64(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("+/=", c));
}

/* A line of a key, or its last one, which may be short; no word of prose. */
static bool is_piece(struct str s)
{
	enum { LONG_LINE = 40, LAST_LINE = 12, PADDED = 4 };
	bool has_capital = false, has_small = false, has_digit = false;
	for (size_t i = 0; i < s.len; i++) {
		has_capital |= isupper((unsigned char)s.data[i]) != 0;
		has_small |= islower((unsigned char)s.data[i]) != 0;
		has_digit |= isdigit((unsigned char)s.data[i]) != 0;
	}
	return s.len >= LONG_LINE ||
	       (s.len >= LAST_LINE && has_capital && has_small && has_digit) ||
	       (s.len >= PADDED && s.data[s.len - 1] == '=');
}

/* What stands between BEGIN and END and is nothing else: headers of the key, base64. */
static bool is_of_key(struct str s)
{
	if (holds(s, "Proc-Type:") || holds(s, "DEK-Info:"))
		return true;
	while (s.len && isspace((unsigned char)s.data[s.len - 1]))
		s.len--;
	while (s.len && isspace((unsigned char)s.data[0]))
		s = (struct str){s.data + 1, s.len - 1};
	bool has_sign = false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_base64(s.data[i]))
			return false;
		has_sign |= !isalnum((unsigned char)s.data[i]);
	}
	return has_sign || is_piece(s);
}

/* What follows the last BEGIN of a private key. */
static bool begins_key(struct str message, struct str *rest)
{
	static const char begin[] = "-----BEGIN ";
	bool found = false;
	for (const char *p; (p = memmem(message.data, message.len, begin, strlen(begin)));) {
		size_t at = (size_t)(p - message.data) + strlen(begin);
		message = (struct str){message.data + at, message.len - at};
		const char *dashes = memmem(message.data, message.len, "-----", 5);
		size_t n = dashes ? (size_t)(dashes - message.data) : message.len;
		if (holds((struct str){message.data, n}, "PRIVATE KEY")) {
			*rest = message;
			found = true;
		}
	}
	return found;
}

void secret_key_pieces(struct str message, int *lines, struct buf *out)
{
	size_t from = 0, kept = 0;
	for (size_t i = 0; i <= message.len; i++) {
		if (i < message.len && is_base64(message.data[i]))
			continue;
		if (is_piece((struct str){message.data + from, i - from})) {
			buf_put(out, message.data + kept, from - kept);
			buf_puts(out, "***");
			kept = i;
		}
		from = i + 1;
	}
	if (kept)
		buf_put(out, message.data + kept, message.len - kept);
	else
		*lines += FOREIGN_LINE; /* of somebody else; after some of them it was no key */
}

bool secret_key_line(struct str message, int *lines)
{
	struct str rest;
	if (begins_key(message, &rest)) {
		/* One that is whole in this message is the regex's; so is what follows BEGIN. */
		bool was_inside = *lines > 0;
		*lines = holds(rest, "-----END ") ? 0 : 1;
		return was_inside;
	}
	if (!*lines)
		return false;
	if ((holds(message, "-----END ") && holds(message, "PRIVATE KEY")) ||
	    ++*lines > KEY_LINES_MAX) {
		*lines = 0;
		return true;
	}
	return is_of_key(message);
}
