#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A million lines, written as fast as possible and rotated, arrive once each and in order."""
import gzip
import itertools

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


def settled(site, rotated):
    """So many files were seen to be rotated, and all but the present one are done with."""
    def is_so():
        counters = site.json("/status")["sources"][0]["counters"]
        return counters.get("rotated") == rotated and counters.get("files") == 1
    wait_for(is_so, "%d rotations to be over" % rotated)


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
    settled(site, 0)
    n = 0
    for i in range(30):
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
        settled(site, i + 1)


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


def rename_all_the_time(path, seconds):
    """It ends under the name with which it began."""
    names = [path, path + ".a", path + ".b"]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for i in range(3):
            os.rename(names[i], names[(i + 1) % 3])


def a_file_whose_name_changes_at_the_restart_is_not_said_to_be_lost(site):
    """What readdir() says of a directory in which names change is no proof that a file is gone."""
    os.mkdir(site.path("d"))
    for i in range(500):
        open(site.path("d", "other%d" % i), "w").close()
    log = site.path("d/app.log")
    write_lines(log, 1, 1)
    site.up("app: {type: file, channel: logs, include: [DIR/d/app.log], read_from: beginning, sweep_interval: 20ms, "
            "restart: {backoff: 20ms..50ms, attempts: 0}}")
    numbers = Numbers(site, "logs")
    numbers.until(1)
    renamer = in_background(rename_all_the_time, log, 2)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        site.kill("source")
        numbers.take(0.1)
    join(renamer)
    write_lines(log, 2, 2)
    numbers.until(2)


QUICK = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, sweep_interval: 20ms, rotate_wait: 20ms}"


def generations_that_came_and_went_unseen_are_read_also_with_reused_inodes(site):
    """The source does not look while the oldest file is removed and its inode given to a new one."""
    log = site.path("app.log")
    numbers = Numbers(site, "logs")
    for i in range(3):
        write_lines(log, i + 1, i + 1)
        if i == 0:
            site.up(QUICK)
        numbers.until(i + 1)
        if i < 2:
            rotate(log)
            open(log, "w").close()
            settled(site, i + 1)
    source = site.pids("source")[0]
    os.kill(source, signal.SIGSTOP)
    os.unlink(log + ".2")
    rotate(log)
    write_lines(log, 4, 4)
    rotate(log)
    write_lines(log, 5, 5)
    os.kill(source, signal.SIGCONT)
    numbers.until(5)
    # The same while nothing runs, with files of one length.
    settled(site, 3)
    site.stop()
    os.unlink(log + ".3")
    rotate(log)
    write_lines(log, 6, 6)
    rotate(log)
    write_lines(log, 7, 7)
    os.unlink(site.path("sluice.log"))
    site.start()
    numbers.until(7)


def files_with_names_of_other_programs_that_came_and_went_are_read_in_order(site):
    """As svlogd, multilog, log4j and the kubelet name them, also where the pattern matches the older ones."""
    ways = {"svlogd": ("current", ["@400000006a17d2ea0b8cdb4c.s", "@400000006a17d2ea0b8cdb4d.u"]),
            "log4j": ("app.log", ["app.2.log", "app.1.log"]),
            "kubelet": ("0.log", ["0.log.20261128-150000.gz", "0.log.20261128-150001"])}

    def write(name, *numbers):
        with open(name, "a") as f:
            f.write("".join("%d\n" % n for n in numbers))
    for way, (name, _) in ways.items():
        for pattern in ("one", "all"):
            os.makedirs(site.path(way, pattern))
            write(site.path(way, pattern, name), 1)
    site.up("".join("%s-%s: {type: file, channel: %s-%s, include: [DIR/%s/%s/%s], read_from: beginning, "
                    "decompress: true}\n" % (way, p, way, p, way, p, name if p == "one" else "*")
                    for way, (name, _) in ways.items() for p in ("one", "all")))
    everyone = {(way, p): Numbers(site, "%s-%s" % (way, p)) for way in ways for p in ("one", "all")}
    for numbers in everyone.values():
        numbers.until(1)
    site.stop()
    os.unlink(site.path("sluice.log"))
    for (way, pattern) in everyone:
        name, older = ways[way]
        path = site.path(way, pattern, name)
        write(path, 2)
        for i, o in enumerate(older):
            os.rename(path, site.path(way, pattern, o.replace(".gz", ".plain")))
            write(path, 3 + i)
        for o in filter(lambda o: o.endswith(".gz"), older):
            compress_as(site.path(way, pattern, o.replace(".gz", ".plain")), site.path(way, pattern, o))
    site.start()
    for numbers in everyone.values():
        numbers.until(4)


