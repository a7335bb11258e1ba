# SPDX-License-Identifier: MIT
"""The metrics plugin on fixtures, where every figure is known, and on this machine."""
import ctypes
import os
import time

from harness import *

STAT = "cpu  %d 0 %d %d 0 0 0 0 0 0\ncpu0 %d 0 %d %d 0 0 0 0 0 0\nprocesses %d\n"


class Machine:
    """A procfs made up; files are replaced whole."""

    def __init__(self, site):
        self.site = site
        os.makedirs(site.path("proc/net"))
        os.makedirs(site.path("proc/self"))
        os.makedirs(site.path("sys"))
        self.put("stat", STAT % (0, 0, 0, 0, 0, 0, 10))
        self.put("meminfo", "MemTotal: 1000 kB\nMemFree: 200 kB\nMemAvailable: 400 kB\nBuffers: 50 kB\nCached: 100 kB\n"
                            "SReclaimable: 50 kB\nSwapTotal: 100 kB\nSwapFree: 75 kB\n")
        self.put("loadavg", "0.50 1.25 2.00 1/100 1234\n")
        self.put("self/mounts", "")
        self.disk(1000, 2000)
        self.net(0, 0)

    def put(self, name, text):
        path = self.site.path("proc", name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def disk(self, read, written):
        self.put("diskstats", " 8 0 sda 10 0 %d 5 20 0 %d 6 1 7 8\n 8 1 never 0 0 0 0 0 0 0 0 0 0 0\n"
                              " 7 0 loop0 1 0 1 1 1 0 1 1 1 1 1\n" % (read, written))

    def net(self, rx, tx):
        self.put("net/dev", "Inter-|   Receive\n face |bytes\n  eth0: %d 1 0 0 0 0 0 0 %d 2 0 0 0 0 0 0\n"
                            "    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n" % (rx, tx))

    def up(self, options):
        self.site.up("m: {type: metrics, channel: m, interval: 200ms, procfs: DIR/proc, sysfs: DIR/sys, %s}\n" % options)
        self.stream = self.site.stream("channel=m&earliest=1")

    def until(self, fn, type=None):
        return self.stream.events(lambda e: e.type != "hello" and (not type or e.type == type) and fn(e.json()))[-1].json()


def cpu_as_shares(site):
    m = Machine(site)
    m.up("collectors: [cpu], per_cpu: true")
    first = m.until(lambda e: True)
    check(first["fields"]["system.cpu.utilization"] is None, "the first tick knows nothing: %r" % first)
    m.put("stat", STAT % (30, 10, 60, 30, 10, 60, 10))
    e = m.until(lambda e: e["fields"]["system.cpu.utilization"])
    check(abs(e["fields"]["system.cpu.utilization"] - 0.4) < 1e-9, repr(e))
    check(abs(e["fields"]["system.cpu.utilization.user"] - 0.3) < 1e-9, repr(e))
    check(e["fields"]["devices"] == [{"cpu": "0", "system.cpu.utilization": 0.4}], repr(e))


def memory_in_bytes(site):
    m = Machine(site)
    m.up("collectors: [memory]")
    f = m.until(lambda e: True)["fields"]
    check(f["system.memory.limit"] == 1024000 and f["system.memory.usage"] == 600 * 1024
          and abs(f["system.memory.utilization"] - 0.6) < 1e-9 and f["system.paging.usage"] == 25 * 1024, repr(f))


def counters_and_their_rates(site):
    m = Machine(site)
    m.up("collectors: [disk, network]")
    first = m.until(lambda e: True, "disk")["fields"]["devices"]
    check([d["system.device"] for d in first] == ["sda"], "not the devices that are used: %r" % first)
    check(first[0]["system.disk.io.read"] == 512000 and first[0]["system.disk.io.read.rate"] is None, repr(first))
    m.disk(3000, 2000)
    d = m.until(lambda e: e["fields"]["devices"][0]["system.disk.io.read"] == 3000 * 512, "disk")["fields"]["devices"][0]
    # 2,000 sectors within one interval of 200 ms, give or take a late tick.
    check(0.5 * 5120000 < d["system.disk.io.read.rate"] < 1.5 * 5120000, repr(d))


def a_counter_that_goes_back(site):
    m = Machine(site)
    m.net(10 ** 9, 5)
    m.up("collectors: [network], network: {exclude: [lo]}")
    m.until(lambda e: True)
    m.net(100, 10)
    e = m.until(lambda e: e["fields"]["devices"][0]["system.network.io.receive"] == 100)
    d, = e["fields"]["devices"]
    check(e["fields"]["reset"] is True and d["system.network.io.receive.rate"] is None
          and d["system.network.io.transmit.rate"] > 0, repr(e))
    e = m.until(lambda e: "reset" not in e["fields"])
    check(e["fields"]["devices"][0]["system.network.io.receive.rate"] == 0, "never a negative: %r" % e)


def what_is_left_out(site):
    m = Machine(site)
    m.up("collectors: [disk, network], rates: false, disk: {include: ['loop*'], exclude: []}, network: {include: ['l*']}")
    d = m.until(lambda e: True, "disk")["fields"]["devices"]
    n = m.until(lambda e: True, "network")["fields"]["devices"]
    check([x["system.device"] for x in d] == ["loop0"] and "system.disk.io.read.rate" not in d[0], repr(d))
    check([x["network.interface.name"] for x in n] == ["lo"], repr(n))


def thresholds(site):
    m = Machine(site)
    m.up("collectors: [memory], thresholds: {system.memory.utilization: 0.7}")
    m.until(lambda e: True, "memory")
    m.put("meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 100 kB\n")
    e = m.until(lambda e: True, "threshold")
    check(e["fields"]["exceeded"] is True and e["severity"] == "warning" and e["fields"]["value"] == 0.9, repr(e))
    m.put("meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 500 kB\n")
    check(m.until(lambda e: True, "threshold")["fields"]["exceeded"] is False, "that it is over is not told")


def what_is_missing_or_broken_stops_nothing(site):
    m = Machine(site)
    for name in ("stat", "diskstats"):
        os.unlink(site.path("proc", name))
    m.put("net/dev", "garbage\n: : :\n\x00\xff")
    m.up("collectors: [cpu, disk, network, pressure, load]")
    e = m.until(lambda e: True, "load")
    check(e["fields"]["system.cpu.load_average.5m"] == 1.25, repr(e))
    wait_for(lambda: site.source("m")["counters"]["failed"] > 3, "failures to be counted")


def names_are_any_bytes(site):
    m = Machine(site)
    m.put("self/mounts", "/dev/x /nowhere/with\\040blank\\011\"quote\" ext4 rw 0 0\n")
    m.up("collectors: [filesystem]")
    d = m.until(lambda e: True)["fields"]["devices"]
    check(d[0]["system.filesystem.mountpoint"] == '/nowhere/with blank\t"quote"' and "No such file" in d[0]["error"], repr(d))


def ticks_do_not_drift(site):
    site.up("m: {type: metrics, channel: m, interval: 200ms, collectors: [load]}\n")
    s = site.stream("channel=m&earliest=1")
    got = []
    s.events(lambda e: e.type == "load" and (got.append(e.json()["time"]) or len(got) == 21))

    def seconds(t):
        return int(t[11:13]) * 3600 + int(t[14:16]) * 60 + float(t[17:-1])
    off = drift([seconds(t) for t in got], 0.2)
    check(abs(off) < 0.05, "20 ticks drifted by %.3f s" % off)


def this_machine(site):
    """Every collector that there is here, with the names that are documented."""
    site.up("m: {type: metrics, channel: m, interval: 200ms}\n")
    s = site.stream("channel=m&earliest=1")
    seen = {}
    s.events(lambda e: seen.update({e.type: e.json()}) or {"cpu", "memory", "load", "disk", "filesystem", "network",
                                                          "processes", "self"} <= set(seen))
    check(seen["memory"]["fields"]["system.memory.limit"] == int(open("/proc/meminfo").readline().split()[1]) * 1024,
          repr(seen["memory"]))
    root = [d for d in seen["filesystem"]["fields"]["devices"] if d["system.filesystem.mountpoint"] == "/"][0]
    st = os.statvfs("/")
    check(root["system.filesystem.limit"] == st.f_blocks * st.f_frsize, repr(root))


def a_hung_mount_stops_nothing(site):
    """A FUSE mount that nobody answers, which is what a dead NFS server looks like."""
    libc = ctypes.CDLL(None, use_errno=True)
    os.makedirs(site.path("dead"))
    try:
        fuse = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        with contextlib.suppress(OSError):
            os.mknod("/dev/fuse", 0o666 | 0o020000, os.makedev(10, 229))
        try:
            fuse = os.open("/dev/fuse", os.O_RDWR)
        except OSError as e:
            return hung_in_a_pipe(site, e)
    options = "fd=%d,rootmode=40000,user_id=0,group_id=0" % fuse
    if libc.mount(b"dead", site.path("dead").encode(), b"fuse.dead", 0, options.encode()):
        os.close(fuse)
        return hung_in_a_pipe(site, ctypes.get_errno())
    try:
        site.up("m: {type: metrics, channel: m, interval: 300ms, timeout: 100ms, user: root, collectors: [filesystem, load]}\n")
        s = site.stream("channel=m&earliest=1")
        e = s.events(lambda e: e.type == "filesystem")[-1].json()
        dead = [d for d in e["fields"]["devices"] if d["system.filesystem.mountpoint"] == site.path("dead")]
        check(dead and dead[0].get("error") == "does not answer" and e["fields"]["system.filesystem.hung"] == 1, repr(e))
        began = time.monotonic()
        n = []
        s.events(lambda e: e.type == "load" and (n.append(e) or len(n) == 5))
        check(time.monotonic() - began < 5 * PATIENCE, "the other collectors are held up")
        check(len(os.listdir("/proc/%d/task" % site.source("m")["pid"])) <= 3, "threads pile up")
    finally:
        os.close(fuse)  # which ends the mount's connection
        libc.umount2(site.path("dead").encode(), 2)


def hung_in_a_pipe(site, why):
    raise Failed("no FUSE here (%s): a hung mount cannot be tested" % why)


run(cpu_as_shares, memory_in_bytes, counters_and_their_rates, a_counter_that_goes_back, what_is_left_out, thresholds,
    what_is_missing_or_broken_stops_nothing, names_are_any_bytes, ticks_do_not_drift, this_machine,
    a_hung_mount_stops_nothing)
