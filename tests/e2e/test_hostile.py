# SPDX-License-Identifier: MIT
"""Plugins that misbehave: the others lose nothing, the reason is one clear line and
one event, and the hub stays quiet."""
import os
import time

from harness import *

GOOD = "good: {type: file, channel: good, include: [DIR/good.log], read_from: beginning}\n"
HUB = "plugin_dir: DIR/plugins\n"


def begin(site, how, extra="", options="", file="hostile.so", build=True):
    site.own_plugins()
    if build:
        build_plugin("tests/plugins/hostile.c", site.path("plugins", file), '-DVERSION="1"')
    site.up(GOOD + "bad: {type: hostile, channel: bad, how: %s, watchdog: 1s, "
                   "restart: {backoff: 50ms..200ms, attempts: 3}%s}\n%s" % (how, options, extra), hub=HUB)


def others_are_well(site, seconds=2):
    """The good source brings every line once; meanwhile the hub is quiet."""
    numbers = Numbers(site, "good")
    hub = site.pids("hub")[0]
    before, began = cpu_seconds(hub), time.monotonic()
    n = 0
    while time.monotonic() - began < seconds:
        write_lines(site.path("good.log"), n + 1, n + 20)
        n += 20
        time.sleep(0.05)
    numbers.until(n)
    busy = (cpu_seconds(hub) - before) / (time.monotonic() - began)
    check(site.pids("hub") == [hub], "the hub was restarted")
    return busy


def state_events(site, source="bad"):
    s = site.stream("channel=sluice&earliest=1")
    got = []
    with contextlib.suppress(Failed):
        s.events(lambda e: got.append(e) and False, seconds=1)
    s.close()
    return [e.json() for e in got if e.type == "source" and e.json()["fields"]["source"] == source]


def fails(site, how, reason, options="", quiet=0.3):
    begin(site, how, options=options)
    busy = others_are_well(site)
    check(busy < quiet, "the hub used %.0f %% of a CPU" % (100 * busy))
    s = site.wait_state("bad", "failed")
    check(reason in s["last_error"], "the reason is %r" % s["last_error"])
    lines = [l for l in site.log().splitlines() if "source bad: failed:" in l]
    check(len(lines) == 1 and reason in lines[0], "the log says %r" % lines)
    failed = [e for e in state_events(site) if e["fields"]["state"] == "failed"]
    check(len(failed) == 1 and reason in failed[0]["fields"]["reason"], "the events are %r" % failed)
    check(failed[0]["severity"] == "error", "its severity is %r" % failed[0])


def segfault(site):
    fails(site, "segfault", "killed by signal 11")


def abort(site):
    fails(site, "abort", "killed by signal 6")


def exits(site):
    fails(site, "exit", "the plugin called exit(0)")


def loops_in_open(site):
    """At the start it is found out by asking; the rest starts."""
    fails(site, "loop_in_open", "did not answer")


def loops_in_open_later(site):
    begin(site, "loop_in_open", options=", armed_by: DIR/armed")
    site.wait_state("bad", "running")
    open(site.path("armed"), "w").close()
    site.kill("source", signal.SIGTERM)
    others_are_well(site, 4)
    check("open() took more than 1.0 s" in site.wait_state("bad", "failed")["last_error"], site.log())


def hangs_in_run(site):
    begin(site, "hang", options=", armed_by: DIR/armed")
    site.wait_state("bad", "running")
    open(site.path("armed"), "w").close()
    busy = others_are_well(site, 4)
    check(busy < 0.3, "the hub used %.0f %% of a CPU" % (100 * busy))
    site.told("has not called its host for 1.0 s")
    check(site.source("bad")["restarts"] > 0, "it was not restarted")


def ignores_stop(site):
    begin(site, "deaf")
    site.wait_state("bad", "running")
    began = time.monotonic()
    site.stop()
    check(time.monotonic() - began < 5 * PATIENCE, "the stop took %.1f s" % (time.monotonic() - began))
    check("source bad: did not stop in time and is ended" in site.log(), "the log does not say so")


def leaks_against_its_limit(site):
    fails(site, "leak", "killed by signal", options=", limits: {memory: 64MiB}")


def writes_to_descriptor_1(site):
    begin(site, "stdout")
    busy = others_are_well(site)
    lines = [l for l in site.log().splitlines() if "wrote to its standard output: what has this to do here" in l]
    check(1 <= len(lines) <= 40, "%d lines were logged" % len(lines))
    check(site.wait_state("bad", "running")["log_lines_dropped"] > 1000, "those beyond are not counted")
    check(busy < 0.9, "the hub used %.0f %% of a CPU" % (100 * busy))


def floods_beyond_its_rate(site):
    begin(site, "flood", options=", rate_limit: 1000")
    site.wait_state("bad", "running")
    before, began = site.source("bad")["events"], time.monotonic()
    busy = others_are_well(site, 4)
    rate = (site.source("bad")["events"] - before) / (time.monotonic() - began)
    # A frame is taken whole, so the rate is kept on the average only.
    check(500 < rate < 1700, "it got through with %.0f events/s" % rate)
    check(busy < 0.3, "the hub used %.0f %% of a CPU" % (100 * busy))
    check(site.source("bad")["throttled"] > 0, "it is not told")


