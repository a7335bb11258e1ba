# SPDX-License-Identifier: MIT
"""The command plugin with real programs."""
import os
import time

from harness import *


def config(options, name="c"):
    return "%s: {type: command, channel: %s, %s}\n" % (name, name, options)


def events(site, n, query="channel=c&earliest=1"):
    s = site.stream(query)
    got = []
    s.events(lambda e: e.type != "hello" and (got.append(e) or len(got) == n))
    s.close()
    return got


def once(site, script, options="", n=1):
    site.up(config("mode: once, shell: '%s'%s" % (script, options and ", " + options)))
    return events(site, n)


def both_streams_and_the_exit(site):
    got = once(site, "echo out; echo \"<3>bad\" >&2; exit 3", n=3)
    by = {(e.type, e.json()["fields"].get("stream")): e.json() for e in got}
    check(by[("line", "stdout")]["message"] == "out", repr(got))
    check(by[("line", "stderr")]["message"] == "bad" and by[("line", "stderr")]["severity"] == "error", repr(got))
    end = by[("exit", None)]
    check(end["fields"]["code"] == 3 and end["fields"]["success"] is False and end["severity"] == "error", repr(end))
    site.wait_state("c", "finished")


def success_codes(site):
    e, = once(site, "exit 3", "success_codes: [0, 3], emit_exit: always")
    check(e.json()["fields"]["success"] is True, repr(e))


def nothing_is_expanded_in_argv(site):
    site.up(config("mode: once, argv: [echo, '$HOME *', ';', '`id`'], emit_exit: never"))
    check(events(site, 1)[0].json()["message"] == "$HOME * ; `id`", "argv was expanded")


def the_environment_is_clean(site):
    os.environ["LEAKED"] = "yes"
    site.up(config("mode: once, argv: [env], env: {MINE: 'a=b', PATH: '/bin:/usr/bin'}, emit_exit: never, split: whole, cwd: /tmp") +
            config("mode: once, argv: [sh, -c, 'echo $LEAKED; pwd; umask'], clear_env: false, umask: '027', emit_exit: never, split: whole, cwd: /usr", "d"))
    got = set(events(site, 1)[0].json()["message"].strip().split("\n"))
    check(got == {"MINE=a=b", "PATH=/bin:/usr/bin", "LANG=C.UTF-8"}, repr(got))
    check(events(site, 1, "channel=d&earliest=1")[0].json()["message"] == "yes\n/usr\n0027\n", "clear_env, cwd or umask")


def no_descriptor_is_inherited(site):
    e, = once(site, "ls /proc/self/fd | tr \"\\n\" \" \"", "emit_exit: never, split: whole")
    check(e.json()["message"].split() == ["0", "1", "2", "3"], repr(e))  # 3 is ls's own


def at_an_interval_without_drift(site):
    site.up(config("interval: 200ms, argv: [date, '+%s.%N'], emit_exit: never"))
    times = [float(e.json()["message"]) for e in events(site, 16)]
    check(abs(drift(times, 0.2)) < 0.05, "15 intervals drifted by %.3f s" % drift(times, 0.2))


def overlapping_runs_are_skipped(site):
    site.up(config("interval: 100ms, shell: 'echo start; sleep 0.35'"))
    events(site, 6)
    wait_for(lambda: site.source("c")["counters"]["skipped"] >= 4, "skipped runs to be counted")


def overlapping_runs_are_ended(site):
    site.up(config("interval: 300ms, overlap: kill, shell: 'echo start; sleep 100'"))
    got = [e for e in events(site, 6) if e.type == "exit"]
    check(got and all(e.json()["fields"].get("signal") == 15 for e in got), repr(got))


def a_time_out_ends_the_whole_group(site):
    e = once(site, "trap \"\" TERM; sleep 1000 & sleep 1000", "timeout: 200ms, kill_grace: 200ms")[0]
    check(e.json()["fields"]["timed_out"] is True and e.json()["fields"]["signal"] == 9, repr(e))
    check(not sleepers(site), "processes are left")


def sleepers(site):
    found = []
    for p in children(site.sluice.pid):
        with contextlib.suppress(OSError):
            if b"sleep" in open("/proc/%d/cmdline" % p, "rb").read():
                found.append(p)
    return found


def a_grandchild_that_holds_the_pipe(site):
    began = time.monotonic()
    got = once(site, "echo hi; sleep 1000 &", "emit_exit: always", n=2)
    check([e.type for e in got] == ["line", "exit"], repr(got))
    check(time.monotonic() - began < 5 * PATIENCE, "it held up the end")
    wait_for(lambda: not sleepers(site), "the grandchild to end")


def one_that_runs_away_ends_with_the_source(site):
    site.up(config("mode: daemon, shell: 'setsid sleep 1000 & echo started; sleep 1000'"))
    events(site, 1)
    check(len(sleepers(site)) >= 2, "they do not run")
    site.kill("source")
    wait_for(lambda: len(sleepers(site)) <= 2 and site.source("c")["restarts"] == 1, "the old ones to end")
    site.stop()


