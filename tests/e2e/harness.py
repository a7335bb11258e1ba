# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: a real sluice behind a real lighttpd.

A test is a script that calls run() with its scenarios, functions that take a
Site.  Each gets a directory, ports and processes of its own; afterwards nothing
of them may be left.  Nothing waits by sleeping: wait_for() a condition.
"""
import contextlib
import glob
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

SRC = os.path.abspath(os.environ.get("abs_top_srcdir", os.path.join(os.path.dirname(__file__), "../..")))
BUILD = os.path.abspath(os.environ.get("abs_top_builddir", SRC))
SLUICE = os.environ.get("SLUICE", os.path.join(BUILD, "sluice"))
# Under valgrind or on a busy machine everything takes longer.
PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))
LONG = os.environ.get("TEST_LONG") == "1"
# Nothing may hang: seconds that a scenario may take, however slow the machine.
SCENARIO_MAX = 7200 if LONG else 600
# A sanitizer's own memory says nothing about ours.
MEASURES_MEMORY = os.environ.get("TEST_SANITIZED") != "1"


class Failed(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failed(message)


def wait_for(condition, what, seconds=20):
    """Calls until it returns something true, which is returned."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed("waited %.0f s in vain for %s" % (seconds * PATIENCE, what))
        time.sleep(0.01)


RESERVED = []


def free_port():
    """A port of 127.0.0.1 for a server that starts later.

    It is none of those that the kernel gives to clients, and belongs to this test
    until it ends: a socket's name keeps it from tests that run beside.
    """
    for port in random.sample(range(15000, 32000), 1000):
        reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError), socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            reservation.bind("\0sluice-test-port-%d" % port)
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            RESERVED.append(reservation)
            return port
        reservation.close()
    raise Failed("no port of 15000 to 31999 is free")


def drift(times, interval):
    """By how much ticks run away from their schedule, whatever delays single ones.  On a busy machine
    some are left out: then by how much the last third misses the grid of the first."""
    third = len(times) // 3
    late = [t - i * interval for i, t in enumerate(times)]
    by = min(late[-third:]) - min(late[:third])
    if by < interval / 2 or max(b - a for a, b in zip(times, times[1:])) < 1.6 * interval:
        return by
    first = min(times[:third], key=lambda c: sum((t - c) % interval for t in times[:third]))
    return min((((t - first + interval / 2) % interval) - interval / 2 for t in times[-third:]), key=abs)


class Skipped(SystemExit):
    """Ends the scenario that raises it, or the whole file outside of scenarios."""

    def __init__(self, why):
        print("SKIP: " + why)
        super().__init__(77)


def require(*programs):
    for p in programs:
        if not shutil.which(p):
            raise Skipped(p + " is not installed")


def require_root(to_do):
    if os.geteuid() != 0:
        raise Skipped(to_do + " needs root")


class Process(int):
    """A process's number, which is soon another's where many processes come and go: alive() knows them apart."""

    def __new__(cls, pid, stat):
        self = super().__new__(cls, pid)
        self.began = began(stat)
        return self


def began(stat):
    """When it began, of the text of /proc/PID/stat."""
    return stat.rpartition(")")[2].split()[19]


def children(pid):
    """All descendants of a process."""
    parents = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            with contextlib.suppress(OSError):
                stat = open("/proc/%s/stat" % p).read()
                parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(Process(p, stat))
    todo, found = [pid], []
    while todo:
        for c in parents.get(todo.pop(), []):
            found.append(c)
            todo.append(c)
    return found


def role_of(pid):
    with contextlib.suppress(OSError):
        if open("/proc/%d/comm" % pid).read() == "sluice-source\n":
            return "source"
        args = open("/proc/%d/cmdline" % pid, "rb").read().split(b"\0")
        # Under valgrind the arguments stand behind its own.
        for i, a in enumerate(args):
            if a in (b"hub", b"responder", b"source", b"nursery", b"run"):
                return a.decode()
    return None


def cpu_seconds(pid):
    stat = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def open_names(pid):
    """What its descriptors lead to, as far as they stay open meanwhile."""
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(OSError):
            found.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
    return found


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def build_plugin(source, target, *flags):
    """A shared object from a C file; moved into place whole, as a package would."""
    subprocess.check_call(["cc", "-std=gnu11", "-O1", "-fPIC", "-shared", "-I" + os.path.join(SRC, "src"),
                           "-o", target + ".new", os.path.join(SRC, source), *flags])
    os.chmod(target + ".new", 0o644)
    os.rename(target + ".new", target)


