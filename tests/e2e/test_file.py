# SPDX-License-Identifier: MIT
"""The rows of the file plugin's promises, each with inotify and by polling."""
import gzip
import os
import random
import shutil
import subprocess
import sys
import time

from harness import *

CONFIG = "f: {type: file, channel: f, include: [%s], read_from: beginning, watch: %s, sweep_interval: 100ms, " \
         "rotate_wait: 300ms%s}\n"


def follow(site, mode, options="", include="DIR/app.log"):
    site.up(CONFIG % (include, mode, options and ", " + options))
    site.ready()
    return Numbers(site, "f")


def events(site, n, query="channel=f&earliest=1"):
    """The first n events but hello."""
    s = site.stream(query)
    got = []
    s.events(lambda e: e.type != "hello" and (got.append(e) or len(got) == n))
    s.close()
    return [e for e in got]


def messages(site, n):
    return [e.json()["message"] for e in events(site, n)]


def append(site, name, data, mode="ab"):
    with open(site.path(name), mode) as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def numbers_of(first, last):
    return b"".join(b"%d\n" % i for i in range(first, last + 1))


# -- rotation and names -------------------------------------------------------

def rename_and_create(site, mode):
    n = follow(site, mode)
    old = open(site.path("app.log"), "ab", buffering=0)
    old.write(numbers_of(1, 100))
    n.until(100)
    os.rename(site.path("app.log"), site.path("app.log.1"))
    old.write(numbers_of(101, 200))  # a writer that has not noticed yet
    append(site, "app.log", numbers_of(201, 300))
    n.until(300)


def logrotate_create(site, mode):
    logrotate(site, mode, "create", "")


def logrotate_copytruncate(site, mode):
    """Nothing is written while logrotate copies, so nothing is lost."""
    logrotate(site, mode, "copytruncate", "", gaps=True)


def logrotate_compress(site, mode):
    logrotate(site, mode, "create", "compress", include="DIR/app.log*", options="decompress: true")


def logrotate(site, mode, how, more, gaps=False, include="DIR/app.log", options=""):
    require("logrotate")
    n = follow(site, mode, options, include)
    with open(site.path("rotate.conf"), "w") as f:
        f.write("%s {\n  rotate 9\n  %s\n  %s\n  missingok\n  su root root\n}\n" % (site.path("app.log"), how, more))
    for i in range(4):
        write_lines(site.path("app.log"), 1000 * i + 1, 1000 * (i + 1))
        # What has never been looked at before it was rotated away, nobody knows of.
        if how == "copytruncate" or i == 0:
            deadline_until(n, 1000 * (i + 1), gaps)
        subprocess.check_call(["logrotate", "-f", "-s", site.path("rotate.state"), site.path("rotate.conf")])
    write_lines(site.path("app.log"), 4001, 5000)
    deadline_until(n, 5000, gaps)
    check(not gaps or n.gaps, "a truncation is not declared")


def deadline_until(n, last, gaps):
    if not gaps:
        n.until(last)
        return
    wait_for(lambda: n.take(0.2) is None or n.next > last, "line %d" % last)


def moved_into_place(site, mode):
    n = follow(site, mode)
    append(site, "x", numbers_of(1, 50))
    os.rename(site.path("x"), site.path("app.log"))
    n.until(50)


def a_symlink_that_is_switched(site, mode):
    # In directories of their own: another new log beside them may have had the name, too.
    os.mkdir(site.path("one"))
    os.mkdir(site.path("elsewhere"))
    append(site, "one/one.log", numbers_of(1, 50))
    os.symlink(site.path("one/one.log"), site.path("app.log"))
    n = follow(site, mode)
    n.until(50)
    append(site, "elsewhere/two.log", numbers_of(51, 100))
    os.symlink(site.path("elsewhere/two.log"), site.path("new"))
    os.rename(site.path("new"), site.path("app.log"))
    n.until(100)


