#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast sources take things in, beside rsyslog and syslog-ng in the same run.

sources.py [--short] [--rounds N]: what receives is pinned to the first CPU, all its processes
together; what sends to the second.  sluice writes its journal and compresses what is full of it
(a row without that beside it), the others write a file as it comes.  One JSON object a line, the medians of N rounds (3), alternating.  SYSLOG_NG names syslog-ng.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from harness import *

BLAST = os.path.join(BUILD, "tests/bench/blast")
LINE = b"2026-11-21T06:00:00 host app[42]: message number %09d with some text behind it so that it has the usual length\n"


def pin(pid, cpu):
    """All processes below it, threads included."""
    for p in [pid] + children(pid):
        for t in os.listdir("/proc/%d/task" % p):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(t), {cpu})


def cpu_of(pids):
    return sum(cpu_seconds(p) for p in pids)


class Sluice:
    name = "sluice"
    compresses = True

    def __init__(self, kind):
        self.site = Site("bench")
        self.port = free_port()
        self.input = self.site.path("in.log")
        self.site.up({
            "file": "s: {type: file, channel: b, include: [%s], path_field: '', severity: false}\n" % self.input,
            "tcp": "s: {type: syslog, channel: b, listen: ['tcp:127.0.0.1:%d']}\n" % self.port,
            "udp": "s: {type: syslog, channel: b, listen: ['udp:127.0.0.1:%d']}\n" % self.port}[kind],
            "b: {history: {size: 2GiB, compress: %s}}" % str(self.compresses).lower())
        self.site.ready()
        wait_for(lambda: self.site.source("s")["counters"], "the source to work")
        self.pids = self.site.pids("hub") + self.site.pids("source")
        pin(self.site.sluice.pid, 0)

    def received(self):
        return self.site.source("s")["events"] - self.gaps()

    def gaps(self):
        return [c for c in self.site.json("/status")["channels"] if c["name"] == "b"][0]["gaps"]

    def dropped(self):
        return self.site.source("s")["counters"].get("dropped", 0)

    def close(self):
        self.site.tear_down(False)


class SluicePlain(Sluice):
    name = "sluice, nothing compressed"
    compresses = False


