# SPDX-License-Identifier: MIT
"""The web servers that sluice is mounted under, each with its file of contrib/mount, of
which only paths and ports are replaced."""
import copy
import glob
import pwd

from harness import *

APACHE = """
ServerRoot "DIR"
ServerName localhost
PidFile "DIR/apache.pid"
DefaultRuntimeDir "DIR"
Mutex file:DIR default
Listen 127.0.0.1:PORT
User www-data
Group www-data
ErrorLog "DIR/apache.log"
DocumentRoot "DIR/www"
LoadModule mpm_MPM_module /usr/lib/apache2/modules/mod_mpm_MPM.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
TypesConfig /etc/mime.types
AddOutputFilterByType DEFLATE text/html text/plain text/event-stream application/javascript
LOAD
"""
NGINX = """
USER
worker_processes 1; daemon off; pid DIR/nginx.pid; error_log DIR/nginx.log; worker_rlimit_nofile 40000;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  server { listen 127.0.0.1:PORT backlog=4096LISTEN; root DIR/www; CONF }
}
"""
# "site" is what else the server has: nothing, unless a test says what.
HAPROXY = """
global
  maxconn 6000
defaults
  mode http
  default_backend site
"""
HAPROXY_SITE = """
backend site
  http-request return status 404
"""
VARNISH = """
vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "INNER"; }
"""
SQUID = """
http_port 127.0.0.1:PORT accel no-vhost defaultsite=localhost
cache_peer 127.0.0.1 parent INNER 0 no-query originserver
http_access allow all
cache_mem 8 MB
access_log none
cache_log DIR/squid.log
pid_filename DIR/squid.pid
coredump_dir DIR
netdb_filename none
pinger_enable off
visible_hostname localhost
"""


def apache_modules(*names):
    return "\n".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so" % (n, n) for n in names)


