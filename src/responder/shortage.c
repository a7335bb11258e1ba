/* SPDX-License-Identifier: MIT
 *
 * shortage - what happens when no more files may be opened: nothing is accepted for a moment.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "responder/responder_internal.h"

#define PAUSE_NS      (100 * NS_PER_MS)
#define TELL_EVERY_NS (10 * NS_PER_SEC)

void responder_listen(struct responder *r, bool on)
{
	for (size_t i = 0; i < r->config->n_listen; i++)
		loop_change(r->loop, &r->listeners[i].io, on ? EPOLLIN : 0);
}

void responder_pause(struct responder *r)
{
	int64_t now = loop_now(r->loop);
	if (!r->shortage_told_ns || now - r->shortage_told_ns > TELL_EVERY_NS) {
		r->shortage_told_ns = now;
		log_warning("requests have to wait: all of the %lld files that may be open are "
			    "in use (raise LimitNOFILE, or ulimit -n)",
			    (long long)fd_limit());
	}
	responder_listen(r, false);
	loop_timer_set(r->loop, &r->pause, now + PAUSE_NS);
}
