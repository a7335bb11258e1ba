#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a request can ask: filters, derived channels, formats, pages of the past, changes."""
import json
import os
import re
import time
import urllib.parse
import zlib

from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning, parse: json}\n"
LINES = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}\n"


def q(**parameters):
    return urllib.parse.urlencode(parameters, doseq=True)


def write(site, lines, name="app.log"):
    with open(site.path(name), "ab") as f:
        f.write(b"".join((l if isinstance(l, bytes) else l.encode()) + b"\n" for l in lines))


def settled(site, n, channel="logs"):
    wait_for(lambda: any(c["name"] == channel and c["events"] >= n for c in site.json("/channels")["channels"]),
             "%d events" % n)


def page(site, **parameters):
    status, _, body = site.get("/history?" + q(channel="logs", **parameters))
    check(status == 200, "history %r: %d %r" % (parameters, status, body))
    return json.loads(body)


def messages(events):
    return [e["message"] for e in events if e["event"] not in ("gap", "hello")]


# -- filters -------------------------------------------------------------------

def the_examples_of_the_documentation(site):
    text = open(os.path.join(SRC, "doc/filters.md")).read()
    events = re.search(r"```events\n(.*?)```", text, re.S).group(1).strip().split("\n")
    table = text[text.index("## Twenty examples"):]
    examples = re.findall(r"^\| `(.*)` \| ([\d ]+) \|$", table, re.M)
    check(len(examples) == 20 and len(events) == 8, "%d examples, %d events" % (len(examples), len(events)))
    write(site, [e.split(" ", 1)[1] for e in events])
    site.up(SOURCE)
    settled(site, 8)
    wanted = [json.loads(e.split(" ", 1)[1])["message"] for e in events]
    for expression, numbers in examples:
        expression = expression.replace("\\|", "|")
        got = messages(page(site, filter=expression)["events"])
        want = [wanted[int(n) - 1] for n in numbers.split()]
        check(got == want, "%s: %r, not %r" % (expression, got, want))


def live_and_past_are_filtered_alike(site):
    site.up(LINES)
    cases = (({"grep": "7"}, lambda n: "7" in n), ({"exclude": "/[13579]$/"}, lambda n: n[-1] not in "13579"),
             ({"filter": 'message endswith "0" or message contains "99"'}, lambda n: n.endswith("0") or "99" in n),
             ({"grep": ["1", "/5$/"], "exclude": "0"}, lambda n: "1" in n and n[-1] == "5" and "0" not in n))
    write(site, (str(n) for n in range(2000)))
    settled(site, 2000)
    streams = [site.stream(q(channel="logs", earliest=1, **parameters)) for parameters, _ in cases]
    write(site, (str(n) for n in range(2000, 3000)))
    for (parameters, wants), s in zip(cases, streams):
        want = [str(n) for n in range(3000) if wants(str(n))]
        got = []
        s.events(lambda e: e.type == "line" and (got.append(e.json()["message"]) or len(got) == len(want)))
        check(got == want, "%r: %d of %d" % (parameters, len(got), len(want)))


def wrong_filters_are_refused_with_their_place(site):
    site.up(LINES)
    for parameters, words in (({"filter": "severity = warning"}, "at character 10: equality is written =="),
                              ({"filter": "message =~ /x/"}, "at character 9: a match with a regular expression is written ~"),
                              ({"filter": "status > 1"}, "fields.status"),
                              ({"grep": "/a(/"}, 'In "grep"'),
                              ({"severity": "loud"}, "is no severity"),
                              ({"filter": "message ~ /" + "x" * 1001 + "/"}, "longer than 1000"),
                              ({"filter": ["type == a"] * 17}, "More than 16 filters"),
                              ({"since": "tomorrow"}, "is no time"),
                              ({"format": "xml"}, "one of sse, ndjson, text"),
                              ({"format": "json"}, "format=ndjson")):
        status, _, body = site.get("/events?" + q(channel="logs", **parameters))
        check(status == 400 and words in body.decode(), "%r: %d %r" % (parameters, status, body))


