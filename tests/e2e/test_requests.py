#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is answered to which request."""
import gzip

from fastcgi import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}"


def begin(site, n=10, **kw):
    with open(site.path("app.log"), "w") as f:
        f.write("".join("%d\n" % i for i in range(1, n + 1)))
    site.up(SOURCE, **kw)
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == n, "the lines")


def refusals_are_clear(site):
    begin(site)
    for path, headers, status, words in (
            ("/events?channel=none", {}, 404, b"no channel of that name"),
            ("/events", {}, 400, b"Which channel?"),
            ("/events?channel=logs&chanel=x", {}, 400, b'did you mean "channel"?'),
            ("/events?channel=logs&tail=-1", {}, 400, b'"tail" is a number'),
            ("/events?channel=logs&after=garbage", {}, 400, b"is no event id"),
            ("/events?channel=logs&after=" + "9" * 7000, {}, 400, b"is no event id"),
            ("/events?channel=logs", {"Last-Event-ID": "nonsense"}, 400, b"Last-Event-ID is no event id"),
            ("/events?channel=logs", {"Accept": "application/json"}, 406, b'none of which "Accept" admits'),
            ("/events?channel=logs", {"Accept": "text/event-stream;q=0, image/*"}, 406, b"Accept"),
            ("/nothing", {}, 404, b"nothing here"),
            ("/../../../etc/passwd", {}, 404, None)):
        got, _, body = site.get(path, headers)
        check(got == status and (words is None or words in body), "%s %s: %d %r" % (path, headers, got, body[:300]))
    for method, path, allow in (("PUT", "/events?channel=logs", "GET, HEAD, POST"), ("POST", "/status", "GET, HEAD"),
                                ("DELETE", "/channels", "GET, HEAD"), ("PUT", "/streams/x", "POST, DELETE")):
        got, head, _ = site.get(path, method=method, headers={"Content-Length": "0"})
        check(got == 405 and head["allow"] == allow, "%s: %d %r" % (method, got, head))


def every_path_says_which_methods_it_takes(site):
    """OPTIONS, and 405 for all others; HEAD has the head of GET and no body."""
    begin(site)
    paths = (("/events?channel=logs", "GET, HEAD, POST"), ("/poll?channel=logs", "GET, HEAD, POST"),
             ("/history?channel=logs", "GET, HEAD, POST"), ("/streams/x", "POST, DELETE"), ("/schema/file", "GET, HEAD"),
             ("/channels", "GET, HEAD"), ("/status", "GET, HEAD"), ("/health/ready", "GET, HEAD"),
             ("/health/live", "GET, HEAD"), ("/probe", "GET, HEAD"), ("/", "GET, HEAD"), ("/sluice-client.js", "GET, HEAD"), ("", "GET, HEAD"))
    for path, allow in paths:
        got, head, body = site.get(path, method="OPTIONS")
        check(got == 204 and head["allow"] == allow + ", OPTIONS" and not body, "OPTIONS %s: %d %r %r" % (path, got, head, body))
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "get", "G", "GET, HEAD"):
            if method in allow.split(", "):
                continue
            got, head, _ = ask(site, *path.partition("?")[::2], method=method)
            check(got == 405 and head["allow"] == allow, "%s %s: %d %r" % (method, path, got, head))
    check(site.get("/nothing", method="OPTIONS")[0] == 404, "OPTIONS of what is not there")
    for path, _ in paths:
        if path.startswith("/streams"):
            continue
        for encoding in ("identity", "gzip"):
            env = {"HTTP_ACCEPT_ENCODING": encoding}
            status, head, body = ask(site, *path.partition("?")[::2], method="HEAD", env=env)
            check(not body, "HEAD %s: %r" % (path, body[:200]))
            s = Fcgi(site, *path.partition("?")[::2], env=env)
            whole = s.until(b"\r\n\r\n").partition(b"\r\n\r\n")[0].decode().split("\r\n")
            s.close()
            same = {k.lower(): v for k, _, v in (h.partition(": ") for h in whole)}
            if path.startswith("/history"):  # HEAD need not say what only the content tells (RFC 9110, 9.3.2)
                check(int(same.pop("content-length")) > 0, "a page tells its length")
            if not path.startswith(("/status", "/channels")):  # whose length changes
                check(head == same, "HEAD %s: %r, GET: %r" % (path, head, same))


