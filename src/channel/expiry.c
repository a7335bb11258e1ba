/* SPDX-License-Identifier: MIT */
#include "channel/expiry.h"

#include "base/clock.h"
#include "base/log.h"
#include "channel/channel.h"

#define JUMP_NS   (60 * NS_PER_SEC)
#define SETTLE_NS (30 * NS_PER_SEC)

void expiry_init(struct expiry *x)
{
	*x = (struct expiry){.clock_offset_ns = clock_wall_ns() - clock_read(CLOCK_BOOTTIME)};
}

/* A jump of the clock must not expire history: the clock may be an hour wrong for three
 * seconds.  So expiry by age is suspended for a while after each jump.
 */
static bool clock_is_settled(struct expiry *x)
{
	int64_t boot_ns = clock_read(CLOCK_BOOTTIME), offset_ns = clock_wall_ns() - boot_ns;
	int64_t jump_ns = offset_ns - x->clock_offset_ns;
	if (jump_ns > JUMP_NS || jump_ns < -JUMP_NS) {
		log_warning("the clock has been set %s by %lld s; no history expires by age for "
			    "the next %lld s",
			    jump_ns > 0 ? "forward" : "back",
			    (long long)((jump_ns > 0 ? jump_ns : -jump_ns) / NS_PER_SEC),
			    SETTLE_NS / NS_PER_SEC);
		x->from_ns = boot_ns + SETTLE_NS;
	}
	x->clock_offset_ns = offset_ns;
	return boot_ns >= x->from_ns;
}

void expiry_run(struct expiry *x, const struct registry *r, int64_t now_ms)
{
	bool is_settled = clock_is_settled(x);
	for (size_t i = 0; i < r->n_channels; i++) {
		struct journal *j = &r->channels[i]->journal;
		journal_correct_times(j, now_ms);
		if (is_settled)
			journal_expire(j, now_ms);
	}
}