def compress_as(path, name, inode=None):
    """Like gzip(1); with an inode, in a file that has this number, if the file system gives it again."""
    spare = []
    for left in reversed(range(100)):
        candidate = "%s.%d.new" % (name, left)
        subprocess.check_call("gzip -c '%s' > '%s'" % (path, candidate), shell=True)
        if not inode or not left or os.stat(candidate).st_ino == inode:
            break
        spare.append(candidate)
    os.rename(candidate, name)
    for s in spare + [path]:
        os.unlink(s)


def compressed_generations_stop_nothing_when_empty_or_with_the_number_of_another(site):
    def write(name, n):
        with open(site.path(name, "app.log"), "a") as f:
            f.write("%d\n" % n)

    def rotate_and_compress(name, generation, inode=None):
        path = site.path(name, "app.log.%d" % generation)
        os.rename(site.path(name, "app.log"), path)
        compress_as(path, path + ".gz", inode)
        return os.stat(path + ".gz").st_ino
    for i, name in enumerate(("a", "b")):
        os.mkdir(site.path(name))
        write(name, i + 1)
    site.up("app: {type: file, channel: logs, include: ['DIR/{a,b}/app.log'], decompress: true, "
            "read_from: beginning, sweep_interval: 100ms}")
    numbers = Numbers(site, "logs")
    numbers.until(2)
    site.stop()
    os.unlink(site.path("sluice.log"))
    write("a", 3)
    inode = rotate_and_compress("a", 2)
    open(site.path("a/app.log"), "w").close()
    rotate_and_compress("a", 1)
    write("a", 4)
    site.start()
    numbers.until(4)
    site.stop()
    os.unlink(site.path("sluice.log"))
    os.unlink(site.path("a/app.log.2.gz"))
    write("b", 5)
    freed = os.stat(site.path("b/app.log")).st_ino
    rotate_and_compress("b", 2, inode)
    keep = open(site.path("keep"), "w")  # so that the next log does not get the number
    write("b", 6)
    keep.close()
    os.unlink(site.path("keep"))
    rotate_and_compress("b", 1, freed)
    write("b", 7)
    site.start()
    numbers.until(7)


def rotate_as_the_kubelet_does(log, n):
    """It compresses the older file first, whose time it does not keep."""
    for name in os.listdir(os.path.dirname(log)):
        older = os.path.join(os.path.dirname(log), name)
        if name.startswith("app.log.2026") and not name.endswith(".gz"):
            compress_as(older, older + ".gz")
    os.rename(log, log + ".20261128-15000%d" % n)


def files_that_wait_for_a_compressed_one_are_read_after_a_kill(site):
    log = site.path("app.log")
    write_lines(log, 1, 100)
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, decompress: true, "
            "sweep_interval: 50ms, rotate_wait: 50ms, restart: {backoff: 20ms..100ms, attempts: 0}}")
    numbers = Numbers(site, "logs")
    numbers.until(100)
    site.stop()
    for n in (1, 2):
        rotate_as_the_kubelet_does(log, n)
        write_lines(log, 100 * n + 1, 100 * n + 100)
    site.start()
    wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 3, "all files to be found")
    site.kill("source")
    numbers.until(300)
    check(not numbers.gaps, "false gaps: %r" % numbers.gaps)


def late_lines_of_a_compressed_file_come_before_those_of_the_next_file(site):
    """A program writes to a file until it is compressed, when the next one is there already."""
    log = site.path("app.log")
    write_lines(log, 1, 1)
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], decompress: true, read_from: beginning, "
            "sweep_interval: 50ms, restart: {backoff: 20ms..50ms, attempts: 0}}")
    numbers = Numbers(site, "logs")
    numbers.until(1)
    n = 2

    def rotate_late(compress):
        """Two lines into a file that is rotated between them."""
        nonlocal n
        with open(log, "ab", buffering=0) as f:
            f.write(b"%d\n" % n)
            for i in range(8, 0, -1):
                for end in ("", ".gz"):
                    if os.path.exists("%s.%d%s" % (log, i, end)):
                        os.rename("%s.%d%s" % (log, i, end), "%s.%d%s" % (log, i + 1, end))
            os.rename(log, log + ".1")
            open(log, "w").close()
            time.sleep(0.02)  # for the clock of the file system
            f.write(b"%d\n" % (n + 1))
        if compress:
            subprocess.check_call(["gzip", log + ".1"])
        n += 2
    for is_delayed in (True, False):
        site.stop() if is_delayed else site.kill("source")
        rotate_late(True)
        rotate_late(True)
        rotate_late(not is_delayed)
        write_lines(log, n, n)
        if is_delayed:
            os.unlink(site.path("sluice.log"))
            site.start()
        numbers.until(n)
        n += 1


