#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may see what, and what a browser cannot be talked into."""
import base64

from fastcgi import *
from mounts import mount, with_passwords

SOURCES = """
open: {type: file, channel: open, include: [DIR/open.log], read_from: beginning}
web: {type: file, channel: web, include: [DIR/web.log], read_from: beginning}
secret: {type: file, channel: secret, include: [DIR/secret.log], read_from: beginning}
plain: {type: file, channel: plain, include: [DIR/plain.log], read_from: beginning}
"""
CHANNELS = """
open: {access: anyone, heartbeat: 300ms}
web: {access: [user:alice, group:ops, net:10.0.0.0/8, 'net:2001:db8::/32'], replay: [user:alice], heartbeat: 300ms}
secret: {access: user:root, heartbeat: 300ms}
all: {from: [web, secret, open], access: group:ops, replay: group:ops}
both: {from: [open, secret]}
"""
ACCESS = """
admin: user:root
groups: DIR/groups
origins: [https://dash.example.org]
hosts: [logs.example.org, localhost]
certificate: SSL_CLIENT_S_DN_CN
"""


def begin(site):
    with open(site.path("groups"), "w") as f:
        f.write("# who is who\nops: bob carol\n\nempty:\n")
    for name in ("open", "web", "secret", "plain"):
        with open(site.path(name + ".log"), "w") as f:
            f.write("%s 1\n" % name)
    site.up(SOURCES, CHANNELS, access=ACCESS)
    wait_for(lambda: all(c["events"] for c in status(site)["channels"] if c["name"] in ("open", "web", "secret", "plain")),
             "the lines")


def grow_old():
    """Until what was written is the past: a cursor of the last seconds passes as live."""
    time.sleep(11)


def status(site):
    return json.loads(ask(site, "/status", env={"REMOTE_USER": "root"})[2])


def as_(user=None, **more):
    env = {"REMOTE_USER": user} if user else {}
    env.update(more)
    return env


def reads(site, channel, env, start="earliest=1"):
    s = Fcgi(site, "/events", "channel=%s&%s" % (channel, start), env=env)
    s.until(b'"%s 1"' % channel.encode())
    s.close()


def add(site, name, text):
    with open(site.path(name + ".log"), "a") as f:
        f.write(text + "\n")


def forbidden_is_as_if_it_were_not_there(site):
    begin(site)
    paths = [("/events", "channel=%s"), ("/events", "channel=%s&earliest=1"), ("/events", "channel=%s&tail=5"),
             ("/events", "channel=%s&since=1h"), ("/events", "channel=open&channel=%s"), ("/poll", "channel=%s&timeout=0s"),
             ("/poll", "channel=%s&tail=1"), ("/history", "channel=%s"), ("/history", "channel=%s&before=1h"),
             ("/schema/%s", "")]
    head_id = status(site)["head"]
    paths += [("/events", "channel=%s&after=" + head_id), ("/history", "channel=%s&after=" + head_id)]
    for name in ("secret", "web", "plain", "all", "both", "sluice"):
        for path, query in paths:
            fill = lambda text, n: text % n if "%s" in text else text
            there = ask(site, fill(path, name), fill(query, name), env=as_("mallory"))
            nothing = ask(site, fill(path, "nothing"), fill(query, "nothing"), env=as_("mallory"))
            check(there == nothing and there[0] == 404, "%s %s of %s: %r, of nothing: %r" % (path, query, name, there, nothing))
            posted = ask(site, fill(path, name), method="POST", body=fill(query, name).encode(), env=as_("mallory"))
            check(posted[0] in (404, 405), "posted: %r" % (posted,))
    # A cursor in the header tells as little, and so does a filter on a readable channel.
    for name in ("secret", "nothing"):
        check(ask(site, "/events", "channel=" + name, env=as_("mallory", HTTP_LAST_EVENT_ID=head_id))[0] == 404, name)
    page = json.loads(ask(site, "/history", "channel=open&filter=channel==%22secret%22", env=as_("mallory"))[2])
    check(page["events"] == [], "%r" % page)
    listed = json.loads(ask(site, "/channels", env=as_("mallory"))[2])
    check([c["name"] for c in listed["channels"]] == ["open"], "%r" % listed)
    for path in ("/status",):
        check(ask(site, path, env=as_("mallory"))[0] == 404, "%s for anyone" % path)


