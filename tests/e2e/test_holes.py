#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Journals that somebody has touched: whatever is missing is declared, and nothing comes twice unannounced."""
import glob
import json

from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, sweep_interval: 100ms}\n"
SMALL = "logs: {history: {size: 4MiB}, retry: 50ms}\n"
PAD = " " + "x" * 300
N = 5400


def append(site, first, last, name="app.log", pad=PAD):
    with open(site.path(name), "a") as f:
        f.write("".join("%d%s\n" % (i, pad) for i in range(first, last + 1)))


def segments(site, name="logs"):
    return sorted(glob.glob(site.path("state/journal", name, "*.seg")))


def number(e):
    return int(e.json()["message"].split()[0])


def fill(site, channels=SMALL, n=N):
    open(site.path("app.log"), "w").close()
    site.up(SOURCE, channels)
    site.ready()
    s = site.stream("channel=logs&earliest=1")
    ids = {}
    for first in range(1, n + 1, 600):
        append(site, first, min(first + 599, n))
        for e in s.events(lambda e: e.type == "line" and number(e) == min(first + 599, n), 30):
            if e.type == "line":
                ids[number(e)] = e.id
    s.close()
    return ids


def read(site, query, until, headers=None):
    """(numbers, gaps) of a stream up to a line, or to a gap of the given reason."""
    s = site.stream("channel=logs&" + query, headers=headers)
    events = s.events(lambda e: (e.type == "line" and number(e) == until) or
                      (e.type == "gap" and e.json()["reason"] == until), 30)
    s.close()
    return [number(e) for e in events if e.type == "line"], [e.json() for e in events if e.type == "gap"]


def check_hole(got, gaps, first, last):
    """Numbers from first to last, but for one gap that says exactly which are missing."""
    missing = sorted(set(range(first, last + 1)) - set(got))
    check(got == sorted(set(got)), "out of order, or twice: %r" % got[:10])
    check(missing and missing == list(range(missing[0], missing[-1] + 1)), "%d missing in several places" % len(missing))
    check(len(gaps) == 1 and gaps[0]["reason"] == "missing" and gaps[0]["count"] == len(missing),
          "%d are missing, and the gaps are %r" % (len(missing), gaps))
    return missing


def removed_segment(site, take_away):
    ids = fill(site)
    files = segments(site)
    check(len(files) >= 3, "too few segments: %r" % files)
    take_away(files[1])
    got, gaps = read(site, "earliest=1", N)
    missing = check_hole(got, gaps, 1, N)
    check(gaps[0]["from"] == ids[missing[0] - 1] and ids[missing[-1]] <= gaps[0]["to"] < ids[missing[-1] + 1], "%r" % gaps)
    gaps_to = gaps[0]["to"]
    # Those that come back from before it, and with the last one before it.
    for after in (missing[0] - 100, missing[0] - 1):
        again, gaps = read(site, "after=" + ids[after], N)
        check(check_hole(again, gaps, after + 1, N) == missing, "resumed from %d: %r" % (after, gaps))
    # Nothing is missing for those who are past it.
    again, gaps = read(site, "after=" + ids[missing[-1] + 1], N)
    check(again == list(range(missing[-1] + 2, N + 1)) and not gaps, "%r %r" % (again[:3], gaps))
    again, gaps = read(site, "after=" + gaps_to, N)
    check(again == list(range(missing[-1] + 1, N + 1)) and not gaps, "told twice: %r %r" % (again[:3], gaps))
    # A page backwards, across it.
    page = site.json("/history?channel=logs&limit=1000&before=" + ids[missing[-1] + 400])
    told = [e for e in page["events"] if e.get("reason") == "missing"]
    check(len(told) == 1 and told[0]["count"] == len(missing), "%r" % told)
    status, text = site.sluice_command("journal", "verify", "logs")
    check(status == 1 and "%d events are missing" % len(missing) in text and "good" not in text, text)
    append(site, N + 1, N + 10)
    check(read(site, "after=" + ids[N], N + 10)[0] == list(range(N + 1, N + 11)), "it does not go on")


def a_segment_removed_while_stopped(site):
    def take_away(path):
        site.stop()
        os.unlink(path)
        site.start()
        site.ready()
    removed_segment(site, take_away)