def alive(pid):
    with contextlib.suppress(OSError):
        stat = open("/proc/%d/stat" % pid).read()
        return stat.rpartition(")")[2].split()[0] != "Z" and getattr(pid, "began", began(stat)) == began(stat)
    return False


def users_of(folder):
    """The processes that have a file below it open."""
    found = set()
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(path).startswith(folder + "/"):
                found.add(int(path.split("/")[2]))
    return found - {os.getpid()}


def rss_kib(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


class Site:
    """One sluice, one lighttpd, one directory."""

    def __init__(self, name):
        self.dir = tempfile.mkdtemp(prefix="sluice-%s-" % name[:20])
        self.port = free_port()
        self.sluice = None
        self.said_before = 0
        self.lighttpd = None
        self.streams = []
        self.prefix = "/logs"

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write_config(self, sources, channels="", hub="", access="default: allow"):
        """`sources` as YAML below `sources:`; DIR stands for this directory."""
        text = "hub:\n  listen: unix:DIR/fcgi.sock\n  state_dir: DIR/state\n"
        text += indent(hub, 2)
        text += "access:\n" + indent(access, 2) if access else ""
        if channels:
            text += "channels:\n" + indent(channels, 2)
        text += "sources:\n" + indent(sources, 2)
        with open(self.path("sluice.yaml"), "w") as f:
            f.write(text.replace("DIR", self.dir))

    def start(self, wait=True):
        # Its log goes on where that of the one before ends.
        self.said_before = self.log().count("listening on")
        with open(self.path("sluice.log"), "ab") as log:
            self.sluice = subprocess.Popen([SLUICE, "run", "-c", self.path("sluice.yaml")],
                                           stdin=subprocess.DEVNULL, stderr=log, stdout=log)
        if wait:
            wait_for(self.is_listening, "sluice to listen: " + self.log(), 30)

    def is_listening(self):
        if self.sluice.poll() is not None:
            raise Failed("sluice ended with %d: %s" % (self.sluice.returncode, self.log()))
        return os.path.exists(self.path("fcgi.sock")) and self.log().count("listening on") > self.said_before

    def log(self):
        with contextlib.suppress(OSError):
            return open(self.path("sluice.log"), errors="replace").read()
        return ""

    def told(self, text, times=None):
        """Waits for it to be in the log, where it comes a moment after what it tells of."""
        wait_for(lambda: text in self.log(), "the log to say \"%s\": %s" % (text, self.log()[-2000:]))
        n = self.log().count(text)
        check(times is None or n == times, "the log says \"%s\" %d times" % (text, n))

    def start_lighttpd(self, extra=""):
        conf = open(os.path.join(SRC, "contrib/mount/lighttpd.conf")).read()
        conf = conf.replace("/run/sluice/fcgi.sock", self.path("fcgi.sock"))
        with open(self.path("lighttpd.conf"), "w") as f:
            f.write('server.document-root = "%s"\nserver.bind = "127.0.0.1"\nserver.port = %d\n'
                    'server.modules = ( "mod_accesslog" )\naccesslog.filename = "%s"\n'
                    'server.upload-dirs = ( "%s" )\n%s\n%s'
                    % (self.dir, self.port, self.path("access.log"), self.dir, conf, extra))
        log = open(self.path("lighttpd.log"), "ab")
        self.lighttpd = subprocess.Popen(["lighttpd", "-D", "-f", self.path("lighttpd.conf")],
                                         stdin=subprocess.DEVNULL, stderr=log, stdout=log)
        log.close()

        def answers():
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            if self.lighttpd.poll() is not None:
                raise Failed("lighttpd: " + open(self.path("lighttpd.log")).read())
            return False
        wait_for(answers, "lighttpd to answer")

    def up(self, sources, channels="", hub="", access="default: allow"):
        """The usual beginning of a test."""
        self.write_config(sources, channels, hub, access)
        self.start()
        self.start_lighttpd()

    # -- asking ---------------------------------------------------------------

    def get(self, path, headers=None, method="GET", timeout=20, form=None):
        """(status, headers, body) of a request through the web server; with a form, of a POST."""
        s = socket.create_connection(("127.0.0.1", self.port), timeout * PATIENCE)
        lines = ["%s %s%s HTTP/1.0" % (method, self.prefix, path), "Host: localhost"]
        lines += ["%s: %s" % h for h in (headers or {}).items()]
        if form is not None:
            lines[0] = lines[0].replace("GET", "POST", 1)
            lines += ["Content-Type: application/x-www-form-urlencoded", "Content-Length: %d" % len(form)]
        s.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (form or b""))
        data = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
        s.close()
        if not data:
            raise ConnectionError("%s: the web server closed the connection without an answer" % path)
        head, _, body = data.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        return int(first.split()[1]), {k.lower(): v for k, _, v in (h.partition(": ") for h in rest)}, body

    def json(self, path):
        status, _, body = self.get(path)
        check(status == 200, "%s answered %d: %r" % (path, status, body))
        return json.loads(body)

    def sluice_command(self, *args):
        """(status, what it printed) of a command with this site's configuration."""
        p = subprocess.run([SLUICE, *args, "-c", self.path("sluice.yaml")], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=60 * PATIENCE, text=True)
        return p.returncode, p.stdout

    def source(self, name):
        """What /status says of one source."""
        for s in self.json("/status")["sources"]:
            if s["name"] == name:
                return s
        raise Failed("there is no source %s" % name)

    def wait_state(self, name, *states, seconds=20):
        return wait_for(lambda: (lambda s: s if s["state"] in states else None)(self.source(name)),
                        "source %s to be %s: %s" % (name, " or ".join(states), self.log()[-2000:]), seconds)

    def own_plugins(self):
        """A directory for plugins with copies of ours, for a test to change."""
        os.makedirs(self.path("plugins"), exist_ok=True)
        built = os.path.join(BUILD, "plugins/.libs")
        for name in os.listdir(built):
            if name.endswith(".so"):
                shutil.copy(os.path.join(built, name), self.path("plugins", name))
                os.chmod(self.path("plugins", name), 0o644)

    def ready(self):
        wait_for(lambda: self.get("/health/ready")[0] == 200, "the sources to run: " + self.log())

    def stream(self, query, **kw):
        s = Stream(self, query, **kw)
        self.streams.append(s)
        return s

    # -- processes ------------------------------------------------------------

    def pids(self, role):
        return [p for p in children(self.sluice.pid) if role_of(p) == role and alive(p)]

    def kill(self, role, signo=signal.SIGKILL):
        killed = 0
        for p in self.pids(role):
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signo)
                killed += 1
        return killed

    def stop(self, patience=10):
        """SIGTERM, as an administrator would."""
        if self.sluice and self.sluice.poll() is None:
            self.sluice.send_signal(signal.SIGTERM)
            try:
                self.sluice.wait(patience * PATIENCE)
            except subprocess.TimeoutExpired:
                raise Failed("sluice did not end within %d s of SIGTERM" % patience)

    def tear_down(self, failed):
        for s in self.streams:
            s.close()
        trouble = []
        everyone = children(self.sluice.pid) if self.sluice else []
        try:
            self.stop()
        except Failed as e:
            trouble.append(str(e))
            self.sluice.kill()
            self.sluice.wait()
        if self.lighttpd:
            self.lighttpd.terminate()
            self.lighttpd.wait()
        deadline = time.monotonic() + 5 * PATIENCE
        while any(alive(p) for p in everyone) and time.monotonic() < deadline:
            time.sleep(0.01)
        left = [p for p in everyone if alive(p)]
        if left:
            trouble.append("processes left behind: %s" % left)
            for p in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(p, signal.SIGKILL)
        log = self.log()
        for sign in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Invalid read", "Invalid write",
                     "uninitialised", "definitely lost", "out of memory", "Assertion"):
            if sign in log:
                trouble.append("the log holds \"%s\"" % sign)
        for name in os.listdir(self.dir):
            if re.match(r"(lighttpd-upload|.*\.new$)", name):
                trouble.append("temporary file left behind: %s" % name)
        if failed or trouble:
            print("---- the end of sluice's log:\n" + log[-6000:] + "\n----")
        # A hub that a web server's responder started lingers, and writes its checkpoints in the end.
        deadline = time.monotonic() + 3 * PATIENCE
        while (users := users_of(self.dir)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for p in users:
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)
        if trouble and not failed:
            raise Failed("; ".join(trouble))


