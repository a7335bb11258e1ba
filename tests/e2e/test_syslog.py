# SPDX-License-Identifier: MIT
"""The rows of the syslog plugin's promises, with the real senders: logger, rsyslog,
openssl, and sockets where only bytes will do."""
import array
import os
import shutil
import socket
import ssl
import subprocess
import time

from harness import *


class Listener:
    """A site with one syslog source on free ports."""

    def __init__(self, site, options="", kinds=("udp", "tcp")):
        self.site = site
        self.ports = {k: free_port() for k in kinds if not k.startswith("unix")}
        listen = ["%s:127.0.0.1:%d" % (k, p) for k, p in self.ports.items()]
        listen += ["%s:DIR/%s.sock" % (k, k) for k in kinds if k.startswith("unix")]
        site.up("s: {type: syslog, channel: s, listen: [%s]%s}\n" % (", ".join(listen), options and ", " + options))
        site.ready()
        self.listens("s")

    def listens(self, source):
        """Running is not yet listening: the sockets are asked for then."""
        wait_for(lambda: "accepted" in self.site.source(source)["counters"], "source %s to listen" % source)

    def udp(self, *messages):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for m in messages:
            s.sendto(m if isinstance(m, bytes) else m.encode(), ("127.0.0.1", self.ports["udp"]))
        s.close()

    def connect(self, kind="tcp"):
        return socket.create_connection(("127.0.0.1", self.ports[kind]), 10 * PATIENCE)

    def tcp(self, data):
        with self.connect() as s:
            s.sendall(data if isinstance(data, bytes) else data.encode())

    def events(self, n):
        s = self.site.stream("channel=s&earliest=1")
        got = []
        s.events(lambda e: e.type != "hello" and (got.append(e) or len(got) == n))
        s.close()
        return got

    def get(self, n=1):
        return [e.json() for e in self.events(n)]

    def counters(self):
        return self.site.source("s")["counters"]


# -- framing -------------------------------------------------------------------

def framing_is_decided_frame_by_frame(site):
    l = Listener(site)
    l.tcp("<13>line\n11 <13>counted123abc digits first\n<14>again\n7 <15>end\n5 not counted\n")
    got = [e["message"] for e in l.get(6)]
    check(got == ["line", "counted", "123abc digits first", "again", "end", "5 not counted"], repr(got))


def framing_split_at_every_byte(site):
    l = Listener(site)
    data = b"<13>one\n10 <13>two\nxx<14>three\n8 <15>four<13>five\n"
    for cut in range(1, len(data)):
        with l.connect() as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall(data[:cut])
            time.sleep(0.002)
            s.sendall(data[cut:])
    got = [e["message"] for e in l.get(5 * (len(data) - 1))]
    want = {"one": 0, "two\nxx": 0, "three": 0, "four": 0, "five": 0}
    for m in got:
        check(m in want, "got %r" % m)
        want[m] += 1
    check(len(set(want.values())) == 1, repr(want))


def a_huge_octet_count_closes_only_its_connection(site):
    l = Listener(site)
    good = l.connect()
    good.sendall(b"<13>before\n")
    with l.connect() as s:
        s.sendall(b"9999999 <13>this is not so long")
        s.settimeout(10 * PATIENCE)
        check(s.recv(10) == b"", "the connection stays open")
    good.sendall(b"<13>after\n")
    check([e["message"] for e in l.get(2)] == ["before", "after"], "the other connection")
    site.told("far beyond max_message")
    check(rss_kib(site.source("s")["pid"]) < 20000 or not MEASURES_MEMORY, "it has allocated by the count")


def octet_framing_refuses_what_is_no_count(site):
    l = Listener(site, "framing: octet")
    with l.connect() as s:
        s.sendall(b"6 <13>ab<13>no count\n")
        s.settimeout(10 * PATIENCE)
        check(s.recv(10) == b"", "the connection stays open")
    check(l.get(1)[0]["message"] == "ab", "the good frame")


def an_over_long_line_is_one_event(site):
    l = Listener(site, "max_message: 1KiB")
    l.tcp(b"<13>" + b"x" * 20000 + b"\n<13>next\n")
    a, b = l.get(2)
    check(a["truncated"] and len(a["message"]) == 1020 and a["fields"]["size"] == 20004, repr(a)[-200:])
    check(b["message"] == "next", repr(b))


def an_over_long_counted_frame_is_one_event(site):
    l = Listener(site, "max_message: 1KiB")
    l.tcp(b"5004 <13>" + b"x" * 5000 + b"<13>next\n")
    a, b = l.get(2)
    check(a["truncated"] and len(a["message"]) == 1020 and a["fields"]["size"] == 5004, repr(a)[-200:])
    check(b["message"] == "next", repr(b))


