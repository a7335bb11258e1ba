#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hostile peers on the FastCGI socket: each is closed or answered, and nobody else's stream moves."""
import struct
import threading

from fastcgi import *

sys.setswitchinterval(0.0001)
SOURCE = "n: {type: file, channel: n, include: [DIR/n.log], read_from: beginning}"
GOOD = [("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/logs"), ("PATH_INFO", "/health/live"), ("QUERY_STRING", "")]
BEGIN = record(1, struct.pack(">HB5x", 1, 0))


class Neighbour:
    """Somebody else's stream: gets a line every 10 ms, and wants no delay."""

    def __init__(self, site):
        site.up(SOURCE)
        site.ready()
        self.site, self.stream = site, site.stream("channel=n")
        self.stream.until_type("hello")
        self.done = threading.Event()
        self.late, self.seen, self.error = [], 0, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.done.is_set():
                self.seen += 1
                with open(self.site.path("n.log"), "a") as f:
                    f.write("%d\n" % self.seen)
                began = time.monotonic()
                self.stream.until_message(str(self.seen))
                self.late.append(time.monotonic() - began)
                self.done.wait(0.01)
        except Exception as e:
            self.error = e

    def end(self):
        wait_for(lambda: self.error or self.seen > 5, "the neighbour's lines")
        self.done.set()
        self.thread.join()
        check(not self.error, "the neighbour: %s" % self.error)
        check(max(self.late) < 2 * PATIENCE, "the neighbour waited %.1f s" % max(self.late))
        pids = [self.site.sluice.pid] + self.site.pids("responder") + self.site.pids("hub")
        check(pids == self.pids, "somebody has died: %s" % self.site.log())

    def __enter__(self):
        self.pids = [self.site.sluice.pid] + self.site.pids("responder") + self.site.pids("hub")
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.done.set()
            self.thread.join()
        else:
            self.end()


def connect(site):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20 * PATIENCE)
    s.connect(site.path("fcgi.sock"))
    return s


def outcome(s):
    """What came until the connection was closed."""
    data = b""
    try:
        while True:
            more = s.recv(65536)
            if not more:
                return data
            data += more
    except ConnectionError:
        return data
    finally:
        s.close()


def say(site, data):
    s = connect(site)
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        s.sendall(data)
    return outcome(s)


def a_head_in_pieces(site):
    with Neighbour(site):
        whole = head(GOOD)
        for cut in range(1, len(whole)):
            s = connect(site)
            s.sendall(whole[:cut])
            s.sendall(whole[cut:])
            check(b"live" in outcome(s), "cut at %d" % cut)
        s = connect(site)
        for i in range(len(whole)):
            s.sendall(whole[i:i + 1])
        check(b"live" in outcome(s), "byte by byte")
        # A form, too, in records of one byte.
        params = [("REQUEST_METHOD", "POST"), ("SCRIPT_NAME", "/logs"), ("PATH_INFO", "/history"),
                  ("CONTENT_TYPE", "application/x-www-form-urlencoded")]
        body = b"channel=n&limit=1"
        data = BEGIN + b"".join(record(4, pairs(params)[i:i + 1]) for i in range(len(pairs(params)))) + record(4)
        data += b"".join(record(5, body[i:i + 1], padding=i) for i in range(len(body))) + record(5)
        check(b'"events"' in say(site, data), "records of one byte")


def what_is_no_request(site):
    big = record(4, b"x" * 65535, padding=255)
    bad = {
        "largest record": BEGIN + big, "largest records": BEGIN + big * 20,
        "length 2^31": BEGIN + record(4, struct.pack(">II", 0xffffffff, 0xffffffff) + b"x") + record(4) + record(5),
        "length 2^31 - 1": BEGIN + record(4, struct.pack(">II", 0x80000001, 0xfffffffe) + b"xy") + record(4) + record(5),
        "name past the end": BEGIN + record(4, b"\x7f\x00x") + record(4) + record(5),
        "unknown type": BEGIN + record(11, b"x"), "type 0": record(0), "type 255": record(255, b"y" * 100),
        "id 0": record(1, struct.pack(">HB5x", 1, 0), id=0), "another id": BEGIN + record(4, pairs(GOOD), id=2),
        "second BEGIN": BEGIN + BEGIN, "BEGIN in the middle": BEGIN + record(4, pairs(GOOD)) + BEGIN,
        "filter role": record(1, struct.pack(">HB5x", 3, 0)), "authorizer role": record(1, struct.pack(">HB5x", 2, 0)),
        "short BEGIN": record(1, b"\0\1"), "long BEGIN": record(1, b"\0\1" + b"\0" * 100),
        "padded BEGIN": record(1, struct.pack(">HB5x", 1, 0), padding=255) + record(4, b"\x01\x80") + record(4),
        "version 0": b"\0" * 8, "version 2": b"\2" + BEGIN[1:], "HTTP": b"GET / HTTP/1.0\r\n\r\n",
        "GET_VALUES": record(9, pairs([("FCGI_MPXS_CONNS", "")] * 500), id=0), "ABORT first": record(2),
        "STDIN first": BEGIN + record(5), "DATA": BEGIN + record(4) + record(8, b"x"), "noise": os.urandom(4096),
    }
    with Neighbour(site):
        for name, data in bad.items():
            got = say(site, data)
            check(b"live" not in got and b"Status: 200" not in got, "%s: %r" % (name, got[:200]))
        padded = record(1, struct.pack(">HB5x", 1, 0), padding=255) + record(4, pairs(GOOD), padding=255) + record(4, padding=7)
        check(b"live" in say(site, padded + record(5, padding=255)), "padding")