def indent(text, n):
    return "".join(" " * n + line + "\n" for line in text.strip("\n").split("\n")) if text else ""


class Event:
    def __init__(self, id, type, data):
        self.id, self.type, self.data = id, type, data

    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return "<%s %s %.200s>" % (self.type, self.id, self.data)


class Stream:
    """A client of /events through the front server, which parses SSE by the book."""

    def __init__(self, site, query, headers=None, rcvbuf=None, port=None, path="/events"):
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(20 * PATIENCE)
        self.sock.connect(("127.0.0.1", port or site.port))
        lines = ["GET %s%s?%s HTTP/1.0" % (site.prefix, path, query), "Host: localhost"]
        lines += ["%s: %s" % h for h in {"Accept": "text/event-stream", **(headers or {})}.items()]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.buffer = b""
        self.head = None
        self.last_id = None
        self.ended = False
        self.retry = None
        self.comments = 0

    def fill(self, timeout=None):
        """Reads once; False when the stream has ended."""
        if timeout is not None:
            self.sock.settimeout(timeout)
        try:
            more = self.sock.recv(1 << 20)
        except socket.timeout:
            return True
        except ConnectionError:
            more = b""
        if not more:
            self.ended = True
            return False
        self.buffer += more
        if self.head is None:
            head, sep, rest = self.buffer.partition(b"\r\n\r\n")
            if sep:
                self.head, self.buffer = head.decode("latin-1"), rest
        return True

    def blocks(self):
        """The whole blocks that have arrived."""
        if self.head is None:
            return []
        *whole, self.buffer = self.buffer.split(b"\n\n")
        return whole

    def parse(self, block):
        id, type, data = None, "message", []
        for line in block.split(b"\n"):
            name, _, value = line.partition(b":")
            value = value[1:] if value.startswith(b" ") else value
            if not name and line.startswith(b":"):
                self.comments += 1
            elif name == b"id":
                self.last_id = id = value.decode()
            elif name == b"event":
                type = value.decode()
            elif name == b"data":
                data.append(value.decode())
            elif name == b"retry":
                self.retry = int(value)
        return Event(self.last_id, type, "\n".join(data)) if data else None

    def events(self, until, seconds=20):
        """Events up to the one for which until(event) is true, that one included."""
        got = []
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            for i, block in enumerate(self.blocks_pending()):
                e = self.parse(block)
                if e:
                    got.append(e)
                    if until(e):
                        return got
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failed("the stream did not bring what was waited for; the last were %r" % got[-3:])
            if not self.fill(min(left, 1)):
                raise Failed("the stream ended; head %r, the last were %r" % (self.head, got[-3:]))

    def blocks_pending(self):
        """Like blocks(), one at a time, so that what follows stays in the buffer."""
        while self.head is not None:
            block, sep, rest = self.buffer.partition(b"\n\n")
            if not sep:
                return
            self.buffer = rest
            yield block

    def until_type(self, type, seconds=20):
        return self.events(lambda e: e.type == type, seconds)[-1]

    def until_message_of(self, type, text, seconds=20):
        """The events of that type up to the one with that message."""
        return [e for e in self.events(lambda e: e.type == type and e.json()["message"] == text, seconds)
                if e.type == type]

    def until_message(self, text, seconds=20):
        return self.events(lambda e: e.type == "line" and e.json()["message"] == text, seconds)

    def close(self):
        self.sock.close()


