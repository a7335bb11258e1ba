#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever a line holds, it arrives as one event with the same text."""
from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning%s}"
LINES = [
    b"plain", b"", b" a leading space", b"data: x", b"id: 7", b"event: hello", b": comment", b"retry: 1",
    b"cr\rin the middle", b"nul\0in the middle", b"tab\tand \x1b[31mescape\x7f", b'"quotes" and \\backslashes\\',
    b"<script>alert(1)</script>", "\u00e4\u4e2d\U0001f600".encode(), "\u2028 line separator".encode(), b"\xef\xbb\xbfbom",
    b"bad \xff\xfe utf-8 \xc3", b"overlong \xc0\xaf", b"surrogate \xed\xa0\x80", b"cut \xe4\xb8", b"x" * 60000,
]


def begin(site, more="", hub=""):
    open(site.path("app.log"), "w").close()
    site.up(SOURCE % more, hub=hub)


def append(site, data):
    with open(site.path("app.log"), "ab") as f:
        f.write(data)


def messages(site, query="channel=logs&earliest=1"):
    """Everything up to a line that says END."""
    s = site.stream(query)
    return [e for e in s.events(lambda e: e.type == "line" and '"END"' in e.data, 60) if e.type != "hello"][:-1]


def every_line_is_one_event_with_its_text(site):
    begin(site)
    append(site, b"\n".join(LINES) + b"\nEND\n")
    got = messages(site)
    check(len(got) == len(LINES), "%d events for %d lines" % (len(got), len(LINES)))
    for line, e in zip(LINES, got):
        want = line.decode("utf-8", "replace")
        check(e.json()["message"] == want, "%r arrived as %r" % (line[:80], e.json()["message"][:80]))
        check(e.type == "line" and e.id and e.json()["source"] == "app", "%r" % e)
    check(len({e.id for e in got}) == len(got), "ids are not unique")


def the_bare_message_is_split_into_data_lines(site):
    begin(site)
    append(site, b"one\rtwo\nthree\n")
    s = site.stream("channel=logs&earliest=1&data=message")
    got = [e.data for e in s.events(lambda e: e.data == "three") if e.type == "line"]
    check(got == ["one\ntwo", "three"], "got %r" % got)


def a_line_of_10_mb_is_cut_and_flagged(site):
    begin(site)
    append(site, b"before\n" + b"x" * 10_000_000 + b"\nafter\nEND\n")
    got = [e.json() for e in messages(site)]
    check([m["message"][:6] for m in got] == ["before", "xxxxxx", "after"], "%r" % [m["message"][:9] for m in got])
    check(len(got[1]["message"]) == 65536 and got[1]["truncated"] is True, "not cut at max_line, or not flagged")
    check(got[1]["fields"]["log.record.size"] == 10_000_000, "the size is not told: %r" % got[1]["fields"])


def a_line_of_10_mb_arrives_whole_when_allowed(site):
    begin(site, ", max_line: 16MiB", "limits: {event_size: 16MiB}")
    line = os.urandom(3_750_000).hex().encode() + b"y" * 2_500_000
    append(site, b"before\n" + line + b"\nafter\nEND\n")
    got = [e.json() for e in messages(site)]
    check([len(m["message"]) for m in got] == [6, 10_000_000, 5], "%r" % [len(m["message"]) for m in got])
    check(got[1]["message"].encode() == line and "truncated" not in got[1], "the text differs")


def long_lines_split_and_skipped(site):
    begin(site, ", max_line: 100, on_long_line: split")
    append(site, b"a" * 250 + b"\nshort\nEND\n")
    got = [e.json() for e in messages(site)]
    check([(len(m["message"]), m.get("partial", False)) for m in got] == [(100, True), (100, True), (50, False), (5, False)],
          "%r" % got)
    site.stop()
    os.unlink(site.path("sluice.log"))
    with open(site.path("sluice.yaml")) as f:
        text = f.read().replace(": split", ": skip")
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text)
    site.start()
    append(site, b"b" * 250 + b"\nLAST\n")
    s = site.stream("channel=logs&earliest=1")
    got = s.events(lambda e: '"LAST"' in e.data)
    gap = [e.json() for e in got if e.type == "gap"]
    check(len(gap) == 1 and gap[0]["reason"] == "long_line", "%r" % gap)
    check(not any("bbb" in e.data for e in got), "a skipped line arrived")


def a_partial_last_line_waits_for_its_end(site):
    begin(site)
    s = site.stream("channel=logs&earliest=1")
    append(site, b"first\nhalf")
    s.until_message("first")
    site.kill("source")
    wait_for(lambda: site.json("/status")["sources"][0]["restarts"] == 1, "the restart")
    site.ready()
    append(site, b" and half\n")
    got = s.until_message("half and half")
    check(len(got) == 1, "%r" % got)


def crlf_and_severity(site):
    begin(site)
    append(site, b"2026 ERROR bad\r\nwarn: hm\n[info] fine\nlogInfo() terrorised\nEND\n")
    got = [(e.json()["message"], e.json().get("severity")) for e in messages(site)]
    check(got == [("2026 ERROR bad", "error"), ("warn: hm", "warning"), ("[info] fine", "info"),
                  ("logInfo() terrorised", None)], "%r" % got)


def curl_reads_a_stream(site):
    require("curl")
    begin(site)
    append(site, b"for curl\n")
    curl = subprocess.Popen(["curl", "-sN", "http://127.0.0.1:%d/logs/events?channel=logs&earliest=1" % site.port],
                            stdout=subprocess.PIPE)
    try:
        while b'"message":"for curl"' not in curl.stdout.readline():
            check(curl.poll() is None, "curl ended")
    finally:
        curl.kill()
        curl.wait()


run(every_line_is_one_event_with_its_text, the_bare_message_is_split_into_data_lines,
    a_line_of_10_mb_is_cut_and_flagged, a_line_of_10_mb_arrives_whole_when_allowed, long_lines_split_and_skipped,
    a_partial_last_line_waits_for_its_end, crlf_and_severity, curl_reads_a_stream)
