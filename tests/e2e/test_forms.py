#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What browsers' forms and phones send, through every web server."""
from mounts import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}"
LINES = ["one", "two words", "/usr/bin/env", "Stra\u00dfe"]
# As typed, and as a textarea or a page from which it was copied has it.
ONE = ("message == one", " message  ==\tone ", "message ==\r\n\tone\r\n", "\n\nmessage\n==\none\n\n", "message\u00a0==\u3000one\ufeff")
EMPTY = ("", " ", "+", "\t", "\r\n", " \t\r\n\u00a0", "\v\f")


def begin(site, m):
    with open(site.path("app.log"), "w") as f:
        f.write("".join(line + "\n" for line in LINES))
    os.chmod(site.path("app.log"), 0o644)
    site.write_config(SOURCE, hub="linger: 1s")
    m.prepare(site)
    if not m.spawns:
        site.start()
    m.start(site)
    wait_for(lambda: len(found(site, {})) == len(LINES), "the lines")


def escaped(value):
    return "".join("%%%02X" % b for b in value.encode()) if value != "+" else "+"


def query(parameters):
    return "&".join("%s=%s" % (k, escaped(v)) for k, v in parameters.items())


def found(site, parameters, post=False, tail=""):
    text = query({"channel": "logs", **parameters}) + tail
    status, _, body = site.get("/history", form=text.encode()) if post else site.get("/history?" + text)
    check(status == 200, "%r %s: %d %r" % (parameters, "POST" if post else "GET", status, body[:300]))
    return [e["message"] for e in json.loads(body)["events"]]


def white_space_is_white_space(site, m):
    for post in (False, True):
        for text in ONE:
            got = found(site, {"filter": text}, post)
            check(got == ["one"], "%r, %s: %r" % (text, "POST" if post else "GET", got))
        for text in EMPTY:
            every = {k: text for k in ("filter", "grep", "exclude", "severity", "type", "source", "before", "after",
                                       "since", "until", "limit", "context", "format", "earliest")}
            got = found(site, every, post)
            check(got == LINES, "%r, %s: %r" % (text, "POST" if post else "GET", got))
        got = found(site, {"limit": " 1\r\n", "channel": " logs\r\n"}, post)
        check(got == LINES[-1:], "numbers and names: %r" % got)
        check(found(site, {"grep": "two words\r\n"}, post) == ["two words"], "a line end behind grep")
        check(found(site, {"grep": "/usr/bin/"}, post) == ["/usr/bin/env"], "a path")
    check(found(site, {}, True, "\r\n") == LINES, "a line end behind the form")
    check(found(site, {}, True, "&\r\n&%20=&=") == LINES, "nothing in the form")


def slow_post(site, text, pause, pieces=3):
    """(status, body) of a form that comes in pieces."""
    s = socket.create_connection(("127.0.0.1", site.port), 60 * PATIENCE)
    s.sendall(("POST %s/history HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
               "Content-Length: %d\r\nConnection: close\r\n\r\n" % (site.prefix, len(text))).encode())
    size = -(-len(text) // pieces)
    for i in range(pieces):
        time.sleep(pause)
        s.sendall(text[i * size:(i + 1) * size].encode())
    data = b""
    with contextlib.suppress(ConnectionError):
        while more := s.recv(65536):
            data += more
    s.close()
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


def a_form_may_take_its_time(site, m):
    text = query({"channel": "logs", "filter": "message == one"}) + "&" * 3000
    status, body = slow_post(site, text, 2 if LONG else 0.8)
    check(status == 200 and b'"one"' in body and b"two words" not in body, "%d %r" % (status, body[:300]))


def under(m):
    def scenario(site):
        require(m.program)
        begin(site, m)
        try:
            white_space_is_white_space(site, m)
            a_form_may_take_its_time(site, m)
        finally:
            m.stop()
    scenario.__name__ = "forms_through_%s" % m.name.replace(" ", "_").replace("-", "_")
    return scenario


if __name__ == "__main__":
    run(*map(under, MOUNTS))
