#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The journal under a disk that fails, fills up, or lies; and what people see of it."""
import glob
import itertools
import json
import random

from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, sweep_interval: 100ms}\n"
DISK = "logs: {durability: disk}\n"


def append(site, first, last, width=1):
    with open(site.path("app.log"), "a") as f:
        f.write("".join("%0*d\n" % (width, i) for i in range(first, last + 1)))


def numbers(events):
    return [int(e.json()["message"]) for e in events if e.type == "line"]


def channel(site, name="logs"):
    return next(c for c in site.json("/channels")["channels"] if c["name"] == name)


def journal(site, *args):
    p = subprocess.run([SLUICE, "journal", *args, "--state", site.path("state")], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def cat_apart(site, *args):
    """Its exit status, events and the lines of standard error."""
    p = subprocess.run([SLUICE, "journal", "cat", "logs", "--format", "ndjson", "--state", site.path("state"), *args],
                       capture_output=True, text=True)
    return p.returncode, [json.loads(l) for l in p.stdout.splitlines()], p.stderr.splitlines()


def nothing_is_shown_before_the_disk_has_it(site):
    """While fdatasync() hangs, nothing is published; other channels go on, in order."""
    require("strace")
    open(site.path("app.log"), "w").close()
    open(site.path("other.log"), "w").close()
    site.up(SOURCE + "other: {type: file, channel: other, include: [DIR/other.log]}\n", DISK)
    site.ready()
    s = site.stream("channel=logs&channel=other")
    fast = site.stream("channel=other")
    s.until_type("hello")
    fast.until_type("hello")
    append(site, 1, 10)
    s.until_message("10")
    check(channel(site)["syncs"] >= 1, "it was never synced")
    hub = site.pids("hub")[0]
    strace = subprocess.Popen(["strace", "-f", "-p", str(hub), "-e", "trace=fdatasync", "-e",
                               "inject=fdatasync:delay_enter=1500000:when=1", "-o", site.path("strace")],
                              stderr=subprocess.PIPE)
    wait_for(lambda: b"attached" in strace.stderr.read1(200), "strace")
    append(site, 11, 20)
    wait_for(lambda: channel(site)["unsynced_bytes"] > 0, "the sync to hang")
    with open(site.path("other.log"), "a") as f:
        f.write("quick\n")
    check(fast.until_message("quick", 1), "a channel of its own waits, too")
    check(channel(site)["unsynced_bytes"] > 0, "the disk was done before the other channel")
    held = site.stream("channel=logs&channel=other&earliest=1")
    got = s.events(lambda e: e.type == "line" and e.json()["message"] == "quick")
    check([e.json()["message"] for e in got] == [str(i) for i in range(11, 21)] + ["quick"], repr(got))
    again = [e.json()["message"] for e in held.events(lambda e: e.type == "line" and e.json()["message"] == "quick") if e.type == "line"]
    check(again == [str(i) for i in range(1, 21)] + ["quick"], repr(again))
    strace.terminate()
    strace.wait()


def transient_events_that_wait_too_long_for_a_disk_are_a_gap(site):
    """More than a view holds while another channel's disk hangs: what no journal keeps is declared."""
    require("strace")
    site.own_plugins()
    build_plugin("tests/plugins/flood.c", site.path("plugins", "flood.so"))
    open(site.path("app.log"), "w").close()
    site.up(SOURCE + "flood: {type: flood, channel: passing, what: passing, armed_by: DIR/armed}\n", DISK, "plugin_dir: DIR/plugins")
    site.ready()
    s = site.stream("channel=logs&channel=passing")
    s.until_type("hello")
    append(site, 1, 10)
    s.until_message("10")
    strace = subprocess.Popen(["strace", "-f", "-p", str(site.pids("hub")[0]), "-e", "trace=fdatasync", "-e",
                               "inject=fdatasync:delay_enter=4000000:when=1", "-o", site.path("strace")],
                              stderr=subprocess.PIPE)
    wait_for(lambda: b"attached" in strace.stderr.read1(200), "strace")
    append(site, 11, 20)
    wait_for(lambda: channel(site)["unsynced_bytes"] > 0, "the sync to hang")
    open(site.path("armed"), "w").close()
    wait_for(lambda: site.json("/status")["views_put_aside"] > 0, "the view to be put aside")
    check(channel(site)["unsynced_bytes"] > 0, "the disk was done before")
    os.unlink(site.path("armed"))
    got = s.events(lambda e: e.type == "gap")
    strace.terminate()
    strace.wait()
    check(got[-1].json()["reason"] == "slow", repr(got[-1]))
    append(site, 21, 21)
    got += s.events(lambda e: e.type == "line" and e.json()["message"] == "21")
    lines = [e.json()["message"] for e in got if e.type == "line"]
    check(lines == [str(i) for i in range(11, 22)], repr(lines))
    numbers = [int(e.json()["message"].split()[0]) for e in got if e.type == "tick"]
    check(numbers == sorted(set(numbers)), "out of order")
    check([e.type for e in got].count("gap") == 1, "not one gap")


def errors_of_the_disk_in_turn(site):
    """EIO and ENOSPC at each write and each fdatasync, one after the other."""
    require("strace")
    open(site.path("app.log"), "w").close()
    site.up(SOURCE, "logs: {durability: disk, history: {size: 1MiB}}\n")
    site.ready()
    s = site.stream("channel=logs&earliest=1")
    hub, n, got = site.pids("hub")[0], 0, []
    for call in ("pwrite64", "fdatasync"):
        for error in ("EIO", "ENOSPC"):
            for when in range(1, 31 if LONG else 5):
                strace = subprocess.Popen(["strace", "-f", "-p", str(hub), "-e", "trace=" + call, "-e",
                                           "inject=%s:error=%s:when=%d" % (call, error, when), "-o", site.path("strace")],
                                          stderr=subprocess.PIPE)
                wait_for(lambda: b"attached" in strace.stderr.read1(200), "strace")
                for _ in range(when + 1):
                    append(site, n + 1, n + 50)
                    n += 50
                    got += numbers(s.until_message(str(n), 30))
                strace.terminate()
                strace.wait()
    check(got == list(range(1, n + 1)), "%d of %d; %r" % (len(got), n, [i for i, g in enumerate(got) if g != i + 1][:3]))
    check(site.pids("hub")[0] == hub, "the hub has crashed")
    check(channel(site)["sync_failures"] >= 4 and "refused a sync" in site.log(), "no sync has failed: %r" % channel(site))
    # All of it is there after a crash, too.
    site.kill("hub")
    again = numbers(site.stream("channel=logs&tail=1000").until_message(str(n), 30))
    check(again == list(range(n - 999, n + 1)), "after the crash: %d, %r" % (len(again), again[:3]))
    status, text = journal(site, "verify")
    check(status == 0 and "good" in text, text)


def a_first_segment_whose_sync_fails(site):
    """Nothing of the channel is on the disk yet; then it works again, and goes on."""
    require("strace")
    open(site.path("app.log"), "w").close()
    site.up(SOURCE, DISK)
    site.ready()
    s = site.stream("channel=logs&earliest=1")
    hub = site.pids("hub")[0]
    strace = subprocess.Popen(["strace", "-f", "-p", str(hub), "-e", "trace=fdatasync,pwrite64", "-e",
                               "inject=fdatasync:error=EIO:when=1..2", "-o", site.path("strace")], stderr=subprocess.PIPE)
    wait_for(lambda: b"attached" in strace.stderr.read1(200), "strace")
    append(site, 1, 10)
    got = numbers(s.until_message("10", 30))
    append(site, 11, 20)
    got += numbers(s.until_message("20", 30))
    strace.terminate()
    strace.wait()
    check(got == list(range(1, 21)), repr(got))
    site.kill("hub")
    again = numbers(site.stream("channel=logs&earliest=1").until_message("20", 30))
    check(again == list(range(1, 21)), "after a crash: %r" % again)


def killed_at_random_moments_on_a_disk(site):
    """durability disk, kill -9 of the hub: each line once."""
    open(site.path("app.log"), "w").close()
    site.up(SOURCE, "logs: {durability: disk, retry: 50ms}\n")
    site.ready()
    n, got, last = 0, [], None
    for round in range(20 if LONG else 5):
        s = site.stream("channel=logs&" + ("after=" + last if last else "earliest=1"))
        for _ in range(10):
            append(site, n + 1, n + 100)
            n += 100
            time.sleep(random.random() * 0.01)
        if round % 2:
            site.kill("hub")
            while s.fill(5):
                pass
            for e in filter(None, map(s.parse, s.blocks_pending())):
                got += numbers([e])
                last = e.id
        else:
            events = s.until_message(str(n), 30)
            got += numbers(events)
            last = events[-1].id
        s.close()
    s = site.stream("channel=logs&after=" + last)
    if got[-1] != n:
        got += numbers(s.until_message(str(n), 30))
    check(got == list(range(1, n + 1)), "%d of %d; at %r" % (len(got), n, [i for i, g in enumerate(got) if g != i + 1][:3]))


def a_flipped_byte_is_one_exact_gap(site):
    open(site.path("app.log"), "w").close()
    site.up(SOURCE)
    site.ready()
    for i in range(1, 301):
        append(site, i, i, width=12)
        if i % 100 == 0:
            site.stream("channel=logs&earliest=1").until_message("%012d" % i)
    site.stop()
    path = glob.glob(site.path("state/journal/logs/*.seg"))[0]
    whole = open(path, "rb").read()
    at = whole.index(b"%012d" % 150) + 1  # "150" alone may stand in a cursor, too
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(b"X")
    status, text = journal(site, "verify")
    check(status == 1 and "damaged from byte" in text, text)
    status, text = journal(site, "cat", "logs")
    check(status == 1 and "the events there are left out" in text and "\n" in text.partition("%012d" % 300)[2], text[-300:])
    if os.getuid() == 0:
        os.chmod(site.dir, 0o755)
        os.chmod(path, 0o600)
        p = subprocess.run([os.path.join(BUILD, "src/sluice"), "journal", "verify", "--state", site.path("state"), "logs"],
                           capture_output=True, text=True, user="nobody")
        check(p.returncode == 1 and "run this as sluice's user" in p.stderr and "1 segment could not be read" in p.stdout
              and "good" not in p.stdout, "%r" % p)
    site.start()
    events = site.stream("channel=logs&earliest=1").until_message("%012d" % 300)
    gaps = [i for i, e in enumerate(events) if e.type == "gap"]
    check(len(gaps) == 1 and events[gaps[0]].json()["reason"] == "damaged", repr([events[i] for i in gaps]))
    before, after = numbers(events[:gaps[0]]), numbers(events[gaps[0]:])
    check(before == list(range(1, before[-1] + 1)) and after == list(range(after[0], 301)) and before[-1] < 150 < after[0],
          "around the gap: %r %r" % (before[-1], after[0]))
    copies = glob.glob(site.path("state/journal/logs/*.damaged-at-*"))
    check(len(copies) == 1 and b"X" in open(copies[0], "rb").read(), "no copy is kept: %r" % copies)
    status, text = site.sluice_command("journal", "stat")
    check(status == 1 and "damaged" in text, text)


def history_gives_way_when_space_runs_short(site):
    state = site.path("state")
    os.mkdir(state)
    require_root("mounting a file system to fill")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", state], check=True)
    try:
        open(site.path("app.log"), "w").close()
        site.up(SOURCE, "logs: {history: {size: 8MiB}}\n")
        s = site.stream("channel=logs&earliest=1")
        for first in range(1, 100001, 10000):
            append(site, first, first + 9999)
            s.until_message(str(first + 9999), 30)
        before = channel(site)["held"]
        with open(os.path.join(state, "filler"), "wb", buffering=0) as f:
            def has_given_way():
                # What it gives is taken at once.
                with contextlib.suppress(OSError):
                    while f.write(b"x" * 4096):
                        pass
                return site.json("/status")["segments_given_way"] > 0 and channel(site)["held"] < before
            wait_for(has_given_way, "history to give way", 30)
        os.unlink(os.path.join(state, "filler"))
        append(site, 100001, 101000)
        check(numbers(s.until_message("101000", 30)) == list(range(100001, 101001)), "live stops")
    finally:
        site.stop()
        subprocess.run(["umount", "-l", state])


def cat_prints_a_range_of_times_and_the_last_of_it(site):
    """By the time at which sluice got each; over several segments, compressed or not."""
    site.up(SOURCE, "logs: {history: {size: 16MiB}}\n")
    at = []
    for i in range(1, 5):
        append(site, i * 1000 - 999, i * 1000, width=2000)
        site.stream("channel=logs&earliest=1").until_message("%02000d" % (i * 1000))
        time.sleep(0.02)
        at.append(time.time())
        time.sleep(0.02)

    def cat(*args):
        status, text = journal(site, "cat", "logs", "--format", "ndjson", *args)
        check(status == 0, text[-300:])
        return [int(json.loads(l)["message"]) for l in text.splitlines()]

    def when(t):
        return "%d" % (t * 1000)

    for kind in ("as it was written", "compressed"):
        check(cat() == list(range(1, 4001)), "not all")
        check(cat("--since", when(at[0]), "--until", when(at[2])) == list(range(1001, 3001)), "the middle")
        check(cat("--until", when(at[0])) == list(range(1, 1001)), "the beginning")
        check(cat("--since", when(at[2]), "-n", "3") == [3998, 3999, 4000], "the last three")
        check(cat("--until", when(at[1]), "--last", "2", "--filter", 'message endswith "7"') == [1987, 1997], "the last sevens")
        check(cat("-n", "10000") == list(range(1, 4001)), "more than there are")
        check(cat("-n", "5", "--filter", 'message == "nowhere"') == [], "no match")
        check(cat("--since", when(at[3])) == [] and cat("--until", "2001-01-01") == [], "what is not there")
        if kind != "compressed":
            site.stop()
            site.start()
            wait_for(lambda: "compressed" in journal(site, "stat")[1], "compression")
    one = when(at[0])
    for args, words in ((("cat", "logs", "--since", "soon"), "not a time"), (("cat", "logs", "-n", "0"), "a number from 1 to"),
                        (("cat", "logs", "-n", "many"), "a number from 1 to"),
                        (("cat", "logs", "--since", one, "--until", one), "--until is not after --since"),
                        (("stat", "--since", "1h"), "only sluice journal cat takes"), (("stat", "-n", "1"), "only sluice journal cat takes"),
                        (("verify", "--until", "1h"), "only sluice journal cat takes"),
                        (("verify", "--format", "ndjson"), "only sluice journal cat takes")):
        status, text = journal(site, *args)
        check(status == 2 and words in text, "%r: %d %s" % (args, status, text))


def cat_merges_channels_into_one_row(site):
    """In the order in which sluice got the events; what is wrong with one of them spoils nothing of the others."""
    names = ("one", "two", "three")
    site.up("".join("%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning, sweep_interval: 50ms}\n" % (3 * (n,))
                    for n in names), "".join("%s: {history: {size: 16MiB}}\n" % n for n in names))
    rng = random.Random(31)
    written = dict.fromkeys(names, 0)
    for _ in range(60):
        name = rng.choice(names)
        n = rng.randint(1, 200)
        with open(site.path(name + ".log"), "a") as f:
            f.write("".join("%s %03500d\n" % (name, i) for i in range(written[name], written[name] + n)))
        written[name] += n
        time.sleep(0.01)
    wait_for(lambda: all(channel(site, n)["events"] == written[n] for n in names), "all lines", 30)
    site.stop()

    def cat(*args):
        p = subprocess.run([SLUICE, "journal", "cat", "--format", "ndjson", "--state", site.path("state"), *args],
                           capture_output=True, text=True)
        return p.returncode, [json.loads(l) for l in p.stdout.splitlines()], p.stderr

    def order(e):
        ms, n = e["id"].partition(".")[2].split("-")
        return int(ms), int(n)

    apart = {n: cat(n)[1] for n in names}
    check({n: len(apart[n]) for n in names} == written, "not all")
    for chosen in (names, names[::-1], names[1:]):
        whole = sorted((e for n in chosen for e in apart[n]), key=order)
        check(cat(*chosen) == (0, whole, ""), "%r: not one row" % (chosen,))
        check(cat(*chosen, "-n", "700")[1] == whole[-700:], "%r: not the last" % (chosen,))
        middle = order(whole[len(whole) // 2])[0]
        check(cat(*chosen, "--since", str(middle))[1] == [e for e in whole if order(e)[0] >= middle], "%r: not the second half" % (chosen,))
        picked = [e for e in whole if e["message"].endswith("7") and e["channel"] != "two"]
        check(cat(*chosen, "--filter", 'message endswith "7" and channel != "two"', "-n", "9")[1] == picked[-9:], "%r: filtered" % (chosen,))
    # A segment of one is gone, and another channel is not there at all.
    segments = sorted(glob.glob(site.path("state/journal/one/*.seg")))
    check(len(segments) > 2, repr(segments))
    os.unlink(segments[1])
    left = {(e["channel"], e["message"]) for e in cat("one")[1]}
    status, got, said = cat("three", "nowhere", "one", "two")
    check(status == 1 and "journal/nowhere: No such file" in said and "journal/one" in said and "missing after" in said, "%d %s" % (status, said))
    check(got == sorted((e for n in names for e in apart[n] if n != "one" or (n, e["message"]) in left), key=order), "%d events" % len(got))
    status, got, said = cat("one", "two", "one")
    check(status == 2 and '"one" is named twice' in said, said)


def what_is_missing_from_a_range_is_reported_once_and_nothing_else(site):
    """Whichever segment is missing, and wherever the range begins and ends: the events printed and the number reported as
    missing are together all that there were from the first of the range to the last; a hole outside is no news."""
    site.up(SOURCE, "logs: {history: {size: 16MiB}}\n")
    append(site, 1, 4000, width=2000)
    site.stream("channel=logs&earliest=1").until_message("%02000d" % 4000)
    site.stop()
    stamps = {int(e["message"]): int(e["id"].partition(".")[2].partition("-")[0]) for e in cat_apart(site)[1]}
    check(len(stamps) == 4000, "%d events" % len(stamps))
    segments = sorted(glob.glob(site.path("state/journal/logs/*.seg")))
    check(len(segments) > 3, repr(segments))
    for segment in (segments[0], segments[1], segments[-1]):
        os.rename(segment, site.path("aside"))
        left = {int(e["message"]) for e in cat_apart(site)[1]}
        gone = sorted(set(stamps) - left)
        check(gone, "nothing was in %s" % segment)
        places = [max(1, gone[0] - 100), (gone[0] + gone[-1]) // 2, min(4000, gone[-1] + 300), 1, 4000]
        for since, until in itertools.permutations(places, 2):
            if stamps[since] < stamps[until]:
                check_range(site, stamps, left, gone, stamps[since], stamps[until])
        os.rename(site.path("aside"), segment)


def check_range(site, stamps, left, gone, since, until):
    want = [i for i in sorted(left) if since <= stamps[i] < until]
    has_hole = any(since <= stamps[i] < until for i in gone)
    # Where the range ends inside the hole, nobody knows which of its events belonged to it.
    may_have_hole = stamps.get(gone[0] - 1, 0) < until and stamps.get(gone[-1] + 1, until) >= since
    for n in (4000, 3):
        status, events, reports = cat_apart(site, "--since", str(since), "--until", str(until), "-n", str(n))
        got = [int(e["message"]) for e in events]
        check(got == want[-n:], "%r: %r and not %r" % ((since, until, n), got[:3] + got[-3:], want[:3] + want[-3:]))
        # The last three say nothing of what is missing before them.
        told = [i for i in gone if since <= stamps[i] < until and (n > len(want) or i > want[-n])]
        may_be_told = may_have_hole and (n > len(want) or gone[-1] > want[-n])
        check(len(reports) == status and bool(told) <= len(reports) <= may_be_told, "%r: %d %r" % ((since, until, n), status, reports))
        check(not reports or "%d events are missing" % len(gone) in reports[0], repr(reports))
    status, events, reports = cat_apart(site, "--since", str(since), "--until", str(until))
    check([int(e["message"]) for e in events] == want and has_hole <= len(reports) == status <= may_have_hole, "%r: %d %r" % (
        (since, until), status, reports))


def what_people_see_of_it(site):
    append(site, 1, 1000)
    site.up(SOURCE)
    site.stream("channel=logs&earliest=1").until_message("1000")
    status, text = journal(site, "stat")
    check(status == 0 and "logs: 1000 events in 1 segment, " in text and "oldest" in text, text)
    status, text = journal(site, "cat", "logs", "--filter", "message endswith \"00\"", "--format", "ndjson")
    lines = [json.loads(l) for l in text.strip().split("\n")]
    check(status == 0 and [l["message"] for l in lines] == [str(i) for i in range(100, 1001, 100)], text)
    status, text = journal(site, "cat", "logs", "--after", lines[-2]["id"])
    check(status == 0 and len(text.strip().split("\n")) == 100 and text.endswith(" 1000\n"), text[-200:])
    for args, words in ((("cat",), "name of a channel"), (("eat",), 'did you mean "cat"?'), (("cat", "logs", "--filter", "x ="), "the filter, at"),
                        (("cat", "logs", "--after", "x"), "not an event id"), (("stat", "nobody"), "No such file"),
                        (("cat", "logs", "--format", "xml"), "text or ndjson"), (("stat", "../x"), "cannot name a channel")):
        status, text = journal(site, *args)
        check(status in (1, 2) and words in text, "%r: %d %s" % (args, status, text))


run(nothing_is_shown_before_the_disk_has_it, transient_events_that_wait_too_long_for_a_disk_are_a_gap, errors_of_the_disk_in_turn, a_first_segment_whose_sync_fails, killed_at_random_moments_on_a_disk,
    a_flipped_byte_is_one_exact_gap, history_gives_way_when_space_runs_short,
    cat_prints_a_range_of_times_and_the_last_of_it, cat_merges_channels_into_one_row,
    what_is_missing_from_a_range_is_reported_once_and_nothing_else, what_people_see_of_it)
