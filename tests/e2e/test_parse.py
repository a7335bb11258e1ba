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
    stack = "\n\tat a.b(c.java:3)"
    for options, line in (("json", '{"level": "error", "msg": "it broke"}'), ("logfmt", 'level=error msg="it broke"'),
                          ("syslog", "<11>Nov 27 10:00:00 host app: it broke"), ("nginx", "2026/11/27 10:00:00 [error] it broke"),
                          ("haproxy", "<11>Nov 27 10:00:00 host app: it broke")):
        cases.append(("multiline: java, parse: " + options, line + stack + "\n", 1))
    got = [events[0] for events in parsed(site, cases)]
    for event in got[-5:]:
        holds(event, "it broke" + stack, ERROR, unparsed=None)
    for event in got[:3]:
        holds(event, whole, ERROR, level="ERROR", unparsed=None, text_before=None, text_after=None)
    holds(got[3], "it broke\n  at a()", ERROR, id=7)
    holds(got[4], "it broke", ERROR, stack="  at a()\n  at b()")
    holds(got[5], text[:-1], ERROR)
    holds(got[6], "broken", ERROR, text_before="at 12", text_after="pipe")
    holds(got[7], "b()", text_before="ERROR it broke\n  at a()\n  at")
    holds(got[8], "one", msg="two")
    holds(got[9], "ab", last="b")


def a_coloured_level_is_recognised_and_colours_can_be_stripped(site):
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


def logs_of_web_servers(site):
    """Presets beside clf; each line as its server writes it."""
    access = '203.0.113.7 - bob [27/Nov/2026:10:00:00 +0000] "GET /login HTTP/1.1" %s %s "http://r/" "curl/8"\n'
    caddy = {"level": "info", "ts": 1795773600.25, "logger": "http.log.access", "msg": "handled request", "size": 5,
             "status": 404, "duration": 0.1, "user_id": "", "request": {
                 "remote_ip": "10.0.0.1", "client_ip": "203.0.113.7", "proto": "HTTP/2.0", "method": "GET", "host": "example.com",
                 "uri": "/login", "headers": {"User-Agent": ["curl/8"]}}}
    got = parsed(site, [
        ("parse: clf", access % (200, 5) + "www.example.com:80 " + access % ("000", "-") + "10.0.0.9, " + access % ("-", "-"), 3),
        ("parse: vhost_combined", "www.example.com:80 " + access % (503, 5), 1),
        ("parse: nginx, time_zone: UTC", access % (499, 0) + '2026/11/27 10:00:00 [crit] 1#2: *3 x, client: 203.0.113.7, '
         'server: a, request: "GET /login HTTP/1.1"\nplain\n', 3),
        ("parse: apache_error, time_zone: UTC", "[Fri Nov 27 10:00:00.25 2026] [core:error] [pid 1:tid 2] "
         "[client 203.0.113.7:5] AH00128: no file\n", 1),
        ("parse: haproxy, time_zone: UTC", 'Nov 27 10:00:00 lb haproxy[1]: 203.0.113.7:5 [27/Nov/2026:10:00:00.25] in b/s '
         '0/0/0/1/1 502 5 - - PH-- 1/1/0/0/0 0/0 "GET /login HTTP/1.1"\n', 1),
        ("parse: caddy", json.dumps(caddy) + '\n{"level":"warn","ts":1795773600.25,"msg":"no certificate"}\n', 2),
    ])
    request = {"client": "203.0.113.7", "method": "GET", "path": "/login", "protocol": "HTTP/1.1", "time": "2026-11-27T10:00:00"}
    clf, vhost, nginx, apache, haproxy, caddy = got
    holds(clf[0], severity=INFO, status=200, user="bob", agent="curl/8", vhost=None, **request)
    holds(clf[1], severity=WARNING, status=0, bytes=0, vhost="www.example.com", port=80, **request)
    holds(clf[2], status=None, **dict(request, client="10.0.0.9"), forwarded_for="10.0.0.9, 203.0.113.7")
    holds(vhost[0], severity=ERROR, vhost="www.example.com", **request)
    holds(nginx[0], severity=WARNING, status=499, **request)
    holds(nginx[1], severity="critical", connection=3, level="crit", **request)
    holds(nginx[2], "plain", unparsed=True)
    holds(apache[0], "AH00128: no file", ERROR, "2026-11-27T10:00:00.25", client="203.0.113.7", code="AH00128", pid=1)
    holds(haproxy[0], severity=ERROR, status=502, backend="b", host="lb", termination="PH--", **request)
    holds(caddy[0], "handled request: GET /login 404", WARNING, status=404, bytes=5, agent="curl/8", vhost="example.com",
          **dict(request, protocol="HTTP/2.0"))
    holds(caddy[1], "no certificate", WARNING)


