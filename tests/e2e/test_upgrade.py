#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draining, another program in the place of the running one, and what systemd gives and wants."""
import select

from fastcgi import *
import harness

SOURCE = "n: {type: file, channel: n, include: [DIR/n.log], read_from: beginning, path_field: ''}"
CHANNEL = "n: {retry: 200ms, heartbeat: 1s}"
CLIENTS = 1000 if LONG else 150


class Crowd:
    """Many clients at once, each of which has to get every number once and in order, and no connection of which may fail."""

    def __init__(self, site, n):
        self.site, self.failed, self.byes = site, [], []
        self.poll = select.epoll()
        self.clients, self.waiting = {}, []
        self.next = [1] * n
        self.last = [None] * n
        self.connects = 0
        for i in range(n):
            self.connect(i)

    def connect(self, i):
        s = socket.socket()
        s.connect(("127.0.0.1", self.site.port))
        start = "Last-Event-ID: %s\r\n" % self.last[i] if self.last[i] else ""
        s.sendall(("GET %s/events?channel=n&earliest=1 HTTP/1.0\r\nHost: x\r\n%s\r\n" % (self.site.prefix, start)).encode())
        s.setblocking(False)
        self.connects += 1
        self.clients[s.fileno()] = [s, i, b"", False]
        self.poll.register(s.fileno(), select.EPOLLIN)

    def take(self, c):
        s, i, data, has_head = c
        try:
            more = s.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        c[2] = data + more
        if not has_head and b"\r\n\r\n" in c[2]:
            head, _, c[2] = c[2].partition(b"\r\n\r\n")
            c[3] = True
            if b" 200 " not in head.split(b"\r\n")[0]:
                self.failed.append(head[:100])
        cut = c[2].rfind(b"\n\n") + 2 if c[3] else 0
        if cut >= 2:
            whole, c[2] = c[2][:cut], c[2][cut:]
            for n in NUMBER.findall(whole):
                check(int(n) == self.next[i], "client %d expected %d and got %d" % (i, self.next[i], int(n)))
                self.next[i] += 1
            ids = LAST_ID.findall(whole)
            if ids:
                self.last[i] = ids[-1].decode()
            check(b"event: gap" not in whole, "a gap: %r" % whole[-500:])
            if b"event: bye" in whole or b"event: busy" in whole:
                self.byes.append((time.monotonic(), b"busy" in whole))
        if not more:
            if not c[3]:
                self.failed.append("closed without an answer")
            self.poll.unregister(s.fileno())
            del self.clients[s.fileno()]
            s.close()
            self.waiting.append((time.monotonic() + 0.2, i))

    def turn(self):
        for fd, _ in self.poll.poll(0.05):
            self.take(self.clients[fd])
        now = time.monotonic()
        due, self.waiting = [w for w in self.waiting if w[0] <= now], [w for w in self.waiting if w[0] > now]
        for _, i in due:
            self.connect(i)

    def until(self, condition, what, seconds=60):
        deadline = time.monotonic() + seconds * PATIENCE
        while not condition():
            self.turn()
            check(time.monotonic() < deadline, "waited in vain for " + what)
        check(not self.failed, "%d connections failed: %r" % (len(self.failed), self.failed[:3]))

    def close(self):
        for c in self.clients.values():
            c[0].close()


def begin(site, program=None):
    """A sluice of its own file, for a package manager to replace."""
    os.makedirs(site.path("bin"))
    put_program(site)
    for name in ("SLUICE_PLUGIN_DIR", "SLUICE_CONSOLE_DIR"):
        os.environ.setdefault(name, {"SLUICE_PLUGIN_DIR": os.path.join(BUILD, "plugins/.libs"),
                                     "SLUICE_CONSOLE_DIR": os.path.join(SRC, "src/console/built")}[name])
    harness.SLUICE = site.path("bin/sluice")
    open(site.path("n.log"), "w").close()
    site.up(SOURCE, CHANNEL, "limits: {streams_per_address: 0}")
    site.ready()


def put_program(site, source=None):
    shutil.copy(source or os.path.join(BUILD, "src/sluice"), site.path("bin/sluice.new"))
    os.chmod(site.path("bin/sluice.new"), 0o755)
    os.rename(site.path("bin/sluice.new"), site.path("bin/sluice"))


