# SPDX-License-Identifier: MIT
"""Journals for tests: a real systemd-journald in a mount namespace of its own, which needs no
running systemd, and systemd-journal-remote, which takes entries with any fields."""
import glob
import os
import signal
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from harness import *

JOURNALD = "/lib/systemd/systemd-journald"
REMOTE = "/lib/systemd/systemd-journal-remote"

SETUP = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal /var/log/journal
mount --bind DIR/sockets /run/systemd/journal
mount --bind DIR/runtime /run/log/journal
mount --bind DIR/journal /var/log/journal
cp DIR/journald.conf /run/systemd/journald.conf.d/test.conf
exec JOURNALD
""".replace("JOURNALD", JOURNALD)


def export(fields):
    """One entry in the journal's export format."""
    out = b""
    for name, value in fields:
        value = value if isinstance(value, bytes) else str(value).encode()
        if b"\n" in value or not value.isascii():
            out += name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
        else:
            out += name.encode() + b"=" + value + b"\n"
    return out


class Journald:
    """One that keeps its files in the site's directory "journal", and until flush() in "runtime"."""

    def __init__(self, site, config="", clock=None, flushed=True):
        """`clock`: a file that says by how many seconds its clock differs."""
        self.site = site
        self.environment = dict(os.environ)
        if clock:
            build_plugin("tests/plugins/clock.c", site.path("clock.so"))
            self.environment.update(LD_PRELOAD=site.path("clock.so"), CLOCK_SHIFT=clock)
        for name in ("journal", "sockets"):
            os.makedirs(site.path(name), exist_ok=True)
        # journald removes files in /run only from a tmpfs.
        self.volatile = tempfile.mkdtemp(prefix="sluice-journal-", dir="/dev/shm")
        os.symlink(self.volatile, site.path("runtime"))
        if flushed:
            open(site.path("sockets", "flushed"), "w").close()
        with open(site.path("journald.conf"), "w") as f:
            f.write("[Journal]\nStorage=persistent\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\nForwardToSyslog=no\n"
                    "ForwardToWall=no\nSyncIntervalSec=1s\n" + config)
        self.process = None
        self.socket = None
        self.start()

    def start(self):
        log = open(self.site.path("journald.log"), "ab")
        self.process = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c",
                                         SETUP.replace("DIR", self.site.dir)],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        log.close()
        path = self.site.path("sockets", "socket")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

        def connects():
            check(self.process.poll() is None, "journald has ended: " + open(self.site.path("journald.log")).read())
            with contextlib.suppress(OSError):
                self.socket.connect(path)
                return True
            return False
        wait_for(connects, "journald to listen")

    def send(self, message, **fields):
        """As sd_journal_send() does."""
        self.socket.send(export([("MESSAGE", message)] + list(fields.items())))

    def send_numbers(self, first, last, also=None):
        for n in range(first, last + 1):
            self.socket.send(b"MESSAGE=%d\nPRIORITY=6\nSYSLOG_IDENTIFIER=count\n" % n)
            if also:
                also(n)

    def ask(self, signo, answer):
        path = self.site.path("sockets", answer)
        before = os.stat(path).st_mtime_ns if os.path.exists(path) else 0
        self.process.send_signal(signo)
        wait_for(lambda: os.path.exists(path) and os.stat(path).st_mtime_ns > before, "journald to answer")

    def rotate(self):
        self.sync() # what has been sent is in the file that is rotated
        self.ask(signal.SIGUSR2, "rotated")

    def sync(self):
        self.ask(signal.SIGRTMIN + 1, "synced")

    def flush(self):
        """As journalctl --flush does."""
        self.ask(signal.SIGUSR1, "flushed")

    def files(self, pattern="*"):
        return sorted(glob.glob(self.site.path("journal", "*", pattern + ".journal*")))

    def stop(self, signo=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signo)
            self.process.wait(20 * PATIENCE)
        self.socket.close()

    def remove(self):
        self.stop()
        shutil.rmtree(self.volatile)
        os.unlink(self.site.path("runtime"))


class Remote:
    """Writes entries with any fields into one journal file."""

    def __init__(self, path):
        self.process = subprocess.Popen([REMOTE, "-o", path, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def send(self, *entries):
        """Each a list of (name, value)."""
        for fields in entries:
            fields = list(fields)
            if not any(name == "__REALTIME_TIMESTAMP" for name, _ in fields):
                now = int(time.time() * 1e6)
                fields = [("__REALTIME_TIMESTAMP", now), ("__MONOTONIC_TIMESTAMP", now),
                          ("_BOOT_ID", "0123456789abcdef0123456789abcdef")] + fields
            self.process.stdin.write(export(fields) + b"\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.wait(20 * PATIENCE)