class Daemon:
    def __init__(self, kind):
        self.dir = tempfile.mkdtemp(prefix="sluice-peer-")
        self.port = free_port()
        self.input, self.output = os.path.join(self.dir, "in.log"), os.path.join(self.dir, "out.log")
        with open(os.path.join(self.dir, "conf"), "w") as f:
            f.write(self.config(kind) % {"in": self.input, "out": self.output, "port": self.port, "dir": self.dir})
        self.process = subprocess.Popen(self.command(), cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        check(self.process.poll() is None, "%s does not start" % self.name)
        self.pids = [self.process.pid]
        pin(self.process.pid, 0)
        self.counted = [0, 0]

    def received(self):
        """Lines in the output; only what is new is read."""
        with contextlib.suppress(OSError), open(self.output, "rb") as f:
            f.seek(self.counted[0])
            while True:
                data = f.read(1 << 22)
                if not data:
                    break
                self.counted[0] += len(data)
                self.counted[1] += data.count(b"\n")
        return self.counted[1]

    def dropped(self):
        return None

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Rsyslog(Daemon):
    name = "rsyslog"

    def command(self):
        return ["rsyslogd", "-n", "-i", os.path.join(self.dir, "pid"), "-f", os.path.join(self.dir, "conf")]

    def config(self, kind):
        head = 'global(workDirectory="%(dir)s")\n'
        out = 'ruleset(name="r") { action(type="omfile" file="%(out)s" asyncWriting="off" ioBufferSize="64k") }\n'
        return head + out + {
            "file": 'module(load="imfile")\ninput(type="imfile" file="%(in)s" tag="t:" ruleset="r" freshStartTail="off")\n',
            "tcp": 'module(load="imptcp")\ninput(type="imptcp" address="127.0.0.1" port="%(port)d" ruleset="r")\n',
            "udp": 'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="%(port)d" ruleset="r" rcvbufSize="4m")\n',
        }[kind]


class SyslogNg(Daemon):
    name = "syslog-ng"

    def command(self):
        return [os.environ.get("SYSLOG_NG", "syslog-ng"), "-F", "-f", os.path.join(self.dir, "conf"),
                "-R", os.path.join(self.dir, "persist"), "-p", os.path.join(self.dir, "pid"),
                "-c", os.path.join(self.dir, "ctl")]

    def config(self, kind):
        return "@version: 3.38\noptions { keep-hostname(yes); use-dns(no); stats-freq(0); };\n" + {
            "file": 'source s { file("%(in)s" follow-freq(0.1) flags(no-parse)); };\n',
            "tcp": 'source s { network(ip("127.0.0.1") port(%(port)d) transport("tcp") log-iw-size(100000)); };\n',
            "udp": 'source s { network(ip("127.0.0.1") port(%(port)d) transport("udp") so-rcvbuf(4194304)); };\n',
        }[kind] + 'destination d { file("%(out)s"); };\nlog { source(s); destination(d); };\n'


def measure(peer, kind, n, feed):
    """Feeds it, and waits until nothing more arrives."""
    p = peer(kind)
    try:
        before, cpu, began = p.received(), cpu_of(p.pids), time.monotonic()
        fed = feed(p)
        last, last_at = before, began
        while last - before < n:
            time.sleep(0.02)
            now = p.received()
            if now != last:
                last, last_at = now, time.monotonic()
            elif time.monotonic() - last_at > (3 if kind == "udp" else 20):
                break
        took, used = last_at - began, cpu_of(p.pids) - cpu
        got = last - before
        result = {"label": "%s: %s" % (kind, peer.name), "sent": n, "received": got, "seconds": took,
                  "per_s": got / took if took > 0 else 0, "per_cpu_s": got / used if used > 0 else 0}
        if kind == "udp" and p.dropped() is not None:
            wait_for(lambda: got + p.dropped() >= n, "what was dropped to be counted: %d + %d of %d" %
                     (got, p.dropped(), n), 5)
            result["dropped"] = p.dropped()
            result["unaccounted"] = n - got - p.dropped()
        if fed:
            result["sender_per_s"] = fed
        return result
    finally:
        p.close()


def file_feed(n):
    def feed(p):
        path = p.input + ".new"
        with open(path, "wb") as f:
            for i in range(0, n, 10000):
                f.write(b"".join(LINE % k for k in range(i, i + 10000)))
        feed.began = time.monotonic()
        os.rename(path, p.input)
    return feed


def blast_feed(kind, n):
    def feed(p):
        out = subprocess.run(["taskset", "-c", "1", BLAST, kind, str(p.port), str(n)], stdout=subprocess.PIPE, check=True)
        sent = json.loads(out.stdout)
        return sent["sent"] / sent["seconds"]
    return feed


def measure_file(peer, n):
    """The file is written before the clock starts: it is moved into place."""
    p = peer("file")
    try:
        feed = file_feed(n)
        feed(p)
        cpu = cpu_of(p.pids)
        while p.received() < n and time.monotonic() - feed.began < 120:
            time.sleep(0.01)
        took, used = time.monotonic() - feed.began, cpu_of(p.pids) - cpu
        return {"label": "file: " + peer.name, "sent": n, "received": p.received(), "seconds": took,
                "per_s": n / took, "per_cpu_s": n / used if used else 0}
    finally:
        p.close()


def private_kib(pid):
    return sum(int(l.split()[1]) for l in open("/proc/%d/smaps_rollup" % pid) if l.startswith("Private"))


def footprint():
    """One tick of all collectors, and the memory of each kind of source."""
    site = Site("bench")
    open(site.path("x.log"), "w").close()
    site.up("file: {type: file, channel: b, include: [DIR/x.log]}\n"
            "syslog: {type: syslog, channel: b, listen: ['udp:127.0.0.1:%d', 'tcp:127.0.0.1:%d']}\n"
            "command: {type: command, channel: b, argv: ['true'], interval: 100ms}\n"
            "metrics: {type: metrics, channel: b, interval: 100ms}\n" % (free_port(), free_port()))
    try:
        site.ready()
        wait_for(lambda: site.source("metrics")["counters"].get("ticks", 0) > 20, "ticks")
        ticks = []
        for _ in range(20):
            ticks.append(site.source("metrics")["counters"]["tick_cpu_us"])
            time.sleep(0.1)
        return [{"label": "metrics: one tick of all collectors", "cpu_us": statistics.median(ticks)},
                {"label": "private memory of a source process, KiB",
                 **{n: private_kib(site.source(n)["pid"]) for n in ("file", "syslog", "command", "metrics")}}]
    finally:
        site.tear_down(False)


def median_of(results):
    return {k: (statistics.median(r[k] for r in results) if isinstance(v, (int, float)) else v)
            for k, v in results[0].items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    n = 50000 if args.short else 1000000
    rounds = 1 if args.short else args.rounds
    peers = [Sluice, SluicePlain, Rsyslog, SyslogNg]
    runs = {}
    for _ in range(rounds):
        for peer in peers:
            runs.setdefault(("file", peer), []).append(measure_file(peer, n))
            for kind in ("tcp", "udp"):
                runs.setdefault((kind, peer), []).append(measure(peer, kind, n, blast_feed(kind, n)))
    for kind in ("file", "tcp", "udp"):
        for peer in peers:
            print(json.dumps(median_of(runs[(kind, peer)])), flush=True)
    for r in footprint():
        print(json.dumps(r), flush=True)


main()