def upgrade_loses_nobody(site):
    begin(site)
    crowd = Crowd(site, CLIENTS)
    last = 4000 if LONG else 1500
    writer = in_background(write_lines, site.path("n.log"), 1, last, (), 9, 5, 0.01)
    crowd.until(lambda: min(crowd.next) > 100, "the first lines")
    put_program(site)
    pid, old = site.sluice.pid, site.pids("hub")[0]
    asked = subprocess.Popen([site.path("bin/sluice"), "upgrade", "-c", site.path("sluice.yaml")], stdout=subprocess.PIPE, text=True)
    crowd.until(lambda: asked.poll() is not None, "the upgrade")
    check(asked.returncode == 0 and "takes over" in asked.stdout.read(), site.log())
    crowd.until(lambda: site.pids("hub") and site.pids("hub") != [old], "another hub")
    check(site.sluice.poll() is None and site.sluice.pid == pid, "the process is another one")
    for p in [pid] + site.pids("hub") + site.pids("responder"):
        check("deleted" not in os.readlink("/proc/%d/exe" % p), "process %d runs the old program" % p)
    crowd.until(lambda: min(crowd.next) > last, "all lines", 120)
    join(writer)
    check(crowd.connects == 2 * CLIENTS, "%d connections for %d clients" % (crowd.connects, CLIENTS))
    crowd.close()
    check(len(site.pids("hub")) == 1 and len(site.pids("responder")) == 2, "processes: %r" % children(pid))
    # And once more, now that everything was inherited.
    before = descriptors(pid)
    code, out = site.sluice_command("upgrade")
    check(code == 0, out)
    wait_for(lambda: site.get("/health/ready")[0] == 200, "it to come up again")
    wait_for(lambda: descriptors(pid) == before, "descriptors: %d, now %d" % (before, descriptors(pid)))


def a_program_that_is_no_good_changes_nothing(site):
    begin(site)
    stream = site.stream("channel=n")
    stream.until_type("hello")
    put_program(site, "/bin/false")
    p = subprocess.run([SLUICE, "upgrade", "-c", site.path("sluice.yaml")], capture_output=True, text=True)
    check(p.returncode == 2 and "does not take the configuration" in p.stderr, "%r" % p)
    os.unlink(site.path("bin/sluice"))
    p = subprocess.run([SLUICE, "upgrade", "-c", site.path("sluice.yaml")], capture_output=True, text=True)
    check(p.returncode == 2 and "no program" in p.stderr, "%r" % p)
    write_lines(site.path("n.log"), 1, 1)
    stream.until_message("1")
    # A hub is started again from the program that is gone.
    site.kill("hub")
    wait_for(lambda: site.pids("hub"), "another hub: " + site.log())
    site.ready()