def files_are_not_sent_again(site):
    """If-None-Match as RFC 9110 has it."""
    begin(site)
    tag = site.get("/sluice-client.js")[1]["etag"]
    for condition, status in ((tag, 304), ("*", 304), (" * ", 304), ("W/" + tag, 304), ('"x", W/"y",%s' % tag, 304), (", %s" % tag, 304),
                              ('"x"', 200), ("x" + tag, 200), ('"a%s"' % tag, 200), (tag[:-1], 200), ('"*"', 200), ("W/", 200), ('"', 200), (tag[1:-1], 200)):
        for method in ("GET", "HEAD"):
            got, head, body = site.get("/sluice-client.js", {"If-None-Match": condition}, method=method)
            check(got == status and head["etag"] == tag and bool(body) == (status == 200 and method == "GET"),
                  "%s, If-None-Match: %s: %d %r" % (method, condition, got, head))


def a_front_server_may_ask_how_much_we_take(site):
    """FCGI_GET_VALUES before, between and without a request; unknown types are answered as such."""
    site.write_config(SOURCE)
    site.start()
    values = record(9, pairs([("FCGI_MAX_CONNS", ""), ("FCGI_MAX_REQS", ""), ("FCGI_MPXS_CONNS", ""), ("OTHER", "")]), id=0, padding=3)
    whole = head([("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/logs"), ("PATH_INFO", "/health/live")])
    for before, between, step in ((values, b"", 1 << 20), (values, b"", 1), (values + record(77, b"abc", id=0), values, 7),
                                  (b"", record(9, b"", id=0), 3)):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20 * PATIENCE)
        s.connect(site.path("fcgi.sock"))
        got, want = b"", (before + between).count(b"\x01\x09\0\0")
        if before:  # it waits for the answer before it goes on, as HAProxy does
            for i in range(0, len(before), step):
                s.sendall(before[i:i + step])
            while len(got) < 8 or len(got) < 8 + got[5]:
                got += s.recv(1000)
            check(got[1] == 10 and got[2:4] == b"\0\0", "%r" % got)
            for text in (b"\x0eFCGI_MAX_CONNS", b"FCGI_MAX_REQS", b"\x0f\x01FCGI_MPXS_CONNS0"):
                check(text[-14:] in got, "%r: no %r" % (got, text))
            check(b"OTHER" not in got, "%r" % got)
        rest = whole[:16] + between + whole[16:]
        for i in range(0, len(rest), step):
            s.sendall(rest[i:i + step])
        while True:
            more = s.recv(65536)
            if not more:
                break
            got += more
        check(b"live" in got and got.count(b"\x01\x0a\0\0") == want, "%d answers wanted: %r" % (want, got))
        check((b"\x01\x0b\0\0\0\x08\0\0\x4d" in got) == (b"abc" in before), "%r" % got)
        s.close()


def a_stream_has_the_right_head_and_begins_at_once(site):
    begin(site)
    s = site.stream("channel=logs")
    hello = s.until_type("hello")
    head = dict(h.lower().split(": ", 1) for h in s.head.split("\r\n")[1:])
    check(head["content-type"] == "text/event-stream" and head["cache-control"] == "no-store, no-transform" and
          head["x-accel-buffering"] == "no" and head["x-content-type-options"] == "nosniff", "%r" % head)
    data = hello.json()
    check(data["mode"] == "fresh" and data["head"] == hello.id and data["channels"] == ["logs"] and
          data["heartbeat_ms"] == 15000 and s.retry == 3000, "%r %r" % (hello, s.retry))
    status, head, body = site.get("/events?channel=logs", method="HEAD")
    check(status == 200 and head["content-type"] == "text/event-stream" and not body, "HEAD: %r" % head)


