/* SPDX-License-Identifier: MIT */
#include "common/severity.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/ansi.h"
#include "sluice-plugin.h"

enum { LOOK_AT = 160, WORD_MAX = 9 };

struct word {
	const char *word;
	int severity;
};

static const struct word words[] = {
	{"emerg", 0},    {"emergency", 0}, {"panic", 0},  {"alert", 1}, {"crit", 2},
	{"critical", 2}, {"fatal", 2},     {"error", 3},  {"err", 3},   {"severe", 3},
	{"warning", 4},  {"warn", 4},      {"notice", 5}, {"info", 6},  {"debug", 7},
	{"trace", 7},    {"eror", 3},      {"dbug", 7}, /* log15's */
};

/* Only in capitals: zerolog's and Serilog's, then logrus's. */
static const struct word short_words[] = {
	{"pnc", 0}, {"ftl", 2},  {"wrn", 4},  {"inf", 6},  {"dbg", 7},  {"trc", 7},
	{"vrb", 7}, {"pani", 0}, {"fata", 2}, {"erro", 3}, {"debu", 7}, {"trac", 7},
};

static int lookup(const struct word *list, size_t n, const char *word, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].word[0] == word[0] && strlen(list[i].word) == len &&
		    memcmp(list[i].word, word, len) == 0)
			return list[i].severity;
	return SLUICE_NO_SEVERITY;
}

/* A colour, also as rsyslog writes its escape. */
static size_t colour_at(const char *p, size_t n)
{
	if (n > 5 && *p == '#' && memcmp(p, "#033[", 5) == 0) {
		size_t at = 5;
		while (at < n && ((p[at] >= '0' && p[at] <= '9') || p[at] == ';'))
			at++;
		return at + (at < n);
	}
	return *p == ANSI_ESCAPE ? ansi_sequence(p, n) : 0;
}

/* klog's and glog's: "E1127 10:00:00.123456 ...", "E20261127 10:00:00 ...". */
static int letter_of_klog(const char *p, size_t n)
{
	static const char letters[] = "IWEFD";
	static const int severities[] = {6, 4, 3, 2, 7};
	size_t at = 1;
	while (at < n && isdigit((unsigned char)p[at]))
		at++;
	if ((at != 5 && at != 9) || n < at + 9 || p[at] != ' ' || p[at + 3] != ':' ||
	    p[at + 6] != ':' || !isdigit((unsigned char)p[at + 1]) ||
	    !isdigit((unsigned char)p[at + 8]))
		return SLUICE_NO_SEVERITY;
	const char *letter = memchr(letters, p[0], sizeof(letters) - 1);
	return letter ? severities[letter - letters] : SLUICE_NO_SEVERITY;
}

int severity_detect(const char *line, size_t len)
{
	int klog = letter_of_klog(line, len);
	if (klog != SLUICE_NO_SEVERITY)
		return klog;
	size_t end = len < LOOK_AT ? len : LOOK_AT;
	bool is_after_stack = false; /* "stack trace" is no level */
	for (size_t i = 0; i < end;) {
		char small[WORD_MAX + 1];
		size_t n = 0;
		bool upper = false, lower = false;
		while (i + n < len) {
			char c = line[i + n];
			bool is_upper = c >= 'A' && c <= 'Z', is_lower = c >= 'a' && c <= 'z';
			if (!is_upper && !is_lower)
				break;
			upper |= is_upper;
			lower |= is_lower;
			if (n < WORD_MAX)
				small[n] = (char)(c | 0x20);
			n++;
		}
		/* ERROR, error and Error, but neither logInfo nor alert(). */
		bool is_word =
			(upper != lower || line[i] < 'a') && (i + n >= len || line[i + n] != '(');
		if (n && n <= WORD_MAX)
			small[n] = 0;
		if (n >= 3 && n <= WORD_MAX && is_word &&
		    !(is_after_stack && strcmp(small, "trace") == 0)) {
			int severity = lookup(words, sizeof(words) / sizeof(words[0]), small, n);
			if (severity == SLUICE_NO_SEVERITY && !lower && n <= 4)
				severity = lookup(short_words,
						  sizeof(short_words) / sizeof(short_words[0]),
						  small, n);
			if (severity != SLUICE_NO_SEVERITY)
				return severity;
		}
		if (n)
			is_after_stack = n == 5 && memcmp(small, "stack", 5) == 0;
		i += n;
		size_t colour = 0;
		if (i < end && (line[i] == ANSI_ESCAPE || line[i] == '#'))
			colour = colour_at(line + i, len - i);
		if (colour)
			end = len - end > colour ? end + colour : len;
		i += colour ? colour : 1;
	}
	return SLUICE_NO_SEVERITY;
}