def what_comes_in_between(site):
    """Signals and commands in the middle of upgrades: it is still the same sluice, and well."""
    begin(site)
    for i in range(12 if LONG else 4):
        asked = subprocess.Popen([site.path("bin/sluice"), "upgrade", "-c", site.path("sluice.yaml")], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        for _ in range(15):
            site.sluice.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        asked.wait()
        wait_for(lambda: site.get("/health/ready")[0] == 200, "it to be well: " + site.log()[-1000:])
    check(site.sluice.poll() is None, "it has ended")
    # Its lock is held by all who come from it.
    for pid in [site.sluice.pid] + site.pids("hub"):
        check(any(name.endswith("/state/lock") for name in open_names(pid)), "%d does not hold the lock" % pid)
    # What cannot be taken over is refused beforehand.
    text = open(site.path("sluice.yaml")).read()
    for old, new, says in (("state_dir: %s/state" % site.dir, "state_dir: %s/other" % site.dir, "no sluice runs"),
                           ("fcgi.sock", "other.sock", "hub.listen is another one")):
        with open(site.path("sluice.yaml"), "w") as f:
            f.write(text.replace(old, new))
        code, out = site.sluice_command("upgrade")
        check(code and says in out, "%s: %s" % (new, out))
    check(site.get("/health/ready")[0] == 200, "it is not well")


def a_mistake_made_during_an_upgrade(site):
    """What was checked has changed before the new program reads it: it waits until it is right."""
    begin(site)
    busy = Fcgi(site, "/probe", "frames=200&interval=1s")  # a responder that is not done
    busy.until(b"hello")
    text = open(site.path("sluice.yaml")).read()
    asked = subprocess.Popen([site.path("bin/sluice"), "upgrade", "-c", site.path("sluice.yaml")], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    site_log = len(site.log())
    time.sleep(1.5)  # the check is over, the responder is waited for
    with open(site.path("sluice.yaml"), "a") as f:
        f.write("  half: {type: fi\n")
    check(asked.wait(60 * PATIENCE) == 0, asked.stdout.read())
    wait_for(lambda: "waits for the configuration to be right" in site.log(), "it to wait: " + site.log()[site_log:], 30)
    check(site.sluice.poll() is None, "it has ended")
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text)
    wait_for(lambda: site.get("/health/ready")[0] == 200, "it to be well: " + site.log()[site_log:], 30)
    busy.close()


def draining_is_spread(site):
    begin(site)
    crowd = Crowd(site, 60)
    crowd.until(lambda: site.json("/status")["streams"]["open"] == 60, "the clients")
    began = time.monotonic()
    code, out = site.sluice_command("drain", "--over", "2s")
    check(code == 0 and "60 streams are being closed over 2 s" in out, out)
    check(site.get("/health/ready")[0] == 503, "ready while it drains")
    busy = site.stream("channel=n")
    check("draining" in busy.until_type("busy").data, "a new stream")
    crowd.until(lambda: len([b for b in crowd.byes if not b[1]]) == 60, "60 goodbyes", 20)
    times = [t - began for t, is_busy in crowd.byes if not is_busy]
    check(max(times) < 4 * PATIENCE, "too late: %.1f s" % max(times))
    each = [len([t for t in times if i / 4 <= t < (i + 1) / 4]) for i in range(8)]
    check(max(each) <= 20 * PATIENCE, "not spread: %r" % each)
    # Another hub is no way round it.
    site.kill("hub")
    wait_for(lambda: len(site.pids("hub")) == 1 and site.get("/health/live")[0] == 200, "another hub")
    wait_for(lambda: site.get("/health/ready")[0] == 503 and b"drain" in site.get("/health/ready")[2], "it to know of the drain")
    check("draining" in site.stream("channel=n").until_type("busy").data, "a new stream of another hub")
    check(site.sluice_command("drain", "--cancel")[0] == 0, "cancel")
    crowd.until(lambda: site.json("/status")["streams"]["open"] == 60, "them to come back")
    crowd.close()
    wait_for(lambda: site.json("/status")["streams"]["open"] == 0, "them to be gone")
    few = Crowd(site, 4)
    few.until(lambda: site.json("/status")["streams"]["open"] == 4, "a few")
    began = time.monotonic()
    check(site.sluice_command("drain", "--over", "2s")[0] == 0, "drain")
    few.until(lambda: len([b for b in few.byes if not b[1]]) == 4, "4 goodbyes", 20)
    check(max(t for t, _ in few.byes) - began > 1, "the few are not spread: %r" % [t - began for t, _ in few.byes])
    few.close()
    check(site.sluice_command("drain", "--cancel")[0] == 0, "cancel")
    for args, says in ((["--over", "soon"], "a duration"), (["--ever"], "unknown option")):
        code, out = site.sluice_command("drain", *args)
        check(code == 2 and says in out, out)


def systemd_is_told(site):
    require("systemd-socket-activate", "systemd-analyze")
    begin(site)
    site.stop()
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(site.path("notify"))
    notify.settimeout(20 * PATIENCE)
    log = open(site.path("sluice.log"), "ab")
    # Its socket is there before it is; who connects starts it.
    site.sluice = subprocess.Popen(
        ["systemd-socket-activate", "-l", site.path("fcgi.sock"), "-E", "NOTIFY_SOCKET=" + site.path("notify"),
         "-E", "WATCHDOG_USEC=1000000", "-E", "SLUICE_PLUGIN_DIR", "-E", "SLUICE_CONSOLE_DIR",
         site.path("bin/sluice"), "run", "-c", site.path("sluice.yaml")], stdout=log, stderr=log)
    log.close()

    def first_request():
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):  # the socket is not there yet, or not heard
            return ask(site, "/health/live")
    check(wait_for(first_request, "the socket")[0] == 200, "the first request")
    said = ""
    while "WATCHDOG=1" not in said or "READY=1" not in said:
        said += notify.recv(4096).decode() + "\n"
    site.ready()
    write_lines(site.path("n.log"), 1, 3)
    s = site.stream("channel=n&earliest=1")
    s.until_message("3")
    code, out = site.sluice_command("upgrade")
    check(code == 0, out)
    s = site.stream("channel=n&earliest=1")
    s.until_message("3")
    site.stop()
    while "STOPPING=1" not in said:
        said += notify.recv(4096).decode() + "\n"
    check(os.path.exists(site.path("fcgi.sock")), "systemd's socket is gone")


def the_units_are_sound_and_tight(site):
    require("systemd-analyze")
    unit = site.path("sluice.service")
    text = open(os.path.join(SRC, "contrib/systemd/sluice.service.in")).read()
    with open(unit, "w") as f:
        f.write(text.replace("@bindir@/sluice", "/bin/true").replace("@sysconfdir@", "/etc"))
    p = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=30", unit], capture_output=True, text=True)
    check(p.returncode == 0, p.stdout[-300:] + p.stderr)
    shutil.copy(os.path.join(SRC, "contrib/systemd/sluice.socket"), site.path("sluice.socket"))
    p = subprocess.run(["systemd-analyze", "verify", "--man=false", unit, site.path("sluice.socket")], capture_output=True, text=True)
    check("sluice" not in p.stderr and p.returncode == 0, p.stderr)


run(upgrade_loses_nobody, what_comes_in_between, a_program_that_is_no_good_changes_nothing, draining_is_spread, a_mistake_made_during_an_upgrade, systemd_is_told,
    the_units_are_sound_and_tight)