def numbers(events):
    return [int(e.json()["message"]) for e in events if e.type == "line"]


def every_start(site):
    begin(site)
    all_events = site.stream("channel=logs&earliest=1").until_message("10")
    check(numbers(all_events) == list(range(1, 11)), "earliest: %r" % all_events)
    check(numbers(site.stream("channel=logs&tail=3").until_message("10")) == [8, 9, 10], "tail")
    check(numbers(site.stream("channel=logs&tail=100").until_message("10")) == list(range(1, 11)), "tail beyond all")
    five = next(e.id for e in all_events if e.type == "line" and e.json()["message"] == "5")
    for s in (site.stream("channel=logs&after=" + five),
              site.stream("channel=logs&earliest=1", headers={"Last-Event-ID": five})):
        got = s.until_message("10")
        check(got[0].json()["mode"] == "resumed" and got[0].id == five, "hello %r" % got[0])
        check(numbers(got) == [6, 7, 8, 9, 10], "after: %r" % got)
    live = site.stream("channel=logs")
    none = site.stream("channel=logs&tail=0")
    live.until_type("hello")
    none.until_type("hello")
    with open(site.path("app.log"), "a") as f:
        f.write("11\n")
    check(numbers(live.until_message("11")) == [11], "now")
    check(numbers(none.until_message("11")) == [11], "tail=0")


def a_cursor_nobody_can_vouch_for_is_told_as_a_gap_and_the_stream_goes_on(site):
    begin(site)
    epoch = site.json("/status")["epoch"]
    for cursor in ("zzzz.1763689264123-0", epoch + ".9999999999999-0"):
        s = site.stream("channel=logs", headers={"Last-Event-ID": cursor})
        check(s.until_type("hello").json()["mode"] == "gap", "hello")
        check(s.until_type("gap").json()["reason"] == "epoch", "gap")
        n = time.time_ns()
        with open(site.path("app.log"), "a") as f:
            f.write("%d\n" % n)
        s.until_message(str(n))


def documents(site):
    begin(site)
    site.ready()
    check(site.get("/health/live")[0] == 200, "live")
    channel = site.json("/channels")["channels"][0]
    check(channel["name"] == "logs" and channel["events"] == 10 and channel["bytes"] > 0, "%r" % channel)
    status = site.json("/status")
    check(status["sources"][0]["state"] == "running" and status["sources"][0]["events"] == 10, "%r" % status)
    check(status["pid"] == site.pids("hub")[0], "pid")


