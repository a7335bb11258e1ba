#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What many files cost that come and go: the source's time on a processor, and how late lines are.

Writes one JSON object.  Beside each figure of sluice stands the physical limit on the same
directory in the same run: reading its names and looking at each file once, as a sweep must.
"""
import json
import os
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from harness import *

SHORT = "--short" in sys.argv
sys.argv[1:] = []
FILES = 1000 if SHORT else 10000
SECONDS = 2 if SHORT else 4
MASSES = (100, 200) if SHORT else (500, 1000, 2000, 5000)
CONFIG = "f: {type: file, channel: f, include: [DIR/d/*.log], read_from: beginning, limits: {open_files: %d}}\n"


def write(path, text):
    with open(path, "a") as f:
        f.write(text)


def bare_look(d):
    """Seconds that one readdir and one stat of each file take."""
    began = time.perf_counter()
    with os.scandir(d) as entries:
        for e in entries:
            os.stat(e.path)
    return time.perf_counter() - began


def lines(site):
    """What has arrived in the hub; the source's own counters come with its sweeps."""
    return site.source("f")["events"]


def cpu_share(site, during):
    pid = site.source("f")["pid"]
    began, before = time.monotonic(), cpu_seconds(pid)
    ret = during()
    return (cpu_seconds(pid) - before) / (time.monotonic() - began), ret


def probe(site, d, late, n):
    """How late a line of a file that is there all the time arrives, in seconds."""
    want = lines(site)
    began = time.monotonic()
    write(os.path.join(d, "probe.log"), "probe %d\n" % n)
    wait_for(lambda: lines(site) > want, "the probe")
    late.append(time.monotonic() - began)


def idle(site, d):
    time.sleep(SECONDS)


def turnover(site, d, per_second):
    """Files are made, written to and removed all the time."""
    late, made, base = [], 0, lines(site)
    began = time.monotonic()
    pending = []
    while time.monotonic() < began + SECONDS:
        write(os.path.join(d, "new%d.log" % made), "%d\n" % made)
        pending.append(made)
        made += 1
        if len(pending) > 3 * per_second:
            os.unlink(os.path.join(d, "new%d.log" % pending.pop(0)))
        time.sleep(max(0, began + made / per_second - time.monotonic()))
    wait_for(lambda: lines(site) >= base + made, "the lines of new files")
    for i in range(5):
        probe(site, d, late, i)
    for n in pending:
        os.unlink(os.path.join(d, "new%d.log" % n))
    return made, max(late)


def mass_rotation(site, d, n):
    """Seconds from the first rename until the last file's new line is there."""
    want = lines(site) + n
    began = time.monotonic()
    for i in range(n):
        name = os.path.join(d, "f%d.log" % i)
        os.rename(name, name + ".1")
        write(name, "after\n")
    wrote = time.monotonic() - began
    wait_for(lambda: lines(site) >= want, "the lines behind the rotation", 120)
    took = time.monotonic() - began
    check(lines(site) == want, "%d lines, not %d" % (lines(site), want))
    wait_for(lambda: site.source("f")["counters"]["files"] <= FILES + 1, "the old ones to be closed", 120)
    for i in range(n):
        os.unlink(os.path.join(d, "f%d.log.1" % i))
    return wrote, took


def say(what, began=time.monotonic()):
    print("  %5.1f s  %s" % (time.monotonic() - began, what), file=sys.stderr, flush=True)


def bench(site):
    d = site.path("d")
    os.mkdir(d)
    for i in range(FILES):
        write(os.path.join(d, "f%d.log" % i), "%d\n" % i)
    write(os.path.join(d, "probe.log"), "")
    site.up(CONFIG % min(30000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    site.ready()
    wait_for(lambda: lines(site) >= FILES, "the first line of each file", 120)
    say("%d files are followed" % FILES)
    look = min(bare_look(d) for _ in range(5))
    result = {"files": FILES, "bare_look_s": round(look, 4), "sweep_interval_s": 1, "turnover": [], "mass_rotation": []}
    share, _ = cpu_share(site, lambda: idle(site, d))
    result["idle_cpu"] = round(share, 4)
    say("idle: %.4f of a core" % share)
    for per_second in (50, 100, 200):
        share, (made, late) = cpu_share(site, lambda: turnover(site, d, per_second))
        result["turnover"].append({"files_per_s": per_second, "made": made, "cpu": round(share, 4),
                                   "latest_line_s": round(late, 3)})
        say("turnover: %r" % result["turnover"][-1])
    for n in MASSES:
        wrote, took = mass_rotation(site, d, n)
        result["mass_rotation"].append({"files": n, "renames_s": round(wrote, 3), "seconds": round(took, 3),
                                        "bare_look_s": round(min(bare_look(d) for _ in range(3)), 4),
                                        "us_per_file": round(took / n * 1e6)})
        say("mass rotation: %r" % result["mass_rotation"][-1])
    print(json.dumps(result, indent=1))


run(bench)