def each_subject_of_a_list(site):
    begin(site)
    reads(site, "open", {})
    reads(site, "web", as_("alice"))
    reads(site, "secret", as_("root"))
    for env in (as_("bob"), as_("carol"), as_(REMOTE_ADDR="10.1.2.3"), as_(REMOTE_ADDR="2001:db8:7::1"),
                as_(REMOTE_ADDR="::ffff:10.1.2.3")):
        s = Fcgi(site, "/events", "channel=web", env=env)
        s.until(b"event: hello")
        s.close()
    for env in (as_("bo"), as_("bobby"), as_("ops"), as_("alice "), as_("Alice"), as_(REMOTE_ADDR="11.0.0.1"),
                as_(REMOTE_ADDR="2001:db9::1"), as_(REMOTE_ADDR=""), as_(REMOTE_ADDR="10.1.2.3, 1.1.1.1"), {}):
        check(ask(site, "/events", "channel=web", env=env)[0] == 404, "%r was let in" % env)
    # A derived channel has rights of its own, and shows the others through it.
    s = Fcgi(site, "/events", "channel=all&earliest=1", env=as_("bob"))
    s.until(b'"secret 1"')
    s.close()
    # One that says nothing shows nobody what he may not see.
    check(ask(site, "/events", "channel=both", env=as_("bob"))[0] == 404, "a derived channel leaks")
    # The past is for alice alone.
    code, _, why = ask(site, "/history", "channel=web", env=as_("bob"))
    check(code == 403 and b"not see its past" in why, "%d %r" % (code, why))
    check(ask(site, "/events", "channel=web&earliest=1", env=as_("bob"))[0] == 403, "earliest")
    old = status(site)["channels"][0]["oldest"]
    grow_old()
    s = Fcgi(site, "/events", "channel=web", env=as_("bob", HTTP_LAST_EVENT_ID=old.split(".")[0] + ".1-0"))
    out = s.until(b"event: gap")
    check(b'"reason":"access"' in s.until(b'"reason"') and b"web 1" not in out, "%r" % out)
    add(site, "web", "web 2")
    s.until(b'"web 2"')
    s.close()
    # A verified certificate names its holder, one that was not verified nobody.
    reads(site, "web", as_(SSL_CLIENT_VERIFY="SUCCESS", SSL_CLIENT_S_DN_CN="alice"))
    for verify in ("NONE", "FAILED:expired", ""):
        check(ask(site, "/events", "channel=web", env=as_(SSL_CLIENT_VERIFY=verify, SSL_CLIENT_S_DN_CN="alice"))[0] == 404,
              "unverified")


def nobody_becomes_somebody_by_a_header(site):
    begin(site)
    for name in ("HTTP_REMOTE_USER", "HTTP_X_REMOTE_USER", "HTTP_X_FORWARDED_USER", "HTTP_SSL_CLIENT_S_DN_CN",
                 "HTTP_X_FORWARDED_FOR", "HTTP_AUTHORIZATION", "remote_user", "REMOTE_USER2"):
        value = "10.0.0.1" if name.endswith("FOR") else "alice"
        check(ask(site, "/events", "channel=web", env={name: value, "HTTP_SSL_CLIENT_VERIFY": "SUCCESS"})[0] == 404, name)
    # Twins, with - for _ too: nobody can tell which is meant, so neither is.
    for env in ([("REMOTE_USER", "mallory"), ("REMOTE_USER", "alice")], [("REMOTE-USER", "alice"), ("REMOTE_USER", "")],
                [("HTTP_ORIGIN", "https://dash.example.org"), ("HTTP-ORIGIN", "https://evil.example")],
                [("SSL_CLIENT_S_DN_CN", "x"), ("SSL-CLIENT_S_DN-CN", "alice"), ("SSL_CLIENT_VERIFY", "SUCCESS")],
                [("REMOTE_ADDR", "10.0.0.1")]):
        check(ask(site, "/events", "channel=open", env=env)[0] == 400, "%r was answered" % (env,))
    wait_for(lambda: "is there twice" in site.log(), "the log to tell")
    check(ask(site, "/events", "channel=open", env=as_("a\nb"))[0] == 403, "a name with a line end")
    # Through the web servers: what Basic authentication says counts where it was checked.
    basic = {"Authorization": "Basic " + base64.b64encode(b"alice:x").decode(), "Remote-User": "alice", "Remote_User": "alice"}
    check(site.get("/events?channel=web", headers=basic)[0] == 404, "lighttpd")
    for name in ("nginx", "Apache mod_proxy_fcgi", "Caddy"):
        m = mount(name)
        require(m.program)
        site.lighttpd.terminate()
        site.lighttpd.wait()
        m.prepare(site)
        m.start(site)
        try:
            check(site.get("/events?channel=web", headers=basic)[0] == 404, name)
            check(site.get("/schema/open", headers=basic)[0] == 200, name)
        finally:
            m.stop()


def a_user_that_lighttpd_has_checked(site):
    begin(site)
    site.lighttpd.terminate()
    site.lighttpd.wait()
    with open(site.path("users"), "w") as f:
        f.write("alice:secret\nmallory:secret\n")
    site.start_lighttpd('server.modules += ( "mod_auth", "mod_authn_file" )\nauth.backend = "plain"\n'
                        'auth.backend.plain.userfile = "%s"\n'
                        'auth.require = ( "/logs" => ( "method" => "basic", "realm" => "x", "require" => "valid-user" ) )\n'
                        % site.path("users"))
    for user, want in (("alice", 200), ("mallory", 404)):
        basic = {"Authorization": "Basic " + base64.b64encode(user.encode() + b":secret").decode()}
        check(site.get("/history?channel=web", headers=basic)[0] == want, user)
    check(site.get("/history?channel=web")[0] == 401, "without a name")


