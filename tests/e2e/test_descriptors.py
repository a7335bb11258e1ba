#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Descriptors that are closed at the start, and descriptors that run out."""
import itertools

from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}"
LINES = 2000
CLOSED = [c for n in (1, 2, 3) for c in itertools.combinations((0, 1, 2), n)]


def start_without(site, closed):
    """sluice run with those of its standard descriptors closed, as `<&- >&- 2>&-` does."""
    redirections = " ".join("%d%s&-" % (fd, "<" if fd == 0 else ">") for fd in closed)
    site.sluice = subprocess.Popen(["sh", "-c", 'exec "$0" run -c "$1" ' + redirections, SLUICE,
                                    site.path("sluice.yaml")], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(site.path("fcgi.sock")) and site.pids("source"), "sluice to run")


def standard_descriptors(pid):
    return [os.readlink("/proc/%d/fd/%d" % (pid, fd)) for fd in (0, 1, 2)]


def a_log_line_never_lands_in_a_journal(site):
    """Closed descriptors 0 to 2: the journal holds every line, and nothing but lines."""
    for closed in CLOSED:
        here = "state-" + "".join(map(str, closed))
        site.write_config(SOURCE)
        with open(site.path("sluice.yaml")) as f:
            text = f.read()
        with open(site.path("sluice.yaml"), "w") as f:
            f.write(text.replace(site.path("state"), site.path(here)))
        with open(site.path("app.log"), "w") as f:
            f.write("".join("%d\n" % i for i in range(1, LINES + 1)))
        start_without(site, closed)
        if not site.lighttpd:
            site.start_lighttpd()
        site.ready()
        # What the processes have to say, while the journal is open.
        for pid in site.pids("source"):
            os.kill(pid, signal.SIGKILL)
        numbers = Numbers(site, "logs")
        numbers.until(LINES)
        write_lines(site.path("app.log"), LINES + 1, 2 * LINES)
        numbers.until(2 * LINES)
        for pid in [site.sluice.pid] + site.pids("hub") + site.pids("responder"):
            what = standard_descriptors(pid)
            check(all(what[fd] == "/dev/null" for fd in closed), "closed %s: %s has %s" % (closed, role_of(pid), what))
        site.stop()
        status, said = site.sluice_command("journal", "verify")
        check(status == 0, "closed %s: %s" % (closed, said))
        numbers.stream.close()
        os.unlink(site.path("app.log"))


def commands_run_without_standard_descriptors(site):
    """A closed descriptor is no file of ours: each command ends as it does with all three."""
    site.write_config(SOURCE)
    for args in (["--version"], ["check", "-c", site.path("sluice.yaml")], ["doctor", "--help"], ["plugins"]):
        usual = subprocess.run([SLUICE, *args], stdin=subprocess.DEVNULL, capture_output=True).returncode
        for closed in CLOSED:
            redirections = " ".join("%d%s&-" % (fd, "<" if fd == 0 else ">") for fd in closed)
            status = subprocess.run(["sh", "-c", 'exec "$0" "$@" ' + redirections, SLUICE, *args],
                                    stdin=subprocess.DEVNULL, capture_output=True).returncode
            check(status == usual, "sluice %s without %s ends with %d" % (" ".join(args), closed, status))


def programs_get_the_limit_that_sluice_was_started_with(site):
    """One that uses select(2) breaks with more than 1024 descriptors; sluice itself takes what it may have."""
    site.write_config("limit: {type: command, channel: logs, argv: [/bin/sh, -c, 'ulimit -Sn; ulimit -Hn']}")
    with open(site.path("sluice.log"), "ab") as log:
        site.sluice = subprocess.Popen(["sh", "-c", 'ulimit -Sn 300; ulimit -Hn 4000; exec "$0" run -c "$1"', SLUICE,
                                        site.path("sluice.yaml")], stdin=subprocess.DEVNULL, stderr=log, stdout=log)
    wait_for(site.is_listening, "sluice to listen")
    site.start_lighttpd()
    stream = site.stream("channel=logs&earliest=1")
    got = [e.json()["message"] for e in stream.events(lambda e: e.type == "line" and e.json()["message"] == "4000")
           if e.type == "line"]
    check(got == ["300", "4000"], "the program has %s" % got)
    for role in ("hub", "responder", "source"):
        for pid in site.pids(role):
            soft = [x.split()[3] for x in open("/proc/%d/limits" % pid) if x.startswith("Max open files")][0]
            check(soft == "4000", "the %s may open %s" % (role, soft))


run(a_log_line_never_lands_in_a_journal, commands_run_without_standard_descriptors,
    programs_get_the_limit_that_sluice_was_started_with)