def derived_channels_show_what_they_are_from(site):
    site.write_config("a: {type: file, channel: web, include: [DIR/a.log], read_from: beginning}\n"
                      "b: {type: file, channel: db, include: [DIR/b.log], read_from: beginning, "
                      "filter: 'not message contains \"noise\"'}\n",
                      "bad: {from: [web, db], filter: 'message contains \"bad\"'}\nall: {from: [web, db]}\n")
    site.start()
    site.start_lighttpd()
    s = site.stream("channel=bad")
    s.until_type("hello")
    everything = site.stream("channel=all&channel=bad&channel=web")
    check(everything.until_type("hello").json()["channels"] == ["all", "bad", "web"], "its names")
    write(site, ["good a", "bad a"], "a.log")
    write(site, ["bad noise", "bad b", "good b"], "b.log")
    got = []
    s.events(lambda e: e.type == "line" and (got.append(e) or len(got) == 2))
    check(sorted(e.json()["message"] for e in got) == ["bad a", "bad b"], repr(got))
    check(sorted(e.json()["channel"] for e in got) == ["db", "web"], repr(got))
    n = []
    everything.events(lambda e: e.type == "line" and (n.append(e.json()["message"]) or len(n) == 4))
    check(sorted(n) == ["bad a", "bad b", "good a", "good b"], "each once: %r" % n)
    check(site.source("b")["filtered"] == 1, "what its source left out")
    names = {c["name"]: c for c in site.json("/channels")["channels"]}
    check(names["bad"]["from"] == ["web", "db"], repr(names))
    # Another definition: its streams come back for it, the others go on.
    site.write_config("a: {type: file, channel: web, include: [DIR/a.log], read_from: beginning}\n"
                      "b: {type: file, channel: db, include: [DIR/b.log], read_from: beginning, "
                      "filter: 'not message contains \"noise\"'}\n",
                      "bad: {from: [web], filter: 'message contains \"bad\"'}\nall: {from: [web, db]}\n")
    other = site.stream("channel=web&tail=0")
    other.until_type("hello")
    status, text = site.sluice_command("reload")
    check(status == 0, text)
    check(s.until_type("bye").json()["reason"] == "reload", "its end")
    write(site, ["bad again"], "a.log")
    check(other.until_type("line").json()["message"] == "bad again", "the other one")


def wrong_derived_channels_are_refused(site):
    for channels, words in (("x: {from: [nobody]}\n", 'no channel "nobody"'),
                            ("x: {from: [logs], filter: 'a ='}\n", "at character 1"),
                            ("x: {filter: 'type == a'}\n", '"filter" without "from"'),
                            ("x: {from: [logs], durability: disk}\n", '"durability" has no meaning'),
                            ("x: {from: [logs]}\ny: {from: [x]}\n", "is a derived channel itself"),
                            ("logs: {from: [sluice]}\n", "which no source can feed")):
        site.write_config(LINES, channels)
        status, text = site.sluice_command("check")
        check(status == 2 and words in text and "sluice.yaml:" in text, "%s: %d %s" % (channels, status, text))
    site.write_config(LINES.replace("}", ", filter: 'severity >'}"))
    status, text = site.sluice_command("check")
    check(status == 2 and "sources.app" in text and "value is missing" in text, text)


def a_regex_that_would_not_end_is_switched_off(site):
    site.up(LINES)
    other = site.stream("channel=logs&grep=fine")
    other.until_type("hello")
    s = [site.stream("channel=logs&" + q(filter="message ~ /(a+)+$|never%d/" % i)) for i in range(5)]
    for x in s:
        x.until_type("hello")
    write(site, ["a" * 200 + "!", "fine"])
    for x in s:
        bye = x.until_type("bye").json()
        check(bye["reason"] == "filter" and "(a+)+" in bye["message"], repr(bye))
    check(other.until_type("line").json()["message"] == "fine", "the other stream")
    status, _, body = site.get("/events?channel=logs&" + q(filter="message ~ /(a+)+$|never1/"))
    check(status == 400 and b"switched off" in body, "%d %r" % (status, body))
    check(site.json("/status")["regexes"]["switched_off"] == 5, "counted")
    # In the past, too.
    p = page(site, filter="message ~ /(a+)+$|nowhere/")
    check("trouble" in p, repr(p))


def many_regexes_share_one_pass(site):
    site.up(LINES)
    n = 40
    s = [site.stream("channel=logs&" + q(filter="message ~ /(^| )%d( |$)/" % i)) for i in range(n)]
    for x in s:
        x.until_type("hello")
    wait_for(lambda: site.json("/status")["regexes"]["in_set"] == n, "the set of all of them")
    write(site, ["%d and %d" % (i, (i + 1) % n) for i in range(n)])
    for i, x in enumerate(s):
        got = []
        x.events(lambda e: e.type == "line" and (got.append(e.json()["message"]) or len(got) == 2))
        check(sorted(got) == sorted(["%d and %d" % (i, (i + 1) % n), "%d and %d" % ((i - 1) % n, i)]), repr(got))
        x.close()
    wait_for(lambda: site.json("/status")["regexes"]["in_set"] == 0, "the set to go with them")


