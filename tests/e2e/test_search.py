#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""/search and /histogram: everything that matches, and how much, against all that the channels hold."""
import collections
import datetime
import itertools
import random
import urllib.parse

from harness import *

WORDS = "amber blue coral dune ember fern gold hazel iris jade".split()
LEVELS = ("error", "warning", "notice", "info")


def two_channels(site, n):
    """JSON lines in two channels at once; how many."""
    rng = random.Random(n)
    for name in ("a", "b"):
        with open(site.path(name + ".log"), "w") as f:
            for i in range(n):
                f.write(json.dumps({"level": rng.choice(LEVELS), "message": "%s %s number %d" % (rng.choice(WORDS), name, i),
                                    "status": rng.choice((200, 200, 200, 404, 500)), "path": "/" + rng.choice(WORDS)}) + "\n")
    site.up("".join("%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning, parse: json}\n" % (c, c, c) for c in "ab"),
            channels="a: {history: {size: 1MiB}}\nb: {history: {size: 400MiB}}")
    wait_for(lambda: all(c["events"] >= n for c in site.json("/channels")["channels"] if c["name"] in "ab"), "all lines", 60)


def until_compressed(site):
    """Until all is that can be: on a busy machine it is behind, and what came first may be dropped again."""
    seen = [0, 0]

    def is_quiet():
        n = site.json("/status")["segments_compressed"]
        if n != seen[0]:
            seen[:] = [n, time.monotonic()]
        return n and time.monotonic() - seen[1] > 3
    wait_for(is_quiet, "compressed segments", 60)


def everything(site):
    """What a plain reading of both channels brings, oldest first."""
    s = site.stream("channel=a&channel=b&earliest=1&format=ndjson")
    last = max((c["head"] for c in site.json("/channels")["channels"] if c["name"] in "ab"), key=place)
    got = []
    while True:
        check(s.fill(10), "the stream has ended")
        if s.head is None:
            continue
        whole, _, s.buffer = s.buffer.rpartition(b"\n")
        for line in filter(None, whole.split(b"\n")):
            try:
                e = json.loads(line)
            except ValueError as error:
                raise Failed("no JSON: %r of %r" % (line[:300], whole[:100])) from error
            if e["event"] in ("line", "gap"):
                got.append(e)
        if got and got[-1]["id"] == last:
            s.close()
            return got


def search(site, **query):
    """The events of a whole search, with what was said at its end; context and gaps are events."""
    status, _, body = site.get("/search?" + urllib.parse.urlencode({"format": "ndjson", **query}, doseq=True), timeout=60 * PATIENCE)
    check(status == 200, "%d: %r" % (status, body[:500]))
    got = [json.loads(line) for line in body.splitlines()]
    check(got and got[-1]["event"] == "done", "no done: %r" % got[-1:])
    return [e for e in got if e["event"] not in ("progress", "done")], got[-1]


def ids(events):
    return [e["id"] for e in events if e["event"] == "line" and not e.get("context")]


FILTERS = (
    ("", lambda e: True),
    ("message contains \"coral\"", lambda e: "coral" in e["message"]),
    ("message contains \"nowhere\"", lambda e: False),
    ("severity <= warning", lambda e: e["severity"] in ("error", "warning")),
    ("fields.status >= 500 and message ~ /number \\d*7$/", lambda e: e["fields"]["status"] == 500 and e["message"].endswith("7")),
    ("not (fields.path == \"/jade\" or severity == info)", lambda e: e["fields"]["path"] != "/jade" and e["severity"] != "info"),
)