def a_new_subdirectory(site, mode):
    os.makedirs(site.path("logs"))
    n = follow(site, mode, include="DIR/logs/**/*.log")
    os.makedirs(site.path("logs/a/b"))
    append(site, "logs/a/b/x.log", numbers_of(1, 20))
    n.until(20)
    append(site, "logs/top.log", numbers_of(21, 40))
    n.until(40)
    os.makedirs(site.path("logs/.hidden"))
    append(site, "logs/.hidden/x.log", "no\n")
    append(site, "logs/a/b/x.log", numbers_of(41, 60))
    n.until(60)


# -- truncation ---------------------------------------------------------------

def truncated_and_written_anew(site, mode, size):
    follow(site, mode)
    append(site, "app.log", "".join("old %03d\n" % i for i in range(100)))
    check(messages(site, 100)[-1] == "old 099", "the old content")
    new = "".join("new %03d\n" % i for i in range(size))
    append(site, "app.log", new, "wb")
    got = events(site, 100 + 1 + size)
    check(got[100].type == "gap" and got[100].json()["reason"] == "truncated", "no gap: %r" % got[100])
    check([e.json()["message"] for e in got[101:]] == ["new %03d" % i for i in range(size)], "not the new content, once")


def truncated_shorter(site, mode):
    truncated_and_written_anew(site, mode, 50)


def truncated_to_the_same_size(site, mode):
    truncated_and_written_anew(site, mode, 100)


def truncated_larger(site, mode):
    truncated_and_written_anew(site, mode, 150)


def deleted_and_recreated_with_the_same_inode(site, mode):
    follow(site, mode)
    append(site, "app.log", "a1\na2\na3\n")
    check(messages(site, 3)[-1] == "a3", "the first file")
    for i in range(3):
        os.unlink(site.path("app.log"))
        append(site, "app.log", "b%d\n" % i)
    wait_for(lambda: messages(site, 4)[-1].startswith("b"), "the new file")
    append(site, "app.log", "end\n")
    s = site.stream("channel=f&earliest=1")
    got = [e.json()["message"] for e in s.until_message("end") if e.type == "line"]
    check(got[:3] == ["a1", "a2", "a3"] and got[-2:] == ["b2", "end"] and len(got) == len(set(got)), "got %r" % got)


def a_writer_that_does_not_append(site, mode):
    """After a truncation it goes on at its old place: what lies before is a hole."""
    follow(site, mode)
    f = open(site.path("app.log"), "wb", buffering=0)
    f.write(b"x" * 5000000 + b"\n")
    f.seek(3 * 1024 ** 3)  # as one that has written 3 GiB
    f.write(b"before\n")
    wait_for(lambda: site.source("f")["counters"].get("lines", 0) >= 2, "both lines")
    os.truncate(site.path("app.log"), 0)
    f.write(b"after 1\nafter 2\n")
    s = site.stream("channel=f&earliest=1")
    got = s.until_message("after 2")
    check(got[-2].json()["message"] == "after 1", "got %r" % got[-2])
    wait_for(lambda: site.source("f")["counters"]["nul_bytes_skipped"] > 3 * 1024 ** 3 - 1, "the NULs to be counted")
    check(rss_kib(site.source("f")["pid"]) < 30000, "the source grew to %d KiB" % rss_kib(site.source("f")["pid"]))


# -- across restarts ------------------------------------------------------------

def rotated_while_down(site, mode):
    n = follow(site, mode, include="DIR/app.log*")
    append(site, "app.log", numbers_of(1, 100))
    n.until(100)
    site.stop()
    append(site, "app.log", numbers_of(101, 200))
    rotate(site.path("app.log"))
    append(site, "app.log", numbers_of(201, 300))
    rotate(site.path("app.log"))
    append(site, "app.log", numbers_of(301, 400))
    site.start()
    n.until(400)


