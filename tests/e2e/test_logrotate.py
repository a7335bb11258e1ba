#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The real logrotate, in each of its ways, while sluice runs, is stopped or is killed, and behind links.

Every cell of the matrix is a log of its own with numbered lines.  Of each cell every number must
arrive exactly once; where one cannot arrive, a gap must name that log.
"""
import itertools
import subprocess

from harness import *

WAYS = {
    "create": "",
    "copytruncate": "copytruncate",
    "compress": "compress",
    "unreadable": "compress",  # with decompress: false
    "delaycompress": "compress\n  delaycompress",
    "dateext": "dateext\n  dateformat -%Y%m%d-%s",
    "olddir": "olddir OLD",
    "late": "sharedscripts\n  postrotate\n    true\n  endscript",
    "latecompress": "compress\n  sharedscripts\n  postrotate\n    true\n  endscript",
}
STATES = ("running", "down", "killed")
LINKS = ("plain", "link", "chain")
SOURCE = "%s: {type: file, channel: logs, include: [DIR/%s/*/*.log], read_from: beginning, watch: %s, " \
         "sweep_interval: 200ms, rotate_wait: 500ms, restart: {backoff: 20ms..100ms, attempts: 0}%s}\n"
DECOMPRESSED = ("compress", "delaycompress", "latecompress")


class Cell:
    """One log with its writer."""

    def __init__(self, site, way, state, links):
        self.name = "%s.%s.%s" % (way, state, links)
        self.way, self.state = way, state
        self.n = 0
        real = site.path("real", self.name)
        if links == "plain":
            real = site.path("gz" if way in DECOMPRESSED else "text", self.name)
        os.makedirs(real)
        self.log = os.path.join(real, {"plain": "app.log", "link": "server.log", "chain": "1f2e-json.log"}[links])
        self.old = os.path.join(real, "old")
        os.mkdir(self.old)
        self.name_followed = self.log
        if links != "plain":
            above = site.path("gz" if way in DECOMPRESSED else "text", self.name)
            os.makedirs(above)
            self.name_followed = os.path.join(above, "app.log")
            target = self.log
            if links == "chain":
                target = site.path("real", self.name, "pod")
                os.mkdir(target)
                target = os.path.join(target, "0.log")
                os.symlink(self.log, target)
            os.symlink(target, self.name_followed)
        self.file = open(self.log, "ab", buffering=0)
        self.config = "%s {\n  rotate 20\n  %s\n  missingok\n  su root root\n%s}\n" % (
            self.log, WAYS[way].replace("OLD", self.old), "" if way == "copytruncate" else "  create\n")

    def write(self, n):
        self.file.write(b"".join(b"%s %d\n" % (self.name.encode(), i) for i in range(self.n + 1, self.n + n + 1)))
        self.n += n

    def reopen(self):
        """As on logrotate's signal, which comes late for some writers."""
        if self.way == "copytruncate":
            return
        if self.way.startswith("late"):
            self.write(3)
        self.file.close()
        self.file = open(self.log, "ab", buffering=0)


