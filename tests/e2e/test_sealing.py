#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""History is compressed while it is written and read and the hub is killed: every line once, in order."""
import random
import struct
import urllib.parse

from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}"


def channel(site):
    return [c for c in site.json("/channels")["channels"] if c["name"] == "logs"][0]


def journal(site, verb, *args):
    p = subprocess.run([SLUICE, "journal", verb, "--state", site.path("state"), *args], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def take_in(site, first, last):
    write_lines(site.path("app.log"), first, last)
    wait_for(lambda: channel(site)["events"] >= last, "%d lines" % last, 60)


def compressed(site, at_least=1):
    wait_for(lambda: site.json("/status")["segments_compressed"] >= at_least, "segments to be compressed", 60)


def everything(site, n):
    """Read by a stream, by pages and by the command: each once."""
    Numbers(site, "logs").until(n, 60)
    status, text = journal(site, "verify")
    check(status == 0 and text.count("good") == 2, text)
    status, text = journal(site, "cat", "--format", "ndjson", "logs")
    got = [int(json.loads(line)["message"]) for line in text.splitlines()]
    check(got == list(range(1, n + 1)), "cat: %d lines" % len(got))
    page = site.json("/history?channel=logs&limit=3")["events"]
    check([int(e["message"]) for e in page] == [n - 2, n - 1, n], repr(page))


def the_same_size_holds_many_times_as_much(site):
    n = 400000
    site.up(SOURCE, "logs: {history: {size: 4MiB}}")
    take_in(site, 1, 1000)
    # A reader that starts before anything is compressed.
    early = Numbers(site, "logs")
    early.take()
    # Faster than it is compressed, the oldest would have to go.
    for first in range(1001, n + 1, 9000):
        last = min(first + 8999, n)
        take_in(site, first, last)
        wait_for(lambda: channel(site)["bytes"] < 2500000, "the history to be compressed", 60)
    check(channel(site)["held"] == n and channel(site)["bytes"] < 4 << 20, repr(channel(site)))
    early.until(n, 60)
    everything(site, n)
    status, text = journal(site, "stat", "logs")
    took, before = map(int, re.search(r"[0-9]+ compressed.*, ([0-9]+) bytes on the disk, ([0-9]+) uncompressed", text).groups())
    check(before > 5 * took, text)
    # Another start reads the directories alone, and goes on.
    site.stop()
    site.start()
    take_in(site, n + 1, n + 1000)
    everything(site, n + 1000)


def pages(site, **query):
    """All pages of the history, the newest first; how many there were."""
    found, before, n = [], None, 0
    while True:
        more = {"before": before} if before else {}
        page = site.json("/history?" + urllib.parse.urlencode({"channel": "logs", **query, **more}))
        found += [e["message"] for e in reversed(page["events"]) if e["event"] == "line"]
        n += 1
        before = page["older"]
        check(page["complete"] or before, "a page that is not complete and says not where it goes on: %r" % page)
        if not before:
            return found, n


def searched(site, **query):
    status, _, body = site.get("/search?" + urllib.parse.urlencode({"channel": "logs", "format": "ndjson", "limit": 0, **query}))
    events = [json.loads(line) for line in body.splitlines()]
    check(status == 200 and events[-1]["event"] == "done" and events[-1]["complete"], "%d %r" % (status, events[-1:]))
    return [e["message"] for e in events if e["event"] == "line"], events[-1]


def what_is_rare_is_found_and_what_is_not_there_is_not(site):
    n, chance = 60000, random.Random(7)
    lines = ["%d request %016x of %s" % (i, chance.getrandbits(64), chance.choice(("alice", "bob"))) for i in range(1, n + 1)]
    with open(site.path("app.log"), "w") as f:
        f.write("".join(line + "\n" for line in lines))
    site.up(SOURCE, "logs: {history: {size: 16MiB}}")
    wait_for(lambda: channel(site)["events"] == n, "the lines", 60)
    compressed(site, 3)
    some = [lines[0], lines[-1]] + chance.sample(lines, 20)
    for line in some:
        text = line.split()[2]
        for query in ({"grep": text}, {"filter": 'message contains "%s"' % text}, {"filter": 'message icontains "%s"' % text.upper()},
                      {"filter": "message ~ /request %s of [a-z]+/" % text}, {"grep": text, "order": "oldest"}):
            got, done = searched(site, **query)
            check(got == [line], "%r: %r" % (query, got))
        check(done["skipped"] > done["total"] // 3, "nothing is skipped: %r" % done)
        got, _ = pages(site, grep=text)
        check(got == [line], "a page of %r: %r" % (text, got))
    for text in ("%016x" % chance.getrandbits(64), "nobody has this"):
        check(searched(site, grep=text)[0] == [] and pages(site, grep=text) == ([], 1), text)
    # What is too short for the index, or everywhere.
    for text in ("77", " of bob", "request "):
        want = [line for line in reversed(lines) if text in line]
        got, _ = searched(site, grep=text)
        check(got == want, "%r: %d, not %d" % (text, len(got), len(want)))
        if len(want) < 20000:
            got, _ = pages(site, grep=text, limit=1000)
            check(got == want, "pages of %r: %d, not %d" % (text, len(got), len(want)))


def it_can_be_read_by_others(site):
    """contrib/read-journal knows nothing but doc/journal-format.md."""
    require("zstd")
    n = 50000
    site.up(SOURCE, "logs: {history: {size: 16MiB}}")
    take_in(site, 1, n)
    compressed(site, 2)
    site.stop()
    folder = site.path("state/journal/logs")
    segments = sorted(os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(".seg"))
    text = subprocess.check_output([sys.executable, os.path.join(SRC, "contrib/read-journal"), *segments], text=True)
    ids = [json.loads(line)["id"] for line in journal(site, "cat", "--format", "ndjson", "logs")[1].splitlines()]
    check(text.splitlines() == ["%s %d" % (i, k + 1) for k, i in enumerate(ids)] and len(ids) == n, text[:300])


def switched_on_and_off(site):
    """Switching it on compresses older segments too; switching it off leaves compressed ones compressed."""
    n = 100000
    off = "logs: {history: {size: 16MiB, compress: false}}"
    site.up(SOURCE, off)
    take_in(site, 1, n // 2)
    time.sleep(2.5)
    check(not site.json("/status")["segments_compressed"] and "compressed" not in journal(site, "stat")[1], "it compresses")
    site.write_config(SOURCE, "logs: {history: {size: 16MiB}}")
    site.sluice.send_signal(signal.SIGHUP)
    compressed(site, 2)
    site.write_config(SOURCE, off)
    site.sluice.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    done = site.json("/status")["segments_compressed"]
    take_in(site, n // 2 + 1, n)
    time.sleep(2.5)
    check(site.json("/status")["segments_compressed"] <= done + 1, "it goes on")
    everything(site, n)


def killed_at_any_time(site):
    n = 3000000 if LONG else 400000
    site.up(SOURCE, "logs: {history: {size: 8MiB}, retry: 50ms}")
    seed = random.randrange(1 << 30)
    print("# seed %d" % seed)
    chance = random.Random(seed)
    numbers = Numbers(site, "logs")
    numbers.take()
    writer = in_background(write_lines, site.path("app.log"), 1, n, [], block=200, pause=0.004)
    due, kills = [0], [0]

    def strike():
        if time.monotonic() >= due[0] and site.pids("hub"):
            kills[0] += site.kill("hub") > 0
            due[0] = time.monotonic() + chance.uniform(0.2, 2.5)
    numbers.until(n, 300, strike)
    join(writer)
    check(not numbers.gaps, repr(numbers.gaps))
    # On a busy machine it may be long behind, and what is not compressed is dropped sooner.
    wait_for(lambda: "compressed" in journal(site, "stat", "logs")[1], "something to be compressed")
    status, text = journal(site, "verify")
    check(status == 0 and text.count("good") == 2, text)
    _, text = journal(site, "stat", "logs")
    print("# %d kills; %s" % (kills[0], text.splitlines()[0]))
    check(not [f for f in os.listdir(site.path("state/journal/logs")) if "damaged" in f], "damage")


def a_damaged_one_is_a_gap(site):
    n = 60000
    site.up(SOURCE, "logs: {history: {size: 16MiB}}")
    take_in(site, 1, n)
    compressed(site, 2)
    site.stop()
    folder = site.path("state/journal/logs")
    path = os.path.join(folder, sorted(f for f in os.listdir(folder) if f.endswith(".seg"))[1])
    size = os.path.getsize(path)
    # In the middle of a block: without the directory, damage in its header would cost another one.
    with open(path, "r+b") as f:
        f.seek(size - 72 + 16)
        cursors, blocks, directory, entry = struct.unpack("<IIQ32xI", f.read(52))
        f.seek(directory + cursors + max(entry, 96) * (blocks // 2))
        frame, length = struct.unpack("<Q8xI", f.read(20))
        f.seek(frame + length // 2)
        f.write(b"damaged")
    status, text = journal(site, "verify", "logs")
    check(status == 1 and "damaged" in text and "missing" in text, text)
    site.start()
    s = site.stream("channel=logs&earliest=1")
    got, lost = [], 0
    for e in s.until_message(str(n), 60):
        if e.type == "line":
            got.append(int(e.json()["message"]))
        elif e.type == "gap":
            check(e.json()["reason"] == "damaged", e.data)
            lost += e.json()["count"]
    check(lost and len(got) + lost == n and got == sorted(set(got)), "%d lines, %d lost" % (len(got), lost))
    # Cut, its directory is gone: what is there is found all the same.
    site.stop()
    with open(path, "r+b") as f:
        f.truncate(size - 10)
    site.start()
    s = site.stream("channel=logs&earliest=1")
    again = [int(e.json()["message"]) for e in s.until_message(str(n), 60) if e.type == "line"]
    check(again == got, "%d lines, then %d" % (len(got), len(again)))


def on_a_full_disk_the_originals_stay(site):
    require_root("a file system of its own")
    state = site.path("state")
    os.mkdir(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", state], check=True)
    try:
        site.up(SOURCE, "logs: {history: {size: 64MiB, compress: false}}", "free_space: 64KiB")
        n = 50000
        take_in(site, 1, n)
        held = channel(site)["held"]
        filler = open(os.path.join(state, "filler"), "wb", buffering=0)
        with contextlib.suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        filler.close()
        site.write_config(SOURCE, "logs: {history: {size: 64MiB}}", "free_space: 64KiB")
        site.sluice.send_signal(signal.SIGHUP)
        time.sleep(3)
        status, text = journal(site, "verify", "logs")
        check(status == 0 and "good" in text, text)
        os.unlink(os.path.join(state, "filler"))
        compressed(site)
        check(channel(site)["events"] == n and channel(site)["held"] <= held, repr(channel(site)))
        first = n - channel(site)["held"] + 1
        s = site.stream("channel=logs&earliest=1")
        got = [int(e.json()["message"]) for e in s.until_message(str(n), 60) if e.type == "line"]
        check(got == list(range(first, n + 1)), "%d lines from %d" % (len(got), got[0]))
        site.stop()
    finally:
        subprocess.run(["umount", "-l", state], check=True)


run(the_same_size_holds_many_times_as_much, what_is_rare_is_found_and_what_is_not_there_is_not, it_can_be_read_by_others, switched_on_and_off, killed_at_any_time, a_damaged_one_is_a_gap,
    on_a_full_disk_the_originals_stay)