def passwords_by_the_recipes(site):
    """The lines of doc/access.md, word for word."""
    begin(site)
    site.lighttpd.terminate()
    site.lighttpd.wait()
    site.lighttpd = None
    require("openssl", "nginx", "caddy", "apache2")
    for name in ("lighttpd", "Apache mod_proxy_fcgi", "nginx", "Caddy"):
        m = with_passwords(mount(name), site, {"alice": "secret", "mallory": "secret"})
        m.prepare(site)
        m.start(site)
        try:
            for user, password, want in (("alice", "secret", 200), ("mallory", "secret", 404), ("alice", "wrong", 401)):
                basic = {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}
                got = site.get("/history?channel=web", headers=basic)[0]
                check(got == want, "%s: %s with \"%s\" gets %d" % (name, user, password, got))
            check(site.get("/history?channel=web")[0] == 401, name + ": without a name")
        finally:
            m.stop()


def ticket(site, *args):
    code, text = site.sluice_command("ticket", *args)
    check(code == 0, text)
    return text.strip()


def polls_without_a_right_to_the_past_lose_nothing(site):
    """Between two polls events come, and other channels are busy."""
    open(site.path("web.log"), "w").close()
    site.up("w: {type: file, channel: web, include: [DIR/web.log], read_from: beginning}\n"
            "b: {type: command, channel: busy, mode: daemon, shell: 'while :; do echo x; sleep 0.02; done'}",
            "web: {access: anyone, replay: 'user:root'}\nbusy: {access: 'user:root'}", access="default: deny")
    site.ready()
    got = []
    at = json.loads(site.get("/poll?channel=web&timeout=0s")[2])["next"]
    first = at
    for i in range(20):
        with open(site.path("web.log"), "a") as f:
            f.write("%d\n" % i)
        time.sleep(0.05)
        while True:
            page = json.loads(site.get("/poll?channel=web&timeout=200ms&after=" + at)[2])
            at = page["next"]
            got += page["events"]
            if got and got[-1].get("message") == str(i):
                break
    check([e.get("message") for e in got] == [str(i) for i in range(20)], "%r" % got)
    # What is old stays barred.
    grow_old()
    page = json.loads(site.get("/poll?channel=web&timeout=200ms&after=" + first)[2])
    check([e.get("reason") for e in page["events"]] == ["access"], "%r" % page)


def tickets(site):
    begin(site)
    t = ticket(site, "--user", "tina", "--channel", "web", "--for", "1h")
    reads(site, "web", {}, "earliest=1&ticket=" + t)
    reads(site, "web", {"HTTP_COOKIE": "a=b; sluice_ticket=%s; c=d" % t})
    # For its channels alone, whoever brings it; and for no more than reading.
    for channel in ("secret", "open", "all"):
        check(ask(site, "/events", "channel=%s&ticket=%s" % (channel, t), env=as_("root"))[0] == 404, channel)
    check(ask(site, "/status", "ticket=" + t, env=as_("root"))[0] == 404, "a ticket for /status")
    # Altered anywhere, it is none.
    body = t.split(".")
    for bad in (t[:-1], t[:-1] + ("0" if t[-1] != "0" else "1"), body[0] + "." + "00" + body[1][2:] + "." + body[2],
                "st2." + ".".join(body[1:]), body[1], "st1..", "st1." + body[1] + ".", "x" * 9000, t + "0", t.upper()):
        code, _, why = ask(site, "/events", "channel=web&ticket=" + bad, env=as_("alice"))
        check(code == 403 and b"not one of ours" in why, "%s: %d %r" % (bad[:40], code, why))
    wait_for(lambda: "The ticket is not good" in site.log(), "the log to tell")
    # A forgotten cookie harms nobody whom the web server knows.
    s = Fcgi(site, "/events", "channel=web", env=as_("alice", HTTP_COOKIE="sluice_ticket=old"))
    s.until(b"event: hello")
    s.close()
    # Its stream ends when it expires; who comes back is told why.
    short = ticket(site, "--channel", "web", "--for", "2s")
    s = Fcgi(site, "/events", "channel=web&ticket=" + short)
    s.until(b"event: bye")
    check(b"expired" in s.until(b'"message"'), "%r" % s.out[-300:])
    code, _, why = ask(site, "/events", "channel=web&ticket=" + short)
    check(code == 403 and b"expired" in why, "%d %r" % (code, why))
    # Or when it is revoked.
    s = Fcgi(site, "/events", "channel=web&ticket=" + t)
    s.until(b"event: hello")
    site.sluice_command("ticket", "--revoke", t)
    code, _, why = ask(site, "/events", "channel=web&ticket=" + t)
    check(code == 403 and b"revoked" in why, "%d %r" % (code, why))
    check(b"revoked" in s.until(b"event: bye") or b"revoked" in s.until(b'"message"'), "%r" % s.out[-300:])
    # Wrong uses say so.
    for args, says in ((["--channel", "nothing"], "no channel \"nothing\""), ([], "which channels"),
                       (["--channel", "web", "--for", "soon"], "a duration"), (["--chanel", "x"], "unknown option"),
                       (["--revoke", "st1.00.00"], "already void")):
        code, text = site.sluice_command("ticket", *args)
        check(code and says in text, "%r: %r" % (args, text))
    key = os.stat(site.path("state/ticket.key"))
    check(key.st_mode & 0o077 == 0, "others can read the key: %o" % key.st_mode)


