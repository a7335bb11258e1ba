# SPDX-License-Identifier: MIT
"""What those who write plugins have: the header, the commands, the tests, and the promise that
a plugin of the first ABI runs for ever."""
import platform
from concurrent.futures import ThreadPoolExecutor
import subprocess

from harness import *

FROZEN = os.path.join(SRC, "tests/plugins/abi1-x86_64.bin")
C_USER = """#include <sluice-plugin.h>
static int run(struct sluice_source *src, void *state) { (void)state; return src->host->loop(src); }
static const struct sluice_event_type events[] = {{"tick", 1, NULL, "d"}, {NULL, 0, NULL, NULL}};
static const struct sluice_plugin plugin = {SLUICE_PLUGIN_HEAD, .name = "x", .events = events, .run = run};
SLUICE_PLUGIN(plugin)
int has(const struct sluice_host *h);
int has(const struct sluice_host *h) { return SLUICE_HOST_HAS(h, stop_child); }
"""
CXX_USER = """#include <sluice-plugin.h>
static int run(struct sluice_source *src, void *) { return src->host->loop(src); }
static const sluice_event_type events[] = {{"tick", 1, nullptr, "d"}, {nullptr, 0, nullptr, nullptr}};
static const sluice_plugin plugin = {SLUICE_PLUGIN_HEAD, "x", "1", "s", nullptr, events, 0, nullptr, run,
                                     nullptr, nullptr, nullptr, nullptr};
SLUICE_PLUGIN(plugin)
"""


