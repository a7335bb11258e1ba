# SPDX-License-Identifier: MIT
"""A front server of our own, to say to sluice what no web server would: FastCGI over its socket."""
import struct

from harness import *


def record(type, content=b"", id=1, padding=0):
    return struct.pack(">BBHHBB", 1, type, id, len(content), padding, 0) + content + b"\0" * padding


def pairs(params):
    out = b""
    for name, value in params:
        name, value = name.encode("latin-1"), value.encode("latin-1")
        for n in (len(name), len(value)):
            out += bytes([n]) if n < 128 else struct.pack(">I", n | 1 << 31)
        out += name + value
    return out


def head(params, body=b"", id=1):
    whole = pairs(params)
    out = record(1, struct.pack(">HB5x", 1, 0), id)
    for i in range(0, len(whole), 60000):
        out += record(4, whole[i:i + 60000], id)
    out += record(4, b"", id)
    if body:
        out += record(5, body, id)
    return out + record(5, b"", id)


class Fcgi:
    """One request.  `env` overrides and adds parameters, as a dict or a list of pairs."""

    def __init__(self, site, path, query="", method="GET", env=(), body=b"", connect=None, more=()):
        params = [("REQUEST_METHOD", method), ("SCRIPT_NAME", "/logs"), ("PATH_INFO", path), ("QUERY_STRING", query),
                  ("REMOTE_ADDR", "192.0.2.9"), ("HTTP_HOST", "logs.example.org")]
        if body:
            params += [("CONTENT_TYPE", "application/x-www-form-urlencoded"), ("CONTENT_LENGTH", str(len(body)))]
        if isinstance(env, dict):
            params = [(n, v) for n, v in params if n not in env] + list(env.items())
        else:
            params += list(env)
        params += list(more)  # also of a name that is there already
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20 * PATIENCE)
        self.sock.connect(connect or site.path("fcgi.sock"))
        self.sock.sendall(head(params, body))
        self.raw = self.out = b""
        self.ended = False

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            self.ended = True
            return
        self.raw += more
        while len(self.raw) >= 8:
            _, type, _, n, padding, _ = struct.unpack(">BBHHBB", self.raw[:8])
            if len(self.raw) < 8 + n + padding:
                return
            if type == 6:
                self.out += self.raw[8:8 + n]
            elif type == 3:
                self.ended = True
            self.raw = self.raw[8 + n + padding:]

    def until(self, text):
        deadline = time.monotonic() + 20 * PATIENCE
        while text not in self.out:
            check(not self.ended and time.monotonic() < deadline, "no %r in %r" % (text, self.out[-3000:]))
            self.fill()
        return self.out

    def answer(self):
        """(status, header fields, body); status 0 when the connection was closed without an answer."""
        while not self.ended:
            try:
                self.fill()
            except ConnectionError:
                self.ended = True
        self.sock.close()
        head, _, body = self.out.partition(b"\r\n\r\n")
        fields = {k.lower(): v for k, _, v in (h.partition(": ") for h in head.decode("latin-1").split("\r\n"))}
        return int(fields.get("status", "0").split()[0]), fields, body

    def close(self):
        self.sock.close()


def ask(site, path, query="", **kw):
    return Fcgi(site, path, query, **kw).answer()