def files_that_a_link_led_to_unseen_are_read_or_told(site):
    """Those whose names differ in numbers are read; of others a gap says that there may be some."""
    targets = {"number": "number/app-%d.log", "day": "day/2026-11-%02d/app.log", "word": "word/%s.log"}
    words = iter("amber blue coral dune ember fern gold hazel iris jade".split())
    turn = dict.fromkeys(targets, 7)

    def switch(name, line):
        turn[name] += 1
        path = site.path(targets[name] % (next(words) if name == "word" else turn[name]))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        time.sleep(0.02)  # for the clock of the file system
        write_lines(path, line, line)
        os.symlink(path, site.path("link.new~"))
        os.rename(site.path("link.new~"), site.path(name + ".log"))

    for name in targets:
        switch(name, 1)
    site.up("".join("%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning, sweep_interval: 50ms, "
                    "watch: %s, restart: {backoff: 20ms..50ms, attempts: 0}}\n" % (n, n, n, mode)
                    for n, mode in zip(targets, ("auto", "poll", "auto"))))
    number, day = Numbers(site, "number"), Numbers(site, "day")
    words_seen = site.stream("channel=word&earliest=1")
    words_seen.until_message("1")

    def meanwhile(how):
        sources = site.pids("source")
        if how == "stop":
            site.stop()
            os.unlink(site.path("sluice.log"))
        for p in sources if how != "stop" else ():
            os.kill(p, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        yield
        site.start() if how == "stop" else None
        for p in sources if how == "pause" else ():
            os.kill(p, signal.SIGCONT)
    last = 1
    for how in ("pause", "kill", "stop"):
        number.until(last)
        day.until(last)
        for _ in meanwhile(how):
            for line in (last + 1, last + 2):
                for name in targets:
                    switch(name, line)
        last += 2
        number.until(last)
        day.until(last)
        if how == "stop":
            words_seen = site.stream("channel=word", headers={"Last-Event-ID": words_seen.last_id})
        got = [e for e in words_seen.until_message(str(last)) if e.type in ("line", "gap")]
        # After a kill it can be back in time to see the first of the two.
        is_told = [e.type for e in got] == ["gap", "line"] and "may have had this name" in got[0].data
        check(is_told or (how == "kill" and [e.type for e in got] == ["line", "line"]), repr(got))


def rotate_over(log):
    """One generation is kept; the rotations can be told apart by their times."""
    time.sleep(0.05)
    os.rename(log, log + ".1")


def files_that_came_and_went_unseen_are_told(site, mode="auto"):
    """A gap says so where one was lost, and only there."""
    numbers = {}
    names = ("lost", "kept", "hole", "whole")
    for name in names:
        write_lines(site.path(name + ".log"), 1, 1)
    site.up("".join("%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning, watch: %s, "
                    "sweep_interval: 200ms}\n" % (n, n, n, mode) for n in names))
    for name in names:
        numbers[name] = Numbers(site, name)
        numbers[name].until(1)
    sources = site.pids("source")
    for pid in sources:
        os.kill(pid, signal.SIGSTOP)
    for name in names:
        log = site.path(name + ".log")
        for n in (2, 3, 4):
            if name == "kept" and n == 3:
                continue
            (rotate if "ho" in name else rotate_over)(log)
            write_lines(log, n, n)
    os.unlink(site.path("hole.log.2"))
    for pid in sources:
        os.kill(pid, signal.SIGCONT)

    def got(name):
        return [e.json()["message"] for e in site.stream("channel=%s&earliest=1" % name).until_message("4")
                if e.type in ("line", "gap")]
    check(got("kept") == ["1", "2", "4"], repr(got("kept")))
    check(got("whole") == ["1", "2", "3", "4"], repr(got("whole")))
    for name in ("lost", "hole"):
        first, gap, *rest = got(name)
        check(first == "1" and rest == ["3", "4"], "%s: %r" % (name, got(name)))
        check("%s.log was rotated more often" % name in gap and "1 more file may" in gap, gap)


def files_that_came_and_went_unseen_are_told_by_polling(site):
    files_that_came_and_went_unseen_are_told(site, "poll")


def shift_slowly(log, pause, generations, meanwhile):
    """As a busy machine does it; `meanwhile` happens when .2 has just become .3."""
    for i in range(generations, 0, -1):
        os.rename("%s.%d" % (log, i), "%s.%d" % (log, i + 1))
        if i == 2:
            meanwhile()
        if i <= 2:
            time.sleep(pause)
    os.rename(log, log + ".1")
    time.sleep(pause)


def names_that_are_shifted_slowly_are_no_gap(site, mode="auto"):
    """Only a number that stays out is one."""
    log = site.path("app.log")
    write_lines(log, 1, 1)
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, watch: %s, "
            "sweep_interval: 50ms, rotate_wait: 100ms}" % mode)
    numbers = Numbers(site, "logs")
    numbers.until(1)

    def send(signo):
        for pid in site.pids("source"):
            os.kill(pid, signo)

    def see():
        """The shift, when there are two files that are not known yet."""
        write_lines(log, n + 3, n + 3)
        send(signal.SIGCONT)

    n, generations = 1, 0
    for pause in (0.05, 0.15, 0.3):
        send(signal.SIGSTOP)
        for i in (1, 2):
            rotate(log, 99)
            write_lines(log, n + i, n + i)
        generations += 2
        shift_slowly(log, pause, generations, see)
        generations += 1
        write_lines(log, n + 4, n + 4)
        n += 4
        numbers.until(n)
    check(not numbers.gaps, "false gaps: %r" % numbers.gaps)
    send(signal.SIGSTOP)
    for i in (1, 2, 3):
        rotate(log, 99)
        write_lines(log, n + i, n + i)
    os.unlink(log + ".2")
    rotate(log, 99)
    send(signal.SIGCONT)
    write_lines(log, n + 4, n + 4)
    got = site.stream("channel=logs&earliest=1").until_message(str(n + 4))
    got = ["gap" if e.type == "gap" else e.json()["message"] for e in got if e.type in ("line", "gap")]
    check(got[n:] == ["gap", str(n + 2), str(n + 3), str(n + 4)], "got %r" % got)