# -- formats -------------------------------------------------------------------------

def each_format_says_the_same(site):
    write(site, ["one", "two\x1b[31m", "three"])
    site.up(LINES)
    settled(site, 3)

    def raw(query, until, headers=None):
        s = site.stream(query, headers=headers)
        wait_for(lambda: s.fill(0.2) is None or (s.head is not None and until in s.buffer), "%s: %r" % (query, s.buffer))
        s.close()
        return s.head.lower(), s.buffer.decode()
    head, text = raw("channel=logs&earliest=1&format=ndjson", b'"three"')
    lines = [json.loads(l) for l in text.strip().split("\n")]
    check("application/x-ndjson" in head and lines[0]["event"] == "hello", text)
    check(messages(lines) == ["one", "two\x1b[31m", "three"] and all("id" in l for l in lines), text)
    head, text = raw("channel=logs&earliest=1&format=text", b"three")
    check("text/plain" in head and "two\\x1b[31m" in text and "\x1b" not in text and text.startswith("# hello"), text)
    head, text = raw("channel=logs&earliest=1", b"three", {"Accept": "text/plain, */*;q=0.1"})
    check("text/plain" in head, head)
    head, text = raw("channel=logs&earliest=1", b"three", {"Accept": "application/x-ndjson"})
    check("application/x-ndjson" in head, head)
    s = site.stream("channel=logs&earliest=1&batch=1")
    batch = s.until_type("batch")
    check(messages(batch.json()) == ["one", "two\x1b[31m", "three"] and batch.id == batch.json()[-1]["id"], repr(batch))
    write(site, ["four", "five"])
    got = messages(s.until_type("batch").json())
    while len(got) < 2:
        got += messages(s.until_type("batch").json())
    check(got == ["four", "five"], repr(got))


def gunzip(data):
    return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data).decode()


def a_compressed_stream_is_the_same_stream(site):
    """Clients that join at any time, and one that falls back to the journal."""
    site.up(LINES, "logs: {heartbeat: 300ms}\n")
    plain = site.stream("channel=logs&gzip=0", headers={"Accept-Encoding": "gzip"})
    clients, texts = [], {}
    for i in range(20):
        s = site.stream("channel=logs&earliest=1" if i % 2 else "channel=logs&tail=%d" % i, headers={"Accept-Encoding": "gzip, br"})
        clients.append(s)
        write(site, ("line %d of %d %s" % (k, i, "x" * 50) for k in range(50)))
        time.sleep(0.02)
    write(site, ["the end"])
    check(plain.until_type("hello") and "content-encoding" not in plain.head.lower(), plain.head)
    for i, s in enumerate(clients):
        def has_all():
            s.fill(0.05)
            if not s.head or "content-encoding: gzip" not in s.head.lower():
                return False
            texts[i] = gunzip(s.buffer)
            return "the end" in texts[i]
        wait_for(has_all, "client %d" % i)
    whole = re.findall(r'"message":"(line[^"]*)"', texts[1])
    check(len(whole) == 1000 and len(set(whole)) == 1000, "%d lines" % len(whole))
    for i, text in texts.items():
        got = re.findall(r'"message":"(line[^"]*)"', text)
        check(got == whole[-len(got):] and (i % 2 == 0 or got == whole), "client %d got %d lines" % (i, len(got)))
    s = clients[0]
    wait_for(lambda: s.fill(0.1) is None or gunzip(s.buffer).count("\n:\nid: ") >= 2, "heartbeats of a compressed stream")
    check(site.json("/status")["views"] <= 3, "they do not share a view")


# -- poll, history ---------------------------------------------------------------------------

