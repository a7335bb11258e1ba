#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A mount takes its prefix and nothing else; a password covers exactly that."""
from fastcgi import ask
from mounts import *

SOURCE = "lines: {type: file, channel: lines, include: [DIR/lines.log]}"

# What is sluice's under every web server.
OURS = ("/logs", "/logs/", "/logs/channels", "/logs/?channel=lines", "/logs/health/live", "/logs/nothing")
# What looks like it, and is the site's own, or nothing.
SITES = ("/logs-archive/page.html", "/logsx/channels", "/logs.html", "/LOGS/channels", "/logs-archive/channels")
ALIKE = ("/logsx", "/logs-archive/", "/logs-archive", "/LOGS", "/Logs/channels", "/logs.", "/logs./channels", "/logs~/channels",
         "/logs;x", "/logs;x/channels", "/logs;/../logsx/channels", "/logs%20/channels", "/logs%3b/channels", "/logs%3Fx/channels",
         "/logs%5cchannels", "/logs%00/channels", "/logs%252fchannels", "/logs%c0%afchannels", "/logs/../logsx/channels",
         "/logs/..%2flogsx/channels", "/logs%2f..%2flogsx/channels", "/logs/%2e%2e/logsx/channels", "/logs%2F..", "/logs/..",
         "/x/logs/channels", "/x/logs/", "/logs-archive/../logs.html", "/logs/../logs-archive/channels", "/logs*/channels", "/log/channels")
# What some web servers take for the same, and others do not.
SAME = ("//logs/", "//logs/channels", "/logs//channels", "/logs/./channels", "/logsx/../logs/channels", "/logs-archive/../logs/channels",
        "/%6cogs/channels", "/logs%2fchannels", "/logs%2Fchannels", "/logs/;x", "/logs/x/../channels", "/logs/%63hannels")


def begin(site, m):
    open(site.path("lines.log"), "w").close()
    os.chmod(site.path("lines.log"), 0o644)
    site.write_config(SOURCE, "lines: {heartbeat: 300ms}", hub="linger: 1s")
    for path in SITES:
        os.makedirs(os.path.dirname(site.path("www" + path)), exist_ok=True)
        with open(site.path("www" + path), "w") as f:
            f.write("the site's own")
    m.prepare(site)
    if not m.spawns:
        site.start()


def extra(m):
    if m.program == "haproxy":
        return ("\nbackend site\n  http-request return status 200 content-type text/plain string \"the site's own\" if { path %s }\n"
                "  http-request return status 404\n" % " ".join(SITES))
    return "root * DIR/www\nfile_server\n" if m.program == "caddy" else ""


def answer(site, path):
    """(status, header, body) of exactly this path, sent as it stands."""
    s = socket.create_connection(("127.0.0.1", site.port), 20 * PATIENCE)
    s.sendall(("GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" % path).encode())
    data = b""
    while more := s.recv(65536):
        data += more
    s.close()
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1").lower(), body


def is_ours(got):
    return "x-content-type-options: nosniff" in got[1]


def site_is_served(site, m):
    for path in SITES:
        got = answer(site, path)
        check(got[0] == 200 and got[2] == b"the site's own", "%s: %s is not the site's: %r" % (m, path, got))


def asks(site, m):
    """What is answered by sluice; nothing that only looks like it may be."""
    site_is_served(site, m)
    for path in OURS:
        got = answer(site, path)
        check(got[0] == (404 if path == "/logs/nothing" else 301 if path == "/logs" else 200), "%s: %s: %r" % (m, path, got))
        check(is_ours(got) or got[0] == 301, "%s: %s is not sluice's: %r" % (m, path, got))
    got = answer(site, "/logs?a=b&c=%20")
    check(got[0] == 301 and "location: /logs/?a=b&c=%20\r\n" in got[1].replace("http://localhost:%d" % site.port, "") + "\r\n",
          "%s: where it goes: %r" % (m, got))
    for path in ALIKE:
        got = answer(site, path)
        check(not is_ours(got) or got[0] == 404, "%s: %s is answered by sluice: %r" % (m, path, got))
        check(b'"channels"' not in got[2] and b"<title>sluice" not in got[2], "%s: %s: %r" % (m, path, got))
    return {path for path in ALIKE + SAME + OURS if is_ours(answer(site, path))}


def covers(site, m, ours):
    """With passwords: all that sluice answers wants one, and nothing else does."""
    site_is_served(site, m)
    for path in OURS[1:]:
        check(answer(site, path)[0] == 401, "%s: %s without a password: %r" % (m, path, answer(site, path)))
    for path in ALIKE + SAME + OURS:
        got = answer(site, path)
        check(not is_ours(got), "%s: %s is answered without a password: %r" % (m, path, got))
        check(got[0] != 401 or path in ours, "%s: %s is the site's, and wants a password" % (m, path))


def scenario(m):
    def fn(site):
        require(m.program, "openssl")
        begin(site, m)
        m.start(site, extra(m))
        guarded = None
        try:
            ours = asks(site, m)
            m.stop()
            guarded = with_passwords(m, site, {"alice": "secret"})
            guarded.start(site, extra(m))
            covers(site, m, ours)
            log = guarded.log(site)
            check("should be listed" not in log and "must be loaded" not in log, log)
        finally:
            for x in (m, guarded):
                if x and x.server:
                    x.stop()
            end_spawned(site, m)
    fn.__name__ = m.name.replace(" ", "_").replace("-", "_").lower() + "_takes_its_prefix_alone"
    return fn