def a_search_brings_what_a_plain_reading_does(site):
    two_channels(site, 20000)
    everything_there = everything(site)
    lines = [e for e in everything_there if e["event"] == "line"]
    rng = random.Random(4711)
    for channels, (text, matches), order in itertools.product(("a", "b", "ab"), FILTERS, ("newest", "oldest")):
        query = {"channel": list(channels), "order": order, "limit": rng.choice((0, 1, 7, 1000))}
        if text:
            query["filter"] = text
        want = [e for e in lines if e["channel"] in channels and matches(e)]
        if rng.random() < 0.5:
            first = rng.choice(lines)["id"]
            query["after"] = first
            want = [e for e in want if place(e["id"]) > place(first)]
        if rng.random() < 0.5:
            last = rng.choice(lines)["id"]
            query["before"] = last
            want = [e for e in want if place(e["id"]) < place(last)]
        want = ids(want)[::-1 if order == "newest" else 1]
        if query["limit"]:
            want, rest = want[:query["limit"]], want[query["limit"]:]
        else:
            rest = []
        got, done = search(site, **query)
        check(ids(got) == want, "%r: got %d events, not %d: %r" % (query, len(ids(got)), len(want), done))
        check(done["matches"] == len(want) and (done["complete"] or not query["limit"] > len(want)), "%r: %r" % (query, done))
        if rest and rng.random() < 0.5:
            # It goes on where it stopped.
            query["before" if order == "newest" else "after"] = done["next"]
            got, _ = search(site, **query)
            check(ids(got) == rest[:query["limit"]], "%r: not what follows" % query)
    # What retention has dropped of channel a is said.
    got, _ = search(site, channel="a", since="1h", limit=0)
    check([e["reason"] for e in got if e["event"] == "gap"] == ["expired"] and got[-1]["event"] == "gap", "no gap: %r" % got[-2:])


def place(text):
    ms, n = text.split(".")[1].split("-")
    return int(ms), int(n)


def milliseconds(stamp):
    moment = datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    return round(moment.timestamp() * 1000)


def histogram(site, **query):
    return site.json("/histogram?" + urllib.parse.urlencode(query, doseq=True))