NUMBER = re.compile(rb'"message":"(\d+)"')
LAST_ID = re.compile(rb"^id: (\S+)", re.M)


class Numbers:
    """Follows numbered lines across reconnections, as a browser would: each
    number exactly once and in order, or it fails."""

    def __init__(self, site, channel, start="earliest=1"):
        self.site, self.channel, self.start = site, channel, start
        self.next = 1
        self.last_id = None
        self.stream = None
        self.connections = 0
        self.gaps = []
        self.tail = b""

    def connect(self):
        headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
        self.stream = self.site.stream("channel=%s&%s" % (self.channel, self.start), headers=headers)
        self.connections += 1
        self.tail = b""

    def take(self, timeout=1):
        """Reads once and checks what came; reconnects when the stream has ended."""
        if self.stream is None:
            self.connect()
        try:
            ok = self.stream.fill(timeout)
        except OSError:
            ok = False
        if self.stream.head is not None:
            if " 200" not in self.stream.head.split("\r\n")[0]:
                raise Failed("the stream was refused: " + self.stream.head)
            # Only whole blocks count: what is cut off by an end comes again.
            data, self.stream.buffer = self.stream.buffer, b""
            data = self.tail + data
            cut = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
            whole, self.tail = data[:cut], data[cut:]
            self.check(whole)
        if not ok:
            self.stream.close()
            self.site.streams.remove(self.stream)
            self.stream = None
        return ok

    def check(self, data):
        if b"event: gap" in data:
            self.gaps.append(data[data.index(b"event: gap"):][:400])
        ids = LAST_ID.findall(data)
        if ids:
            self.last_id = ids[-1].decode()
        for n in NUMBER.findall(data):
            n = int(n)
            if n != self.next:
                raise Failed("expected line %d and got %d (%s)" %
                             (self.next, n, "lost" if n > self.next else "twice or out of order"))
            self.next += 1

    def until(self, last, seconds=120, also=None):
        deadline = time.monotonic() + seconds * PATIENCE
        while self.next <= last:
            self.take(0.2)
            if also:
                also()
            if time.monotonic() > deadline:
                raise Failed("got to line %d of %d in %d s; status %s" %
                             (self.next - 1, last, seconds, self.site.get("/status")[2][:2000]))
        check(not self.gaps, "gaps were declared: %r" % self.gaps)


