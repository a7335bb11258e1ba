# SPDX-License-Identifier: MIT
"""What `include` names: patterns, links, and what is not read, which is said."""
import gzip
import os
import signal
import socket
import stat
import sys

from harness import *


def source(name, include, mode="auto", options=""):
    return "%s: {type: file, channel: %s, include: ['%s'], watch: %s, sweep_interval: 100ms, rotate_wait: 300ms, " \
           "read_from: beginning%s}\n" % (name, name, include, mode, options and ", " + options)


def append(site, name, text):
    os.makedirs(os.path.dirname(site.path(name)), exist_ok=True)
    with open(site.path(name), "a") as f:
        f.write(text)


def lines(site, channel, n):
    """The first n messages of a channel, without their order."""
    s = site.stream("channel=%s&earliest=1" % channel)
    got = []
    s.events(lambda e: e.type != "hello" and (got.append(e.json().get("message")) or len(got) == n))
    s.close()
    return sorted(got)


def nothing_in_include_is_ignored_silently(site):
    """One line by sluice check, one at the start, and a warning in the status."""
    os.chmod(site.dir, 0o755)
    os.makedirs(site.path("x/dir"))
    append(site, "x/plain.log", "read\n")
    os.mkfifo(site.path("x/fifo"))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(site.path("x/socket"))
    os.symlink("/dev/stdout", site.path("x/stdout.log"))
    os.symlink("/dev/null", site.path("x/null.log"))
    os.symlink("nowhere", site.path("x/dangling.log"))
    os.makedirs(site.path("locked"))
    append(site, "locked/a.log", "a\n")
    os.chmod(site.path("locked"), 0o700)
    append(site, "x/unreadable.log", "a\n")
    os.chmod(site.path("x/unreadable.log"), 0)
    for i in range(3):
        gzip.open(site.path("x/old.%d.gz" % i), "w").close()
    append(site, "x/old.bz2", "")
    append(site, "y/app.log", "read\n")
    append(site, "y/app.log.1.gz", "")
    os.makedirs(site.path("tree/real"))
    append(site, "elsewhere/a.log", "a\n")
    os.symlink(site.path("elsewhere"), site.path("tree/link"))
    append(site, "tree/real/a.log", "a\n")
    cases = [
        ("fifo", "DIR/x/fifo", "x/fifo is a FIFO, which is not read (set fifos: true"),
        ("socket", "DIR/x/socket", "x/socket is a socket, which is not read (to receive"),
        ("stdout", "DIR/x/stdout.log", "x/stdout.log leads to the standard output of the program that writes it"),
        ("wildout", "DIR/x/std*", "x/stdout.log leads to the standard output"),
        ("device", "DIR/x/null.log", "x/null.log is a device"),
        ("dangling", "DIR/x/dangling.log", "x/dangling.log is a link to a file that does not exist"),
        ("directory", "DIR/x/dir", "x/dir is a directory (name the files in it: %s/x/dir/*.log)" % site.dir),
        ("directories", "DIR/x/d?r", "x/dir is a directory (name the files in it"),
        ("gz", "DIR/x/old.*.gz", ".gz is compressed and is not read (set decompress: true to read it); so are 2 more"),
        ("foreign", "DIR/x/old.bz2", "x/old.bz2 is compressed in a format that is not read"),
        ("forbidden", "DIR/locked/a.log", "may not enter the directory %s/locked" % site.dir),
        ("unlisted", "DIR/locked/*.log", "/locked cannot be listed: permission denied"),
        ("unreadable", "DIR/x/unreadable.log", "x/unreadable.log cannot be read: Permission denied"),
        ("nodir", "DIR/none/*/x.log", "none/*/x.log yet: the directory %s/none does not exist" % site.dir),
        ("nofile", "DIR/x/{plain,misspelt}.log", "no file matches %s/x/misspelt.log yet (files are followed" % site.dir),
        ("excluded", "DIR/x/plain.log", "x/plain.log is left out by exclude, and the pattern matches no other file"),
    ]
    config = "".join(source(name, include, "auto", "user: nobody" + (", exclude: [DIR/x/*]" if name == "excluded" else ""))
                     for name, include, _ in cases)
    config += source("links", "DIR/tree/**/*.log") + source("some", "DIR/y/app.log*")
    site.up(config)
    site.ready()
    for name, _, text in cases:
        def told():
            return [w["text"] for w in site.source(name)["warnings"] if text in w["text"]]
        wait_for(told, "%s to be told: %s" % (name, site.log()))
        # The log, too, and no second line at the next looks.
        told_in_log = [l for l in site.log().splitlines() if "source %s: " % name in l]
        check(len(told_in_log) == 1 and text in told_in_log[0], "%s: %r" % (name, told_in_log))
    status, out = site.sluice_command("check")
    for name, _, text in cases:
        told_by_check = [l for l in out.splitlines() if "sources.%s: " % name in l]
        check(status == 0 and len(told_by_check) == 1 and text in told_by_check[0], "%s: %r" % (name, out))
    check("sources.some: " not in out, out)
    check(site.source("fifo")["counters"]["ignored_files"] == 1, site.source("fifo"))
    check(site.source("gz")["counters"]["ignored_files"] == 3, site.source("gz"))
    check(site.source("unreadable")["counters"]["unreadable_files"] == 1, site.source("unreadable"))
    site.told("tree/link is a link to a directory, which ** does not enter (set follow_links: true", 1)
    check(site.source("some")["warnings"] == [], "what matches beside what is read is no warning")
    check(lines(site, "links", 1) == ["a"] and lines(site, "some", 1) == ["read"], "the rest is not read")
    unix.close()


