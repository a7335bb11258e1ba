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


if __name__ == "__main__":
    run(text_outside_a_match_is_kept, a_level_in_colour_counts_and_colours_go_when_asked)
