/* SPDX-License-Identifier: MIT */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/unit.h"

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Both families as 16 bytes; -1 for neither.  Returns how many bits stand before an
 * address of that family.
 */
static int address_bytes(struct str address, unsigned char ret[16])
{
	char text[NET_TEXT_MAX];
	if (!address.len || address.len >= sizeof(text) || memchr(address.data, 0, address.len))
		return -1;
	memcpy(text, address.data, address.len);
	text[address.len] = 0;
	if (inet_pton(AF_INET6, text, ret) == 1)
		return 0;
	memcpy(ret, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret + 12) == 1 ? 96 : -1;
}

static bool same_bits(const unsigned char a[16], const unsigned char b[16], int bits)
{
	int whole = bits / 8, rest = bits % 8;
	if (memcmp(a, b, (size_t)whole) != 0)
		return false;
	return !rest || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

int net_parse(const char *text, struct net *ret)
{
	const char *slash = strchr(text, '/');
	struct str address = {text, slash ? (size_t)(slash - text) : strlen(text)};
	int before = address_bytes(address, ret->bytes);
	int64_t bits = 128 - before;
	if (before < 0 ||
	    (slash && (unit_parse_int(slash + 1, &bits) || bits < 0 || bits > 128 - before)))
		return -EINVAL;
	ret->bits = before + (int)bits;
	return 0;
}

bool net_holds(const struct net *n, struct str address)
{
	unsigned char bytes[16];
	return address_bytes(address, bytes) >= 0 && same_bits(bytes, n->bytes, n->bits);
}

bool net_put_address(struct str address, char ret[NET_TEXT_MAX])
{
	unsigned char bytes[16];
	if (address_bytes(address, bytes) < 0)
		return false;
	bool is_v4 = memcmp(bytes, mapped, sizeof(mapped)) == 0;
	return inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? bytes + 12 : bytes, ret,
			 NET_TEXT_MAX) != NULL;
}