def a_histogram_counts_what_a_plain_reading_does(site):
    """Every event that matches, in the bucket of the time at which it came, also those that are in compressed segments."""
    two_channels(site, 30000)
    until_compressed(site)
    lines = [e for e in everything(site) if e["event"] == "line"]
    rng = random.Random(815)
    n_skipped = 0
    for channels, (text, matches) in itertools.product(("a", "b", "ab"), FILTERS):
        query = {"channel": list(channels), "buckets": rng.choice((1, 7, 100, 2000))}
        if text:
            query["filter"] = text
        want = [e for e in lines if e["channel"] in channels and matches(e)]
        ends = sorted(place(rng.choice(lines)["id"])[0] for _ in range(2))
        if rng.random() < 0.5:
            query["since"] = ends[0]
            want = [e for e in want if place(e["id"])[0] >= ends[0]]
        if rng.random() < 0.5:
            query["until"] = ends[1]
            want = [e for e in want if place(e["id"])[0] < ends[1]]
        h = histogram(site, **query)
        since, width = milliseconds(h["since"]), h["width_ms"]
        check(h["complete"] and h["matches"] == len(want) and len(h["counts"]) <= query["buckets"], "%r: %r" % (query, h))
        check(since + len(h["counts"]) * width == milliseconds(h["until"]), "%r: %r" % (query, h))
        check(since == query.get("since", since) and milliseconds(h["until"]) >= query.get("until", 0), "%r: %r" % (query, h))
        rows = {level: [0] * len(h["counts"]) for level in {e["severity"] for e in want}}
        for e in want:
            rows[e["severity"]][(place(e["id"])[0] - since) // width] += 1
        check(h["severities"] == rows, "%r: %r and not %r" % (query, h["severities"], rows))
        check(h["counts"] == [sum(n) for n in zip(*rows.values())] or not rows, "%r: the sums differ" % query)
        n_skipped += h["skipped"]
    check(n_skipped, "the index was of no use")
    # What retention has dropped is said.
    gaps = histogram(site, channel="a", since="1h")["gaps"]
    check([g["reason"] for g in gaps] == ["expired"] and gaps[0]["channel"] == "a", repr(gaps))


def facets(site, **query):
    return site.json("/facets?" + urllib.parse.urlencode(query, doseq=True))


def values_of(event, name):
    """A list of the one value that the event has, or of none."""
    if name.startswith("fields."):
        return [event["fields"][name[7:]]] if name[7:] in event["fields"] else []
    return [event["event" if name == "type" else name]]


def facets_are_those_of_the_newest_that_match(site):
    two_channels(site, 30000)
    until_compressed(site)
    lines = [e for e in everything(site) if e["event"] == "line"]
    rng = random.Random(1)
    for channels, (text, matches) in itertools.product(("a", "b", "ab"), FILTERS):
        query = {"channel": list(channels), "top": rng.choice((1, 3, 100)), "limit": rng.choice((1, 100, 10000, 1000000))}
        if text:
            query["filter"] = text
        want = [e for e in lines if e["channel"] in channels and matches(e)]
        complete = len(want) <= query["limit"]
        want = want[-query["limit"]:]
        names = ["severity", "type", "source", "channel"] + sorted({"fields." + name for e in want for name in e["fields"]})
        if rng.random() < 0.5:
            names = rng.sample(names, 3) + ["fields.nowhere"]
            query["fields"] = ",".join(name.replace("fields.", rng.choice(("", "fields."))) for name in names)
        f = facets(site, **query)
        check(f["matches"] == len(want) and f["complete"] == complete and not f["gaps"], "%r: %r" % (query, f))
        got = {facet["name"]: facet for facet in f["facets"]}
        check(set(got) == set(names) or not want, "%r: %r" % (query, list(got)))
        for name, facet in got.items():
            counts = collections.Counter(v for e in want for v in values_of(e, name))
            top = {v["value"]: v["count"] for v in facet["values"]}
            check(facet["events"] == sum(counts.values()) and all(counts[v] == n for v, n in top.items()), "%r: %r" % (query, facet))
            check(list(top.values()) == [n for _, n in counts.most_common(query["top"])], "%r: %r" % (query, facet))
            check(facet["others"] == facet["events"] - sum(top.values()) and "uncounted" not in facet, "%r: %r" % (query, facet))


def facets_of_more_than_can_be_counted_say_so(site):
    site.up("a: {type: file, channel: a, include: [DIR/a.log], read_from: beginning, parse: json}\n")
    with open(site.path("a.log"), "w") as f:
        for i in range(30000):
            f.write(json.dumps({"message": "x", "request": "id-%d" % i, "often": i % 2, "long": "y" * 300, "f%d" % (i % 90): 1,
                                "deep": {"er": i % 3}}) + "\n")
    wait_for(lambda: any(c["events"] >= 30000 for c in site.json("/channels")["channels"]), "all lines", 60)
    f = facets(site, channel="a", limit=1000000)
    got = {facet["name"]: facet for facet in f["facets"]}
    check(f["matches"] == 30000 and len(got) == 63 and f["unnamed"] > 0, "%d names, %r" % (len(got), f.get("unnamed")))
    check(got["fields.request"]["events"] == 30000 and got["fields.request"]["uncounted"] == 26000, repr(got["fields.request"]))
    check(got["fields.long"]["uncounted"] == 30000 and not got["fields.long"]["values"], repr(got["fields.long"]))
    f = facets(site, channel="a", limit=1000000, fields="often,deep.er, severity")["facets"]
    check([(v["value"], v["count"]) for v in f[0]["values"]] == [(0, 15000), (1, 15000)], repr(f[0]))
    check(f[1]["name"] == "fields.deep.er" and {v["value"]: v["count"] for v in f[1]["values"]} == dict.fromkeys(range(3), 10000), repr(f[1]))
    check(f[2]["name"] == "severity" and f[2]["events"] == 0, repr(f[2]))


def a_histogram_comes_again_and_again_until_it_is_complete(site):
    two_channels(site, 10)
    many_words(site, 60000)
    query = urllib.parse.urlencode({"channel": "b", "filter": SLOW, "buckets": 5})
    s = Stream(site, query, path="/histogram")
    got = [s.until_type("progress").json() for _ in range(3)]
    while got[-1]["scanned"] == got[0]["scanned"]:
        got.append(s.until_type("progress").json())
    check(all(a["scanned"] <= b["scanned"] and a["matches"] <= b["matches"] for a, b in zip(got, got[1:])), repr(got))
    check(all(sum(h["counts"]) == h["matches"] and len(h["counts"]) == 5 for h in got), repr(got))
    check(site.json("/status")["searches"] == 1, "it is not counted")
    s.close()
    wait_for(lambda: site.json("/status")["searches"] == 0, "the search to end with its client", 5)
    # Stopped, it says that it is not complete; a document does so, too.
    s = Stream(site, query, path="/histogram")
    s.until_type("progress")
    document = socket.create_connection(("127.0.0.1", site.port), 30 * PATIENCE)
    document.sendall(b"GET /logs/histogram?%s HTTP/1.0\r\nHost: localhost\r\n\r\n" % query.encode())
    wait_for(lambda: site.json("/status")["searches"] == 2, "both")
    site.sluice.send_signal(signal.SIGTERM)
    bye = s.until_type("bye").json()
    text = b"".join(iter(lambda: document.recv(65536), b""))
    document.close()
    for h in (bye, json.loads(text.partition(b"\r\n\r\n")[2])):
        check(h["complete"] is False and h["reason"] == "shutdown" and sum(h["counts"]) == h["matches"], repr(h))


def facets_come_again_and_again_until_they_are_complete(site):
    """Each time whole in itself, although values are being added."""
    two_channels(site, 10)
    many_words(site, 60000)
    s = Stream(site, urllib.parse.urlencode({"channel": "b", "filter": "not (%s)" % SLOW, "limit": 100000}), path="/facets")
    n_matches = n_seen = 0
    while n_seen < 4 or not n_matches:  # on a busy machine nothing has been counted yet
        f = s.until_type("progress").json()
        check(f["matches"] >= n_matches, "fewer than before: %r" % f)
        n_matches = f["matches"]
        n_seen += 1
        for facet in f["facets"]:
            top = [v["count"] for v in facet["values"]]
            check(facet["others"] >= 0 and facet["events"] == sum(top) + facet["others"] <= n_matches and top == sorted(top, reverse=True), repr(facet))
    s.close()
    wait_for(lambda: site.json("/status")["searches"] == 0, "the search to end with its client", 5)


def context_stands_around_each_match(site):
    two_channels(site, 3000)
    lines = [e for e in everything(site) if e["event"] == "line"]
    at = [i for i, e in enumerate(lines) if e["message"].endswith(" 777")]
    for order in ("newest", "oldest"):
        got, _ = search(site, channel=["a", "b"], filter="message ~ / 777$/", context=2, order=order)
        want = sorted({k for i in at for k in range(i - 2, i + 3)}, reverse=order == "newest")
        check([e["id"] for e in got] == [lines[k]["id"] for k in want], "not these: %r" % got)
        check([not e.get("context") for e in got] == [k in at for k in want], "context is not marked: %r" % got)


SLOW = " or ".join("message ~ /([a-z]+ )+[0-9]+[a-f]{%d}$/" % i for i in range(1, 31))


def many_words(site, n):
    """Texts that take a regex its time, behind what channel b has; all are there."""
    with open(site.path("b.log"), "a") as f:
        for i in range(n):
            f.write('{"message": "%s %d", "n": %d}\n' % (" ".join(WORDS + WORDS), i, i))
    wait_for(lambda: any(c["name"] == "b" and c["events"] >= n for c in site.json("/channels")["channels"]), "all lines", 60)


def it_says_how_far_it_has_come_and_ends_when_the_client_goes(site):
    two_channels(site, 10)
    many_words(site, 60000)
    s = Stream(site, urllib.parse.urlencode({"channel": "b", "filter": SLOW, "limit": 0}), path="/search")
    times, last = [time.monotonic()], 0
    for _ in range(3):
        e = s.until_type("progress").json()
        times.append(time.monotonic())
        check(e["scanned"] >= last and e["scanned"] <= e["total"], "it does not get on: %r" % e)
        last = e["scanned"]
    check(last > 0, "nothing was read")
    check(max(b - a for a, b in zip(times, times[1:])) < 1.0 * PATIENCE, "too seldom: %r" % times)
    check(site.json("/status")["searches"] == 1, "it is not counted")
    s.close()
    wait_for(lambda: site.json("/status")["searches"] == 0, "the search to end with its client", 5)


def nobody_searches_for_all_others(site):
    two_channels(site, 100)
    slow_readers = []
    for _ in range(4):
        slow_readers.append(socket.create_connection(("127.0.0.1", site.port)))
    two = "channel=b&limit=0&filter=" + urllib.parse.quote(SLOW)
    many_words(site, 60000)
    for c in slow_readers:
        c.sendall(b"GET /logs/search?%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % two.encode())
    wait_for(lambda: site.json("/status")["searches"] == 4, "four searches")
    status, head, body = site.get("/search?channel=b")
    check(status == 503 and b"too many searches at once from this address" in body, "%d %r" % (status, body))
    # Streams and pages go on, and so does what comes in.
    check(site.get("/history?channel=b&limit=1")[0] == 200, "no page")
    live = site.stream("channel=a")
    live.until_type("hello")
    with open(site.path("a.log"), "a") as f:
        f.write('{"message": "live"}\n')
    live.until_message("live")
    for c in slow_readers:
        c.close()
    wait_for(lambda: site.json("/status")["searches"] == 0, "their end", 10)
    check(site.get("/search?channel=b&limit=1")[0] == 200, "not again")


def a_client_that_does_not_read_holds_up_nothing(site):
    n = 100000
    two_channels(site, n)
    until_compressed(site)  # that takes memory of its own
    c = socket.socket()
    c.settimeout(20 * PATIENCE)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262144)
    c.connect(("127.0.0.1", site.port))
    before = rss_kib(site.pids("hub")[0])
    c.sendall(b"GET /logs/search?channel=b&limit=0&format=ndjson HTTP/1.0\r\nHost: localhost\r\n\r\n")
    wait_for(lambda: site.json("/status")["searches"] == 1, "the search")
    time.sleep(1)
    grown = rss_kib(site.pids("hub")[0]) - before
    check(grown < 16384 or not MEASURES_MEMORY, "the hub has grown by %d KiB" % grown)
    got = b""
    while b'"event":"done"' not in got[-4096:]:
        data = c.recv(1 << 20)
        check(data, "it ended early")
        got += data
    check(got.count(b'"event":"line"') == n, "got %d lines" % got.count(b'"event":"line"'))
    c.close()


def a_killed_hub_ends_it_and_the_last_id_goes_on(site):
    two_channels(site, 60000)
    lines = ids(e for e in everything(site) if e["event"] == "line")[::-1]
    got, last = [], None
    for turn in range(4):
        s = Stream(site, "channel=a&channel=b&limit=0", path="/search", headers={"Last-Event-ID": last} if last else {})
        want = len(got) + 20000 if turn < 3 else len(lines)
        try:
            for e in s.events(lambda e: e.type == "done" or len(got) + 1 >= want):
                if e.type == "line":
                    got.append(e.id)
                    last = e.id
        except (OSError, Failed):
            pass
        s.close()
        if turn < 3:
            site.kill("hub")
    check(got[:len(lines)] == lines, "lost or doubled: %d of %d" % (len(got), len(lines)))


def what_makes_no_sense_is_refused_with_a_sentence(site):
    two_channels(site, 10)
    for query, says in (("", b"Which channel?"), ("channel=a&order=up", b'"order" is newest (first) or oldest'),
                        ("channel=a&limit=-1", b'"limit" is a number'), ("channel=a&context=1000", b'"context" is a number'),
                        ("channel=a&format=json", b"A search is sse, ndjson or text"), ("channel=a&filter=nonsense", b"nonsense"),
                        ("channel=a&before=yesterday+25:00", b'"before" is no time'), ("channel=a&tail=5", b"tail"),
                        ("channel=a&buckets=5", b"buckets")):
        status, _, body = site.get("/search?" + query)
        check(status == 400 and says in body, "%s: %d %r" % (query, status, body))
    for query, says in (("", b"Which channel?"), ("channel=a&buckets=0", b'"buckets" is a number from 1 to 2000'),
                        ("channel=a&buckets=many", b'"buckets" is'), ("channel=a&limit=5", b"limit"), ("channel=a&order=oldest", b"order"),
                        ("channel=a&context=2", b"context"), ("channel=a&format=text", b"This answer is json, sse or ndjson"),
                        ("channel=a&before=5m+ago+x", b'"before" is no time')):
        status, _, body = site.get("/histogram?" + query)
        check(status == 400 and says in body, "%s: %d %r" % (query, status, body))
    check(site.get("/histogram?channel=a", {"Accept": "text/html"})[0] == 406, "as HTML")
    for query, says in (("", b"Which channel?"), ("channel=a&top=0", b'"top" is a number from 1 to 100'), ("channel=a&buckets=5", b"buckets"),
                        ("channel=a&limit=0", b'"limit" is a number from 1 to 1000000'), ("channel=a&format=text", b"This answer is json"),
                        ("channel=a&fields=" + ",".join("f%d" % i for i in range(65)), b'"fields" names at most 64')):
        status, _, body = site.get("/facets?" + query)
        check(status == 400 and says in body, "%s: %d %r" % (query, status, body))
    check(site.get("/search?channel=nosuch")[0] in (400, 403, 404), "a channel that is not there")


run(a_search_brings_what_a_plain_reading_does, a_histogram_counts_what_a_plain_reading_does,
    facets_are_those_of_the_newest_that_match, facets_of_more_than_can_be_counted_say_so,
    a_histogram_comes_again_and_again_until_it_is_complete, facets_come_again_and_again_until_they_are_complete,
    context_stands_around_each_match,
    it_says_how_far_it_has_come_and_ends_when_the_client_goes, nobody_searches_for_all_others,
    a_client_that_does_not_read_holds_up_nothing, a_killed_hub_ends_it_and_the_last_id_goes_on,
    what_makes_no_sense_is_refused_with_a_sentence)