def rotated_away_while_down(site, mode):
    """Unread lines are gone with their file: exactly one gap."""
    n = follow(site, mode)
    append(site, "app.log", numbers_of(1, 100))
    n.until(100)
    site.stop()
    append(site, "app.log", numbers_of(101, 200))
    os.unlink(site.path("app.log"))
    append(site, "app.log", b"new\n")
    site.start()
    s = site.stream("channel=f&earliest=1")
    got = s.until_message("new")
    check(len([e for e in got if e.type == "gap"]) == 1, "the gaps are %r" % [e for e in got if e.type == "gap"])
    check(len([e for e in got if e.type == "line"]) == 101, "not exactly the unread lines are missing")


def a_partial_last_line_across_a_restart(site, mode):
    follow(site, mode)
    append(site, "app.log", "one\ntwo, and a pa")
    check(messages(site, 1) == ["one"], "the whole line")
    site.kill("source")
    site.wait_state("f", "running")
    append(site, "app.log", "rt of it\nthree\n")
    check(messages(site, 3) == ["one", "two, and a part of it", "three"], messages(site, 3))


def killed_while_rotated(site, mode):
    """kill -9 of the source at random moments: each line once, in order."""
    kills, total = (100, 400000) if LONG or mode == "auto" else (20, 100000)
    n = follow(site, mode, "restart: {backoff: 20ms..50ms, attempts: 0}")
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    cuts = sorted(rng.sample(range(200, total), 12))
    write_lines(site.path("app.log"), 1, 100)
    n.until(100)  # a name that was rotated away before it was ever seen leads nowhere
    writer = in_background(write_lines, site.path("app.log"), 101, total, cuts, 20, 200, 0.003)
    killed = 0

    def kill():
        nonlocal killed
        if killed < kills and rng.random() < 0.7:
            killed += site.kill("source")
    n.until(total, 180, also=kill)
    join(writer)
    while killed < kills:
        killed += site.kill("source")
        time.sleep(0.02)
    append(site, "app.log", numbers_of(total + 1, total + 10))
    n.until(total + 10)
    print("  (seed %d, killed %d times)" % (seed, killed))


# -- contents --------------------------------------------------------------------

def long_lines(site, mode):
    follow(site, mode, "max_line: 1KiB")
    append(site, "app.log", b"x" * 10000000 + b"\nnext\n")
    got = events(site, 2)
    first = got[0].json()
    check(first["truncated"] and len(first["message"]) == 1024 and first["fields"]["log.record.size"] == 10000000, "not cut and told")
    check(got[1].json()["message"] == "next", "the next line")


def any_bytes(site, mode):
    follow(site, mode)
    append(site, "app.log", b"crlf\r\n\na\0b\nbad \xff\xfe utf\n\xc3\xa4\nlast\n")
    check(messages(site, 6) == ["crlf", "", "a\0b", "bad \ufffd\ufffd utf", "\u00e4", "last"], repr(messages(site, 6)))


def invalid_bytes_escaped(site, mode):
    follow(site, mode, "on_invalid: escape, skip_empty: true")
    append(site, "app.log", b"bad \xff\xc3 utf\n\n\n\xc3\xa4\n")
    check(messages(site, 2) == ["bad \\xff\\xc3 utf", "\u00e4"], repr(messages(site, 2)))


def utf_16(site, mode):
    os.makedirs(site.path("x"))
    follow(site, mode, include="DIR/x/*.log")
    text = "erste Zeile \u00e4\u4e0a\nzweite\r\n\u0a0a\u010d dritte\n"
    for name, codec in (("le", "utf-16-le"), ("be", "utf-16-be")):
        bom = b"\xff\xfe" if name == "le" else b"\xfe\xff"
        data = bom + text.encode(codec)
        # In pieces that cut characters in two.
        for i in range(0, len(data), 7):
            append(site, "x/" + name + ".log", data[i:i + 7])
    got = messages(site, 6)
    check(sorted(got) == sorted(2 * ["erste Zeile \u00e4\u4e0a", "zweite", "\u0a0a\u010d dritte"]), repr(got))


