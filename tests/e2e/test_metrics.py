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

    def net(self, rx, tx, name="eth0"):
        self.put("net/dev", "Inter-|   Receive\n face |bytes\n  %s: %d 1 0 0 0 0 0 0 %d 2 0 0 0 0 0 0\n"
                            "    lo: 5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n" % (name, rx, tx))

    def source(self, options):
        return "m: {type: metrics, channel: m, interval: 100ms, procfs: DIR/proc, sysfs: DIR/sys, %s}\n" % options

    def configure(self, options):
        self.site.write_config(self.source(options))

    def up(self, options):
        self.site.up(self.source(options))
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
    # 2,000 sectors within one interval of 100 ms, give or take a late tick.
    check(0.5 * 10240000 < d["system.disk.io.read.rate"] < 1.5 * 10240000, repr(d))


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


def cpu_counters_that_go_back(site):
    """idle and iowait do, under LXCFS and on idle CPUs: nothing that follows from them is known."""
    m = Machine(site)
    line = "cpu  %d 0 %d %d %d 0 0 0 0 0\ncpu0 %d 0 %d %d %d 0 0 0 0 0\n"
    m.put("stat", line % (2 * (100, 100, 1000, 100)))
    m.up("collectors: [cpu], per_cpu: true")
    m.until(lambda e: e["fields"]["system.cpu.utilization"] is None)
    seen = []
    for user, system, idle, iowait in ((160, 100, 950, 100), (170, 110, 960, 40), (180, 120, 970, 50)):
        m.put("stat", line % (2 * (user, system, idle, iowait)))
        seen.append(m.until(lambda e: e["fields"].get("reset") or e["fields"]["system.cpu.utilization"] is not None))
    for e in seen[:2]:
        values = [v for k, v in e["fields"].items() if "utilization" in k] + [e["fields"]["devices"][0]["system.cpu.utilization"]]
        check(len(values) == 10 and values == 10 * [None] and e["fields"]["reset"], repr(e))
    check(seen[2]["fields"]["system.cpu.utilization"] == 0.5, repr(seen[2]))


def figures_that_do_not_add_up(site):
    m = Machine(site)
    m.put("meminfo", "MemTotal: 1000 kB\nMemFree: 2000 kB\nMemAvailable: 3000 kB\nSwapTotal: 100 kB\nSwapFree: 900 kB\n")
    m.put("diskstats", " 8 0 sda 1 0 18446744073709551615 5 20 0 1 6 1 0 8\n")
    m.up("collectors: [memory, disk]")
    f = m.until(lambda e: True, "memory")["fields"]
    check(f["system.memory.utilization"] == 0 and f["system.memory.usage"] == 0 and f["system.paging.usage"] == 0
          and "system.memory.oom_kills" not in f, repr(f))
    d = m.until(lambda e: True, "disk")["fields"]["devices"][0]
    check(d["system.disk.io.read"] == 2 ** 63 - 1, repr(d))
    m.put("diskstats", " 8 0 sda 1 0 5 5 20 0 1 6 1 999999 8\n")
    d = m.until(lambda e: e["fields"]["devices"][0]["system.disk.io_time"] > 0, "disk")["fields"]["devices"][0]
    check(d["system.disk.io.read.rate"] is None and d["system.disk.io_time.rate"] == 1, repr(d))


def what_is_left_out(site):
    m = Machine(site)
    m.up("collectors: [disk, network], rates: false, disk: {include: ['loop*'], exclude: []}, network: {include: ['l*']}")
    d = m.until(lambda e: True, "disk")["fields"]["devices"]
    n = m.until(lambda e: True, "network")["fields"]["devices"]
    check([x["system.device"] for x in d] == ["loop0"] and "system.disk.io.read.rate" not in d[0], repr(d))
    check([x["network.interface.name"] for x in n] == ["lo"], repr(n))