def over_long_lines_split_and_dropped(site):
    l = Listener(site, "max_message: 512, on_oversize: split")
    l.tcp(b"<13>" + b"x" * 1500 + b"\n")
    got = l.get(3)
    check("".join(e["message"] for e in got) == "x" * 1500, "pieces are missing")


def over_long_messages_dropped_are_a_gap(site):
    l = Listener(site, "max_message: 512, on_oversize: drop")
    l.tcp(b"<13>" + b"x" * 1500 + b"\n<13>next\n")
    l.udp(b"<13>" + b"y" * 1500)
    got = l.events(3)
    check(sorted(e.type for e in got) == ["gap", "gap", "message"], repr(got))
    check(all(e.json()["reason"] == "oversize" and e.json()["count"] == 1 for e in got if e.type == "gap"), repr(got))


def no_newline_at_close(site):
    l = Listener(site)
    l.tcp(b"<13>whole\n<13>broken off")
    a, b = l.get(2)
    check("partial" not in a and b["partial"] and b["message"] == "broken off", repr((a, b)))


def nul_in_tcp_and_lf_in_a_datagram(site):
    l = Listener(site)
    l.tcp(b"<13>a\0b\n")
    check(l.get(1)[0]["message"] == "a\0b", "the NUL")
    l.udp("<13>two\nlines")
    check(l.get(2)[1]["message"] == "two\nlines", "one datagram is one message")


def pythons_handler_over_udp_and_tcp(site):
    """Each message ends in a NUL; over TCP nothing else ends it."""
    import logging
    import logging.handlers
    l = Listener(site)
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        port = l.ports["udp" if kind == socket.SOCK_DGRAM else "tcp"]
        handler = logging.handlers.SysLogHandler(("127.0.0.1", port), "local2", kind)
        handler.ident = "app[12]: "
        log = logging.getLogger("sluice-%d" % kind)
        log.propagate = False
        log.addHandler(handler)
        log.error("first")
        log.warning("second")
        if kind == socket.SOCK_DGRAM:
            l.get(2) # before the others come, and without waiting for a close
        else:
            got = l.get(4)
        handler.close()
    for e, text, severity in zip(got, ("first", "second") * 2, ("error", "warning") * 2):
        check(e["message"] == text and e["severity"] == severity and e["fields"]["app"] == "app"
              and e["fields"]["pid"] == "12" and e["fields"]["facility"] == "local2" and "partial" not in e, repr(e))


def no_limit_cuts_a_character_in_two(site):
    """At each of two offsets of two-byte characters, and of four-byte ones."""
    text = {0: "\u00e4" * 2000, 1: "x" + "\u00e4" * 2000, 2: "xy" + "\U0001f600" * 1000}
    l = Listener(site, "max_message: 1001")
    for t in text.values():
        l.udp("<13>" + t)
        with l.connect() as s:
            s.sendall(("<13>%s\n" % t).encode())
    for e in l.get(6):
        check("\ufffd" not in e["message"] and e["truncated"] and len(e["message"].encode()) >= 994
              and any(t.startswith(e["message"]) for t in text.values()), repr(e)[-300:])
    change(site, "max_message: 1001", "max_message: 1001, on_oversize: split")
    for t in text.values():
        l.tcp("<13>%s\n" % t)
    got = []
    s = site.stream("channel=s&earliest=1")
    s.events(lambda e: e.type == "message" and (got.append(e.json()) or len(got) == 21))
    rest = "".join(e["message"] for e in got[6:])
    check(sorted(rest) == sorted("".join(text.values())) and "\ufffd" not in rest, "characters are missing or cut")


def change(site, old, new):
    """Replaces text of the configuration, and reloads."""
    path = site.path("sluice.yaml")
    text = open(path).read()
    check(old in text, "%r is not in the configuration" % old)
    with open(path, "w") as f:
        f.write(text.replace(old, new))
    status, said = site.sluice_command("reload")
    check(status == 0, said)


def an_ipv4_sender_on_an_ipv6_socket_is_shown_as_ipv4(site):
    port = free_port()
    site.up("s: {type: syslog, channel: s, listen: ['udp:[::]:%d', 'tcp:[::]:%d'], allow: [127.0.0.0/8]}\n" % (port, port))
    site.ready()
    wait_for(lambda: "accepted" in site.source("s")["counters"], "the source to listen")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"<13>udp", ("127.0.0.1", port))
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"<13>tcp\n")
    got = []
    s = site.stream("channel=s&earliest=1")
    s.events(lambda e: e.type == "message" and (got.append(e.json()) or len(got) == 2))
    check([e["fields"]["peer"] for e in got] == ["127.0.0.1"] * 2, repr(got))