def braces_and_links_below_stars(site):
    for mode in ("auto", "poll"):
        append(site, mode + "/a.log", "a\n")
        append(site, mode + "/b.err", "b\n")
        append(site, mode + "/c.txt", "c\n")
        append(site, mode + "/tree/one/x.log", "x\n")
        append(site, mode + "/out/side/y.log", "y\n")
        os.symlink("../..", site.path(mode, "tree/one/up"))  # a loop
        os.symlink(site.path(mode, "out/side"), site.path(mode, "tree/link"))
        os.symlink(site.path(mode, "tree/link"), site.path(mode, "tree/again"))
    config = ""
    for mode in ("auto", "poll"):
        config += source("braces-" + mode, "DIR/%s/{a.{log,txt},*.err,b.*}" % mode, mode, "exclude: ['DIR/*/*.{txt,md}']")
        config += source("links-" + mode, "DIR/%s/tree/**/*.log" % mode, mode, "follow_links: true")
    site.up(config)
    site.ready()
    for mode in ("auto", "poll"):
        check(lines(site, "braces-" + mode, 2) == ["a", "b"], "braces")
        # By the loop up, what is beside the tree is below it, too.
        check(lines(site, "links-" + mode, 3) == ["a", "x", "y"], "links")
        append(site, mode + "/out/side/y.log", "y2\n")
        append(site, mode + "/out/side/deep/z.log", "z\n")
        check(lines(site, "links-" + mode, 5) == ["a", "x", "y", "y2", "z"], "new below a link")
        wait_for(lambda: site.source("links-" + mode)["counters"]["files"] == 4, "each file to be followed once")


def a_fifo_is_read_as_a_stream_with_a_gap_at_a_restart(site):
    for mode in ("auto", "poll"):
        os.makedirs(site.path(mode))
        os.mkfifo(site.path(mode, "fifo"))
    site.up("".join(source("f-" + mode, "DIR/%s/*" % mode, mode, "fifos: true, multiline: {start: '^[a-z0-9]', timeout: 200ms}")
                    for mode in ("auto", "poll")))
    site.ready()
    for mode in ("auto", "poll"):
        # Two writers after each other, then one that stays; more than the pipe holds.
        for text in ("one\nha", "two\n more\n"):
            with open(site.path(mode, "fifo"), "w") as f:
                f.write(text)
            wait_for(lambda: site.source("f-" + mode)["events"] >= (2 if text[0] == "o" else 3), "the writer's text")
        writer = open(site.path(mode, "fifo"), "wb", buffering=0)
        writer.write(b"".join(b"%d\n" % i for i in range(15000)))
        s = site.stream("channel=f-%s&earliest=1" % mode)
        got = [e for e in s.until_message("14999", 60) if e.type != "hello"]
        check([e.json()["message"] for e in got] == ["one", "ha", "two\n more"] + [str(i) for i in range(15000)], "not each line once")
        old = site.source("f-" + mode)["pid"]
        os.kill(old, 9)
        wait_for(lambda: site.source("f-" + mode)["pid"] not in (old, 0), "the source to start again")
        gap = s.until_type("gap").json()
        check(gap["reason"] == "restart" and "is a FIFO" in gap["message"], repr(gap))
        writer.write(b"after\nend\n")
        got = [e.json()["message"] for e in s.until_message("end")]
        check(got == ["after", "end"], repr(got))
        # One in its place, while the old one has a writer still.
        os.unlink(site.path(mode, "fifo"))
        os.mkfifo(site.path(mode, "fifo"))
        writer.write(b"old\n")
        writer.close()
        s.until_message("old")
        with open(site.path(mode, "fifo"), "w") as f:
            f.write("new\n")
        check(s.until_message("new")[-1].type == "line", "the new one")
        s.close()


def a_line_in_a_fifo_ends_with_its_writer(site):
    """Also if the next one comes before sluice has seen the end of the one before, or has been there already."""
    os.mkfifo(site.path("fifo"))
    site.up(source("f", "DIR/fifo", "auto", "fifos: true"))
    site.ready()
    wait_for(lambda: site.source("f")["counters"], "the source to look")

    def is_read(n):
        wait_for(lambda: site.source("f")["counters"]["bytes"] == n, "%d bytes to be read" % n)

    def writer():
        return open(site.path("fifo"), "wb", buffering=0)
    first = writer()
    first.write(b"a whole line, and half")
    is_read(22)
    pid = site.source("f")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        first.close()
        second = writer()
        second.write(b"second\nslow")
    finally:
        os.kill(pid, signal.SIGCONT)
    is_read(33)
    second.write(b"ly\n")
    is_read(36)
    third = writer()
    third.write(b"third, half")
    is_read(47)
    third.close()
    s = site.stream("channel=f&earliest=1")
    got = [e.json()["message"] for e in s.until_message("third, half") if e.type != "hello"]
    check(got == ["a whole line, and half", "second", "slowly", "third, half"], repr(got))
    second.write(b"end\n")
    check(s.until_message("end")[-1].json()["message"] == "end", "the line of one that stays")
    second.close()
    # Programs one after the other, as a shell starts them.
    for i in range(10):
        for text in ("half %d" % i, "whole %d\n" % i):
            with writer() as w:
                w.write(text.encode())
            wait_for(lambda: site.source("f")["events"] == 6 + 2 * i + text.endswith("\n"), "each to be an event", 5)


run(nothing_in_include_is_ignored_silently, a_line_in_a_fifo_ends_with_its_writer, braces_and_links_below_stars,
    a_fifo_is_read_as_a_stream_with_a_gap_at_a_restart)