def revocations_that_are_cut_short_or_old(site):
    begin(site)
    path = site.path("state/tickets.revoked")
    with open(path, "w") as f:
        f.writelines("%016x 1600000000\n" % i for i in range(40000))  # all expired
        f.write("0123456789")  # and one that a full disk has cut
    t = ticket(site, "--channel", "web", "--for", "1h")
    check(ask(site, "/history", "channel=web&ticket=" + t)[0] == 200, "before")
    code, out = site.sluice_command("ticket", "--revoke", t)
    check(code == 0, out)
    wait_for(lambda: ask(site, "/history", "channel=web&ticket=" + t)[0] == 403, "it to be revoked")
    check(os.path.getsize(path) < 1000, "the expired ones are kept")


def a_reload_takes_rights_away(site):
    begin(site)
    alice = Fcgi(site, "/events", "channel=web", env=as_("alice"))
    bob = Fcgi(site, "/events", "channel=all", env=as_("bob"))
    both = Fcgi(site, "/events", "channel=web&channel=open", env=as_("carol"))
    for s in (alice, bob, both):
        s.until(b"event: hello")
    with open(site.path("groups"), "w") as f:
        f.write("ops: bob\n")
    code, text = site.sluice_command("reload")
    check(code == 0, text)
    check(b'"access"' in both.until(b"event: bye") or both.until(b'"access"'), "")
    add(site, "web", "web 2")
    alice.until(b'"web 2"')
    bob.until(b'"web 2"')
    check(b"web 2" not in both.out, "it still reads")
    check(ask(site, "/events", "channel=web", env=as_("carol"))[0] == 404, "carol comes back")
    # What a stream may be changed to is decided by who has opened it.
    token = re.search(rb'"token":"(\w+)"', alice.out).group(1).decode()
    code, _, _ = ask(site, "/streams/" + token, method="POST", body=b"add=secret", env=as_("root"))
    check(code == 404, "changed to what its owner may not see: %d" % code)
    with open(site.path("groups"), "w") as f:
        f.write("ops bob\n")
    code, text = site.sluice_command("reload")
    check(code == 2 and "groups:1:1: access.groups" in text, text)


def the_past_stays_barred(site):
    begin(site)
    epoch = status(site)["epoch"]
    future, old = epoch + ".9999999999999-0", epoch + ".1-0"
    grow_old()
    for query in ("channel=web&after=" + future, "channel=web&after=" + old, "channel=web&before=" + future, "channel=web&since=1h",
                  "channel=web&earliest=1&after=" + future, "channel=web&format=text", "channel=open&channel=web"):
        check(ask(site, "/history", query, env=as_("bob"))[0] == 403, query)
    for query in ("channel=web&after=" + future, "channel=web&after=" + old):
        s = Fcgi(site, "/events", query, env=as_("bob"))
        check(b"web 1" not in s.until(b"event: gap"), query)
        s.close()
    # A stream that is changed sees the new channel from now on.
    s = Fcgi(site, "/events", "channel=open&earliest=1", env=as_("bob"))
    s.until(b'"open 1"')
    token = re.search(rb'"token":"(\w+)"', s.out).group(1).decode()
    code, _, why = ask(site, "/streams/" + token, method="POST", body=b"add=web", env=as_("bob"))
    wait_for(lambda: ask(site, "/streams/" + token, method="POST", body=b"add=web", env=as_("bob"))[0] == 200, "it to be live")
    add(site, "web", "web 2")
    check(b"web 1" not in s.until(b'"web 2"'), "the past of the added channel: %r" % s.out)


