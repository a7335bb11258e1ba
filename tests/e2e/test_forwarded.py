#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Behind a proxy, net: means the client or nothing."""
from fastcgi import *
from mounts import *

SOURCE = "near: {type: file, channel: near, include: [DIR/n.log]}\nfar: {type: file, channel: far, include: [DIR/n.log]}"
# The client is 127.0.0.2, and everybody else who is not.
CHANNELS = "near: {access: 'net:127.0.0.2', heartbeat: 300ms}\nfar: {access: 'net:10.0.0.0/8', heartbeat: 300ms}\nsluice: {access: anyone}"
TRUST = "trusted_proxies: [127.0.0.1, '::1', 'unix:']\nhosts: ['*.example.org', logs.example.org, localhost, 127.0.0.1]"
TRUST_NOBODY = TRUST.replace("[127.0.0.1, '::1', 'unix:']", "[]")


def begin(site, access, hub=""):
    open(site.path("n.log"), "w").close()
    os.chmod(site.path("n.log"), 0o644)
    site.write_config(SOURCE, CHANNELS, hub, access)


def change(site, access):
    """Another `access`, in force."""
    begin(site, access)
    code, out = site.sluice_command("reload")
    check(code == 0, out)
    return out


def may(site, channel, peer, **fields):
    env = {"REMOTE_ADDR": peer, **{"HTTP_" + k: v for k, v in fields.items()}}
    code = ask(site, "/schema/" + channel, env=env)[0]
    check(code in (200, 404), "%d" % code)
    return code == 200


def an_address_counts_as_far_as_proxies_are_listed(site):
    begin(site, "default: deny")
    code, out = site.sluice_command("check")
    check(code == 0 and "access.trusted_proxies" in out and "access.hosts is missing" in out, out)
    site.start()
    # Nobody has said who is a proxy: who behaves like one gets nothing.
    check(may(site, "far", "10.1.1.1") and not may(site, "far", "192.0.2.9"), "without a proxy")
    for fields in ({"X_FORWARDED_FOR": "192.0.2.9"}, {"X_FORWARDED_FOR": "10.2.2.2"}, {"FORWARDED": "for=192.0.2.9"}, {"X_REAL_IP": "192.0.2.9"},
                   {"X_FORWARDED_FOR": "unknown"}, {"FORWARDED": "for=\"_x"}):
        check(not may(site, "far", "10.1.1.1", **fields), "%r" % fields)
        check(not may(site, "far", "192.0.2.9", **fields), "%r" % fields)
    site.told("10.1.1.1 forwards requests", 1)
    check("access.trusted_proxies" in site.log(), site.log())
    # The web server's own module has read it already.
    check(may(site, "far", "10.1.1.1", X_FORWARDED_FOR="10.1.1.1", X_REAL_IP="10.1.1.1"), "itself")
    # They are listed.
    out = change(site, TRUST)
    check("trusted_proxies" not in out and "hosts" not in out, out)
    for peer in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "unix:", ""):
        check(may(site, "far", peer, X_FORWARDED_FOR="10.1.1.1"), peer)
        check(not may(site, "far", peer, X_FORWARDED_FOR="192.0.2.9"), peer)
        check(not may(site, "far", peer, X_FORWARDED_FOR="10.1.1.1, 192.0.2.9"), peer + " with what a client has made up")
        check(may(site, "far", peer, FORWARDED="for=10.1.1.1;proto=https"), peer)
        check(not may(site, "far", peer, X_FORWARDED_FOR="10.1.1.1, garbage"), peer)
        check(not may(site, "near", peer, X_FORWARDED_FOR="127.0.0.2", FORWARDED="for=192.0.2.9"), peer + " by one of two fields")
    # Each line of a header is a parameter of its own: the last one is the proxy's.
    for software, env, want in (
            ("nginx/1.22.1", [("HTTP_X_FORWARDED_FOR", "192.0.2.9"), ("HTTP_X_FORWARDED_FOR", "10.1.1.1")], 200),
            ("nginx/1.22.1", [("HTTP_X_FORWARDED_FOR", "10.1.1.1"), ("HTTP_X_FORWARDED_FOR", "192.0.2.9")], 404),
            ("nginx/1.22.1", [("HTTP_X_FORWARDED_FOR", "10.1.1.1"), ("HTTP_X-FORWARDED-FOR", "192.0.2.9")], 404),
            ("nginx/1.22.1", [("HTTP_FORWARDED", "for=10.1.1.1"), ("HTTP_FORWARDED", "for=192.0.2.9")], 404),
            ("lighttpd/1.4.69", [("HTTP_X_FORWARDED_FOR", "192.0.2.9"), ("HTTP_X_FORWARDED_FOR", "10.1.1.1")], 404),
            ("", [("HTTP_X_FORWARDED_FOR", "10.1.1.1"), ("HTTP_X_FORWARDED_FOR", "10.1.1.1")], 404)):
        s = Fcgi(site, "/schema/far", env={"REMOTE_ADDR": "127.0.0.1", "SERVER_SOFTWARE": software}, more=env)
        check(s.answer()[0] == want, "%r" % env)
    # Who is not listed is a client, whatever he claims; that is told.
    check(may(site, "far", "10.1.1.1", X_FORWARDED_FOR="192.0.2.9") and not may(site, "far", "192.0.2.9", X_FORWARDED_FOR="10.1.1.1"), "not listed")


