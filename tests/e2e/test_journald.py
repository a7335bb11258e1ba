# SPDX-License-Identifier: MIT
"""The journald plugin on the files of a real journald: each entry once, or a gap with a true count."""
import base64
import random

from journald import *

LONG = os.environ.get("TEST_LONG") == "1"


@contextlib.contextmanager
def journald(site, config="", clock=None, flushed=True):
    j = Journald(site, config, clock, flushed)
    try:
        yield j
    finally:
        j.remove()


def an_entry_with_all_its_fields(site):
    """Many sources with different options read one file."""
    os.makedirs(site.path("journal"))
    remote = Remote(site.path("journal", "remote.journal"))
    remote.send([("MESSAGE", "before the first start"), ("PRIORITY", 6)])
    os.makedirs(site.path("journal", "f" * 32 + ".web"))
    other = Remote(site.path("journal", "f" * 32 + ".web", "system.journal"))
    other.send([("MESSAGE", "the end of the namespace")])
    other.close()
    time_us = 1790000000123456
    head = "type: journald, channel: %s, directory: [DIR/journal]"
    sources = {"all": "read_from: beginning", "end": "", "two": "read_from: 2, units: [web]", "units": "units: ['web*', db.socket]",
               "ids": "identifiers: [sshd, cron]", "bad": "priority: warning", "match": "match: [A=1, B=2, A=3]",
               "boot": "boot: ffffffffffffffffffffffffffffffff", "few": "fields: [A, '_SYSTEMD_*']",
               "cut": "max_message: 16, max_field: 16", "name": "namespace: web, read_from: beginning, match: [MESSAGE=the end of the namespace]"}
    remote.send([("MESSAGE", "web one"), ("_SYSTEMD_UNIT", "web.service")], [("MESSAGE", "web two"), ("_SYSTEMD_UNIT", "web.service")],
                [("MESSAGE", "web three"), ("_SYSTEMD_UNIT", "web.service")], [("MESSAGE", "ssh"), ("SYSLOG_IDENTIFIER", "sshd")])
    remote.send([("MESSAGE", "last before the start")])
    site.write_config("".join("%s: {%s, %s}\n" % (name, head % name, how) for name, how in sources.items()))
    wait_for(lambda: subprocess.run(["journalctl", "-q", "--file", site.path("journal", "remote.journal"), "-o", "cat"],
                                    stdout=subprocess.PIPE).stdout.count(b"\n") == 6, "the entries to be written")
    site.start()
    site.start_lighttpd()
    site.ready()
    wait_for(lambda: all(site.source(n)["counters"] for n in sources), "the sources to look")
    remote.send([("__REALTIME_TIMESTAMP", time_us + 5), ("__MONOTONIC_TIMESTAMP", 77), ("_BOOT_ID", "f" * 32),
                 ("_SOURCE_REALTIME_TIMESTAMP", time_us), ("MESSAGE", "zwölf\nlines"), ("PRIORITY", 3), ("_PID", 42), ("_UID", 0),
                 ("_HOSTNAME", "alpha"), ("SYSLOG_IDENTIFIER", "sshd"), ("_SYSTEMD_UNIT", "web-1.service"), ("CODE_LINE", "007"),
                 ("ERRNO", "-5"), ("A", "1"), ("A", "3"), ("B", "2"), ("RAW", b"\x00\xff\nx"), ("LONG", "ä" * 20)],
                [("MESSAGE", "about"), ("UNIT", "web.service"), ("_PID", 1), ("PRIORITY", 4)],
                [("MESSAGE", "pretends"), ("UNIT", "web.service"), ("_PID", 2), ("PRIORITY", 7), ("A", "3"), ("B", "1")],
                [("MESSAGE", b"caf\xe9 \x00 bytes"), ("_SYSTEMD_UNIT", "db.socket"), ("PRIORITY", "x")],
                [("MESSAGE", "the end"), ("_SYSTEMD_UNIT", "web.service"), ("SYSLOG_IDENTIFIER", "cron"), ("PRIORITY", 0),
                 ("A", 3), ("B", "2"), ("_BOOT_ID", "f" * 32)])

    def got(channel, last="the end"):
        return [e.json() for e in site.stream("channel=%s&earliest=1" % channel).events(
            lambda e: e.type == "entry" and e.json()["message"].startswith(last)) if e.type == "entry"]
    try:
        everything = got("all")
        check([e["message"] for e in everything[:6]] == ["before the first start", "web one", "web two", "web three", "ssh",
                                                         "last before the start"], repr(everything[:6]))
        e, = [e for e in everything if e["message"] == "zwölf\nlines"]
        f = e["fields"]
        check(e["severity"] == "error" and e["time"].startswith("2026-09-21T") and "123456" in e["time"], repr(e))
        check(f["_PID"] == 42 and f["_UID"] == 0 and f["PRIORITY"] == 3 and f["ERRNO"] == -5 and f["CODE_LINE"] == "007" and
              f["_HOSTNAME"] == "alpha" and f["SYSLOG_IDENTIFIER"] == "sshd" and f["LONG"] == "ä" * 20, repr(f))
        check(base64.b64decode(f["RAW"]) == b"\x00\xff\nx" and f["journald.binary"] == "RAW" and "MESSAGE" not in f, repr(f))
        e, = [e for e in everything if e["message"].startswith("caf")]
        check(e["message"].startswith("caf\ufffd ") and e["fields"]["journald.binary"] == "MESSAGE" and
              e["fields"]["PRIORITY"] == "x" and e.get("severity") is None, repr(e))
        check([e["message"] for e in got("end")] == [e["message"] for e in everything[6:]], "what was there came too")
        check([e["message"] for e in got("two")] == ["web two", "web three", "about", "the end"], repr(got("two")))
        check([e["message"][:5] for e in got("units")] == ["zwölf", "about", "caf\ufffd ", "the e"], repr(got("units")))
        check([e["message"][:5] for e in got("ids")] == ["zwölf", "the e"], repr(got("ids")))
        check([e["message"][:5] for e in got("bad")] == ["zwölf", "about", "the e"], repr(got("bad")))
        check([e["message"][:5] for e in got("match")] == ["zwölf", "the e"], repr(got("match")))
        check(got("boot", "zwölf")[0]["message"] == "zwölf\nlines", repr(got("boot", "zwölf")))
        few = got("few")[0]["fields"]
        check({few.pop("A"), few.pop("A_2")} == {"1", "3"} and set(few) == {"_SYSTEMD_UNIT"}, repr(few))
        check([e["message"] for e in got("name")] == ["the end of the namespace"], repr(got("name")))
        e = got("cut", "zwölf")[0]
        check(e["message"] == "zwölf\nlines" and e["fields"]["LONG"] == "ä" * 8 and e["fields"]["journald.cut"].split() == ["_BOOT_ID", "LONG"], repr(e))
    finally:
        remote.close()