def polling_brings_everything_once(site):
    site.up(LINES)
    status, _, body = site.get("/poll?channel=logs&timeout=200ms")
    first = json.loads(body)
    check(status == 200 and first["events"] == [], repr(first))
    got, cursor, n = [], first["next"], 3000
    import threading
    writer = threading.Thread(target=lambda: [(write(site, (str(i) for i in range(k, k + 100))), time.sleep(0.01))
                                              for k in range(0, n, 100)])
    writer.start()
    while len(got) < n:
        answer = json.loads(site.get("/poll?" + q(channel="logs", after=cursor, timeout="5s"))[2])
        check(answer["events"] or len(got) == n, "nothing came: %d" % len(got))
        got += messages(answer["events"])
        cursor = answer["next"]
    writer.join()
    check(got == [str(i) for i in range(n)], "%d of %d" % (len(got), n))
    filtered = json.loads(site.get("/poll?" + q(channel="logs", earliest=1, grep="/^7..$/"))[2])
    check(messages(filtered["events"]) == [str(i) for i in range(700, 800)], repr(filtered)[:300])


def pages_of_the_past(site):
    n = 5000
    write(site, ("line %d" % i for i in range(n)))
    site.up(LINES)
    settled(site, n)
    got, before = [], None
    while True:
        p = page(site, limit=700, **({"before": before} if before else {}))
        got = messages(p["events"]) + got
        before = p["older"]
        if not before:
            break
    check(got == ["line %d" % i for i in range(n)], "backwards: %d" % len(got))
    got, p = [], page(site, limit=700, earliest=1)
    while p["events"]:
        got += messages(p["events"])
        p = page(site, limit=700, after=p["newer"])
    check(got == ["line %d" % i for i in range(n)], "forwards: %d" % len(got))
    p = page(site, limit=3, grep="/00$/", before=page(site, limit=1, filter='message == "line 4000"')["events"][0]["id"])
    check(messages(p["events"]) == ["line 3700", "line 3800", "line 3900"], repr(p))
    # Around each match, as grep does.
    p = page(site, limit=2, grep="/ 4[67]00$/", before=2, after=1)
    check(messages(p["events"]) == ["line 4598", "line 4599", "line 4600", "line 4601",
                                    "line 4698", "line 4699", "line 4700", "line 4701"], repr(messages(p["events"])))
    check([e.get("context", False) for e in p["events"]] == [True, True, False, True] * 2, repr(p))
    # By time: all of it came within the last hour.
    check(len(page(site, since="1h", limit=10)["events"]) == 10, "since")
    check(page(site, before="1h")["events"] == [], "before")
    check(page(site, until="1h", earliest=1)["events"] == [], "until")
    # Matches far apart, with context: what lies between does not fill the page.
    p = page(site, grep="/^line (1|4999)$/", context=1)
    check(messages(p["events"]) == ["line 0", "line 1", "line 2", "line 4998", "line 4999"] and p["complete"], repr(p))
    status, head, body = site.get("/history?channel=logs&limit=2&format=text", headers={"Accept-Encoding": "gzip"})
    check("content-encoding" not in head, repr(head))
    check(status == 200 and "line 4998\n" in body.decode() and body.decode().strip().split("\n")[-1].startswith("# page"), body)
    for parameters in ("limit=x", "before=nonsense", "after=e.1", "tail=3"):
        status, _, body = site.get("/history?channel=logs&" + parameters)
        check(status == 400, "%s: %d %r" % (parameters, status, body))


def pages_that_are_cut_by_their_size_leave_nothing_out(site):
    n = 300
    write(site, ("%d %s" % (i, "x" * 40000) for i in range(n)))
    site.up(LINES)
    settled(site, n)
    got, before, pages = [], None, 0
    while pages < 20:
        p = page(site, limit=n, **({"before": before} if before else {}))
        got = [int(m.split()[0]) for m in messages(p["events"])] + got
        before, pages = p["older"], pages + 1
        if not before:
            break
    check(got == list(range(n)) and pages > 2, "%d in %d pages, %r" % (len(got), pages, got[:3]))
    got, p = [], page(site, limit=n, earliest=1)
    while p["events"]:
        got += [int(m.split()[0]) for m in messages(p["events"])]
        p = page(site, limit=n, after=p["newer"])
    check(got == list(range(n)), "forwards: %d" % len(got))


def many_ask_for_pages_at_once(site):
    write(site, (str(i) for i in range(1000)))
    site.up(LINES)
    settled(site, 1000)
    import threading
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(site.get("/history?channel=logs&limit=1000"))) for _ in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    good = [a for a in answers if a[0] == 200]
    check(len(answers) == 100 and all(len(json.loads(a[2])["events"]) == 1000 for a in good), "an answer is cut")
    check(good and all(b"again in a moment" in a[2] for a in answers if a[0] == 503) and {a[0] for a in answers} <= {200, 503},
          repr([a[0] for a in answers]))


