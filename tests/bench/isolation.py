#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One against the others: what a heavy client or source does to another client's live latency.

isolation.py [--short] [--seconds S] [--only TEXT] [--table]: each load in a sluice of its own.
The same client is measured quiet first, then under the load, then the load leaves.  Prints one
JSON object a load; with --table also the rows of a Markdown table.

Client and load speak FastCGI to sluice's socket, so that no web server stands between them.  The
load runs in processes of its own.  What arrives at the heavy clients is checked too: each
number once and in order, or a gap or goodbye that says why not.
"""
import argparse
import os
import select
import sys
import threading
import urllib.parse
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import bench
from fastcgi import head
from harness import *

GOOD = 'good: {type: file, channel: shared, include: [DIR/good.log], path_field: "", severity: false}\n'
HEAVY = 'heavy: {type: file, channel: shared, include: [DIR/heavy.log], path_field: "", severity: false}\n'
LIMITS = "limits: {streams: 20000, streams_per_address: 0, subscriptions: 20000}\nplugin_dir: DIR/plugins"
PROBE = "channel=shared&source=good&data=message"


def quoted(s):
    return urllib.parse.quote(s, safe="")


# ---- heavy clients -------------------------------------------------------------------------------

class Client:
    """A stream, its FastCGI and SSE read with as little work as possible."""
    ID, MESSAGE = re.compile(rb"\nid: (\S+)"), re.compile(rb"\ndata: (\d+) ")

    def __init__(self, site, query, gzip=False, method="GET", path="/events"):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(site.path("fcgi.sock"))
        params = [("REQUEST_METHOD", method), ("SCRIPT_NAME", "/logs"), ("PATH_INFO", path), ("QUERY_STRING", query),
                  ("REMOTE_ADDR", "192.0.2.9"), ("HTTP_HOST", "localhost"), ("HTTP_ACCEPT", "*/*")]
        if gzip:
            params.append(("HTTP_ACCEPT_ENCODING", "gzip"))
        self.sock.sendall(head(params))
        self.raw, self.text, self.numbers = b"", b"", []
        self.head = b""
        self.inflate = zlib.decompressobj(31) if gzip else None
        self.excused = self.ended = self.has_begun = False
        self.size = 0

    def fileno(self):
        return self.sock.fileno()

    def fill(self, keeps=True):
        try:
            more = self.sock.recv(1 << 18)
        except OSError:
            more = b""
        self.size += len(more)
        if not more:
            self.ended = True
        if keeps:
            self.take(more)
        return len(more)

    def take(self, more):
        self.raw += more
        at = 0
        while len(self.raw) - at >= 8:
            n, padding = int.from_bytes(self.raw[at + 4:at + 6], "big"), self.raw[at + 6]
            if len(self.raw) - at < 8 + n + padding:
                break
            if self.raw[at + 1] == 6:
                self.take_text(self.raw[at + 8:at + 8 + n])
            at += 8 + n + padding
        self.raw = self.raw[at:]
        cut = self.text.rfind(b"\n\n")
        if cut < 0:
            return
        whole, self.text = self.text[:cut + 1], self.text[cut + 1:]
        self.numbers += map(int, self.MESSAGE.findall(whole))
        self.has_begun |= b"event: hello" in whole
        if b"event: gap" in whole or b"event: bye" in whole or b"event: busy" in whole:
            self.excused = True

    def take_text(self, text):
        if self.head is not None:
            self.head += text
            head, end, text = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            self.head = None
            if b"Content-Encoding: gzip" not in head:
                self.inflate = None
        self.text += self.inflate.decompress(text) if self.inflate else text

    def begin(self):
        """Waits for its hello: the head of the answer comes before the stream is open."""
        while not self.has_begun:
            check(self.fill(), "the stream was not opened")

    def until(self, text, seconds=60):
        deadline = time.monotonic() + seconds * PATIENCE
        seen = b""
        while text not in seen:
            check(not self.ended and time.monotonic() < deadline, "no %r in %r" % (text, seen[-500:]))
            more = self.sock.recv(1 << 16)
            self.ended |= not more
            seen += more
        return seen

    def close(self):
        self.sock.close()


def drain(clients, watched, stop):
    """Reads all of them until told to stop."""
    poll, by_fd = select.poll(), {}
    for c in clients:
        if not c.ended:
            poll.register(c, select.POLLIN)
            by_fd[c.fileno()] = c
    while not stop():
        for fd, _ in poll.poll(50):
            if not by_fd[fd].fill(by_fd[fd] in watched):
                poll.unregister(fd)


def verdict(watched, wanted):
    """How many numbers the watched clients lack without an excuse, and have twice."""
    lost = doubled = 0
    for c in watched:
        got = set(c.numbers)
        doubled += len(c.numbers) - len(got)
        doubled += sum(1 for a, b in zip(c.numbers, c.numbers[1:]) if b < a)
        if c.numbers and not c.excused:
            lost += len([n for n in wanted if n >= c.numbers[0] and n not in got])
    return {"lost": lost, "doubled": doubled, "excused": sum(c.excused for c in watched),
            "seen": sum(len(c.numbers) for c in watched), "watched": len(watched)}


def write_heavy(site, stop, rate, size=100):
    """Numbered lines until told to stop; how many."""
    n, began = 0, time.monotonic()
    with open(site.path("heavy.log"), "ab", buffering=0) as f:
        while not stop():
            due = int((time.monotonic() - began) * rate)
            if due > n:
                f.write(b"".join(b"%d tick%d %s\n" % (i, i % 10, b"x" * size) for i in range(n + 1, due + 1)))
                n = due
            time.sleep(0.01)
    return n


def heavy_streams(site, stop, queries, rate, every, gzip=False, settle=20):
    """Streams of these subscriptions while lines are written; then what the first ten got of every so-manyeth."""
    clients = []
    for q in queries:
        clients.append(Client(site, q, gzip))
        if len(clients) % 50 == 0 or len(clients) == len(queries):
            for c in clients[-50:]:
                select.select([c], [], [], 30)
    begun(site)
    watched = set(clients[:10])
    n = []
    writer = threading.Thread(target=lambda: n.append(write_heavy(site, stop, rate)))
    writer.start()
    drain(clients, watched, stop)
    writer.join()
    wanted = [i for i in range(1, n[0] + 1) if i % every == 0]
    until = time.monotonic() + settle * PATIENCE
    drain(clients, watched, lambda: time.monotonic() > until or all(
        c.excused or c.ended or (c.numbers and wanted and c.numbers[-1] == wanted[-1]) for c in watched))
    return {**verdict(watched, wanted), "lines": n[0], "streams": len(clients)}


# ---- loads ---------------------------------------------------------------------------------------
# Each is called in a process of its own, says that it has begun(), and returns when stop() is true.

def begun(site):
    open(site.path("begun"), "w").close()


def long_filter(i):
    """Three kilobytes: 120 texts that no line holds, and one that every tenth does."""
    texts = ["message contains \"z%03d-%03d-zz\"" % (i, k) for k in range(119)]
    return " or ".join(texts + ['message contains "tick0 "'])


def filters(site, stop, n):
    return heavy_streams(site, stop, ["channel=shared&source=heavy&data=message&filter=" + quoted(long_filter(i))
                                      for i in range(n)], 1000, 10)


def filters_that_leave(site, stop, n):
    """So many in flight, each gone after 0.3 s, with a filter that nobody has had."""
    writer = threading.Thread(target=write_heavy, args=(site, stop, 1000))
    writer.start()
    held, i = [], 0
    begun(site)
    while not stop():
        while len(held) < n and not stop():
            held.append((time.monotonic(), Client(site, "channel=shared&filter=" + quoted(long_filter(i)))))
            i += 1
        if time.monotonic() - held[0][0] > 0.3:
            held.pop(0)[1].close()
        else:
            time.sleep(0.002)
    writer.join()
    return {"clients": i}


def regexes(site, stop, n):
    hard = "message ~ /(\\d+ )?t[a-z]{1,%d}%d[x ]+(x+x+)+[^x]%d$/ or message contains \"tick0 \""
    return heavy_streams(site, stop, ["channel=shared&source=heavy&data=message&filter=" +
                                      quoted(hard % (i % 30 + 2, i % 10, i)) for i in range(n)], 100, 10)


def gzips(site, stop, n):
    return heavy_streams(site, stop, ["channel=shared&source=heavy&data=message&filter=" + quoted("message != \"%d\"" % i)
                                      for i in range(n)], 1000, 1, True)


def exports(site, stop, n):
    """Whole exports that nobody reads."""
    held = [Client(site, "channel=past&earliest=1") for _ in range(n)]
    begun(site)
    while not stop():
        time.sleep(0.05)
    return {"streams": len(held)}


def tails_that_leave(site, stop, n):
    """Each asks for the last 10,000 and leaves as soon as it has its head."""
    i = 0
    begun(site)
    held = []
    while not stop():
        while len(held) < n:
            held.append(Client(site, "channel=past&tail=10000"))
            i += 1
        ready = select.select(held, [], [], 0.05)[0]
        for c in ready:
            c.close()
            held.remove(c)
    return {"clients": i}


def catching_up(site, stop, n):
    """Streams that read all of the past, over and over."""
    held = [Client(site, "channel=past&earliest=1") for _ in range(n)]
    begun(site)
    size = 0
    while not stop():
        for c in select.select(held, [], [], 0.05)[0]:
            size += c.fill(False)
    return {"streams": n, "megabytes": size >> 20}


def searches(site, stop, n):
    """So many searches of all of the past at any time, by a regex that no index helps."""
    held, size, i = [], 0, 0
    begun(site)
    while not stop():
        while len(held) < n:
            query = "channel=past&limit=0&filter=" + quoted("message ~ /[0-9]{3}z[0-9]{%d}/" % (i % 5 + 1))
            held.append(Client(site, query, path="/search"))
            i += 1
        for c in select.select(held, [], [], 0.05)[0]:
            size += c.fill(False)
            if c.ended:
                c.close()
                held.remove(c)
    return {"searches": i, "kilobytes": size >> 10}


def changes(site, stop, n):
    """So many POST /streams in flight on twenty streams."""
    streams = [Client(site, "channel=shared&source=heavy&data=message") for _ in range(20)]
    tokens = [re.search(rb'"token":"(\w+)"', c.until(b'"token"')).group(1).decode() for c in streams]
    writer = threading.Thread(target=write_heavy, args=(site, stop, 200))
    writer.start()
    begun(site)
    held, i = [], 0
    while not stop():
        while len(held) < n:
            query = "filter=" + quoted('message contains "tick%d" or severity <= %d' % (i % 10, i % 7))
            held.append(Client(site, query, method="POST", path="/streams/" + tokens[i % 20]))
            i += 1
        for c in select.select(held + streams, [], [], 0.05)[0]:
            c.fill(False)
            if c in held and c.ended:
                held.remove(c)
    writer.join()
    return {"changes": i, "ended": sum(c.ended for c in streams)}


def armed(site, stop):
    """What a plugin or command does while a file is there."""
    open(site.path("armed"), "w").close()
    begun(site)
    while not stop():
        time.sleep(0.05)
    os.unlink(site.path("armed"))
    return {}


def flood_of(what):
    return ("flood: {type: flood, channel: flooded, what: %s, armed_by: DIR/armed, address: 'udp:127.0.0.1:%d', "
            "restart: {backoff: 50ms..200ms}}\n" % (what, free_port()))


NOISY = """noisy: {type: command, channel: flooded, argv: [sh, -c, "while :; do if [ -e DIR/armed ]; then
  i=0; while [ $i -lt 2000 ]; do echo 'nothing has happened, and yet it is written here' >&2; i=$((i+1)); done;
  else sleep 0.05; fi; done"], stderr: log, on_exit: restart}
"""

# label, sources beside the good one, whether there is a past to read, the load
ROWS = (
    ("{} streams, each with a filter of 120 `contains`, 1,000 lines/s", 100, HEAVY, False, filters),
    ("{} connections with such a filter, gone after 0.3 s", 30, HEAVY, False, filters_that_leave),
    ("{} distinct hard regexes live, 100 lines/s", 900, HEAVY, False, regexes),
    ("{} distinct gzip subscriptions, 1,000 lines/s", 300, HEAVY, False, gzips),
    ("{} whole exports that are not read", 500, "", True, exports),
    ("tail=10000 and leave, {} in flight", 100, "", True, tails_that_leave),
    ("{} streams that read the whole past", 300, "", True, catching_up),
    ("{} searches of the whole past that no index helps", 4, "", True, searches),
    ("POST /streams, {} in flight on 20 streams", 50, HEAVY, False, changes),
    ("plugin floods listen requests with unknown owners", 0, "listen", False, armed),
    ("plugin floods \"end\" frames", 0, "end", False, armed),
    ("plugin floods open requests", 0, "open", False, armed),
    ("plugin floods refusals", 0, "refused", False, armed),
    ("plugin floods its log", 0, "log", False, armed),
    ("plugin floods its standard error", 0, "stderr", False, armed),
    ("plugin floods counters", 0, "counter", False, armed),
    ("plugin floods answers to no question", 0, "pong", False, armed),
    ("plugin with 20,000 cursors", 0, "cursors", False, armed),
    ("command floods its standard error", 0, NOISY, False, armed),
)


# ---- measuring -----------------------------------------------------------------------------------

def past_source(site, megabytes):
    with open(site.path("past.log"), "wb") as f:
        for i in range(megabytes * 9):
            f.write(b"".join(b"%d line %s\n" % (n, b"y" * 100) for n in range(i * 1000, i * 1000 + 1000)))
    return 'past: {type: file, channel: past, include: [DIR/past.log], read_from: beginning, path_field: "", severity: false}\n'


def start(site, sources, megabytes):
    site.own_plugins()
    build_plugin("tests/plugins/flood.c", site.path("plugins", "flood.so"))
    for name in ("good.log", "heavy.log"):
        open(site.path(name), "w").close()
    text = GOOD + (sources if ":" in sources or not sources else flood_of(sources))
    if megabytes:
        text += past_source(site, megabytes)
    site.write_config(text, "past: {history: {size: 4GiB}}" if megabytes else "", LIMITS)
    site.start()
    site.start_lighttpd()

    def follows():
        return all(s["counters"].get("files") == 1 for s in site.json("/status")["sources"] if s["type"] == "file")
    wait_for(follows, "the files", 60)
    if megabytes:
        wait_for(lambda: [c for c in site.json("/channels")["channels"] if c["name"] == "past"][0]["events"] >= megabytes * 9000,
                 "the past", 120)


def measure(site, label, seconds):
    """The other client's latency, from the file to its socket."""
    done = bench.load(site.path("good.log"), label, "--streams", 1, "--fcgi", site.path("fcgi.sock"), "--query", PROBE,
                      "--rate", 100, "--seconds", seconds)
    ms = {k: round(done["latency_ms"][k], 2) for k in ("p50", "p99", "max")}
    return {**ms, "lines": done["lines"], "lost": done["lost"], "doubled": done["duplicated"]}


def pages(site, seconds):
    """How long a page of history takes, asked for again and again; in milliseconds."""
    took = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        c = Client(site, "channel=shared&limit=10", path="/history")
        with contextlib.suppress(Failed, OSError):
            c.until(b'"complete"', 30)
            took.append((time.monotonic() - began) * 1000)
        c.close()
        time.sleep(0.05)
    took.sort()
    return {"p50": round(took[len(took) // 2], 1), "max": round(took[-1], 1), "n": len(took)} if took else {"n": 0}


def memory(site):
    return max((rss_kib(p) for p in site.pids("hub")), default=0) // 1024


def quiet(site, label, seconds):
    measure(site, "warm-up", 1)
    return {**measure(site, label, max(seconds // 2, 2)), "history_ms": pages(site, 1)}


def one(site, row, n, seconds, megabytes, compares=True):
    """The figures of one load; without the quiet ones when there is nothing to compare with."""
    label, _, sources, has_past, fn = row
    label = label.format(n)
    start(site, sources, megabytes if has_past else 0)
    result, loader, asker = {"label": label}, None, None
    try:
        if compares:
            result["quiet"] = quiet(site, label, seconds)
        hub, before = site.pids("hub"), memory(site)

        def work():
            out = fn(*((site, lambda: os.path.exists(site.path("stop"))) + ((n,) if n else ())))
            with open(site.path("result"), "w") as f:
                json.dump(out, f)
        loader = in_background(work)
        wait_for(lambda: os.path.exists(site.path("begun")), "the load to begin", 120)
        peak = [0]
        done = threading.Event()

        def watch():
            while not done.wait(0.2):
                peak[0] = max(peak[0], memory(site))

        def ask():
            with open(site.path("pages"), "w") as f:
                json.dump(pages(site, seconds), f)
        watcher = threading.Thread(target=watch)
        watcher.start()
        asker = in_background(ask)
        result["loaded"] = measure(site, label, seconds)
        join(asker)
        asker = None
        result["loaded"]["history_ms"] = json.load(open(site.path("pages")))
        status = site.json("/status")
        result["loop"] = {k: status.get(k) for k in ("longest_turn_us", "views", "views_aside", "views_put_aside")}
        open(site.path("stop"), "w").close()
        join(loader)
        loader = None
        done.set()
        watcher.join()
        result["load"] = json.load(open(site.path("result")))
        if MEASURES_MEMORY:
            with contextlib.suppress(Failed):
                wait_for(lambda: memory(site) <= before + 16, "the memory to be given back", 10)
        result["hub_mib"] = {"before": before, "peak": peak[0], "after": memory(site)}
        result["hub_is_same"] = site.pids("hub") == hub
        result["sources"] = {s["name"]: [s["state"], s["last_error"]] for s in site.json("/status")["sources"]
                             if s["state"] != "running"}
        return result
    finally:
        for pid in (loader, asker):
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def table_row(r):
    cells = [r["label"]]
    for when in ("quiet", "loaded"):
        cells.append("%.1f / %.1f / %.0f" % tuple(r[when][k] for k in ("p50", "p99", "max")))
    cells.append("%.0f / %.0f" % tuple(r[w]["history_ms"].get("max", -1) for w in ("quiet", "loaded")))
    cells.append("%d / %d / %d" % tuple(r["hub_mib"][k] for k in ("before", "peak", "after")))
    cells.append("yes" if r["hub_is_same"] else "no")
    return "| " + " | ".join(cells) + " |"


HEADING = ("| load | quiet p50 / p99 / max, ms | loaded p50 / p99 / max, ms | slowest page quiet / loaded, ms | "
           "hub before / peak / after, MiB | hub lives |\n|---|---|---|---|---|---|")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="small loads for two seconds each")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", action="store_true")
    a = parser.parse_args()
    rows = []
    for row in ROWS:
        n = max(row[1] // 5, min(row[1], 4)) if a.short else row[1]
        if a.only not in row[0].format(n):
            continue
        site = Site("isolation")
        try:
            r = one(site, row, n, 2 if a.short else a.seconds, 5 if a.short else 60)
            site.tear_down(False)
        except Failed as e:
            print(json.dumps({"label": row[0].format(n), "failed": str(e)}))
            with contextlib.suppress(Failed):
                site.tear_down(True)
            continue
        print(json.dumps(r))
        sys.stdout.flush()
        rows.append(table_row(r))
    if a.table:
        print(HEADING)
        print("\n".join(rows))


if __name__ == "__main__":
    main()
