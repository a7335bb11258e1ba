#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What was read does not come again, whatever becomes of the file that holds it."""
import gzip
import subprocess

from harness import *

WAYS = ("touched", "member", "renamed", "inplace", "copied", "small")


def numbers(first, last):
    return b"".join(b"%d\n" % i for i in range(first, last + 1))


class Copies:
    """A source for each way and mode; each has one log, app.log."""

    def __init__(self, site):
        self.site = site
        self.all = [(way, mode) for way in WAYS for mode in ("auto", "poll")]
        for way, mode in self.all:
            os.makedirs(site.path(way + mode))
            if way in ("touched", "member"):
                self.write(way, mode, gzip.compress(numbers(1, 500)), "app.log.2.gz")
                os.utime(site.path(way + mode, "app.log.2.gz"), (1000000000, 1000000000))
                self.write(way, mode, numbers(501, 510))
            else:
                self.write(way, mode, numbers(1, 50 if way == "small" else 510))
        site.up("".join("%s: {type: file, channel: %s, include: ['DIR/%s/app.log*'], watch: %s, read_from: beginning, "
                        "decompress: true, sweep_interval: 100ms, rotate_wait: 200ms}\n" % (w + m, w + m, w + m, m)
                        for w, m in self.all))

    def write(self, way, mode, data, name="app.log", how="ab"):
        with open(self.site.path(way + mode, name), how) as f:
            f.write(data)

    def until(self, n):
        for way, mode in self.all:
            want = n - 460 if way == "small" else n
            wait_for(lambda: self.site.source(way + mode)["events"] >= want, "%d lines of %s" % (want, way + mode))

    def replace(self, way, mode):
        """Each way leaves the lines 511 to 520 behind what was there, or in a file of their own."""
        log = self.site.path(way + mode, "app.log")
        if way == "touched":
            os.utime(log + ".2.gz", (1100000000, 1100000000))
            self.write(way, mode, numbers(511, 520))
        elif way == "member":
            self.write(way, mode, gzip.compress(numbers(511, 520)), "app.log.2.gz")
            os.utime(log + ".2.gz", (1100000000, 1100000000))
        elif way == "renamed":
            self.write(way, mode, numbers(1, 520), "new")
            os.rename(self.site.path(way + mode, "new"), log)
        elif way == "inplace":
            self.write(way, mode, numbers(1, 520), how="wb")
        elif way == "copied":
            self.write(way, mode, numbers(1, 520), "new")
            subprocess.check_call(["cp", self.site.path(way + mode, "new"), log])
        else:
            # Of a small file the whole is its head; the program still writes to it.
            late = open(log, "ab", buffering=0)
            os.rename(log, log + ".1")
            late.write(numbers(51, 55))
            subprocess.check_call(["gzip", "-q", log + ".1"])
            self.write(way, mode, numbers(56, 60))

    def judge(self):
        bad = []
        for way, mode in self.all:
            last = 61 if way == "small" else 521
            s = self.site.stream("channel=%s&earliest=1" % (way + mode))
            got = [e for e in s.until_message(str(last), 60) if e.type != "hello"]
            s.close()
            lines = sorted(int(e.json()["message"]) for e in got if e.type == "line")
            gaps = [e.json()["message"] for e in got if e.type == "gap"]
            if lines != list(range(1, last + 1)) or gaps:
                twice = sorted(set(x for x in lines if lines.count(x) > 1))
                lost = sorted(set(range(1, last + 1)) - set(lines))
                bad.append("%s %s: twice %r, lost %r, gaps %r" % (way, mode, twice, lost, gaps))
        check(not bad, "\n  ".join(bad))


def what_was_read_does_not_come_again(site):
    require("gzip")
    copies = Copies(site)
    copies.until(510)
    for way, mode in copies.all:
        copies.replace(way, mode)
    copies.until(520)
    site.kill("source")
    # What is compressed is looked at after two seconds.
    until = time.monotonic() + 3
    wait_for(lambda: time.monotonic() > until, "a look at all files")
    for way, mode in copies.all:
        copies.write(way, mode, b"61\n" if way == "small" else b"521\n")
    copies.judge()


run(what_was_read_does_not_come_again)