def killed_under_load(site):
    """kill -9 of the source again and again, while journald writes and rotates."""
    kills, step = (200, 300) if LONG else (12, 400)
    with journald(site, "SystemMaxUse=2G\nSystemKeepFree=1M\nSystemMaxFiles=1000\n") as j:
        site.up("j: {type: journald, channel: j, directory: DIR/journal, identifiers: [count]}\n", "j: {history: {size: 1GiB}}")
        looks(site)
        last = kills * step
        writer = in_background(j.send_numbers, 1, last, lambda n: time.sleep(0.02) if n % 40 == 0 else None)
        numbers = Numbers(site, "j")
        killed, rng = 0, random.Random(5)
        while killed < kills:
            numbers.until(min(numbers.next + rng.randrange(step), last - 1))
            killed += site.kill("source")
            if killed % 10 == 3:
                j.rotate()
        numbers.until(last)
        join(writer)
        check(len(j.files("system@*")) >= 1, "it was never rotated")


def looks(site, name="j"):
    site.ready()
    wait_for(lambda: site.source(name)["counters"], "the source to look")


def of_user(site, message):
    """An entry that goes into the file of user 5555."""
    def write():
        os.setresuid(5555, 5555, 5555)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect("sockets/socket")
        s.send(b"MESSAGE=%s\nT=1\n" % message.encode())
        time.sleep(0.1)
    os.chmod(site.dir, 0o755)
    os.chdir(site.dir)
    join(in_background(write))
    os.chdir("/")