def who_reads_a_long_history_is_not_too_slow(site):
    """Time spent on what was asked for is no lag."""
    write(site, ("%d %s" % (i, "x" * 200) for i in range(30000)))
    site.up(LINES, "logs: {slow: disconnect, max_lag: 200ms}\n")
    settled(site, 30000)
    s = site.stream("channel=logs&earliest=1", rcvbuf=8192)
    n = 0
    def take(e):
        nonlocal n
        n += e.type == "line"
        if n % 3000 == 0:
            time.sleep(0.05)
        check(e.type not in ("bye", "gap"), repr(e))
        return n == 30000
    s.events(take, 60)
    write(site, ["and on"])
    check(s.until_type("line").json()["message"] == "and on", "live")


def a_reload_changes_compression_for_new_streams_only(site):
    site.up(LINES, "logs: {gzip: true}\n")
    import threading
    stop, wrong = [], []

    def ask():
        while not stop:
            s = Stream(site, "channel=logs", headers={"Accept-Encoding": "gzip"})
            while not s.buffer or s.head is None:
                if not s.fill(5):
                    break
            if s.head and s.buffer and ("content-encoding: gzip" in s.head.lower()) != s.buffer.startswith(b"\x1f\x8b"):
                wrong.append((s.head, s.buffer[:40]))
            s.close()
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for t in threads:
        t.start()
    for i in range(12):
        site.write_config(LINES, "logs: {gzip: %s}\n" % ("false" if i % 2 == 0 else "true"))
        check(site.sluice_command("reload")[0] == 0, "reload")
    stop.append(1)
    for t in threads:
        t.join()
    check(not wrong, "%d, such as %r" % (len(wrong), wrong[:1]))


def a_poll_without_patience_and_many_pages(site):
    write(site, [str(i) for i in range(10)])
    site.up(LINES)
    settled(site, 10)
    answer = json.loads(site.get("/poll?channel=logs&tail=5&timeout=0s")[2])
    check(messages(answer["events"]) == ["5", "6", "7", "8", "9"], repr(answer))
    answer = json.loads(site.get("/poll?channel=logs&timeout=0s&after=" + answer["next"])[2])
    check(answer["events"] == [], repr(answer))
    s = site.stream("channel=logs")
    token = s.until_type("hello").json()["token"]
    status, _, body = site.get("/streams/" + token + "?drop=logs", method="POST", headers={"Accept": "application/json", "Content-Length": "0"})
    check(status == 400 and b"Which channel" in body, "%d %r" % (status, body))


def a_client_that_reads_nothing_costs_nothing(site):
    """It is let go in its time, and until then nobody spins over it."""
    open(site.path("app.log"), "w").close()
    site.up(LINES, "logs: {heartbeat: 500ms}\n", "limits: {stall: 3s}\n")
    hub = site.pids("hub")[0]
    s = site.stream("channel=logs", rcvbuf=4096)
    s.until_type("hello")
    for k in range(60):
        write(site, ("%d %s" % (i, "y" * 100) for i in range(1000)))
    settled(site, 60000)
    before = cpu_seconds(hub)
    time.sleep(1)
    check(cpu_seconds(hub) - before < 0.3, "the hub spins: %.2f s of CPU in a second" % (cpu_seconds(hub) - before))
    wait_for(lambda: site.json("/status")["streams"]["stalled"] == 1, "it to be let go")


def limits_hold_in_a_rush(site):
    site.up(LINES, hub="limits: {streams_per_address: 3}\n")
    rush = [site.stream("channel=logs") for _ in range(40)]
    wait_for(lambda: all(s.fill(0.05) is not None and (s.head or s.ended) for s in rush), "answers")
    check(site.json("/status")["streams"]["open"] <= 3, repr(site.json("/status")["streams"]))


# -- changing a stream ---------------------------------------------------------------------

def post(site, path, **form):
    """A form, as a page sends it."""
    status, _, body = site.get(path, form=q(**form).encode())
    return status, body


