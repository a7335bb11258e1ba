/* SPDX-License-Identifier: MIT */
#include "proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { V1_MAX = 107, V2_HEAD = 16, V2_LENGTH_MAX = 16384, IPV4_PART = 12, IPV6_PART = 36 };

static const char v1_begin[] = "PROXY ";
static const char v2_begin[] = "\r\n\r\n\0\r\nQUIT\n";

enum { V1_BEGIN = sizeof(v1_begin) - 1, V2_BEGIN = sizeof(v2_begin) - 1 };

static bool agrees(const char *p, size_t n, const char *begin, size_t size)
{
	return memcmp(p, begin, n < size ? n : size) == 0;
}

bool proxy_begins(const char *p, size_t n)
{
	return (n >= V1_BEGIN && agrees(p, n, v1_begin, V1_BEGIN)) ||
	       (n >= V2_BEGIN && agrees(p, n, v2_begin, V2_BEGIN));
}

/* The word up to a blank or the end of the line, cut off by a NUL. */
static char *take_word(char **at)
{
	char *from = *at, *end = from + strcspn(from, " \r");
	if (end == from)
		return NULL;
	*at = *end == ' ' ? end + 1 : end;
	*end = 0;
	return from;
}

static bool is_port(const char *text, uint16_t *ret)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	unsigned long v = strtoul(text, &end, 10);
	*ret = htons((uint16_t)v);
	return !*end && v <= 65535;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 1234 514\r\n" */
static bool read_v1(char *line, struct sockaddr_storage *from)
{
	char *at = line + V1_BEGIN, *kind = take_word(&at);
	struct sockaddr_in *in = (struct sockaddr_in *)from;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)from;
	struct in6_addr ignored;
	uint16_t port, ignored_port;
	if (kind && strcmp(kind, "UNKNOWN") == 0)
		return true;
	int family = !kind                       ? AF_UNSPEC
		     : strcmp(kind, "TCP4") == 0 ? AF_INET
		     : strcmp(kind, "TCP6") == 0 ? AF_INET6
						 : AF_UNSPEC;
	char *source = take_word(&at), *target = take_word(&at);
	char *source_port = take_word(&at), *target_port = take_word(&at);
	if (family == AF_UNSPEC || !target_port || *at || !is_port(source_port, &port) ||
	    !is_port(target_port, &ignored_port) || inet_pton(family, target, &ignored) != 1 ||
	    inet_pton(family, source,
		      family == AF_INET ? (void *)&in->sin_addr : (void *)&in6->sin6_addr) != 1)
		return false;
	from->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		in->sin_port = port;
	else
		in6->sin6_port = port;
	return true;
}

/* Its length behind the head. */
static size_t length_of_v2(const char *p)
{
	return (size_t)(unsigned char)p[14] << 8 | (unsigned char)p[15];
}

static bool read_v2(const char *p, struct sockaddr_storage *from)
{
	size_t length = length_of_v2(p);
	unsigned char command = (unsigned char)p[12], kind = (unsigned char)p[13];
	struct sockaddr_in *in = (struct sockaddr_in *)from;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)from;
	if (command == 0x20) /* LOCAL */
		return true;
	if (command != 0x21)
		return false;
	p += V2_HEAD;
	if (kind == 0x11 && length >= IPV4_PART) {
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, p, 4);
		memcpy(&in->sin_port, p + 8, 2);
	} else if (kind == 0x21 && length >= IPV6_PART) {
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, p, 16);
		memcpy(&in6->sin6_port, p + 32, 2);
	} else if (kind == 0x11 || kind == 0x21) {
		return false;
	}
	return true; /* unix sockets and what is unknown: the connection's own address */
}

/* Copies as many of the bytes as make `want` in all; whether they do. */
static bool fill(struct proxy *h, size_t want, const char **p, size_t *n)
{
	size_t take = want > h->n ? want - h->n : 0;
	take = take < *n ? take : *n;
	memcpy(h->bytes + h->n, *p, take);
	h->n += take;
	*p += take;
	*n -= take;
	return h->n >= want;
}

static enum proxy_result take_v1(struct proxy *h, const char **p, size_t *n,
				 struct sockaddr_storage *from)
{
	const char *end = memchr(*p, '\n', *n);
	size_t line = end ? (size_t)(end - *p) + 1 : *n;
	if (h->n + line > V1_MAX)
		return PROXY_BROKEN;
	fill(h, h->n + line, p, n);
	if (!end)
		return PROXY_MORE;
	if (h->n < V1_BEGIN + 2 || h->bytes[h->n - 2] != '\r')
		return PROXY_BROKEN;
	h->bytes[h->n - 1] = 0;
	return strlen(h->bytes) == h->n - 1 && read_v1(h->bytes, from) ? PROXY_DONE : PROXY_BROKEN;
}

static enum proxy_result take_v2(struct proxy *h, const char **p, size_t *n,
				 struct sockaddr_storage *from)
{
	if (!fill(h, V2_HEAD, p, n))
		return PROXY_MORE;
	size_t length = length_of_v2(h->bytes);
	size_t kept = length < IPV6_PART ? length : IPV6_PART;
	if (length > V2_LENGTH_MAX || ((unsigned char)h->bytes[12] & 0xf0) != 0x20)
		return PROXY_BROKEN;
	if (h->n < V2_HEAD + kept) {
		if (!fill(h, V2_HEAD + kept, p, n))
			return PROXY_MORE;
		h->skip = length - kept;
	}
	/* What follows the addresses says more than anybody asks for. */
	size_t skip = h->skip < *n ? h->skip : *n;
	h->skip -= skip;
	*p += skip;
	*n -= skip;
	if (h->skip)
		return PROXY_MORE;
	return read_v2(h->bytes, from) ? PROXY_DONE : PROXY_BROKEN;
}

enum proxy_result proxy_take(struct proxy *h, const char *p, size_t n, size_t *used,
			     struct sockaddr_storage *from)
{
	const char *at = p;
	enum proxy_result r = PROXY_MORE;
	memset(from, 0, sizeof(*from));
	/* Both begin with bytes that tell them apart. */
	bool is_v2 = (h->n ? h->bytes[0] : *p) == v2_begin[0];
	const char *begin = is_v2 ? v2_begin : v1_begin;
	size_t size = is_v2 ? V2_BEGIN : V1_BEGIN;
	if (h->n >= size || fill(h, size, &at, &n))
		r = !agrees(h->bytes, h->n, begin, size) ? PROXY_BROKEN
		    : is_v2                              ? take_v2(h, &at, &n, from)
							 : take_v1(h, &at, &n, from);
	else if (!agrees(h->bytes, h->n, begin, size))
		r = PROXY_BROKEN;
	*used = (size_t)(at - p);
	return r;
}
