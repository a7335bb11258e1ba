#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Under every web server, with the configuration that contrib/mount holds."""
import threading

from mounts import *

SOURCE = "lines: {type: file, channel: lines, include: [DIR/lines.log], read_from: beginning}"
CHANNEL = "lines: {heartbeat: 300ms}"


def hub_pid(site):
    """Of whichever sluice works on this site's state."""
    with contextlib.suppress(OSError, ValueError):
        return int(open(site.path("state/lock")).read())
    return None


def prepare(site, m):
    with open(site.path("lines.log"), "w") as f:
        f.write("".join("%d\n" % i for i in range(1, 6)))
    os.chmod(site.path("lines.log"), 0o644)
    site.write_config(SOURCE, CHANNEL, "linger: 1s")
    m.prepare(site)


def begin(site, m):
    prepare(site, m)
    if not m.spawns:
        site.start()
    m.start(site)


def add(site, first, last):
    write_lines(site.path("lines.log"), first, last)


def arguments_of(pid):
    with contextlib.suppress(OSError):
        return open("/proc/%s/cmdline" % pid, "rb").read().decode(errors="replace")
    return ""


def finish(site, m):
    """Nothing is left once the web server is gone: neither a responder nor, for one that was spawned, a hub."""
    pid = hub_pid(site)
    everyone = children(pid) + [pid] if m.spawns and pid else []
    m.stop()
    wait_for(lambda: not any(alive(p) for p in everyone), "what sluice.fcgi has started to end", 30)
    if m.spawns:
        left = [p for p in os.listdir("/proc") if p.isdigit() and program_of(int(p)) == "sluice"
                and site.dir in arguments_of(p)]
        check(not left, "left behind: %s" % left)
    check("Sanitizer" not in m.log(site), m.log(site))


def serves(site, m):
    begin(site, m)
    # The first request starts a hub where there is none, and so does the second at once.
    streams = [site.stream("channel=lines&after=%s" % "x.1-0") for _ in range(2)]
    for s in streams:
        hello = s.until_type("hello")
        check("text/event-stream" in s.head and "no-transform" in s.head, s.head)
    status, head, body = site.get("/")
    check(status == 200 and b"<title>" in body and "content-security-policy" in head, "the console: %d %r" % (status, body[:200]))
    status, head, _ = site.get("")
    check(status == 301 and head["location"].endswith("/logs/"), "without its slash: %d %r" % (status, head))
    add(site, 6, 10)
    for s in streams:
        s.until_message("10")
    site.ready()
    # History, forms, HEAD, what is not there.
    page = site.json("/history?channel=lines&limit=3")
    check([e["message"] for e in page["events"]][-1] == "10", "%r" % page)
    check(site.get("/history", method="HEAD")[2] == b"", "a body to HEAD")
    for path in ("/events?channel=lines", "/probe", "/health/live"):
        check(site.get(path, method="HEAD")[::2] == (200, b""), "HEAD of %s: %r" % (path, site.get(path, method="HEAD")))
        status, head, _ = site.get(path, method="OPTIONS")
        check(status in (200, 204) and "GET" in head["allow"], "OPTIONS of %s: %d %r" % (path, status, head))
    check(site.get("/nothing")[0] == 404, "what is not there")
    status, _, body = site.get("/poll", form=b"channel=lines&tail=2")
    check(status == 200 and b'"10"' in body, "a form: %d %r" % (status, body))
    # Our gzip passes as it is.
    raw = raw_stream(site, "channel=lines&tail=1", "Accept-Encoding: gzip")
    check(b"content-encoding: gzip" in raw.head.lower(), "%r" % raw.head)
    text = raw.until(lambda data: b'"10"' in gunzip(data))
    check(b"event: hello" in gunzip(text), "not whole")
    raw.close()
    # Frames come one by one, heartbeats too.
    beats = streams[0].comments
    wait_for(lambda: streams[0].fill(0.2) and (list(map(streams[0].parse, streams[0].blocks())) or True)
             and streams[0].comments > beats + 2, "heartbeats", 10)
    # Who leaves is noticed.
    for s in streams[1:]:
        s.close()
    wait_for(lambda: site.json("/status")["streams"]["open"] == 1, "the hub to notice that a client left", 10)
    last = streams[0].last_id
    # The web server goes and comes back: each line once.
    m.stop()
    add(site, 11, 20)
    m.start(site)
    again = site.stream("channel=lines", headers={"Last-Event-ID": last})
    got = [e.json()["message"] for e in again.events(lambda e: e.type == "line" and e.json()["message"] == "20")
           if e.type == "line"]
    check(got == [str(i) for i in range(11, 21)], "after a restart: %r" % got)
    m.stop(signal.SIGKILL)
    add(site, 21, 30)
    m.start(site)
    again2 = site.stream("channel=lines", headers={"Last-Event-ID": again.last_id})
    got = [e.json()["message"] for e in again2.events(lambda e: e.type == "line" and e.json()["message"] == "30")
           if e.type == "line"]
    check(got == [str(i) for i in range(21, 31)], "after kill -9: %r" % got)
    for s in site.streams:
        s.close()
    finish(site, m)