def write_lines(path, first, last, rotate_at=(), generations=9, block=2000, pause=0):
    """Numbered lines as fast as possible; rename rotation at the given numbers."""
    f = open(path, "ab", buffering=0)
    n = first
    rotate_at = sorted(rotate_at)
    while n <= last:
        end = min(n + block, last + 1, *(r + 1 for r in rotate_at if r >= n))
        f.write(b"".join(b"%d\n" % i for i in range(n, end)))
        n = end
        if n - 1 in rotate_at:
            rotate(path, generations)
            f.close()
            f = open(path, "ab", buffering=0)
        if pause:
            time.sleep(pause)
    f.close()


def rotate(path, generations=9):
    for i in range(generations - 1, 0, -1):
        if os.path.exists("%s.%d" % (path, i)):
            os.rename("%s.%d" % (path, i), "%s.%d" % (path, i + 1))
    os.rename(path, path + ".1")


def in_background(function, *args, **kw):
    """Runs in a process of its own, so that it does not share our interpreter."""
    pid = os.fork()
    if pid:
        return pid
    try:
        function(*args, **kw)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def join(pid):
    check(os.waitpid(pid, 0)[1] == 0, "a background writer failed")


def took_too_long(_signal, _frame):
    raise Failed("it was not over after %d s" % SCENARIO_MAX)


def run_one(scenario):
    """"ok", "not ok" or "skipped"."""
    site = Site(scenario.__name__)
    result = "ok"
    began = time.monotonic()
    try:
        try:
            signal.signal(signal.SIGALRM, took_too_long)
            signal.alarm(SCENARIO_MAX)
            scenario(site)
        except Skipped:
            result = "skipped"
        except Exception as e:
            result = "not ok"
            print("not ok %s: %s" % (scenario.__name__, e if isinstance(e, Failed) else repr(e)))
            if not isinstance(e, Failed):
                print(traceback.format_exc())
        signal.alarm(0)
        site.tear_down(result == "not ok")
        if result != "not ok":
            print("%s %s (%.1f s)" % (result, scenario.__name__, time.monotonic() - began))
    except Failed as e:
        result = "not ok"
        print("not ok %s: afterwards: %s" % (scenario.__name__, e))
    sys.stdout.flush()
    return result


def run(*scenarios):
    require("lighttpd")
    only = sys.argv[1:]
    results = [run_one(s) for s in scenarios if not only or s.__name__ in only]
    sys.exit(1 if "not ok" in results else 77 if "skipped" in results else 0)
