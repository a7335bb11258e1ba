/* SPDX-License-Identifier: MIT */
#include "encoding.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "common/cut.h"

struct decoder {
	iconv_t cd;
	unsigned unit;
};

/* Big or little endian, it is the unit whose bytes are 0 but for the first or last. */
bool encoding_is_line_end(const char *p, unsigned unit)
{
	if (unit <= 1)
		return *p == '\n';
	for (unsigned i = 1; i + 1 < unit; i++)
		if (p[i])
			return false;
	return (p[0] == '\n' && !p[unit - 1]) || (!p[0] && p[unit - 1] == '\n');
}

unsigned encoding_unit(const char *name)
{
	if (strcmp(name, "auto") == 0)
		return 1;
	char in[] = "\n", out[16], *from = in, *to = out;
	size_t left = 1, room = sizeof(out);
	iconv_t cd = *name ? iconv_open(name, "UTF-8") : (iconv_t)-1;
	if (cd == (iconv_t)-1)
		return 0;
	/* A byte order mark comes first, in some: the second one is without. */
	iconv(cd, &from, &left, &to, &room);
	char *second = to;
	from = in;
	left = 1;
	iconv(cd, &from, &left, &to, &room);
	iconv_close(cd);
	size_t n = (size_t)(to - second);
	return (n == 1 || n == 2 || n == 4) && encoding_is_line_end(second, (unsigned)n)
		       ? (unsigned)n
		       : 0;
}

/* The encoding that a byte order mark stands for, and the mark's length. */
static const char *by_mark(const char *p, size_t n, size_t *len)
{
	static const struct {
		const char *mark;
		size_t len;
		const char *name;
	} marks[] = {{"\xff\xfe\0\0", 4, "UTF-32LE"},
		     {"\0\0\xfe\xff", 4, "UTF-32BE"},
		     {"\xff\xfe", 2, "UTF-16LE"},
		     {"\xfe\xff", 2, "UTF-16BE"},
		     {"\xef\xbb\xbf", 3, "UTF-8"}};
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (n >= marks[i].len && memcmp(p, marks[i].mark, marks[i].len) == 0) {
			*len = marks[i].len;
			return marks[i].name;
		}
	*len = 0;
	return NULL;
}

/* NULs may be a hole as well. */
static bool may_become_mark(const char *p, size_t n)
{
	static const char *const marks[] = {"\xff\xfe\0\0", "\xfe\xff", "\xef\xbb\xbf"};
	static const size_t lens[] = {4, 2, 3};
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		if (n < lens[i] && memcmp(p, marks[i], n) == 0)
			return true;
	return false;
}

/* The name says which byte of a character comes first. */
static bool is_ordered(const char *name)
{
	size_t n = strlen(name);
	return n > 2 &&
	       (strcasecmp(name + n - 2, "LE") == 0 || strcasecmp(name + n - 2, "BE") == 0);
}

static const char *choose(const char *name, const char *marked)
{
	if (strcmp(name, "auto") == 0)
		return marked ? marked : "UTF-8";
	unsigned unit = encoding_unit(name);
	if (unit > 1 && !is_ordered(name) && marked && encoding_unit(marked) == unit)
		return marked;
	if (strcasecmp(name, "UTF-16") == 0)
		return "UTF-16LE";
	return strcasecmp(name, "UTF-32") == 0 ? "UTF-32LE" : name;
}

bool encoding_begin(struct state *s, struct file *f, const char *head, size_t n)
{
	size_t mark;
	if (!n || may_become_mark(head, n))
		return false;
	/* A hole where a file was emptied that has been read: it is written on as it was. */
	if (f->decoder && n >= 4 && memcmp(head, "\0\0\0", 4) == 0) {
		f->unit = f->decoder->unit;
		f->mark = 0;
		return true;
	}
	encoding_end(f);
	const char *marked = by_mark(head, n, &mark);
	const char *name = choose(s->options.encoding, marked);
	f->unit = encoding_unit(name);
	if (!f->unit)
		f->unit = 1;
	if (strcasecmp(name, "UTF-8") != 0 && strcasecmp(name, "UTF8") != 0) {
		iconv_t cd = iconv_open("UTF-8", name);
		if (cd != (iconv_t)-1) {
			f->decoder = must(calloc(1, sizeof(*f->decoder)));
			*f->decoder = (struct decoder){cd, f->unit};
		}
	}
	f->mark = marked && strcasecmp(marked, name) == 0 ? (unsigned)mark : 0;
	return true;
}