class Raw:
    def __init__(self, sock):
        self.sock, self.head, self.data = sock, None, b""

    def until(self, condition):
        deadline = time.monotonic() + 20 * PATIENCE
        while time.monotonic() < deadline:
            if self.head is not None and condition(self.data):
                return self.data
            more = self.sock.recv(65536)
            check(more, "it ended: %r %r" % (self.head, self.data[:300]))
            self.data += more
            if self.head is None and b"\r\n\r\n" in self.data:
                self.head, _, self.data = self.data.partition(b"\r\n\r\n")
        raise Failed("waited in vain: %r" % self.data[:500])

    def close(self):
        self.sock.close()


def raw_stream(site, query, *headers):
    s = socket.create_connection(("127.0.0.1", site.port), 20 * PATIENCE)
    s.sendall("\r\n".join(["GET %s/events?%s HTTP/1.0" % (site.prefix, query), "Host: localhost", *headers, "", ""]).encode())
    raw = Raw(s)
    raw.until(lambda data: True)
    return raw


def gunzip(data):
    import zlib
    return zlib.decompressobj(31).decompress(data)


def streams_outlive_fcgids_patience(site):
    """mod_fcgid ends a process that is busy for too long; the stream is not its any more."""
    m = mount("Apache mod_fcgid")
    require(m.program)
    with open(site.path("lines.log"), "w") as f:
        f.write("1\n")
    os.chmod(site.path("lines.log"), 0o644)
    site.write_config(SOURCE, CHANNEL, "linger: 1s")
    m.prepare(site)
    m.start(site, "FcgidBusyTimeout 5\nFcgidBusyScanInterval 1\nFcgidIOTimeout 3\n")
    try:
        streams = [site.stream("channel=lines&earliest=1") for _ in range(5)]
        for s in streams:
            s.until_message("1")
        fronts = lambda: [p for p in children(m.server.pid) if program_of(p) == "sluice" and role_of(p) is None and alive(p)]
        mine = fronts()
        check(len(mine) >= 5, "one process for each stream: %r" % mine)
        kib = [int(re.search(r"^Pss:\s+(\d+)", open("/proc/%d/smaps_rollup" % p).read(), re.M).group(1)) for p in mine]
        print("# %d processes for %d streams, %d KiB each" % (len(mine), len(streams), sum(kib) / len(kib)))
        wait_for(lambda: not set(fronts()) & set(mine), "mod_fcgid to lose its patience", 40)
        add(site, 2, 4)
        for s in streams:
            s.until_message("4")
        for s in streams:
            s.close()
        finish(site, m)
    finally:
        if m.server:
            m.stop()


def apache_that_ends_says_goodbye(site):
    """Its threads read streams until these end, and would wait for the next heartbeat."""
    m = mount("Apache mod_fcgid")
    require(m.program)
    with open(site.path("lines.log"), "w") as f:
        f.write("1\n")
    os.chmod(site.path("lines.log"), 0o644)
    site.write_config(SOURCE, "lines: {heartbeat: 60s}", "linger: 30s")
    m.prepare(site)
    m.start(site)

    def open_streams():
        streams = [site.stream("channel=lines&earliest=1") for _ in range(5)]
        for s in streams:
            s.until_message("1")
        return streams

    def goodbye(streams):
        for s in streams:
            bye = s.until_type("bye").json()
            check(bye["reason"] == "server", repr(bye))
            wait_for(lambda: s.ended or not s.fill(1), "the connection to end")
    try:
        # A graceful one, with a new process manager: those of the old one go, and come back.
        streams = open_streams()
        m.server.send_signal(signal.SIGUSR1)
        goodbye(streams)
        wait_for(lambda: m.log(site).count("resuming normal operations") == 2, "Apache to have restarted")
        streams = open_streams()
        # One that loses its responder alone goes on.
        fronts = [p for p in children(m.server.pid) if program_of(p) == "sluice" and role_of(p) is None and alive(p)]
        for p in fronts:
            os.kill(p, signal.SIGTERM)
        wait_for(lambda: not any(alive(p) for p in fronts), "the responders to end")
        add(site, 2, 2)
        for s in streams:
            s.until_message("2")
        began = time.monotonic()
        m.server.send_signal(signal.SIGTERM)
        m.server.wait()  # it closes the clients' connections first of all
        wait_for(lambda: open(site.path("state/sluice.log")).read().count("has exited: closing its 5 streams") == 2,
                 "the streams to end with it")
        print("# Apache ended after %.1f s" % (time.monotonic() - began))
        check(time.monotonic() - began < 6 * PATIENCE, "Apache took %.1f s" % (time.monotonic() - began))
    except Failed as e:
        raise Failed("%s\n---- the web server's log:\n%s\n---- sluice.log:\n%s" % (e, m.log(site), open(site.path("state/sluice.log")).read()))
    finally:
        if m.server:
            m.stop()
        pid = hub_pid(site)
        if pid and alive(pid):
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not alive(pid), "the hub to end")


