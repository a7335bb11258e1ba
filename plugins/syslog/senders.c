/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syslog.h"

enum { SLOTS = 4096, SENDERS_MAX = 50000 };

struct network {
	struct in6_addr address;
	int bits; /* of 128 */
};

struct sender {
	struct sender *next;
	struct in6_addr address;
	double tokens;
	int64_t filled_ns;
	uint64_t n_limited;
};

struct senders {
	struct network *networks; /* none: anyone may */
	size_t n_networks;
	int64_t rate;
	struct sender **slots; /* only with a rate */
	size_t n;
};

static bool parse_network(const char *text, struct network *ret)
{
	char address[64];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct in_addr v4;
	char *end = NULL;
	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = 0;
	bool is_v4 = inet_pton(AF_INET, address, &v4) == 1;
	long most = is_v4 ? 32 : 128;
	long bits = slash ? strtol(slash + 1, &end, 10) : most;
	if (slash && (end == slash + 1 || *end || bits < 0 || bits > most))
		return false;
	*ret = (struct network){.bits = (int)bits + (is_v4 ? 96 : 0)};
	if (is_v4) {
		ret->address.s6_addr[10] = ret->address.s6_addr[11] = 0xff;
		memcpy(ret->address.s6_addr + 12, &v4, 4);
		return true;
	}
	return inet_pton(AF_INET6, address, &ret->address) == 1;
}

struct senders *senders_new(struct sluice_source *src, int64_t rate, int *error)
{
	struct senders *t = must(calloc(1, sizeof(*t)));
	const char *text;
	t->rate = rate;
	*error = 0;
	for (size_t i = 0; !*error && (text = src->host->option(src, "allow", i)); i++) {
		t->networks = must(realloc(t->networks, (i + 1) * sizeof(t->networks[0])));
		t->n_networks = i + 1;
		if (!parse_network(text, &t->networks[i]))
			*error = src->host->refuse(
				src, "allow",
				"write addresses and networks such as 10.0.0.0/8, ::1");
	}
	if (rate)
		t->slots = must(calloc(SLOTS, sizeof(t->slots[0])));
	return t;
}

static void forget_all(struct senders *t)
{
	for (size_t i = 0; t->slots && i < SLOTS; i++) {
		while (t->slots[i]) {
			struct sender *s = t->slots[i];
			t->slots[i] = s->next;
			free(s);
		}
	}
	t->n = 0;
}

void senders_free(struct senders *t)
{
	if (!t)
		return;
	forget_all(t);
	free(t->slots);
	free(t->networks);
	free(t);
}

static bool is_in(const struct network *n, const struct in6_addr *a)
{
	int whole = n->bits / 8, rest = n->bits % 8;
	if (memcmp(&n->address, a, (size_t)whole) != 0)
		return false;
	int mask = rest ? 0xff << (8 - rest) & 0xff : 0;
	return !rest || (n->address.s6_addr[whole] & mask) == (a->s6_addr[whole] & mask);
}

bool senders_allow(const struct senders *t, const struct in6_addr *from)
{
	for (size_t i = 0; i < t->n_networks; i++)
		if (is_in(&t->networks[i], from))
			return true;
	return t->n_networks == 0;
}

static struct sender *find(struct senders *t, const struct in6_addr *a, int64_t now_ns)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < 16; i++)
		h = (h ^ a->s6_addr[i]) * 16777619u;
	struct sender **slot = &t->slots[h % SLOTS];
	for (struct sender *s = *slot; s; s = s->next)
		if (memcmp(&s->address, a, sizeof(*a)) == 0)
			return s;
	/* Someone makes up addresses: nobody's count is worth that memory. */
	if (t->n >= SENDERS_MAX)
		forget_all(t);
	struct sender *s = must(calloc(1, sizeof(*s)));
	*s = (struct sender){
		.next = *slot, .address = *a, .tokens = (double)t->rate, .filled_ns = now_ns};
	*slot = s;
	t->n++;
	return s;
}

bool senders_admit(struct senders *t, const struct origin *o, int64_t now_ns)
{
	if (!t->rate)
		return true;
	struct sender *s = find(t, &o->address, now_ns);
	s->tokens += (double)(now_ns - s->filled_ns) * (double)t->rate / 1e9;
	s->filled_ns = now_ns;
	if (s->tokens > (double)t->rate)
		s->tokens = (double)t->rate;
	if (s->tokens >= 1) {
		s->tokens -= 1;
		return true;
	}
	s->n_limited++;
	return false;
}

void senders_each_limited(struct senders *t, void (*fn)(void *ctx, const char *peer, uint64_t n),
			  void *ctx)
{
	for (size_t i = 0; t->slots && i < SLOTS; i++) {
		for (struct sender *s = t->slots[i]; s; s = s->next) {
			char text[INET6_ADDRSTRLEN] = "unix";
			if (!s->n_limited)
				continue;
			if (IN6_IS_ADDR_V4MAPPED(&s->address))
				inet_ntop(AF_INET, s->address.s6_addr + 12, text, sizeof(text));
			else if (!IN6_IS_ADDR_UNSPECIFIED(&s->address))
				inet_ntop(AF_INET6, &s->address, text, sizeof(text));
			fn(ctx, text, s->n_limited);
			s->n_limited = 0;
		}
	}
}
