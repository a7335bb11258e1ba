#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every start form, any filter, at random moments: each client has exactly what the journal has for it."""
import random
import threading
import urllib.parse

from harness import *

RECONNECTS = 3000 if LONG else 400
CLIENTS = 20
FILTERS = ((None, lambda m, c: True), ('message endswith "7"', lambda m, c: m.endswith("7")),
           ("message ~ /^[a-z]+ [0-9]*[02468]$/", lambda m, c: m[-1] in "02468"),
           ('channel == b and not message contains "1"', lambda m, c: c == "b" and "1" not in m),
           ('message == "never"', lambda m, c: False))


def key(id):
    return tuple(int(x) for x in id.replace("-", ".").split(".")[1:])


class Client(threading.Thread):
    """Connects again and again, by every way to resume; keeps all ids it was given."""

    def __init__(self, site, seed, rounds):
        super().__init__(daemon=True)
        self.site, self.rounds = site, rounds
        self.random = random.Random(seed)
        self.filter, self.matches = FILTERS[seed % len(FILTERS)]
        self.channels = (["a", "b"], ["a"], ["b", "a"])[seed % 3]
        self.first = ("earliest=1", "tail=5", "since=1h", "tail=0", None)[seed % 5]
        self.got, self.begun, self.trouble, self.cursor = [], None, None, None
        self.is_over = False

    def query(self, more):
        q = [("channel", c) for c in self.channels] + ([("filter", self.filter)] if self.filter else [])
        return urllib.parse.urlencode(q) + ("&" + more if more else "") + self.random.choice(("", "&gzip=0", "&heartbeat=event"))

    def take(self, e):
        """True when the end has been reached."""
        self.cursor = e.id or self.cursor
        if e.type == "gap":
            raise Failed("a gap: %r" % e)
        if e.type == "hello" and self.begun is None:
            self.begun = key(e.id)
        if e.type == "line":
            self.got.append((e.id, e.json()["message"], e.json()["channel"]))

    def once(self, last):
        more, headers = self.first, {}
        if self.cursor:
            more, headers = self.random.choice((("after=" + self.cursor, {}), ("", {"Last-Event-ID": self.cursor}),
                                                ("tail=3", {"Last-Event-ID": self.cursor})))
        s = Stream(self.site, self.query(more), headers=headers)
        until = time.monotonic() + self.random.random() * 0.05
        try:
            while time.monotonic() < until or last:
                if not s.fill(0.02 if not last else 0.2) and s.ended:
                    break
                for block in s.blocks_pending():
                    e = s.parse(block)
                    if e:
                        self.take(e)
                    elif s.last_id:
                        self.cursor = s.last_id # a heartbeat
                if last and self.cursor and key(self.cursor) >= last:
                    return
        finally:
            s.close()

    def run(self):
        try:
            for _ in range(self.rounds):
                with contextlib.suppress(ConnectionError, socket.timeout):
                    self.once(None)
            self.is_over = True
            while not self.site.last_id:
                time.sleep(0.01)
            deadline = time.monotonic() + 60 * PATIENCE
            while not self.cursor or key(self.cursor) < self.site.last_id:
                if time.monotonic() > deadline:
                    raise Failed("the end was never reached: %r" % self.cursor)
                self.once(self.site.last_id)
        except Exception as e:
            self.trouble = repr(e)


def pour(site, stop):
    i = 0
    while not stop:
        for name in "ab":
            with open(site.path(name + ".log"), "a") as f:
                f.write("".join("%s %d\n" % (random.choice(("x", "yy", "zzz")), k) for k in range(i, i + 50)))
        i += 50
        time.sleep(0.01)


