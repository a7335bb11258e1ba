#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sluice doctor with proxies in front: each is named with its own directive, and nothing is blamed
that passes streams on."""
import base64
import concurrent.futures
import threading

from mounts import *
from test_doctor import SOURCE, broken, doctor, under

HAPROXY_HTTP = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend f
  bind 127.0.0.1:PORT
  default_backend web
backend web
  server web 127.0.0.1:INNER
"""
NGINX_PROXY = """
pid DIR/proxy.pid; error_log DIR/proxy.log; daemon off; USER
events {}
http {
  access_log off;
  client_body_temp_path DIR/pb; proxy_temp_path DIR/pp; fastcgi_temp_path DIR/pf; uwsgi_temp_path DIR/pu; scgi_temp_path DIR/ps;
  server { listen 127.0.0.1:PORT; location / { proxy_pass http://127.0.0.1:INNER; MORE } }
}
"""


APACHE_PROXY = """
ServerRoot "DIR"
ServerName localhost
PidFile "DIR/proxy.pid"
DefaultRuntimeDir "DIR"
Mutex file:DIR default
Listen 127.0.0.1:PORT
ErrorLog "DIR/proxy.log"
User www-data
Group www-data
""" + apache_modules("mpm_event", "authz_core", "proxy", "proxy_http") + """
ProxyPass / http://127.0.0.1:INNER/
"""
CADDY_PROXY = "{\n\tadmin off\n\tauto_https off\n}\nhttp://:PORT {\nbind 127.0.0.1\nreverse_proxy 127.0.0.1:INNER\n}\n"


