#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Descriptors that are closed at the start, and descriptors that run out."""
import itertools
import resource

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


def start_limited(site, files, channels="logs: {history: {size: 4MiB}}"):
    site.write_config(SOURCE, channels)
    open(site.path("app.log"), "w").close()
    with open(site.path("sluice.log"), "ab") as log:
        site.sluice = subprocess.Popen(["sh", "-c", 'ulimit -n %d; exec "$0" run -c "$1"' % files, SLUICE,
                                        site.path("sluice.yaml")], stdin=subprocess.DEVNULL, stderr=log, stdout=log)
    wait_for(site.is_listening, "sluice to listen")
    site.start_lighttpd()
    site.ready()


def first_word(stream):
    return stream.events(lambda e: e.type in ("hello", "busy"))[-1]


def write_megabytes(site, first, last):
    with open(site.path("app.log"), "ab", buffering=0) as f:
        f.write(b"".join(b"%d %s\n" % (i, b"x" * 1000) for i in range(first, last + 1)))


def number_of(e):
    return int(e.json()["message"].split()[0])


def clients_beyond_the_limit_of_open_files_are_told_and_journals_go_on(site):
    start_limited(site, 128)
    own = site.stream("channel=sluice")
    reader = site.stream("channel=logs")
    check(first_word(own).type == "hello" and first_word(reader).type == "hello", "the first two were refused")
    streams, seen = [], []
    for n in range(200):
        streams.append(site.stream("channel=logs"))
        seen.append(first_word(streams[-1]))
    busy = [e for e in seen if e.type == "busy"]
    check(20 < len(seen) - len(busy) < 120, "%d of 200 were let in" % (len(seen) - len(busy)))
    check(all("LimitNOFILE" in e.data for e in busy), "busy says %r" % busy[0])
    check(all(" 200 " in s.head for s in streams), "not all got a 200")
    status, headers, body = site.get("/history?channel=logs")
    check(status == 503 and b"LimitNOFILE" in body and "retry-after" in headers, "/history: %d %r" % (status, body))
    status, _, body = site.get("/poll?channel=logs&timeout=1s")
    check(status == 200 and "LimitNOFILE" in json.loads(body)["busy"], "/poll: %d %r" % (status, body))
    # Many times the history: a new segment every half megabyte.
    for first in range(1, 20001, 1000):
        write_megabytes(site, first, first + 999)
        got = reader.events(lambda e: e.type == "line" and number_of(e) == first + 999, 60)
        check([number_of(e) for e in got if e.type == "line"] == list(range(first, first + 1000)), "a line is missing")
    check("cannot be written" not in site.log() and "replaces the oldest" not in site.log(), site.log())
    # One that is started again needs more than any client.
    site.kill("source")
    write_megabytes(site, 20001, 20001)
    reader.events(lambda e: e.type == "line" and number_of(e) == 20001)
    files = site.json("/status")["open_files"]
    check(files["limit"] == 128 and files["refused"] >= len(busy) + 2 and not files["lost"], "status: %s" % files)
    site.told("new clients are rejected", 1)
    e = own.until_type("open_files").json()
    check(e["severity"] == "warning" and e["fields"]["limit"] == 128, "the event is %s" % e)
    # Those who come when others have left are let in.
    for s in streams:
        s.close()
    wait_for(lambda: first_word(site.stream("channel=logs")).type == "hello", "to be let in again")