def names_that_are_shifted_slowly_are_no_gap_by_polling(site):
    names_that_are_shifted_slowly_are_no_gap(site, "poll")


def files_that_came_and_went_unseen_are_told_when_the_last_one_known_is_done_with(site, is_down=True):
    """It was read to its end behind its rotation.  If it is gone, only the times of the others say it."""
    def rotate_one(log):
        os.rename(log, log + ".bak")

    names = {"lost": rotate_one, "hole": rotate, "kept": rotate}
    for name in names:
        write_lines(site.path(name + ".log"), 1, 1)
    site.up("".join("%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning, watch: poll, "
                    "sweep_interval: 20ms, rotate_wait: 50ms}\n" % (n, n, n) for n in names))
    for name, rotate_it in names.items():
        Numbers(site, name).until(1)
        rotate_it(site.path(name + ".log"))
    wait_for(lambda: all((s["counters"].get("rotated"), s["counters"].get("files")) == (1, 0)
                         for s in site.json("/status")["sources"]), "the rotated files to be done with")
    sources = site.pids("source")
    site.stop() if is_down else [os.kill(pid, signal.SIGSTOP) for pid in sources]
    for name, rotate_it in names.items():
        log = site.path(name + ".log")
        time.sleep(0.1)
        for n in (2, 3):
            write_lines(log, n, n)
            time.sleep(0.05)
            rotate_it(log)
        write_lines(log, 4, 4)
    os.unlink(site.path("hole.log.2"))
    site.start() if is_down else [os.kill(pid, signal.SIGCONT) for pid in sources]
    got = {}
    for name in names:
        es = site.stream("channel=%s&earliest=1" % name).until_message("4")
        got[name] = ["gap" if e.type == "gap" else e.json()["message"] for e in es if e.type in ("line", "gap")]
    with_gap = ["1", "gap", "3", "4"]
    check(got == {"lost": with_gap, "hole": with_gap, "kept": ["1", "2", "3", "4"]}, "got %r" % got)


def files_that_came_and_went_while_sluice_ran_are_told_when_the_last_one_known_is_done_with(site):
    files_that_came_and_went_unseen_are_told_when_the_last_one_known_is_done_with(site, False)


