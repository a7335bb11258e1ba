#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The benchmark runs, in its short form, and nothing is lost or doubled in it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from harness import *


def the_short_benchmark_runs_and_loses_nothing(site):
    done = subprocess.run([sys.executable, os.path.join(SRC, "tests/bench/bench.py"), "--short"],
                          capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    check(len(results) == 13, "%d results" % len(results))
    for r in results:
        print("# %s" % json.dumps(r))
        check(not r.get("lost") and not r.get("duplicated") and not r.get("failed"), "%r" % r)


def the_short_benchmark_of_sources_loses_nothing(site):
    require("rsyslogd")
    if not os.environ.get("SYSLOG_NG"):
        require("syslog-ng")
    done = subprocess.run([sys.executable, os.path.join(SRC, "tests/bench/sources.py"), "--short"],
                          capture_output=True, text=True)
    check(done.returncode == 0, done.stderr + done.stdout)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    check(len(results) == 14, "%d results" % len(results))
    for r in results:
        print("# %s" % json.dumps(r))
        if ": sluice" in r["label"]:
            check(r["received"] + r.get("dropped", 0) == r["sent"], "%r" % r)


def the_short_benchmark_of_searches_finds_what_the_others_find(site):
    require("rg", "zstd")
    done = subprocess.run([sys.executable, os.path.join(SRC, "tests/bench/search.py"), "--short"],
                          capture_output=True, text=True)
    check(done.returncode == 0, done.stderr + done.stdout)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    check(len(results) == 12, "%d results" % len(results))
    for r in results:
        print("# %s" % json.dumps(r))


def the_short_benchmark_of_streams_loses_nothing(site):
    require("nginx", "node")
    done = subprocess.run([sys.executable, os.path.join(SRC, "tests/bench/streams.py"), "--short"],
                          capture_output=True, text=True)
    check(done.returncode == 0, done.stderr + done.stdout)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    check(len(results) == 28, "%d results" % len(results))
    for r in results:
        print("# %s" % json.dumps(r))
        ours = r["label"].split(",")[0] in ("fastcgi", "lighttpd") or r["label"].split(":")[0] in (
            "filters", "guests", "clients", "subscriptions")
        check(not ours or (not r["lost"] and not r["duplicated"] and not r["failed"] and r["delivered"]), "%r" % r)


def the_short_measurement_of_the_console_loses_nothing(site):
    require("node", "chromium", "apache2")
    done = subprocess.run([sys.executable, os.path.join(SRC, "tests/bench/console.py"), "--short"],
                          capture_output=True, text=True)
    check(done.returncode == 0, done.stderr + done.stdout)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    check(len(results) == 11, "%d results" % len(results))
    for r in results:
        print("# %s" % json.dumps(r))
        check(r.get("all_came", True) and r.get("complete", True) and not r.get("out_of_order_frames"), "%r" % r)
        check(r.get("nodes", 0) < 2500, "%r" % r)


run(the_short_benchmark_runs_and_loses_nothing, the_short_benchmark_of_sources_loses_nothing,
    the_short_benchmark_of_searches_finds_what_the_others_find,
    the_short_benchmark_of_streams_loses_nothing,
    the_short_measurement_of_the_console_loses_nothing)