class Mount:
    """One way of mounting.  A spawned one needs no `sluice run`: the web server starts all."""

    def __init__(self, name, file, program, spawns=False, load=(), mpm="event"):
        self.name, self.file, self.program, self.spawns, self.load, self.mpm = name, file, program, spawns, load, mpm
        self.server = None
        self.inner_port = 0
        self.speaks_proxy = False  # what connects to it begins with a line of the PROXY protocol
        self.change = None  # a function that makes a mistake in its configuration

    def __repr__(self):
        return self.name

    def prepare(self, site):
        """Directories and copies that the web server's own user can use."""
        os.chmod(site.dir, 0o755)
        os.makedirs(site.path("www"), exist_ok=True)
        os.makedirs(site.path("state"), exist_ok=True)
        if not self.spawns or os.path.exists(site.path("bin")):
            return
        if self.program == "apache2" and not os.getuid():
            shutil.chown(site.path("state"), "www-data")
        site.own_plugins()
        os.makedirs(site.path("bin"))
        shutil.copy(os.path.join(BUILD, "src/sluice"), site.path("bin/sluice"))
        shutil.copytree(os.path.join(SRC, "src/console/built"), site.path("console"))
        script = open(os.path.join(SRC, "contrib/sluice.fcgi.in")).read()
        script = script.replace("@sysconfdir@/sluice", site.dir).replace("@bindir@", site.path("bin"))
        script = script.replace("exec", "export SLUICE_PLUGIN_DIR=%s SLUICE_CONSOLE_DIR=%s\nexec" % (
            site.path("plugins"), site.path("console")))
        with open(site.path("sluice.fcgi"), "w") as f:
            f.write(script)
        os.chmod(site.path("sluice.fcgi"), 0o755)
        for folder, _, names in os.walk(site.dir):
            if folder != site.path("state"):
                os.chmod(folder, 0o755)
                for n in names:
                    path = os.path.join(folder, n)
                    os.chmod(path, os.stat(path).st_mode | (0o555 if "bin" in path or n == "sluice.fcgi" else 0o444))

    def command(self, site, extra=""):
        conf = open(os.path.join(SRC, "contrib/mount", self.file)).read()
        if self.change:
            conf = self.change(conf)
        for installed, here in (("/run/sluice/fcgi.sock", "fcgi.sock"), ("/run/lighttpd/sluice.sock", "spawned.sock"),
                                ("/usr/lib/sluice/sluice.fcgi", "sluice.fcgi"), ('/usr/lib/sluice"', '"'),
                                ("/etc/sluice/sluice.yaml", "sluice.yaml")):
            conf = conf.replace(installed, site.path(here))
        conf += extra
        if self.program == "lighttpd":
            text = ('server.document-root = "DIR/www"\nserver.bind = "127.0.0.1"\nserver.port = PORT\n'
                    'server.upload-dirs = ( "DIR" )\nserver.errorlog = "DIR/lighttpd.err"\n' + conf)
            run = ["lighttpd", "-D", "-f"]
        elif self.program == "apache2":
            text = APACHE.replace("MPM", self.mpm).replace("LOAD", apache_modules(*self.load)) + conf
            run = ["apache2", "-DFOREGROUND", "-f"]
        elif self.program == "nginx":
            text = NGINX.replace("USER", "" if os.getuid() else "user www-data;").replace("CONF", conf).replace(
                "LISTEN", " proxy_protocol" if self.speaks_proxy else "")
            run = ["nginx", "-p", site.dir, "-c"]
        elif self.program == "haproxy":
            text = HAPROXY + conf.replace("bind :80", "bind 127.0.0.1:PORT") + ("" if "backend site" in conf else HAPROXY_SITE)
            run = ["haproxy", "-db", "-f"]
        elif self.program == "varnishd":
            text = VARNISH + conf
            run = ["varnishd", "-F", "-j", "none", "-n", site.path("varnish"), "-a", "127.0.0.1:%d" % site.port,
                   "-s", "malloc,16m", "-f"]
        elif self.program == "squid":
            text = SQUID + conf.replace("shutdown_lifetime 5", "shutdown_lifetime 0")
            run = ["squid", "-N", "-f"]
        else:
            text = "{\n\tgrace_period 1s\n\tadmin off\n\tauto_https off\n}\nhttp://:PORT {\nbind 127.0.0.1\n%s}\n" % conf
            run = ["caddy", "run", "--adapter", "caddyfile", "--config"]
        path = site.path(self.program + ".conf")
        with open(path, "w") as f:
            text = re.sub(r"\bPORT\b", str(site.port), text.replace("DIR", site.dir))
            f.write(text.replace("INNER", str(self.inner_port)))
        os.chmod(path, 0o644)
        return run + [path]

    def start(self, site, extra=""):
        # One that has just ended holds its port until the last of its threads is gone.
        wait_for(lambda: is_free(site.port), "port %d to be given back" % site.port)
        log = open(site.path(self.program + ".out"), "ab")
        # In a session of its own: Apache ends its whole process group.
        self.server = subprocess.Popen(self.command(site, extra), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                       env={**os.environ, "HOME": site.dir, "XDG_DATA_HOME": site.dir,
                                            "XDG_CONFIG_HOME": site.dir})
        log.close()

        def answers():
            # More than a connection: Apache opens its port, closes it, and opens it again.
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", site.port), 1) as s:
                if self.speaks_proxy:
                    s.sendall(b"PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\n")
                s.sendall(b"GET /is-it-there HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return s.recv(1) and ("cgid" not in self.load or self.has_its_daemon(site))
            check(self.server.poll() is None, self.log(site))
            return False
        wait_for(answers, "%s to answer" % self.program)

    def has_its_daemon(self, site):
        """mod_cgid answers 503 until its daemon has given the workers their socket."""
        owner = pwd.getpwnam("www-data").pw_uid if os.getuid() == 0 else os.getuid()
        return any(os.stat(path).st_uid == owner for path in glob.glob(site.path("cgisock.*")))

    def log(self, site):
        text = ""
        for name in (self.program + ".out", "apache.log", "lighttpd.err", "nginx.log", "squid.log"):
            with contextlib.suppress(OSError):
                text += open(site.path(name), errors="replace").read()
        return text[-4000:]

    def stop(self, signo=signal.SIGTERM):
        """Also what a web server that is killed leaves behind."""
        if not self.server:
            return
        family = children(self.server.pid)
        self.server.send_signal(signo)
        self.server.wait()
        # Also a child that it was just starting: as long as one lives, it holds the port.
        family += [p for p in session(self.server.pid) if p not in family]
        own = [p for p in family if program_of(p) == self.program or (signo == signal.SIGKILL and program_of(p) != "sluice")]
        self.server = None
        for p in filter(alive, own):
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, signal.SIGKILL)
        wait_for(lambda: not any(alive(p) for p in own), "what it has left behind to end")
        # Responders that it has started, too; the hub lingers.
        def left():
            return [p for p in family if alive(p) and role_of(p) is None]
        with contextlib.suppress(Failed):
            wait_for(lambda: not left(), "the web server's children to end")
        check(not left(), "the web server's children do not end: %s" % [
            (int(p), open("/proc/%d/cmdline" % p).read(), open("/proc/%d/status" % p).read(), open("/proc/%d/syscall" % p).read()) for p in left()])