def one_that_runs_away_ends_with_the_hub_too(site):
    site.up(config("mode: daemon, shell: 'setsid sleep 1000 & sleep 1000 & echo started; sleep 1000'"))
    events(site, 1)
    before = set(sleepers(site))
    site.kill("hub")
    wait_for(lambda: not any(alive(p) for p in before), "what the old hub's source had started to end")
    wait_for(lambda: site.get("/health/ready")[0] == 200, "the new one")
    everyone = sleepers(site)
    site.stop()
    check(not any(alive(p) for p in everyone), "processes are left after the end")


def a_thousand_runs_leave_nothing(site):
    site.up(config("interval: 10ms, argv: ['true'], emit_exit: never"))
    site.ready()
    pid = site.source("c")["pid"]
    wait_for(lambda: site.source("c")["counters"].get("runs", 0) > 50, "the first runs")
    before = descriptors(pid), rss_kib(pid)
    wait_for(lambda: site.source("c")["counters"]["runs"] > 1000, "a thousand runs", 60)
    zombies = [p for p in children(pid) if not alive(p)]
    check(len(zombies) <= 1, "zombies: %r" % zombies)
    # A run under way has some of its own.
    wait_for(lambda: descriptors(pid) <= before[0], "its descriptors to be %d, as after 50 runs" % before[0])
    check(rss_kib(pid) < before[1] + 1000 or not MEASURES_MEMORY, "it grew")


def yes_is_bounded_by_the_rate_limit(site):
    site.up(config("mode: daemon, argv: ['yes'], rate_limit: 2000"))
    site.wait_state("c", "running")
    wait_for(lambda: site.source("c")["throttled"] > 0, "it to be throttled")
    before, began = site.source("c")["events"], time.monotonic()
    hub, source = site.pids("hub")[0], site.source("c")["pid"]
    cpu = cpu_seconds(hub) + cpu_seconds(source)
    time.sleep(3)
    took = time.monotonic() - began
    rate = (site.source("c")["events"] - before) / took
    check(rate < 3500, "%.0f events/s" % rate)
    check((cpu_seconds(hub) + cpu_seconds(source) - cpu) / took < 0.5, "it uses the CPU")


def a_missing_program_is_told_once(site):
    site.up(config("interval: 20ms, argv: [/nope/nothing], backoff: 20ms..50ms"))
    wait_for(lambda: site.source("c")["counters"].get("start_failed", 0) > 5, "several tries")
    site.told("/nope/nothing: No such file or directory", 1)


def a_working_directory_that_is_missing_is_named(site):
    site.up(config("mode: once, argv: ['true'], cwd: DIR/gone"))
    site.told("cannot enter the working directory %s: No such file or directory" % site.path("gone"))
    check(site.path("gone") in site.source("c")["last_error"], "the status does not say it")


def only_runs_that_fail_are_events(site):
    site.up(config("interval: 50ms, shell: 'test -e DIR/bad && exit 7 || exit 0'"))
    wait_for(lambda: site.source("c")["counters"].get("runs", 0) > 5, "runs")
    check(site.source("c")["events"] == 0, "runs that went well are events")
    open(site.path("bad"), "w").close()
    check(events(site, 1)[0].json()["fields"]["code"] == 7, "no event of the failure")


def a_daemon_is_restarted_with_backoff(site):
    site.up(config("mode: daemon, shell: 'echo up; exit 1', backoff: 50ms..200ms, emit_exit: never"))
    began = time.monotonic()
    events(site, 5)
    check(time.monotonic() - began > 0.2, "without any backoff")


def a_daemon_that_may_end(site):
    site.up(config("mode: daemon, on_exit: restart_on_failure, argv: ['true']"))
    site.wait_state("c", "finished")


def a_daemon_gets_its_signal_at_the_end(site):
    site.up(config("mode: daemon, shell: 'trap \"echo bye > %s; exit\" TERM; echo up; while :; do sleep 0.1; done'" % site.path("bye")))
    events(site, 1)
    site.stop()
    check(os.path.exists(site.path("bye")), "it was killed without a warning")


def json_lines_are_typed_events(site):
    with open(site.path("lines"), "w") as f:
        f.write('{"type":"deploy","message":"v2","level":"warn","who":"me","n":3}\nnot json\n{"n":4, "ok":true}\n')
    site.up(config("mode: once, argv: [cat, DIR/lines], split: json, emit_exit: never"))
    a, b, c = events(site, 3)
    check(a.type == "deploy" and a.json()["message"] == "v2" and a.json()["severity"] == "warning"
          and a.json()["fields"]["n"] == 3, repr(a))
    check(b.type == "line" and b.json()["message"] == "not json", repr(b))
    check(c.json()["message"] == '{"n":4, "ok":true}' and c.json()["fields"] == {"n": 4, "ok": True}, repr(c))