def limits_and_log_are_about_the_client(site):
    begin(site, TRUST + "\ndefault: allow", "limits: {streams_per_address: 2}")
    site.start()

    def open_as(address):
        s = Fcgi(site, "/events", "channel=sluice", env={"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": address})
        s.until(b"event: ")
        return s
    held = [open_as("192.0.2.%d" % i) for i in range(1, 6)]
    check(all(b"event: hello" in s.out for s in held), "five clients behind one proxy")
    held += [open_as("192.0.2.1")]
    for address in ("192.0.2.1", "x, 192.0.2.1", "192.0.2.1:80", "::ffff:192.0.2.1"):
        check(b"streams_per_address" in open_as(address).until(b"reason"), "a third one of " + address)
    for s in held:
        s.close()
    ask(site, "/events", "channel=near", env={"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.77", "HTTP_HOST": "evil.example"})
    site.told("address 192.0.2.77")


def get(site, port, channel, source, *lines, proxy_line=b""):
    """The status of its schema, for a client of that address."""
    s = socket.socket()
    s.settimeout(20 * PATIENCE)
    s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    s.sendall(proxy_line + "\r\n".join(["GET /logs/schema/%s HTTP/1.0" % channel, "Host: localhost", *lines, "", ""]).encode())
    data = b""
    while more := s.recv(65536):
        data += more
    s.close()
    return int(data.split()[1]) if data else 0


PROXIES = {
    "nginx": (["nginx", "-p", "DIR", "-c"], "worker_processes 1; daemon off; pid DIR/px.pid; error_log DIR/px.err; events {}\n"
              "http { access_log off; client_body_temp_path DIR/pb; proxy_temp_path DIR/pp; fastcgi_temp_path DIR/pf;\n"
              "uwsgi_temp_path DIR/pu; scgi_temp_path DIR/ps; server { listen 127.0.0.1:PORT; location / {\n"
              "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_pass http://127.0.0.1:BEHIND; } } }\n"),
    "haproxy": (["haproxy", "-db", "-f"], "defaults\n mode http\n timeout client 20s\n timeout server 20s\n timeout connect 5s\n"
                "frontend f\n bind 127.0.0.1:PORT\n option forwardfor\n default_backend b\nbackend b\n server s 127.0.0.1:BEHIND\n"),
    "caddy": (["caddy", "run", "--adapter", "caddyfile", "--config"],
              "{\n admin off\n auto_https off\n}\nhttp://:PORT {\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:BEHIND\n}\n"),
}


@contextlib.contextmanager
def proxy(site, name):
    """That proxy in front of the site's web server; yields its port."""
    require(name)
    command, text = PROXIES[name]
    port = free_port()
    with open(site.path(name + ".proxy"), "w") as f:
        f.write(text.replace("DIR", site.dir).replace("PORT", str(port)).replace("BEHIND", str(site.port)))
    log = open(site.path("proxy.out"), "ab")
    p = subprocess.Popen([c.replace("DIR", site.dir) for c in command] + [site.path(name + ".proxy")], stdin=subprocess.DEVNULL,
                         stdout=log, stderr=log, env={**os.environ, "HOME": site.dir, "XDG_DATA_HOME": site.dir, "XDG_CONFIG_HOME": site.dir})
    log.close()
    try:
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, name + " to answer")
        yield port
    finally:
        p.terminate()
        p.wait()


