#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long many sources take to start, and what memory each costs.

startup.py [--sources N] [--rounds N] [--before SLUICE]: N file sources (300) in ten channels; the
medians of N rounds (3), alternating with another sluice if one is named.  One JSON object a line:
seconds until it listens and until all sources run, MiB of all source processes together (PSS),
and KiB that are one's alone.
"""
import argparse
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import harness
from harness import *


def memory(pid):
    """KiB of a process: {name: of what}."""
    lines = (l.split() for l in open("/proc/%d/smaps_rollup" % pid))
    return {l[0].rstrip(":"): int(l[1]) for l in lines if len(l) == 3 and l[2] == "kB"}


def start(n):
    site, failed = Site("startup"), True
    try:
        site.write_config("".join("s%d: {type: file, channel: c%d, include: [DIR/s%d.log]}\n" % (i, i % 10, i)
                                  for i in range(n)))
        began = time.monotonic()
        site.start()
        listens = time.monotonic() - began
        site.start_lighttpd()
        site.ready()
        runs = time.monotonic() - began
        each = [memory(p) for p in site.pids("source")]
        check(len(each) == n, "%d of %d sources run" % (len(each), n))
        failed = False
        return {"listens_s": listens, "runs_s": runs, "pss_mib": sum(m["Pss"] for m in each) / 1024,
                "private_kib": statistics.mean(m["Private_Dirty"] + m["Private_Clean"] for m in each)}
    finally:
        site.tear_down(failed)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--sources", type=int, default=300)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--before")
    o = options.parse_args()
    programs = {"now": harness.SLUICE, **({"before": o.before} if o.before else {})}
    results = {label: [] for label in programs}
    for _ in range(o.rounds):
        for label, program in programs.items():
            harness.SLUICE = program
            results[label].append(start(o.sources))
    for label, rounds in results.items():
        print(json.dumps({"label": label, "sources": o.sources,
                          **{k: round(statistics.median(r[k] for r in rounds), 2) for k in rounds[0]}}))


if __name__ == "__main__":
    require("lighttpd")
    main()