def long_and_broken_output(site):
    got = once(site, "head -c 100000 /dev/zero | tr \"\\0\" x; echo; printf end", "max_line: 1KiB, emit_exit: never", n=2)
    check(got[0].json()["truncated"] and got[0].json()["fields"]["size"] == 100000, repr(got[0])[:200])
    check(got[1].json()["partial"] and got[1].json()["message"] == "end", repr(got[1]))


def too_much_output_is_a_gap(site):
    got = once(site, "seq 1 100000", "max_output_per_run: 1KiB, emit_exit: never, split: whole", n=2)
    gap = [e for e in got if e.type == "gap"][0].json()
    check(gap["reason"] == "max_output_per_run" and gap["fields"]["bytes"] > 500000, repr(gap))


def all_of_it_arrives_behind_a_slow_hub(site):
    """What is in the pipe when the program has ended waits for the hub."""
    site.up(config("mode: once, shell: 'for i in $(seq 1 2650); do printf \"%d \" $i; head -c 1000 /dev/zero | tr \"\\0\" x; echo; done', "
                   "rate_limit: 600, rate_burst: 1500, emit_exit: never"))
    s = site.stream("channel=c&earliest=1")
    got = []
    s.events(lambda e: e.type == "line" and (got.append(int(e.json()["message"].split()[0])) or len(got) == 2650), 60)
    check(got == list(range(1, 2651)), "lost or doubled")


def nul_separated(site):
    got = once(site, "printf \"a\\nb\\0c\\0\"", "split: nul, emit_exit: never", n=2)
    check([e.json()["message"] for e in got] == ["a\nb", "c"], repr(got))


def where_it_goes(site):
    site.up(config("mode: once, shell: 'echo to the log; echo gone >&2', stdout: log, stderr: discard, emit_exit: always") +
            config("mode: once, shell: 'echo a; echo b >&2', stderr: merge, emit_exit: never", "d"))
    check(events(site, 1)[0].type == "exit", "something else than the end")
    site.told("source c: stdout: to the log")
    got = events(site, 2, "channel=d&earliest=1")
    check([e.json()["fields"]["stream"] for e in got] == ["stdout", "stdout"], repr(got))


def as_another_user(site):
    site.up(config("mode: once, argv: [id, -un], user: nobody, emit_exit: never"))
    check(events(site, 1)[0].json()["message"] == "nobody", "another user")


def wrong_options(site):
    for options, said in (("mode: once", "nothing to run"), ("argv: [a], shell: b", "exclude each other"),
                          ("argv: [a], umask: 9", "umask"), ("argv: [a], user: nobody-here", "there is no user"),
                          ("argv: [a], backoff: 5s..1s", "backoff"), ("argv: 'df -h'", "write argv: [df, -h]"),
                          ("argv: [df -h]", "write argv: [df, -h]"), ("argv: [a], emit_exit: false", "failures, always, never")):
        site.write_config(config(options))
        status, text = site.sluice_command("check")
        check(status == 2 and said in text, "%s: %s" % (options, text))


def check_reports_what_cannot_run(site):
    site.write_config("a: {type: command, channel: c, argv: [no-such-program]}\nb: {type: command, channel: c, argv: [/etc/passwd]}\n"
                      "c: {type: command, channel: c, argv: [ls], cwd: /no/such}\nd: {type: command, channel: c, argv: [ls]}\n"
                      "m: {type: metrics, channel: c, rootfs: /no/such}\n")
    status, out = site.sluice_command("check")
    for name, want in (("a", "argv: there is no program no-such-program in any directory of PATH"), ("b", "argv: there is no program /etc/passwd that may be run"),
                       ("c", "cwd: there is no directory /no/such"), ("m", "rootfs: there is no directory /no/such")):
        check(status == 0 and "sources.%s: %s" % (name, want) in out, out)
    check(out.count("there is no") == 4, out)


run(check_reports_what_cannot_run, both_streams_and_the_exit, success_codes, nothing_is_expanded_in_argv, the_environment_is_clean,
    no_descriptor_is_inherited, at_an_interval_without_drift, overlapping_runs_are_skipped, overlapping_runs_are_ended,
    a_time_out_ends_the_whole_group, a_grandchild_that_holds_the_pipe, one_that_runs_away_ends_with_the_source, one_that_runs_away_ends_with_the_hub_too,
    a_thousand_runs_leave_nothing, yes_is_bounded_by_the_rate_limit, a_missing_program_is_told_once, a_working_directory_that_is_missing_is_named, only_runs_that_fail_are_events,
    a_daemon_is_restarted_with_backoff, a_daemon_that_may_end, a_daemon_gets_its_signal_at_the_end,
    json_lines_are_typed_events, long_and_broken_output, too_much_output_is_a_gap, all_of_it_arrives_behind_a_slow_hub,
    nul_separated, where_it_goes, as_another_user, wrong_options)
