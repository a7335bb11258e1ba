#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many streams through lighttpd: none is lost, no line is lost, no connection fails."""
from harness import *

CONFIG = 'bench: {type: file, channel: bench, include: [DIR/lines.log], path_field: "", severity: false}'


def load(site, *args):
    done = subprocess.run([os.path.join(BUILD, "tests/bench/load"), "--lines", site.path("lines.log"), "--http",
                           "127.0.0.1:%d%s/events?channel=bench&data=message" % (site.port, site.prefix), *map(str, args)],
                          stdout=subprocess.PIPE, text=True)
    check(done.stdout, "the load client failed with %d" % done.returncode)
    figures = json.loads(done.stdout)
    print("# " + done.stdout.strip())
    check(figures["connected"] == figures["streams"] and not figures["failed"], "not all were served: %s" % figures)
    check(not figures["lost"] and not figures["duplicated"], "lost or doubled: %s" % figures)
    check(done.returncode == 0, "the load client ended with %d" % done.returncode)
    return figures


def up(site):
    open(site.path("lines.log"), "w").close()
    site.up(CONFIG, hub="limits: {streams_per_address: 0}")
    site.ready()
    wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 1, "the file")


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def five_thousand_streams_get_every_event(site):
    up(site)
    hub = site.pids("hub")[0]
    before = descriptors(hub)
    load(site, "--streams", 5000, "--rate", 1, "--seconds", 60 if LONG else 8)
    # They have gone; the hub learns it from lighttpd, at the latest by the next event.
    with open(site.path("lines.log"), "a") as f:
        f.write("0 0\n")
    wait_for(lambda: site.json("/status")["streams"]["open"] == 0, "the streams to be gone", 40)
    wait_for(lambda: descriptors(hub) <= before, "the descriptors to be closed")


def two_thousand_connect_at_once_without_an_error(site):
    up(site)
    load(site, "--streams", 2000, "--at-once", 2000, "--rate", 1, "--seconds", 1)


def connections_beyond_the_limit_are_told_to_come_back(site):
    open(site.path("lines.log"), "w").close()
    site.up(CONFIG, hub="limits: {streams: 2}")
    for _ in range(2):
        site.stream("channel=bench").until_type("hello")
    s = site.stream("channel=bench")
    e = s.until_type("busy")
    check("hub.limits.streams" in e.data and s.retry >= 15000, "busy says %r, retry %r" % (e, s.retry))
    check(" 200 " in s.head, "not 200: " + s.head)


run(five_thousand_streams_get_every_event, two_thousand_connect_at_once_without_an_error,
    connections_beyond_the_limit_are_told_to_come_back)
