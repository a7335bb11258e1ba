#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What one client or source does, however heavy, slows itself and not the others: the loads of
tests/bench/isolation.py in a small form.

Judged by what does not depend on how busy the machine is: no turn of the hub uses much of the
processor's time, nothing is lost or doubled for anybody, memory is bounded, and the hub lives.
"""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench"))
import isolation
from harness import *

SECONDS = 6 if LONG else 2
TURN_MS = 25 if MEASURES_MEMORY else 250  # sanitizers and valgrind are slow


def suffers(site, text, n, mib=60, megabytes=5):
    """One load beside an ordinary client; what was measured."""
    row = [r for r in isolation.ROWS if text in r[0]][0]
    r = isolation.one(site, row, n, SECONDS, megabytes, compares=False)
    print("# %s" % json.dumps(r))
    check(r["hub_is_same"], "the hub was restarted")
    check(r["loaded"]["lines"] and not r["loaded"]["lost"] and not r["loaded"]["doubled"], "the other client: %r" % r)
    check(not r["load"].get("lost") and not r["load"].get("doubled"), "the heavy clients: %r" % r)
    check(r["loop"]["longest_turn_us"] < TURN_MS * 1000, "a turn took %d us" % r["loop"]["longest_turn_us"])
    if MEASURES_MEMORY:
        check(r["hub_mib"]["peak"] < mib, "the hub took %d MiB" % r["hub_mib"]["peak"])
    return r


def a_hundred_long_filters(site):
    r = suffers(site, "120 `contains`, 1,000 lines/s", 100)
    check(r["load"]["seen"] and r["load"]["watched"] == 10, "they got nothing: %r" % r)
    check(r["loop"]["views_put_aside"] > 0, "the loop has done all of it: %r" % r)


def long_filters_over_a_channel_that_waits_for_its_disk(site):
    """Put aside and back again, they get every line of both channels, and each once."""
    for name in "ab":
        open(site.path(name + ".log"), "w").close()
    site.up("".join('%s: {type: file, channel: %s, include: [DIR/%s.log], path_field: "", severity: false}\n' % (c, c, c)
                    for c in "ab"), "b: {durability: disk}\n", "limits: {streams_per_address: 0}")
    site.ready()
    clients = [isolation.Client(site, "channel=a&channel=b&data=message&filter=" +
                                isolation.quoted(isolation.long_filter(i))) for i in range(60)]
    for c in clients:
        c.begin()
    watched, n, done = clients[:10], 0, []
    reader = threading.Thread(target=isolation.drain, args=(clients, watched, lambda: done))
    reader.start()
    logs = [open(site.path(name + ".log"), "ab", buffering=0) for name in "ab"]
    put_aside = lambda: site.json("/status")["views_put_aside"]
    rounds, burst = 12 if LONG else 3, 10
    while rounds > 0 or (burst < 1000 and not put_aside()):
        for step in range(500):
            lines = burst if step < 100 else 1
            for odd, f in enumerate(logs): # even numbers in a, odd ones in b
                f.write(b"".join(b"%d tick0 x\n" % (n + odd + 2 * i) for i in range(lines)))
            n += 2 * lines
            time.sleep(0.004)
        rounds -= 1
        if not put_aside(): # this machine is so fast that the loop does all of it
            burst *= 2
    wanted = [set(range(0, n, 2)), set(range(1, n, 2))]

    def whole(c):
        return c.ended or c.excused or len(c.numbers) >= n
    try:
        wait_for(lambda: all(whole(c) for c in watched), "all of them to have everything", 60)
    finally:
        done.append(1)
        reader.join()
    for c in watched:
        check(not c.ended and not c.excused, "a client was sent away")
        for i, channel in enumerate(wanted):
            got = [x for x in c.numbers if x % 2 == i]
            check(got == sorted(channel), "of channel %s %r are missing" % ("ab"[i], sorted(channel - set(got))[:10]))
    check(put_aside() > 0, "the loop has done all of it")
    for c in clients:
        c.close()


def long_filters_that_leave(site):
    suffers(site, "gone after 0.3 s", 10)


def many_hard_regexes(site):
    suffers(site, "hard regexes", 100)


def many_gzip_subscriptions(site):
    r = suffers(site, "gzip", 100)
    check(r["load"]["seen"] > 100, "they got nothing: %r" % r)


def exports_that_nobody_reads(site):
    suffers(site, "not read", 50, 120)


def long_tails_of_clients_that_leave(site):
    r = suffers(site, "tail=10000", 30)
    check(r["loaded"]["history_ms"]["p50"] < 300 * PATIENCE, "a page takes as long as they do: %r" % r)


def pages_beside_streams_that_catch_up(site):
    r = suffers(site, "read the whole past", 60)
    check(r["loaded"]["history_ms"]["p50"] < 300 * PATIENCE, "a page takes as long as they do: %r" % r)


def changes_of_streams(site):
    r = suffers(site, "POST /streams", 20)
    check(r["load"]["changes"] > 20 and not r["load"]["ended"], "%r" % r)


def listen_requests_with_unknown_owners(site):
    suffers(site, "listen requests", 0)


def end_frames(site):
    suffers(site, "\"end\"", 0)


def open_requests(site):
    suffers(site, "open requests", 0)


def refusals(site):
    suffers(site, "floods refusals", 0)


def log_lines(site):
    suffers(site, "floods its log", 0)
    wait_for(lambda: site.source("flood")["log_lines_dropped"] > 100, "the lines that were dropped to be counted")


def standard_error(site):
    suffers(site, "plugin floods its standard error", 0)
    check(site.source("flood")["log_lines_dropped"] > 100, "what was dropped is not counted")


def standard_error_of_a_command(site):
    suffers(site, "command floods", 0)
    wait_for(lambda: site.source("noisy")["log_lines_dropped"] > 100, "the lines that were dropped to be counted")


def counters(site):
    suffers(site, "floods counters", 0)
    wait_for(lambda: site.source("flood")["counters"].get("odd", 0) > 1000, "the newest value of a counter")


def answers_to_no_question(site):
    suffers(site, "no question", 0)


def many_cursors(site):
    suffers(site, "20,000 cursors", 0)


def a_source_that_does_not_stop_is_ended_with_its_reason(site):
    isolation.start(site, "pong", 0)
    open(site.path("armed"), "w").close()
    wait_for(lambda: "floods the hub" in (site.source("flood")["last_error"] or ""), "it to be ended: " + site.log(), 40)
    check(site.source("flood")["throttled"] > 0, "it was not throttled before")
    os.unlink(site.path("armed"))
    site.wait_state("flood", "running")


run(a_hundred_long_filters, long_filters_over_a_channel_that_waits_for_its_disk, long_filters_that_leave, many_hard_regexes,
    many_gzip_subscriptions, exports_that_nobody_reads,
    long_tails_of_clients_that_leave, pages_beside_streams_that_catch_up, changes_of_streams,
    listen_requests_with_unknown_owners, end_frames, open_requests, refusals, log_lines, standard_error,
    standard_error_of_a_command, counters, answers_to_no_question, many_cursors, a_source_that_does_not_stop_is_ended_with_its_reason)
