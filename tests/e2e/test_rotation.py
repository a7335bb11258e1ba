#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A million lines, written as fast as possible and rotated, arrive once each and in order."""
from harness import *

LINES = 1_000_000


def million_lines_rotated_five_times_arrive_once_in_order(site):
    log = site.path("app.log")
    open(log, "w").close()
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}")
    numbers = Numbers(site, "logs")
    numbers.take()
    writer = in_background(write_lines, log, 1, LINES, [i * LINES // 6 for i in range(1, 6)])
    numbers.until(LINES, 180)
    join(writer)


def late_writes_to_a_rotated_file_come_before_the_new_file(site):
    log = site.path("app.log")
    old = open(log, "w", buffering=1)
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}")
    numbers = Numbers(site, "logs")
    for i in range(1, 11):
        old.write("%d\n" % i)
    numbers.until(10)
    rotate(log)
    old.write("11\n12\n")
    numbers.until(12)
    new = open(log, "w", buffering=1)
    old.write("13\n")
    new.write("14\n")
    numbers.until(14)


def lines_already_there_are_left_out_by_default_and_later_files_are_not(site):
    log = site.path("app.log")
    with open(log, "w") as f:
        f.write("old\n")
    site.up("app: {type: file, channel: logs, include: [DIR/app.log, DIR/later*.log]}")
    site.ready()
    wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 1, "the file")
    with open(site.path("later.log"), "w") as f:
        f.write("from a later file\n")
    with open(log, "a") as f:
        f.write("new\n")
    s = site.stream("channel=logs&earliest=1")
    got = {e.json()["message"] for e in s.events(
        lambda e, seen=[]: e.type == "line" and (seen.append(1) or len(seen) == 2)) if e.type == "line"}
    check(got == {"new", "from a later file"}, "got %r" % got)


def a_file_that_appears_while_the_source_restarts_is_read_from_its_beginning(site):
    open(site.path("app.log"), "w").close()
    site.up("app: {type: file, channel: logs, include: [DIR/app.log, DIR/later*.log], sweep_interval: 50ms}")
    wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 1, "the file")
    site.kill("source")
    with open(site.path("later.log"), "w") as f:
        f.write("written in between\n")
    with open(site.path("app.log"), "a") as f:
        f.write("into what was empty\n")
    s = site.stream("channel=logs&earliest=1")
    got = [e.json()["message"] for e in s.events(
        lambda e, seen=[]: e.type == "line" and (seen.append(1) or len(seen) == 2)) if e.type == "line"]
    check(sorted(got) == ["into what was empty", "written in between"], "got %r" % got)


def rotation_that_reuses_inodes_keeps_the_order(site):
    """One backup: the file that is removed gives its inode to the new one."""
    log = site.path("app.log")
    open(log, "w").close()
    site.up("app: {type: file, channel: logs, include: [DIR/app.log, DIR/app.log.1], read_from: beginning, "
            "sweep_interval: 20ms, rotate_wait: 20ms}")
    numbers = Numbers(site, "logs")
    n = 0
    for _ in range(30):
        with open(log, "a") as f:
            f.write("%d\n%d\n" % (n + 1, n + 2))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(log + ".1")
        os.rename(log, log + ".1")
        with open(log, "w") as f:
            f.write("%d\n" % (n + 3))
        n += 3
        numbers.until(n)
        # Closed as done, so that its number can be given away.
        wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 1, "the old file to be closed")


def a_file_under_another_name_at_the_restart_is_found_again(site):
    log = site.path("app.log")
    with open(log, "w") as f:
        f.write("1\n")
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, sweep_interval: 50ms}")
    numbers = Numbers(site, "logs")
    numbers.until(1)
    site.stop()
    os.rename(log, site.path("elsewhere"))
    os.mkdir(log)
    os.unlink(site.path("sluice.log"))
    site.start()
    site.ready()
    os.rmdir(log)
    os.rename(site.path("elsewhere"), log)
    with open(log, "a") as f:
        f.write("2\n")
    numbers.until(2)


def the_last_lines_are_read_when_asked_for(site):
    with open(site.path("app.log"), "w") as f:
        f.write("".join("%d\n" % i for i in range(1, 1001)))
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: 10}")
    got = [e.json()["message"] for e in site.stream("channel=logs&earliest=1").until_message("1000")
           if e.type == "line"]
    check(got == [str(i) for i in range(991, 1001)], "got %r" % got)


run(million_lines_rotated_five_times_arrive_once_in_order,
    late_writes_to_a_rotated_file_come_before_the_new_file,
    lines_already_there_are_left_out_by_default_and_later_files_are_not,
    a_file_that_appears_while_the_source_restarts_is_read_from_its_beginning,
    rotation_that_reuses_inodes_keeps_the_order, a_file_under_another_name_at_the_restart_is_found_again,
    the_last_lines_are_read_when_asked_for)
