# SPDX-License-Identifier: MIT
"""What files hold: encodings, characters at the edges, holes.  Each scenario is one
sluice with a source for each case, with inotify and by polling."""
import os
import subprocess
import sys

from harness import *

TEXT = "alt %d \u00e4\u20ac\U0001d11e\u0a0a\u010a"
FACES = "\U0001f600\u00e9\u4e2d" * 40


class Cases:
    """Cases are (name, options, the file at the start); each runs in both modes."""

    def __init__(self, site, cases):
        self.site = site
        self.names = ["%s-%s" % (name, mode) for name, _, _ in cases for mode in ("auto", "poll")]
        sources = ""
        for name, options, data in cases:
            for mode in ("auto", "poll"):
                full = "%s-%s" % (name, mode)
                os.makedirs(site.path(full))
                if data is not None:
                    self.write(full, data)
                sources += "%s: {type: file, channel: %s, include: [DIR/%s/*.log], watch: %s, sweep_interval: 100ms, " \
                           "rotate_wait: 300ms%s}\n" % (full, full, full, mode, options and ", " + options)
        site.up(sources)
        site.ready()

    def write(self, full, data, mode="ab"):
        with open(self.site.path(full, "app.log"), mode) as f:
            f.write(data)

    def append(self, name, data):
        for mode in ("auto", "poll"):
            self.write("%s-%s" % (name, mode), data)

    def looked(self):
        """Every source has begun with its file."""
        for full in self.names:
            wait_for(lambda: self.site.source(full)["counters"].get("files", 0) >= 1, full + " to follow its file")

    def got(self, full, n):
        s = self.site.stream("channel=%s&earliest=1" % full)
        got = []
        s.events(lambda e: e.type != "hello" and (got.append(e) or len(got) == n))
        s.close()
        return got

    def expect(self, name, want):
        """Exactly these messages, a gap being its reason in brackets."""
        for mode in ("auto", "poll"):
            full = "%s-%s" % (name, mode)
            seen = []
            for e in self.got(full, len(want)):
                seen.append("[%s]" % e.json()["reason"] if e.type == "gap" else e.json()["message"])
            check(seen == want, "%s: %r instead of %r" % (full, seen, want))

    def pieces(self, name, text):
        """The messages of a line that was split, the last of them being `text`'s end."""
        for mode in ("auto", "poll"):
            full = "%s-%s" % (name, mode)
            s = self.site.stream("channel=%s&earliest=1" % full)
            got = [e.json()["message"] for e in s.until_message_of("line", "end", 30) if e.type == "line"]
            s.close()
            check("".join(got[:-1]) == text and len(got) > 5, "%s: %r" % (full, got))


def an_encoding_holds_from_any_starting_point(site):
    encodings = [("le", "utf-16-le", b"\xff\xfe", ""), ("be", "utf-16-be", b"\xfe\xff", ""),
                 ("named", "utf-16-le", b"", "encoding: UTF-16LE"), ("wide", "utf-32-le", b"\xff\xfe\0\0", ""),
                 ("marked", "utf-16-be", b"\xfe\xff", "encoding: UTF-16"), ("plain", "utf-8", b"\xef\xbb\xbf", "")]
    cases = []
    for name, codec, mark, options in encodings:
        # More than a block before, so that the last lines are looked for across blocks.
        old = mark + ("x" * 20001 + "\n" + "".join(TEXT % i + "\n" for i in range(6)) + "half").encode(codec)
        for start in ("end", "3"):
            more = "read_from: " + start + (options and ", " + options)
            cases.append(("%s-%s" % (name, start), more, old))
    c = Cases(site, cases)
    c.looked()
    new = TEXT % 6
    for name, codec, _, _ in encodings:
        for start in ("end", "3"):
            c.append("%s-%s" % (name, start), (" line\n" + new + "\n").encode(codec))
    site.kill("source")  # and in the middle of it, too
    for name, codec, _, _ in encodings:
        c.expect(name + "-end", ["half line", new])
        c.expect(name + "-3", [TEXT % 4, TEXT % 5, "half line", new])


