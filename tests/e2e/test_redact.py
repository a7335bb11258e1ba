#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A secret in a line is nowhere: not on the disk, in no stream, page, log or status."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import *

SECRETS = ["hunter2secret", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "AKIAIOSFODNN7EXAMPLE",
           "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "4111111111111111", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA",
           "sess-0123456789", "alice@example.org"]
LINES = ["password=hunter2secret for bob", "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
         "aws AKIAIOSFODNN7EXAMPLE and ghp_abcdefghijklmnopqrstuvwxyz0123456789", "paid with 4111111111111111",
         "-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA", "-----END PRIVATE KEY-----",
         "Cookie: sid=sess-0123456789", "mail to alice@example.org sent"]
SOURCES = """
web: {type: file, channel: web, include: [DIR/web.log], read_from: beginning, filter: 'not message ~ /hunter2secret/',
      redact: [all, {field: message, regex: '([\\w.]+@[\\w.]+)', do: hash}]}
json: {type: file, channel: json, include: [DIR/json.log], read_from: beginning, parse: json,
       redact: [all, {field: user, do: drop}, {field: mail, do: hash}]}
shell: {type: command, channel: shell, interval: 200ms,
        shell: 'echo password=hunter2secret; echo token=hunter2secret >&2; exit 3', stderr: log, redact: all}
"""


def everything_below(path):
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.path.join(folder, name), open(os.path.join(folder, name), "rb").read()


def a_secret_is_nowhere(site):
    with open(site.path("web.log"), "w") as f:
        f.write("\n".join(LINES) + "\nlast\npassword=hunter2secret")  # what ends the file is in no cursor
    with open(site.path("json.log"), "w") as f:
        f.write(json.dumps({"msg": "x", "password": "hunter2secret", "user": "alice@example.org", "mail": "alice@example.org",
                            "req": {"headers": {"cookie": "sid=sess-0123456789"}, "card": 4111111111111111}, "n": 1}) + "\n")
        f.write(json.dumps({"msg": "last"}) + "\n")
    site.up(SOURCES)
    stream = site.stream("channel=web&channel=json&channel=shell&channel=sluice&earliest=1")
    wait_for(lambda: site.source("web")["events"] >= len(LINES) + 1 and site.source("json")["events"] >= 2
             and site.source("shell")["events"] >= 2, "the lines: " + site.log()[-500:])
    seen = set()
    got = stream.events(lambda e: (seen.add((e.json().get("channel"), e.json().get("message"))) or
                                   {("web", "last"), ("json", "last")} <= seen) if e.type != "hello" else False)
    text = "\n".join(e.data for e in got)
    pages = "".join(site.get("/history?channel=%s&limit=1000%s" % (c, f))[2].decode() for c in ("web", "json", "shell", "sluice")
                    for f in ("", "&format=text", "&format=ndjson"))
    status = site.get("/status")[2].decode()
    wait_for(lambda: "***" in site.log(), "standard error in the log: " + site.log()[-2000:])
    for secret in SECRETS:
        for where, what in (("a stream", text), ("a page", pages), ("/status", status), ("the log", site.log())):
            check(secret not in what, "%s is in %s: %s" % (secret, where, what[max(0, what.find(secret) - 300):][:600]))
        for path, content in everything_below(site.path("state")):
            check(secret.encode() not in content, "%s is in %s" % (secret, path))
        # No filter finds it, so nobody can ask for it piece by piece.
        for f in ('message contains "%s"' % secret, 'message ~ /%s/' % secret[:6]):
            found = site.json("/history?channel=web&channel=json&filter=" + quote(f))
            check(found["events"] == [], "%s is found: %r" % (secret, found))
    messages = [json.loads(e.data)["message"] for e in got if e.type == "line" and e.json()["channel"] == "web"]
    check(messages[0] == "password=*** for bob" and messages[-1] == "last" and len(messages) == len(LINES) + 1, "%r" % messages)
    check(re.fullmatch(r"mail to #[0-9a-f]{12} sent", messages[8]), messages[8])
    fields = [e.json()["fields"] for e in got if e.type != "hello" and e.json().get("channel") == "json"][0]
    check("user" not in fields and fields["mail"] == messages[8].split()[2] and fields["password"] == "***" and fields["n"] == 1,
          "%r" % fields)
    check(site.source("web")["redacted"] == len(LINES), "%r" % site.source("web"))
    check(os.stat(site.path("state/redact.key")).st_mode & 0o077 == 0, "others can read the key")


def quote(s):
    import urllib.parse
    return urllib.parse.quote(s)


def rules_change_with_a_reload(site):
    open(site.path("web.log"), "w").close()
    site.up("web: {type: file, channel: web, include: [DIR/web.log], read_from: beginning}")
    site.ready()
    stream = site.stream("channel=web")
    stream.until_type("hello")
    say = lambda text: open(site.path("web.log"), "a").write(text + "\n")
    say("password=one")
    stream.until_message("password=one")
    text = open(site.path("sluice.yaml")).read()
    for rule, want in (("password", "password=***"), ("{rule: password, with: gone}", "password=gone"),
                       ("{field: message, do: drop}", "")):
        with open(site.path("sluice.yaml"), "w") as f:
            f.write(text.replace("read_from: beginning", "read_from: beginning, redact: %s" % rule))
        code, out = site.sluice_command("reload")
        check(code == 0, out)
        say("password=two")
        stream.until_message(want)


def the_rest_of_a_key_is_known_after_a_kill_and_a_reload(site):
    begin, piece, end = LINES[4:7]
    say = lambda *lines: open(site.path("web.log"), "a").write("".join(line + "\n" for line in lines))
    say(begin, piece)
    site.up("web: {type: file, channel: web, include: [DIR/web.log], read_from: beginning, redact: pem}")
    count = lambda n: wait_for(lambda: len(site.json("/history?channel=web&limit=1000")["events"]) == n, "%d events" % n)
    count(2)
    site.kill("hub")
    say(piece, "between")
    site.ready()
    count(4)
    site.kill("source")
    say(piece)
    count(5)
    text = open(site.path("sluice.yaml")).read()
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text.replace("redact: pem", "redact: all"))
    code, out = site.sluice_command("reload")
    check(code == 0, out)
    say(piece)
    count(6)
    say(end, piece)  # outside of a key it is anybody's word
    count(8)
    got = [e["message"] for e in site.json("/history?channel=web&limit=1000")["events"]]
    check(got == ["***"] + ["*** (private key)"] * 2 + ["between"] + ["*** (private key)"] * 3 + [piece], repr(got))


def mistakes_are_told(site):
    for rule, says in (("bearrer", 'did you mean "bearer"'), ("[nothing]", "there are headers, password"), ("{}", "what is to be taken out"),
                       ("{regex: '(', field: message}", "sources.a.redact.regex"), ("{rule: all, field: x}", "exclude each other"),
                       ("{feild: x}", 'did you mean "field"'), ("{field: x, do: eat}", "do"), ("[[all]]", "a list where a rule is expected")):
        site.write_config("a: {type: file, channel: a, include: [/x], redact: %s}" % rule)
        code, out = site.sluice_command("check")
        check(code == 2 and says in out and "sluice.yaml:" in out, "%s: %d %s" % (rule, code, out))


run(a_secret_is_nowhere, rules_change_with_a_reload, the_rest_of_a_key_is_known_after_a_kill_and_a_reload,
    mistakes_are_told)
