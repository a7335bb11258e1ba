/* SPDX-License-Identifier: MIT
 *
 * What clients and proxies write of each other: X-Forwarded-For, Forwarded, X-Real-IP and the
 * address of the peer, a line each.
 */
#include <stdlib.h>

#include "access/forwarded.h"
#include "wire/handoff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str take_line(struct str *rest)
{
	const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
	size_t n = end ? (size_t)(end - rest->data) : rest->len;
	struct str line = {rest->data, n};
	n += end != NULL;
	*rest = (struct str){rest->data + n, rest->len - n};
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *trusted[] = {(char[]){"10.0.0.0/8"}, (char[]){"2001:db8::/32"}, (char[]){"unix:"}};
	const struct access_settings s = {.trusted_proxies = trusted,
					  .n_trusted_proxies = array_size(trusted),
					  .lists_proxies = true};
	const struct access_settings nothing = {0};
	struct str rest = {(const char *)data, size};
	struct handoff_request r = {0};
	r.forwarded_for = take_line(&rest);
	r.forwarded = take_line(&rest);
	r.real_ip = take_line(&rest);
	r.address = take_line(&rest);
	struct forwarded some = forwarded_read(&s, &r), none = forwarded_read(&nothing, &r);
	/* Whom nobody trusts names nobody else. */
	if (!str_eq(none.address, r.address) || (some.is_client && !some.address.data))
		abort();
	return 0;
}
