/* SPDX-License-Identifier: MIT
 *
 * host_log - what a plugin has for the log, as lines to the hub.
 */
#include <string.h>

#include "base/clock.h"
#include "host/emission.h"

enum { LOGS_PER_SECOND = 100 };

/* The hub logs far fewer lines, so do not even send more than this. */
static bool may_log(struct host *h)
{
	int64_t now = clock_mono_ns();
	if (now - h->log_window_ns > NS_PER_SEC) {
		h->log_window_ns = now;
		h->n_logged = 0;
	}
	h->n_log_dropped += ++h->n_logged > LOGS_PER_SECOND;
	return h->n_logged <= LOGS_PER_SECOND;
}

void host_log_tell_dropped(struct host *h)
{
	struct buf body = {0};
	if (!h->n_log_dropped || clock_mono_ns() - h->log_window_ns <= NS_PER_SEC)
		return;
	buf_put_u64(&body, h->n_log_dropped);
	uplink_send_simple(&h->up, FRAME_LOG_DROPPED, buf_str(&body));
	h->n_log_dropped = 0;
	buf_fini(&body);
}

void host_log(struct sluice_source *src, enum sluice_log_level level, const char *message)
{
	struct buf body = {0};
	host_log_tell_dropped(host_of(src));
	if (!may_log(host_of(src)))
		return;
	buf_put_u8(&body, (uint8_t)level);
	buf_put_short(&body, (struct str){message, strnlen(message, 8192)});
	uplink_send_simple(&host_of(src)->up, FRAME_LOG, buf_str(&body));
	buf_fini(&body);
}