def latin_1(site, mode):
    follow(site, mode, "encoding: ISO-8859-1")
    append(site, "app.log", "Gr\u00fc\u00dfe\nzwei\n".encode("latin-1"))
    check(messages(site, 2) == ["Gr\u00fc\u00dfe", "zwei"], repr(messages(site, 2)))


def a_byte_order_mark_is_no_text(site, mode):
    follow(site, mode)
    append(site, "app.log", b"\xef\xbb\xbfone\ntwo\n")
    check(messages(site, 2) == ["one", "two"], repr(messages(site, 2)))


TRACE = "ERROR it broke\n  at a()\n  at b()\nINFO fine\nERROR again\n  at c()\n"


def multiline_by_its_start(site, mode):
    follow(site, mode, "multiline: {start: '^[A-Z]+ ', timeout: 300ms}")
    append(site, "app.log", TRACE)
    got = messages(site, 3)
    check(got == ["ERROR it broke\n  at a()\n  at b()", "INFO fine", "ERROR again\n  at c()"], repr(got))


def multiline_by_its_continuation(site, mode):
    follow(site, mode, "multiline: {continue: '^\\s', timeout: 300ms}")
    append(site, "app.log", TRACE)
    check(messages(site, 3)[0] == "ERROR it broke\n  at a()\n  at b()", repr(messages(site, 3)))


def multiline_by_its_end(site, mode):
    follow(site, mode, "multiline: {end: ';$', timeout: 10s, max_lines: 4}")
    append(site, "app.log", "select\n 1;\nselect 2;\n1\n2\n3\n4\n5;\n")
    check(messages(site, 4) == ["select\n 1;", "select 2;", "1\n2\n3\n4", "5;"], repr(messages(site, 4)))


def multiline_is_cut_and_told(site, mode):
    follow(site, mode, "multiline: {start: '^A', max_bytes: 100, timeout: 300ms}")
    append(site, "app.log", "A\n" + "".join("x" * 20 + "\n" for _ in range(10)) + "A next\n")
    got = events(site, 2)
    check(got[0].json()["truncated"] and got[0].json()["fields"]["log.record.size"] == 1 + 10 * 21, repr(got[0]))
    check(got[1].json()["message"] == "A next", repr(got[1]))


def multiline_held_back_survives_a_kill(site, mode):
    follow(site, mode, "multiline: {start: '^A', timeout: 60s}")
    append(site, "app.log", "A one\n b\n")
    wait_for(lambda: site.source("f")["counters"].get("bytes", 0) >= 9, "the lines to be read")
    site.kill("source")
    site.wait_state("f", "running")
    append(site, "app.log", " c\nA two\n")
    check(messages(site, 1) == ["A one\n b\n c"], repr(messages(site, 1)))


# -- parsers -----------------------------------------------------------------------

def parse(site, mode, options, line, n=1):
    follow(site, mode, options)
    append(site, "app.log", line)
    return [e.json() for e in events(site, n)]


def parse_json(site, mode):
    a, b = parse(site, mode, "parse: json", '{"time":"2026-01-02T03:04:05.5Z","level":"warn","msg":"hi","http":'
                 '{"status":500,"ok":false},"tags":["a",{"b":null}],"x":1.5}\nnot json\n', 2)
    check(a["time"] == "2026-01-02T03:04:05.500000Z" and a["severity"] == "warning" and a["message"] == "hi", repr(a))
    want = {"level": "warn", "http.status": 500, "http.ok": False, "tags": ["a", {"b": None}], "x": 1.5}
    check({k: v for k, v in a["fields"].items() if k != "log.file.path"} == want, repr(a["fields"]))
    check(b["message"] == "not json" and b["fields"]["unparsed"] is True, repr(b))


def a_date_that_no_event_can_have(site, mode):
    """Of 1950 or 3000: the line comes all the same, with the time of its reading."""
    for i, year in enumerate(("1950", "1969", "3000", "0001")):
        append(site, "app.log", '{"time":"%s-01-02T03:04:05Z","msg":"%d"}\n' % (year, i))
    follow(site, mode, "parse: json")
    check(messages(site, 4) == ["0", "1", "2", "3"], "lines are missing")
    check(site.source("f")["state"] == "running" and site.source("f")["restarts"] == 0, "the source has failed")