class Collected:
    """What has arrived of each cell."""

    def __init__(self, site):
        self.site = site
        self.got = {}
        self.gaps = []
        self.stream = None
        self.last_id = None

    def take(self):
        if not self.stream:
            self.stream = self.site.stream("channel=logs&earliest=1",
                                           headers={"Last-Event-ID": self.last_id} if self.last_id else {})
        try:
            is_open = self.stream.fill(0.1)
        except OSError:
            is_open = False
        for e in filter(None, map(self.stream.parse, self.stream.blocks_pending())):
            self.last_id = e.id
            if e.type == "gap":
                self.gaps.append(e.json()["message"])
            elif e.type == "line":
                name, number = e.json()["message"].split()
                self.got.setdefault(name, []).append(int(number))
        if not is_open:
            self.close()

    def close(self):
        if self.stream:
            self.stream.close()
            self.site.streams.remove(self.stream)
        self.stream = None

    def gaps_of(self, cell):
        return [g for g in self.gaps if "/%s/" % cell.name in g]

    def is_complete(self, cells):
        self.take()
        return all(len(self.got.get(c.name, ())) >= c.n or self.gaps_of(c) for c in cells)

    def judge(self, cells):
        bad = []
        for c in cells:
            got, gaps = self.got.get(c.name, []), self.gaps_of(c)
            lost = sorted(set(range(1, c.n + 1)) - set(got))
            doubled = len(got) - len(set(got))
            if doubled:
                bad.append("%s: doubled %d of %d: %r %r" % (c.name, doubled, c.n, got, gaps))
            if lost and not (gaps and c.way == "unreadable"):
                bad.append("%s: lost %r of %d, with the gaps %r" % (c.name, lost, c.n, gaps))
            if gaps and not lost and c.way not in ("copytruncate", "unreadable"):
                bad.append("%s: nothing is lost, but gaps are declared: %r" % (c.name, gaps))
            if got != sorted(got) and not c.way.startswith("late"):
                bad.append("%s: out of order: %r" % (c.name, got))
        check(not bad, "%d of %d cells are wrong:\n  %s" % (len(bad), len(cells), "\n  ".join(bad)))


def logrotate(site, cells):
    """All of them with one run.  The state remembers when each was rotated; -f does not care."""
    conf = site.path("rotate.conf")
    with open(conf, "w") as f:
        f.write("".join(c.config for c in cells))
    subprocess.check_call(["logrotate", "-f", "-s", site.path("rotate.state"), conf])


def rotate_twice(site, cells):
    """Lines before, between and after two rotations that follow each other at once."""
    for _ in range(2):
        for c in cells:
            c.write(5)
        logrotate(site, cells)
        ended = int(time.time())
        for c in cells:
            c.reopen()
        # Two rotations in one second would have one name with dateext.
        wait_for(lambda: time.time() > ended + 1.1, "the next second")
    for c in cells:
        c.write(5)


def kill_all_the_time(site, until):
    while time.monotonic() < until:
        site.kill("source")
        time.sleep(0.15)


def the_matrix(site, mode):
    require("logrotate")
    for d in ("gz", "text", "real"):
        os.mkdir(site.path(d))
    # What is written to a file that was compressed and removed is nowhere while nobody has it open.
    cells = [Cell(site, *k) for k in itertools.product(WAYS, STATES, LINKS) if k[:2] not in
             (("latecompress", "down"), ("latecompress", "killed"))]
    site.up(SOURCE % ("text", "text", mode, "") + SOURCE % ("gz", "gz", mode, ", decompress: true"))
    for c in cells:
        c.write(10)
    collected = Collected(site)

    def settle():
        with contextlib.suppress(Failed):
            wait_for(lambda: collected.is_complete(cells), "all lines", 12)
    settle()
    for _ in range(5 if LONG else 1):
        rotate_twice(site, [c for c in cells if c.state == "running"])
        settle()
        collected.close()
        site.stop()
        os.unlink(site.path("sluice.log"))
        rotate_twice(site, [c for c in cells if c.state == "down"])
        site.start()
        killer = in_background(kill_all_the_time, site, time.monotonic() + 2)
        rotate_twice(site, [c for c in cells if c.state == "killed"])
        join(killer)
        settle()
    # What comes twice comes soon: until what is compressed has been looked at, and a second look.
    until = time.monotonic() + 4
    while time.monotonic() < until:
        collected.take()
    collected.judge(cells)


def every_way_to_rotate_loses_and_doubles_nothing(site):
    the_matrix(site, "auto")


def every_way_to_rotate_loses_and_doubles_nothing_by_polling(site):
    the_matrix(site, "poll")


run(every_way_to_rotate_loses_and_doubles_nothing, every_way_to_rotate_loses_and_doubles_nothing_by_polling)