def refused_at_once(site, m, text, log, line, most):
    """Every request says why, and the log has its line `most` times."""
    head = raw_stream(site, "channel=lines").head
    check(b" 503 " in head.split(b"\r\n")[0], "%s: a stream: %r\n%s" % (m, head, log()))
    for path in ("/history?channel=lines", "/health/ready", "/poll?channel=lines&timeout=0s"):
        began = time.monotonic()
        status, head, body = site.get(path)
        check(status == 503 and text in body and "retry-after" in head, "%s: %s: %d %r\n%s" % (m, path, status, body, log()))
        check(time.monotonic() - began < 5 * PATIENCE, "%s: %s took %.1f s" % (m, path, time.monotonic() - began))
        check(site.dir.encode() not in body, "%s: a path: %r" % (m, body))
    check(site.get("/health/live")[0] == 200 and b"<title>" in site.get("/")[2], "%s: what needs no hub" % m)
    # It looks again every second, and says nothing more.
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        check(site.get("/health/ready")[0] == 503, "%s: ready" % m)
        time.sleep(0.2)
    check(1 <= log().count(line) <= most, "%s: told %d times\n%s" % (m, log().count(line), log()))


def a_state_dir_of_another_user_is_told_at_once(site):
    require_root("a web server of another user")
    for name in ("lighttpd bin-path", "Apache mod_fcgid", "Apache mod_cgid"):
        m = mount(name)
        require(m.program)
        prepare(site, m)
        shutil.chown(site.path("state"), "root")
        os.chmod(site.path("state"), 0o755)
        shutil.chown(site.dir, "www-data")  # for the socket
        m.start(site, 'server.username = "www-data"\nserver.groupname = "www-data"\n' if m.program == "lighttpd" else "")
        try:
            # Each process says it once, and Apache starts several, or one for each request.
            refused_at_once(site, m, b"cannot use its state directory", lambda: m.log(site), "cannot be started: hub.state_dir",
                            1 if m.program == "lighttpd" else 30)
            # Mended, it works, without another start of the web server.
            shutil.chown(site.path("state"), "www-data")
            wait_for(lambda: site.get("/health/ready")[0] == 200, "%s: it to be started: %s" % (name, m.log(site)), 30)
            finish(site, m)
        finally:
            if m.server:
                m.stop()
            shutil.rmtree(site.path("state"), ignore_errors=True)
            for f in ("lighttpd.err", "apache.log", m.program + ".out"):
                with contextlib.suppress(OSError):
                    os.unlink(site.path(f))


def a_start_that_ends_at_once_is_not_tried_for_ever(site):
    m = mount("lighttpd bin-path")
    prepare(site, m)
    # The front reads it without a mistake; the file plugin does not.
    site.write_config("lines: {type: file, channel: lines}", CHANNEL, "linger: 1s")
    m.start(site)
    try:
        wait_for(lambda: b"exited at once" in site.get("/health/ready")[2], "it to be said: " + m.log(site), 30)
        log = lambda: open(site.path("state/sluice.log")).read()
        refused_at_once(site, m, b"exited at once", log, "nothing was started", 2)
    finally:
        m.stop()


def pages_without_pause(site, until, got):
    """Asks for the whole past, again and again; each answer is one of `got`."""
    while not until():
        status, head, body = site.get("/history?channel=lines&limit=10")
        whole = status != 200 or int(head.get("content-length", len(body))) == len(body)
        got.append((status, whole, body))


