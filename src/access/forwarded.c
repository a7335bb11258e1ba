/* SPDX-License-Identifier: MIT */
#include "access/forwarded.h"

#include <ctype.h>
#include <strings.h>

#include "base/mem.h"
#include "base/net.h"

/* More proxies in a row than anybody has. */
enum { HOPS_MAX = 32 };

static const char unix_word[] = "unix:";

/* A peer on a unix socket has no address: nginx says "unix:", others a path or nothing. */
static bool is_unix(struct str hop)
{
	return !hop.len || hop.data[0] == '/' || hop.data[0] == '@' ||
	       (hop.len >= 5 && memcmp(hop.data, unix_word, 5) == 0);
}

static bool is_listed(const struct access_settings *s, struct str hop)
{
	for (size_t i = 0; i < s->n_trusted_proxies; i++) {
		struct net net;
		if (strcmp(s->trusted_proxies[i], unix_word) == 0
			    ? is_unix(hop)
			    : net_parse(s->trusted_proxies[i], &net) == 0 && net_holds(&net, hop))
			return true;
	}
	return false;
}

static struct str trimmed(struct str s)
{
	while (s.len && (s.data[0] == ' ' || s.data[0] == '\t')) {
		s.data++;
		s.len--;
	}
	while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* The address in "192.0.2.1:4711" or "[2001:db8::1]:4711"; no data if there is none. */
static struct str without_port(struct str s)
{
	static const struct str none = {NULL, 0};
	char text[NET_TEXT_MAX];
	const char *colon = s.len ? memchr(s.data, ':', s.len) : NULL;
	if (str_is(s, unix_word))
		return s;
	if (s.len && s.data[0] == '[') {
		const char *end = memchr(s.data, ']', s.len);
		if (!end || (end + 1 < s.data + s.len && end[1] != ':'))
			return none;
		s = (struct str){s.data + 1, (size_t)(end - s.data - 1)};
	} else if (colon && !memchr(colon + 1, ':', s.len - (size_t)(colon + 1 - s.data))) {
		s.len = (size_t)(colon - s.data);
	}
	return net_put_address(s, text) ? s : none;
}

/* ---- the two fields -------------------------------------------------------------------------- */

/* What stands between the commas, the last HOPS_MAX of it; commas in quotation marks are
 * none.  -1 when quotation marks do not match: then no comma is to be relied upon.
 */
static int split(struct str field, struct str ret[HOPS_MAX])
{
	int n = 0;
	bool quoted = false;
	size_t begin = 0;
	for (size_t i = 0; i <= field.len; i++) {
		char c = i < field.len ? field.data[i] : ',';
		if (quoted && c == '\\' && i + 1 < field.len)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ',' && (!quoted || i >= field.len)) {
			if (quoted)
				return -1;
			struct str item = trimmed((struct str){field.data + begin, i - begin});
			begin = i + 1;
			if (!item.len)
				continue;
			if (n == HOPS_MAX) {
				memmove(ret, ret + 1, (HOPS_MAX - 1) * sizeof(ret[0]));
				n--;
			}
			ret[n++] = item;
		}
	}
	return quoted ? -1 : n;
}

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* One value at the front of `s`, a token or in quotation marks; false for neither.  An
 * address in an unquoted value may hold colons and brackets, though it should not.
 */
static bool take_value(struct str *s, struct str *ret)
{
	size_t n = 0;
	if (s->len && s->data[0] == '"') {
		for (n = 1; n < s->len && s->data[n] != '"'; n++)
			n += s->data[n] == '\\';
		if (n >= s->len)
			return false;
		*ret = (struct str){s->data + 1, n - 1};
		n++;
	} else {
		while (n < s->len && (is_token(s->data[n]) || strchr(":[]", s->data[n])))
			n++;
		*ret = (struct str){s->data, n};
	}
	s->data += n;
	s->len -= n;
	return n > 0;
}

/* The value of for= in `for=192.0.2.60;proto=http;by="[2001:db8::1]:80"`; no data when the
 * element is none.
 */
static struct str for_of(struct str element)
{
	struct str found = {NULL, 0}, value;
	for (struct str s = element;;) {
		size_t n = 0;
		while (n < s.len && is_token(s.data[n]))
			n++;
		struct str name = {s.data, n};
		if (!n || n == s.len || s.data[n] != '=')
			return (struct str){NULL, 0};
		s = (struct str){s.data + n + 1, s.len - n - 1};
		if (!take_value(&s, &value))
			return (struct str){NULL, 0};
		bool is_for = name.len == 3 && strncasecmp(name.data, "for", 3) == 0;
		if (is_for && found.data)
			return (struct str){NULL, 0};
		if (is_for)
			found = value;
		s = trimmed(s);
		if (!s.len)
			return found;
		if (s.data[0] != ';')
			return (struct str){NULL, 0};
		s = trimmed((struct str){s.data + 1, s.len - 1});
	}
}

static struct str plain(struct str element)
{
	return element;
}

/* ---- the walk
 * ------------------------------------------------------------------------------------ */

struct walk {
	struct forwarded to;
	bool names_others; /* further to the left, which nobody vouches for */
};

/* From the one who connected to the left, as long as it is a proxy of ours that says it. */
static struct walk walk(const struct access_settings *s, struct str peer, struct str field,
			struct str (*address_in)(struct str element))
{
	struct str hops[HOPS_MAX];
	struct walk w = {.to = {.address = peer, .is_client = true}};
	int n = split(field, hops);
	while (n && is_listed(s, w.to.address)) {
		struct str next = {NULL, 0};
		if (n > 0)
			next = without_port(address_in(hops[n - 1]));
		if (!next.data) {
			w.to.is_client = false;
			return w;
		}
		w.to.address = next;
		n--;
	}
	/* A module of the web server may have read the field already. */
	bool is_itself = n == 1 && str_eq(without_port(address_in(hops[0])), w.to.address);
	w.to.is_unlisted = n != 0;
	w.names_others = n != 0 && !is_itself;
	return w;
}

static bool is_same(struct forwarded a, struct forwarded b)
{
	char x[NET_TEXT_MAX], y[NET_TEXT_MAX];
	bool both = net_put_address(a.address, x) && net_put_address(b.address, y);
	return a.is_client == b.is_client &&
	       (both ? strcmp(x, y) == 0 : str_eq(a.address, b.address));
}

static bool is_loopback(struct str address)
{
	static const char *const all[] = {"127.0.0.0/8", "::1"};
	struct net net;
	for (size_t i = 0; i < array_size(all); i++)
		if (net_parse(all[i], &net) == 0 && net_holds(&net, address))
			return true;
	return false;
}

struct forwarded forwarded_read(const struct access_settings *s, const struct handoff_request *r)
{
	struct walk list = walk(s, r->address, r->forwarded_for, plain);
	struct walk field = walk(s, r->address, r->forwarded, for_of);
	struct forwarded f = r->forwarded_for.len ? list.to : field.to;
	/* A proxy writes one of the two, and passes on what its client made of the other. */
	if (r->forwarded_for.len && r->forwarded.len && !is_same(list.to, field.to))
		f = (struct forwarded){.address = r->address};
	bool names_others =
		list.names_others || field.names_others ||
		(r->real_ip.len && !is_listed(s, r->address) && !str_eq(r->real_ip, r->address));
	/* Nobody has said who is a proxy here: this one behaves like one. */
	if (names_others && !s->lists_proxies)
		f.is_client = false;
	f.is_unlisted =
		names_others || (f.is_unlisted && !s->lists_proxies && is_loopback(f.address));
	return f;
}