def a_stream_changes_without_a_hole(site):
    """While lines pour in, the filter changes; what each part should have is exact."""
    site.up("a: {type: file, channel: a, include: [DIR/a.log], read_from: beginning}\n"
            "b: {type: file, channel: b, include: [DIR/b.log], read_from: beginning}\n")
    s = site.stream("channel=a")
    token = s.until_type("hello").json()["token"]
    import threading
    stop = []

    def pour():
        i = 0
        while not stop:
            write(site, ("%d" % k for k in range(i, i + 20)), "a.log")
            write(site, ("%d" % k for k in range(i, i + 20)), "b.log")
            i += 20
            time.sleep(0.002)
        write(site, ["end"], "a.log")
    t = threading.Thread(target=pour)
    t.start()
    subscriptions = [("a", None)]
    for i in range(30):
        channels, filter = (["a"], ["a", "b"], ["b", "a"])[i % 3], (None, 'message endswith "7"', "message ~ /[02468]$/")[i % 3]
        status, body = post(site, "/streams/" + token, channel=channels, **({"filter": filter} if filter else {}))
        check(status == 200, "%d %r" % (status, body))
        time.sleep(0.02)
    status, body = post(site, "/streams/" + token, channel=["a"])
    stop.append(1)
    t.join()
    events = s.events(lambda e: e.type == "line" and e.json()["message"] == "end")
    check(sum(e.type == "changed" for e in events) == 31, "changes: %d" % sum(e.type == "changed" for e in events))
    check(not any(e.type == "gap" for e in events), "a gap")
    ids = [e.id for e in events if e.type == "line"]
    order = lambda id: [int(x) for x in re.split(r"[.-]", id)[1:]]
    check(ids == sorted(set(ids), key=order), "twice, or out of order")
    # What the journal has between the changes, by the subscription that held there.
    journal = site.stream("channel=a&channel=b&earliest=1").events(lambda e: e.type == "line" and e.json()["message"] == "end")
    journal = [e for e in journal if e.type == "line"]
    at, want, channels, matches = [0, 0], [], ["a"], lambda m: True
    changes = [(order(e.id), e.json()) for e in events if e.type == "changed"]
    for e in journal:
        while changes and order(e.id) > changes[0][0]:
            state = changes.pop(0)[1]
            channels = state["channels"]
            f = state.get("filter")
            matches = (lambda m: True) if not f else (lambda m: m.endswith("7")) if "endswith" in f else \
                (lambda m: m[-1] in "02468")
        d = e.json()
        if d["channel"] in channels and matches(d["message"]):
            want.append(e.id)
    check(ids == want, "%d ids, %d wanted, the first that differs: %r" % (
        len(ids), len(want), next(((a, b) for a, b in zip(ids, want) if a != b), None)))
    status, _, body = site.get("/streams/" + token, method="DELETE")
    check(status == 200 and s.until_type("bye").json()["reason"] == "deleted", "%d %r" % (status, body))
    check(post(site, "/streams/" + "0" * 32, channel="a")[0] == 404, "an unknown token")


def a_change_adds_and_drops(site):
    site.up("".join("%s: {type: file, channel: %s, include: [DIR/%s.log]}\n" % (n, n, n) for n in "abc"))
    s = site.stream("channel=a&channel=b&" + q(filter="message contains \"x&y\""))
    token = s.until_type("hello").json()["token"]

    def state(**form):
        status, body = post(site, "/streams/" + token, **form)
        check(status == 200, "%d %r" % (status, body))
        d = s.until_type("changed").json()
        return d["channels"], d.get("filter")
    f = 'message contains "x&y"'
    check(state(add="c", drop="a") == (["b", "c"], f), "add and drop")
    check(state(filter="type == a") == (["b", "c"], 'type == "a"'), "another filter")
    check(state(filter="") == (["b", "c"], None), "no filter")
    check(state(channel="a") == (["a"], None), "all anew")
    check(post(site, "/streams/" + token, drop="a")[0] == 400, "the last channel")
    check(post(site, "/streams/" + token, add="nobody")[0] == 404, "an unknown one")


def a_subscription_may_be_a_form(site):
    write(site, ["x" * 3000, "y"])
    site.up(LINES)
    settled(site, 2)
    status, body = post(site, "/history", channel="logs", filter='message contains "%s"' % ("x" * 3000))
    check(status == 200 and len(json.loads(body)["events"]) == 1, "%d %r" % (status, body[:200]))


# -- schema, limits -----------------------------------------------------------------------------

