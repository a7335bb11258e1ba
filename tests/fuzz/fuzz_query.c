/* SPDX-License-Identifier: MIT
 *
 * What a client writes: query, Accept, event id; and a packet between responder and hub.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "wire/handoff.h"
#include "wire/id.h"
#include "wire/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = {(const char *)data, size}, rest = s, epoch;
	struct buf key = {0}, value = {0};
	struct handoff_request request;
	struct handoff_answer answer;
	event_id id;
	int known = 0;
	while (query_next(&rest, &key, &value) == 1) {
		struct str name = utf8_trim(buf_str(&key)), text = utf8_trim(buf_str(&value));
		known += query_is_ignored(name) + query_is_last_event_id(name) +
			 query_is_nonce(text);
		if (utf8_trim(text).len != text.len)
			abort();
	}
	buf_fini(&key);
	buf_fini(&value);
	bool admitted = accept_admits(s, "text/event-stream");
	int r = id_parse(s, &epoch, &id) + handoff_get_request(s, &request) +
		handoff_get_answer(s, &answer);
	(void)(r + admitted + known);
	return 0;
}