def sluice(*args, input=None, seconds=60):
    p = subprocess.run([SLUICE, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, input=input,
                       timeout=seconds * PATIENCE)
    return p.returncode, p.stdout


def test_plugins(all_args):
    """[(status, text)] of test-plugin with each of the arguments, all at the same time, for most of it is waiting."""
    with ThreadPoolExecutor(len(all_args)) as pool:
        return list(pool.map(lambda args: sluice("test-plugin", *args, seconds=240), all_args))


def the_header_is_c99_c11_and_cxx17_without_a_warning(site):
    strict = ["-Wall", "-Wextra", "-pedantic", "-Wshadow", "-Wcast-qual", "-Werror", "-I" + os.path.join(SRC, "src"), "-c"]
    for std, text in (("c99", C_USER), ("c11", C_USER), ("c++17", CXX_USER)):
        name = site.path("x.cc" if "++" in std else "x.c")
        with open(name, "w") as f:
            f.write(text)
        for compiler in (("g++",) if "++" in std else ("cc",)):
            extra = [] if "++" in std else ["-Wno-missing-field-initializers"]
            subprocess.check_call([compiler, "-std=" + std, *strict, *extra, "-o", name + ".o", name])


def what_there_is(site):
    status, text = sluice("plugins")
    for name in ("file", "syslog", "command", "metrics"):
        check(status == 0 and any(l.startswith(name + " ") for l in text.splitlines()), text)
    listed = json.loads(sluice("plugins", "--json")[1])
    check({p["name"] for p in listed} >= {"file", "syslog", "command", "metrics"}, repr(listed)[:300])
    one = json.loads(sluice("plugins", "--json", "syslog")[1])
    listen = [o for o in one["options"] if o["name"] == "listen"][0]
    check(listen["list"] and listen["default"] == "udp:127.0.0.1:514" and "tls" in listen["choices"], repr(listen))
    message = [e for e in one["events"] if e["name"] == "message"][0]
    check({"facility", "peer"} <= {f["name"] for f in message["fields"]}, repr(message))
    text = sluice("plugins", "file")[1]
    check("multiline.start" in text and "line (version 1)" in text, text)
    check(sluice("plugins", "fil")[0] == 1 and 'did you mean "file"' in sluice("plugins", "fil")[1], "the nearest name")


def run_one_alone(site):
    with open(site.path("x.log"), "w") as f:
        f.write("one\ntwo\n")
    p = subprocess.Popen([SLUICE, "run-plugin", "file", "include=" + site.path("x.log"), "read_from=beginning"],
                         stdout=subprocess.PIPE, text=True)
    lines = [p.stdout.readline(), p.stdout.readline()]
    p.send_signal(signal.SIGINT)
    check(p.wait(10 * PATIENCE) == 0, "Ctrl-C is no failure")
    p.stdout.close()
    check([json.loads(l.partition(" ")[2])["message"] for l in lines] == ["one", "two"], repr(lines))
    for args, said in (([], '"include" is missing'), (["include=x"], "not an absolute path"), (["inklude=/x"], "no such option"),
                       (["include=/x", "watch=always"], "is not one of auto, inotify, poll"), (["nonsense"], "not key=value"),
                       (["include=/x", "watch=poll", "watch=auto"], "given twice")):
        status, text = sluice("run-plugin", "file", *args)
        check(status == 2 and said in text, "%r: %s" % (args, text))


def ours_keep_to_the_rules(site):
    with open(site.path("x.log"), "w") as f:
        f.write('{"a": {"b": 1}, "c": "d"}\nno\n')
    for status, text in test_plugins((
            ["file", "include=" + site.path("*.log"), "read_from=beginning", "parse=json"],
            ["--allow-no-events", "syslog", "listen=udp:127.0.0.1:%d" % free_port()], ["command", "argv=false", "interval=100ms"],
            ["metrics", "interval=100ms", "thresholds=system.cpu.load_average.1m=-1"])):
        check(status == 0 and " 0 failed" in text, text)


def those_that_do_not_are_found_out(site):
    build_plugin("tests/plugins/hostile.c", site.path("hostile.so"), '-DVERSION="1"')
    build_plugin("tests/plugins/hostile.c", site.path("other.so"), '-DVERSION="1"')
    broken = {
        "segfault": ["not ok runs"], "hang": ["not ok answers the watchdog"], "give_up": ["gives up for good"],
        "silent": ["not ok emits events (0): no event was emitted"],
        "mistaken": ["not ok emits only events and fields that it declares: an event \"tick\" has the field \"surprise\"",
                     "not ok emits only events that the host accepts: the plugin's mistake: an event's type must be [a-z0-9_.-]{1,64} (A Tick)"]}
    *results, other = test_plugins([(site.path("hostile.so"), "how=" + how) for how in broken] + [(site.path("other.so"),)])
    for (how, wanted), (status, text) in zip(broken.items(), results):
        check(status == 1 and all(w in text for w in wanted), "%s: %s" % (how, text))
    check("not ok its name is that of its file" in other[1], "another name")


def a_new_plugin_has_a_good_name(site):
    for name in ("Demo", "../x", "a b", "", "x" * 40, "file"):
        check(sluice("new-plugin", name)[0] == 2, "it takes the name %r" % name)


def a_plugin_of_the_first_abi(site):
    """Built once, and never again."""
    check(platform.machine() == "x86_64", "there is no frozen plugin for this kind of machine")
    site.own_plugins()
    shutil.copy(FROZEN, site.path("plugins/frozen.so"))
    os.chmod(site.path("plugins/frozen.so"), 0o644)
    status, text = sluice("test-plugin", site.path("plugins/frozen.so"), "interval=10ms", seconds=120)
    check(status == 0, text)
    site.up("x: {type: frozen, channel: x, interval: 10ms}\n", hub="plugin_dir: DIR/plugins")
    s = site.stream("channel=x&earliest=1")
    counts = [e.json()["fields"]["count"] for e in s.events(lambda e: e.type == "tick" and e.json()["fields"]["count"] == 5) if e.type == "tick"]
    check(counts == [1, 2, 3, 4, 5], repr(counts))
    site.kill("source")
    got = s.events(lambda e: e.type == "tick" and e.json()["fields"]["count"] >= counts[-1] + 20)
    counts = [e.json()["fields"]["count"] for e in got]
    check(counts == list(range(6, 6 + len(counts))), "it does not go on where it was: %r" % counts)


run(the_header_is_c99_c11_and_cxx17_without_a_warning, what_there_is, run_one_alone, ours_keep_to_the_rules,
    those_that_do_not_are_found_out, a_new_plugin_has_a_good_name, a_plugin_of_the_first_abi)