def the_console_is_served_with_a_strict_policy_and_revalidated(site):
    begin(site)
    status, head, body = site.get("/")
    check(status == 200 and b"<title>sluice</title>" in body, "%d" % status)
    for part in ("default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'", "frame-ancestors 'none'"):
        check(part in head["content-security-policy"], head["content-security-policy"])
    check(site.get("/", {"If-None-Match": head["etag"]})[0] == 304, "not revalidated")
    names = re.findall(r'(?:src|href)="([^":]+\.\w+)"', body.decode()) + ["sluice-client.js"]
    check(len(names) == 4, repr(names))
    for name in names:
        for accept, coding in (("", None), ("gzip", "gzip"), ("gzip, deflate, br", "br"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", None)):
            if name.endswith("woff2"):
                coding = None
            status, head, got = site.get("/" + name, {"Accept-Encoding": accept})
            check(status == 200 and head.get("content-encoding") == coding, "%s %s: %d %r" % (name, accept, status, head))
            check("Accept-Encoding" in head["vary"], repr(head))
            check(("immutable" in head["cache-control"]) == (name != "sluice-client.js"), repr(head))
            check(site.get("/" + name, {"Accept-Encoding": accept, "If-None-Match": head["etag"]})[0] == 304, name)
            check(coding != "gzip" or gzip.decompress(got), name)
    site.prefix = ""
    status, head, _ = site.get("/logs")
    check(status == 301 and head["location"].endswith("/logs/"), "%d %r" % (status, head))


def mounted_at_the_root_and_under_another_name(site):
    begin(site)
    site.lighttpd.terminate()
    site.lighttpd.wait()
    for prefix in ("/a/b/c", ""):
        code, lines = site.sluice_command("mount", "lighttpd", "--prefix", prefix or "/")
        check(code == 0, lines)
        site.port = free_port()
        with open(site.path("mounted.conf"), "w") as f:
            f.write('server.document-root = "%s"\nserver.bind = "127.0.0.1"\nserver.port = %d\n%s' % (site.dir, site.port, lines))
        site.lighttpd = subprocess.Popen(["lighttpd", "-D", "-f", site.path("mounted.conf")], stderr=subprocess.DEVNULL)
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", site.port)) == 0, "lighttpd")
        site.prefix = prefix
        check(b"<title>sluice" in site.get("/")[2], "console at %r" % prefix)
        for path in ("/sluice-client.js", "/health/live", "/channels"):
            check(site.get(path)[0] == 200, "%s at %r" % (path, prefix))
        check(numbers(site.stream("channel=logs&tail=1").until_message("10")) == [10], "stream at %r" % prefix)
        if prefix == "/a/b/c":
            site.lighttpd.terminate()
            site.lighttpd.wait()


def requests_wait_for_a_hub_that_is_being_started_again(site):
    begin(site)
    site.kill("hub")
    # Through the whole restart: nobody is refused.
    for _ in range(20):
        s = site.stream("channel=logs&tail=1")
        s.until_message("10")
        s.close()
    wait_for(lambda: site.pids("hub"), "a hub")
    hub = site.pids("hub")[0]
    os.kill(hub, signal.SIGSTOP)
    try:
        began = time.monotonic()
        busy = site.stream("channel=logs")
        check(site.get("/health/ready")[0] == 503, "ready without a hub")
        busy.until_type("busy", 15)
        check(" 200 " in busy.head and busy.retry >= 5000, "%r %r" % (busy.head, busy.retry))
        check(time.monotonic() - began > 5, "it did not wait for the hub")
    finally:
        os.kill(hub, signal.SIGCONT)


def what_is_no_fastcgi_request_is_closed(site):
    begin(site)
    for junk in (b"GET / HTTP/1.0\r\n\r\n", b"\x01\x01\0\x01\xff\xff\xff\0" + b"x" * 70000, b"\x01\x05\0\x01\0\0\0\0",
                 b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0\x01\x04\0\x01\0\x06\0\0\xff\xff\xff\xff\x01a\x01\x04\0\x01\0\0\0\0\x01\x05\0\x01\0\0\0\0",
                 b"\x01"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10 * PATIENCE)
        s.connect(site.path("fcgi.sock"))
        with contextlib.suppress(BrokenPipeError):
            s.sendall(junk)
        with contextlib.suppress(ConnectionError):
            check(s.recv(100) == b"", "answered to junk")
        s.close()
    check(site.get("/health/ready")[0] == 200, "it does not answer any more")


run(refusals_are_clear, every_path_says_which_methods_it_takes, files_are_not_sent_again,
    a_front_server_may_ask_how_much_we_take, a_stream_has_the_right_head_and_begins_at_once, every_start,
    a_cursor_nobody_can_vouch_for_is_told_as_a_gap_and_the_stream_goes_on, documents,
    the_console_is_served_with_a_strict_policy_and_revalidated, mounted_at_the_root_and_under_another_name,
    requests_wait_for_a_hub_that_is_being_started_again, what_is_no_fastcgi_request_is_closed)
