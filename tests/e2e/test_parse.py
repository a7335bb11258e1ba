#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the file plugin makes of lines, with many sources in one running sluice."""
from harness import *

SOURCE = "%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning%s}\n"
SHORT = "timeout: 200ms"
ERROR, WARNING, INFO = "error", "warning", "info"


def parsed(site, cases):
    """The events of each case: (options, text, how many events)."""
    config = ""
    for i, (options, text, _) in enumerate(cases):
        with open(site.path("c%d.log" % i), "wb") as f:
            f.write(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)
        config += SOURCE % ("c%d" % i, "c%d" % i, "c%d" % i, options and ", " + options)
    site.up(config)
    ret = []
    for i, (options, text, n) in enumerate(cases):
        def events():
            return site.json("/history?channel=c%d&limit=1000" % i)["events"]
        wait_for(lambda: len(events()) >= n, "%d events of %r with %s" % (n, text[:60], options))
        got = events()
        check(len(got) == n, "%s: %d events of %r: %r" % (options, len(got), text, [e["message"] for e in got]))
        ret.append(got)
    return ret


def holds(event, message=None, severity=None, time=None, **fields):
    """Whether the event is so; of a name with dots write the dots as __.  None: there is no such field."""
    check(message is None or event["message"] == message, "message: %r, not %r" % (event["message"], message))
    check(severity is None or event.get("severity") == severity, "severity: %r" % event)
    check(time is None or event["time"].startswith(time), "time: %r, not %s" % (event, time))
    for name, value in fields.items():
        got = event["fields"].get(name.replace("__", "."))
        check(got == value and type(got) is type(value), "%s is %r, not %r: %r" % (name, got, value, event))


def text_outside_a_match_is_kept(site):
    level = "'^(?<level>[A-Z]+) (?<message>.*)%s'"
    joined = "multiline: {continue: '^\\s', %s}, parse: regex, regex: " % SHORT
    text = "ERROR it broke\n  at a()\n  at b()\n"
    whole = "it broke\n  at a()\n  at b()"
    cases = [
        (joined + level % "", text, 1),
        (joined + level % "$", text, 1),
        (joined + "'(?s)^(?<level>[A-Z]+) (?<message>.*)$'", text, 1),
        (joined + "'^(?<level>[A-Z]+) (?<message>.*) \\[(?<id>\\d+)\\]$'", "ERROR it broke [7]\n  at a()\n", 1),
        (joined + "'(?s)^(?<level>[A-Z]+) (?<message>[^\\n]*)\\n(?<stack>.*)$'", text, 1),
        (joined + "'^(?<level>[A-Z]+)'", text, 1),
        (joined + "'(?<level>\\w+): (?<message>\\w+)'", "at 12 ERROR: broken pipe\n", 1),
        (joined + "'(?<message>b\\(.*)$'", text, 1),
        ("parse: regex, regex: '(?<message>\\w+) (?<msg>\\w+)'", "one two\n", 1),
        ("parse: regex, regex: '%s(?<last>.)$'" % ("(.?)" * 99), "ab\n", 1),
    ]
    got = [events[0] for events in parsed(site, cases)]
    for event in got[:3]:
        holds(event, whole, ERROR, level="ERROR", unparsed=None, text_before=None, text_after=None)
    holds(got[3], "it broke\n  at a()", ERROR, id=7)
    holds(got[4], "it broke", ERROR, stack="  at a()\n  at b()")
    holds(got[5], text[:-1], ERROR)
    holds(got[6], "broken", ERROR, text_before="at 12", text_after="pipe")
    holds(got[7], "b()", text_before="ERROR it broke\n  at a()\n  at")
    holds(got[8], "one", msg="two")
    holds(got[9], "ab", last="b")


def a_level_in_colour_counts_and_colours_go_when_asked(site):
    red = "\x1b[31mERROR\x1b[0m it \x1b[1mbroke\x1b[0m\n"
    got = parsed(site, [
        ("", red, 1),
        ("ansi: strip", red, 1),
        ("parse: logfmt", "level=\x1b[33mwarn\x1b[0m msg=x\n", 1),
        ("ansi: strip, parse: json", '{"msg":"\\u001b[31mbroke\\u001b[0m","who":"\\u001b[1mme"}\n', 1),
        ("multiline: {start: '^[A-Z]', %s}" % SHORT, red + " more\n" + red, 2),
    ])
    holds(got[0][0], red[:-1], ERROR)
    holds(got[1][0], "ERROR it broke", ERROR)
    holds(got[2][0], severity=WARNING)
    holds(got[3][0], "broke", who="me")
    holds(got[4][0], red + " more", ERROR)


def times_that_people_have(site):
    """In each parser; what is not understood is kept and said."""
    regex = "parse: regex, regex: '^\\[?(?<time>[^]|]+)[]|] (?<message>.*)', time_zone: %s"
    json_lines = '{"time": %s, "msg": "x"}\n'
    cases = [
        (regex % "Europe/Berlin", "[2026/07/27 10:00:00] x\n[Fri Nov 27 11:00:00.5 2026] x\n[soon] x\n", 3),
        (regex % "'-03:30'", "27-Nov-2026 10:00:00.123| x\n27-Nov-2026 11:00:00 Europe/Berlin| x\n", 2),
        (regex % "UTC" + ", time_format: ['%d.%m.%y %H:%M:%S,%L', epoch_ms]",
         "27.11.26 10:00:00,250| x\n99999999999| x\n2026-11-27 11:00:00 CET| x\n", 3),
        ("parse: json, time_format: '%d.%m.%Y %H:%M'", json_lines % "1795773600123" + json_lines % '"2026-11-27 10:00:00.5 UTC"' +
         json_lines % '"1795773600"' + json_lines % '"27.11.2026 10:00"' + json_lines % "true" + json_lines % '"soon"' +
         json_lines % "null", 7),
        ("parse: logfmt", "ts=1795773600.25 msg=x\ntime=soon ts=2026-11-27T10:00:00Z msg=x\nts=soon msg=x\n", 3),
    ]
    a, b, c, d, e = parsed(site, cases)
    for event, time in zip(a, ("2026-07-27T08:00:00", "2026-11-27T10:00:00.500000", None)):
        holds(event, "x", time=time, time_unparsed=None if time else True)
    check(a[2]["fields"]["time"] == "soon", repr(a[2]))
    holds(b[0], "x", time="2026-11-27T13:30:00.123", time_unparsed=None)
    holds(b[1], "x", time="2026-11-27T10:00:00.000", time_unparsed=None)
    for event, time in zip(c, ("2026-11-27T10:00:00.250", "1973-03-03T09:46:39.999", "2026-11-27T10:00:00")):
        holds(event, "x", time=time, time_unparsed=None)
    for event, time in zip(d, ("10:00:00.123", "10:00:00.500", "10:00:00.000", "10:00:00.000", None, None)):
        holds(event, "x", time=time and "2026-11-27T" + time, time_unparsed=None if time else True)
    holds(d[6], "x", time_unparsed=None)
    for event, time in zip(e, ("2026-11-27T10:00:00.250", "2026-11-27T10:00:00.000", None)):
        holds(event, "x", time=time, time_unparsed=None if time else True)
    wait_for(lambda: site.source("c4")["counters"].get("unparsed_times") == 1, "the line to be counted")


if __name__ == "__main__":
    run(text_outside_a_match_is_kept, a_level_in_colour_counts_and_colours_go_when_asked, times_that_people_have)
