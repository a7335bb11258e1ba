#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kill -9 of any process, at random moments: every line once, in order."""
import random

from harness import *

LINES = 1_000_000
KILLS = 200 if LONG else 20


def killing(site, role, kills, every):
    """Kills `role` again and again while lines are written and followed."""
    log = site.path("app.log")
    open(log, "w").close()
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}",
            "logs: {retry: 50ms}")
    numbers = Numbers(site, "logs")
    numbers.take()
    seed = random.randrange(1 << 30)
    print("# seed %d" % seed)
    chance = random.Random(seed)
    lines = LINES
    writer = in_background(write_lines, log, 1, lines, [lines // 6 * i for i in range(1, 6)],
                           block=max(10, lines // (kills * 40)), pause=every / 40)
    state = {"pids": [], "due": 0, "kills": 0}

    def strike():
        """Kills those that have worked for a random while, so that none is taken for a crash loop."""
        pids = site.pids(role)
        if pids != state["pids"]:
            state["pids"], state["due"] = pids, time.monotonic() + every * chance.uniform(0.6, 1.6)
        elif pids and state["kills"] < kills and time.monotonic() >= state["due"]:
            state["kills"] += site.kill(role) > 0
            state["pids"] = []
    numbers.until(lines, 120 + kills * every * 4, strike)
    join(writer)
    # Those that are left are spent on a quiet stream, one line after each.
    while state["kills"] < kills:
        strike()
        with open(log, "a") as f:
            lines += 1
            f.write("%d\n" % lines)
        numbers.until(lines, 60, strike)
    print("# %d kills, %d connections" % (state["kills"], numbers.connections))


def hub_killed(site):
    killing(site, "hub", KILLS, 0.5)


def source_killed(site):
    killing(site, "source", KILLS, 0.5)


def responders_killed(site):
    killing(site, "responder", KILLS, 0.3)


def supervisor_killed_and_started_again(site):
    log = site.path("app.log")
    open(log, "w").close()
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}",
            "logs: {retry: 50ms}")
    numbers = Numbers(site, "logs")
    n = 0
    for _ in range(5):
        with open(log, "a") as f:
            f.write("".join("%d\n" % i for i in range(n + 1, n + 20001)))
        n += 20000
        numbers.until(n - 10000)
        site.sluice.kill()
        site.sluice.wait()
        os.unlink(site.path("sluice.log"))
        site.start()
        numbers.until(n)


def rotated_twice_while_stopped(site):
    """The file that was followed and the one nobody has seen are read before the new one."""
    log = site.path("app.log")
    open(log, "w").close()
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: end}")
    site.ready()
    wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 1, "the file")
    numbers = Numbers(site, "logs")
    write_lines(log, 1, 1000)
    numbers.until(1000)
    site.stop()
    write_lines(log, 1001, 4000, [2000, 3000])
    os.unlink(site.path("sluice.log"))
    site.start()
    numbers.until(4000)


run(hub_killed, source_killed, responders_killed, supervisor_killed_and_started_again,
    rotated_twice_while_stopped)