void encoding_begin_whole(struct state *s, struct file *f, const char *head, size_t n)
{
	char mark[4] = "    ";
	memcpy(mark, head, n < sizeof(mark) ? n : sizeof(mark));
	if (!f->unit && n)
		encoding_begin(s, f, mark, sizeof(mark));
}

void encoding_end(struct file *f)
{
	if (f->decoder)
		iconv_close(f->decoder->cd);
	free(f->decoder);
	f->decoder = NULL;
	f->unit = 0;
}

static char *make_room(struct state *s, size_t n)
{
	if (s->text_room < n) {
		s->text = must(realloc(s->text, n));
		s->text_room = n;
	}
	return s->text;
}

/* What cannot be decoded: U+FFFD, or its bytes as \xNN. */
static size_t put_invalid(const struct state *s, char *out, const char *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	if (s->options.on_invalid == INVALID_REPLACE) {
		memcpy(out, "\xef\xbf\xbd", 3);
		return 3;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		memcpy(out + 4 * i, "\\x", 2);
		out[4 * i + 2] = hex[c >> 4];
		out[4 * i + 3] = hex[c & 15];
	}
	return 4 * n;
}

static const char *convert(struct state *s, struct file *f, const char *p, size_t *n)
{
	/* No byte becomes more than four, be it decoded or escaped. */
	char *out = make_room(s, 4 * *n + 8), *to = out;
	char *from = (char *)(uintptr_t)p;
	size_t left = *n, room = 4 * *n + 8;
	iconv(f->decoder->cd, NULL, NULL, NULL, NULL);
	while (left && iconv(f->decoder->cd, &from, &left, &to, &room) == (size_t)-1) {
		if (errno == E2BIG)
			break;
		size_t bad = left < f->unit ? left : f->unit;
		size_t put = put_invalid(s, to, from, bad);
		to += put;
		room -= put;
		from += bad;
		left -= bad;
		s->n_invalid++;
	}
	*n = (size_t)(to - out);
	return out;
}

size_t encoding_cut(const struct file *f, const char *p, size_t n)
{
	if (!f->decoder)
		return cut_utf8(p, n);
	char scratch[4096], *from = (char *)(uintptr_t)p;
	size_t left = n;
	iconv(f->decoder->cd, NULL, NULL, NULL, NULL);
	while (left) {
		char *to = scratch;
		size_t room = sizeof(scratch);
		if (iconv(f->decoder->cd, &from, &left, &to, &room) != (size_t)-1)
			break;
		if (errno == EINVAL)
			return left < n ? n - left : n;
		size_t bad = errno == E2BIG ? 0 : left < f->unit ? left : f->unit;
		from += bad;
		left -= bad;
	}
	return n;
}

/* The length of the valid UTF-8 sequence at p (RFC 3629), or 0. */
static size_t sequence(const unsigned char *p, size_t n)
{
	if (p[0] < 0x80)
		return 1;
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static const char *escape(struct state *s, const char *p, size_t *n)
{
	size_t good = 0;
	while (good < *n) {
		size_t k = sequence((const unsigned char *)p + good, *n - good);
		if (!k)
			break;
		good += k;
	}
	if (good == *n)
		return p;
	char *out = make_room(s, 4 * *n);
	memcpy(out, p, good);
	size_t len = good;
	for (size_t i = good; i < *n;) {
		size_t k = sequence((const unsigned char *)p + i, *n - i);
		if (k) {
			memcpy(out + len, p + i, k);
			len += k;
			i += k;
		} else {
			len += put_invalid(s, out + len, p + i, 1);
			i++;
			s->n_invalid++;
		}
	}
	*n = len;
	return out;
}

static bool is_ascii(const char *p, size_t n)
{
	uint64_t all = 0, word;
	size_t i = 0;
	for (; i + sizeof(word) <= n; i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		all |= word;
	}
	for (; i < n; i++)
		all |= (unsigned char)p[i];
	return !(all & 0x8080808080808080);
}

/* The hub replaces them, but does not say how many. */
static void count_invalid(struct state *s, const char *p, size_t n)
{
	if (is_ascii(p, n))
		return;
	for (size_t i = 0; i < n;) {
		size_t k = sequence((const unsigned char *)p + i, n - i);
		s->n_invalid += !k;
		i += k ? k : 1;
	}
}

const char *encoding_decode(struct state *s, struct file *f, const char *p, size_t *n)
{
	if (f->decoder)
		return convert(s, f, p, n);
	if (s->options.on_invalid == INVALID_ESCAPE)
		return escape(s, p, n);
	count_invalid(s, p, *n);
	return p;
}