def a_segment_removed_while_running_and_the_hub_killed(site):
    def take_away(path):
        os.unlink(path)
        hub = site.pids("hub")
        site.kill("hub")
        wait_for(lambda: site.pids("hub") and site.pids("hub") != hub and site.get("/health/ready")[0] == 200, "the next hub")
    removed_segment(site, take_away)


def a_flipped_bit_in_a_header_loses_nothing(site):
    fill(site)
    for at in (0, 8, 9, 12, 20, 33, 41, 49, 60, 64, 72, 127):
        site.stop()
        for path in segments(site):
            with open(path, "r+b") as f:
                f.seek(at)
                byte = f.read(1)[0]
                f.seek(at)
                f.write(bytes([byte ^ 2]))
        site.start()
        site.ready()
        got, gaps = read(site, "earliest=1", N)
        check(got == list(range(1, N + 1)) and not gaps, "byte %d: %d lines, %r" % (at, len(got), gaps))


def check_epoch(site, ids, seen, expect_all=True):
    """Who has seen up to `seen` is told of a new epoch, and of no line before it."""
    s = site.stream("channel=logs", headers={"Last-Event-ID": ids[seen]})
    first = s.events(lambda e: e.type in ("gap", "line"))[-1]
    check(first.type == "gap" and first.json()["reason"] == "epoch", "%r came without a gap" % first)
    s.close()