@contextlib.contextmanager
def behind(site, command, conf, inner="lighttpd", change=None):
    """A proxy in front of a web server of site.port; yields the proxy's port."""
    m, port = mount(inner), free_port()
    require(m.program, command[0])
    site.write_config(SOURCE)
    m.prepare(site)
    if command[0] == "squid" and not os.getuid():
        os.chmod(site.dir, 0o777)
    site.start()
    m.change = change
    m.start(site)
    text = re.sub(r"\bPORT\b", str(port), conf.replace("DIR", site.dir)).replace("INNER", str(site.port))
    text = text.replace("USER", "" if os.getuid() else "user www-data;")
    with open(site.path("proxy.conf"), "w") as f:
        f.write(text)
    with open(site.path("proxy.out"), "wb") as log:
        p = subprocess.Popen([a.replace("DIR", site.dir).replace("PORT", str(port)) for a in command] + [site.path("proxy.conf")],
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                             env={**os.environ, "HOME": site.dir, "XDG_DATA_HOME": site.dir, "XDG_CONFIG_HOME": site.dir})

    def answers():
        check(p.poll() is None, open(site.path("proxy.out"), errors="replace").read())
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as s:
            s.sendall(b"GET /logs/health/live HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b"live" in s.recv(4096) + s.recv(4096)
    try:
        wait_for(answers, "%s to answer" % command[0])
        yield port
    finally:
        family = children(p.pid)
        p.terminate()
        p.wait()
        wait_for(lambda: not any(alive(c) for c in family), "the proxy's children to end")
        m.stop()
        m.change = None


HAPROXY = ["haproxy", "-db", "-f"]
NGINX = ["nginx", "-p", "DIR", "-c"]
VARNISH = ["varnishd", "-F", "-j", "none", "-n", "DIR/varnish", "-a", "127.0.0.1:PORT", "-s", "malloc,16m", "-f"]


def ask(port, *args):
    return doctor(None, *args, url="http://127.0.0.1:%d/logs/" % port)


def good_with(name):
    """As `sluice mount` prints it."""
    def fn(site):
        m = mount(name)
        require(m.program)
        code, out = under(site, m)
        check(code == 0 and out.count("frame by frame") == 2 and "PROBLEM" not in out, out)
        if name == "HAProxy":
            check("sluice is mounted under HAProxy" in out and "is on the way" not in out, out)
        else:
            check("sluice is mounted under lighttpd" in out and "note: %s is on the way" % name in out, out)
    fn.__name__ = "good_with_" + name.lower()
    return fn


def haproxy_delays_each_event(site):
    """Over FastCGI: it gathers for 200 ms, and the whole chain is told by its own name."""
    m = mount("HAProxy")
    require(m.program)
    code, out = under(site, m, lambda conf: broken(conf, ("option http-no-delay", "")))
    check(code == 1 and out.count("is held back") == 2 and "in HAProxy" in out and "option http-no-delay" in out, out)


def haproxy_before_lighttpd_delays_each_event(site):
    """Over HTTP: lighttpd's directive is set, and is not asked for."""
    with behind(site, HAPROXY, HAPROXY_HTTP) as port:
        code, out = ask(port)
        check(code == 1 and "is held back" in out and "option http-no-delay" in out, out)
        check("note: HAProxy is on the way" in out and "stream-response-body" not in out, out)


def haproxy_before_lighttpd_passes_at_once(site):
    with behind(site, HAPROXY, HAPROXY_HTTP.replace("mode http", "mode http\n  option http-no-delay")) as port:
        code, out = ask(port)
        check(code == 0 and "PROBLEM" not in out and "note: HAProxy is on the way" in out, out)


def behind_haproxy_lighttpd_holds_back(site):
    """The other way round: it is lighttpd, and HAProxy has nothing to set."""
    with behind(site, HAPROXY, HAPROXY_HTTP.replace("mode http", "mode http\n  option http-no-delay"),
                change=lambda conf: broken(conf, ("server.stream-response-body = 2", "server.stream-response-body = 0"))) as port:
        code, out = ask(port)
        check(code == 1 and "is held back" in out and "server.stream-response-body = 2" in out, out)
        check("http-no-delay" not in out, out)


def varnish_unpacks_for_clients_without_gzip(site):
    """With gzip all is well, without nothing arrives: only the pipe helps, which the mount has."""
    conf = 'vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "INNER"; }\n'
    with behind(site, VARNISH, conf) as port:
        code, out = ask(port)
        check(code == 1 and "good: a stream arrives frame by frame" in out, out)
        check("PROBLEM: a stream to a client without gzip is held back: nothing of it arrives" in out, out)
        check("note: Varnish is on the way" in out and 'if (req.url ~ "^/logs([/?]|$)") { return (pipe); }' in out, out)
        check("stream-response-body" not in out and "max-write-idle" not in out, out)


def nginx_before_lighttpd_holds_back(site):
    """With X-Accel-Buffering ignored; and as nginx answers in its own name, it is named."""
    more = "proxy_ignore_headers X-Accel-Buffering;"
    with behind(site, NGINX, NGINX_PROXY.replace("MORE", more)) as port:
        code, out = ask(port)
        check(code == 1 and "is held back" in out and "proxy_buffering off;" in out, out)
        check("note: nginx/" in out and "sluice is mounted under lighttpd" in out, out)


def nginx_before_nginx_is_found(site):
    """It is like the one behind it, but the connection is another one."""
    with behind(site, NGINX, NGINX_PROXY.replace("MORE", "proxy_http_version 1.1; proxy_set_header Host $http_host;"), "nginx") as port:
        code, out = ask(port)
        check(code == 0 and "note: a proxy that does not name itself is on the way" in out, out)


def apache_before_lighttpd_is_found(site):
    """It leaves lighttpd's name in the answer; what it adds to the request tells."""
    with behind(site, ["apache2", "-DFOREGROUND", "-f"], APACHE_PROXY) as port:
        code, out = ask(port)
        check(code == 0 and "note: Apache is on the way (X-Forwarded-Server of the request)" in out, out)


def caddy_before_lighttpd_unpacks_and_passes_at_once(site):
    with behind(site, ["caddy", "run", "--adapter", "caddyfile", "--config"], CADDY_PROXY) as port:
        code, out = ask(port)
        check(code == 0 and "note: Caddy is on the way (Server: Caddy)" in out and "PROBLEM" not in out, out)
        check("note: something on the way unpacks a stream to a client without gzip, which sluice sent compressed" in out, out)


def a_proxy_that_compresses_by_itself_is_no_problem_when_it_passes_at_once(site):
    """sluice is not told that the client takes gzip; nginx flushes what it compresses."""
    more = "proxy_set_header Accept-Encoding ''; gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_http_version 1.0;"
    with behind(site, NGINX, NGINX_PROXY.replace("MORE", more)) as port:
        code, out = ask(port)
        check(code == 0 and "PROBLEM" not in out, out)
        check("note: something on the way compresses a stream (gzip), which sluice sent uncompressed" in out, out)


def compression_of_the_web_server_leaves_real_streams_alone(site):
    """nginx with gzip on and Apache with mod_deflate: what sluice has compressed they pass on."""
    require("nginx", "apache2")
    code, out = under(site, mount("nginx"), lambda conf: "gzip on; gzip_types text/event-stream; gzip_proxied any;\n" + conf)
    check(code == 0 and "PROBLEM" not in out, out)
    code, out = under(site, mount("Apache mod_proxy_fcgi"), lambda conf: broken(conf, ("SetEnv no-gzip 1", "")))
    check(code == 0 and "PROBLEM" not in out, out)


def haproxy_as_debian_runs_it(site):
    """As a user of its own in a directory that it cannot leave, with a socket of sluice's in there."""
    m = mount("HAProxy")
    require(m.program)
    if os.getuid():
        return
    site.write_config(SOURCE)
    text = open(site.path("sluice.yaml")).read().replace("listen: unix:DIR/fcgi.sock".replace("DIR", site.dir),
                                                         "listen: [unix:DIR/fcgi.sock, unix:DIR/chroot/sluice.sock]".replace("DIR", site.dir))
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text)
    os.makedirs(site.path("chroot"))
    m.prepare(site)
    site.start()
    m.change = lambda conf: ("global\n  user haproxy\n  group haproxy\n  chroot DIR/chroot\n" +
                             broken(conf, ("unix@/run/sluice/fcgi.sock", "unix@/sluice.sock")))
    m.start(site)
    try:
        code, out = doctor(site)
        check(code == 0 and "sluice is mounted under HAProxy" in out, out)
    finally:
        m.stop()
        m.change = None