def no_character_is_cut_in_two(site):
    def line(codec):
        return ("x" + FACES + "\nend\n").encode(codec)
    kanji = "\u65e5\u672c\u8a9e" * 40
    c = Cases(site, [
        ("utf8-split", "on_long_line: split, max_line: 33", None),
        ("utf16-split", "on_long_line: split, max_line: 34, encoding: UTF-16LE", None),
        ("gb-split", "on_long_line: split, max_line: 33, encoding: GB18030", None),
        ("sjis-split", "on_long_line: split, max_line: 33, encoding: SHIFT_JIS", None),
        ("utf8-cut", "max_line: 33", None),
        ("utf16-cut", "max_line: 38, encoding: UTF-16LE", None),
        ("group-cut", "multiline: {start: '^x', max_bytes: 103, timeout: 300ms}", None),
    ])
    c.append("utf8-split", line("utf-8"))
    c.append("utf16-split", line("utf-16-le"))
    c.append("gb-split", line("gb18030"))
    c.append("sjis-split", ("x" + kanji + "\nend\n").encode("shift_jis"))
    c.append("utf8-cut", line("utf-8"))
    c.append("utf16-cut", line("utf-16-le"))
    c.append("group-cut", ("x\n" + FACES + "\nmore\nx end\n").encode())
    for name in ("utf8-split", "utf16-split", "gb-split"):
        c.pieces(name, "x" + FACES)
    c.pieces("sjis-split", "x" + kanji)
    c.expect("utf8-cut", [cut("x" + FACES, 32, "utf-8"), "end"])
    c.expect("utf16-cut", [cut("x" + FACES, 36, "utf-16-le"), "end"])
    c.expect("group-cut", [cut("x\n" + FACES, 103, "utf-8"), "x end"])


def cut(text, size, codec):
    """The most whole characters that `size` bytes hold."""
    while len(text.encode(codec)) > size:
        text = text[:-1]
    return text


def text_behind_holes_is_read(site):
    beginning = "read_from: beginning"
    c = Cases(site, [("between", beginning, b"one\n" + bytes(200000) + b"two\n"),
                     ("within", beginning, b"one\nhalf" + bytes(70000) + b"two\n" + bytes(5000) + b"three\n"),
                     ("small", beginning, b"a\0b\n\0c\nd\0\0\n" + b"e" + bytes(64) + b"f\n"),
                     ("head", beginning, bytes(300000) + b"one\n"),
                     ("wide", beginning, ("\ufeffone\n" + "\0" * 100000 + "two\n").encode("utf-16-be")),
                     ("punched", beginning, b"".join(b"%d\n" % i for i in range(3000))),
                     ("sparse", beginning, None), ("later", beginning, None)])
    for full in c.names:
        if full.startswith("sparse"):
            with open(site.path(full, "new"), "wb") as f:
                for i in range(3):
                    f.seek((i + 1) << 32)
                    f.write(b"%d\n" % i)
            os.rename(site.path(full, "new"), site.path(full, "app.log"))
        elif full.startswith("later"):
            # Space that was allocated in advance is written to in place.
            c.write(full, b"one\nha" + bytes(100000))
    c.expect("between", ["one", "[hole]", "two"])
    c.expect("within", ["one", "half", "[hole]", "two", "[hole]", "three"])
    c.expect("small", ["a\0b", "\0c", "d\0\0", "e", "[hole]", "f"])
    c.expect("head", ["one"])
    c.expect("wide", ["one", "[hole]", "two"])
    c.expect("sparse", ["0", "[hole]", "1", "[hole]", "2"])
    c.expect("later", ["one"])
    c.expect("punched", [str(i) for i in range(3000)])
    # What has been read can be given back to the disk.
    for mode in ("auto", "poll"):
        subprocess.run(["fallocate", "-p", "-o", "0", "-l", "8192", site.path("punched-" + mode, "app.log")], check=True)
    site.kill("source")
    for full in c.names:
        with open(site.path(full, "app.log"), "r+b") as f:
            f.seek(6 if full.startswith("later") else 0, os.SEEK_SET if full.startswith("later") else os.SEEK_END)
            f.write("\ufefflf\nlast\n".encode("utf-16-be")[2:] if full.startswith("wide") else b"lf\nlast\n")
    c.expect("later", ["one", "half", "last"])
    c.expect("within", ["one", "half", "[hole]", "two", "[hole]", "three", "lf", "last"])
    c.expect("punched", [str(i) for i in range(3000)] + ["lf", "last"])
    c.expect("sparse", ["0", "[hole]", "1", "[hole]", "2", "lf", "last"])
    c.expect("wide", ["one", "[hole]", "two", "lf", "last"])
    site.told("begins with 300000 NUL bytes")
    for full in c.names:
        if full.startswith("between"):
            gap = c.got(full, 2)[1].json()["message"]
            check("200000 NUL bytes after byte 4" in gap, gap)


