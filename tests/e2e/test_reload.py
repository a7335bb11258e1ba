# SPDX-License-Identifier: MIT
"""Taking up a changed configuration or a replaced plugin while everything runs."""
import os
import signal
import time

from harness import *

BASE = "a: {type: file, channel: a, include: [DIR/a.log], read_from: beginning}\n"
MORE = "b: {type: file, channel: b, include: [DIR/b.log], read_from: beginning}\n"


def reload(site, expect=0):
    status, text = site.sluice_command("reload")
    check(status == expect, "reload ended with %d: %s" % (status, text))
    return text


def a_hundred_reloads_under_load(site):
    """One source comes and goes: no stream is dropped, nothing lost, nothing grows."""
    n = 300 if LONG else 100
    site.up(BASE)
    site.ready()
    hub = site.pids("hub")[0]
    total = 400000
    writer = in_background(write_lines, site.path("a.log"), 1, total, block=200, pause=0.004)
    numbers = Numbers(site, "a")
    follower = site.pids("source")
    most = grown = 0
    for i in range(n):
        site.write_config(BASE + (MORE if i % 2 == 0 else ""))
        text = reload(site)
        # It is restarted instead where the process that was removed has not gone yet.
        expected = ("1 added", "1 restarted") if i % 2 == 0 else ("1 removed",)
        check(any(e in text for e in expected) and "1 untouched" in text, text)
        for _ in range(3):
            numbers.take(0.001)
        # The nursery is not always there, and what has just been removed may be.
        if i < 10:
            most, grown = max(most, descriptors(hub)), rss_kib(hub)
    numbers.until(total)
    join(writer)
    check(numbers.connections == 1, "the stream was dropped %d times" % (numbers.connections - 1))
    check(site.pids("hub") == [hub] and follower[0] in site.pids("source"), "processes were replaced")
    wait_for(lambda: descriptors(hub) <= most, "the hub's descriptors to be %d: %d" % (most, descriptors(hub)))
    check(rss_kib(hub) < grown + 6000 or not MEASURES_MEMORY, "the hub grew from %d to %d KiB" % (grown, rss_kib(hub)))


def a_mistake_changes_nothing(site):
    site.up(BASE)
    site.ready()
    pids = sorted(site.pids("source"))
    site.write_config(BASE + MORE.replace("include", "inklude"))
    text = reload(site, 2)
    check("sluice.yaml:8:31: sources.b.inklude: unknown option (did you mean \"include\"?)" in text, text)
    check("nothing was changed" in text, text)
    check(sorted(site.pids("source")) == pids, "sources were restarted")
    site.write_config(BASE)
    text = open(site.path("sluice.yaml")).read()
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text.replace("/state", "/other"))
    check("no sluice runs with this configuration" in reload(site, 1), "another state_dir is not told")
    site.sluice.send_signal(signal.SIGHUP)
    wait_for(lambda: "hub.state_dir cannot change while sluice runs" in site.log(), "the log to say so")
    site.write_config(BASE)
    check("1 untouched" in reload(site), "it did not come back")


def who_asks_and_says_nothing_blocks_nobody(site):
    site.up(BASE)
    silent = []
    for _ in range(64):
        c = socket.socket(socket.AF_UNIX)
        c.connect(site.path("state/control.sock"))
        silent.append(c)
    wait_for(lambda: site.sluice_command("reload")[0] == 0, "room for somebody who does")
    many = [subprocess.Popen([SLUICE, "reload", "-c", site.path("sluice.yaml")], stdout=subprocess.DEVNULL)
            for _ in range(20)]
    check([p.wait() for p in many] == [0] * 20, "some got no answer")
    for c in silent:
        c.close()


def without_a_running_sluice(site):
    site.write_config(BASE)
    check("no sluice runs with this configuration" in reload(site, 1), "it is not said")


def each_change_is_an_event(site):
    site.up(BASE)
    site.ready()
    s = site.stream("channel=sluice&earliest=1")
    site.write_config(BASE + MORE)
    reload(site)
    s.events(lambda e: e.type == "source" and e.json()["fields"]["source"] == "b" and e.json()["fields"]["state"] == "running")
    site.kill("source")
    s.events(lambda e: e.type == "source" and e.json()["fields"]["state"] == "waiting"
             and "killed by signal 9" in e.json()["fields"]["reason"] and e.json()["severity"] == "warning")
    s.events(lambda e: e.type == "source" and e.json()["fields"]["state"] == "running")
    site.write_config(BASE)
    reload(site)
    s.events(lambda e: e.type == "source" and e.json()["fields"]["source"] == "b" and e.json()["fields"]["state"] == "gone")
    check(site.sluice_command("check")[0] == 0, "check")
    site.write_config("x: {type: file, channel: sluice, include: [/x]}\n")
    check("is the one that sluice reports on itself in" in site.sluice_command("check")[1], "the channel can be taken")