def messages_in(path):
    out = subprocess.run(["journalctl", "-q", "--file", path, "-o", "json"], stdout=subprocess.PIPE).stdout
    return [json.loads(line)["MESSAGE"] for line in out.splitlines()]


def until(site, last):
    """(messages, gaps) of the channel up to that message."""
    got = [e for e in site.stream("channel=j&earliest=1").events(
        lambda e: e.type == "entry" and e.json()["message"] == last) if e.type in ("entry", "gap")]
    return [e.json()["message"] for e in got if e.type == "entry"], [e.json()["fields"] for e in got if e.type == "gap"]


def rotated_and_vacuumed_while_sluice_is_not_running(site):
    """The count in the gap is that of the entries that have gone.  Other users' entries are in files of their own:
    their numbers are no loss."""
    with journald(site, "SplitMode=uid\n") as j:
        site.up("j: {type: journald, channel: j, directory: DIR/journal, match: [T=1]}\n")
        looks(site)
        for i in range(4):
            j.send("system %d" % i, T=1)
            of_user(site, "user %d" % i)
            j.rotate()
        j.send("before", T=1)
        messages, gaps = until(site, "before")
        check(sorted(messages) == ["before"] + ["system %d" % i for i in range(4)] + ["user %d" % i for i in range(4)] and not gaps,
              "%r, %r" % (messages, gaps))
        site.stop()
        known = j.files()
        for i in range(50):
            j.send("lost %d" % i, T=1)
        of_user(site, "user 9")
        j.rotate()
        vacuumed, = [p for p in j.files("system@*") if p not in known]
        j.send("found", T=1)
        j.rotate()
        j.send("after", T=1)
        j.sync()
        inside = messages_in(vacuumed)
        lost = inside[inside.index("before") + 1:]
        check([m for m in lost if m.startswith("lost")] == ["lost %d" % i for i in range(50)], repr(lost))
        os.unlink(vacuumed)
        site.start()
        site.ready()
        messages, gaps = until(site, "after")
        check(messages[9:] == ["user 9", "found", "after"], repr(messages))
        check(len(gaps) == 1 and gaps[0]["reason"] == "vacuumed" and gaps[0]["count"] == len(lost) and
              gaps[0]["since"] < gaps[0]["until"], "%r, for %d" % (gaps, len(lost)))


def entries_that_journald_moves_arrive_once(site):
    """From /run to /var (journalctl --flush): while sluice is killed, while it is not running, and none from before its start."""
    with journald(site, "RuntimeMaxFileSize=512K\n", flushed=False) as j:
        j.send_numbers(1, 500)
        j.sync()
        site.up("j: {type: journald, channel: j, directory: DIR/journal, runtime_directory: DIR/runtime, identifiers: [count]}\n")
        looks(site)
        numbers, last = Numbers(site, "j"), 0
        for how in ("running", "killed", "down", "behind"):
            if how != "running":
                j.stop()
                os.unlink(site.path("sockets", "flushed"))
                j.start()
            j.send_numbers(last + 1, last + 1500)
            numbers.until(last + 1500)
            if how in ("down", "behind"):
                site.stop()
            if how == "behind":
                j.send_numbers(last + 1501, last + 1600)
            writer = in_background(j.send_numbers, last + (1601 if how == "behind" else 1501), last + 2000)
            j.flush()
            for _ in range(5 if how == "killed" else 0):
                site.kill("source")
                wait_for(lambda: site.pids("source"), "the source to be started again")
            join(writer)
            if how in ("down", "behind"):
                site.start()
                site.ready()
            last += 2000
            numbers.until(last)
            check(not glob.glob(site.path("runtime", "*", "*")), "nothing was moved")
        check(not numbers.gaps, repr(numbers.gaps))


