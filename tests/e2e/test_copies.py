#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What was read does not come again, whatever becomes of the file that holds it."""
import gzip
import subprocess

from harness import *

WAYS = ("touched", "member", "renamed", "inplace", "copied", "small")


def numbers(first, last):
    return b"".join(b"%d\n" % i for i in range(first, last + 1))


def open_files(pid):
    return ["/proc/%d/fd/%s" % (pid, fd) for fd in os.listdir("/proc/%d/fd" % pid)]


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


def replace_by_longer(log, last, n):
    """`n` times by a copy of itself with one more line; returns the last line."""
    for i in range(n):
        shutil.copyfile(log, log + ".new~")
        write_lines(log + ".new~", last + 1, last + 1)
        os.rename(log + ".new~", log)
        last += 1
    return last


def a_file_that_is_replaced_several_times_between_two_looks_is_read_on(site):
    """The inodes of those that nobody saw are given away again."""
    log, last = site.path("app.log"), 500
    write_lines(log, 1, last)
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, sweep_interval: 20ms, "
            "rotate_wait: 20ms, restart: {backoff: 20ms..50ms, attempts: 0}}")
    numbers = Numbers(site, "logs")
    numbers.until(last)

    def while_stopped():
        source = site.pids("source")[0]
        os.kill(source, signal.SIGSTOP)
        yield
        os.kill(source, signal.SIGCONT)

    def while_killed():
        site.kill("source")
        yield

    def while_down():
        site.stop()
        os.unlink(site.path("sluice.log"))
        yield
        site.start()
    for way in 3 * (while_stopped, while_killed, while_down):
        for _ in way():
            last = replace_by_longer(log, last, 3)
        numbers.until(last)
        last += 1
        write_lines(log, last, last)
        numbers.until(last)


def a_file_that_is_seen_empty_and_comes_back_is_read_on(site):
    """Emptied and written again, as cp does it: with the same, and with more behind it."""
    rounds = 8
    names = [site.path("%d.log" % i) for i in range(rounds)]
    for name in names:
        write_lines(name, 1, 500)
    site.up("".join("app%d: {type: file, channel: c%d, include: [DIR/%d.log], read_from: beginning, watch: %s, "
                    "sweep_interval: 10ms}\n" % (i, i, i, ("auto", "poll")[i % 2]) for i in range(rounds)))
    everyone = [Numbers(site, "c%d" % i) for i in range(rounds)]
    counted = []
    for i, (name, follower) in enumerate(zip(names, everyone)):
        follower.until(500)
        source = next(p for p in site.pids("source") if name in map(os.path.realpath, open_files(p)))
        began = time.monotonic()
        os.truncate(name, 0)
        time.sleep(0.02)  # in which it is seen
        os.kill(source, signal.SIGSTOP)
        # What takes longer to come back counts as truncated; then this round shows nothing.
        if time.monotonic() - began < 0.07:
            counted.append(i)
        write_lines(name, 1, 500 if i % 4 < 2 else 510)
        os.kill(source, signal.SIGCONT)
        if i in counted:
            follower.until(500 if i % 4 < 2 else 510)
            write_lines(name, follower.next, follower.next)
            follower.until(follower.next)
    check(counted or PATIENCE > 1, "no file came back in time")


run(what_was_read_does_not_come_again, a_file_that_is_replaced_several_times_between_two_looks_is_read_on,
    a_file_that_is_seen_empty_and_comes_back_is_read_on)
