#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The units under a real systemd, with Debian's own lighttpd.service in front.

A systemd is process 1 of namespaces over a copy of this machine (see boot); it needs
root and the right to mount.  Installed as doc/front-servers.md says.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from harness import *

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = """
hub: {listen: unix:/run/sluice/fcgi.sock, state_dir: /var/lib/sluice}
access: {default: allow}
sources:
  app: {type: file, channel: logs, include: [/var/log/app/*.log], read_from: beginning}
  network: {type: syslog, channel: net, listen: ["udp:127.0.0.1:PORT", "unix-dgram:/run/sluice/log.sock"]}
  machine: {type: metrics, channel: load, interval: 200ms}
  shell: {type: command, channel: shell, interval: 200ms, shell: "id -un"}
"""


def low_port():
    """A port that only who may bind to it can."""
    for port in range(514, 1024):
        with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", port))
            return port
    raise Failed("no port below 1024 is free")


class Machine(Site):
    """A Site whose processes are those of units."""

    def __init__(self):
        super().__init__("systemd")
        self.laid_over = self.path("laid-over")
        self.syslog_port = low_port()
        self.systemd = None

    def install(self):
        os.mkdir(self.path("build"))
        os.mkdir(self.laid_over)
        for command in ([os.path.join(SRC, "configure"), "--sysconfdir=/etc", "--with-systemdsystemunitdir=/lib/systemd/system",
                         "CFLAGS=-O1"],
                        ["make", "-s", "-j%d" % os.cpu_count(), "install", "DESTDIR=" + self.laid_over]):
            done = subprocess.run(command, cwd=self.path("build"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            check(done.returncode == 0, done.stdout[-3000:])
        # /lib is a link on this machine: a directory would hide all that is there.
        for unit in ("sluice.service", "sluice.socket"):
            os.rename(self.path("laid-over/lib/systemd/system", unit), self.put("usr/lib/systemd/system/" + unit))
        shutil.rmtree(self.path("laid-over/lib"))
        self.configure(CONFIG)

    def put(self, name):
        """Where a file of the machine is before it boots."""
        path = os.path.join(self.laid_over, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def configure(self, text):
        path = self.put("etc/sluice/sluice.yaml") if self.systemd is None else self.at("/etc/sluice/sluice.yaml")
        with open(path, "w") as f:
            f.write(text.replace("PORT", str(self.syslog_port)))

    def boot(self):
        log = open(self.path("boot.log"), "wb")
        self.systemd = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", os.path.join(HERE, "boot"), self.dir],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.init = wait_for(lambda: children(self.systemd.pid), "the namespaces")[0]
        wait_for(lambda: b"systemd" in open("/proc/%d/cmdline" % self.init, "rb").read(), "systemd to begin")
        wait_for(lambda: self.run("systemctl", "is-system-running")[1].strip() in ("running", "degraded"), "the machine to be up")

    def at(self, path):
        """A path of the machine, seen from here."""
        return "/proc/%d/root%s" % (self.init, path)

    def run(self, *command):
        done = subprocess.run(["nsenter", "-t", str(self.init), "-a", "-r", "-w", *command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60 * PATIENCE)
        return done.returncode, done.stdout

    def must(self, *command):
        code, out = self.run(*command)
        check(code == 0, "%s: %d\n%s\n%s" % (" ".join(command), code, out, self.log()[-3000:]))
        return out

    def log(self):
        return self.run("journalctl", "-u", "sluice", "-o", "cat", "--no-pager")[1] if self.systemd else ""

    def property(self, name, unit="sluice.service"):
        return self.must("systemctl", "show", "-P", name, unit).strip()

    def main_pid(self):
        """As the machine counts, for a change of it."""
        return int(self.property("MainPID"))

    def tear_down(self, failed):
        for s in self.streams:
            s.close()
        if failed:
            print(self.run("systemctl", "status", "--no-pager", "sluice.service", "sluice.socket", "lighttpd")[1] + self.log()[-5000:])
        everyone = children(self.systemd.pid)
        self.systemd.kill()
        self.systemd.wait()
        wait_for(lambda: not any(alive(p) for p in everyone), "the machine to end")
        for folder, _, _ in os.walk(open(self.path("cgroup")).read().strip(), topdown=False):
            os.rmdir(folder)
        shutil.rmtree(self.dir, ignore_errors=True)


def steps(m):
    def step(text):
        print("# " + text)
        sys.stdout.flush()

    step("installed, enabled and started")
    m.must("systemd-sysusers")
    m.must("systemd-tmpfiles", "--create")
    os.makedirs(m.at("/var/log/app"))
    app = m.at("/var/log/app/app.log")
    write_lines(app, 1, 1000)
    m.must("chgrp", "-R", "adm", "/var/log/app")
    m.must("chmod", "0640", "/var/log/app/app.log")
    m.must("systemctl", "daemon-reload")
    m.must("systemctl", "enable", "--now", "sluice.service")
    check(m.property("ActiveState") == "active" and m.property("ActiveState", "sluice.socket") == "active", "not both are active")

    step("mounted as `sluice mount lighttpd` says, under Debian's lighttpd.service")
    conf = m.must("sluice", "mount", "lighttpd", "--prefix", "/logs")
    with open(m.at("/etc/lighttpd/conf-enabled/50-sluice.conf"), "w") as f:
        f.write(conf)
    text = open(m.at("/etc/lighttpd/lighttpd.conf")).read()
    with open(m.at("/etc/lighttpd/lighttpd.conf"), "w") as f:
        f.write(re.sub(r"server\.port\s*=\s*80", 'server.bind = "127.0.0.1"\nserver.port = %d' % m.port, text))
    os.makedirs(m.at("/var/log/lighttpd"), exist_ok=True)
    m.must("systemctl", "start", "lighttpd")
    wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", m.port)) == 0, "lighttpd to answer")
    m.ready()
    numbers = Numbers(m, "logs")
    numbers.until(1000)

    step("all four kinds of sources work inside of the unit's walls")
    socket.socket(type=socket.SOCK_DGRAM).sendto(b"<13>below 1024", ("127.0.0.1", m.syslog_port))
    m.stream("channel=net&earliest=1").until_type("message")
    m.stream("channel=shell&earliest=1").events(lambda e: e.type != "hello" and e.json()["message"] == "sluice")
    m.stream("channel=load&earliest=1").events(lambda e: e.type not in ("hello", "gap"))
    for s in m.json("/status")["sources"]:
        check(s["state"] in ("running", "waiting"), repr(s))

    step("a wrong configuration is refused, and nobody notices")
    m.configure(CONFIG.replace("type: metrics", "type: metrix"))
    code, out = m.run("systemctl", "reload", "sluice")
    check(code != 0 and m.property("ActiveState") == "active", out)
    check('did you mean "metrics"' in m.log(), m.log()[-2000:])
    m.configure(CONFIG)
    m.must("systemctl", "reload", "sluice")

    step("kill -9 of process 1 of the unit, and of the hub")
    for victim in ("run", "hub"):
        before = m.main_pid()
        first, last = numbers.next, numbers.next + 999
        writer = in_background(write_lines, app, first, last, block=10, pause=0.01)
        numbers.until(first + 100)
        pids = [p for p in children(m.init) if role_of(p) == victim]
        os.kill(pids[0], signal.SIGKILL)
        join(writer)
        numbers.until(last)
        if victim == "run":
            wait_for(lambda: m.main_pid() not in (0, before), "systemd to start it again")
    check(int(m.property("NRestarts")) >= 1, "NRestarts")

    step("restart: requests wait at the socket that is systemd's")
    restart = in_background(lambda: m.must("systemctl", "restart", "sluice"))
    refused = 0
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        refused += m.get("/health/live")[0] != 200
    join(restart)
    check(refused == 0, "%d requests were refused" % refused)

    step("upgrade: the same process, still active")
    before = m.main_pid()
    m.must("sluice", "upgrade")
    write_lines(app, numbers.next, numbers.next + 999)
    numbers.until(numbers.next + 999)
    check(m.main_pid() == before and m.property("ActiveState") == "active", "it is another one")

    step("one that hangs is ended by the watchdog and started again")
    os.makedirs(m.at("/run/systemd/system/sluice.service.d"))
    with open(m.at("/run/systemd/system/sluice.service.d/short.conf"), "w") as f:
        f.write("[Service]\nWatchdogSec=3s\n")
    m.must("systemctl", "daemon-reload")
    m.must("systemctl", "restart", "sluice")
    before = m.main_pid()
    time.sleep(4)
    check(m.main_pid() == before, "the watchdog bites one that is well")
    m.must("kill", "-STOP", str(before))
    wait_for(lambda: m.main_pid() not in (0, before) and m.property("ActiveState") == "active", "the watchdog", 40)
    write_lines(app, numbers.next, numbers.next + 999)
    numbers.until(numbers.next + 999)

    step("stopped: nothing of it is left; a request starts it")
    m.must("systemctl", "stop", "sluice.service")
    check(not [p for p in children(m.init) if role_of(p)], "processes are left")
    check(m.property("Result") == "success", m.property("Result"))
    wait_for(lambda: m.get("/health/ready", timeout=30)[0] == 200, "a request to start it")
    check(m.property("ActiveState") == "active", "it is not")

    step("the journal knows how grave each line is")
    lines = [json.loads(line) for line in m.must("journalctl", "-u", "sluice", "-o", "json", "--no-pager").splitlines()]
    grave = [line["MESSAGE"] for line in lines if line["SYSLOG_IDENTIFIER"] == "sluice" and line["PRIORITY"] <= "4"]
    check(any("metrix" in g or "metrics" in g for g in grave), repr(grave))
    check(len(grave) < len(lines), "all is grave")
    for line in lines:
        check("denied" not in str(line["MESSAGE"]) and "not permitted" not in str(line["MESSAGE"]), str(line["MESSAGE"]))


def main():
    m = Machine()
    failed = True
    try:
        m.install()
        m.boot()
        steps(m)
        failed = False
        print("ok under systemd")
    except Exception as e:
        print("not ok under systemd: %s" % (e if isinstance(e, Failed) else traceback.format_exc()))
    finally:
        m.tear_down(failed) if m.systemd else shutil.rmtree(m.dir)
    sys.exit(failed)


main()