def thresholds(site):
    m = Machine(site)
    m.up("collectors: [memory], thresholds: {system.memory.utilization: above 70% until 0.5, system.linux.memory.available: below 200KiB}")
    m.until(lambda e: True, "memory")
    m.put("meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 250 kB\n")
    e = m.until(lambda e: True, "threshold")
    check(e["fields"] == {"name": "system.memory.utilization", "direction": "above", "value": 0.75, "threshold": 0.7, "exceeded": True}
          and e["severity"] == "warning", repr(e))
    m.put("meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 100 kB\n")
    f = m.until(lambda e: True, "threshold")["fields"]
    check(f["name"] == "system.linux.memory.available" and f["direction"] == "below" and f["exceeded"], repr(f))
    m.put("meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 400 kB\n")
    f = m.until(lambda e: True, "threshold")["fields"]
    check(f["name"] == "system.linux.memory.available" and not f["exceeded"], "0.6 is not yet below 0.5: %r" % f)
    m.put("meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 500 kB\n")
    f = m.until(lambda e: True, "threshold")["fields"]
    check(f["name"] == "system.memory.utilization" and not f["exceeded"] and f["value"] == 0.5, repr(f))


def alarms_name_their_devices(site):
    m = Machine(site)

    def disks(**pending):
        m.put("diskstats", "".join(" 8 0 %s 10 0 1 5 20 0 1 6 %d 7 8\n" % d for d in pending.items()))

    def alarm():
        e = m.until(lambda e: True, "threshold")
        check(e["fields"]["device"] in e["message"], repr(e))
        return e["fields"]["device"], e["fields"]["value"], e["fields"]["threshold"], e["fields"]["exceeded"]
    disks(sda=0, sdb=0, sdc=0)
    m.up("collectors: [disk], thresholds: {system.disk.pending_operations: 10, 'system.disk.pending_operations sd[c-z]': 100}")
    m.until(lambda e: True, "disk")
    disks(sda=50, sdb=0, sdc=50)
    check(alarm() == ("sda", 50, 10, True), "the first")
    disks(sda=50, sdb=20, sdc=50)
    check(alarm() == ("sdb", 20, 10, True), "one silences another")
    disks(sda=1, sdb=20, sdc=50)
    check(alarm() == ("sda", 1, 10, False), "the end of the first")
    disks(sda=11, sdb=20, sdc=50)
    check(alarm() == ("sda", 11, 10, True), "a recovered one")
    disks(sda=11, sdb=20, sdc=101)
    check(alarm() == ("sdc", 101, 100, True), "one with a threshold of its own")
    # Neither a restart nor a crash repeats an alarm or forgets one.
    site.kill("source")
    wait_for(lambda: site.source("m")["restarts"] == 1 and site.source("m")["state"] == "running", "it to run again")
    disks(sda=11, sdc=101)
    check(alarm() == ("sdb", None, 10, False), "the end of one that is gone")
    disks(sda=2, sdc=101)
    check(alarm() == ("sda", 2, 10, False), "after a restart")
    m.configure("collectors: [disk], thresholds: {system.disk.pending_operations: 5}")
    check(site.sluice_command("reload")[0] == 0, site.log())
    disks(sda=2, sdc=3)
    check(alarm() == ("sdc", 3, 5, False), "with another threshold")


def thresholds_that_could_never_be_met(site):
    for options, said in (("system.filesystem.utilisation: 0.9", 'did you mean "system.filesystem.utilization"?'),
                          ("filesystem.utilization: 0.9", 'did you mean "system.filesystem.utilization"?'),
                          ("system.disk.io.read.rat: 5", 'did you mean "system.disk.io.read.rate"?'),
                          ("system.load: 5", "no value is called"), ("system.disk.pending_operations.rate: 5", "no value is called"),
                          ("system.memory.utilization: high", "write a number"), ("system.memory.utilization: over 0.9", "write a number"),
                          ("system.memory.utilization: 0.9 MiBs", "write a number"), ("system.memory.utilization: ''", "no threshold"),
                          ("system.memory.utilization: nan", "write a number"),
                          ("system.memory.utilization sda: 1", "one value for the whole machine"),
                          ("system.cpu.utilization 0: 0.9", "per_cpu: true"),
                          ("system.memory.utilization: above 0.8 until 0.9", "until must be lower"),
                          ("system.cpu.load_average.1m: 1}, collectors: [cpu", "add load to collectors"),
                          ("system.disk.io.read.rate: 1}, rates: false, x: {", "rates: true")):
        text = "m: {type: metrics, channel: m, thresholds: {%s}}\n" % options if "}" not in options else \
            "m: {type: metrics, channel: m, thresholds: {%s%s}\n" % (options.replace(", x: {", ""), "]" if "[" in options else "")
        site.write_config(text)
        status, out = site.sluice_command("check")
        check(status == 2 and said in out, "%s: %s" % (options, out))


