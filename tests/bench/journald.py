#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How fast the same journal is read by sluice, journalctl and rsyslog's imjournal, in one run.

journald.py [--short] [--rounds N]: a journal with the fields that journald writes, read from its
beginning.  What reads is pinned to the first CPU, all its processes together.  sluice writes its
own journal, the others a file with all fields as JSON.  One JSON object a line, the medians of N
rounds (3), alternating.
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
from journald import *

BOOT = "0123456789abcdef0123456789abcdef"


def fields_of(n, now):
    unit = "service-%d.service" % (n % 40)
    return [("__REALTIME_TIMESTAMP", now + n * 10), ("__MONOTONIC_TIMESTAMP", 1000 + n * 10), ("_BOOT_ID", BOOT),
            ("MESSAGE", "message number %09d with some text behind it so that it has the usual length" % n),
            ("PRIORITY", 6), ("SYSLOG_IDENTIFIER", "service-%d" % (n % 40)), ("SYSLOG_FACILITY", 3), ("_PID", 1000 + n % 400),
            ("_UID", 0), ("_GID", 0), ("_COMM", "service-%d" % (n % 40)), ("_EXE", "/usr/bin/service-%d" % (n % 40)),
            ("_CMDLINE", "/usr/bin/service-%d --foreground" % (n % 40)), ("_CAP_EFFECTIVE", "1ffffffffff"),
            ("_SYSTEMD_CGROUP", "/system.slice/" + unit), ("_SYSTEMD_UNIT", unit), ("_SYSTEMD_SLICE", "system.slice"),
            ("_SYSTEMD_INVOCATION_ID", "%032x" % (n % 40)), ("_MACHINE_ID", "f" * 32), ("_HOSTNAME", "bench"),
            ("_TRANSPORT", "stdout"), ("_STREAM_ID", "%032x" % (n % 40))]


def write_journal(path, n):
    """In steps, for an entry's fields are copied by several hands on the way."""
    remote = Remote(path)
    now = int(time.time() * 1e6) - 3600 * 1000000
    for first in range(0, n, 1000):
        remote.process.stdin.write(b"".join(export(fields_of(k, now)) + b"\n" for k in range(first, min(first + 1000, n))))
    remote.close()


class Reader:
    """A process that writes a line for each entry into a file."""
    setup = ""

    def __init__(self, journals, n):
        self.n = n
        self.dir = tempfile.mkdtemp(prefix="sluice-peer-")
        self.output = os.path.join(self.dir, "out")
        self.prepare()
        script = self.setup + "exec taskset -c 0 " + self.command
        out = open(self.output if self.writes_to_stdout else os.devnull, "wb")
        self.began = time.monotonic()
        self.process = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c",
                                         script.replace("JOURNALS", journals).replace("DIR", self.dir)],
                                        stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        out.close()
        self.at = self.lines = 0

    writes_to_stdout = True

    def prepare(self):
        pass

    def received(self):
        with contextlib.suppress(OSError), open(self.output, "rb") as f:
            f.seek(self.at)
            data = f.read()
            self.at += len(data)
            self.lines += data.count(b"\n")
        return self.lines

    def cpu(self):
        with contextlib.suppress(OSError):
            self.last_cpu = cpu_seconds(self.process.pid)
        return self.last_cpu

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Journalctl(Reader):
    name = "journalctl -f -o json"
    command = "journalctl -D JOURNALS -f -n all -o json"


class Imjournal(Reader):
    name = "rsyslog imjournal"
    writes_to_stdout = False
    # It has no option for the directory.
    setup = "mount --bind JOURNALS /var/log/journal && "
    command = "rsyslogd -n -i DIR/pid -f DIR/conf"

    def prepare(self):
        os.makedirs("/var/log/journal", exist_ok=True)
        with open(os.path.join(self.dir, "conf"), "w") as f:
            f.write('global(workDirectory="%(dir)s")\n'
                    'module(load="imjournal" StateFile="%(dir)s/state" IgnorePreviousMessages="off" ratelimit.interval="0")\n'
                    'template(name="json" type="string" string="%%$!all-json%%\\n")\n'
                    'action(type="omfile" file="%(out)s" template="json" asyncWriting="off" ioBufferSize="64k")\n'
                    % {"dir": self.dir, "out": self.output})


class Sluice:
    name = "sluice"

    def __init__(self, journals, n):
        self.site = Site("bench")
        self.site.write_config("s: {type: journald, channel: b, directory: %s, read_from: beginning}\n" % journals,
                               "b: {history: {size: 4GiB}}")
        os.sched_setaffinity(0, {0})
        self.began = time.monotonic()
        self.site.start()
        os.sched_setaffinity(0, {0, 1})
        self.site.start_lighttpd()
        os.sched_setaffinity(self.site.lighttpd.pid, {1})
        self.pids = None

    def received(self):
        with contextlib.suppress(Failed, KeyError):
            return self.site.source("s")["events"]
        return 0

    def cpu(self):
        self.pids = self.pids or self.site.pids("hub") + self.site.pids("source")
        return sum(cpu_seconds(p) for p in self.pids)

    def close(self):
        self.site.tear_down(False)


def measure(peer, journals, n):
    p = peer(journals, n)
    try:
        got, last_at = 0, time.monotonic()
        while got < n and time.monotonic() - last_at < 20:
            now = p.received()
            if now != got:
                got, last_at = now, time.monotonic()
            time.sleep(0.02)
        took, used = last_at - p.began, p.cpu()
        return {"label": "journal: " + peer.name, "entries": n, "received": got, "seconds": took, "per_s": got / took,
                "per_cpu_s": got / used if used else 0}
    finally:
        p.close()


def median_of(results):
    return {k: (statistics.median(r[k] for r in results) if isinstance(v, (int, float)) else v)
            for k, v in results[0].items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    n = 10000 if args.short else 200000
    peers = [Sluice, Journalctl, Imjournal]
    if not shutil.which("rsyslogd"):
        print("rsyslogd is not installed: no imjournal", file=sys.stderr)
        peers.remove(Imjournal)
    journals = tempfile.mkdtemp(prefix="sluice-journal-")
    try:
        machine = open("/etc/machine-id").read().strip() or "f" * 32
        os.chmod(journals, 0o755)
        os.makedirs(os.path.join(journals, machine))
        write_journal(os.path.join(journals, machine, "system.journal"), n)
        runs = {}
        for _ in range(1 if args.short else args.rounds):
            for peer in peers:
                runs.setdefault(peer, []).append(measure(peer, journals, n))
        for peer in peers:
            print(json.dumps(median_of(runs[peer])), flush=True)
    finally:
        shutil.rmtree(journals, ignore_errors=True)


main()