def nul_framing(site):
    l = Listener(site, "framing: nul")
    l.tcp(b"<13>one\ntwo\0<13>three\0")
    check([e["message"] for e in l.get(2)] == ["one\ntwo", "three"], "NUL framing")


# -- UDP ---------------------------------------------------------------------------

def a_datagram_that_is_too_long(site):
    l = Listener(site, "max_message: 1KiB")
    l.udp(b"<13>" + b"x" * 5000)
    e, = l.get(1)
    check(e["truncated"] and e["fields"]["size"] == 5004 and len(e["message"]) == 1020, repr(e)[-200:])


def received_and_dropped_are_what_was_sent(site):
    """A source that does not read: the kernel drops, and that is declared."""
    l = Listener(site, "receive_buffer: 64KiB")
    pid = site.source("s")["pid"]
    os.kill(pid, signal.SIGSTOP)
    sent = 5000
    for i in range(sent):
        l.udp("<13>message number %d with some text behind it" % i)
    os.kill(pid, signal.SIGCONT)
    s = site.stream("channel=s&earliest=1")
    count = {"message": 0, "gap": 0}

    def take(e):
        if e.type == "gap":
            check(e.json()["reason"] == "dropped", repr(e))
            count["gap"] += e.json()["count"]
        elif e.type == "message":
            count["message"] += 1
        return count["message"] + count["gap"] >= sent
    s.events(take)
    check(count["message"] + count["gap"] == sent and count["gap"] > 100, repr(count))
    check(l.counters()["dropped"] == count["gap"], repr(l.counters()))


def datagrams_wait_while_the_source_is_restarted(site):
    l = Listener(site)
    l.udp("<13>1")
    l.get(1)
    for i in range(5):
        site.kill("source")
        for k in range(100):
            l.udp("<13>%d" % (2 + 100 * i + k))
        site.wait_state("s", "running")
    got = [e["message"] for e in l.get(501)]
    check(got == [str(i) for i in range(1, 502)], "lost or doubled: %d" % len(got))


# -- what is in a message ----------------------------------------------------------

def what_a_stream_has_sent_is_read_before_a_reload_closes_it(site):
    l = Listener(site, "rate_limit: 2000")
    l.tcp(b"".join(b"<13>%d\n" % i for i in range(30000)) + b"<13>no newline yet")
    wait_for(lambda: site.source("s")["throttled"] > 0, "it to be held back")
    text = open(site.path("sluice.yaml")).read()
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text.replace("rate_limit: 2000", "keep_raw: true"))
    check(site.sluice_command("reload")[0] == 0, "the reload")
    s = site.stream("channel=s&earliest=1")
    got = [e.json()["message"] for e in s.until_message_of("message", "no newline yet")]
    check(got == [str(i) for i in range(30000)] + ["no newline yet"], "%d of 30001" % len(got))


def a_port_that_moves_to_another_source(site):
    l = Listener(site, "", ("udp",))
    text = open(site.path("sluice.yaml")).read()
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text.replace("  s: {", "  t: {"))
    l.udp("<13>before")
    l.get(1)
    check(site.sluice_command("reload")[0] == 0, "the reload")
    site.wait_state("t", "running")
    l.listens("t")
    l.udp("<13>after")
    check(l.get(2)[1]["message"] == "after" and "already in use" not in site.log(), site.log())


def priorities_that_are_none(site):
    l = Listener(site)
    cases = ["no pri at all", "<192>too high", "<", "<>", "<x>letters", "<013>zeros", "<1234>long"]
    for c in cases:
        l.udp(c)
    for c, e in zip(cases, l.get(len(cases))):
        if c == "<013>zeros":
            check(e["message"] == "zeros", repr(e))
            continue
        check(e["message"] == c and e["severity"] == "notice" and e["fields"]["no_pri"] is True
              and e["fields"]["facility"] == "user", repr(e))


