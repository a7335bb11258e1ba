#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many sources: they start fast and cost little each, and yet each is a process of its own."""
import resource

from harness import *

N = 150


def sources(n):
    return "".join("s%d: {type: file, channel: c%d, include: [DIR/s%d.log], read_from: beginning}\n" % (i, i % 10, i)
                   for i in range(n))


def cpu_of_check(site, n):
    """Seconds of CPU that `sluice check` takes, all its processes together."""
    site.write_config(sources(n))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, text = site.sluice_command("check")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    check(status == 0, text)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def nursery_of(site):
    hub = site.pids("hub")[0]
    found = [p for p in children(hub) if role_of(p) == "nursery" and alive(p)]
    return found[0] if found else None


def a_source_more_costs_no_start_of_the_program(site):
    """Checking 100 sources more takes less than 100 times what a start of the program takes."""
    few = sorted(cpu_of_check(site, 2) for _ in range(5))[2]
    many = sorted(cpu_of_check(site, 102) for _ in range(3))[1]
    each = (many - few) / 100
    print("# %.2f ms for each source more, %.1f ms for two" % (1000 * each, 1000 * few))
    # With two there are three starts and as many plugins loaded as with one process for each question.
    check(each < few / 3, "%.2f ms for each of 100 sources, %.1f ms for two" % (1000 * each, 1000 * few))


def each_costs_little_memory(site):
    site.up(sources(N))
    site.ready()
    pids = site.pids("source")
    check(len(pids) == N, "%d processes" % len(pids))
    if not MEASURES_MEMORY:
        return
    private = [sum(int(l.split()[1]) for l in open("/proc/%d/smaps_rollup" % p) if l.startswith("Private_"))
               for p in pids]
    print("# %d KiB of its own for each source" % (sum(private) / N))
    check(sum(private) / N < 300, "each source has %d KiB of its own" % (sum(private) / N))


def each_is_the_hubs_child_and_loads_its_plugin_alone(site):
    site.up(sources(3) + "m: {type: metrics, channel: m}\n")
    site.ready()
    hub, nursery = site.pids("hub")[0], nursery_of(site)
    for name in ("s0", "m"):
        pid = site.source(name)["pid"]
        stat = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()
        check(int(stat[1]) == hub, "source %s is no child of the hub" % name)
        args = open("/proc/%d/cmdline" % pid, "rb").read().rstrip(b"\0").split(b"\0")
        if os.environ.get("SLUICE_WRAPPER") is None:
            check(args[1] == b"source" and args[3] == name.encode(), "ps shows %r" % args)
    maps = lambda pid: open("/proc/%d/maps" % pid).read()
    check("file.so" in maps(site.source("s0")["pid"]), "the plugin is not loaded")
    check("metrics.so" not in maps(site.source("s0")["pid"]), "a source has loaded another's plugin")
    check("/plugins/" not in maps(nursery) and "/plugins/" not in maps(hub), "a plugin is loaded where none belongs")


def the_nursery_killed_is_nobodys_loss(site):
    site.up(sources(3))
    site.ready()
    pids, nursery = sorted(site.pids("source")), nursery_of(site)
    os.kill(nursery, signal.SIGKILL)
    wait_for(lambda: not os.path.exists("/proc/%d" % nursery), "the nursery to end and be reaped")
    check(sorted(site.pids("source")) == pids, "sources have ended with it")
    site.kill("source")
    wait_for(lambda: len(set(site.pids("source")) - set(pids)) == 3, "the sources to be started again")
    site.ready()
    check(nursery_of(site) not in (None, nursery), "there is no other nursery")
    with open(site.path("s1.log"), "w") as f:
        f.write("hello\n")
    site.stream("channel=c1&earliest=1").until_message("hello")


def a_stopped_nursery_holds_nobody_up(site):
    """The hub notices at once, and starts the program itself; the source's start does not fail."""
    site.up(sources(1))
    site.ready()
    os.kill(nursery_of(site), signal.SIGSTOP)
    pid = site.source("s0")["pid"]
    site.kill("source")
    wait_for(lambda: site.source("s0")["state"] == "running" and site.source("s0")["pid"] != pid, "a new process")
    check("no process" not in site.log(), site.log())


def with_the_hub_all_are_gone(site):
    site.up(sources(3))
    site.ready()
    before = [p for p in children(site.sluice.pid) if p not in site.pids("responder")]
    site.kill("hub")
    wait_for(lambda: not any(alive(p) for p in before), "all of them to end")
    site.ready()


run(a_source_more_costs_no_start_of_the_program, each_costs_little_memory,
    each_is_the_hubs_child_and_loads_its_plugin_alone, the_nursery_killed_is_nobodys_loss,
    a_stopped_nursery_holds_nobody_up, with_the_hub_all_are_gone)
