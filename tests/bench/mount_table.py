#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What each way of mounting does to a stream, from real runs: JSON, one object a line.

mount_table.py [--short] [--only TEXT] [--write]: --write puts the rows into the table of
doc/front-servers.md.  In full it takes a quarter of an hour, seven minutes of them silence.
"""
import argparse
import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e"))
from mounts import *

LOAD = os.path.join(BUILD, "tests/bench/load")
SOURCE = 'n: {type: file, channel: n, include: [DIR/lines.log], path_field: "", severity: false}'
HUB = "limits: {streams: 20000, streams_per_address: 0, stall: 1h}\nlinger: 30s"
# What an administrator of thousands of streams sets, and what HTTP/2 needs.
TUNED = {
    "event": "ServerLimit 10\nThreadLimit 600\nThreadsPerChild 600\nMaxRequestWorkers 6000\nListenBackLog 4096\n",
    "prefork": "ServerLimit 2500\nMaxRequestWorkers 2500\nListenBackLog 4096\n",
}
FCGID = "FcgidMaxProcesses 2500\nFcgidMaxProcessesPerClass 2500\n"
COLUMNS = [("way", "mounted"), ("latency", "ms from line to client, median / max"), ("gone_active", "s until a client's leaving is noticed: active"),
           ("gone_quiet", "quiet"), ("silence", "holds silence"), ("stalled", "a client that does not read"),
           ("streams", "streams at once"), ("storm", "s to connect them, errors"), ("memory", "kB a stream in the web server"),
           ("http2", "of 20 over HTTP/2"), ("gzip", "our gzip"), ("resume", "restart, kill -9")]
H2 = """
const c = require('http2').connect('http://127.0.0.1:' + process.argv[1]); let n = 0;
c.on('error', () => { console.log('none'); process.exit(); });
for (let i = 0; i < 20; i++) {
  const s = c.request({':path': '/logs/events?channel=n', 'accept': 'text/event-stream'});
  let seen = false;
  s.on('data', d => { if (!seen && String(d).includes('hello')) { seen = true; n++; } });
  s.on('error', () => {});
}
setTimeout(() => { console.log(n); process.exit(); }, 4000);
"""


def up(name, heartbeat="15s", http2=False):
    m, site = mount(name), Site("table")
    open(site.path("lines.log"), "w").close()
    os.chmod(site.path("lines.log"), 0o644)
    site.write_config(SOURCE, "n: {heartbeat: %s, history: {size: 256MiB}}" % heartbeat, HUB)
    m.prepare(site)
    if not m.spawns:
        site.start()
    extra = ""
    if m.program == "apache2":
        extra = TUNED[m.mpm] + (FCGID if "fcgid" in name else "")
        extra += apache_modules("http2") + "\nProtocols h2c http/1.1\n" if http2 else ""
    if m.program == "nginx" and http2:
        m.change = lambda conf: "listen 127.0.0.1:%d http2; " % site.h2_port + conf
    site.h2_port = free_port() if m.program == "nginx" and http2 else site.port
    m.start(site, extra)
    site.get("/health/ready")
    wait_for(lambda: site.json("/status")["sources"][0]["counters"].get("files") == 1, "the file")
    return site, m


def down(site, m):
    pid = None
    with contextlib.suppress(OSError, ValueError):
        pid = int(open(site.path("state/lock")).read())
    m.stop()
    m.change = None
    if m.spawns and pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not alive(pid), "the hub to end")
    site.tear_down(False)


def web_server_kib(m):
    """What the web server and what it has started for streams hold, shared pages counted once."""
    total = 0
    for p in [m.server.pid] + children(m.server.pid):
        if role_of(p) in ("hub", "source", "run"):
            continue
        with contextlib.suppress(OSError):
            total += int(re.search(r"^Pss:\s+(\d+)", open("/proc/%d/smaps_rollup" % p).read(), re.M).group(1))
    return total


def run_load(site, *args):
    done = subprocess.run([LOAD, "--lines", site.path("lines.log"), "--label", "x",
                           "--http", "127.0.0.1:%d/logs/events?channel=n&data=message" % site.port, *map(str, args)],
                          stdout=subprocess.PIPE, text=True)
    check(done.stdout, "load ended with %d" % done.returncode)
    return json.loads(done.stdout)


def open_streams(site):
    return site.json("/status")["streams"]["open"]


def time_until(condition, seconds):
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():
            return time.monotonic() - began
        time.sleep(0.02)
    return None


def writing(site, rate):
    """Writes lines until the event that is returned is set."""
    done = threading.Event()

    def write():
        with open(site.path("lines.log"), "a", buffering=1) as f:
            while not done.wait(1 / rate):
                f.write("x\n")
    threading.Thread(target=write).start()
    return done


def active(name, row, short):
    site, m = up(name)
    try:
        r = run_load(site, "--streams", 1, "--rate", 20, "--seconds", 1 if short else 10)
        row["latency"] = "%.2f / %.1f" % (r["latency_ms"]["p50"], r["latency_ms"]["max"])
        done = writing(site, 20)
        s = site.stream("channel=n")
        s.until_type("hello")
        s.close()
        took = time_until(lambda: open_streams(site) == 0, 60)
        done.set()
        row["gone_active"] = "%.1f" % took if took is not None else "not in 60"
        row["gzip"] = "passes" if gzip_passes(site) else "BROKEN"
        row["stalled"] = stalled(site, m, 2 if short else 24)
    finally:
        down(site, m)


def gzip_passes(site):
    import zlib
    s = socket.create_connection(("127.0.0.1", site.port), 10)
    s.sendall(b"GET /logs/events?channel=n HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")
    data, z, text = b"", zlib.decompressobj(31), b""
    while b"hello" not in text:
        more = s.recv(65536)
        if not more:
            return False
        data += more
        head, sep, body = data.partition(b"\r\n\r\n")
        if sep and body:
            text, z = zlib.decompressobj(31).decompress(body), z
    s.close()
    return b"content-encoding: gzip" in head.lower()


def stalled(site, m, megabytes):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", site.port))
    s.sendall(b"GET /logs/events?channel=n&data=message HTTP/1.0\r\nHost: localhost\r\n\r\n")
    wait_for(lambda: open_streams(site) >= 1, "the client that does not read")
    before, files = web_server_kib(m), spooled(site)
    with open(site.path("lines.log"), "a") as f:
        for _ in range(megabytes):
            f.write(("y" * 1000 + "\n") * 1000)
    time.sleep(3)
    grown, spool = (web_server_kib(m) - before) / 1024, (spooled(site) - files) / 1e6
    s.close()
    held = grown < megabytes / 3 and spool < 1
    return "%s; %+.1f MB in the web server%s" % ("held back at sluice" if held else "NOT HELD BACK", grown,
                                                 ", %.0f MB SPOOLED" % spool if spool >= 1 else "")


def spooled(site):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, names in os.walk(site.dir) if not d.startswith(site.path("state"))
               for f in names if f not in ("lines.log",) and os.path.exists(os.path.join(d, f)))


def many(name, row, short):
    site, m = up(name)
    n = 50 if short else 2000
    try:
        before, most = web_server_kib(m), [0]
        done = threading.Event()

        def sample():
            while not done.wait(0.5):
                with contextlib.suppress(OSError, Failed, ValueError, IndexError):
                    if open_streams(site) >= n * 0.99:
                        most[0] = web_server_kib(m)
        t = threading.Thread(target=sample)
        t.start()
        r = run_load(site, "--streams", n, "--rate", 5, "--seconds", 2 if short else 6)
        done.set()
        t.join()
        row["streams"] = "%d of %d" % (r["connected"], n)
        row["storm"] = "%.1f, %d" % (r["connect_ms"] / 1000, r["failed"])
        row["memory"] = "%.0f" % ((most[0] - before) / n) if most[0] else "?"
        check(not r["lost"] and not r["duplicated"], "%s: %r" % (name, r))
    finally:
        down(site, m)


def http2(name, row):
    m = mount(name)
    if m.mpm == "prefork":
        row["http2"] = "not with prefork"
        return
    site, m = up(name, http2=True)
    try:
        row["http2"] = subprocess.run(["node", "-e", H2, str(site.h2_port)], stdout=subprocess.PIPE, text=True).stdout.strip()
        if row["http2"] in ("none", "0"):
            row["http2"] = {"caddy": "needs TLS", "varnishd": "a pipe takes HTTP/1.1 alone"}.get(m.program, "not spoken")
    finally:
        down(site, m)


def resume(name, row):
    scenario = name.replace(" ", "_").replace("-", "_").lower()
    done = subprocess.run([sys.executable, os.path.join(HERE, "../e2e/test_mount.py"), scenario], stdout=subprocess.PIPE, text=True)
    row["resume"] = "exact" if done.returncode == 0 and "ok" in done.stdout else "NOT EXACT"


def silence(names, rows, short):
    """All at once, for it takes long: one client stays, one leaves without a word."""
    hold = 6 if short else 400
    sites = [up(n, "1s" if short else "15s") for n in names]
    try:
        stays = [site.stream("channel=n") for site, _ in sites]
        for s in stays:
            s.until_type("hello")
        leaves = [site.stream("channel=n") for site, _ in sites]
        for s in leaves:
            s.until_type("hello")
            s.close()
        began, gone = time.monotonic(), {}
        while time.monotonic() - began < hold:
            for i, (site, _) in enumerate(sites):
                if i not in gone and open_streams(site) == 1:
                    gone[i] = time.monotonic() - began
                if not stays[i].ended:
                    stays[i].fill(0.01)
            time.sleep(0.05 if len(gone) < len(sites) else 1)
        for i, name in enumerate(names):
            rows[name]["gone_quiet"] = "%.0f" % gone[i] if i in gone else "not in %d" % hold
            rows[name]["silence"] = "%d s" % hold if not stays[i].ended else "CUT"
    finally:
        for site, m in sites:
            down(site, m)


def write_table(rows):
    path = os.path.join(SRC, "doc/front-servers.md")
    text = open(path).read()
    begin, end = "<!-- table -->\n", "<!-- /table -->"
    before, rest = text.split(begin)
    old, after = rest.split(end)
    lines = {line.split("|")[1].strip(): line for line in old.splitlines()[2:]}
    lines.update({row["way"]: "| %s |" % " | ".join(row.get(key, "") for key, _ in COLUMNS) for row in rows})
    table = "| %s |\n|%s\n" % (" | ".join(title for _, title in COLUMNS), "---|" * len(COLUMNS))
    table += "".join(lines[m.name] + "\n" for m in MOUNTS if m.name in lines)
    with open(path, "w") as f:
        f.write(before + begin + table + end + after)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    a = parser.parse_args()
    names = [m.name for m in MOUNTS if a.only in m.name]
    rows = {n: {"way": n} for n in names}
    for name in names:
        for step in (lambda: active(name, rows[name], a.short), lambda: many(name, rows[name], a.short),
                     lambda: http2(name, rows[name]), lambda: resume(name, rows[name])):
            try:
                step()
            except Failed as e:
                print("# %s: %s" % (name, e), file=sys.stderr)
    silence(names, rows, a.short)
    for name in names:
        print(json.dumps(rows[name]))
    if a.write:
        write_table(list(rows.values()))


if __name__ == "__main__":
    require("lighttpd", "apache2", "nginx", "caddy", "haproxy", "varnishd", "squid", "node")
    main()