def stack_traces_are_one_event(site):
    """Of a preset that is named alone or beside other options; a group message keeps all of it."""
    java = ["2026-11-27 10:00:00 ERROR it broke\njava.lang.IllegalStateException: boom\n\tat a.B.c(B.java:3)\n"
            "Caused by: java.io.IOException: x\n\t... 2 more", "2026-11-27 10:00:01 INFO going on"]
    python = ["before", "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    f()\nValueError: x\n\n"
              "During handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n"
              "  File \"x.py\", line 3, in <module>\nKeyError: 'y'", "after"]
    text = "\n".join(java) + "\n"
    regex = ", parse: regex, regex: '^(?<time>\\S+ \\S+) (?<level>[A-Z]+) (?<message>.*)', time_zone: UTC"
    got = parsed(site, [
        ("multiline: java", text, 2),
        ("multiline: {preset: python, %s}" % SHORT, "\n".join(python) + "\n", 3),
        ("multiline: {preset: time, %s}" % SHORT, text, 2),
        ("multiline: {preset: java, %s}" % SHORT + regex, text, 2),
        ("multiline: {preset: java, start: '^>', %s}" % SHORT, "> a\n b\n> c\n", 2),
        ("multiline: java", "\x1b[31m2026-11-27 10:00:00 ERROR\x1b[0m it broke\njava.lang.Error: x\n\tat a.B.c(B.java:3)\n", 1),
    ])
    check([e["message"] for e in got[0]] == java, repr(got[0]))
    check([e["message"] for e in got[1]] == python, repr(got[1]))
    check([e["message"] for e in got[2]] == java, repr(got[2]))
    holds(got[3][0], java[0][26:], ERROR, "2026-11-27T10:00:00", unparsed=None)
    holds(got[3][1], "going on", INFO, "2026-11-27T10:00:01", unparsed=None)
    holds(got[0][0], severity=ERROR)


def a_form_that_fits_no_line_is_told(site):
    lines = "".join("line %d\n" % i for i in range(12))
    docker = "".join('{"log":"line %d\\n","stream":"stdout","time":"2026-11-27T10:00:00Z"}\n' % i for i in range(12))
    parsed(site, [("parse: haproxy", lines, 12), ("parse: docker, parse_message: json", docker, 12), ("parse: cri", docker, 12),
                  ("parse: json", '{"message": "x"}\n' + lines, 13), ("", "gr\udcfc\udcdfe, \u00fc\n" + lines, 13)])
    for said in ('source c0: parse: none of the first 10 lines has the form "haproxy"', "source c1: parse_message: none of the first",
                 "source c2: parse: none of the first"):
        site.told(said, 1)
    wait_for(lambda: site.source("c4")["counters"].get("invalid_bytes") == 2, "the bytes that are no UTF-8 to be counted")
    check(not site.source("c3")["warnings"] and site.source("c0")["warnings"], site.log())


def options_that_cannot_work_are_rejected(site):
    source = SOURCE % ("f", "f", "f", ", %s")
    for options, want in (("multiline: jawa", 'did you mean "java"'), ("multiline: {preset: [java]}", "a list where"),
                          ("time_format: '%d %i'", "contains a directive that is not supported"), ("time_format: [epoch, soon]", "contains no part"),
                          ("parse: regex, regex: '^x (.*)'", "has no named group"), ("time_format: epoch", "is used only with parse"),
                          ("time_zone: '+25:00'", "is not a time zone"), ("parse: ngnix", 'did you mean "nginx"'), ("ansi: drop", "keep, strip")):
        site.write_config(source % options)
        code, out = site.sluice_command("check")
        check(code != 0 and want in out, "%s: %r" % (options, out))


if __name__ == "__main__":
    run(text_outside_a_match_is_kept, a_coloured_level_is_recognised_and_colours_can_be_stripped, times_that_people_have,
        logs_of_web_servers, stack_traces_are_one_event, a_form_that_fits_no_line_is_told, options_that_cannot_work_are_rejected)