def whatever_a_web_server_says(site):
    """Each form in which a prefix that was cut too short, or in the wrong place, arrives."""
    site.write_config(SOURCE)
    open(site.path("lines.log"), "w").close()
    site.start()

    def at(script, info, prefix=None):
        env = {"SCRIPT_NAME": script, "PATH_INFO": info}
        if prefix is not None:
            env["SLUICE_PREFIX"] = prefix
        return ask(site, "", env=env)[0]
    # Nobody has said where it is mounted: what is cut in the middle of a name is not ours.
    for script, info in (("/logs", "x/channels"), ("/logs", "-archive/"), ("/logs", "channels"), ("", "logs/channels"), ("/logs", ";x/channels")):
        check(at(script, info) == 404, "%s + %s" % (script, info))
    for script, info in (("/logs", "/channels"), ("", "/channels"), ("/a/b", "/channels"), ("/logs/channels", "")):
        check(at(script, info) == 200, "%s + %s" % (script, info))
    # The web server has.
    for script, info, prefix, want in (
            ("/logs", "/channels", "/logs", 200), ("/logs/channels", "", "/logs", 200), ("", "/logs/channels", "/logs", 200),
            ("/logs", "", "/logs", 301), ("", "/channels", "/", 200), ("/channels", "", "/", 200), ("/", "channels", "/", 200),
            ("/logsx", "/channels", "/logs", 404), ("/logs", "x/channels", "/logs", 404), ("/LOGS", "/channels", "/logs", 404),
            ("/x/logs", "/channels", "/logs", 404), ("//logs", "/channels", "/logs", 404), ("", "/channels", "/logs", 404),
            ("/logs/..", "/channels", "/logs", 404), ("/logsx", "", "/logs", 404), ("/x", "/channels", "/", 404)):
        check(at(script, info, prefix) == want, "%s + %s under %s: %d" % (script, info, prefix, at(script, info, prefix)))
    # The configuration has: hub.prefix, also of several mounts.
    site.write_config(SOURCE, hub="prefix: [/logs, /private/]")
    check(site.sluice_command("reload")[0] == 0, "reload")
    wait_for(lambda: at("/logsx", "/channels") == 404, "other responders")
    for script, info, want in (("/logs", "/channels", 200), ("/private", "/channels", 200), ("/private", "", 301), ("/privatex", "/channels", 404),
                               ("/logs", "x/channels", 404), ("", "/channels", 404), ("/other", "/channels", 404)):
        check(at(script, info) == want, "%s + %s by hub.prefix" % (script, info))
    site.write_config(SOURCE, hub="prefix: logs")
    code, out = site.sluice_command("check")
    check(code == 2 and "does not begin with a slash" in out, out)


WAYS = {"lighttpd": ["lighttpd"], "lighttpd bin-path": ["lighttpd", "spawned"], "lighttpd CGI": ["lighttpd", "cgi"],
        "Apache mod_proxy_fcgi": ["apache"], "Apache mod_fcgid": ["apache", "fcgid"], "Apache mod_cgid": ["apache", "cgi"],
        "Apache mod_cgi": ["apache", "cgi"], "nginx": ["nginx"], "Caddy": ["caddy"], "HAProxy": ["haproxy"]}


def printed(site, *args):
    """What sluice mount prints, with sluice.fcgi in this site's directory."""
    code, out = site.sluice_command("mount", *args)
    check(code == 0, out)
    fcgi = re.search(r'"([^"]*)/sluice\.fcgi', out)
    return out.replace(fcgi.group(1), site.dir) if fcgi else out


def at_the_root(m):
    """The lines for another prefix and another configuration, as they are printed."""
    def fn(site):
        require(m.program)
        begin(site, m)
        os.makedirs(site.path("www/schema"))
        # The installed one would be another.
        os.rename(site.path("sluice.yaml"), site.path("other file.yaml"))
        site.sluice_command = lambda *args: (lambda p: (p.returncode, p.stdout))(subprocess.run(
            [SLUICE, *args, "-c", "other file.yaml"], cwd=site.dir, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        for prefix in ("/", "/a/b-c"):
            mounted = copy.copy(m)
            mounted.change = lambda conf: printed(site, *WAYS[m.name], "--prefix", prefix)
            mounted.start(site)
            site.prefix = prefix.rstrip("/")
            try:
                check(b"<title>sluice" in site.get("/")[2], "%s at %s: the console: %r %s" % (m, prefix, site.get("/"), m.log(site)))
                for path in ("/sluice-client.js", "/health/live", "/channels", "/schema/lines"):
                    got = site.get(path)
                    check(got[0] == 200, "%s: %s at %s: %r" % (m, path, prefix, got))
                for path in ("/x/channels", "/nothing", "/channels/"):
                    check(site.get(path)[0] == 404, "%s: %s at %s: %r" % (m, path, prefix, site.get(path)))
                site.stream("channel=lines").until_type("hello")
                if prefix != "/":
                    check(site.get("")[0] == 301, "without its slash")
            finally:
                for s in site.streams:
                    s.close()
                mounted.stop()
                end_spawned(site, m)
    fn.__name__ = m.name.replace(" ", "_").replace("-", "_").lower() + "_as_printed_for_the_root"
    return fn


run(*map(scenario, MOUNTS), *[at_the_root(m) for m in MOUNTS if m.name in WAYS], whatever_a_web_server_says)