def what_is_configured_and_not_available_is_reported(site):
    m = Machine(site)
    m.up("collectors: [load, disk, network, filesystem, pressure, cgroup], disk: {include: [sda, sdx]}, network: {include: ['wl*']}, "
         "filesystem: {include: [/nope]}, fstype: {include: [zfs]}, thresholds: {system.disk.io_time.rate sdy: 0.5}")
    for said in ('disk.include: no disk matches "sdx" (there are: sda, never, loop0)', 'network.include: no network interface matches "wl*" (there are: eth0, lo)',
                 'filesystem.include: no mount point matches "/nope" (there are none)', "fstype.include: no file system is of one of these types", 'thresholds: system.disk.io_time.rate: no device matches "sdy"',
                 "collectors: pressure has no values: this kernel has no pressure stall information",
                 "collectors: cgroup has no values: %s" % site.path("proc/self/cgroup")):
        site.told(said, 1)
    wait_for(lambda: site.source("m")["counters"].get("problems") == 7, "the counter of problems: %r" % site.source("m"))
    check("cgroup" in site.source("m")["last_error"], repr(site.source("m")))
    m.net(1, 1, "wlan0")
    site.told("network.include: wl*: no longer a problem", 1)
    wait_for(lambda: site.source("m")["counters"]["problems"] == 6, "the problem to be over")
    m.configure("collectors: [load], network: {include: [eth0]}, per_cpu: true")
    check(site.sluice_command("reload")[0] == 0, site.log())
    for said in ("network.include has no effect without collectors: network", "per_cpu has no effect without collectors: cpu"):
        site.told(said, 1)


def paths_that_are_not_there(site):
    m = Machine(site)
    site.up(m.source("rootfs: DIR/host").replace("DIR/proc", "DIR/host/proc").replace("DIR/sys", "DIR/host/sys"))
    for said in ("procfs: there is no directory %s" % site.path("host/proc"), "sysfs: there is no directory", "rootfs: there is no directory %s" % site.path("host"),
                 "collectors: nothing can be collected: %s" % site.path("host/proc")):
        site.told(said, 1)
    os.makedirs(site.path("host/proc"))
    os.makedirs(site.path("host/sys"))
    m.put("../host/proc/loadavg", "0.50 1.25 2.00 1/100 1234\n")
    site.told("collectors: all: no longer a problem", 1)
    wait_for(lambda: site.source("m")["counters"]["problems"] == 0, "the problems to be over")


def hosts_mounts_from_a_container(site):
    m = Machine(site)
    root = site.path("root")
    os.makedirs(os.path.join(root, "data"))
    os.makedirs(site.path("proc/1/net"))
    m.put("1/mounts", "/dev/a / ext4 rw 0 0\n/dev/b /data ext4 rw 0 0\n/dev/c /gone ext4 rw 0 0\nproc /proc proc rw 0 0\n")
    m.put("1/net/dev", "  host0: 7 1 0 0 0 0 0 0 8 2 0 0 0 0 0 0\n")
    m.up("collectors: [filesystem, network], rootfs: DIR/root/")

    def sizes(e):
        return {d["system.filesystem.mountpoint"]: d.get("error") or d["system.filesystem.limit"] for d in e["fields"]["devices"]}
    st = os.statvfs(root)
    limit = st.f_blocks * st.f_frsize
    e = m.until(lambda e: True, "filesystem")
    check(sizes(e) == {"/": limit, "/data": limit, "/gone": "No such file or directory"}, repr(e))
    check(m.until(lambda e: True, "network")["fields"]["devices"][0]["network.interface.name"] == "host0", "not the host's interfaces")
    # Where rootfs was mounted without what is mounted below it, its sizes are another one's.
    m.put("self/mounts", "/dev/a %s ext4 rw 0 0\n" % root)
    e = m.until(lambda e: "not visible" in str(sizes(e)["/data"]), "filesystem")
    check(sizes(e)["/"] == limit, repr(e))
    # Without the host's procfs, what is mounted below rootfs.
    m.put("1/mounts", "overlay / overlay rw 0 0\n/dev/a %s ext4 rw 0 0\n" % root)
    m.put("self/mounts", "overlay / overlay rw 0 0\n/dev/a %s ext4 rw 0 0\n/dev/b %s/data ext4 rw 0 0\n" % (root, root))
    e = m.until(lambda e: "/gone" not in sizes(e), "filesystem")
    check(sizes(e) == {"/": limit, "/data": limit}, repr(e))