def files_that_came_and_went_unseen_are_told_when_the_last_one_known_was_removed(site, is_down=True, watch="poll"):
    """It was read to its end and seen again only when it had no name any more; one older file is kept."""
    names = ("lost", "kept")
    for name in names:
        write_lines(site.path(name + ".log"), 1, 1)
    site.up("".join("%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning, watch: %s, "
                    "sweep_interval: 20ms, rotate_wait: 50ms}\n" % (n, n, n, watch) for n in names))
    for name in names:
        Numbers(site, name).until(1)
    sources = site.pids("source")

    def unseen(do, is_down):
        site.stop() if is_down else [os.kill(pid, signal.SIGSTOP) for pid in sources]
        for name in names:
            do(name, site.path(name + ".log"))
        site.start() if is_down else [os.kill(pid, signal.SIGCONT) for pid in sources]

    def first(name, log):
        time.sleep(0.05)
        os.rename(log, log + ".bak")
        write_lines(log, 2, 2)
        time.sleep(0.05)
        os.rename(log, log + ".bak")

    def then(name, log):
        time.sleep(0.05)
        write_lines(log, 3, 3)
        if name == "lost":
            time.sleep(0.05)
            os.rename(log, log + ".bak")
            write_lines(log, 4, 4)
    unseen(first, False)
    wait_for(lambda: all(s["counters"].get("files") == 0 for s in site.json("/status")["sources"]), "the removal to be seen")
    unseen(then, is_down)
    got = {}
    for name, last in (("lost", "4"), ("kept", "3")):
        es = site.stream("channel=%s&earliest=1" % name).until_message(last)
        got[name] = ["gap" if e.type == "gap" else e.json()["message"] for e in es if e.type in ("line", "gap")]
    check(got == {"lost": ["1", "gap", "3", "4"], "kept": ["1", "2", "3"]}, "got %r" % got)


def files_that_came_and_went_while_sluice_ran_are_told_when_the_last_one_known_was_removed(site):
    files_that_came_and_went_unseen_are_told_when_the_last_one_known_was_removed(site, False)


def files_that_came_and_went_are_told_by_inotify_when_the_last_one_known_was_removed(site):
    files_that_came_and_went_unseen_are_told_when_the_last_one_known_was_removed(site, True, "auto")


def a_generation_that_cannot_be_read_is_a_gap(site):
    if os.getuid():
        return  # the source needs another user than the one that owns the file
    os.chmod(site.dir, 0o755)
    log = site.path("app.log")
    numbers = Numbers(site, "logs")
    write_lines(log, 1, 1)
    site.up(QUICK.replace("type: file", "type: file, user: nobody"))
    numbers.until(1)
    source = site.pids("source")[0]
    os.kill(source, signal.SIGSTOP)
    rotate(log)
    with open(log, "w") as f:
        f.write("out of reach\n")
    os.chmod(log, 0o600)
    rotate(log)
    write_lines(log, 2, 2)
    os.kill(source, signal.SIGCONT)
    gaps = [e.json() for e in site.stream("channel=logs&earliest=1").until_message("2") if e.type == "gap"]
    check([g["reason"] for g in gaps] == ["rotated"], "gaps %r" % gaps)
    check(log + ".1 was written under the name " in gaps[0]["message"], gaps[0]["message"])


def without_descriptors_a_compressed_file_waits_and_is_not_damaged(site):
    with gzip.open(site.path("a.log.gz"), "wt") as f:
        f.write("compressed\n")
    os.utime(site.path("a.log.gz"), (1000000000, 1000000000))
    many = [site.path("%d.log" % i) for i in range(40)]
    for name in many:
        open(name, "w").close()
    site.up("app: {type: file, channel: logs, include: ['DIR/*.log*'], exclude: [DIR/sluice.log, DIR/lighttpd.log, "
            "DIR/access.log], sweep_interval: 50ms, rotate_wait: 50ms, read_from: beginning, decompress: true, "
            "limits: {open_files: 24}}")
    site.told("cannot be read: Too many open files (raise limits.open_files")
    for name in many:
        os.unlink(name)
    got = [e.type for e in site.stream("channel=logs&earliest=1").until_message("compressed")]
    check("gap" not in got, "got %r" % got)
    check("damaged" not in site.log(), site.log())


def what_a_rotated_file_of_a_container_held_back_is_not_lost_silently(site):
    log = site.path("app.log")
    with open(log, "w") as f:
        f.write("2026-11-28T10:00:00.0Z stdout F 1\n2026-11-28T10:00:01.0Z stdout P half\n")
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, sweep_interval: 20ms, "
            "rotate_wait: 60s, parse: cri, partial_timeout: 60s}")
    numbers = Numbers(site, "logs")
    numbers.until(1)
    rotate(log)
    open(log, "w").close()
    wait_for(lambda: site.source("app")["counters"].get("files") == 2, "the new file")
    time.sleep(0.3)  # it is not to be committed as read to its end
    site.kill("source")
    os.unlink(log + ".1")
    with open(log, "a") as f:
        f.write("2026-11-28T10:00:02.0Z stdout F 2\n")
    got = site.stream("channel=logs&earliest=1").until_message("2")
    check([e.json()["reason"] for e in got if e.type == "gap"] == ["rotated"] or
          any(e.type == "line" and e.json()["message"] == "half" for e in got), "lost silently: %r" % got)