def context_is_only_what_the_channel_shows(site):
    with open(site.path("secret.log"), "w") as f:
        f.write("salary of bob\nERROR it broke\nsalary of alice\nERROR again\n")
    site.up("secret: {type: file, channel: secret, include: [DIR/secret.log], read_from: beginning}",
            "secret: {access: user:root}\ntrouble: {from: [secret], filter: 'message contains \"ERROR\"', access: anyone}",
            access="default: deny")
    wait_for(lambda: len(json.loads(ask(site, "/history", "channel=trouble")[2])["events"]) == 2, "the lines")
    for query in ("channel=trouble&context=50", "channel=trouble&before=50&after=50", "channel=trouble&grep=again&context=9",
                  "channel=trouble&grep=broke&after=9&format=text"):
        code, _, body = ask(site, "/history", query)
        check(code == 200 and b"ERROR" in body and b"salary" not in body, "%s: %r" % (query, body))
    check(b"broke" in ask(site, "/history", "channel=trouble&grep=again&context=9")[2], "no context at all")


def an_administrator_of_one_channel(site):
    for name in ("a", "b"):
        open(site.path(name + ".log"), "w").close()
    site.up("a: {type: file, channel: a, include: [DIR/a.log]}\nb: {type: file, channel: b, include: [DIR/b.log]}",
            "a: {access: anyone, admin: user:ann}\nb: {access: anyone}\nd: {from: [a], admin: user:ann}\ne: {from: [a, b], admin: user:dave}",
            access="admin: user:root")
    names = lambda rows: [r["name"] for r in rows]
    mine = json.loads(ask(site, "/status", env=as_("ann"))[2])
    check(sorted(mine) == ["channels", "sources"] and names(mine["channels"]) == ["a", "d"] and names(mine["sources"]) == ["a"], "%r" % mine)
    dave = json.loads(ask(site, "/status", env=as_("dave"))[2])
    check(names(dave["channels"]) == ["e"] and "from" not in dave["channels"][0] and dave["sources"] == [], "%r" % dave)
    check(ask(site, "/status", env=as_("bob"))[0] == 404 and ask(site, "/status")[0] == 404, "for anybody")
    check(len(status(site)["channels"]) == 5 and "epoch" in status(site), "for all of it")


def names_and_limits(site):
    with open(site.path("groups"), "w") as f:
        f.write("ops: bob carol\n")
    open(site.path("open.log"), "w").close()
    site.up("open: {type: file, channel: open, include: [DIR/open.log]}", "open: {access: group:ops, heartbeat: 60s}",
            hub="limits: {streams_per_user: 2}", access="groups: DIR/groups\ncertificate: SSL_CLIENT_S_DN")
    for name in ("bob carol", "bob ", "ops", "carol bob"):
        check(ask(site, "/events", "channel=open", env=as_(name))[0] == 404, name)
    t = ticket(site, "--user", "tina", "--channel", "open", "--for", "1h")
    for query, env in (("", as_("bob")), ("", {"SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_S_DN": "carol"}), ("&ticket=" + t, {})):
        held = [Fcgi(site, "/events", "channel=open" + query, env=env) for _ in range(2)]
        for s in held:
            s.until(b"event: hello")
        third = Fcgi(site, "/events", "channel=open" + query, env=env)
        check(b"streams_per_user" in third.until(b"event: busy") or b"streams_per_user" in third.until(b"reason"), "%r" % third.out)
        if not query:
            for s in held:
                s.close()
    # Many at once are revoked all the same, and a request with one of them hides no revocation from open streams.
    more = [ticket(site, "--channel", "open") for _ in range(6)] + [t]
    running = [subprocess.Popen([SLUICE, "ticket", "--revoke", x, "-c", site.path("sluice.yaml")], stdout=subprocess.DEVNULL) for x in more]
    check([p.wait() for p in running] == [0] * 7, "revoking at once")
    for x in more:
        check(b"revoked" in ask(site, "/events", "channel=open&ticket=" + x)[2], "still good")
    for s in held:
        s.until(b"event: bye")
    # What cannot be read vouches for nobody.
    good = ticket(site, "--channel", "open")
    os.rename(site.path("state/tickets.revoked"), site.path("state/x"))
    os.mkdir(site.path("state/tickets.revoked"))
    code, _, why = ask(site, "/events", "channel=open&ticket=" + good)
    check(code == 403 and b"cannot be read" in why, "%d %r" % (code, why))
    os.rmdir(site.path("state/tickets.revoked"))
    with open(site.path("groups"), "w") as f:
        f.write("web team: eve\n")
    code, out = site.sluice_command("check")
    check(code == 2 and "has no blanks" in out, out)


ORIGIN, EVIL = "https://dash.example.org", "https://evil.example"


