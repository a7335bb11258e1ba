#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sluice doctor finds nothing wrong with what sluice mount prints, and names the line that is missing."""
from mounts import *

SOURCE = "n: {type: file, channel: n, include: [DIR/n.log]}"


def doctor(site, *args, url=None):
    p = subprocess.run([SLUICE, "doctor", *args, url or "http://127.0.0.1:%d/logs/" % site.port],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    return p.returncode, p.stdout


def broken(conf, *changes):
    for old, new in changes:
        check(old in conf, "%r is not in %s" % (old, conf))
        conf = conf.replace(old, new)
    return conf


def under(site, m, change=None, args=()):
    """What it says under this web server, with its configuration changed."""
    site.write_config(SOURCE, hub="linger: 1s")
    m.prepare(site)
    if not m.spawns:
        site.start()
    m.change = change
    m.start(site)
    try:
        return doctor(site, *args)
    finally:
        m.stop()
        m.change = None
        if m.spawns:
            with contextlib.suppress(OSError, ValueError):
                pid = int(open(site.path("state/lock")).read())
                wait_for(lambda: not alive(pid), "the hub to end", 30)
        else:
            site.stop()


def good(name):
    def fn(site):
        m = mount(name)
        require(m.program)
        code, out = under(site, m)
        check(code == 0 and "frame by frame" in out and "PROBLEM" not in out, out)
        way = ("as CGI" if name.endswith(("CGI", "mod_cgid", "mod_cgi")) else
               "started by it" if m.spawns else "over its socket")
        check("sluice is mounted under " in out and way in out, "%s: %s" % (way, out))
    fn.__name__ = "good_under_" + re.sub(r"\W", "_", name.lower())
    return fn


def says(name, what, directive, *changes, args=()):
    def fn(site):
        m = mount(name)
        require(m.program)
        code, out = under(site, m, lambda conf: broken(conf, *changes), args)
        check(code == 1 and what in out and directive in out, out)
    fn.__name__ = "%s_%s" % (re.sub(r"\W", "_", name.lower()), what.split()[-1])
    return fn


def few_http2_streams(site):
    require("nginx", "openssl")
    subprocess.check_call(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                           "-subj", "/CN=localhost", "-keyout", site.path("key.pem"), "-out", site.path("cert.pem")],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    m, port = mount("nginx"), free_port()
    site.write_config(SOURCE)
    m.prepare(site)
    site.start()
    url = "https://127.0.0.1:%d/logs/" % port
    for limit, want in ((5, 1), (128, 0)):
        m.start(site, "listen 127.0.0.1:%d ssl http2; ssl_certificate DIR/cert.pem; ssl_certificate_key DIR/key.pem;"
                      "http2_max_concurrent_streams %d;" % (port, limit))
        try:
            code, out = doctor(site, "--insecure", url=url)
            says = "only 5 start" in out and "http2_max_concurrent_streams 128;" in out if want else "20 streams at once" in out
            check(code == want and says, out)
        finally:
            m.stop()


def where_there_is_nothing(site):
    site.up(SOURCE)
    for url, text in (("http://127.0.0.1:%d/other/" % site.port, "sluice is not mounted here"),
                      ("http://127.0.0.1:%d/logs/" % free_port(), "does not answer")):
        code, out = doctor(site, url=url)
        check(code == 1 and text in out, out)
    site.stop()
    code, out = doctor(site)
    check(code == 1 and "does not reach sluice" in out, out)
    for args, text in (([], "which URL"), (["nowhere"], "which URL"), (["--hold", "3", "http://a"], "--hold 3: not a duration from 15s")):
        p = subprocess.run([SLUICE, "doctor", *args], capture_output=True, text=True)
        check(p.returncode == 2 and text in p.stderr, "%r" % p)


def mounted_by_tcp(site):
    """What sluice mount prints where hub.listen is a port."""
    site.write_config(SOURCE, hub="listen: tcp:127.0.0.1:%d" % free_port())
    text = open(site.path("sluice.yaml")).read().replace("  listen: unix:%s/fcgi.sock\n" % site.dir, "")
    with open(site.path("sluice.yaml"), "w") as f:
        f.write(text)
    site.start(wait=False)
    site.told("listening on tcp:")
    for name, server in (("lighttpd", "lighttpd"), ("Apache mod_proxy_fcgi", "apache"), ("nginx", "nginx"), ("Caddy", "caddy"),
                         ("HAProxy", "haproxy")):
        code, out = site.sluice_command("mount", server)
        check(code == 0 and "fcgi.sock" not in out, out)
        m = mount(name)
        m.change = lambda conf: out
        m.prepare(site)
        m.start(site)
        try:
            got = site.get("/health/live")
            check(got[0] == 200, "%s: %r %s" % (name, got, m.log(site)))
        finally:
            m.stop()


def what_mount_prints(site):
    site.write_config(SOURCE)
    for args in (["lighttpd"], ["lighttpd", "spawned"], ["lighttpd", "cgi"], ["apache"], ["apache", "fcgid"],
                 ["apache", "cgi"], ["nginx"], ["caddy"], ["haproxy"], ["varnish"], ["squid"]):
        code, out = site.sluice_command("mount", *args, "--prefix", "/a/b")
        check(code == 0 and "/a/b" in out and "/logs" not in out, "%r: %s" % (args, out))
        if args[0] in ("varnish", "squid"):
            continue
        check((site.path("fcgi.sock") in out) == (len(args) == 1), "%r: its socket: %s" % (args, out))
        check(len(args) == 1 or "/sluice.fcgi" in out, out)
        check((site.path("sluice.yaml") in out) == (len(args) > 1), "%r: its configuration: %s" % (args, out))
        code, out = site.sluice_command("mount", *args, "--prefix", "/")
        check(code == 0 and "logs" not in out.replace("auth_basic \"logs\"", ""), "%r: %s" % (args, out))
        # No lines for a configuration that is not there.
        p = subprocess.run([SLUICE, "mount", *args, "-c", site.path("none.yaml")], capture_output=True, text=True)
        check(p.returncode == 2 and not p.stdout and "none.yaml: No such file" in p.stderr, "%r" % p)
        p = subprocess.run([SLUICE, "mount", *args], capture_output=True, text=True, env={**os.environ, "SLUICE_CONFIG": "none.yaml"})
        check(p.returncode == 2 and not p.stdout, "%r" % p)
    for args, text in ((["iis"], "\"iis\""), ([], "usage"), (["nginx", "--prefix", "logs"], "write it as /logs"),
                       (["nginx", "--prefix", "/x/"], "write it as /logs"), (["nginx", "--wrong"], "unknown option")):
        code, out = site.sluice_command("mount", *args)
        check(code == 2 and text in out, "%r: %s" % (args, out))


if __name__ == "__main__":
    run(*[good(n) for n in ("lighttpd", "lighttpd bin-path", "Apache mod_proxy_fcgi", "Apache mod_cgid", "nginx", "Caddy")],
        says("lighttpd", "is held back", "server.stream-response-body = 2", ("server.stream-response-body = 2", "server.stream-response-body = 0")),
        says("lighttpd CGI", "is held back", "server.stream-response-body = 2", ("server.stream-response-body = 2", "server.stream-response-body = 0")),
        says("Apache mod_proxy_fcgi", "is held back", "ProxySet flushpackets=on", ("ProxySet flushpackets=on", "")),
        says("Apache mod_fcgid", "is held back", "FcgidOutputBufferSize 0", ("FcgidOutputBufferSize 0", "")),
        says("nginx", "is held back", "fastcgi_buffering off;",
             ("fastcgi_buffering off;", "fastcgi_buffering on; fastcgi_ignore_headers X-Accel-Buffering;")),
        says("nginx", "is cut off", "fastcgi_read_timeout 60s;",
             ("fastcgi_buffering off;", "fastcgi_buffering off; fastcgi_read_timeout 100ms;")),
        few_http2_streams,
        where_there_is_nothing, mounted_by_tcp, what_mount_prints)
