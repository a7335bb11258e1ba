#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Several channels, truncation, retention, memory, damaged journals: nothing silent."""
from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, sweep_interval: 100ms}"


def begin(site, source=SOURCE, **kw):
    open(site.path("app.log"), "w").close()
    site.up(source, **kw)
    site.ready()


def append(site, first, last, name="app.log", pad=""):
    with open(site.path(name), "a") as f:
        f.write("".join("%d%s\n" % (i, pad) for i in range(first, last + 1)))


def truncated_files_are_read_anew_and_the_gap_is_told(site):
    """Shorter, of the same size, larger: new content once, never from the middle."""
    begin(site)
    s = site.stream("channel=logs&earliest=1")
    old = "old %d\n"
    for i, new in enumerate(("new\n", "NEW 0\nNEW 1\n", "".join("larger %d\n" % k for k in range(100)))):
        with open(site.path("app.log"), "w") as f:
            f.write((old % 0 + old % 1))
        s.until_message("old 1")
        with open(site.path("app.log"), "r+") as f:
            f.truncate(0)
            f.write(new)
        got = s.until_message(new.split("\n")[-2])
        lines = [e.json()["message"] for e in got if e.type == "line"]
        gaps = [e.json()["reason"] for e in got if e.type == "gap"]
        check(lines == new.split("\n")[:-1] and gaps == ["truncated"], "round %d: %r %r" % (i, lines, gaps))
        # Back to a file that is read to its end, for the next round.
        os.unlink(site.path("app.log"))


def channels_are_merged_in_the_order_of_their_ids(site):
    for c in "abc":
        open(site.path(c + ".log"), "w").close()
    site.up("\n".join("%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning}" % (c, c, c)
                      for c in "abc"))
    live = site.stream("channel=c&channel=a&channel=b")
    check(live.until_type("hello").json()["channels"] == ["a", "b", "c"], "hello")
    for i in range(300):
        append(site, i, i, "abc"[i % 3] + ".log")
    history = site.stream("channel=a&channel=b&channel=c&earliest=1")
    orders = []
    for s in (live, history):
        got = [e for e in s.events(lambda e, n=[0]: e.type == "line" and (n.__setitem__(0, n[0] + 1) or n[0] == 300))
               if e.type == "line"]
        check(sorted(int(e.json()["message"]) for e in got) == list(range(300)), "not all")
        keys = [tuple(map(int, e.id.split(".")[1].split("-"))) for e in got]
        check(keys == sorted(set(keys)), "ids do not grow")
        orders.append([e.id for e in got])
    check(orders[0] == orders[1], "live and history differ")
    tail = site.stream("channel=a&channel=b&channel=c&tail=7")
    got = [e.id for e in tail.events(lambda e: e.id == orders[0][-1]) if e.type == "line"]
    check(got == orders[0][-7:], "tail of several channels")


def what_retention_has_dropped_is_a_gap(site):
    begin(site, channels="logs: {history: {size: 1MiB}}")
    append(site, 1, 1)
    first = site.stream("channel=logs&earliest=1").until_message("1")[-1].id
    append(site, 2, 40000, pad=" " + "x" * 100)
    last = "40000 " + "x" * 100
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == 40000, "the lines")
    channel = site.json("/channels")["channels"][0]
    check(channel["bytes"] < 1.2 * (1 << 20) and channel["held"] < 40000, "%r" % channel)
    s = site.stream("channel=logs&after=" + first)
    got = s.until_message(last)
    check(got[0].json()["mode"] == "gap" and got[1].type == "gap", "%r" % got[:2])
    gap = got[1].json()
    check(gap["from"] == first and gap["reason"] == "expired" and gap["channel"] == "logs", "%r" % gap)
    check(len(got) - 2 == channel["held"], "%d after the gap, %d held" % (len(got) - 2, channel["held"]))
    fresh = site.stream("channel=logs&earliest=1").until_message(last)
    check([e.id for e in fresh[1:]] == [e.id for e in got[2:]] and fresh[0].id == gap["to"], "earliest")