def copies_are_read_once_and_in_order_wherever_the_source_is_killed(site, mode="auto", unread=True):
    """copytruncate three times unseen; then the source is killed at each of the copies, of which the
    first holds something that is new, or nothing."""
    require("strace")
    moments = [("openat", 1, "app.log.3"), ("preadv", 2 if unread else 1, "app.log.3"), ("openat", 1, "app.log.2"),
               ("openat", 1, "app.log.1"), ("preadv", 2, "app.log.1"), ("openat", 1, "app.log"), ("preadv", 1, "app.log")]
    first_copy = 60000 if unread else 1000
    last = first_copy + 60000

    def log(i):
        return site.path("logs", str(i), "app.log")

    def copy_and_empty(path):
        for k in (2, 1):
            if os.path.exists("%s.%d" % (path, k)):
                os.rename("%s.%d" % (path, k), "%s.%d" % (path, k + 1))
        shutil.copyfile(path, path + ".1")
        os.truncate(path, 0)

    for i in range(len(moments)):
        os.makedirs(site.path("logs", str(i)))
        write_lines(log(i), 1, 1000)
    site.up("".join("s%d: {type: file, channel: c%d, include: [DIR/logs/%d/app.log], read_from: beginning, watch: %s, "
                    "restart: {backoff: 400ms..400ms, attempts: 0}}\n" % (i, i, i, mode) for i in range(len(moments))))
    bad = []
    for i, (call, when, name) in enumerate(moments):
        numbers = Numbers(site, "c%d" % i)
        numbers.until(1000)
        trace = site.path("trace.%d" % i)
        # A machine that is too slow for the nursery does without it.
        parents = site.pids("hub") + site.pids("nursery")
        strace = subprocess.Popen(["strace", "-q", "-f", *itertools.chain(*(("-p", str(p)) for p in parents)), "-o", trace,
                                   "-P", site.path("logs", str(i), name), "-e", "trace=" + call, "-e",
                                   "inject=%s:signal=SIGKILL:when=%d" % (call, when)])
        wait_for(lambda: all("TracerPid:\t%d" % strace.pid in open("/proc/%d/status" % p).read() for p in parents), "strace")
        source = site.source("s%d" % i)["pid"]
        os.kill(source, signal.SIGSTOP)
        # The second one is shorter than what is known of the first.
        for first, to in ((1001, first_copy), (first_copy + 1, first_copy + 5), (first_copy + 6, last)):
            write_lines(log(i), first, to)
            copy_and_empty(log(i))
        write_lines(log(i), last + 1, last + 5)
        os.kill(source, signal.SIGKILL)
        wait_for(lambda: "SIGKILL" in open(trace).read(), "the source to be killed at %s of %s" % (call, name))
        strace.terminate()
        strace.wait()
        try:
            numbers.until(last + 5, also=numbers.gaps.clear)  # the gap says that there may be more
        except Failed as e:
            bad.append("killed at %s %d of %s: %s" % (call, when, name, e))
    check(not bad, "\n  ".join(bad))


def copies_are_read_once_and_in_order_wherever_the_source_is_killed_by_polling(site):
    copies_are_read_once_and_in_order_wherever_the_source_is_killed(site, "poll", unread=False)


def copies_that_are_compressed_unseen_are_read_in_order(site):
    """copytruncate with compress and delaycompress; the second time of a file that is empty."""
    ways = {"compress": 1, "delay": 2, "plain": 9}  # from which number on they are compressed

    def copy_and_empty(path, way):
        for k in range(5, 0, -1):
            for end in ("", ".gz"):
                if os.path.exists("%s.%d%s" % (path, k, end)):
                    os.rename("%s.%d%s" % (path, k, end), "%s.%d%s" % (path, k + 1, end))
        shutil.copyfile(path, path + ".1")
        os.truncate(path, 0)
        oldest = "%s.%d" % (path, ways[way])
        if os.path.exists(oldest):
            subprocess.check_call(["gzip", "-q", oldest])

    for way in ways:
        os.mkdir(site.path(way))
        write_lines(site.path(way, "app.log"), 1, 400)
    site.up("".join("%s: {type: file, channel: %s, include: [DIR/%s/app.log], read_from: beginning, decompress: true, "
                    "sweep_interval: 100ms, rotate_wait: 300ms}\n" % (w, w, w) for w in ways))
    all_numbers = {way: Numbers(site, way) for way in ways}
    last = 400

    def arrive():
        for way, numbers in all_numbers.items():
            try:
                numbers.until(last, also=numbers.gaps.clear)
            except Failed as e:
                raise Failed("%s: %s" % (way, e)) from e
    arrive()
    for _ in range(2):
        for signo in (signal.SIGSTOP, signal.SIGCONT):
            for pid in site.pids("source"):
                os.kill(pid, signo)
            if signo == signal.SIGSTOP:
                for k in range(3):
                    for way in ways:
                        write_lines(site.path(way, "app.log"), last + 1, last + 5)
                    last += 5
                    for way in ways:
                        copy_and_empty(site.path(way, "app.log"), way)
        arrive()
    for way in ways:
        write_lines(site.path(way, "app.log"), last + 1, last + 5)
    last += 5
    arrive()