def a_page_is_whole_or_an_error(name, signo):
    """However the hub ends; if it exits normally, clients see no error."""
    m = mount(name)

    def fn(site):
        require(m.program)
        begin(site, m)
        until, got = time.monotonic() + (60 if LONG else 4), []
        askers = [threading.Thread(target=pages_without_pause, args=(site, lambda: time.monotonic() > until, got)) for _ in range(4)]
        try:
            wait_for(lambda: len(site.json("/history?channel=lines&limit=10")["events"]) == 5, "the lines")
            for a in askers:
                a.start()
            ended = 0
            while time.monotonic() < until:
                time.sleep(0.3 + random.random() / 2)
                boss = hub_pid(site) if m.spawns else site.sluice.pid
                for p in [boss] if m.spawns and signo == signal.SIGTERM else [c for c in children(boss) if role_of(c) == "hub"] if boss else []:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(p, signo)
                        ended += 1
            check(ended > 2, "the hub was ended %d times" % ended)
        finally:
            for a in askers:
                a.join()
            finish(site, m)
        print("# %d pages, %d answered with an error, while the hub was ended %d times" % (
            len(got), sum(s != 200 or not w for s, w, _ in got), ended))
        for status, whole, body in got:
            if status == 200 and not whole:  # which every client notices
                check(signo == signal.SIGKILL, "a part: %r" % body)
            elif status == 200:
                check(body.endswith(b"}\n") and len(json.loads(body)["events"]) == 5, "200, and %r" % body)
            else:
                check(signo == signal.SIGKILL and status in (500, 502, 503), "%d %r" % (status, body))
    fn.__name__ = "a_page_is_whole_%s_%s" % (m.name.replace(" ", "_").lower(), signal.Signals(signo).name.lower())
    return fn


def a_search_outlives_the_linger(site):
    """A search keeps the hub alive, as a stream does (CGI, slow client)."""
    m = mount("lighttpd CGI")
    prepare(site, m)
    with open(site.path("lines.log"), "a") as f:
        f.write("".join("%d %s\n" % (i, "x" * 200) for i in range(6, 20001)))
    ask = lambda path, query: subprocess.Popen(
        [site.path("sluice.fcgi")], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        env={**os.environ, "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/x", "PATH_INFO": path,
             "QUERY_STRING": query, "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"})
    try:
        wait_for(lambda: b'"message":"20000 ' in ask("/history", "channel=lines&limit=1").communicate()[0], "the lines")
        slow = ask("/search", "channel=lines&limit=20000")
        time.sleep(4)
        text = slow.communicate(timeout=60 * PATIENCE)[0]
        check(b"event: done" in text and text.count(b"\nevent: line\n") == 20000, "ended with %r" % text[-200:])
    finally:
        finish(site, m)


def scenario(m):
    def fn(site):
        require(m.program)
        try:
            serves(site, m)
        except Failed as e:
            raise Failed("%s\n---- the web server's log:\n%s\n---- sluice.log:\n%s" % (
                e, m.log(site), open(site.path("state/sluice.log")).read()[-3000:] if os.path.exists(site.path("state/sluice.log")) else ""))
        finally:
            if m.server:
                m.stop()
            pid = hub_pid(site)
            if m.spawns and pid and alive(pid):
                os.kill(pid, signal.SIGTERM)
    fn.__name__ = m.name.replace(" ", "_").replace("-", "_").lower()
    return fn


def a_responder_whose_web_server_is_gone_ends(site):
    """Also if that was while it was being started; it is not told then.  The socket's name says it: a web server removes it."""
    site.write_config("app: {type: file, channel: logs, include: [DIR/app.log]}")
    path = site.path("spawned.sock")

    def orphan(is_there):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
            s.listen()
            if not is_there:
                os.unlink(path)
            p = subprocess.run(["sh", "-c", 'exec 3<&0; (sleep 0.2; exec "$0" 0<&3 3<&- >/dev/null 2>&1) & echo $!', SLUICE],
                               stdin=s, stdout=subprocess.PIPE, start_new_session=True, env={**os.environ, "SLUICE_CONFIG": site.path("sluice.yaml"), "SLUICE_FRONT": "1"})
        pid = int(p.stdout)
        return Process(pid, open("/proc/%d/stat" % pid).read())
    p = orphan(False)
    wait_for(lambda: not alive(p), "the one to end whose socket was removed before", 10)
    p = orphan(True)
    try:
        time.sleep(1)
        check(alive(p), "it has ended although its socket is there")
        os.unlink(path)
        wait_for(lambda: not alive(p), "the one to end whose socket was removed", 15)
    finally:
        if alive(p):
            os.kill(p, signal.SIGKILL)
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(open(site.path("state/lock")).read()), signal.SIGTERM)  # what it has started


run(*[scenario(m) for m in MOUNTS], a_state_dir_of_another_user_is_told_at_once, a_start_that_ends_at_once_is_not_tried_for_ever,
    streams_outlive_fcgids_patience, apache_that_ends_says_goodbye, a_search_outlives_the_linger,
    *[a_page_is_whole_or_an_error(name, signo) for name in ("lighttpd", "lighttpd CGI", "Apache mod_cgid")
      for signo in (signal.SIGTERM, signal.SIGKILL)], a_responder_whose_web_server_is_gone_ends)