def parse_logfmt(site, mode):
    a, = parse(site, mode, "parse: logfmt", 'ts=2026-01-02T03:04:05Z level=error msg="it \\"broke\\"" n=12 f=1.5 id=007 on\n')
    check(a["message"] == 'it "broke"' and a["severity"] == "error" and a["time"].startswith("2026-01-02T03:04:05"), repr(a))
    check([a["fields"][k] for k in ("n", "f", "id", "on")] == [12, 1.5, "007", True], repr(a["fields"]))


def parse_clf(site, mode):
    a, b = parse(site, mode, "parse: clf",
                 '10.0.0.1 - bob [21/Nov/2026:06:00:00 +0100] "GET /a b HTTP/1.1" 404 123 "http://r/" "Mozilla \\"x\\""\n'
                 '::1 - - [21/Nov/2026:06:00:00 +0000] "\\x16\\x03" 400 -\n', 2)
    f = a["fields"]
    check((f["client"], f["user"], f["method"], f["path"], f["status"], f["bytes"], f["referer"]) ==
          ("10.0.0.1", "bob", "GET", "/a b", 404, 123, "http://r/"), repr(f))
    check(a["time"] == "2026-11-21T05:00:00.000000Z" and a["severity"] == "warning", repr(a))
    check(b["fields"]["status"] == 400 and b["fields"]["bytes"] == 0, repr(b))


def parse_regex(site, mode):
    a, b = parse(site, mode, "parse: regex, regex: '^(?<time>\\S+) (?<level>\\w+) \\[(?<thread>[^]]+)\\] (?<message>.*)$'",
                 "2026-01-02T03:04:05+01:00 ERROR [main] it broke\nelse\n", 2)
    check(a["message"] == "it broke" and a["severity"] == "error" and a["fields"]["thread"] == "main", repr(a))
    check(a["time"].startswith("2026-01-02T02:04:05") and b["fields"]["unparsed"], repr((a, b)))


def parse_syslog(site, mode):
    a, b, c = parse(site, mode, "parse: syslog, time_zone: Europe/Berlin",
                    "2026-11-21T06:00:00.123456+00:00 host1 app[42]: hello\nNov 21 06:00:00 host2 cron: there\nplain text\n", 3)
    check((a["fields"]["host"], a["fields"]["app"], a["fields"]["pid"], a["message"]) == ("host1", "app", "42", "hello"), repr(a))
    check(b["time"].endswith("-11-21T05:00:00.000000Z") and b["message"] == "there", repr(b))
    check(c["message"] == "plain text" and c["fields"]["unparsed"], repr(c))


# -- many, and trouble ---------------------------------------------------------------

def permission_lost_and_back(site, mode):
    """One line a change, nothing lost; as another user, for root may all."""
    os.chmod(site.dir, 0o755)
    append(site, "app.log", numbers_of(1, 10))
    os.chmod(site.path("app.log"), 0o000)
    site.up(CONFIG % ("DIR/app.log", mode, ", user: nobody"))
    wait_for(lambda: "app.log cannot be read: Permission denied" in site.log(), "the trouble to be told")
    time.sleep(0.5)
    check(site.log().count("cannot be read") == 1, "it is told %d times" % site.log().count("cannot be read"))
    os.chmod(site.path("app.log"), 0o644)
    n = Numbers(site, "f")
    n.until(10)
    site.told("can be read again", 1)