def sighup_does_the_same(site):
    site.up(BASE)
    site.ready()
    site.write_config(BASE + MORE)
    site.sluice.send_signal(signal.SIGHUP)
    wait_for(lambda: "b" in [s["name"] for s in site.json("/status")["sources"]], "the new source")
    wait_for(lambda: "reloaded: sources: 1 added" in site.log(), "the log to say so: " + site.log())


def conf_d_is_read_beside_the_file(site):
    os.makedirs(site.path("conf.d"))
    with open(site.path("conf.d/10-b.yaml"), "w") as f:
        f.write("sources:\n  " + MORE.replace("DIR", site.dir) + "channels:\n  b: {tail: 5}\n")
    site.up(BASE)
    site.ready()
    check(len(site.json("/status")["sources"]) == 2, "conf.d is not read")
    with open(site.path("conf.d/20-a.yaml"), "w") as f:
        f.write("sources:\n  " + BASE.replace("DIR", site.dir))
    text = reload(site, 2)
    check("conf.d/20-a.yaml:2:3: sources.a: is in another file already" in text, text)
    os.unlink(site.path("conf.d/20-a.yaml"))
    os.unlink(site.path("conf.d/10-b.yaml"))
    check("1 removed" in reload(site), "the removed file's source stays")


def a_changed_source_goes_on_where_it_was(site):
    site.up(BASE)
    write_lines(site.path("a.log"), 1, 1000)
    numbers = Numbers(site, "a")
    numbers.until(1000)
    site.write_config(BASE.replace("read_from", "max_line: 1KiB, read_from"))
    check("1 changed" in reload(site), "it is not changed")
    write_lines(site.path("a.log"), 1001, 2000)
    numbers.until(2000)
    check(numbers.connections == 1, "the stream was dropped")


def an_option_that_may_change_while_it_runs(site):
    metrics = "m: {type: metrics, channel: m, interval: %s, collectors: [load]}\n"
    site.up(metrics % "60s")
    site.ready()
    pid = site.source("m")["pid"]
    site.write_config(metrics % "100ms")
    reload(site)
    wait_for(lambda: site.source("m")["events"] > 5, "ticks at the new interval")
    check(site.source("m")["pid"] == pid and site.source("m")["restarts"] == 0, "it was restarted")


def channels_come_and_go(site):
    site.up(BASE)
    write_lines(site.path("a.log"), 1, 10)
    s = site.stream("channel=a&earliest=1")
    s.until_message("10")
    write_lines(site.path("c.log"), 1, 5)
    site.write_config("c: {type: file, channel: c, include: [DIR/c.log], read_from: beginning}\n")
    reload(site)
    c = site.stream("channel=c&earliest=1")
    c.until_message("5")
    names = [ch["name"] for ch in site.json("/channels")["channels"]]
    check("a" not in names and "c" in names, "the channels are %r" % names)
    check(site.get("/events?channel=a")[0] == 404, "a removed channel can still be asked for")
    # Its reader is not cut off, and all is there when it comes back.
    check(not s.ended, "the stream of the removed channel was ended")
    site.write_config(BASE)
    reload(site)
    write_lines(site.path("a.log"), 11, 20)
    s.until_message("20")


def it_listens_elsewhere(site):
    site.up(BASE)
    site.ready()
    s = site.stream("channel=a")
    s.until_type("hello")
    site.write_config(BASE, hub="responders: 3\nprefix: /x")
    text = open(site.path("sluice.yaml")).read()
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text.replace("fcgi.sock", "fcgi2.sock"))
    reload(site)
    wait_for(lambda: os.path.exists(site.path("fcgi2.sock")) and not os.path.exists(site.path("fcgi.sock")),
             "the socket to move")
    wait_for(lambda: len(site.pids("responder")) == 3, "three responders")
    write_lines(site.path("a.log"), 1, 3)
    s.until_message("3")


def hostile(site, version):
    build_plugin("tests/plugins/hostile.c", site.path("plugins/hostile.so"), '-DVERSION="%s"' % version)