def the_clock_is_set_back(site):
    """That is no loss, although other users' entries are older than what was read before them."""
    clock = site.path("clock")

    def set_clock(seconds):
        with open(clock, "w") as f:
            f.write(str(seconds))
    set_clock(0)
    with journald(site, "SplitMode=uid\n", clock) as j:
        site.up("j: {type: journald, channel: j, directory: DIR/journal, match: [T=1]}\n")
        looks(site)
        expected = ["user 0", "before"]
        of_user(site, "user 0")
        j.send("before", T=1)
        until(site, "before")
        for seconds in (-3600, -7200):
            if seconds < -3600:
                site.stop()
            set_clock(seconds)
            new = ["user %d %d" % (seconds, i) for i in range(3)]
            for message in new:
                of_user(site, message)
            expected += new + ["system %d" % seconds]
            j.send(expected[-1], T=1)
            j.sync()
            if seconds < -3600:
                site.start()
                site.ready()
            messages, gaps = until(site, expected[-1])
            check(sorted(messages) == sorted(expected) and not gaps, "%r, %r" % (messages, gaps))


def a_damaged_file(site):
    """Entries that cannot be read are counted, and what can be read arrives."""
    with journald(site) as j:
        site.up("j: {type: journald, channel: j, directory: DIR/journal, match: [T=1]}\n")
        looks(site)
        j.send("before", T=1)
        until(site, "before")
        site.stop()
        for name in ("a", "b", "c"):
            for i in range(300):
                j.send("%s %d" % (name, i), T=1)
            j.rotate()
        j.send("after", T=1)
        j.sync()
        a, b, c = j.files("system@*")[-3:]
        counts = [len(messages_in(p)) for p in (a, b, c)]
        # The middle of the first is overwritten; the second is cut; the third is no journal at all.
        with open(a, "r+b") as f:
            f.seek(find_text(a, b"MESSAGE=a 150"))
            f.write(b"\xff" * 65536)
        with open(b, "r+b") as f:
            f.truncate(os.path.getsize(b) // 2)
        with open(c, "r+b") as f:
            f.write(b"nonsense" * 64)
        os.utime(c, (1, 1))
        site.start()
        site.ready()
        messages, gaps = until(site, "after")
        got_a = [m for m in messages if m.startswith("a ")]
        check(got_a == sorted(got_a, key=lambda m: int(m[2:])) and len(set(got_a)) == len(got_a), repr(got_a))
        check(messages[0] == "before" and messages[-1] == "after", repr(messages))
        by_path = {g["log.file.path"]: g for g in gaps}
        check(0 < len(got_a) < 300 and by_path[a]["count"] == 300 - len(got_a), "%d, %r" % (len(got_a), gaps))
        check(by_path[b]["count"] == counts[1], repr(gaps))
        # Of the third nothing is known, but that its numbers are missing.
        check("count" not in by_path[c] and by_path[j.files("system")[0]]["count"] == counts[2], repr(gaps))
        check(len(gaps) == 4 and all(g["reason"] == "damaged" for g in gaps), repr(gaps))
        site.stop()
        j.send("once more", T=1)
        site.start()
        site.ready()
        messages, gaps = until(site, "once more")
        check(len(gaps) == 4 and messages[-2:] == ["after", "once more"], "a gap came twice: %r" % gaps)


def descriptors_that_run_out_are_no_damage(site):
    """Whichever of them is missing: nothing is declared lost, and all is read once there are enough."""
    with journald(site, "SplitMode=uid\n") as j:
        source = "j: {type: journald, channel: j, directory: DIR/journal, match: [T=1], read_from: 2%s}\n"
        site.up(source % "")
        looks(site)
        used = descriptors(site.pids("source")[0])
        expected = []
        for i in range(4):
            expected += ["user %d" % i, "system %d" % i]
            of_user(site, expected[-2])
            j.send(expected[-1], T=1)
            if i == 1:
                until(site, expected[-1])
                site.stop()
            j.rotate()
        for n in range(used, used + 30):
            site.write_config(source % ", limits: {open_files: %d}" % n)
            before = site.log().count("Too many open files")
            site.start()
            site.ready()
            wait_for(lambda: site.log().count("Too many open files") > before or
                     site.source("j").get("counters", {}).get("entries") == 4, "the source to read or to say what is missing")
            is_read = site.source("j").get("counters", {}).get("entries") == 4
            site.stop()
            if is_read:
                break
        check(before > 3 and is_read, site.log())
        site.start()
        site.ready()
        messages, gaps = until(site, expected[-1])
        check(sorted(messages) == sorted(expected) and not gaps, "%r, %r" % (messages, gaps))


def find_text(path, text):
    with open(path, "rb") as f:
        at = f.read().find(text)
    check(at > 0, "%r is not in %s" % (text, path))
    return at


def wrong_options(site):
    """Each with what to write instead."""
    for options, want in (("match: [priority=3]", 'did you mean "PRIORITY=3"?'), ("match: [_TRANSPORT]", 'did you mean "_TRANSPORT=VALUE"?'),
                          ("match: ['_TRANSPORT = kernel']", 'did you mean "_TRANSPORT=kernel"?'), ("fields: ['_systemd_*']", 'did you mean "_SYSTEMD_*"?'),
                          ("priority: loud", '"loud" is not a priority'), ("match: ['_PID: 12']", 'did you mean "_PID=12"?'),
                          ("priority: loud", "write emerg, alert, crit"), ("boot: '-1'", "journalctl --list-boots"),
                          ("units: [a/b]", "systemctl list-units"), ("read_from: yesterday", "a number of entries such as 100"),
                          ("unit: [a]", 'did you mean "units"?'), ("namespace: /var/log/journal.x", "set directory"),
                          ("directory: DIR/sluice.yaml", "is not a directory"), ("max_message: 1", "16")):
        site.write_config("j: {type: journald, channel: j, %s}\n" % options)
        status, out = site.sluice_command("check")
        check(status == 2 and want in out, "%s: %d %s" % (options, status, out))


def files_that_cannot_be_read_are_named(site):
    """By sluice check, and once in the log; and it is read as soon as that is allowed."""
    os.makedirs(site.path("journal"))
    os.chmod(site.dir, 0o755)
    remote = Remote(site.path("journal", "mine.journal"))
    remote.send([("MESSAGE", "secret")])
    wait_for(lambda: len(messages_in(site.path("journal", "mine.journal"))) == 1, "the entry to be written")
    os.chmod(site.path("journal", "mine.journal"), 0o600)
    site.write_config("j: {type: journald, channel: j, directory: DIR/journal, user: nobody, read_from: beginning, "
                      "sweep_interval: 100ms}\nnone: {type: journald, channel: n, directory: DIR/nothing}\n"
                      "both: {type: journald, channel: n, directory: DIR/nothing, runtime_directory: /run/log/journal}\n")
    status, out = site.sluice_command("check")
    check(status == 0 and "sources.j: %s cannot be read: permission denied (add " % site.path("journal", "mine.journal")
          in out and "sources.none: no journal files in %s yet" % site.path("nothing") in out, out)
    check("no journal files in %s or /run/log/journal yet" % site.path("nothing") in out or glob.glob("/run/log/journal/*"), out)
    site.start()
    site.start_lighttpd()
    looks(site)
    site.told("mine.journal cannot be read: permission denied", 1)
    os.chmod(site.path("journal", "mine.journal"), 0o644)
    check(until(site, "secret") == (["secret"], []), "not what was expected")
    site.told("mine.journal can be read again", 1)
    remote.close()


def names_without_end_hide_no_entry(site):
    """Any program can invent names of fields; those that come later are read all the same."""
    os.makedirs(site.path("journal"))
    remote = Remote(site.path("journal", "mine.journal"))
    for i in range(30):
        remote.send([("MESSAGE", i)] + [("NAME_%d_%d" % (i, k), k) for k in range(400)])
    remote.send([("MESSAGE", "about the unit"), ("UNIT", "web.service"), ("_PID", 1), ("LATE", "new")])
    wait_for(lambda: "about the unit" in messages_in(site.path("journal", "mine.journal")), "the entries to be written")
    site.up("j: {type: journald, channel: j, directory: DIR/journal, read_from: beginning, units: [web], fields: [LATE]}")
    entry = [e.json() for e in site.stream("channel=j&earliest=1").until_message_of("entry", "about the unit", 20)][-1]
    check(entry["fields"] == {"LATE": "new"}, repr(entry))
    remote.close()


if __name__ == "__main__":
    run(an_entry_with_all_its_fields, killed_under_load, rotated_and_vacuumed_while_sluice_is_not_running, entries_that_journald_moves_arrive_once, the_clock_is_set_back, a_damaged_file, descriptors_that_run_out_are_no_damage, wrong_options,
        files_that_cannot_be_read_are_named, names_without_end_hide_no_entry)