def five_thousand_files_of_which_one_is_hot(site, mode):
    os.makedirs(site.path("many"))
    for i in range(5000):
        append(site, "many/%04d.log" % i, b"")
    site.up("f: {type: file, channel: f, include: [DIR/many/*.log], read_from: beginning, watch: %s}\n" % mode)
    site.ready()
    wait_for(lambda: site.source("f")["counters"].get("files") == 5000, "all files")
    writer = in_background(write_lines, site.path("many/2500.log"), 1, 2000000, (), 0, 40, 0.002)
    time.sleep(0.5)
    s = site.stream("channel=f")
    s.until_type("hello")
    began = time.monotonic()
    for i in range(0, 5000, 100):
        append(site, "many/%04d.log" % i, "cold %d\n" % i)
    seen = set()
    s.events(lambda e: "cold" in e.data and (seen.add(e.data) or len(seen) == 50), 30)
    took = time.monotonic() - began
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    check(took < 2 * PATIENCE, "the cold ones took %.1f s" % took)


def old_files_are_left_alone_until_they_change(site, mode):
    os.makedirs(site.path("x"))
    append(site, "x/old.log", "old\n")
    append(site, "x/new.log", "new\n")
    os.utime(site.path("x/old.log"), (1, 1))
    follow(site, mode, "ignore_older: 1h", "DIR/x/*.log")
    check(messages(site, 1) == ["new"], repr(messages(site, 1)))
    append(site, "x/old.log", "again\n")
    check(messages(site, 2) == ["new", "again"], repr(messages(site, 2)))


def inactive_files_are_closed_and_opened_again(site, mode):
    os.makedirs(site.path("x"))
    n = follow(site, mode, "close_inactive: 300ms", "DIR/x/*.log")
    append(site, "x/app.log", numbers_of(1, 10) + b"11 is ha")
    n.until(10)
    pid = site.source("f")["pid"]

    def is_open():
        return site.path("x/app.log") in open_names(pid)
    wait_for(lambda: not is_open(), "the file to be closed")
    append(site, "x/app.log", b"lf\n" + numbers_of(12, 20))
    s = site.stream("channel=f&earliest=1")
    got = [e.json().get("message") for e in s.until_message("20")]
    check("11 is half" in got, "got %r" % got)
    wait_for(lambda: not is_open(), "the file to be closed again")
    os.rename(site.path("x/app.log"), site.path("x/app.old"))
    append(site, "x/app.old", "21\n")
    append(site, "x/app.log", "22\n")
    s = site.stream("channel=f&earliest=1")
    got = [e.json().get("message") for e in s.until_message("22")]
    check(got[-2:] == ["21", "22"], "got %r" % got[-3:])


def more_than_max_files_is_told(site, mode):
    os.makedirs(site.path("x"))
    for i in range(5):
        append(site, "x/%d.log" % i, "%d\n" % i)
    follow(site, mode, "max_files: 3", "DIR/x/*.log")
    messages(site, 3)
    site.told("more than 3 files", 1)


def gz_is_read_once(site, mode):
    with gzip.open(site.path("app.log.2.gz"), "wb") as f:
        f.write(numbers_of(1, 100000))
    os.utime(site.path("app.log.2.gz"), (1000000000, 1000000000))
    n = follow(site, mode, "decompress: true", "DIR/app.log*")
    n.until(100000)
    site.kill("source")
    site.wait_state("f", "running")
    append(site, "app.log", numbers_of(100001, 100010))
    n.until(100010)


def compressed_when_its_number_has_been_reused(site, mode):
    """A file that was read, closed and compressed, and whose inode another one has got since."""
    n = follow(site, mode, "decompress: true", "DIR/app.log*")
    write_lines(site.path("app.log"), 1, 1000)
    n.until(1000)
    inode = os.stat(site.path("app.log")).st_ino
    os.rename(site.path("app.log"), site.path("app.log.1"))
    write_lines(site.path("app.log"), 1001, 1001)
    n.until(1001)
    pid = site.source("f")["pid"]
    wait_for(lambda: not any(name.endswith("app.log.1") for name in open_names(pid)), "the old one to be closed")
    subprocess.check_call(["gzip", site.path("app.log.1")])
    os.makedirs(site.path("x"))
    for i in range(2000):  # until a new file gets the number
        append(site, "x/%d" % i, b"")
        if os.stat(site.path("x/%d" % i)).st_ino == inode:
            os.rename(site.path("x/%d" % i), site.path("app.log.next"))
            append(site, "app.log.next", b"1002\n")
            break
    else:
        append(site, "app.log", b"1002\n")
    n.until(1002)
    site.kill("source")
    time.sleep(3)  # what is compressed is looked at after two seconds
    append(site, "app.log", b"1003\n")
    n.until(1003)