def a_slow_reader_of_two_channels_is_told_of_the_gap_in_one(site):
    """What one channel had dropped at the start hides nothing that another one drops later."""
    for c in "ab":
        open(site.path(c + ".log"), "w").close()
    site.up("\n".join("%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning}" % (c, c, c)
                      for c in "ab"), "a: {history: {size: 8MiB}}\nb: {history: {size: 64KiB}}")
    wide = " " + "x" * 900

    def fill(c, first, last):
        append(site, first, last, c + ".log", wide)
        wait_for(lambda: [x for x in site.json("/channels")["channels"] if x["name"] == c][0]["events"] == last, "the lines")
    fill("a", 1, 6000)
    fill("b", 1, 3000)
    s = site.stream("channel=a&channel=b&earliest=1", rcvbuf=16384)
    s.until_type("hello")
    fill("a", 6001, 24000)
    got = s.until_message("24000" + wide, 60)
    # Wherever a number is missing there is a gap, and nowhere else.
    last, told, gaps = 0, False, 0
    for e in got:
        data = e.json()
        if e.type == "gap":
            check(data["channel"] == "a" and data["reason"] == "expired", "%r" % e)
            told = True
            gaps += 1
        elif e.type == "line" and data["channel"] == "a":
            n = int(data["message"].split()[0])
            check((n != last + 1) == told, "%d after %d, gap told: %s" % (n, last, told))
            last, told = n, False
    check(gaps >= 1, "nothing was dropped: the test is too small")


def a_channel_in_memory_loses_with_the_hub_and_says_so(site):
    begin(site, channels="logs: {durability: memory, retry: 50ms}")
    append(site, 1, 100)
    s = site.stream("channel=logs&earliest=1")
    last = s.until_message("100")[-1].id
    check(not os.path.exists(site.path("state/journal/logs")), "it is on the disk")
    site.kill("hub")
    again = site.stream("channel=logs", headers={"Last-Event-ID": last})
    check(again.until_type("hello").json()["mode"] == "gap", "silence about the loss")
    again.until_type("gap")
    append(site, 101, 101)
    again.until_message("101")


def stop_and_damage(site, how):
    """Stops, lets `how` change the only segment, and starts again."""
    site.stop()
    folder = site.path("state/journal/logs")
    segment = os.path.join(folder, [n for n in os.listdir(folder) if n.endswith(".seg")][0])
    with open(segment, "r+b") as f:
        how(f, os.path.getsize(segment))
    os.unlink(site.path("sluice.log"))
    site.start()


def a_torn_end_is_cut_and_read_again_from_the_file(site):
    begin(site)
    for i in range(1, 11):
        append(site, i, i)
        wait_for(lambda: site.json("/channels")["channels"][0]["events"] == i, "the line")
    stop_and_damage(site, lambda f, size: f.truncate(size - 7))
    got = [e.json()["message"] for e in site.stream("channel=logs&earliest=1").until_message("10") if e.type == "line"]
    check(got == [str(i) for i in range(1, 11)], "%r" % got)
    check("cut" in site.log() and "interrupted" in site.log(), site.log())


def damage_in_the_middle_is_a_gap_and_the_rest_is_kept(site):
    begin(site)
    for i in range(1, 11):
        append(site, i, i)
        wait_for(lambda: site.json("/channels")["channels"][0]["events"] == i, "the line")

    def flip(f, size):
        f.seek(size // 2)
        byte = f.read(1)
        f.seek(size // 2)
        f.write(bytes([byte[0] ^ 0x55]))
    stop_and_damage(site, flip)
    got = site.stream("channel=logs&earliest=1").until_message("10")
    lines = [int(e.json()["message"]) for e in got if e.type == "line"]
    gaps = [e.json() for e in got if e.type == "gap"]
    check(len(lines) == 9 and lines == sorted(lines) and len(gaps) == 1 and gaps[0]["reason"] == "damaged", "%r %r" % (lines, gaps))
    check("are damaged and are skipped" in site.log(), site.log())


def heartbeats_come_and_move_the_cursor(site):
    begin(site, channels="logs: {heartbeat: 200ms}")
    s = site.stream("channel=logs")
    s.until_type("hello")
    wait_for(lambda: (s.fill(0.1), s.buffer.count(b":\nid: "))[1] >= 3, "three heartbeats")
    check(b"data:" not in s.buffer, "a heartbeat holds data: %r" % s.buffer)


run(truncated_files_are_read_anew_and_the_gap_is_told, channels_are_merged_in_the_order_of_their_ids,
    what_retention_has_dropped_is_a_gap, a_slow_reader_of_two_channels_is_told_of_the_gap_in_one,
    a_channel_in_memory_loses_with_the_hub_and_says_so,
    a_torn_end_is_cut_and_read_again_from_the_file, damage_in_the_middle_is_a_gap_and_the_rest_is_kept,
    heartbeats_come_and_move_the_cursor)
