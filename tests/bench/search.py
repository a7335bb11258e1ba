#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast the past is searched, and how small it is, beside grep, ripgrep and zstdgrep.

search.py [--short] [--mib N] [--rounds N]: N MiB of text (1024) as web, JSON and system logs mixed,
taken in by sluice from a file.  Each question is asked of the text by the others and of the history
by sluice through lighttpd, in turns; the medians, warm cache.  One JSON object a line.
"""
import argparse
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import random
import urllib.parse

from harness import *

WORDS = ("connection timeout user session database query retry cache miss upstream worker started finished failed request "
         "handler payload token expired invalid lock acquired released batch commit rollback").split()
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
          "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15", "curl/8.5.0", "Prometheus/2.51.0")


def web(r, t):
    path = r.choice(("/", "/index.html", "/api/v1/users/%d" % r.randrange(10**6), "/health", "/search?q=" + r.choice(WORDS)))
    return '%d.%d.%d.%d - - [%s] "%s %s HTTP/1.1" %d %d "-" "%s"\n' % (
        r.randrange(1, 224), r.randrange(256), r.randrange(256), r.randrange(256), time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(t)),
        r.choice(("GET", "GET", "GET", "POST")), path, r.choice((200, 200, 200, 304, 404, 500)), int(r.lognormvariate(8, 2)), r.choice(AGENTS))


def structured(r, t):
    return '{"ts":"%s.%06dZ","level":"%s","logger":"%s","msg":"%s","request_id":"%s","duration_ms":%.3f,"user":%d}\n' % (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)), t % 1 * 1e6, r.choice(("info", "info", "info", "debug", "warn", "error")),
        r.choice(("http", "db", "auth", "queue")), " ".join(r.choices(WORDS, k=r.randrange(3, 9))), identifier(r),
        r.lognormvariate(2, 1), r.randrange(1, 50000))


def system(r, t):
    return "%s host%02d %s[%d]: %s from 10.0.%d.%d port %d ssh2\n" % (
        time.strftime("%b %d %H:%M:%S", time.gmtime(t)), r.randrange(1, 21), r.choice(("sshd", "cron", "kernel", "systemd")),
        r.randrange(100, 32000), r.choice(("Accepted publickey for deploy", "Failed password for invalid user admin")),
        r.randrange(256), r.randrange(256), r.randrange(1024, 65536))


def identifier(r):
    h = "%032x" % r.getrandbits(128)
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def write_text(path, mib):
    r, t, size = random.Random(13), 1795910000.0, 0
    with open(path, "w") as f:
        while size < mib << 20:
            lines = []
            for _ in range(1000):
                t += r.expovariate(2000)
                lines.append(r.choice((web, structured, system))(r, t))
            text = "".join(lines)
            f.write(text)
            size += len(text)


def timed(ask):
    began = time.monotonic()
    found = ask()
    return time.monotonic() - began, found


def count(*args):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
    return int(p.stdout or 0)


def search(site, **kw):
    """How many lines came."""
    query = urllib.parse.urlencode({"channel": "b", "format": "ndjson", "limit": 0, **kw})
    s = socket.create_connection(("127.0.0.1", site.port), 600)
    s.sendall(("GET %s/search?%s HTTP/1.0\r\nHost: localhost\r\n\r\n" % (site.prefix, query)).encode())
    data = b""
    while more := s.recv(1 << 20):
        data += more
    s.close()
    check(b'"event":"done"' in data, "%r ends with %r" % (query, data[-300:]))
    return data.count(b'"event":"line"')


def questions(rare):
    absent = identifier(random.Random(99))
    return (("a request id that is there once", {"grep": rare}, ("-F", rare)),
            ("a request id that is nowhere", {"grep": absent}, ("-F", absent)),
            ("a word that is nowhere", {"grep": "kernel panic"}, ("-F", "kernel panic")),
            ("a regex with a literal, nowhere", {"filter": 'message ~ /request_id":"[0-9a-f]{8}-dead-beef/'}, ("-E", "request_id\":\"[0-9a-f]{8}-dead-beef")),
            ("a regex without a literal, nowhere", {"filter": "message ~ /[0-9]{3}x[0-9]{3}y/"}, ("-E", "[0-9]{3}x[0-9]{3}y")))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--short", action="store_true")
    options.add_argument("--mib", type=int)
    options.add_argument("--rounds", type=int)
    args = options.parse_args()
    mib, rounds = args.mib or (16 if args.short else 1024), args.rounds or (1 if args.short else 3)
    site = Site("bench")
    path = site.path("in.log")
    write_text(path, mib)
    with open(path) as f:
        rare = next(line for line in f if "request_id" in line).split('request_id":"')[1][:36]
    n = count("grep", "-c", "", path)
    subprocess.check_call(["zstd", "-q", "-3", "-T1", path, "-o", path + ".zst"])
    site.up("s: {type: file, channel: b, include: [%s], path_field: '', severity: false, read_from: beginning}\n" % path,
            "b: {history: {size: %dMiB}}" % max(4, mib * 2))
    channel = lambda: [c for c in site.json("/status")["channels"] if c["name"] == "b"][0]
    try:
        wait_for(lambda: channel()["events"] == n, "%d lines" % n, 600)

        def is_compressed():
            time.sleep(0.5)
            line = subprocess.check_output([SLUICE, "journal", "stat", "--state", site.path("state"), "b"], text=True)
            segments, done = re.search("in ([0-9]+) segments?(?: .([0-9]+) compressed)?", line).groups()
            return int(done or 0) >= int(segments) - 1
        wait_for(is_compressed, "the history to be compressed", 600)
        c, text = channel(), os.path.getsize(path)
        print(json.dumps({"label": "size on the disk", "text_mib": text >> 20, "lines": n, "history_over_text": round(c["bytes"] / text, 3),
                          "zstd_over_text": round(os.path.getsize(path + ".zst") / text, 3)}), flush=True)
        for label, ours, theirs in questions(rare):
            ways = {"sluice": lambda: search(site, **ours),
                    "grep": lambda: count("grep", "-c", *theirs, path),
                    "zstdgrep": lambda: count("zstdgrep", "-c", *theirs, path + ".zst"),
                    "ripgrep": lambda: count("rg", "-c", "--include-zero", "-j2", *[a for a in theirs if a != "-E"], path)}
            took, found = {w: [] for w in ways}, {}
            for k in range(rounds):
                for w in ways if k % 2 == 0 else reversed(list(ways)):
                    s, found[w] = timed(ways[w])
                    took[w].append(s)
            ms = {w: round(1000 * statistics.median(v), 1) for w, v in took.items()}
            check(len(set(found.values())) == 1, "%s: they found %r" % (label, found))
            print(json.dumps({"label": label, "found": found["sluice"], "ms": ms,
                              "ripgrep_over_sluice": round(ms["ripgrep"] / ms["sluice"], 2)}), flush=True)
    finally:
        site.tear_down(False)


main()