def the_newest_segment_is_cut(site):
    ids = fill(site)
    site.stop()
    newest = segments(site)[-1]
    os.truncate(newest, os.path.getsize(newest) * 2 // 3)
    site.start()
    site.ready()
    check_epoch(site, ids, N)
    # What was cut is read from the file once more; before that, its number is declared.
    s = site.stream("channel=logs&earliest=1")
    events = s.events(lambda e: e.type == "line" and number(e) == N, 30)
    gaps = [e.json() for e in events if e.type == "gap"]
    before = [number(e) for e in events[:next(i for i, e in enumerate(events) if e.type == "gap")] if e.type == "line"]
    check(len(gaps) == 1 and gaps[0]["reason"] == "missing" and gaps[0]["count"] == N - before[-1], "%r after %r" % (gaps, before[-1:]))


def a_journal_removed_while_stopped(site):
    ids = fill(site, n=1200)
    site.stop()
    shutil.rmtree(site.path("state/journal/logs"))
    site.start()
    site.ready()
    check_epoch(site, ids, 1200)


def a_journal_restored_from_a_backup(site):
    ids = fill(site, n=1200)
    site.stop()
    shutil.copytree(site.path("state/journal/logs"), site.path("backup"))
    site.start()
    site.ready()
    s = site.stream("channel=logs&after=" + ids[1200])
    append(site, 1201, 2400)
    for e in s.events(lambda e: e.type == "line" and number(e) == 2400):
        if e.type == "line":
            ids[number(e)] = e.id
    site.kill("hub")
    site.stop()
    shutil.rmtree(site.path("state/journal/logs"))
    shutil.move(site.path("backup"), site.path("state/journal/logs"))
    site.start()
    site.ready()
    check_epoch(site, ids, 2400)


def a_state_directory_restored_as_a_whole(site):
    ids = fill(site, n=600)
    site.stop()
    shutil.copytree(site.path("state"), site.path("backup"))
    site.start()
    site.ready()
    s = site.stream("channel=logs&after=" + ids[600])
    append(site, 601, 1200)
    last = s.events(lambda e: e.type == "line" and number(e) == 1200)[-1].id
    site.stop()
    shutil.rmtree(site.path("state"))
    shutil.move(site.path("backup"), site.path("state"))
    site.start()
    site.ready()
    check_epoch(site, {0: last}, 0)


def an_untouched_journal_goes_on_in_its_epoch(site):
    ids = fill(site, n=1200)
    for how in ("stop", "kill", "stop"):
        if how == "kill":
            site.kill("hub")
        site.stop()
        site.start()
        site.ready()
        n = len(ids)
        append(site, n + 1, n + 100)
        s = site.stream("channel=logs", headers={"Last-Event-ID": ids[n]})
        for e in s.events(lambda e: e.type == "line" and number(e) == n + 100):
            check(e.type != "gap", "%r after %s" % (e, how))
            if e.type == "line":
                ids[number(e)] = e.id
        s.close()
    check(sorted(ids) == list(range(1, 1501)), "%d" % len(ids))
    check(site.sluice_command("journal", "verify")[0] == 0, "verify")


def a_directory_removed_while_running_is_made_again(site):
    ids = fill(site, n=1200)
    s = site.stream("channel=logs")
    s.until_type("hello")
    shutil.rmtree(site.path("state/journal/logs"))
    site.told("removed while sluice was running")
    append(site, 1201, 1800)
    got = [number(e) for e in s.events(lambda e: e.type == "line" and number(e) == 1800) if e.type == "line"]
    check(got == list(range(1201, 1801)), "live: %d lines" % len(got))
    check(segments(site), "no file is there")
    got, gaps = read(site, "after=" + ids[600], 1800)
    check(got == list(range(1201, 1801)) and len(gaps) == 1 and gaps[0]["reason"] == "missing", "%r %r" % (got[:3], gaps))
    site.kill("hub")
    s = site.stream("channel=logs&after=" + ids[600])
    got = [number(e) for e in s.events(lambda e: e.type == "line" and number(e) == 1800, 30) if e.type == "line"]
    check(got == list(range(1201, 1801)), "after a kill: %d lines" % len(got))


def idle_channels_take_little_of_the_disk(site):
    n = 1000 if LONG else 200
    names = ["idle%d" % i for i in range(n)]
    open(site.path("app.log"), "w").close()
    site.up(SOURCE, "".join("%s: {}\n" % name for name in names))
    site.ready()
    site.stop()
    site.start()
    site.ready()
    # Housekeeping, which lets go of a channel that was removed, has been at all the others.
    site.write_config(SOURCE, "".join("%s: {}\n" % name for name in names[1:]))
    check(site.sluice_command("reload")[0] == 0, "reload")
    site.told("channel idle0 is not in the configuration any more")
    used = int(subprocess.check_output(["du", "-sk", site.path("state")]).split()[0])
    check(used < 100 * n, "%d idle channels take %d KiB" % (n, used))


def many_files_and_a_small_history(site):
    """The cursors of thousands of files leave room for events, and are written seldom."""
    n = 5000 if LONG else 1500
    os.mkdir(site.path("many"))
    for i in range(n):
        with open(site.path("many", "%d.log" % i), "w") as f:
            f.write("1 of %d\n" % i)
    site.up("app: {type: file, channel: logs, include: [DIR/many/*.log], read_from: beginning, sweep_interval: 500ms}\n"
            "other: {type: file, channel: other, include: [DIR/other.log], read_from: beginning}\n",
            "logs: {history: {size: 1MiB}}\n")
    wait_for(lambda: site.source("app")["events"] == n, "the first lines", 60)
    for round in range(2, 6):
        for i in range(n):
            with open(site.path("many", "%d.log" % i), "a") as f:
                f.write("%d of %d\n" % (round, i))
        wait_for(lambda: site.source("app")["events"] == n * round, "the lines of round %d" % round, 60)
    held = next(c for c in site.json("/channels")["channels"] if c["name"] == "logs")["held"]
    check(held > 1500, "only %d events are kept" % held)
    hub = site.pids("hub")[0]
    written = int(re.search(r"write_bytes: (\d+)|wchar: (\d+)", open("/proc/%d/io" % hub).read()).group(2) or 0)
    check(written < 60 << 20, "%d MB were written for %d lines" % (written >> 20, n * 5))
    # And they are still exact after a kill: no line comes again.
    s = site.stream("channel=logs")
    s.until_type("hello")
    site.kill("hub")
    wait_for(lambda: site.pids("hub") and site.pids("hub")[0] != hub and site.get("/health/ready")[0] == 200, "the next hub")
    with open(site.path("many", "7.log"), "a") as f:
        f.write("6 of 7\n")
    s = site.stream("channel=logs&tail=1")
    s.until_message("6 of 7")
    check(site.source("app")["events"] == 1, "%d lines were read again" % (site.source("app")["events"] - 1))


run(a_segment_removed_while_stopped, a_segment_removed_while_running_and_the_hub_killed, a_flipped_bit_in_a_header_loses_nothing,
    the_newest_segment_is_cut, a_journal_removed_while_stopped, a_journal_restored_from_a_backup,
    a_state_directory_restored_as_a_whole, an_untouched_journal_goes_on_in_its_epoch, a_directory_removed_while_running_is_made_again,
    idle_channels_take_little_of_the_disk, many_files_and_a_small_history)
