/* SPDX-License-Identifier: MIT
 *
 * What a source process sends: frames, records, fields, and their rendering.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "wire/frame.h"
#include "wire/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct str records)
{
	struct record r;
	struct buf out = {0};
	while (record_next(&records, &r) == 1) {
		if (r.kind != RECORD_EVENT)
			continue;
		sse_put_event(&out, STR("e"), STR("c"), &r.event, SSE_DATA_JSON);
		sse_put_event(&out, STR("e"), STR("c"), &r.event, SSE_DATA_MESSAGE);
		struct buf clean = {0};
		utf8_put(&clean, r.event.message);
		if (utf8_valid_prefix(clean.data, clean.len) != clean.len)
			abort();
		buf_fini(&clean);
	}
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size};
	struct frame f;
	while (frame_next(&rest, 1 << 16, &f) == 1)
		take(f.body);
	return 0;
}
