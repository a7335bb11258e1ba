/* SPDX-License-Identifier: MIT */
#include "conf/subject.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/unit.h"

/* Both families as 16 bytes; -1 for neither.  Returns how many bits stand before an
 * address of that family.
 */
static int address_bytes(const char *text, unsigned char ret[16])
{
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
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

static int parse_net(const char *text, struct subject *ret, char **why)
{
	const char *slash = strchr(text, '/');
	char *address = slash ? mem_strndup(text, (size_t)(slash - text)) : mem_strdup(text);
	int before = address_bytes(address, ret->net);
	int64_t bits = 128 - before;
	bool bad = before < 0 ||
		   (slash && (unit_parse_int(slash + 1, &bits) || bits < 0 || bits > 128 - before));
	free(address);
	if (!bad) {
		ret->bits = before + (int)bits;
		return 0;
	}
	*why = mem_printf("\"net:%s\" is no network (write net:10.0.0.0/8, net:192.0.2.7 or "
			  "net:2001:db8::/32)",
			  text);
	return -EINVAL;
}

static bool is_name(const char *s)
{
	return *s && *s != ' ' && s[strlen(s) - 1] != ' ';
}

int subject_parse(const char *text, struct subject *ret, char **why)
{
	*ret = (struct subject){0};
	if (strcmp(text, "anyone") == 0)
		ret->kind = SUBJECT_ANYONE;
	else if (strcmp(text, "authenticated") == 0)
		ret->kind = SUBJECT_AUTHENTICATED;
	else if (strncmp(text, "user:", 5) == 0 && is_name(text + 5))
		*ret = (struct subject){.kind = SUBJECT_USER, .name = text + 5};
	else if (strncmp(text, "group:", 6) == 0 && is_name(text + 6))
		*ret = (struct subject){.kind = SUBJECT_GROUP, .name = text + 6};
	else if (strncmp(text, "net:", 4) == 0) {
		ret->kind = SUBJECT_NET;
		return parse_net(text + 4, ret, why);
	} else {
		*why = mem_printf("\"%s\" names nobody (write anyone, authenticated, user:NAME, "
				  "group:NAME or net:ADDRESS/BITS, without blanks around a name)",
				  text);
		return -EINVAL;
	}
	return 0;
}

bool subject_holds_address(const struct subject *s, struct str address)
{
	char text[64];
	unsigned char bytes[16];
	if (address.len >= sizeof(text))
		return false;
	memcpy(text, address.data, address.len);
	text[address.len] = 0;
	return address_bytes(text, bytes) >= 0 && same_bits(bytes, s->net, s->bits);
}