def a_journal_without_a_descriptor_gives_up_its_oldest_segment(site):
    """The limit was lowered under a hub that runs: history goes, and not what comes."""
    start_limited(site, 1000)
    reader = site.stream("channel=logs")
    first_word(reader)
    write_megabytes(site, 1, 2000)
    reader.events(lambda e: e.type == "line" and number_of(e) == 2000)
    hub = site.pids("hub")[0]
    # The lowest number that is not in use; one that is free for a moment only would leave none for segments.
    used = set()
    for _ in range(20):
        used |= {int(fd) for fd in os.listdir("/proc/%d/fd" % hub)}
        time.sleep(0.02)
    limit = min(set(range(1000)) - used)
    resource.prlimit(hub, resource.RLIMIT_NOFILE, (limit, 1000))
    for first in range(2001, 8001, 250):
        write_megabytes(site, first, first + 249)
        got = reader.events(lambda e: e.type == "line" and number_of(e) == first + 249)
        check([number_of(e) for e in got if e.type == "line"] == list(range(first, first + 250)), "a line is missing")
    site.told("each new segment replaces the oldest one", 1)
    check(first_word(site.stream("channel=logs")).type == "busy", "a client was let in")
    resource.prlimit(hub, resource.RLIMIT_NOFILE, (1000, 1000))
    check(first_word(site.stream("channel=logs")).type == "hello", "a client was not let in")


def history_is_not_given_up_for_descriptors_that_do_not_come(site):
    """A limit far below what is open, or others that take each that is free: what was there stays, and what comes waits."""
    start_limited(site, 1000)
    reader = site.stream("channel=logs")
    first_word(reader)
    write_megabytes(site, 1, 2000)
    reader.events(lambda e: e.type == "line" and number_of(e) == 2000)
    before = [c for c in site.json("/channels")["channels"] if c["name"] == "logs"][0]["events"]
    segments = len(glob.glob(site.path("state/journal/logs/*.seg")))
    hub = site.pids("hub")[0]
    resource.prlimit(hub, resource.RLIMIT_NOFILE, (3, 1000))
    write_megabytes(site, 2001, 4000)
    site.told("the journal cannot be written", 1)
    time.sleep(3)
    check(len(glob.glob(site.path("state/journal/logs/*.seg"))) >= segments - 3, "history was given up in vain")
    resource.prlimit(hub, resource.RLIMIT_NOFILE, (1000, 1000))
    got = reader.events(lambda e: e.type == "line" and number_of(e) == 4000, 60)
    check([number_of(e) for e in got if e.type == "line"] == list(range(2001, 4001)), "a line is missing")
    check(before == 2000, "%d events" % before)


def requests_wait_while_a_responder_has_no_descriptors(site):
    start_limited(site, 1000)
    responders = site.pids("responder")
    for pid in responders:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir("/proc/%d/fd" % pid)), 1000))
    streams = [site.stream("channel=logs") for _ in range(10)]
    site.told("requests have to wait")
    check(not any(s.fill(0.05) and s.head for s in streams), "an answer came: %s" % [s.head for s in streams])
    for pid in responders:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (1000, 1000))
    check(all(first_word(s).type == "hello" for s in streams), "not all were served")


def a_head_that_cannot_be_read_for_now_is_read_later(site):
    """Every second attempt fails, as when the whole machine is short of descriptors."""
    require("strace")
    start_limited(site, 1000)
    tracers = [subprocess.Popen(["strace", "-q", "-f", "-o", "/dev/null", "-p", str(pid), "-e", "trace=socketpair", "-e",
                                 "inject=socketpair:error=ENFILE:when=1+2"], stderr=subprocess.DEVNULL)
               for pid in site.pids("responder")]
    try:
        wait_for(lambda: all("TracerPid:\t0" not in open("/proc/%d/status" % p).read() for p in site.pids("responder")),
                 "strace")
        streams = [site.stream("channel=logs") for _ in range(4)]
        check(all(first_word(s).type == "hello" for s in streams), "not all were served")
        check("requests have to wait" in site.log(), "nothing failed")
    finally:
        for t in tracers:
            t.terminate()
            t.wait()


run(a_log_line_never_lands_in_a_journal, commands_run_without_standard_descriptors,
    programs_get_the_limit_that_sluice_was_started_with,
    clients_beyond_the_limit_of_open_files_are_told_and_journals_go_on,
    a_journal_without_a_descriptor_gives_up_its_oldest_segment,
    history_is_not_given_up_for_descriptors_that_do_not_come, requests_wait_while_a_responder_has_no_descriptors,
    a_head_that_cannot_be_read_for_now_is_read_later)