def knows_the_client(site, port, name):
    forged = ("X-Forwarded-For: 127.0.0.2", "X_Forwarded_For: 127.0.0.2", "X-Forwarded_For: 127.0.0.2", "Forwarded: for=127.0.0.2",
              "X-Real-IP: 127.0.0.2")
    check(get(site, port, "near", "127.0.0.2") == 200, name + ": the client is not known")
    check(get(site, port, "near", "127.0.0.3") == 404, name + ": another one passes for him")
    for line in forged * 3:
        check(get(site, port, "near", "127.0.0.3", line) == 404, "%s: %s makes somebody the client" % (name, line))
        check(get(site, port, "near", "127.0.0.3", line + ", 127.0.0.1") == 404, "%s: %s and the proxy" % (name, line))


def behind(m):
    """Each web server, behind a proxy that appends a line of its own."""
    def fn(site):
        require(m.program, "haproxy")
        begin(site, TRUST, "linger: 1s")
        m.prepare(site)
        if not m.spawns:
            site.start()
        mounted = copy.copy(m)
        if m.program == "caddy":
            mounted.change = lambda conf: conf.replace("#trusted_proxies 10.0.0.7", "trusted_proxies 127.0.0.1/32")
        mounted.start(site)
        try:
            if isinstance(m, Proxy):
                knows_the_client(site, site.port, m.name)
                return
            # The one appends a line of its own, the other writes the field first and the client's others behind it.
            for name in ("haproxy", "caddy"):
                with proxy(site, name) as port:
                    knows_the_client(site, port, "%s before %s" % (name, m.name))
        finally:
            mounted.stop()
            end_spawned(site, m)
    fn.__name__ = m.name.replace(" ", "_").replace("-", "_").lower() + "_behind_a_proxy"
    return fn


def each_proxy_in_front(site):
    begin(site, TRUST)
    site.start()
    site.start_lighttpd()
    for name in PROXIES:
        with proxy(site, name) as port:
            knows_the_client(site, port, name)
    # None is listed: all that they pass on is theirs, and has no right.
    change(site, "default: deny")
    with proxy(site, "nginx") as port:
        for source in ("127.0.0.2", "127.0.0.3"):
            check(get(site, port, "near", source) == 404, source)
    site.told("127.0.0.1 forwards requests", 1)


def the_proxy_protocol_by_the_web_servers_own_module(site):
    """The lines of doc/access.md, word for word."""
    begin(site, TRUST_NOBODY)
    site.start()
    page = open(os.path.join(SRC, "doc/access.md")).read().split("**The PROXY protocol**")[1]
    for name, kind in (("lighttpd", "lighttpd"), ("Apache mod_proxy_fcgi", "apache"), ("nginx", "nginx")):
        lines = page.split("```%s\n" % kind)[1].split("```")[0]
        m = copy.copy(mount(name))
        require(m.program)
        m.change = lambda conf: lines + conf
        m.speaks_proxy = True
        if kind == "apache":
            m.load = (*m.load, "remoteip")
        m.prepare(site)
        m.start(site)
        try:
            ask_as = lambda who, *more: get(site, site.port, "far", "127.0.0.1", *more, proxy_line=b"PROXY TCP4 %s 127.0.0.1 4711 80\r\n" % who)
            check(ask_as(b"10.1.1.1") == 200, name + ": the client is not known: " + m.log(site))
            check(ask_as(b"192.0.2.9") == 404, name + ": another one passes for it")
            check(ask_as(b"192.0.2.9", "X-Forwarded-For: 10.1.1.1") == 404, name + ": by a header")
        finally:
            m.stop()


run(an_address_counts_as_far_as_proxies_are_listed, limits_and_log_are_about_the_client, *map(behind, MOUNTS), each_proxy_in_front,
    the_proxy_protocol_by_the_web_servers_own_module)
