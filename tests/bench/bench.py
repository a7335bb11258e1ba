#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The benchmarks: figures as JSON, one object a line, each beside the raw limit.

bench.py [--short] [--rounds N] [--seconds S]: every run N times (3), alternating, so that
what the machine does meanwhile meets all alike; then the medians.
"""
import argparse
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from harness import *

LOAD = os.path.join(BUILD, "tests/bench/load")
RAWSEND = os.path.join(BUILD, "tests/bench/rawsend")
QUERY = "channel=bench&data=message"


def load(lines, label, *args):
    done = subprocess.run([LOAD, "--lines", lines, "--label", label, *map(str, args)],
                          stdout=subprocess.PIPE, text=True)
    check(done.stdout, "load failed with %d" % done.returncode)
    return json.loads(done.stdout)


def sluice_run(label, way, n, coalesce, args):
    site = Site("bench")
    lines = site.path("lines.log")
    open(lines, "w").close()
    site.up('bench: {type: file, channel: bench, include: [DIR/lines.log], path_field: "", severity: false}',
            "bench: {durability: process, coalesce: %s}" % coalesce, "limits: {streams: 20000, streams_per_address: 0}")
    site.ready()
    wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 1, "the file")
    to = (["--fcgi", site.path("fcgi.sock"), "--query", QUERY] if way == "fcgi" else
          ["--http", "127.0.0.1:%d%s/events?%s" % (site.port, site.prefix, QUERY)])
    pids = ["--pid", "hub=%d" % site.pids("hub")[0], "--pid", "source=%d" % site.pids("source")[0],
            "--pid", "lighttpd=%d" % site.lighttpd.pid]
    try:
        return load(lines, label, "--streams", n, *to, *pids, *args)
    finally:
        site.tear_down(False)


def raw_run(label, n, args):
    with tempfile.TemporaryDirectory() as d:
        fifo, sock = os.path.join(d, "fifo"), os.path.join(d, "sock")
        os.mkfifo(fifo)
        p = subprocess.Popen([RAWSEND, sock, fifo])
        try:
            wait_for(lambda: os.path.exists(sock), "rawsend")
            return load(fifo, label, "--streams", n, "--fcgi", sock, "--query", "x=1",
                        "--pid", "hub=%d" % p.pid, *args)
        finally:
            p.kill()
            p.wait()


def lines_per_second(lines):
    """From a file to the journal, beside reading the same lines and writing them to a file."""
    site = Site("bench-journal")
    log = site.path("lines.log")
    text = b"".join(b"2026-11-21 12:00:00 app[42]: request %09d served in 12 ms from the cache of the node\n" % i
                    for i in range(1000))
    with open(log, "wb") as f:
        for _ in range(lines // 1000):
            f.write(text)
    began = time.monotonic()
    subprocess.run(["sh", "-c", "wc -l < %s > /dev/null && cat %s > %s" % (log, log, site.path("copy"))], check=True)
    raw = time.monotonic() - began
    os.unlink(site.path("copy"))
    site.write_config("bench: {type: file, channel: bench, include: [DIR/lines.log], read_from: beginning}",
                      "bench: {history: {size: 2GiB}}")
    began = time.monotonic()
    site.start()
    site.start_lighttpd()
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] >= lines, "the lines", 120)
    took = time.monotonic() - began
    cpu = {}
    for role in ("hub", "source"):
        ns = sum(int(open("/proc/%d/task/%s/schedstat" % (site.pids(role)[0], t)).read().split()[0])
                 for t in os.listdir("/proc/%d/task" % site.pids(role)[0]))
        cpu[role] = ns / lines
    site.tear_down(False)
    return {"label": "file to journal", "lines": lines, "lines_per_s": lines / took, "cpu_ns_per_line": cpu,
            "lines_per_cpu_s": 1e9 / sum(cpu.values()), "raw_lines_per_s": lines / raw}


def median_of(results):
    def walk(values):
        if isinstance(values[0], dict):
            return {k: walk([v[k] for v in values]) for k in values[0]}
        if isinstance(values[0], (int, float)) and not isinstance(values[0], bool):
            return statistics.median(values)
        return values[0]
    return walk(results)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="one round of small runs, to see that it works")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    a = parser.parse_args()
    seconds = 2 if a.short else a.seconds
    sizes = (100,) if a.short else (100, 1000, 5000)
    runs = []
    for n in sizes:
        at = ("--rate", 10, "--seconds", seconds)
        runs.append(lambda n=n, at=at: sluice_run("lighttpd, %d streams, 10/s" % n, "http", n, "5ms", at))
        runs.append(lambda n=n, at=at: sluice_run("fastcgi, %d streams, 10/s" % n, "fcgi", n, "5ms", at))
        runs.append(lambda n=n, at=at: raw_run("raw send(), %d streams, 10/s" % n, n, at))
    n = 100 if a.short else 1000
    for window, coalesce in ((1, "0"), (20, "0"), (100, "5ms")):
        full = ("--window", window, "--seconds", seconds)
        name = "%d streams, %d at once, coalesce %s" % (n, window, coalesce)
        runs.append(lambda f=full, c=coalesce, m=name: sluice_run("lighttpd, " + m, "http", n, c, f))
        runs.append(lambda f=full, c=coalesce, m=name: sluice_run("fastcgi, " + m, "fcgi", n, c, f))
        runs.append(lambda f=full, m=name: raw_run("raw send(), " + m, n, f))
    runs.append(lambda: lines_per_second(200_000 if a.short else 3_000_000))
    all_results = [[] for _ in runs]
    for _ in range(1 if a.short else a.rounds):
        for i, r in enumerate(runs):
            all_results[i].append(r())
    for results in all_results:
        print(json.dumps(median_of(results)))
        sys.stdout.flush()


if __name__ == "__main__":
    require("lighttpd")
    main()
