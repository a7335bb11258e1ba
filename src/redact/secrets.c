/* SPDX-License-Identifier: MIT */
#include "redact/secrets.h"

#include <ctype.h>

enum { CARD_DIGITS_MIN = 13, CARD_DIGITS_MAX = 19, KEY_LINES_MAX = 500 };

#define VALUE "(\"(?:[^\"\\\\]|\\\\.)*+\"|'[^']*+'|[^\\s&;,\"'<>\\]})]++)"
/* name=value, name: value, "name":"value", also inside a longer name such as db_password */
#define PAIR(names) "(?:" names ")[\"']?\\s*+(?:=>?|:)\\s*+" VALUE

const struct secret_pattern secret_patterns[] = {
	{"headers",
	 "\\b(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)[\"']?\\s*+[:=]\\s*"
	 "+"
	 "(\"(?:[^\"\\\\]|\\\\.)*+\"|[^\\r\\n\"]++)",
	 "authorization proxy-authorization proxy_authorization cookie set-cookie set_cookie "
	 "x-api-key x_api_key x-auth-token"},
	{"password", PAIR("passwords?|passwd|passphrase|pwd|secret|secret_?key|client_?secret"),
	 "password passwd passphrase pwd secret client_secret secret_key"},
	{"password", "[a-z][a-z0-9+.-]*+://[^\\s/:@]*+:([^\\s/@]++)@", NULL},
	{"token",
	 PAIR("(?:access|refresh|id|auth|session|csrf|api)?[-_]?token|api[-_]?key|session_?id|"
	      "private_?key|signature"),
	 "token access_token refresh_token id_token auth_token session_token api_key apikey "
	 "sessionid session_id signature"},
	{"bearer", "\\b(?:bearer|basic|digest|token)\\s++([a-z0-9._~+/=-]{8,}+)", NULL},
	/* JSON Web Tokens (RFC 7519), wherever they are. */
	{"bearer", "\\beyJ[a-z0-9_-]{8,}+\\.[a-z0-9_-]{8,}+\\.[a-z0-9_-]*+", NULL},
	{"keys", "\\b(?-i:AKIA|ASIA|AROA|AIDA)(?-i:[A-Z0-9]{16})\\b", NULL},
	{"keys", "\\b(?-i:gh[pousr]_[A-Za-z0-9]{30,}+|github_pat_[A-Za-z0-9_]{30,}+)", NULL},
	{"keys", "\\b(?-i:glpat-[A-Za-z0-9_-]{20,}+|xox[abeoprs]-[A-Za-z0-9-]{10,}+)", NULL},
	{"keys", "\\b(?-i:AIza[A-Za-z0-9_-]{35}|ya29\\.[A-Za-z0-9_-]{20,}+)", NULL},
	{"keys",
	 "\\b(?-i:(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}+|npm_[A-Za-z0-9]{36}|"
	 "dop_v1_[a-f0-9]{64}|SG\\.[A-Za-z0-9_-]{16,}+\\.[A-Za-z0-9_-]{16,}+)",
	 NULL},
	{"keys", "\\baws_?secret(?:_?access)?_?key[\"']?\\s*+[:=]\\s*+" VALUE, NULL},
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

/* The run of digits at `at`, single blanks or dashes between them: how many bytes; the
 * digits themselves in `digits`.
 */
static size_t run_of_digits(struct str s, size_t at, char digits[CARD_DIGITS_MAX + 1], size_t *n)
{
	size_t i = at;
	*n = 0;
	while (i < s.len) {
		if (is_digit(s, i)) {
			if (*n <= CARD_DIGITS_MAX)
				digits[MIN(*n, (size_t)CARD_DIGITS_MAX)] = s.data[i];
			++*n;
			i++;
		} else if ((s.data[i] == ' ' || s.data[i] == '-') && is_digit(s, i + 1)) {
			i++;
		} else {
			break;
		}
	}
	return i - at;
}

size_t secret_card(struct str s, size_t *at)
{
	char digits[CARD_DIGITS_MAX + 1];
	for (size_t i = *at; i < s.len;) {
		if (!is_digit(s, i)) {
			i++;
			continue;
		}
		size_t n, len = run_of_digits(s, i, digits, &n);
		bool stands_alone = !i || (!isalnum((unsigned char)s.data[i - 1]) &&
					   s.data[i - 1] != '.' && s.data[i - 1] != '_');
		/* No card begins with 0, 1, 7, 8 or 9: those are times and counters. */
		if (stands_alone && n >= CARD_DIGITS_MIN && n <= CARD_DIGITS_MAX &&
		    digits[0] >= '2' && digits[0] <= '6' && passes_luhn(digits, n)) {
			*at = i;
			return len;
		}
		i += len;
	}
	return 0;
}

/* ---- keys, line by line ---- */

static bool holds(struct str s, const char *text)
{
	return memmem(s.data, s.len, text, strlen(text)) != NULL;
}

/* Base64, a header of one ("Proc-Type: 4,ENCRYPTED"), or nothing. */
static bool is_of_key(struct str s)
{
	while (s.len && isspace((unsigned char)s.data[s.len - 1]))
		s.len--;
	while (s.len && isspace((unsigned char)s.data[0]))
		s = (struct str){s.data + 1, s.len - 1};
	if (holds(s, "Proc-Type:") || holds(s, "DEK-Info:"))
		return true;
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.data[i]) && !strchr("+/=", s.data[i]))
			return false;
	return s.len <= 128;
}

bool secret_key_line(struct str message, int *lines)
{
	if (holds(message, "-----BEGIN ") && holds(message, "PRIVATE KEY")) {
		/* One that is whole in this message is the regex's. */
		*lines = holds(message, "-----END ") ? 0 : 1;
		return false;
	}
	if (!*lines)
		return false;
	if (holds(message, "-----END ") || ++*lines > KEY_LINES_MAX) {
		*lines = 0;
		return true;
	}
	return is_of_key(message);
}