def too_much(site):
    with Neighbour(site):
        # A million tiny records; the head's limit ends it long before.
        s = connect(site)
        tiny, sent = BEGIN + record(4, b"\1") * 10000, 0
        with contextlib.suppress(BrokenPipeError, ConnectionError):
            for _ in range(100):
                s.sendall(tiny)
                sent += 1
        outcome(s)
        check(sent < 100, "it took a million records")
        # A form that is too large is told so, also through the web server.
        params = GOOD[1:2] + [("REQUEST_METHOD", "POST"), ("PATH_INFO", "/history"), ("CONTENT_LENGTH", "200000"),
                              ("CONTENT_TYPE", "application/x-www-form-urlencoded")]
        body = b"channel=n&filter=" + b"x" * 200000
        data = BEGIN + record(4, pairs(params)) + record(4)
        data += b"".join(record(5, body[i:i + 60000]) for i in range(0, len(body), 60000)) + record(5)
        check(b"Status: 413" in say(site, data), "too large a form")
        s = socket.create_connection(("127.0.0.1", site.port), 20 * PATIENCE)
        s.sendall(b"POST /logs/history HTTP/1.0\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body))
        with contextlib.suppress(BrokenPipeError, ConnectionError):
            s.sendall(body)
        check(b" 413 " in outcome(s).split(b"\r\n")[0], "through lighttpd")


def silence(site):
    with Neighbour(site):
        held = [connect(site) for _ in range(300)]
        for i, s in enumerate(held):
            s.sendall(BEGIN[:1] if i % 2 else BEGIN + record(4, pairs(GOOD)))
        # They cost nobody anything, and are closed after their time.
        check(ask(site, "/health/live")[0] == 200, "beside silent ones")
        for s in held:
            check(outcome(s) == b"", "an answer to half a question")
        gone = [Fcgi(site, "/events", "channel=n") for _ in range(100)]
        for s in gone:
            s.close()
        wait_for(lambda: site.json("/status")["streams"]["open"] == 1, "the others to be noticed")
        # What is said after the request is thrown away, or means goodbye.
        s = Fcgi(site, "/events", "channel=n")
        s.until(b"event: hello")
        s.sock.sendall(os.urandom(100) + record(5, b"x" * 60000))
        s.until(b'"message"')
        s.close()
        s = Fcgi(site, "/events", "channel=n")
        s.until(b"event: hello")
        s.sock.sendall(record(2))
        check(s.answer()[0] == 200, "ABORT")


def slow_forms(site):
    """Phones send at their own pace: a form that gets on is waited for, one that stops is told so."""
    form = b"channel=n&limit=5"
    params = pairs([("REQUEST_METHOD", "POST"), ("SCRIPT_NAME", "/logs"), ("PATH_INFO", "/history"), ("QUERY_STRING", ""),
                    ("REMOTE_ADDR", "192.0.2.9"), ("CONTENT_TYPE", "application/x-www-form-urlencoded"),
                    ("CONTENT_LENGTH", str(len(form)))])
    with Neighbour(site):
        held = [connect(site) for _ in range(200)]
        stopped = connect(site)
        for s in held + [stopped]:
            s.sendall(BEGIN + record(4, params) + record(4) + record(5, form[:1]))
        for i in range(1, 5):
            time.sleep(0.7)
            for s in held:
                s.sendall(record(5, form[i:i + 1]))
            check(ask(site, "/history", "channel=n&limit=1")[0] == 200, "beside slow ones")
        answers = []
        for s in held: # no more than 16 pages of history for one address at a time
            s.sendall(record(5, form[5:]) + record(5))
            answers.append(outcome(s))
        check(all(b"Status: 200" in a and b'"events":[' in a for a in answers),
              "%r" % [a[:300] for a in answers if b"Status: 200" not in a][:1])
        said = outcome(stopped)
        check(b"Status: 408" in said and b"did not come whole" in said, "%r" % said)


run(a_head_in_pieces, what_is_no_request, too_much, silence, slow_forms)