def compressed_while_something_is_held_back(site, mode):
    follow(site, mode, "decompress: true, multiline: {start: '^A', timeout: 5s}", "DIR/app.log*")
    append(site, "app.log", "A one\nA two\n y\nA unended")
    wait_for(lambda: site.source("f")["counters"].get("bytes", 0) >= 24, "it to be read")
    os.rename(site.path("app.log"), site.path("app.log.1"))
    subprocess.check_call(["gzip", site.path("app.log.1")])
    append(site, "app.log", "A new\n")
    s = site.stream("channel=f&earliest=1")
    got = [e.json().get("message") for e in s.until_message("A new", 30)][1:]
    check(got == ["A one", "A two\n y", "A unended", "A new"], repr(got))


def a_damaged_gz_is_a_gap(site, mode):
    data = gzip.compress(os.urandom(50000) + b"\n")
    os.makedirs(site.path("x"))
    append(site, "x/x.gz", data[:30000] + b"garbage" + data[30100:])
    os.utime(site.path("x/x.gz"), (1000000000, 1000000000))
    follow(site, mode, "decompress: true, on_long_line: skip, max_line: 64", "DIR/x/*")
    s = site.stream("channel=f&earliest=1")
    s.events(lambda e: e.type == "gap" and e.json()["reason"] == "damaged")


def both_modes(*scenarios):
    ret = []
    for fn in scenarios:
        for mode in ("auto", "poll"):
            def scenario(site, fn=fn, mode=mode):
                fn(site, mode)
            scenario.__name__ = fn.__name__ + ("" if mode == "auto" else "_by_polling")
            ret.append(scenario)
    return ret


def a_name_that_matches_nothing_is_told(site, mode):
    os.mkdir(site.path("d"))
    open(site.path("app.log"), "w").close()
    follow(site, mode, "", "DIR/*.log, DIR/ap.log, DIR/nothing/*.log, DIR/d")
    for text in ("no file matches %s yet" % site.path("ap.log"), "no file matches %s yet" % site.path("nothing/*.log"),
                 "%s is a directory (name the files in it: " % site.path("d")):
        site.told(text, 1)
    check("no file matches %s" % site.path("*.log") not in site.log(), site.log())


run(*both_modes(
    a_name_that_matches_nothing_is_told,
    rename_and_create, logrotate_create, logrotate_copytruncate, logrotate_compress, moved_into_place,
    a_symlink_that_is_switched, a_new_subdirectory, truncated_shorter, truncated_to_the_same_size, truncated_larger,
    deleted_and_recreated_with_the_same_inode, a_writer_that_does_not_append, rotated_while_down,
    rotated_away_while_down, a_partial_last_line_across_a_restart, killed_while_rotated, long_lines, any_bytes,
    invalid_bytes_escaped, utf_16, latin_1, a_byte_order_mark_is_no_text, multiline_by_its_start,
    multiline_by_its_continuation, multiline_by_its_end, multiline_is_cut_and_told,
    multiline_held_back_survives_a_kill, parse_json, a_date_that_no_event_can_have, parse_logfmt, parse_clf, parse_regex, parse_syslog,
    permission_lost_and_back, five_thousand_files_of_which_one_is_hot, old_files_are_left_alone_until_they_change,
    inactive_files_are_closed_and_opened_again, more_than_max_files_is_told, gz_is_read_once,
    compressed_when_its_number_has_been_reused, compressed_while_something_is_held_back, a_damaged_gz_is_a_gap))
