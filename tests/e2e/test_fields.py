# SPDX-License-Identifier: MIT
"""What a line says and what sluice adds to it, as fields of one event."""
from harness import *

SOURCE = "%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning, sweep_interval: 100ms%s}\n"


def begin(site, **options):
    """A source and a channel for each name, with these options."""
    for name in options:
        open(site.path(name + ".log"), "w").close()
    site.up("".join(SOURCE % (name, name, name, "".join(", " + o for o in [more] if o)) for name, more in options.items()))
    site.ready()


def append(site, name, *lines):
    with open(site.path(name + ".log"), "ab") as f:
        f.write(b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines))


def events(site, name, n, more=""):
    """The data of the first n events of a channel, as text and as JSON."""
    got = []
    s = site.stream("channel=%s&earliest=1%s" % (name, more))
    s.events(lambda e: e.type != "hello" and (got.append(e) or len(got) == n))
    s.close()
    return got


def names_of(e):
    """Every name in the fields of an event, also those that occur twice."""
    names = []
    json.loads(e.data, object_pairs_hook=lambda pairs: (names.append([k for k, _ in pairs]), dict(pairs))[1])
    return max((n for n in names if "channel" not in n), key=len, default=[])


def a_field_name_occurs_once_and_means_the_same_everywhere(site):
    begin(site, web="parse: clf", app="parse: json", kv="parse: logfmt",
          own="parse: regex, regex: '^(?<path>\\S+) (?<log>.*)', path_field: path")
    append(site, "web", '10.0.0.1 - - [21/Nov/2026:06:00:00 +0100] "GET /login HTTP/1.1" 200 123')
    append(site, "app", '{"path": "/spoofed", "log.file.path": "/etc/passwd", "log": {"file": {"path": "/etc/shadow"}}, "msg": "hi"}')
    append(site, "kv", 'log.file.path=/etc/passwd a=1 a=2 msg=one msg=two')
    append(site, "own", "/a b")
    e, = events(site, "web", 1, "&filter=fields.path%20==%20%22/login%22")
    check(e.json()["fields"]["path"] == "/login" and e.json()["fields"]["log.file.path"] == site.path("web.log"), repr(e))
    e, = events(site, "app", 1)
    f = e.json()["fields"]
    check((f["path"], f["log.file.path"], f["log.file.path_2"], f["log.file.path_3"]) ==
          ("/spoofed", site.path("app.log"), "/etc/passwd", "/etc/shadow"), repr(f))
    e, = events(site, "app", 1, "&filter=fields.log.file.path%20==%20%22" + site.path("app.log") + "%22")
    check(len(set(names_of(e))) == len(names_of(e)) == 4, repr(e))
    e, = events(site, "kv", 1)
    f = e.json()["fields"]
    check((f["log.file.path"], f["log.file.path_2"], f["a"], f["a_2"]) == (site.path("kv.log"), "/etc/passwd", 1, 2), repr(f))
    check(e.json()["message"] == "one" and f["msg"] == "two", repr(e))
    e, = events(site, "own", 1)
    check(e.json()["fields"]["path"] == site.path("own.log") and e.json()["fields"]["path_2"] == "/a", repr(e))
    schema = site.json("/schema/web")["$defs"]["line"]["properties"]["fields"]["properties"]
    check("log.file.path" in schema and "path" not in schema, repr(schema))


def logfmt_as_its_users_write_it(site):
    begin(site, kv="parse: logfmt")
    append(site, "kv", r'ts=1767323045.5 level=warn msg="line one\nline\ttwo \"q\" \u00e4" n=12 empty= on',
           "ts=1767323045123 msg=ms", "time=\"2026-01-02T03:04:05Z\"  msg=\"open quote a=1", "no pairs at all")
    a, b, c, d = [e.json() for e in events(site, "kv", 4)]
    check(a["message"] == 'line one\nline\ttwo "q" \u00e4' and a["severity"] == "warning", repr(a))
    check(a["time"] == "2026-01-02T03:04:05.500000Z" and b["time"] == "2026-01-02T03:04:05.123000Z", repr((a, b)))
    check((a["fields"]["n"], a["fields"]["empty"], a["fields"]["on"]) == (12, "", True), repr(a))
    check(c["message"] == "open quote a=1" and "quote" in c["fields"]["log.parse.problems"], repr(c))
    check(d["fields"]["unparsed"] is True and d["message"] == "no pairs at all", repr(d))


run(logfmt_as_its_users_write_it, a_field_name_occurs_once_and_means_the_same_everywhere)