def other_sites(site):
    begin(site)
    # A configured origin may read, in its user's name too.
    for env in ({}, as_("alice", HTTP_COOKIE="s=1")):
        code, fields, _ = ask(site, "/history", "channel=open", env={**env, "HTTP_ORIGIN": ORIGIN})
        check(code == 200 and fields["access-control-allow-origin"] == ORIGIN
              and fields["access-control-allow-credentials"] == "true" and "Origin" in fields["vary"], "%r" % fields)
    s = Fcgi(site, "/events", "channel=open", env={"HTTP_ORIGIN": ORIGIN})
    check(b"Access-Control-Allow-Origin: " + ORIGIN.encode() in s.until(b"event: hello"), "%r" % s.out)
    s.close()
    code, fields, body = ask(site, "/events", method="OPTIONS",
                             env={"HTTP_ORIGIN": ORIGIN, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"})
    check(code == 204 and not body, "%r" % fields)
    allowed = fields["access-control-allow-headers"].lower().split(", ")
    check({"last-event-id", "authorization", "x-requested-with", "content-type", "cache-control"} <= set(allowed), "%r" % allowed)
    # Written otherwise, it is the same; also for what a responder answers by itself.
    for origin in (ORIGIN + ":443", "https://DASH.example.org", "HTTPS://dash.example.org:443"):
        for path in ("/sluice-client.js", "/", "/nothing", "/health/live", "/probe", "/channels", "/schema/nothing", "/streams/x"):
            s = Fcgi(site, path, "frames=1&interval=10ms", env=as_("alice", HTTP_ORIGIN=origin))
            _, fields, _ = s.answer()
            check(fields.get("access-control-allow-origin") == ORIGIN and fields["access-control-allow-credentials"] == "true"
                  and "Retry-After" in fields["access-control-expose-headers"] and "Origin" in fields["vary"], "%s of %s: %r" % (path, origin, fields))
    # Any other may not, whatever it looks like.
    for origin in (EVIL, "null", "https://dash.example.org.evil.example", "http://dash.example.org", ORIGIN + ":444",
                   "https://evil.example/" + ORIGIN, ORIGIN + "\r\nX: y"):
        for env in (as_("alice"), {"HTTP_COOKIE": "session=1"}):
            code, fields, _ = ask(site, "/events", "channel=open", env={**env, "HTTP_ORIGIN": origin})
            check(code == 403 and "access-control-allow-origin" not in fields, "%r: %d %r" % (origin, code, fields))
        s = Fcgi(site, "/events", "channel=open", env={"HTTP_ORIGIN": origin})
        check(b"Access-Control" not in s.until(b"event: hello"), "allowed: %r" % s.out)
        s.close()
        code, fields, _ = ask(site, "/events", method="OPTIONS", env={"HTTP_ORIGIN": origin})
        check(code == 403 and "access-control-allow-origin" not in fields, "preflight of %r: %r" % (origin, fields))
        code, fields, _ = ask(site, "/sluice-client.js", env={"HTTP_ORIGIN": origin})
        check(code == 200 and "access-control-allow-origin" not in fields and "Origin" in fields["vary"], "%r" % fields)
    # Behind a proxy that writes Host anew the browser knows better, and says it.
    for env in (as_("alice", HTTP_HOST="localhost:8080", HTTP_ORIGIN="https://logs.example.org", HTTP_SEC_FETCH_SITE="same-origin"),
                as_("alice", HTTP_HOST="logs.example.org:443", HTTP_ORIGIN="https://logs.example.org"),
                as_("alice", HTTP_HOST="logs.example.org", HTTP_ORIGIN="http://logs.example.org:80")):
        check(ask(site, "/history", method="POST", body=b"channel=web", env=env)[0] == 200, "%r" % env)
    for site_is in ("cross-site", "same-site", "none", "", "Same-Origin", "same-origin, cross-site"):
        for host in ("localhost:8080", "logs.example.org"):
            env = as_("alice", HTTP_HOST=host, HTTP_ORIGIN="https://evil.example", HTTP_SEC_FETCH_SITE=site_is)
            check(ask(site, "/history", method="POST", body=b"channel=web", env=env)[0] == 403, "%r" % env)
    # The same name over plain HTTP is another site to the browser.
    check(ask(site, "/history", method="POST", body=b"channel=web",
              env=as_("alice", HTTP_ORIGIN="http://logs.example.org", HTTP_SEC_FETCH_SITE="cross-site"))[0] == 403, "over HTTP")
    # Its own pages, and links that somebody follows.
    for env in ({"HTTP_ORIGIN": "https://logs.example.org"}, {"HTTP_SEC_FETCH_SITE": "same-origin"},
                {"HTTP_SEC_FETCH_SITE": "none"}, {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_SEC_FETCH_MODE": "navigate"}):
        check(ask(site, "/history", "channel=web", env=as_("alice", **env))[0] == 200, "%r" % env)
    for env in ({"HTTP_SEC_FETCH_SITE": "cross-site"}, {"HTTP_SEC_FETCH_SITE": "same-site"}):
        check(ask(site, "/history", "channel=web", env=as_("alice", **env))[0] == 403, "%r" % env)
    check(ask(site, "/streams/" + "0" * 32, method="DELETE", env={"HTTP_ORIGIN": EVIL})[0] == 403, "DELETE from elsewhere")
    # Another Host, as DNS rebinding has it.
    for host, want in (("logs.example.org", 200), ("LOGS.example.org:8443", 200), ("localhost:80", 200), ("evil.example", 421),
                       ("logs.example.org.evil.example", 421), ("", 421), ("127.0.0.1", 421)):
        check(ask(site, "/history", "channel=open", env={"HTTP_HOST": host})[0] == want, host)
    site.told("another site asks")
    check(ask(site, "/health/ready", env={"HTTP_HOST": "10.1.2.3", "HTTP_COOKIE": "sluice_ticket=old"})[0] == 200, "a load balancer")
    wait_for(lambda: ask(site, "/channels", env={"HTTP_HOST": "evil.example"})[0] == 421
             and "does not answer for that host" in site.log(), "the log to tell")


def who_may_show_the_console_in_a_frame(site):
    begin(site)
    config = open(site.path("sluice.yaml")).read()

    def says(setting, policy, options):
        with open(site.path("sluice.yaml"), "w") as f:
            f.write(config.replace("access:\n", "access:\n  frame_ancestors: %s\n" % setting, 1))
        code, out = site.sluice_command("reload")
        check(code == 0, out)
        wait_for(lambda: ask(site, "/")[1]["content-security-policy"].endswith("frame-ancestors " + policy), policy)
        fields = ask(site, "/")[1]
        check(fields.get("x-frame-options") == options, "%s: %r" % (setting, fields))
        # An answer that is data is never framed.
        fields = ask(site, "/history", "channel=open")[1]
        check(fields["x-frame-options"] == "DENY" and "frame-ancestors 'none'" in fields["content-security-policy"], "%r" % fields)
    says("[]", "'none'", "DENY")
    says("self", "'self'", "SAMEORIGIN")
    says("[self, 'https://portal.example.org', 'https://*.example.net:8443']",
         "'self' https://portal.example.org https://*.example.net:8443", None)


def every_answer_is_safe(site):
    begin(site)
    for path, query, method in (("/", "", "GET"), ("", "", "GET"), ("/nothing", "", "GET"), ("/channels", "", "GET"),
                                ("/events", "channel=no", "GET"), ("/history", "channel=open", "GET"), ("/health/live", "", "GET"),
                                ("/events", "", "PUT"), ("/events", "x=" + "y" * 20000, "GET")):
        code, fields, body = ask(site, path, query, method=method)
        check(fields.get("x-content-type-options") == "nosniff" and fields.get("referrer-policy") == "no-referrer"
              and "frame-ancestors 'none'" in fields.get("content-security-policy", "") and fields.get("x-frame-options") == "DENY"
              and fields.get("cross-origin-resource-policy") == "same-origin", "%s: %r" % (path, fields))
    check(ask(site, "/events", "x=" + "y" * 20000)[0] == 414, "a long query")
    # Nothing that a client sends comes back in a header.
    for env in ({"HTTP_ORIGIN": "https://x\r\nX-Bad: 1"}, {"HTTP_HOST": "localhost\r\nX-Bad: 1"},
                {"SCRIPT_NAME": "/a\r\nX-Bad: 1", "PATH_INFO": ""}, {"PATH_INFO": "/x\r\nX-Bad: 1"}):
        _, fields, _ = ask(site, "", "", env=env)
        check("x-bad" not in fields, "%r: %r" % (env, fields))


def another_user_on_the_socket(site):
    require_root("being somebody else")
    begin(site)
    os.chmod(site.dir, 0o755)
    program = ("import socket,sys\ns=socket.socket(socket.AF_UNIX, %s)\ns.connect(sys.argv[1])\n"
               "s.settimeout(10)\nsys.stdout.write(repr(s.recv(10)))\n")
    for name, kind in (("fcgi.sock", "socket.SOCK_STREAM"), ("state/hub.sock", "socket.SOCK_SEQPACKET")):
        p = subprocess.run(["setpriv", "--reuid", "nobody", "--clear-groups", sys.executable, "-c", program % kind, site.path(name)],
                           capture_output=True, text=True)
        check(p.stdout == "b''" or "ConnectionReset" in p.stderr, "%s: %r" % (name, p))
    wait_for(lambda: site.log().count("hub.web_users") == 2, "the log to tell: " + site.log())
    # The web server's user may, and one that is named.
    fcgi_as = lambda user: subprocess.run(
        ["setpriv", "--reuid", user, "--clear-groups", sys.executable, "-c",
         "import sys; sys.path.insert(0, %r)\nfrom fastcgi import *\nclass S:\n path = lambda self, *a: %r\n"
         "print(ask(S(), '/health/live')[0])" % (os.path.join(SRC, "tests/e2e"), site.path("fcgi.sock"))],
        capture_output=True, text=True).stdout.strip()
    check(fcgi_as("www-data") == "200", "www-data")
    text = open(site.path("sluice.yaml")).read()
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text.replace("hub:\n", "hub:\n  web_users: nobody\n"))
    check(site.sluice_command("reload")[0] == 0, "reload")
    wait_for(lambda: fcgi_as("nobody") == "200", "nobody to be admitted")
    check(fcgi_as("www-data") in ("0", ""), "www-data, who is not named")


def another_user_cannot_hold_the_lock(site):
    """Nor one whom an earlier version let open it."""
    require_root("being somebody else")
    begin(site)
    site.stop()
    os.chmod(site.dir, 0o755)
    os.chmod(site.path("state/lock"), 0o644)
    site.start()
    p = subprocess.run(["setpriv", "--reuid", "nobody", "--clear-groups", "flock", "-n", site.path("state/lock"), "true"],
                       capture_output=True, text=True)
    check(p.returncode and "Permission denied" in p.stderr, "%r" % p)


def mistakes_are_told(site):
    def says(access, channels, text):
        site.write_config(SOURCES, channels, access=access)
        code, out = site.sluice_command("check")
        check(code == 2 and text in out, "%r\n%s" % (text, out))
    says("default: maybe", "", "access.default")
    says("admin: alice", "", '"alice" is not a user, group or network (write anyone, authenticated, user:NAME')
    says("certificate: HTTP_X_USER", "", "is a header, which any client can send")
    says("origins: [dash.example.org]", "", "is no origin (write https://host")
    says("groups: DIR/none", "", "No such file")
    says("default: deny", "web: {access: 'net:10.0.0.0/40'}", "is no network")
    says("default: deny", "web: {acess: anyone}", 'did you mean "access"')
    says("default: deny", "web: {replay: 'user:'}", "is not a user, group or network")
    says("frame_ancestors: portal.example.org", "", "is not an origin (write self, https://host")
    says("frame_ancestors: \"https://x; script-src *\"", "", "is not an origin")
    says("trusted_proxies: [10.0.0.0/33]", "", "is not a network (write 10.0.0.7")
    says("trusted_proxies: [proxy.example.org]", "", "is not a network")
    says("hosts: 'http://logs.example.org/'", "", "is no name of a host (write logs.example.org")
    says("hosts: 'logs.example.org:80'", "", "is no name of a host")
    says("default: deny", "web: {access: 'user: alice'}", "without blanks around a name")
    # Right, and hardly meant: told, also by run and reload.
    with open(site.path("groups"), "w") as f:
        f.write("dev: alice\n")
    source = "a: {type: file, channel: a, include: [/x]}"
    for access, channels, text in (("groups: DIR/groups", "a: {access: 'group:ops'}", 'the group "ops" has nobody in it'),
                                   ("", "a: {access: 'group:ops'}", 'nobody may read the channel "a"'),
                                   ("", "a: {access: []}", 'nobody may read the channel "a"'),
                                   ("default: allow", "alogs: {}", 'no source feeds the channel "alogs"'),
                                   ("hosts: [x]", "a: {access: 'net:10.0.0.0/8'}", "or write [] if there are none"),
                                   ("trusted_proxies: []", "a: {access: 'net:10.0.0.0/8'}", "access.hosts is missing"),
                                   ("admin: 'net:10.0.0.0/8'", "a: {access: anyone}", "access.hosts is missing"),
                                   ("trusted_proxies: ['::/0']", "a: {access: anyone}", "trusts every client"),
                                   ("default: allow", "b: {}", 'no source feeds the channel "b"')):
        site.write_config(source, channels, access=access)
        code, out = site.sluice_command("check")
        check(code == 0 and text in out and "good" in out, out)
    site.start()
    site.told('no source feeds the channel "b"')
    site.write_config(source, "c: {}", access="default: allow")
    code, out = site.sluice_command("reload")
    check(code == 0 and 'no source feeds the channel "c"' in out, out)
    site.told('no source feeds the channel "c"')
    # Nobody may read anything: allowed, but told.
    site.write_config("a: {type: file, channel: a, include: [/x]}", access="")
    code, out = site.sluice_command("check")
    check(code == 0 and "nobody may read" in out, out)


run(forbidden_is_as_if_it_were_not_there, the_past_stays_barred, context_is_only_what_the_channel_shows,
    an_administrator_of_one_channel, names_and_limits, each_subject_of_a_list, nobody_becomes_somebody_by_a_header,
    a_user_that_lighttpd_has_checked, passwords_by_the_recipes, polls_without_a_right_to_the_past_lose_nothing, tickets, revocations_that_are_cut_short_or_old, a_reload_takes_rights_away, other_sites,
    who_may_show_the_console_in_a_frame, every_answer_is_safe,
    another_user_on_the_socket, another_user_cannot_hold_the_lock, mistakes_are_told)
