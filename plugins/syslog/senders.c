/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/option.h"
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

struct networks {
	struct network *all;
	size_t n;
};

/* The time zone of a network. */
struct zoned {
	struct network network;
	struct stamp_zone *zone; /* owned */
};

struct senders {
	struct networks allowed; /* none: anyone may */
	struct networks proxies;
	struct zoned *zones; /* the smallest network first */
	size_t n_zones;
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

static int read_networks(struct sluice_source *src, const char *option, struct networks *ret)
{
	const char *text;
	for (size_t i = 0; (text = src->host->option(src, option, i)); i++) {
		ret->all = must(realloc(ret->all, (i + 1) * sizeof(ret->all[0])));
		ret->n = i + 1;
		if (!parse_network(text, &ret->all[i]))
			return option_refuse(src, option,
					     "\"%.100s\" is not an address or network (write one "
					     "such as 10.0.0.7, 10.0.0.0/8 or ::1)",
					     text);
	}
	return 0;
}

static int smallest_first(const void *a, const void *b)
{
	return ((const struct zoned *)b)->network.bits - ((const struct zoned *)a)->network.bits;
}

/* time_zones: each value is "10.1.0.0/16=Europe/Berlin". */
static int read_zones(struct sluice_source *src, struct senders *t)
{
	const char *text;
	for (size_t i = 0; (text = src->host->option(src, "time_zones", i)); i++) {
		struct zoned z = {0};
		char network[64] = "";
		const char *equals = strchr(text, '=');
		if ((size_t)(equals - text) < sizeof(network))
			memcpy(network, text, (size_t)(equals - text));
		if (!parse_network(network, &z.network))
			return option_refuse(
				src, "time_zones",
				"\"%.100s\" is not an address or network (write a network and its "
				"time zone, such as 10.1.0.0/16: Europe/Berlin)",
				network);
		z.zone = stamp_zone_new(equals + 1);
		if (!z.zone)
			return option_refuse_zone(src, "time_zones", equals + 1);
		t->zones = must(realloc(t->zones, (i + 1) * sizeof(t->zones[0])));
		t->zones[t->n_zones++] = z;
	}
	if (t->n_zones)
		qsort(t->zones, t->n_zones, sizeof(t->zones[0]), smallest_first);
	return 0;
}

static int read_proxies(struct sluice_source *src, struct senders *t)
{
	bool is_enabled = src->host->number(src, "proxy_protocol");
	int r = read_networks(src, "trusted_proxies", &t->proxies);
	if (!r && is_enabled && !t->proxies.n)
		r = src->host->refuse(src, "trusted_proxies",
				      "is missing: without it anyone could send a PROXY header "
				      "(list the addresses of your load balancers)");
	if (!r && !is_enabled && t->proxies.n)
		r = src->host->refuse(src, "trusted_proxies",
				      "has no effect without proxy_protocol: true");
	return r;
}

struct senders *senders_new(struct sluice_source *src, int64_t rate, int *error)
{
	struct senders *t = must(calloc(1, sizeof(*t)));
	t->rate = rate;
	*error = read_networks(src, "allow", &t->allowed);
	if (!*error)
		*error = read_proxies(src, t);
	if (!*error)
		*error = read_zones(src, t);
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
	free(t->allowed.all);
	free(t->proxies.all);
	for (size_t i = 0; i < t->n_zones; i++)
		stamp_zone_free(t->zones[i].zone);
	free(t->zones);
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

static bool is_in_any(const struct networks *all, const struct in6_addr *a)
{
	for (size_t i = 0; i < all->n; i++)
		if (is_in(&all->all[i], a))
			return true;
	return false;
}

bool senders_allow(const struct senders *t, const struct in6_addr *from)
{
	return t->allowed.n == 0 || is_in_any(&t->allowed, from);
}

bool senders_is_proxy(const struct senders *t, const struct in6_addr *from)
{
	return is_in_any(&t->proxies, from);
}

static struct stamp_zone *zone_of(const struct senders *t, const struct in6_addr *from)
{
	for (size_t i = 0; i < t->n_zones; i++)
		if (is_in(&t->zones[i].network, from))
			return t->zones[i].zone;
	return NULL;
}

static void set_ipv4(struct origin *o, const void *address, uint16_t port)
{
	char host[INET_ADDRSTRLEN] = "";
	o->address.s6_addr[10] = o->address.s6_addr[11] = 0xff;
	memcpy(o->address.s6_addr + 12, address, 4);
	inet_ntop(AF_INET, address, host, sizeof(host));
	o->peer_host_len = strlen(host);
	snprintf(o->peer, sizeof(o->peer), "%s:%u", host, ntohs(port));
}

static void set_ipv6(struct origin *o, const struct sockaddr_in6 *in6)
{
	char host[INET6_ADDRSTRLEN] = "";
	o->address = in6->sin6_addr;
	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	o->peer_host_len = strlen(host);
	snprintf(o->peer, sizeof(o->peer), "%s port %u", host, ntohs(in6->sin6_port));
}

void senders_origin(const struct senders *t, struct origin *o, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
	*o = (struct origin){0};
	if (from->ss_family == AF_INET) {
		set_ipv4(o, &in->sin_addr, in->sin_port);
	} else if (from->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		set_ipv4(o, in6->sin6_addr.s6_addr + 12, in6->sin6_port);
	} else if (from->ss_family == AF_INET6) {
		set_ipv6(o, in6);
	} else {
		o->is_unix = true;
		snprintf(o->peer, sizeof(o->peer), "unix");
		o->peer_host_len = 4;
		return;
	}
	o->zone = zone_of(t, &o->address);
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