def dates_of_rfc_3164(site):
    l = Listener(site, "time_zone: Europe/Berlin")
    now = time.time()
    for back in (0, 40 * 86400, 170 * 86400, -1 * 86400):
        t = time.gmtime(now - back)
        l.udp("<13>%s %2d 12:00:00 host app: hi" % (time.strftime("%b", t), t.tm_mday))
    l.udp("<13>Feb 31 12:00:00 host app: bad date", "<13>Nov 1 25:00:00 bad time", "<13>Nov  1 11:00:00.123 h a[1]: ms")
    got = l.get(7)
    for e, back in zip(got, (0, 40 * 86400, 170 * 86400, -1 * 86400)):
        t = time.gmtime(now - back)
        check(e["time"][:11] == time.strftime("%Y-%m-%dT", t) and e["time"][11:13] in ("10", "11"), repr(e))
    check(got[4]["message"] == "Feb 31 12:00:00 host app: bad date" and abs(parse_time(got[4]) - now) < 60, repr(got[4]))
    check(got[5]["message"] == "Nov 1 25:00:00 bad time", repr(got[5]))
    check(got[6]["fields"]["pid"] == "1" and got[6]["time"][20:23] == "123", repr(got[6]))


def parse_time(e):
    import calendar
    return calendar.timegm(time.strptime(e["time"][:19], "%Y-%m-%dT%H:%M:%S"))


def rfc_5424(site):
    l = Listener(site)
    l.udp('<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" '
          'eventSource="App\\"li\\]c\\\\at\\ion"][x@1 y="z"] \ufeffAn application event',
          "<34>1 - - - - - -",
          "<34>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time",
          "<34>1 2016-12-31T23:59:60Z h a p m - leap",
          "<34>1 2016-12-31T23:59:59.1Z h a p m - one digit",
          "<34>1 garbage instead of a time")
    a, b, c, d, e, f = l.get(6)
    check(a["fields"]["sd.exampleSDID@32473.eventSource"] == 'App"li]c\\at\\ion' and a["fields"]["sd.x@1.y"] == "z", repr(a))
    check(a["message"] == "An application event" and a["fields"]["msgid"] == "ID47" and "pid" not in a["fields"], repr(a))
    check(a["time"] == "2003-10-11T22:14:15.003000Z" and a["fields"]["facility"] == "local4", repr(a))
    check(b["message"] == "" and b["severity"] == "critical" and "host" not in b["fields"], repr(b))
    check(c["time"] == "2003-08-24T12:14:15.000003Z" and c["fields"]["host"] == "192.0.2.1", repr(c))
    check(d["time"] == "2017-01-01T00:00:00.000000Z", repr(d))
    check(e["time"] == "2016-12-31T23:59:59.100000Z", repr(e))
    check(f["message"] == "1 garbage instead of a time" and f["fields"]["damaged"] is True, repr(f))


def the_host_is_a_claim(site):
    l = Listener(site, "keep_raw: true")
    l.udp("<13>Nov  1 11:00:00 claimed app: hi")
    e, = l.get(1)
    check(e["fields"]["host"] == "claimed" and e["fields"]["peer"] == "127.0.0.1", repr(e))
    check(e["fields"]["raw"] == "<13>Nov  1 11:00:00 claimed app: hi", repr(e))


def the_host_is_the_peer_alone(site):
    l = Listener(site, "host: peer, timestamp: receive")
    l.udp("<13>Nov  1 11:00:00 claimed app: hi")
    e, = l.get(1)
    check(e["fields"]["host"] == "127.0.0.1" and abs(parse_time(e) - time.time()) < 60, repr(e))


# -- unix sockets ----------------------------------------------------------------------

def the_machines_own_socket(site):
    require("logger")
    l = Listener(site, "socket_mode: '0660'", ("unix-dgram", "unix-stream"))
    for kind in ("unix-dgram", "unix-stream"):
        check(os.stat(site.path(kind + ".sock")).st_mode & 0o777 == 0o660, "its rights")
    p = subprocess.Popen(["logger", "-u", site.path("unix-dgram.sock"), "-t", "me", "hello"])
    p.wait()
    e, = l.get(1)
    check(e["message"] == "hello" and e["fields"]["app"] == "me" and e["fields"]["peer_pid"] == p.pid
          and e["fields"]["peer_uid"] == os.getuid(), repr(e))
    s = socket.socket(socket.AF_UNIX)
    s.connect(site.path("unix-stream.sock"))
    s.sendall(b"<11>Nov  1 11:00:00 you[7]: stream\n")
    e = l.get(2)[1]
    check(e["fields"]["peer_pid"] == os.getpid() and e["fields"]["pid"] == "7", repr(e))


def descriptors_that_are_sent_along_are_closed(site):
    l = Listener(site, "", ("unix-dgram",))
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    pid = site.source("s")["pid"]
    before = descriptors(pid)
    for i in range(50):
        s.sendmsg([b"<13>%d" % i], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))],
                  0, site.path("unix-dgram.sock"))
    l.get(50)
    check(descriptors(pid) <= before + 1, "it has %d descriptors, before %d" % (descriptors(pid), before))


# -- TLS ----------------------------------------------------------------------------------

