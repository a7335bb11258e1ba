#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A full disk under the journal: lines wait, none is lost, and it recovers by itself."""
from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, sweep_interval: 100ms}"


def append(site, first, last, name="app.log", pad=""):
    with open(site.path(name), "a") as f:
        f.write("".join("%d%s\n" % (i, pad) for i in range(first, last + 1)))


def a_full_disk_holds_the_lines_back_and_loses_none(site):
    """The state directory on a file system of its own, filled by somebody else."""
    state = site.path("state")
    os.mkdir(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", state], check=True)
    try:
        open(site.path("app.log"), "w").close()
        site.up(SOURCE)
        append(site, 1, 1000)
        s = site.stream("channel=logs&earliest=1")
        s.until_message("1000")
        with open(os.path.join(state, "filler"), "wb", buffering=0) as f:
            with contextlib.suppress(OSError):
                while True:
                    f.write(b"x" * 4096)
        append(site, 1001, 20000)  # which fit once there is room
        wait_for(lambda: site.json("/channels")["channels"][0]["stuck"], "the journal to be stuck")
        check("the journal cannot be written: No space left on device" in site.log(), site.log())
        os.unlink(os.path.join(state, "filler"))
        got = [int(e.json()["message"]) for e in s.until_message("20000", 60) if e.type == "line"]
        check(got == list(range(1001, 20001)), "%d lines, %r, %r" % (len(got), got[:3], site.json("/channels")["channels"]))
        # Far more than the disk holds: the oldest goes, the live stream goes on.
        for first in range(20001, 120001, 2000):
            append(site, first, first + 1999)
            got = [int(e.json()["message"]) for e in s.until_message(str(first + 1999), 60) if e.type == "line"]
            check(got == list(range(first, first + 2000)), "%d lines from %d" % (len(got), first))
        channel = site.json("/channels")["channels"][0]
        check(channel["events"] == 120000 and 0 < channel["held"] < 120000, "%r" % channel)
    finally:
        site.stop()
        subprocess.run(["umount", "-l", state])


def a_hub_that_dies_on_a_full_disk_comes_back(site):
    state = site.path("state")
    os.mkdir(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", state], check=True)
    try:
        append(site, 1, 8000, pad=" " + "x" * 900)
        site.up(SOURCE, "logs: {history: {size: 8MiB}}")
        wait_for(lambda: site.source("app")["events"] >= 8000, "the lines")
        with open(os.path.join(state, "filler"), "wb", buffering=0) as f:
            with contextlib.suppress(OSError):
                while True:
                    f.write(b"x" * 4096)
        hub = site.pids("hub")
        site.kill("hub")
        wait_for(lambda: site.pids("hub") and site.pids("hub") != hub and site.get("/history?channel=logs&limit=1")[0] == 200,
                 "the next hub: " + site.log()[-1000:])
        append(site, 8001, 8002)
        site.stream("channel=logs&tail=1").events(lambda e: e.type == "line" and e.json()["message"] == "8002", 60)
    finally:
        site.stop()
        subprocess.run(["umount", "-l", state])


require_root("mounting a file system to fill")
run(a_full_disk_holds_the_lines_back_and_loses_none, a_hub_that_dies_on_a_full_disk_comes_back)