PLUGIN = "x: {type: hostile, channel: x}\n"
HUB = "plugin_dir: DIR/plugins\n"


def a_replaced_plugin_is_taken_up(site):
    site.own_plugins()
    hostile(site, "one")
    site.up(BASE + PLUGIN, hub=HUB)
    site.ready()
    a = site.source("a")["pid"]
    s = site.stream("channel=x")
    s.events(lambda e: e.type == "tick" and e.json()["message"].startswith("one"))
    hostile(site, "two")
    s.events(lambda e: e.type == "tick" and e.json()["message"].startswith("two"))
    check(site.source("a")["pid"] == a, "a source of another plugin was restarted")


def a_broken_replacement_is_told_and_left_alone(site):
    site.own_plugins()
    hostile(site, "one")
    site.up(BASE + PLUGIN, hub=HUB)
    site.ready()
    pid = site.source("x")["pid"]
    with open(site.path("plugins/y"), "w") as f:
        f.write("not a plugin")
    os.rename(site.path("plugins/y"), site.path("plugins/hostile.so"))
    wait_for(lambda: "goes on with the plugin that it has loaded" in site.log(), "the trouble to be told")
    check(site.source("x")["pid"] == pid, "the running process was ended")
    hostile(site, "three")
    wait_for(lambda: site.source("x")["pid"] not in (pid, 0), "the good one to be taken up")


def a_plugin_that_is_dropped_in(site):
    site.own_plugins()
    site.up(BASE, hub=HUB)
    site.ready()
    site.write_config(BASE + PLUGIN, hub=HUB)
    check("there is no plugin \"hostile\"" in reload(site, 2), "a missing plugin is not told")
    hostile(site, "one")
    reload(site)
    site.wait_state("x", "running")


def one_that_was_given_up_is_tried_again(site):
    site.own_plugins()
    hostile(site, "one")
    site.up(BASE + "x: {type: hostile, channel: x, how: exit, armed_by: DIR/armed, "
                   "restart: {backoff: 10ms..20ms, attempts: 2}}\n", hub=HUB)
    open(site.path("armed"), "w").close()
    site.kill("source", signal.SIGTERM)
    site.wait_state("x", "failed")
    os.unlink(site.path("armed"))
    reload(site)
    site.wait_state("x", "running")


def the_hub_starts_again_with_what_was_reloaded(site):
    site.up(BASE)
    site.write_config(BASE + MORE)
    reload(site)
    site.kill("hub")
    os.unlink(site.path("sluice.yaml"))
    wait_for(lambda: site.get("/health/ready")[0] == 200, "the hub to be back")
    check(len(site.json("/status")["sources"]) == 2, "it started with the old configuration")


def another_file_is_not_called_good(site):
    """It reads its own file again, whatever the caller means."""
    open(site.path("a.log"), "w").close()
    site.write_config("a: {type: file, channel: a, include: [DIR/a.log]}")
    site.start()
    shutil.copy(site.path("sluice.yaml"), site.path("other.yaml"))
    os.symlink("sluice.yaml", site.path("link.yaml"))

    def ask(word, file, cwd="/"):
        p = subprocess.run([SLUICE, *word, "-c", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd)
        return p.returncode, p.stdout
    for word in (["reload"], ["upgrade"]):
        for file in ("other.yaml", site.path("other.yaml")):
            code, out = ask(word, file, site.dir)
            check(code == 2 and site.path("sluice.yaml") in out and "other.yaml" in out and "nothing was changed" in out, out)
    check("reloaded" not in site.log(), site.log())
    for file in ("link.yaml", "sluice.yaml", "./sluice.yaml"):
        code, out = ask(["reload"], file, site.dir)
        check(code == 0, out)
    code, out = ask(["drain", "--cancel"], site.path("other.yaml"))
    check(code == 0, out)


run(another_file_is_not_called_good, each_change_is_an_event, who_asks_and_says_nothing_blocks_nobody, a_hundred_reloads_under_load, a_mistake_changes_nothing, without_a_running_sluice, sighup_does_the_same,
    conf_d_is_read_beside_the_file, a_changed_source_goes_on_where_it_was,
    an_option_that_may_change_while_it_runs, channels_come_and_go, it_listens_elsewhere,
    a_replaced_plugin_is_taken_up, a_broken_replacement_is_told_and_left_alone, a_plugin_that_is_dropped_in,
    one_that_was_given_up_is_tried_again, the_hub_starts_again_with_what_was_reloaded)