def make_certificates(site):
    def openssl(*args):
        subprocess.check_call(["openssl", *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=site.dir)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
            "-out", "ca.pem", "-days", "10", "-subj", "/CN=ca")
    for name, days in (("server", "10"), ("good", "10"), ("other", "10"), ("old", "-1")):
        with open(site.path(name + ".ext"), "w") as f:
            f.write("subjectAltName=DNS:%s.example\n" % name)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key",
                "-out", name + ".csr", "-subj", "/CN=" + name)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", name + ".pem", "-days", days, "-extfile", name + ".ext")


TLS = "tls: {cert: DIR/server.pem, key: DIR/server.key%%s}, handshake_timeout: %dms" % (500 * PATIENCE)


def tls_client(l, name=None, site=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if name:
        c.load_cert_chain(site.path(name + ".pem"), site.path(name + ".key"))
    return c.wrap_socket(l.connect("tls"))


def tls_from_logger_and_openssl(site):
    make_certificates(site)
    l = Listener(site, TLS % "", ("tls", "tcp"))
    with tls_client(l) as s:
        s.sendall(b"<13>secret\n" + b"<13>x" * 1 + b"y" * 50000 + b"\n9 <13>count")
    got = l.get(3)
    check(got[0]["message"] == "secret" and got[1]["truncated"] and got[2]["message"] == "count", repr(got)[:300])


def tls_refusals_are_one_clear_line(site):
    make_certificates(site)
    l = Listener(site, TLS % ", ca: DIR/ca.pem, verify: required, allowed_names: ['good.*']", ("tls", "tcp"))

    def refused(connect, reason):
        try:
            with connect() as s:
                s.sendall(b"<13>never\n")
                s.settimeout(5 * PATIENCE)
                while s.recv(100):
                    pass
        except OSError:
            pass
        wait_for(lambda: reason in site.log(), "the log to say \"%s\": %s" % (reason, site.log()[-1500:]))
    refused(lambda: tls_client(l), "peer did not return a certificate")
    refused(lambda: tls_client(l, "old", site), "certificate has expired")
    refused(lambda: tls_client(l, "other", site), "no name in its certificate matches tls.allowed_names")
    refused(lambda: l.connect("tls"), "check that the sender uses TLS")

    def hello():
        s = l.connect("tcp")
        s.sendall(b"\x16\x03\x01\x02\x00\x01")
        return s
    refused(hello, "speaks TLS, but this address does not")
    silent = l.connect("tls")
    silent.settimeout(10 * PATIENCE)
    check(silent.recv(10) == b"", "a silent one is not closed")
    wait_for(lambda: "did not finish the TLS handshake within" in site.log(), "the silent one to be told")
    with tls_client(l, "good", site) as s:
        s.sendall(b"<13>let in\n")
    check([e["message"] for e in l.get(1)] == ["let in"], "the good one")


def shown_certificate(l):
    with tls_client(l) as s:
        return ssl.DER_cert_to_PEM_cert(s.getpeercert(True))


def put(site, name, target):
    """As renewing programs do it: a new file in place of the old one."""
    shutil.copyfile(site.path(name), site.path(target + ".new"))
    os.rename(site.path(target + ".new"), site.path(target))


def a_renewed_certificate_is_used(site):
    make_certificates(site)
    l = Listener(site, TLS % "", ("tls",))
    pem = lambda name: open(site.path(name + ".pem")).read()
    first, second, third = pem("server"), pem("good"), pem("other")
    old = tls_client(l)
    old.sendall(b"<13>before\n")

    def serves(certificate, what):
        # While files are exchanged a handshake may meet a half of the pair; it is never served.
        wait_for(lambda: shown_certificate(l) == certificate, what)

    def keeps(reason, certificate):
        wait_for(lambda: reason in site.log(), "the log to say \"%s\": %s" % (reason, site.log()[-1500:]))
        check("The old certificate stays in use" in site.log() and shown_certificate(l) == certificate, site.log())
    serves(first, "the first certificate")
    put(site, "good.key", "server.key")
    put(site, "good.pem", "server.pem")
    serves(second, "the renewed one, by itself")
    with open(site.path("server.pem"), "w") as f:
        f.write(third[:300])
    keeps("server.pem cannot be used", second)
    put(site, "other.pem", "server.pem")
    keeps("it is not the key of the certificate in", second)
    check(site.sluice_command("reload")[0] != 0, "a reload with a pair that does not fit")
    put(site, "other.key", "server.key")
    status, text = site.sluice_command("reload")
    check(status == 0, text)
    serves(third, "the next one, after a reload")
    old.sendall(b"<13>after\n")
    check([e["message"] for e in l.get(2)] == ["before", "after"], "the connection that was open")
    old.close()


def senders_are_known_by_their_fingerprints(site):
    make_certificates(site)
    fingerprint = subprocess.check_output(["openssl", "x509", "-in", site.path("good.pem"), "-noout", "-fingerprint",
                                           "-sha256"], text=True).strip()
    l = Listener(site, TLS % (", verify: required, allowed_fingerprints: ['%s']" % fingerprint), ("tls",))
    with contextlib.suppress(OSError), tls_client(l, "other", site) as s:
        s.sendall(b"<13>never\n")
    site.told("is not in tls.allowed_fingerprints")
    with tls_client(l, "good", site) as s:
        s.sendall(b"<13>let in\n")
    check([e["message"] for e in l.get(1)] == ["let in"], "the good one")


V2 = b"\r\n\r\n\0\r\nQUIT\n"


def senders_behind_a_proxy_keep_their_address_and_time_zone(site):
    make_certificates(site)
    l = Listener(site, (TLS % "") + ", proxy_protocol: true, trusted_proxies: [127.0.0.1], "
                 "allow: [192.0.2.0/24, '2001:db8::/32'], "
                 "time_zones: {192.0.0.0/8: UTC, 192.0.2.0/24: America/New_York, '2001:db8::/32': '+05:30'}", ("tcp", "tls"))

    def send(header, message, kind="tcp"):
        s = l.connect(kind)
        for i in range(0, len(header), 7): # as it may arrive
            s.sendall(header[i:i + 7])
        if kind == "tls":
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
            s = c.wrap_socket(s)
        with s:
            s.sendall(message)

    def got(n):
        e = l.get(n)[-1]
        return e["fields"]["peer"], e["time"][5:16], e["message"]
    text = b"<13>Jan 15 12:00:00 h a: %s\n"
    send(b"PROXY TCP4 192.0.2.1 192.0.2.9 1234 514\r\n", text % b"one")
    check(got(1) == ("192.0.2.1", "01-15T17:00", "one"), repr(got(1)))
    send(b"PROXY TCP6 2001:db8::1 2001:db8::9 1234 514\r\n", text % b"two")
    check(got(2) == ("2001:db8::1", "01-15T06:30", "two"), repr(got(2)))
    v2 = V2 + b"\x21\x11\x00\x13" + socket.inet_aton("192.0.2.2") * 2 + b"\x04\xd2\x02\x02" + b"\x04\x00\x04abcd"
    send(v2, text % b"three", "tls")
    check(got(3) == ("192.0.2.2", "01-15T17:00", "three"), repr(got(3)))

    def refused(data, reason):
        with contextlib.suppress(OSError), l.connect() as s:
            s.sendall(data)
            s.settimeout(10 * PATIENCE)
            check(s.recv(10) == b"", "the connection stays open")
        site.told(reason)
    refused(b"PROXY TCP4 198.51.100.1 192.0.2.9 1234 514\r\n<13>never\n", "is not in allow")
    refused(b"<13>never\n", "sent no valid PROXY header")
    lines = len(site.log().splitlines())
    l.connect().close() # a health check
    send(V2 + b"\x20\x00\x00\x00", b"")
    send(b"PROXY TCP4 192.0.2.3 192.0.2.9 1234 514\r\n", text % b"four")
    check(got(4)[0] == "192.0.2.3" and len(site.log().splitlines()) == lines, site.log()[-1000:])


def a_proxy_header_without_the_option_is_reported(site):
    l = Listener(site, "", ("tcp",))
    l.tcp("PROXY TCP4 192.0.2.1 192.0.2.9 1234 514\r\n<13>text\n")
    check([e["message"] for e in l.get(2)] == ["PROXY TCP4 192.0.2.1 192.0.2.9 1234 514", "text"], "what was sent")
    site.told("set proxy_protocol: true")
    for options, option, reason in (
            ("proxy_protocol: true", "trusted_proxies", "anyone could send a PROXY header"),
            ("trusted_proxies: [127.0.0.1]", "trusted_proxies", "has no effect without proxy_protocol"),
            ("time_zones: {10.0.0.0/8: Europe/Bayreuth}", "time_zones", '"Europe/Bayreuth" is not a time zone that this machine knows'),
            ("time_zones: {host: UTC}", "time_zones", "write a network and its time zone"),
            ("tls: {cert: /x}", "tls.cert", "has no effect: no address"),
            ("allow: [lb1]", "allow", '"lb1" is not an address or network'),
            ("listen: ['udp:127.0.0.1:6514'], proxy_protocol: true, trusted_proxies: [10.0.0.7]", "proxy_protocol", "has no effect: it is for tcp:")):
        listen = "" if "listen" in options else "listen: ['tcp:127.0.0.1:6514'], "
        site.write_config("s: {type: syslog, channel: s, %s%s}\n" % (listen, options))
        status, text = site.sluice_command("check")
        check(status == 2 and "sources.s.%s:" % option in text and reason in text, text)


def wrong_tls_options_are_told(site):
    make_certificates(site)
    site.write_config("s: {type: syslog, channel: s, listen: ['tls:127.0.0.1:6514'], tls: {cert: DIR/ca.key, key: DIR/ca.key}}\n")
    status, text = site.sluice_command("check")
    check(status == 2 and "sources.s.tls.cert" in text and "cannot be used" in text, text)
    site.write_config("s: {type: syslog, channel: s, listen: ['tls:127.0.0.1:6514']}\n")
    status, text = site.sluice_command("check")
    check(status == 2 and "tls.cert" in text and "is missing" in text, text)
    subprocess.check_call(["openssl", "pkey", "-in", site.path("good.key"), "-aes256", "-passout", "pass:x", "-out",
                           site.path("locked.key")])
    cases = (("cert: DIR/good.pem, key: DIR/locked.key", "key", "the key is encrypted"),
             ("cert: DIR/good.pem, key: DIR/other.key", "key", "is not the key of the certificate"),
             ("cert: DIR/good.pem, key: DIR/good.pem", "key", "contains no PRIVATE KEY in PEM form"),
             ("cert: DIR/nothing.pem, key: DIR/good.key", "cert", "No such file"),
             ("cert: DIR/good.pem, key: DIR/good.key, verify: required, allowed_fingerprints: ['ab:cd']",
              "allowed_fingerprints", "64 hexadecimal digits"),
             ("cert: DIR/good.pem, key: DIR/good.key, verify: required", "ca", "is missing"))
    site.write_config("".join("s%d: {type: syslog, channel: s, listen: ['tls:127.0.0.1:651%d'], tls: {%s}}\n" % (i, i, c[0])
                              for i, c in enumerate(cases)))
    status, text = site.sluice_command("check")
    for i, (_, option, reason) in enumerate(cases):
        line = [l for l in text.splitlines() if "sources.s%d.tls.%s:" % (i, option) in l]
        check(status == 2 and line and reason in line[0], text)


# -- many senders -----------------------------------------------------------------------------

def a_thousand_idle_and_one_loud(site):
    l = Listener(site, "max_connections: 1001")
    idle = [l.connect() for _ in range(1000)]
    wait_for(lambda: l.counters()["connections"] == 1000, "the idle ones")
    loud = l.connect()
    n = 100000
    loud.sendall(b"".join(b"<13>%d\n" % i for i in range(n)))
    wait_for(lambda: l.counters()["messages"] == n, "the loud one's messages")
    check(rss_kib(site.source("s")["pid"]) < 30000 or not MEASURES_MEMORY, "idle connections take memory")
    over = [l.connect() for _ in range(5)]
    for s in over:
        s.settimeout(10 * PATIENCE)
        check(s.recv(10) == b"", "one over the limit is not closed")
    site.told("more than 1001 connections", 1)
    for s in idle + [loud]:
        s.close()


def idle_connections_are_closed(site):
    l = Listener(site, "idle_timeout: 500ms")
    with l.connect() as s:
        s.sendall(b"<13>then silence")
        s.settimeout(10 * PATIENCE)
        check(s.recv(10) == b"", "it is not closed")
    check(l.get(1)[0]["message"] == "then silence", "what it has sent")


def who_may_send(site):
    l = Listener(site, "allow: [10.0.0.0/8, '::1']")
    l.udp("<13>no")
    with l.connect() as s:
        s.settimeout(10 * PATIENCE)
        check(s.recv(10) == b"", "a stranger is let in")
    wait_for(lambda: l.counters()["refused"] >= 2, "both to be counted")
    site.told("is not in allow")


def a_sender_beyond_its_rate(site):
    l = Listener(site, "sender_rate_limit: 100")
    for i in range(1000):
        l.udp("<13>%d" % i)
    s = site.stream("channel=s&earliest=1")
    count = {"message": 0, "gap": 0, "limited": 0}

    def take(e):
        if e.type == "gap":
            gap = e.json()
            if gap["reason"] == "rate_limit": # what a busy machine's kernel dropped is told as that
                check(gap["fields"]["peer"] == "127.0.0.1", repr(e))
                count["limited"] += gap["count"]
            count["gap"] += gap["count"]
        elif e.type == "message":
            count["message"] += 1
        return count["message"] + count["gap"] == 1000
    s.events(take)
    check(100 <= count["message"] < 1000 and count["limited"] > 0, repr(count))


# -- the real senders ---------------------------------------------------------------------------

def logger_in_all_its_ways(site):
    require("logger")
    l = Listener(site)
    ways = [["-d", "--rfc3164"], ["-d", "--rfc5424"], ["-T", "--rfc3164"], ["-T", "--rfc5424"],
            ["-T", "--octet-count", "--rfc5424"], ["-T", "--octet-count", "--rfc3164"]]
    for i, way in enumerate(ways):
        port = l.ports["udp" if "-d" in way else "tcp"]
        subprocess.check_call(["logger", "-n", "127.0.0.1", "-P", str(port), "-p", "local3.warning", "-t", "tag",
                               *way, "way %d" % i])
    got = l.get(len(ways))
    # Over several sockets: in which order they are read is the system's business.
    check(sorted(e["message"] for e in got) == ["way %d" % i for i in range(len(ways))], repr(got))
    check(all(e["severity"] == "warning" and e["fields"]["facility"] == "local3" and e["fields"]["app"] == "tag"
              for e in got), repr(got))


def rsyslog_forwards_to_us(site):
    require("rsyslogd")
    l = Listener(site)
    with open(site.path("rsyslog.conf"), "w") as f:
        f.write('module(load="imfile")\n'
                'input(type="imfile" File="%s" Tag="numbers:" PersistStateInterval="1")\n'
                'action(type="omfwd" target="127.0.0.1" port="%d" protocol="tcp" TCP_Framing="octet-counted")\n'
                % (site.path("in.log"), l.ports["tcp"]))
    os.makedirs(site.path("work"))
    open(site.path("in.log"), "w").close()
    p = subprocess.Popen(["rsyslogd", "-n", "-iNONE", "-f", site.path("rsyslog.conf")],
                         env={**os.environ, "TMPDIR": site.dir}, stderr=subprocess.DEVNULL, cwd=site.path("work"))
    try:
        # rsyslog may miss lines that are written before it watches the file, until more are written.
        wait_for(lambda: site.path("in.log") in open_names(p.pid), "rsyslog to follow the file")
        time.sleep(0.5)
        write_lines(site.path("in.log"), 1, 5000)
        numbers = Numbers(site, "s")
        numbers.until(5000, 60)
    finally:
        p.terminate()
        p.wait()


def loggen_floods_tcp(site):
    """syslog-ng's loggen, if the test run has unpacked it."""
    loggen = os.environ.get("LOGGEN") or shutil.which("loggen")
    if not loggen:
        require("loggen")
    l = Listener(site)
    n = 200000
    subprocess.check_call([loggen, "--stream", "--inet", "--rate", "1000000", "--number", str(n), "--active-connections",
                           "4", "--quiet", "127.0.0.1", str(l.ports["tcp"])],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: l.counters()["messages"] >= n, "all messages: %r" % l.counters(), 60)


run(framing_is_decided_frame_by_frame, framing_split_at_every_byte, a_huge_octet_count_closes_only_its_connection,
    octet_framing_refuses_what_is_no_count, an_over_long_line_is_one_event, an_over_long_counted_frame_is_one_event,
    over_long_lines_split_and_dropped, over_long_messages_dropped_are_a_gap, no_newline_at_close,
    nul_in_tcp_and_lf_in_a_datagram, pythons_handler_over_udp_and_tcp, no_limit_cuts_a_character_in_two,
    an_ipv4_sender_on_an_ipv6_socket_is_shown_as_ipv4, nul_framing, a_datagram_that_is_too_long, received_and_dropped_are_what_was_sent,
    datagrams_wait_while_the_source_is_restarted, what_a_stream_has_sent_is_read_before_a_reload_closes_it,
    a_port_that_moves_to_another_source, priorities_that_are_none, dates_of_rfc_3164, rfc_5424,
    the_host_is_a_claim, the_host_is_the_peer_alone, the_machines_own_socket,
    descriptors_that_are_sent_along_are_closed, tls_from_logger_and_openssl, tls_refusals_are_one_clear_line,
    wrong_tls_options_are_told, a_renewed_certificate_is_used, senders_are_known_by_their_fingerprints,
    senders_behind_a_proxy_keep_their_address_and_time_zone, a_proxy_header_without_the_option_is_reported, a_thousand_idle_and_one_loud, idle_connections_are_closed, who_may_send,
    a_sender_beyond_its_rate, logger_in_all_its_ways, rsyslog_forwards_to_us, loggen_floods_tcp)