def channels_have_schemas_with_versions(site):
    site.up("m: {type: metrics, channel: m, interval: 1s}\n")
    s = site.json("/schema/m")
    check(s["$schema"].endswith("2020-12/schema") and s["version"] == "1.0" and "cpu" in s["$defs"], repr(s)[:400])
    check(site.get("/schema/none")[0] == 404, "no such channel")
    # Something that is known is not there any more: told by check, counted by the hub.
    with open(site.path("state/schema/m"), "a") as f:
        f.write("type gone 1\nfield cpu ghost integer\n")
    status, text = site.sluice_command("check")
    check(status == 0 and '"gone" are gone' in text and 'field "ghost"' in text, text)
    site.kill("hub")
    wait_for(lambda: site.get("/health/ready")[0] == 200, "the next hub")
    check(site.json("/schema/m")["version"] == "2.0" and "stumble" in site.log(), site.log()[-800:])


def limits_are_told_and_counted(site):
    site.up(LINES, hub="limits: {streams: 6, streams_per_address: 4, subscriptions: 3}\n")
    s = [site.stream("channel=logs") for _ in range(4)]
    for x in s:
        x.until_type("hello")
    over = site.stream("channel=logs")
    check(over.until_type("busy").json()["reason"] == "hub.limits.streams_per_address" and over.retry >= 15000, "over")
    for x in s:
        x.close()
    wait_for(lambda: site.json("/status")["streams"]["open"] == 0, "them to go")
    for i in range(3):
        site.stream("channel=logs&grep=%d" % i).until_type("hello")
    over = site.stream("channel=logs&grep=4")
    check(over.until_type("busy").json()["reason"] == "hub.limits.subscriptions", "too many subscriptions")
    check(site.stream("channel=logs&grep=2").until_type("hello"), "one that there is")
    check(site.json("/status")["streams"]["refused"] == 2, "counted")


def what_becomes_of_slow_clients(site):
    """gap, disconnect, latest: as the channel says."""
    site.up("".join("%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning}\n" % (p, p, p)
                    for p in ("gap", "disconnect", "latest", "catch_up")),
            "".join("%s: {slow: %s, max_lag: 500ms, heartbeat: 500ms}\n" % (p, p)
                    for p in ("gap", "disconnect", "latest", "catch_up")))
    streams = {p: site.stream("channel=%s" % p, rcvbuf=4096) for p in ("gap", "disconnect", "latest", "catch_up")}
    for s in streams.values():
        s.until_type("hello")
    for p in streams:
        write(site, ("%d %s" % (i, "x" * 1000) for i in range(15000)), p + ".log")
    for p in streams:
        settled(site, 15000, p)
    wait_for(lambda: site.json("/status")["streams"]["slow"] >= 1, "the one that is let go")
    for p in ("gap", "latest"):
        events, number = [], 15000
        while not events or events[-1].type != "line" or int(events[-1].json()["message"].split()[0]) < 15000:
            write(site, ["%d it goes on" % number], p + ".log")
            number += 1
            if streams[p].fill(0.5):
                events += [e for e in map(streams[p].parse, streams[p].blocks_pending()) if e]
        before, told = -1, False
        for e in events:
            told |= e.type == "gap" and e.json()["reason"] == "slow"
            if e.type != "line":
                continue
            n = int(e.json()["message"].split()[0])
            check(n > before and (n == before + 1 or told or p == "latest"), "%s: %d after %d, and no gap" % (p, n, before))
            before, told = n, False
        check(any(e.type == "gap" for e in events), "%s: nothing was left out" % p)
        if p == "latest":
            check(sum(e.type == "line" for e in events) < 14000, "the newest alone")
    n = []
    streams["catch_up"].events(lambda e: e.type == "line" and (n.append(int(e.json()["message"].split()[0])) or len(n) == 15000), 60)
    check(n == list(range(15000)), "catch_up")
    while streams["disconnect"].fill(1):
        pass
    check(streams["disconnect"].ended, "disconnect")


