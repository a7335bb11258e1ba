#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The console in headless Chromium through lighttpd and Apache: console.py [--short | --soak] [--markdown].

One JSON object a line: what was measured, the budget, and the machine's own speed.  With --markdown
a table after it.
"""
import argparse
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from harness import *
from mounts import mount

CONFIG = "app: {type: file, channel: logs, include: [DIR/app.log], path_field: '', severity: false, sweep_interval: 100ms}\n"
LEVELS = ("GET /api/v1/orders/%d 200 12ms upstream=app3", 'slow query 83ms rows=%d "select * from cart"', "cache hit key=cart:%d ttl=58s")


class Feeder(threading.Thread):
    """Writes what DIR/rate and DIR/burst ask for."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.n, self.is_over = site, 0, False
        self.log = open(site.path("app.log"), "a")

    def asked(self, name):
        with contextlib.suppress(OSError, ValueError):
            return int(open(self.site.path(name)).read())
        return 0

    def lines(self, n):
        now = int(time.time() * 1000)
        self.log.write("".join("%d at %d %s\n" % (k, now, LEVELS[k % 3] % k) for k in range(self.n + 1, self.n + n + 1)))
        self.log.flush()
        self.n += n
        with open(self.site.path("written.new"), "w") as f:
            f.write("%d" % self.n)
        os.rename(self.site.path("written.new"), self.site.path("written"))

    def run(self):
        owed, last = 0.0, time.monotonic()
        while not self.is_over:
            time.sleep(0.01)
            now = time.monotonic()
            owed += self.asked("rate") * (now - last)
            last = now
            if owed >= 1:
                self.lines(int(owed))
                owed -= int(owed)
            burst = self.asked("burst")
            if burst:
                os.unlink(self.site.path("burst"))
                while burst > 0:
                    self.lines(min(burst, 20000))
                    burst -= 20000
                    time.sleep(0.2)


def lighttpd(site):
    site.start_lighttpd()


def apache(site):
    m = mount("Apache mod_proxy_fcgi")
    m.prepare(site)
    m.start(site)
    site.front = m


def measured(front, args, *more):
    site = Site("bench")
    site.prefix = "/logs"
    feeder = None
    try:
        open(site.path("app.log"), "w").close()
        site.write_config(CONFIG, "logs: {history: {size: 512MiB}}")
        site.start()
        front(site)
        site.ready()
        feeder = Feeder(site)
        feeder.lines(2000)
        feeder.start()
        done = subprocess.run(["node", os.path.join(SRC, "tests/browser/measure.js"), "http://127.0.0.1:%d/logs/" % site.port, site.dir,
                               str(3 if args.short else 60), str(40000 if args.short else 500000), *more],
                              stdout=subprocess.PIPE, text=True)
        print(done.stdout, end="", flush=True)
        check(done.returncode == 0, done.stdout)
        return [json.loads(line) for line in done.stdout.splitlines()]
    finally:
        if feeder:
            feeder.is_over = True
            feeder.join()
        if getattr(site, "front", None):
            site.front.stop()
        site.tear_down(False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--soak", action="store_true", help="ten minutes with all lines that can be held")
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    if args.soak:
        measured(lighttpd, args, "soak")
        return
    results = measured(lighttpd, args) + measured(apache, args, "paint", "first line, warm, through Apache")
    if args.markdown:
        print("\n| measure | figures | budget |\n|---|---|---|")
        for r in results:
            figures = ", ".join("%s %s" % (k, v) for k, v in r.items() if k not in ("label", "budget", "budget_ms"))
            print("| %s | %s | %s |" % (r["label"], figures, r.get("budget", r.get("budget_ms", ""))))


main()
