#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""/search: everything that matches, as it is found."""
from harness import *


def first_try(site):
    os.mkdir(site.path("a"))
    write_lines(site.path("a/app.log"), 1, 200000)
    site.up("a: {type: file, channel: a, include: [DIR/a/app.log], read_from: beginning}\n")
    wait_for(lambda: site.source("a")["events"] >= 200000, "all")
    for q in ("channel=a&grep=12345", "channel=a&grep=777&limit=3&context=1&format=ndjson", "channel=a&grep=777&limit=3&order=oldest&format=text"):
        t = time.monotonic()
        status, head, body = site.get("/search?" + q)
        print(q, status, time.monotonic() - t)
        print(body[-1500:])


run(first_try)