def compressed_files_of_any_form_are_read_once(site):
    require("gzip", "zstd", "xz")
    forms = [("gzip", "gz"), ("zstd", "zst"), ("xz", "xz")]

    def pack(program, *texts):
        return b"".join(subprocess.run([program, "-c", "-q"], input=t, stdout=subprocess.PIPE, check=True).stdout
                        for t in texts)

    def numbers(first, last):
        return b"".join(b"%d\n" % i for i in range(first, last + 1))
    sources = ""
    for program, ending in forms:
        for mode in ("auto", "poll"):
            full = "%s-%s" % (ending, mode)
            os.makedirs(site.path(full))
            with open(site.path(full, "app.log.2." + ending), "wb") as f:
                f.write(pack(program, b"a\0b\n" + bytes(100000) + b"c", b"d\n", numbers(1, 3000)))
            os.utime(site.path(full, "app.log.2." + ending), (1000000000, 1000000000))
            with open(site.path(full, "app.log.3." + ending), "wb") as f:
                f.write(pack(program, b"whole\n", b"x" + os.urandom(20000).hex().encode() + b"\n")[:-3000])
            os.utime(site.path(full, "app.log.3." + ending), (1000000000, 1000000000))
            sources += "%s: {type: file, channel: %s, include: ['DIR/%s/app.log*'], watch: %s, sweep_interval: 100ms, " \
                       "read_from: beginning, rotate_wait: 200ms, decompress: true}\n" % (full, full, full, mode)
    site.up(sources)
    site.ready()
    for program, ending in forms:
        for mode in ("auto", "poll"):
            full = "%s-%s" % (ending, mode)
            wait_for(lambda: any("app.log.3.%s is damaged" % ending in w["text"] for w in site.source(full)["warnings"]),
                     full + " to say what is damaged")
            with open(site.path(full, "app.log"), "wb") as f:
                f.write(numbers(3001, 4000))
            wait_for(lambda: site.source(full)["events"] >= 4000, full + " to be read")
            # Rotated and compressed; what was read of it does not come again.
            os.rename(site.path(full, "app.log"), site.path(full, "app.log.1"))
            with open(site.path(full, "app.log"), "wb") as f:
                f.write(numbers(4001, 4010))
            subprocess.run([program, "-q"] + (["--rm"] if program == "zstd" else []) + [site.path(full, "app.log.1")], check=True)
    site.kill("source")
    for program, ending in forms:
        for mode in ("auto", "poll"):
            full = "%s-%s" % (ending, mode)
            with open(site.path(full, "app.log"), "ab") as f:
                f.write(b"4011\n")
            s = site.stream("channel=%s&earliest=1" % full)
            got = [e for e in s.until_message("4011", 60) if e.type != "hello"]
            s.close()
            seen = [e.json().get("message") if e.type == "line" else "[%s]" % e.json()["reason"] for e in got]
            check([x for x in seen if x.isdigit()] == [str(i) for i in range(1, 4012)], full + ": not each line once")
            at = seen.index("a\0b")
            check(seen[at:at + 4] == ["a\0b", "[hole]", "cd", "1"], "%s: %r" % (full, seen[at:at + 4]))
            check(seen.count("[damaged]") == 1 and seen.count("whole") == 1, "%s: the damaged one" % full)


def a_file_that_is_shorter_than_a_byte_order_mark_is_read(site):
    cases = Cases(site, [("short", "read_from: beginning", b"\xff\n"), ("rest", "read_from: beginning", b"\xef\xbb")])
    cases.looked()
    for mode in ("auto", "poll"):
        site.stream("channel=short-%s&earliest=1" % mode).until_message("\ufffd")
        os.rename(site.path("rest-%s/app.log" % mode), site.path("rest-%s/app.old" % mode))
    for mode in ("auto", "poll"):
        site.stream("channel=rest-%s&earliest=1" % mode).until_message("\ufffd")


def an_encoding_without_a_line_end_is_refused(site):
    for name in ("IBM037", "EBCDIC-US", "no-such", ""):
        site.write_config("f: {type: file, channel: f, include: [DIR/*.log], encoding: '%s'}\n" % name)
        status, text = site.sluice_command("check")
        check(status == 2 and "is not supported: iconv does not know it" in text, "%s: %d %s" % (name, status, text))


run(compressed_files_of_any_form_are_read_once, an_encoding_holds_from_any_starting_point, no_character_is_cut_in_two, text_behind_holes_is_read,
    a_file_that_is_shorter_than_a_byte_order_mark_is_read,
    an_encoding_without_a_line_end_is_refused)