def haproxy_with_few_http2_streams(site):
    """Over TLS, with all of the doctor's ways to look; it is named with its own directive."""
    m, port = mount("HAProxy"), free_port()
    require(m.program, "openssl")
    subprocess.check_call(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                           "-subj", "/CN=localhost", "-keyout", site.path("key.pem"), "-out", site.path("cert.pem")],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(site.path("both.pem"), "w") as f:
        f.write(open(site.path("cert.pem")).read() + open(site.path("key.pem")).read())
    site.write_config(SOURCE)
    m.prepare(site)
    site.start()
    for few in (True, False):
        m.change = lambda conf: (("global\n  tune.h2.max-concurrent-streams 5\n" if few else "") +
                                 broken(conf, ("bind :80", "bind :80\n  bind 127.0.0.1:%d ssl crt DIR/both.pem alpn h2,http/1.1" % port)))
        m.start(site)
        try:
            code, out = doctor(site, "--insecure", url="https://localhost:%d/logs/" % port)
            says = "only 5 start" in out and "tune.h2.max-concurrent-streams 100" in out if few else "20 streams at once" in out
            check(code == few and says and "frame by frame" in out, out)
        finally:
            m.stop()
            m.change = None


def haproxy_says_who_asks(site):
    """With the lines of doc/access.md: a name whose password was looked at, and no other."""
    require("haproxy", "openssl")
    site.write_config(SOURCE, access="", channels="n: {access: [user:alice]}")
    open(site.path("n.log"), "w").close()
    m = with_passwords(mount("HAProxy"), site, {"alice": "secret", "bob": "other"})
    m.prepare(site)
    site.start()
    m.start(site)
    try:
        for user, want in (("alice:secret", 200), ("bob:other", 404), ("alice:wrong", 401), ("", 401)):
            head = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode(), "Remote-User": "alice"} if user else {"Remote-User": "alice"}
            got = site.get("/history?channel=n", head)
            check(got[0] == want, "%s: %r" % (user, got))
    finally:
        m.stop()