def copies_that_replace_each_other_are_read_once(site):
    """One copy is kept, so the next one gets its inode; names are looked at late."""
    log = site.path("app.log")
    numbers = Numbers(site, "logs")
    write_lines(log, 1, 10)
    site.up("app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, sweep_interval: 60s}")
    numbers.until(10)
    for i in range(1, 8):
        if os.path.exists(log + ".1"):
            os.unlink(log + ".1")
        shutil.copy(log, log + ".1")
        os.truncate(log, 0)
        write_lines(log, 10 * i + 1, 10 * i + 10)
        while numbers.next <= 10 * i + 10:
            numbers.take()


def a_copy_beside_a_recreated_file_is_not_read_again(site):
    log = site.path("app.log")
    write_lines(log, 1, 3)
    site.up(QUICK)
    numbers = Numbers(site, "logs")
    numbers.until(3)
    shutil.copy(log, log + ".1")
    os.unlink(log)
    write_lines(log, 4, 4)
    numbers.until(4)


def a_file_that_is_excluded_by_now_is_not_read_any_more(site):
    for name in ("app.log", "secret.log"):
        with open(site.path(name), "w") as f:
            f.write("first of %s\n" % name)
    config = "app: {type: file, channel: logs, include: [DIR/app.log, DIR/sec*.log], exclude: [%s], read_from: beginning}"
    site.up(config % "/none")
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == 2, "both lines")
    site.stop()
    for name in ("secret.log", "app.log"):
        with open(site.path(name), "a") as f:
            f.write("second of %s\n" % name)
    site.write_config(config % "DIR/secret.log")
    os.unlink(site.path("sluice.log"))
    site.start()
    got = site.stream("channel=logs&earliest=1").until_message("second of app.log")
    check(not any("second of secret" in e.data for e in got), "%r" % got)


def a_source_goes_on_in_another_channel(site):
    with open(site.path("app.log"), "w") as f:
        f.write("1\n")
    config = "app: {type: file, channel: %s, include: [DIR/app.log], read_from: beginning}"
    site.up(config % "one")
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == 1, "the line")
    site.stop()
    with open(site.path("app.log"), "a") as f:
        f.write("2\n")
    site.write_config(config % "two")
    os.unlink(site.path("sluice.log"))
    site.start()
    got = [e.json()["message"] for e in site.stream("channel=two&earliest=1").until_message("2") if e.type == "line"]
    check(got == ["2"], "%r" % got)
    check("channel one is not in the configuration" in site.log(), site.log())


def a_channel_that_becomes_a_derived_one(site):
    """Its name goes on, with another journal behind it."""
    source = "app: {type: file, channel: %s, include: [DIR/app.log], read_from: %s}"
    for start in ("beginning", "end"):
        open(site.path("app.log"), "w").close()
        write_lines(site.path("app.log"), 1, 10)
        site.write_config(source % ("web", "beginning"))
        site.start()
        if not site.lighttpd:
            site.start_lighttpd()
        Numbers(site, "web").until(10)
        site.stop()
        write_lines(site.path("app.log"), 11, 20)
        site.write_config(source % ("raw", start), "raw: {}\nweb: {from: raw, filter: 'not message contains x'}")
        site.start()
        numbers = Numbers(site, "web")
        numbers.next = 11
        numbers.until(20)
        got = [e["message"] for e in site.json("/history?channel=raw&limit=100")["events"]]
        check(got == [str(i) for i in range(11, 21)], "from the %s: %r" % (start, got))
        site.stop()
        shutil.rmtree(site.path("state"))
        os.unlink(site.path("sluice.log"))


def a_directory_switched_and_switched_back(site):
    for r in ("r1", "r2"):
        os.mkdir(site.path(r))
    write_lines(site.path("r1/app.log"), 1, 3)
    os.symlink("r1", site.path("current"))
    site.up(QUICK.replace("DIR/", "DIR/current/"))
    numbers = Numbers(site, "logs")
    numbers.until(3)

    def switch(to):
        os.symlink(to, site.path("next"))
        os.rename(site.path("next"), site.path("current"))
    write_lines(site.path("r2/app.log"), 4, 4)
    switch("r2")
    numbers.until(4)
    settled(site, 1)
    switch("r1")
    write_lines(site.path("r1/app.log"), 5, 5)
    numbers.until(5)


