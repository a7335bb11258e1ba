#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast the past is searched, and how small it is, beside grep, ripgrep and zstdgrep.

search.py [--short] [--mib N] [--rounds N] [--cold]: N MiB of text (1024) as web, JSON and system logs
mixed, taken in by sluice from a file, and its JSON lines once more, parsed, into a second channel.
Each question is asked of the text by the others and of the history by sluice through lighttpd, in
turns; the medians.  The cache is warm, or with --cold dropped before each.  One JSON object a line.
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


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("1")


def count(*args):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})
    return int(p.stdout or 0)


def get(site, path, **query):
    s = socket.create_connection(("127.0.0.1", site.port), 600)
    s.sendall(("GET %s%s?%s HTTP/1.0\r\nHost: localhost\r\n\r\n" % (site.prefix, path, urllib.parse.urlencode(query))).encode())
    data = b""
    while more := s.recv(1 << 20):
        data += more
    s.close()
    return data


def search(site, channel="b", limit=0, **query):
    """How many lines came."""
    data = get(site, "/search", channel=channel, format="ndjson", limit=limit, **query)
    check(b'"event":"done"' in data, "%r ends with %r" % (query, data[-300:]))
    return data.count(b'"event":"line"')


def matches(site, path, channel, **query):
    """How many were counted."""
    answer = json.loads(get(site, path, channel=channel, **query).partition(b"\r\n\r\n")[2])
    return answer["matches"]


def questions(site, rare):
    """What is asked, how we ask it, and how the others do: of the mixed text, or of the JSON lines."""
    absent = identifier(random.Random(99))
    regex = 'request_id":"[0-9a-f]{8}-dead-beef'
    return (
        ("a request id that is there once", lambda: search(site, grep=rare), ("-F", rare), "in.log"),
        ("a request id that is nowhere", lambda: search(site, grep=absent), ("-F", absent), "in.log"),
        ("a word that is nowhere", lambda: search(site, grep="kernel panic"), ("-F", "kernel panic"), "in.log"),
        ("a regex with a literal, nowhere", lambda: search(site, filter="message ~ /%s/" % regex), ("-E", regex), "in.log"),
        ("a regex without a literal, nowhere", lambda: search(site, filter="message ~ /[0-9]{3}x[0-9]{3}y/"),
         ("-E", "[0-9]{3}x[0-9]{3}y"), "in.log"),
        ("a common word, 1,000 lines", lambda: search(site, grep="timeout", limit=1000), ("-m1000", "-F", "timeout"), "in.log"),
        ("a histogram of all", lambda: matches(site, "/histogram", "b"), ("-F", ""), "in.log"),
        ("a field's value", lambda: search(site, "p", filter="fields.user == 12345"), ("-F", '"user":12345}'), "json.log"),
        ("a histogram of all errors", lambda: matches(site, "/histogram", "p", severity="error"), ("-F", '"level":"error"'), "json.log"),
        ("values of the newest 10,000", lambda: matches(site, "/facets", "p", fields="logger,user"), ("-m10000", "-F", ""), "json.log"))


def read_all(site, text, rare):
    """Ways to look for it that read everything and parse it: ours without an index, and lnav where there is one."""
    ours = lambda: subprocess.check_output([SLUICE, "journal", "cat", "--state", site.path("state"), "b", "--format", "ndjson",
                                            "--filter", 'message contains "%s"' % rare]).count(b"\n")
    theirs = lambda: subprocess.run(["lnav", "-n", "-c", ":filter-in " + rare, text], stdout=subprocess.PIPE,
                                    stdin=subprocess.DEVNULL).stdout.count(rare.encode())
    took, found = timed(ours)
    ms = {"sluice journal cat": round(1000 * took, 1)}
    check(found == 1, "journal cat found %d" % found)
    if shutil.which("lnav"):
        took, found = timed(theirs)
        ms["lnav"] = round(1000 * took, 1)
        check(found == 1, "lnav found %d" % found)
    return {"label": "a request id, by reading all", "ms": ms}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--short", action="store_true")
    options.add_argument("--mib", type=int)
    options.add_argument("--rounds", type=int)
    options.add_argument("--cold", action="store_true")
    args = options.parse_args()
    mib, rounds = args.mib or (16 if args.short else 1024), args.rounds or (1 if args.short else 3)
    site = Site("bench")
    path = site.path("in.log")
    write_text(path, mib)
    with open(path) as f:
        rare = next(line for line in f if "request_id" in line).split('request_id":"')[1][:36]
    with open(path) as f, open(site.path("json.log"), "w") as to:
        to.writelines(line for line in f if line.startswith("{"))
    n = {c: count("grep", "-c", "", site.path(f)) for c, f in (("b", "in.log"), ("p", "json.log"))}
    for name in ("in.log", "json.log"):
        subprocess.check_call(["zstd", "-q", "-3", "-T1", site.path(name), "-o", site.path(name + ".zst")])
    source = "{type: file, path_field: '', read_from: beginning, "
    site.up("b: %schannel: b, include: [DIR/in.log], severity: false}\np: %schannel: p, include: [DIR/json.log], parse: json}\n" % (
        source, source), "".join("%s: {history: {size: %dMiB}}\n" % (c, max(4, mib * 2)) for c in "bp"))
    channel = lambda name: [c for c in site.json("/status")["channels"] if c["name"] == name][0]
    try:
        for name in n:
            wait_for(lambda: channel(name)["events"] == n[name], "%d lines" % n[name], 1800)

        def is_compressed():
            time.sleep(0.5)
            lines = subprocess.check_output([SLUICE, "journal", "stat", "--state", site.path("state"), "b", "p"], text=True)
            return all(int(done or 0) >= int(segments) - 1 for segments, done in re.findall(
                "in ([0-9]+) segments?(?: .([0-9]+) compressed)?", lines))
        wait_for(is_compressed, "the history to be compressed", 1800)
        c, text = channel("b"), os.path.getsize(path)
        print(json.dumps({"label": "size on the disk", "text_mib": text >> 20, "lines": n["b"], "history_over_text": round(c["bytes"] / text, 3),
                          "zstd_over_text": round(os.path.getsize(path + ".zst") / text, 3)}), flush=True)
        print(json.dumps(read_all(site, path, rare)), flush=True)
        for label, ours, theirs, name in questions(site, rare):
            text = site.path(name)
            ways = {"sluice": ours,
                    "grep": lambda: count("grep", "-c", *theirs, text),
                    "zstdgrep": lambda: count("zstdgrep", "-c", *theirs, text + ".zst"),
                    "ripgrep": lambda: count("rg", "-c", "--include-zero", "-j2", *[a for a in theirs if a != "-E"], text)}
            took, found = {w: [] for w in ways}, {}
            for k in range(rounds):
                for w in ways if k % 2 == 0 else reversed(list(ways)):
                    if args.cold:
                        drop_caches()
                    s, found[w] = timed(ways[w])
                    took[w].append(s)
            ms = {w: round(1000 * statistics.median(v), 1) for w, v in took.items()}
            check(len(set(found.values())) == 1, "%s: they found %r" % (label, found))
            print(json.dumps({"label": label, "found": found["sluice"], "ms": ms,
                              "ripgrep_over_sluice": round(ms["ripgrep"] / ms["sluice"], 2)}), flush=True)
    finally:
        site.tear_down(False)


main()
