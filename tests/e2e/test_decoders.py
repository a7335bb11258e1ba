#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever a compressed stream says can be read at once, by every decoder."""
import threading
import zlib

from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}"
NODE = """
fetch(process.argv[1], {headers: {'accept-encoding': 'gzip'}}).then(async answer => {
  console.log('unpacked: ' + (answer.headers.get('content-encoding') == 'gzip'));
  for await (const text of answer.body.pipeThrough(new TextDecoderStream())) process.stdout.write(text);
  console.log('end');
});
"""


def begin(site):
    with open(site.path("app.log"), "w") as f:
        f.write("1\n2\n3\n")
    site.up(SOURCE, "logs: {heartbeat: 5m}")
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == 3, "the lines")


class Program:
    """Another program that reads a stream and prints each line as it comes."""

    def __init__(self, url, *command):
        self.process = subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True)
        self.lines = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def close(self):
        self.process.kill()
        self.process.wait()


class ByteByByte:
    """zlib's inflate, which never gets more than one byte."""

    def __init__(self, url):
        port, path = re.match(r"http://127.0.0.1:(\d+)(.*)", url).groups()
        self.sock = socket.create_connection(("127.0.0.1", int(port)), 20 * PATIENCE)
        self.sock.sendall(b"GET %s HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n" % path.encode())
        self.lines, self.text = [], b""
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.sock.recv(1)
        self.lines.append("unpacked: %s" % (b"content-encoding: gzip" in head.lower()).__repr__().lower())
        inflate = zlib.decompressobj(31)
        with contextlib.suppress(OSError):
            while byte := self.sock.recv(1):
                *lines, self.text = (self.text + inflate.decompress(byte)).split(b"\n")
                self.lines += [line.decode() for line in lines]
        self.lines.append("end")

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def reads_at_once(site, reader):
    """Nothing else is sent meanwhile that would push it through: the heartbeat is far away."""
    for start, lines in (("", 0), ("&tail=2", 2), ("&tail=0", 0), ("&earliest=1", 3)):
        r = reader("http://127.0.0.1:%d/logs/events?channel=logs%s" % (site.port, start))

        def until(line, times=1):
            wait_for(lambda: r.lines.count(line) >= times, "\"%s\" after %s" % (line, r.lines[-4:]))
        try:
            until("unpacked: true")
            until("event: hello")
            if lines:
                until("event: line", lines)
            wait_for(lambda: any('"token"' in line for line in r.lines), "all of hello")
            token = re.search(r'"token":"(\w+)"', "\n".join(r.lines)).group(1)
            code, _, body = site.get("/streams/" + token, form=b"severity=error")
            check(code == 200, "%d %r" % (code, body))
            until("event: changed")
            check(site.get("/streams/" + token, method="DELETE")[0] == 200, "DELETE")
            until("event: bye")
            until("end")
        finally:
            r.close()


def zlib_byte_by_byte(site):
    begin(site)
    reads_at_once(site, ByteByByte)


def go(site):
    require("go")
    begin(site)
    program = site.path("stream")
    subprocess.check_call(["go", "build", "-o", program, os.path.join(SRC, "tests/client/stream.go")],
                          env={**os.environ, "GOCACHE": site.path("go"), "GO111MODULE": "off"})
    reads_at_once(site, lambda url: Program(url, program))


def node(site):
    require("node")
    begin(site)
    reads_at_once(site, lambda url: Program(url, "node", "-e", NODE))


run(zlib_byte_by_byte, go, node)
