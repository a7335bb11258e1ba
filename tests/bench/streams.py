#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Streams beside nchan, better-sse and the raw limit: figures as JSON, one object a line.

streams.py [--short] [--rounds N] [--seconds S] [--only TEXT]: each run N times (3), alternating,
then the medians.  Who publishes to nchan is a relay that posts lines without waiting.
"""
import argparse
import json
import os
import sys
import threading
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import bench
from bench import LOAD, median_of, raw_run
from harness import *

HERE = os.path.join(SRC, "tests/bench")
RELAY = os.path.join(BUILD, "tests/bench/relay")
CONFIG = 'bench: {type: file, channel: bench, include: [DIR/lines.log], path_field: "", severity: false}'
NGINX = """
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
worker_processes 1; daemon off; pid DIR/nginx.pid; error_log DIR/nginx.log; worker_rlimit_nofile 40000;
events { worker_connections 20000; }
http {
  access_log off; keepalive_requests 1000000000; client_body_buffer_size 64k;
  client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  nchan_max_reserved_memory 512M;
  server {
    listen 127.0.0.1:PORT backlog=4096;
    location = /pub { nchan_publisher http; nchan_channel_id bench; nchan_message_buffer_length 10000; }
    location = /sub { nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest; }
  }
}
"""


def sluice(label, way, n, coalesce, args, query="channel=bench&data=message", filters=0, header=None, brought=None):
    site = Site("bench")
    lines = site.path("lines.log")
    open(lines, "w").close()
    site.up(CONFIG, "bench: {coalesce: %s}" % coalesce, "limits: {streams: 20000, streams_per_address: 0, subscriptions: 20000}")
    site.ready()
    wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 1, "the file")
    others = [site.stream("channel=bench&filter=" + urlquote("message ~ /never%d[0-9]+(foo|bar)/" % i)) for i in range(filters)]
    for s in others:
        s.until_type("hello")
    if filters >= 10:
        wait_for(lambda: site.json("/status")["regexes"]["in_set"] >= filters, "the set of regexes", 60)
    to = (["--fcgi", site.path("fcgi.sock"), "--query", query] if way == "fastcgi" else
          ["--http", "127.0.0.1:%d%s/events?%s" % (site.port, site.prefix, query)])
    more = ["--header", header] if header else []
    pids = ["--pid", "hub=%d" % site.pids("hub")[0], "--pid", "lighttpd=%d" % site.lighttpd.pid]
    done = threading.Event()
    guests = threading.Thread(target=bring, args=(site, brought, done)) if brought else None
    try:
        if guests:
            guests.start()
        result = bench.load(lines, label, "--streams", n, *to, *more, *pids, *args)
        if brought:
            result["switched_off"] = site.json("/status")["regexes"]["switched_off"]
        return result
    finally:
        done.set()
        if guests:
            guests.join()
        site.tear_down(False)


def bring(site, regex, done):
    """A hundred clients, one after the other, each with a regex of its own, until the run is over;
    who is sent away is followed by another."""
    held = []
    for i in range(1, 1000000):
        if done.wait(0.02):
            break
        s = socket.create_connection(("127.0.0.1", site.port))
        s.sendall(b"GET %s/events?channel=bench&filter=%s HTTP/1.0\r\n\r\n" % (
            site.prefix.encode(), urlquote("message ~ /%s/" % (regex % i)).encode()))
        held.append(s)
        if len(held) > 100:
            held.pop(0).close()
    for s in held:
        s.close()


def urlquote(s):
    import urllib.parse
    return urllib.parse.quote(s)


def nchan(label, n, pack, args):
    with tempfile.TemporaryDirectory() as d:
        fifo, port = os.path.join(d, "fifo"), free_port()
        os.mkfifo(fifo)
        os.chmod(d, 0o755)
        with open(os.path.join(d, "nginx.conf"), "w") as f:
            f.write(("user root;" if not os.getuid() else "") + NGINX.replace("DIR", d).replace("PORT", str(port)))
        server = subprocess.Popen(["nginx", "-c", os.path.join(d, "nginx.conf"), "-p", d], stderr=subprocess.DEVNULL)
        relay = None
        try:
            def answers():
                with contextlib.suppress(OSError):
                    return socket.create_connection(("127.0.0.1", port), 1)
            wait_for(answers, "nginx").close()
            relay = subprocess.Popen([RELAY, fifo, "127.0.0.1:%d/pub" % port, str(pack)])
            worker = wait_for(lambda: children(server.pid), "nginx's worker")[0]
            return bench.load(fifo, label, "--streams", n, "--http", "127.0.0.1:%d/sub" % port, "--hello", ": hi",
                              "--pid", "worker=%d" % worker, *args)
        finally:
            if relay:
                relay.kill()
                relay.wait()
            server.terminate()
            server.wait()


def better_sse(label, n, args):
    with tempfile.TemporaryDirectory() as d:
        fifo = os.path.join(d, "fifo")
        os.mkfifo(fifo)
        p = subprocess.Popen(["node", os.path.join(HERE, "better-sse.mjs"), fifo], stdout=subprocess.PIPE, text=True)
        try:
            port = int(p.stdout.readline())
            return bench.load(fifo, label, "--streams", n, "--http", "127.0.0.1:%d/" % port, "--hello", "event:hello",
                              "--pid", "node=%d" % p.pid, *args)
        finally:
            p.kill()
            p.wait()


def zlib_alone(label, n, events):
    """What one zlib stream for each client costs, an event of the usual size at a time."""
    line = b"id: abcdef.1763689264123-0\nevent: line\ndata: %d 1763689264123456789\n\n"
    streams = [zlib.compressobj(1, zlib.DEFLATED, -15, 8) for _ in range(n)]
    began, size = time.process_time(), 0
    for i in range(events):
        text = line % i
        for z in streams:
            size += len(z.compress(text)) + len(z.flush(zlib.Z_SYNC_FLUSH))
    took = time.process_time() - began
    return {"label": label, "streams": n, "cpu_ns_per_delivered": took * 1e9 / (n * events), "bytes_per_delivered": size / (n * events)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only", default="")
    a = parser.parse_args()
    runs, seconds = [], 1 if a.short else a.seconds

    def add(label, fn, *args, **kw):
        if a.only in label:
            runs.append(lambda: fn(label, *args, **kw))
    calm = ("--rate", 10, "--seconds", seconds)
    for n in (50,) if a.short else (1000, 5000):
        add("fastcgi, %d streams, 10/s" % n, sluice, "fastcgi", n, "5ms", calm)
        add("lighttpd, %d streams, 10/s" % n, sluice, "lighttpd", n, "5ms", calm)
        add("nchan, %d streams, 10/s" % n, nchan, n, 1, calm)
        add("raw send(), %d streams, 10/s" % n, raw_run, n, calm)
    n = 50 if a.short else 1000
    for window, coalesce in ((1, "0"), (20, "0"), (100, "5ms")):
        full, name = ("--window", window, "--seconds", seconds), "%d streams, %d at once" % (n, window)
        add("fastcgi, %s, coalesce %s" % (name, coalesce), sluice, "fastcgi", n, coalesce, full)
        add("lighttpd, %s, coalesce %s" % (name, coalesce), sluice, "lighttpd", n, coalesce, full)
        add("nchan, " + name, nchan, n, 1, full)
        add("raw send(), " + name, raw_run, n, full)
    packed = ("--window", 100, "--seconds", seconds)
    add("nchan, %d streams, 100 at once, 20 in a message" % n, nchan, n, 20, packed)
    add("better-sse, %d streams, 10/s" % n, better_sse, n, calm)
    add("better-sse, %d streams, 100 at once" % n, better_sse, n, packed)
    # Distinct regexes that are live beside the streams measured.
    full = ("--window", 20, "--seconds", seconds)
    for filters in (0, 12) if a.short else (0, 1, 10, 100, 1000):
        add("filters: %d distinct regexes live" % filters, sluice, "fastcgi", 10, "0", full, filters=filters)
    # The same hundred guests, first with regexes that cost nothing to speak of.
    for kind, regex in (("harmless", "never%d"), ("catastrophic", "([0-9 ]+)+[xy]{1,%d}$")):
        add("guests: 100 with %s regexes" % kind, sluice, "fastcgi", 10, "0", ("--rate", 100, "--seconds", seconds), brought=regex)
    # Clients of one subscription, and subscriptions of one client each.
    for count in (10,) if a.short else (1, 10, 100, 1000):
        add("clients: %d of one subscription" % count, sluice, "fastcgi", count, "0", ("--rate", 200, "--seconds", seconds))
        add("subscriptions: %d beside it" % count, sluice, "fastcgi", 1, "0", ("--rate", 200, "--seconds", seconds), filters=count)
    for header in (None, "Accept-Encoding: gzip"):
        add("gzip: %d clients, %s" % (n, header or "plain"), sluice, "lighttpd", n, "0",
            ("--rate", 100, "--seconds", seconds, "--blind"), header=header)
    add("gzip: one zlib stream each", zlib_alone, 10 if a.short else n, 20)
    if not a.short:
        add("memory: 10000 idle streams", sluice, "fastcgi", 10000, "5ms", ("--rate", 1, "--seconds", 3))
    all_results = [[] for _ in runs]
    for _ in range(1 if a.short else a.rounds):
        for i, r in enumerate(runs):
            all_results[i].append(r())
    for results in all_results:
        print(json.dumps(median_of(results)))
        sys.stdout.flush()


if __name__ == "__main__":
    require("lighttpd", "nginx", "node")
    main()
