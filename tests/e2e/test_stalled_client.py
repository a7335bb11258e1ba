#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A client that stops reading costs the others nothing, the hub little, and itself no line."""
from harness import *

LINES = 200_000
TEXT = re.compile(rb'"message":"(\d+) x')


def a_client_that_stops_for_ten_seconds_gets_every_line(site):
    log = site.path("app.log")
    open(log, "w").close()
    site.up('app: {type: file, channel: logs, include: [DIR/app.log], path_field: "", severity: false}')
    site.ready()
    wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 1, "the file")
    stalled = site.stream("channel=logs", rcvbuf=65536)
    reader = site.stream("channel=logs")
    stalled.until_type("hello")
    reader.until_type("hello")
    hub = site.pids("hub")[0]
    before = rss_kib(hub)

    def lines(first, last):
        return b"".join(b"%d x%s\n" % (i, b"y" * 200) for i in range(first, last + 1))

    written = 0
    seen = 0
    late = []
    highest = before
    began = time.monotonic()
    file = open(log, "ab", buffering=0)
    data = b""
    while time.monotonic() - began < 10 or seen < LINES:
        if written < LINES and time.monotonic() - began >= written / LINES * 9:
            file.write(lines(written + 1, written + 1000))
            written += 1000
            sent = time.monotonic()
        reader.fill(0.05)
        data += reader.buffer
        reader.buffer = b""
        cut = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
        for n in TEXT.findall(data[:cut]):
            check(int(n) == seen + 1, "the reader got %s after %d" % (n.decode(), seen))
            seen += 1
        if cut and seen == written:
            late.append(time.monotonic() - sent)
        data = data[cut:]
        highest = max(highest, rss_kib(hub))
        check(time.monotonic() - began < 120 * PATIENCE, "the reader has %d of %d" % (seen, written))
    print("# hub: %d KiB before, %d at most; the other client had each thousand lines after %.1f ms (median)"
          % (before, highest, sorted(late)[len(late) // 2] * 1000))
    # All of it would be about 70 MB; the window of a view is 4 MiB.
    check(highest - before < 40 * 1024, "the hub grew by %d KiB" % (highest - before))

    got = 0
    data = b""
    deadline = time.monotonic() + 60 * PATIENCE
    while got < LINES:
        check(stalled.fill(1), "the stalled stream was ended after %d lines" % got)
        data += stalled.buffer
        stalled.buffer = b""
        cut = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
        for n in TEXT.findall(data[:cut]):
            check(int(n) == got + 1, "the stalled client got %s after %d" % (n.decode(), got))
            got += 1
        check(b"event: gap" not in data[:cut], "a gap")
        data = data[cut:]
        check(time.monotonic() < deadline, "the stalled client has %d lines" % got)
    # And it is live again.
    file.write(lines(LINES + 1, LINES + 1))
    wait_for(lambda: (stalled.fill(0.1), b"%d x" % (LINES + 1) in stalled.buffer)[1], "a live line")


run(a_client_that_stops_for_ten_seconds_gets_every_line)
