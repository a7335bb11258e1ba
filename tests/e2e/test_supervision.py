#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the supervisor makes of a hub that refuses to start, dies, or does not answer."""
from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}"


def key(site):
    return site.path("state/redact.key")


def begin(site):
    write_lines(site.path("app.log"), 1, 100)
    site.up(SOURCE)
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == 100, "the lines")


def run_to_its_end(site, *wrapper):
    """(status, lines of the log) of a sluice that is expected to give up."""
    done = subprocess.run([*wrapper, SLUICE, "run", "-c", site.path("sluice.yaml")], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60 * PATIENCE)
    return done.returncode, done.stderr.splitlines()


def age(pid):
    """For how many seconds a process has run."""
    began = int(open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def hold_at_its_start(site):
    """A hub that waits for as long as the test wants: the key it reads is a pipe."""
    os.unlink(key(site))
    os.mkfifo(key(site))
    site.start(wait=False)
    return wait_for(lambda: site.pids("hub"), "the hub")[0]


def a_refusal_ends_sluice_however_slow_the_start_was(site):
    begin(site)
    site.stop()
    os.unlink(site.path("sluice.log"))
    hub = hold_at_its_start(site)
    wait_for(lambda: age(hub) > 4, "the hub to have run for a while")
    with open(key(site), "w") as f:
        f.write("no key\n")
    check(site.sluice.wait(20 * PATIENCE) == 1, "ended with %d: %s" % (site.sluice.returncode, site.log()))
    errors = [x for x in site.log().splitlines() if "error:" in x]
    check(len(errors) == 1 and "redact.key" in errors[0] and "started again" not in site.log(), site.log())


def a_hub_that_dies_over_every_start_ends_sluice(site):
    begin(site)
    site.stop()
    os.unlink(site.path("sluice.log"))
    hub = hold_at_its_start(site)
    for _ in range(5):
        os.kill(hub, signal.SIGKILL)
        wait_for(lambda: not alive(hub), "the hub to end")
        left = wait_for(lambda: site.pids("hub") or [site.sluice.poll()][0], "another hub, or the end")
        hub = left[0] if left != 1 else hub
    check(site.sluice.wait(20 * PATIENCE) == 1, site.log())
    check("exited 5 times before opening" in site.log(), site.log())


def a_hub_that_was_ready_is_started_again_until_it_can(site):
    """Once sluice runs, clients wait for what can be mended."""
    begin(site)
    stream = site.stream("channel=logs")
    stream.until_type("hello")
    good = open(key(site)).read()
    with open(key(site), "w") as f:
        f.write("no key\n")
    site.kill("hub")
    wait_for(lambda: site.log().count("redact.key") > 1, "the hub to refuse again: " + site.log())
    check(site.sluice.poll() is None, "sluice has ended")
    site.told("is started again in")
    check(site.get("/health/ready")[0] == 503, "ready without a hub")
    with open(key(site), "w") as f:
        f.write(good)
    site.ready()
    Numbers(site, "logs").until(100)


def too_few_open_files_are_told_before_anything_begins(site):
    site.write_config(SOURCE)
    for limit in (20, 40):
        status, lines = run_to_its_end(site, "sh", "-c", 'ulimit -n %d; exec "$@"' % limit, "sh")
        errors = [x for x in lines if "error:" in x]
        check(status == 1 and len(errors) == 1, "ended with %d: %s" % (status, lines))
        check("%d files may be open at once" % limit in errors[0] and "LimitNOFILE" in errors[0], errors[0])
        check("listening on" not in "".join(lines), lines)
        check(not os.path.exists(site.path("fcgi.sock")), "it has listened")


def a_hundred_open_files_are_enough_for_one_source(site):
    write_lines(site.path("app.log"), 1, 100)
    site.write_config(SOURCE)
    with open(site.path("sluice.log"), "ab") as log:
        site.sluice = subprocess.Popen(["sh", "-c", 'ulimit -n 100; exec "$0" run -c "$1"', SLUICE, site.path("sluice.yaml")],
                                       stdin=subprocess.DEVNULL, stderr=log, stdout=log)
    wait_for(site.is_listening, "sluice to listen")
    site.start_lighttpd()
    Numbers(site, "logs").until(100)


def processes_that_hang_are_replaced(site):
    """Stopped, a responder accepts what nobody answers, and a hub holds up all."""
    begin(site)
    stopped = site.pids("responder") + (site.pids("hub") if LONG else [])
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: not any(alive(p) for p in stopped), "the processes to be replaced", 60)
    site.ready()
    check(site.log().count("has not answered for") == len(stopped), site.log())
    check(not set(site.pids("responder")) & set(stopped), "those that were stopped are still there")
    Numbers(site, "logs").until(100)


def why_a_source_crashed_is_shown_when_it_runs_again(site):
    begin(site)
    for n in range(1, 4):
        wait_for(lambda: site.kill("source"), "the source to be there")
        wait_for(lambda: site.source("app")["restarts"] == n and site.source("app")["state"] == "running", "it to run again")
    s = site.source("app")
    check(s["last_error"] == "killed by signal 9 (Killed)" and s["last_error_time"], "the last error is %r" % s)


def all_stopped_for_a_while_go_on(site):
    """As a virtual machine is, or a job at a terminal: nobody has hung."""
    begin(site)
    everyone = [site.sluice.pid] + site.pids("hub") + site.pids("responder")
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(26)
    os.kill(site.sluice.pid, signal.SIGCONT)
    time.sleep(2)
    for pid in everyone:
        os.kill(pid, signal.SIGCONT)
    site.ready()
    check("has not answered" not in site.log(), site.log())


run(a_refusal_ends_sluice_however_slow_the_start_was, a_hub_that_dies_over_every_start_ends_sluice,
    a_hub_that_was_ready_is_started_again_until_it_can, too_few_open_files_are_told_before_anything_begins,
    a_hundred_open_files_are_enough_for_one_source, processes_that_hang_are_replaced,
    why_a_source_crashed_is_shown_when_it_runs_again,
    *([all_stopped_for_a_while_go_on] if LONG else []))