def control_groups_of_both_versions(site):
    m = Machine(site)

    def group(path, **files):
        os.makedirs(site.path("sys/fs/cgroup", path), exist_ok=True)
        for name, text in files.items():
            with open(site.path("sys/fs/cgroup", path, name.replace("__", ".")), "w") as f:
                f.write(text)
    m.put("self/cgroup", "12:cpu,cpuacct:/docker/x\n5:memory:/docker/x\n4:pids:/docker/x\n1:name=systemd:/docker/x\n0::/docker/x\n")
    group("cpu,cpuacct/docker/x", cpuacct__usage="2500000000\n", cpu__stat="nr_periods 0\nthrottled_time 500000000\n")
    group("memory", memory__usage_in_bytes="1048576\n", memory__limit_in_bytes="9223372036854771712\n")
    group("pids/docker/x", pids__current="7\n")
    m.up("collectors: [cgroup], rates: false")
    e = m.until(lambda e: True)
    check(e["fields"] == {"container.cpu.time": 2.5, "container.cpu.throttled.time": 0.5, "container.memory.usage": 1048576,
                          "container.process.count": 7} and e["message"] == "cgroup /docker/x: memory 1.0 MiB", repr(e))
    m.put("self/cgroup", "0::/a/b\n")
    group("a/b", cpu__stat="usage_usec 9000000\nthrottled_usec 0\n", memory__current="2048\n", memory__max="4096\n", pids__current="3\n")
    e = m.until(lambda e: e["fields"]["container.memory.usage"] == 2048)
    check("reset" not in e["fields"] and e["message"].startswith("cgroup /a/b: memory 2.0 KiB of 4.0 KiB"), repr(e))


def messages_say_the_values(site):
    m = Machine(site)
    m.up("collectors: [disk, network, processes]")
    check(m.until(lambda e: True, "disk")["message"] == "sda has read 500.0 KiB and written 1000.0 KiB", "the first of the disk")
    check("eth0 receives 0 B/s, sends 0 B/s" in m.until(lambda e: "/s" in e["message"], "network")["message"], "the network")


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
    # Each value can have a threshold.
    names = {k for e in seen.values() if "fields" in e for d in [e["fields"], *e["fields"].get("devices", [])] for k, v in d.items()
             if not isinstance(v, (str, bool, list))}
    site.write_config("m: {type: metrics, channel: m, thresholds: {%s}}\n" % ", ".join("%s: 0.5" % n for n in names))
    status, text = site.sluice_command("check")
    check(status == 0 and len(names) > 50, "%d: %s" % (len(names), text))


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


run(cpu_as_shares, memory_in_bytes, counters_and_their_rates, a_counter_that_goes_back, cpu_counters_that_go_back, figures_that_do_not_add_up,
    what_is_left_out, thresholds, alarms_name_their_devices, thresholds_that_could_never_be_met, what_is_configured_and_not_available_is_reported,
    paths_that_are_not_there, hosts_mounts_from_a_container, control_groups_of_both_versions, messages_say_the_values,
    what_is_missing_or_broken_stops_nothing, names_are_any_bytes, ticks_do_not_drift, this_machine,
    a_hung_mount_stops_nothing)