def with_the_number_of(ino, path, text):
    """A file that has the inode of one that was removed, unless another program has got it."""
    spare = []
    while True:
        with open(path, "w") as f:
            if os.fstat(f.fileno()).st_ino == ino or len(spare) == 100:
                f.write(text)
                break
        spare.append("%s.spare%d" % (path, len(spare)))
        os.rename(path, spare[-1])
    for name in spare:
        os.unlink(name)


def a_file_with_the_inode_and_the_text_of_a_removed_one_is_read(site):
    """As the logs of jobs: files come and go, and begin alike."""
    os.mkdir(site.path("d"))
    job = site.path("d/job1.log")
    with open(job, "w") as f:
        f.write("started\n")
    ino = os.stat(job).st_ino
    site.up(QUICK.replace("DIR/app.log", "DIR/d/*.log"))

    def arrived(n):
        wait_for(lambda: site.source("app")["events"] >= n, "line %d" % n)
        check(site.source("app")["events"] == n, "more than %d lines" % n)
    arrived(1)
    for n, name in ((2, "job2.log"), (3, "job2.log")):
        wait_for(lambda: site.source("app")["counters"]["files"] == 1, "it to be counted")
        os.unlink(job)
        wait_for(lambda: site.source("app")["counters"]["files"] == 0, "it to be closed")
        job = site.path("d", name)
        with_the_number_of(ino, site.path("d/job"), "started\n")
        os.rename(site.path("d/job"), job)
        arrived(n)
    # The same while nothing runs, after it was rotated and read to its end.
    wait_for(lambda: site.source("app")["counters"]["files"] == 1, "it to be counted")
    os.rename(job, job + ".1")
    wait_for(lambda: site.source("app")["counters"]["files"] == 0, "it to be closed")
    site.stop()
    os.unlink(job + ".1")
    with_the_number_of(ino, site.path("d/job"), "started\n")
    os.rename(site.path("d/job"), site.path("d/job2.log"))
    os.unlink(site.path("sluice.log"))
    site.start()
    got = [(e.type, e.json()["message"]) for e in site.stream("channel=logs&earliest=1").events(
        lambda e, seen=[]: e.type == "line" and (seen.append(1) or len(seen) == 4)) if e.type in ("line", "gap")]
    check(got == 4 * [("line", "started")], repr(got))


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
    a_file_whose_name_changes_at_the_restart_is_not_said_to_be_lost,
    generations_that_came_and_went_unseen_are_read_also_with_reused_inodes,
    files_with_names_of_other_programs_that_came_and_went_are_read_in_order,
    compressed_generations_stop_nothing_when_empty_or_with_the_number_of_another,
    files_that_wait_for_a_compressed_one_are_read_after_a_kill,
    late_lines_of_a_compressed_file_come_before_those_of_the_next_file,
    files_that_a_link_led_to_unseen_are_read_or_told,
    files_that_came_and_went_unseen_are_told, files_that_came_and_went_unseen_are_told_by_polling,
    names_that_are_shifted_slowly_are_no_gap, names_that_are_shifted_slowly_are_no_gap_by_polling,
    files_that_came_and_went_unseen_are_told_when_the_last_one_known_is_done_with,
    files_that_came_and_went_while_sluice_ran_are_told_when_the_last_one_known_is_done_with,
    files_that_came_and_went_unseen_are_told_when_the_last_one_known_was_removed,
    files_that_came_and_went_while_sluice_ran_are_told_when_the_last_one_known_was_removed,
    files_that_came_and_went_are_told_by_inotify_when_the_last_one_known_was_removed,
    a_generation_that_cannot_be_read_is_a_gap, without_descriptors_a_compressed_file_waits_and_is_not_damaged,
    what_a_rotated_file_of_a_container_held_back_is_not_lost_silently, copies_are_read_once_and_in_order_wherever_the_source_is_killed,
    copies_are_read_once_and_in_order_wherever_the_source_is_killed_by_polling,
    copies_that_are_compressed_unseen_are_read_in_order, copies_that_replace_each_other_are_read_once,
    a_copy_beside_a_recreated_file_is_not_read_again, a_file_that_is_excluded_by_now_is_not_read_any_more,
    a_source_goes_on_in_another_channel, a_channel_that_becomes_a_derived_one, a_directory_switched_and_switched_back,
    a_file_with_the_inode_and_the_text_of_a_removed_one_is_read, the_last_lines_are_read_when_asked_for)