class Relay:
    """A proxy that no doctor knows: passes one connection after the other on, changed by `change`."""

    def __init__(self, to, change=None, holds=False):
        self.to, self.change, self.holds = to, change, holds
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", self.to)) as web:
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(65536)
            web.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            held = head = b""
            while data := web.recv(65536):
                if head is not None:
                    head += data
                    if b"\r\n\r\n" not in head:
                        continue
                    data, head = (self.change(head) if self.change else head), None
                held += data
                if not self.holds:
                    client.sendall(held)
                    held = b""
            client.sendall(held)

    def close(self):
        self.listener.close()


def what_the_doctor_does_not_know_is_said(site):
    site.up(SOURCE)
    named = lambda head: head.replace(b"\r\n", b"\r\nVia: 1.1 strange.example (Strange/1.0)\r\n", 1)
    cases = (
        (None, False, ["note: a proxy that does not name itself is on the way"]),
        (None, True, ["note: a proxy that does not name itself is on the way", "look for response buffering",
                      "in a proxy that does not name itself, which the doctor does not know"]),
        (named, False, ["note: 1.1 strange.example (Strange/1.0) is on the way"]),
        (named, True, ["in 1.1 strange.example (Strange/1.0), which the doctor does not know", "look for response buffering"]),
        (lambda head: head.replace(b"\r\n", b"\r\nAge: 3\r\nX-Cache: HIT\r\n", 1), False,
         ["a cache that does not name itself is on the way (X-Cache: HIT)"]),
        (lambda head: head.replace(b"\r\n", b"\r\nCF-RAY: 1\r\n", 1), True, ["Cloudflare is on the way (CF-RAY)", "in Cloudflare:\n  a cache rule"]))
    relays = [Relay(site.port, change, holds) for change, holds, _ in cases]
    with concurrent.futures.ThreadPoolExecutor(len(relays)) as pool:
        answers = list(pool.map(lambda r: ask(r.port), relays))
    for relay, (code, out), (_, holds, words) in zip(relays, answers, cases):
        relay.close()
        check(code == holds and all(w in out for w in words), "%r: %s" % (words, out))


def another_address_is_told(site):
    site.up(SOURCE)
    moved = lambda head: b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://logs.example.org/\x1b[2Jx\r\nContent-Length: 0\r\n\r\n"
    relay = Relay(site.port, moved)
    code, out = ask(relay.port)
    relay.close()
    check(code == 1 and "answers 301 and redirects to https://logs.example.org/?[2Jx" in out, out)


if __name__ == "__main__":
    run(*[good_with(n) for n in ("HAProxy", "Varnish", "Squid")],
        haproxy_delays_each_event, haproxy_before_lighttpd_delays_each_event, haproxy_before_lighttpd_passes_at_once,
        behind_haproxy_lighttpd_holds_back, varnish_unpacks_for_clients_without_gzip, nginx_before_lighttpd_holds_back,
        nginx_before_nginx_is_found, apache_before_lighttpd_is_found,
        caddy_before_lighttpd_unpacks_and_passes_at_once, a_proxy_that_compresses_by_itself_is_no_problem_when_it_passes_at_once,
        compression_of_the_web_server_leaves_real_streams_alone, haproxy_says_who_asks,
        haproxy_with_few_http2_streams, haproxy_as_debian_runs_it,
        what_the_doctor_does_not_know_is_said, another_address_is_told)
