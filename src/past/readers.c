/* SPDX-License-Identifier: MIT */
#include "past/readers.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/mem.h"

enum { READERS_MIN = 3, READERS_MAX = 8 };

/* As many as there are processors, within limits: a reader that waits for a disk or for a
 * slow filter must not delay small requests.
 */
static size_t count_readers(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return (size_t)MIN(MAX(n, READERS_MIN), READERS_MAX);
}

int readers_start(struct readers *r, struct loop *l, char **why)
{
	*r = (struct readers){.n = count_readers()};
	r->runs = mem_zero(r->n * sizeof(r->runs[0]));
	for (size_t i = 0; i < r->n; i++)
		filter_run_init(&r->runs[i]);
	return helper_new(l, r->n, HELPER_BEHIND, &r->helper, why);
}

void readers_stop(struct readers *r)
{
	helper_free(r->helper);
	for (size_t i = 0; i < r->n; i++)
		filter_run_fini(&r->runs[i]);
	free(r->runs);
}

uint64_t reader_owner(const struct identity *who, enum reading what)
{
	struct str address = str_of(who->address ? who->address : "");
	struct str user = str_of(who->user ? who->user : "");
	uint32_t name = crc32c(crc32c(0, address.data, address.len), user.data, user.len);
	return (uint64_t)what << 32 | name;
}