def with_passwords(m, site, users):
    """That mount with the lines of doc/access.md, word for word; `users` have these passwords."""
    kind = {"apache2": "apache", "varnishd": "lighttpd", "squid": "lighttpd"}.get(m.program, m.program)
    page = open(os.path.join(SRC, "doc/access.md")).read()
    lines = page.split("```%s\n" % kind)[1].split("```")[0].replace("/etc/sluice/users", site.path("users"))
    with open(site.path("users"), "w") as f:
        for name, password in users.items():
            f.write("%s:%s\n" % (name, subprocess.check_output(["openssl", "passwd", "-apr1", password], text=True).strip()))
    os.chmod(site.path("users"), 0o644)
    if kind == "caddy":
        hashes = ["%s %s" % (name, subprocess.check_output(["caddy", "hash-password", "--plaintext", password], text=True).strip())
                  for name, password in users.items()]
        lines = lines.replace("alice HASH", "\n\t".join(hashes))
    ours = copy.copy(m)
    change = m.change or (lambda conf: conf)
    if kind == "apache":
        ours.load = (*m.load, "auth_basic", "authn_core", "authn_file", "authz_user")
    if kind == "haproxy":
        hashes = "\n".join("  user %s password %s" % (name, subprocess.check_output(["openssl", "passwd", "-5", password], text=True).strip())
                           for name, password in users.items())
        lines = lines.replace("  user alice password HASH", hashes)
        users_list, rules = lines.split("\n\n")
        ours.change = lambda conf: users_list + "\n" + change(conf).replace("  use-fcgi-app", rules + "  use-fcgi-app", 1).replace(
            "#set-param REMOTE_USER", "set-param REMOTE_USER")
    elif kind == "nginx":
        ours.change = lambda conf: change(conf).replace("fastcgi_pass", lines + "fastcgi_pass", 1).replace(
            "#fastcgi_param REMOTE_USER", "fastcgi_param REMOTE_USER")
    elif isinstance(m, Proxy):
        ours.inner_change = lambda conf: lines + conf
    else:
        ours.change = lambda conf: lines + change(conf)
    return ours


class Proxy(Mount):
    """Something in front of a lighttpd that sluice is mounted under; `inner_change` is for the latter."""

    def __init__(self, name, file, program):
        super().__init__(name, file, program)
        self.inner = self.inner_change = None

    def prepare(self, site):
        super().prepare(site)
        if self.program == "squid" and not os.getuid():
            os.chmod(site.dir, 0o777)  # it writes its files as a user of its own

    def start(self, site, extra=""):
        inner_site = copy.copy(site)
        self.inner_port = inner_site.port = free_port()
        self.inner = Mount("lighttpd", "lighttpd.conf", "lighttpd")
        self.inner.change = self.inner_change
        self.inner.start(inner_site)
        super().start(site, extra)

    def stop(self, signo=signal.SIGTERM):
        super().stop(signo)
        if self.inner:
            self.inner.stop(signo)
        self.inner = None


def is_free(port):
    """Whether a server can listen there."""
    with contextlib.suppress(OSError), socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen()
        return True
    return False


def session(leader):
    """The processes of a session, which can have lost their parents."""
    found = []
    for p in os.listdir("/proc"):
        if p.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(p)) == leader:
                    found.append(Process(p, open("/proc/%s/stat" % p).read()))
    return found


def program_of(pid):
    with contextlib.suppress(OSError):
        return open("/proc/%d/comm" % pid).read().strip()
    return None


MOUNTS = [
    Mount("lighttpd", "lighttpd.conf", "lighttpd"),
    Mount("lighttpd bin-path", "lighttpd-spawned.conf", "lighttpd", spawns=True),
    Mount("lighttpd CGI", "lighttpd-cgi.conf", "lighttpd", spawns=True),
    Mount("Apache mod_proxy_fcgi", "apache-proxy.conf", "apache2", load=("proxy", "proxy_fcgi")),
    Mount("Apache mod_fcgid", "apache-fcgid.conf", "apache2", spawns=True, load=("fcgid",)),
    Mount("Apache mod_cgid", "apache-cgi.conf", "apache2", spawns=True, load=("cgid",)),
    Mount("Apache mod_cgi", "apache-cgi.conf", "apache2", spawns=True, load=("cgi",), mpm="prefork"),
    Mount("nginx", "nginx.conf", "nginx"),
    Mount("Caddy", "Caddyfile", "caddy"),
    Mount("HAProxy", "haproxy.cfg", "haproxy"),
    Proxy("Varnish", "varnish.vcl", "varnishd"),
    Proxy("Squid", "squid.conf", "squid"),
]


def belongs(site, pid):
    """Whether it is a sluice that works on this site."""
    with contextlib.suppress(OSError):
        return program_of(int(pid)) == "sluice" and site.dir.encode() in open("/proc/%s/cmdline" % pid, "rb").read()
    return False


def end_spawned(site, m):
    if not m.spawns:
        return
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(open(site.path("state/lock")).read()), signal.SIGTERM)
    wait_for(lambda: not [p for p in os.listdir("/proc") if p.isdigit() and belongs(site, p)], "what was started to end", 30)


def mount(name):
    return [m for m in MOUNTS if m.name == name][0]