def everyone_has_what_the_journal_has(site, kills=0):
    for name in "ab":
        open(site.path(name + ".log"), "w").close()
    site.up("a: {type: file, channel: a, include: [DIR/a.log], read_from: beginning}\n"
            "b: {type: file, channel: b, include: [DIR/b.log], read_from: beginning}\n",
            "a: {heartbeat: 300ms, retry: 50ms}\nb: {heartbeat: 300ms, retry: 50ms, durability: disk}\n")
    site.ready()
    site.last_id, stop = None, []
    writer = threading.Thread(target=pour, args=(site, stop), daemon=True)
    writer.start()
    clients = [Client(site, i, RECONNECTS // CLIENTS) for i in range(CLIENTS)]
    for c in clients:
        c.start()
    for _ in range(kills):
        time.sleep(0.4)
        site.kill("hub")
        wait_for(lambda: site.get("/health/ready")[0] == 200, "the next hub")
    # On a slow machine its connections may be over before anything comes.
    wait_for(lambda: clients[0].got or clients[0].is_over or clients[0].trouble, "the first client to have a line", 120)
    time.sleep(1)
    stop.append(1)
    writer.join()
    with open(site.path("a.log"), "a") as f:
        f.write("the end\n")
    journal = site.stream("channel=a&channel=b&earliest=1").until_message("the end", 60)
    journal = [(e.id, e.json()["message"], e.json()["channel"]) for e in journal if e.type == "line"]
    with open(site.path("b.log"), "a") as f: # something after it, so that every cursor comes to pass it
        f.write("beyond\n")
    site.last_id = key(journal[-1][0])
    for c in clients:
        c.join()
    for i, c in enumerate(clients):
        check(not c.trouble, "client %d: %s" % (i, c.trouble))
        check(c.begun is not None, "client %d never had a hello" % i)
        want = [e for e in journal if e[2] in c.channels and c.matches(e[1], e[2]) and key(e[0]) > c.begun]
        got = [e for e in c.got if key(e[0]) <= site.last_id]
        check(got == want, "client %d (%s, %s): %d ids, %d wanted; first difference %r" % (
            i, c.first, c.filter, len(got), len(want), next(((a, b) for a, b in zip(got, want) if a != b), None)))


def while_the_hub_is_killed(site):
    everyone_has_what_the_journal_has(site, 10 if LONG else 3)


def a_thousand_that_come_back_do_not_hold_up_the_live(site):
    """Each wants the whole history; who is live gets each line as before."""
    require("lighttpd")
    n = 200000
    with open(site.path("a.log"), "w") as f:
        f.write("".join("%d %s\n" % (i, "x" * 100) for i in range(n)))
    site.up("a: {type: file, channel: a, include: [DIR/a.log], read_from: beginning}\n",
            hub="limits: {streams_per_address: 0}\n")
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == n, "the history", 60)
    live = site.stream("channel=a&tail=0")
    live.until_type("hello")

    def delays(rounds):
        times = []
        for i in range(rounds):
            begun = time.monotonic()
            with open(site.path("a.log"), "a") as f:
                f.write("live %d %d\n" % (i, begun * 1e6))
            live.until_message("live %d %d" % (i, begun * 1e6))
            times.append(time.monotonic() - begun)
        return sorted(times)
    quiet = delays(50)
    back = []
    for i in range(1000 if LONG else 200):
        s = Stream(site, "channel=a&earliest=1" + ("&grep=x%d" % (i % 50) if i % 2 else ""), rcvbuf=65536)
        back.append(s)
        site.streams.append(s)
    wait_for(lambda: site.json("/status")["streams"]["open"] > len(back), "them all")
    busy = delays(50)
    check(busy[25] < max(quiet[25] * 20, 0.2), "the median was %.1f ms and is %.1f ms" % (quiet[25] * 1e3, busy[25] * 1e3))
    print("# a live line takes %.1f ms (median), with %d catching up %.1f ms" % (quiet[25] * 1e3, len(back), busy[25] * 1e3))
    hub = site.pids("hub")[0]
    check(rss_kib(hub) < 400 * 1024 or not MEASURES_MEMORY, "the hub has %d KiB" % rss_kib(hub))
    for s in back:
        s.close()
    wait_for(lambda: site.json("/status")["streams"]["open"] == 1, "them to go")


def half_open_slow_and_reset(site):
    """One that reads a byte a second, 500 that never ask, thousands that come and reset."""
    open(site.path("a.log"), "w").close()
    site.up("a: {type: file, channel: a, include: [DIR/a.log], read_from: beginning}\n")
    site.ready()
    hub = site.pids("hub")[0]
    live = site.stream("channel=a")
    live.until_type("hello")
    everyone = [hub] + site.pids("responder")
    before = [descriptors(p) for p in everyone]
    memory = rss_kib(hub)
    slow = site.stream("channel=a", rcvbuf=2048)
    half = []
    for _ in range(500):
        s = socket.socket(socket.AF_UNIX)
        s.connect(site.path("fcgi.sock"))
        s.send(b"\x01")
        half.append(s)
    for i in range(5000 if LONG else 1000):
        s = socket.create_connection(("127.0.0.1", site.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.sendall(b"GET %s/events?channel=a HTTP/1.0\r\n\r\n" % site.prefix.encode())
        s.close() # with a reset
        if i % 50 == 0:
            with open(site.path("a.log"), "a") as f:
                f.write("%d\n" % i)
            live.until_message(str(i), 5)
            slow.sock.recv(1)
    for s in half:
        s.close()
    wait_for(lambda: site.json("/status")["streams"]["open"] <= 2, "the streams to go")
    wait_for(lambda: all(descriptors(p) <= b + 2 for p, b in zip(everyone, before)),
             "descriptors: %r before, %r" % (before, [descriptors(p) for p in everyone]))
    check(rss_kib(hub) < memory + 20000 or not MEASURES_MEMORY, "memory: %d KiB, %d before" % (rss_kib(hub), memory))


run(everyone_has_what_the_journal_has, while_the_hub_is_killed, a_thousand_that_come_back_do_not_hold_up_the_live,
    half_open_slow_and_reset)