def no_reader_switches_off_what_others_use(site):
    """Many regexes of one reader, slow together: only that reader's filter is switched off, or served aside."""
    open(site.path("w.log"), "w").close()
    site.up("w: {type: file, channel: web, include: [DIR/w.log], read_from: beginning, filter: 'not message ~ /internal/'}",
            "bad: {from: web, filter: 'message ~ /ERROR|secret/'}")
    site.ready()

    def add(text):
        with open(site.path("w.log"), "a") as f:
            f.write(text + "\n")
    is_off = False
    victim = site.stream("channel=bad")
    victim.until_type("hello")
    regexes = " and ".join("not message ~ /~*(?=.)[\\x20-~]*[\\x20-~]{0,%d}[\\x01-\\x02]/" % i for i in range(1, 20))
    for channel, more in (("web", "not message ~ /internal/ and "), ("bad", "not message ~ /secret/ and ")):
        evil = site.stream("channel=%s&filter=%s" % (channel, urllib.parse.quote(more + regexes)))
        evil.until_type("hello")
        for i in range(60):
            add("ERROR %d could not connect to the database server db1.example.org on port 5432 after 30 seconds" % i)
            time.sleep(0.01)
        last = evil.events(lambda e: e.type == "bye" or (e.type == "line" and " 59 " in e.json()["message"]), 40)[-1]
        is_off |= last.type == "bye"
        check(last.type == "line" or (last.json()["reason"] == "filter" and "secret" not in last.json()["message"]), "%r" % last)
    add("internal: a salary")
    add("ERROR public")
    got = victim.events(lambda e: e.type in ("bye", "line") and (e.type == "bye" or e.json()["message"] == "ERROR public"))
    check(got[-1].type == "line", "the other one lost his stream: %r" % got[-1])
    check(not json.loads(site.get("/history?channel=web&grep=internal")[2])["events"], "the source's filter is off")
    status = site.get("/history?channel=web&filter=" + urllib.parse.quote("not message ~ /internal/ and " + regexes))[0]
    check(status == 400 or not is_off, "the slow filter is taken again: %d" % status)


def a_gap_passes_a_filter(site):
    with open(site.path("w.log"), "w") as f:
        f.write("ERROR one\n" * 50)
    site.up("w: {type: file, channel: web, include: [DIR/w.log], read_from: beginning}",
            "bad: {from: [web], filter: 'severity <= warning'}")
    asked = ("channel=web", "channel=bad", "channel=web&severity=warning", "channel=web&grep=ERROR", "channel=web&source=w",
             "channel=web&source=other")
    streams = {q: site.stream(q + "&earliest=1") for q in asked}
    wait_for(lambda: site.source("w")["events"] >= 50, "the lines")
    with open(site.path("w.log"), "w") as f:
        f.write("ERROR x\n")
    wait_for(lambda: site.source("w")["events"] >= 52, "the gap and the line")
    with open(site.path("w.log"), "a") as f:
        f.write("ERROR last\n")
    for q in asked[:-1]:
        got = streams[q].until_message("ERROR last")
        gaps = [e.json()["reason"] for e in got if e.type == "gap"]
        check(gaps == ["truncated"], "%s: %r" % (q, gaps))
    check(not json.loads(site.get("/history?channel=web&source=other")[2])["events"], "a gap of another source")


def what_a_program_calls_its_events_steers_no_client(site):
    names = ("hello", "bye", "busy", "batch", "ping", "changed", "gap", "error")
    with open(site.path("j.json"), "w") as f:
        for n in (*names, "message", "last"):
            f.write(json.dumps({"type": n, "message": n, "token": "x"}) + "\n")
    site.up("c: {type: command, channel: c, mode: once, emit_exit: never, shell: 'cat DIR/j.json', split: json}")
    got = [e.type for e in site.stream("channel=c&earliest=1").events(lambda e: e.type == "last")]
    check(got == ["hello", *("event." + n for n in names), "message", "last"], "%r" % got)


run(pages_that_are_cut_by_their_size_leave_nothing_out, many_ask_for_pages_at_once,
    who_reads_a_long_history_is_not_too_slow, a_reload_changes_compression_for_new_streams_only,
    a_poll_without_patience_and_many_pages,
    a_client_that_reads_nothing_costs_nothing, limits_hold_in_a_rush,
    the_examples_of_the_documentation, live_and_past_are_filtered_alike, wrong_filters_are_refused_with_their_place,
    derived_channels_show_what_they_are_from, wrong_derived_channels_are_refused,
    a_regex_that_would_not_end_is_switched_off, many_regexes_share_one_pass, each_format_says_the_same,
    a_compressed_stream_is_the_same_stream, polling_brings_everything_once, pages_of_the_past,
    a_stream_changes_without_a_hole, a_change_adds_and_drops, a_subscription_may_be_a_form, channels_have_schemas_with_versions,
    limits_are_told_and_counted, what_becomes_of_slow_clients,
    no_reader_switches_off_what_others_use, a_gap_passes_a_filter, what_a_program_calls_its_events_steers_no_client)