def sends_broken_frames(site):
    fails(site, "frames", "data that is not a frame")


def sends_a_type_that_is_no_name(site):
    """A NUL in it would be no JSON for everybody who reads the channel."""
    fails(site, "nul", "data that is not a frame")


def gives_up_for_good(site):
    fails(site, "give_up", "it cannot be done")


def leaves_no_process_behind(site):
    begin(site, "fork")
    site.wait_state("bad", "failed")
    wait_for(lambda: not [p for p in children(site.sluice.pid) if role_of(p) is None or role_of(p) == "source"
                          and b"hostile" in open("/proc/%d/cmdline" % p, "rb").read()],
             "the children of the dead source to end", 5)


def finishes(site):
    begin(site, "finish")
    site.wait_state("bad", "finished")
    site.ready()
    check(site.source("bad")["events"] == 3, "events are missing")


def unusable(site, reason, check_says=None):
    """A file that cannot be used: said once, the rest runs; `check` refuses."""
    site.up(GOOD + "bad: {type: hostile, channel: bad}\n", hub=HUB)
    others_are_well(site, 1)
    s = site.wait_state("bad", "failed")
    check(reason in s["last_error"], "the reason is %r" % s["last_error"])
    check(len([l for l in site.log().splitlines() if "source bad: failed:" in l and reason in l]) == 1, site.log())
    check(len([e for e in state_events(site) if e["fields"]["state"] == "failed"]) == 1, "not one event")
    status, text = site.sluice_command("check")
    check(status == 2 and reason in text, "check says %r" % text)


def the_wrong_abi(site):
    site.own_plugins()
    build_plugin("tests/plugins/hostile.c", site.path("plugins/hostile.so"), '-DVERSION="1"', "-DABI=77")
    unusable(site, "built for plugin ABI 77, this sluice has 1")


def no_symbol(site):
    site.own_plugins()
    build_plugin("tests/plugins/hostile.c", site.path("plugins/hostile.so"), '-DVERSION="1"', "-DNO_SYMBOL")
    unusable(site, "does not end with SLUICE_PLUGIN()")


def an_unresolved_symbol(site):
    site.own_plugins()
    with open(site.path("x.c"), "w") as f:
        f.write("int nowhere(void); int somewhere(void); int somewhere(void) { return nowhere(); }\n")
    build_plugin(site.path("x.c"), site.path("plugins/hostile.so"))
    unusable(site, "undefined symbol: nowhere")


def a_text_file(site):
    site.own_plugins()
    with open(site.path("plugins/hostile.so"), "w") as f:
        f.write("just text\n")
    os.chmod(site.path("plugins/hostile.so"), 0o644)
    unusable(site, "no shared object")


def writable_by_others(site):
    site.own_plugins()
    build_plugin("tests/plugins/hostile.c", site.path("plugins/hostile.so"), '-DVERSION="1"')
    os.chmod(site.path("plugins/hostile.so"), 0o666)
    unusable(site, "can be written by everyone")


def in_a_directory_that_others_write(site):
    site.own_plugins()
    build_plugin("tests/plugins/hostile.c", site.path("plugins/hostile.so"), '-DVERSION="1"')
    os.chmod(site.path("plugins"), 0o777)
    site.write_config("bad: {type: hostile, channel: bad}\n", hub=HUB)
    status, text = site.sluice_command("check")
    check(status == 2 and "plugins can be written by everyone" in text, text)
    os.chmod(site.path("plugins"), 0o755)


def of_another_owner(site):
    site.own_plugins()
    build_plugin("tests/plugins/hostile.c", site.path("plugins/hostile.so"), '-DVERSION="1"')
    os.chown(site.path("plugins/hostile.so"), 12345, 0)
    unusable(site, "belongs to the user with the number 12345")


def links_out_of_the_directory(site):
    site.own_plugins()
    build_plugin("tests/plugins/hostile.c", site.path("elsewhere.so"), '-DVERSION="1"')
    os.symlink(site.path("elsewhere.so"), site.path("plugins/hostile.so"))
    unusable(site, "out of its directory")


def secrets_are_not_told(site):
    begin(site, "segfault", options=", secret: geheim123")
    site.wait_state("bad", "failed")
    check("geheim123" not in site.log() and b"geheim123" not in site.get("/status")[2], "the secret is told")


run(segfault, abort, exits, loops_in_open, loops_in_open_later, hangs_in_run, ignores_stop, leaks_against_its_limit,
    writes_to_descriptor_1, floods_beyond_its_rate, sends_broken_frames, sends_a_type_that_is_no_name, gives_up_for_good,
    leaves_no_process_behind, finishes, the_wrong_abi, no_symbol, an_unresolved_symbol, a_text_file,
    writable_by_others, in_a_directory_that_others_write, of_another_owner, links_out_of_the_directory,
    secrets_are_not_told)
