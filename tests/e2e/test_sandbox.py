#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A plugin that tries to get out of its process is refused everywhere, also as sluice's own
user; who is started by a source gets into no socket of sluice; ordinary plugins still work."""
import errno
import resource

from fastcgi import *

HUB = "plugin_dir: DIR/plugins\n"
SANITIZED = os.environ.get("TEST_SANITIZED") == "1"
# As root a source gets another user unless it names one.
SAME_USER = ", user: root" if os.geteuid() == 0 else ""


def victims(site):
    """What is there to be reached, and reachable for who is not confined."""
    held = []
    for name, kind in (("stream", socket.SOCK_STREAM), ("dgram", socket.SOCK_DGRAM)):
        s = socket.socket(socket.AF_UNIX, kind)
        s.bind(site.path(name) if name == "dgram" else "\0" + site.path(name))
        held.append(s)
    held[0].listen()
    port = free_port()
    tcp = socket.create_server(("127.0.0.1", port))
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    with open(site.path("file"), "w") as f:
        f.write("untouched")
    return held + [tcp, udp], port


def break_in(site, options="", flags="0"):
    """{way: errno} of a plugin that tries them all."""
    site.own_plugins()
    build_plugin("tests/plugins/burglar.c", site.path("plugins/burglar.so"), "-DFLAGS=" + flags,
                 *(["-DSANITIZED"] if SANITIZED else []))
    held, port = victims(site)
    site.up("b: {type: burglar, channel: b, control: DIR/state/control.sock, gate: DIR/state/hub.sock, "
            "fcgi: DIR/fcgi.sock, dgram: DIR/dgram, abstract: 'DIR/stream', port: %d, file: DIR/file, "
            "listen: 'unix-dgram:DIR/granted'%s}\n" % (port, options), hub=HUB)
    s = site.stream("channel=b&earliest=1")
    got = s.events(lambda e: e.type == "attempt" and e.json()["message"].startswith("own.interfaces"))
    pid = site.source("b")["pid"]
    site.uid = int(next(l for l in open("/proc/%d/status" % pid) if l.startswith("Uid:")).split()[1])
    for h in held:
        h.close()
    return {name: int(error) for name, error in (e.json()["message"].split() for e in got if e.type == "attempt")}


def all_refused(site, got, may=()):
    through = [w for w, e in got.items() if e == 0 and not w.startswith("own.") and w not in may]
    check(not through, "it gets through: %s" % through)
    failing = {w: errno.errorcode.get(e, e) for w, e in got.items() if e and w.startswith("own.")}
    check(not failing, "it cannot do what is its own: %s" % failing)
    hub = site.pids("hub")[0]
    check(resource.prlimit(hub, resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY, "the hub's limits have changed")
    check(os.getpriority(os.PRIO_PROCESS, hub) == 0, "the hub's priority has changed")
    check(len(os.sched_getaffinity(hub)) == os.cpu_count(), "the hub is bound to fewer processors")
    check(open(site.path("file")).read() == "untouched", "the file was written")


def a_plugin_of_sluices_own_user_gets_nowhere(site):
    got = break_in(site, SAME_USER)
    check(site.uid == os.geteuid(), "it runs as another user")
    all_refused(site, got)


def a_plugin_with_a_user_of_its_own_gets_nowhere(site):
    got = break_in(site)
    all_refused(site, got)
    if os.geteuid() == 0:
        check(site.uid >= 60578, "it runs as user %d" % site.uid)


def one_that_declares_the_network_gets_there_and_nowhere_else(site):
    got = break_in(site, flags="SLUICE_NEEDS_NETWORK")
    all_refused(site, got, may=("tcp", "udp", "vsock", "loading.tcp"))
    check(got["tcp"] == 0 and got["udp"] == 0, "it does not get to the network: %r" % got)


def one_that_declares_unix_sockets_gets_to_others_but_not_to_ours(site):
    """It reaches what others listen on; our sockets close on it, as on all that sources have started."""
    got = break_in(site, SAME_USER, "SLUICE_NEEDS_UNIX")
    all_refused(site, got, may=("control", "gate", "fcgi", "upper_half", "datagram_pair", "raw_pair",
                                "loading.socket"))
    site.told("to the hub's socket: its process was started by a source")
    site.told("to the control socket: its process was started by a source")
    site.told("to our FastCGI socket: its process was started by a source")


INTRUDER = """
import os, socket, sys, time
if len(sys.argv) > 1 and os.fork():
    os._exit(0)          # an orphan, with a grandparent of another name
if len(sys.argv) > 1:
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(0.3)
def ask(kind, path, text):
    s = socket.socket(socket.AF_UNIX, kind)
    s.settimeout(10)
    try:
        s.connect(path)
        try:
            s.sendall(text)
        except BrokenPipeError:
            pass
        return s.recv(4096)
    except OSError as e:
        return str(e).encode()
def record(kind, body):
    return bytes([1, kind, 0, 1, 0, len(body), 0, 0]) + body
def params(**kw):
    return b"".join(bytes([len(k), len(v)]) + k.encode() + v.encode() for k, v in kw.items())
fcgi = (record(1, bytes([0, 1, 0, 0, 0, 0, 0, 0])) + record(4, params(REQUEST_METHOD="GET", SCRIPT_NAME="/logs",
        PATH_INFO="/history", QUERY_STRING="channel=secret", REMOTE_USER="alice")) + record(4, b"") + record(5, b""))
print("control", ask(socket.SOCK_STREAM, "DIR/state/control.sock", b"drain 0\\n"))
print("gate", ask(socket.SOCK_SEQPACKET, "DIR/state/hub.sock", b"x"))
for _ in range(100):     # until the secret is there to be read
    said = ask(socket.SOCK_STREAM, "DIR/fcgi.sock", fcgi)
    if b"12345" in said or not said.startswith(b"\\1"):
        break
    time.sleep(0.1)
print("fcgi", said)
sys.stdout.flush()
"""


def intrude(site, *more):
    with open(site.path("intruder.py"), "w") as f:
        f.write(INTRUDER.replace("DIR", site.dir))
    site.up("c: {type: command, channel: c, mode: daemon, emit_exit: never, backoff: 1h..1h, "
            "argv: [%s]}\ns: {type: file, channel: secret, include: [DIR/secret.log], read_from: beginning}\n"
            % ", ".join([sys.executable, site.path("intruder.py"), *more]),
            channels="c: {access: anyone}\nsecret: {access: 'user:alice'}", access="default: deny")
    with open(site.path("secret.log"), "w") as f:
        f.write("the combination is 12345\n")
    s = site.stream("channel=c&earliest=1")
    got = s.events(lambda e: "fcgi" in e.data)
    return "\n".join(e.json()["message"] for e in got if e.type not in ("hello", "gap"))


def gets_in_nowhere(site, said):
    check(b"12345" in ask(site, "/history", "channel=secret", env={"REMOTE_USER": "alice"})[2], "nor does alice")
    check("12345" not in said, "it reads as alice: %s" % said)
    check("may not use the control socket" in said, "the control socket says: %s" % said)
    check("1000 streams" not in said and "being closed" not in said, "it drains: %s" % said)
    check(site.get("/health/ready")[0] == 200, "it has had an effect: %s" % site.log())


def a_program_that_a_source_starts_gets_into_no_socket_of_ours(site):
    gets_in_nowhere(site, intrude(site))


def nor_does_an_orphan_of_one(site):
    gets_in_nowhere(site, intrude(site, "twice"))


def nor_one_of_a_sluice_that_a_web_server_starts(site):
    """There the FastCGI socket is the web server's, and sluice.fcgi has it as descriptor 0."""
    with open(site.path("intruder.py"), "w") as f:
        f.write(INTRUDER.replace("DIR", site.dir))
    site.write_config("c: {type: command, channel: c, mode: daemon, emit_exit: never, backoff: 1h..1h, "
                      "argv: [%s]}\ns: {type: file, channel: secret, include: [DIR/secret.log], "
                      "read_from: beginning}\n" % ", ".join([sys.executable, site.path("intruder.py")]),
                      channels="c: {access: anyone}\nsecret: {access: 'user:alice'}", hub="linger: 1s",
                      access="default: deny")
    with open(site.path("secret.log"), "w") as f:
        f.write("the combination is 12345\n")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(site.path("fcgi.sock"))
    listening.listen()
    front = subprocess.Popen([SLUICE], stdin=listening, stderr=open(site.path("sluice.log"), "ab"),
                             env={**os.environ, "SLUICE_FRONT": "1", "SLUICE_CONFIG": site.path("sluice.yaml")})
    try:
        said = lambda: ask(site, "/history", "channel=c&format=text")[2]
        text = wait_for(lambda: (lambda b: b if b"fcgi b" in b else None)(said()), "the intruder's report").decode()
        check("12345" not in text, "it reads as alice: %s" % text)
        check(b"12345" in ask(site, "/history", "channel=secret", env={"REMOTE_USER": "alice"})[2],
              "alice does not")
    finally:
        front.terminate()
        front.wait()
        listening.close()
        wait_for(lambda: not os.path.exists(site.path("state/control.sock")), "it to end")


def who_is_no_descendant_gets_in(site):
    """An administrator's command, a web server, and a test that speaks FastCGI itself."""
    site.up("s: {type: file, channel: s, include: [DIR/s.log]}\n")
    status, text = site.sluice_command("drain", "--over", "0s")
    check(status == 0, text)
    check(site.get("/health/live")[0] == 200, "the web server is refused")


def a_web_server_in_the_same_container_gets_in(site):
    """There sluice may be process 1, and the parent of a web server that the same script has started."""
    require_root("making namespaces")
    require("unshare")
    site.write_config("s: {type: file, channel: s, include: [DIR/s.log]}\n")
    site.start_lighttpd()
    site.lighttpd.terminate()
    site.lighttpd.wait()
    with open(site.path("sluice.log"), "ab") as log:
        site.sluice = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
             "lighttpd -D -f %s & exec %s run -c %s" % (site.path("lighttpd.conf"), SLUICE, site.path("sluice.yaml"))],
            stdin=subprocess.DEVNULL, stderr=log, stdout=log)

    def ready():
        with contextlib.suppress(OSError):
            return site.get("/health/ready")[0] == 200
    wait_for(ready, "an answer: " + site.log())
    check("is closed" not in site.log(), site.log())
    site.sluice.kill()
    site.sluice.wait()
    wait_for(lambda: not ready(), "all of it to end")


def check_tells_which_sources_stay_root(site):
    site.own_plugins()
    site.write_config("a: {type: command, channel: a, mode: once, argv: ['true']}\n"
                      "b: {type: command, channel: a, mode: once, argv: ['true'], user: nobody}\n"
                      "c: {type: file, channel: a, include: [DIR/a.log]}\n")
    status, text = site.sluice_command("check")
    check(status == 0, text)
    said = [l for l in text.splitlines() if "runs as root" in l]
    if os.geteuid() != 0:
        check(not said, text)
        return
    check(len(said) == 1 and "sources.a runs as root" in said[0] and "user:" in said[0], text)


def a_source_with_a_user_of_its_own_reads_what_root_reads(site):
    """Files that only root may read, in directories that only root may enter; also what comes later."""
    require_root("another user for a source")
    os.makedirs(site.path("private"), mode=0o700)
    with open(site.path("private/a.log"), "w") as f:
        f.write("one\n")
    os.chmod(site.path("private/a.log"), 0o600)
    site.up("s: {type: file, channel: s, include: ['DIR/private/*.log'], read_from: beginning}\n")
    s = site.stream("channel=s&earliest=1")
    s.until_message("one")
    with open(site.path("private/b.log"), "w") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write("two\n")
    s.until_message("two")
    os.rename(site.path("private/a.log"), site.path("private/a.log.1"))
    with open(site.path("private/a.log"), "w") as f:
        f.write("three\n")
    s.until_message("three")
    status = open("/proc/%d/status" % site.source("s")["pid"]).read()
    rights = int(re.search(r"CapEff:\t(\w+)", status).group(1), 16)
    check(rights in (1 << 1, 1 << 2), "its capabilities are %x" % rights)
    check("user " in site.source("s")["sandbox"], site.source("s")["sandbox"])


def each_source_has_the_same_user_after_a_restart(site):
    require_root("another user for a source")
    site.up("a: {type: file, channel: s, include: [DIR/a.log]}\nb: {type: file, channel: s, include: [DIR/b.log]}\n")
    uid = lambda name: re.search(r"Uid:\t(\d+)", open("/proc/%d/status" % site.source(name)["pid"]).read()).group(1)
    site.ready()
    before = {n: uid(n) for n in "ab"}
    check(len(set(before.values())) == 2 and "0" not in before.values(), "%r" % before)
    site.kill("source")
    wait_for(lambda: site.source("a")["restarts"] and site.source("b")["restarts"], "a restart")
    site.ready()
    check({n: uid(n) for n in "ab"} == before, "other users than before")


run(a_plugin_of_sluices_own_user_gets_nowhere, a_plugin_with_a_user_of_its_own_gets_nowhere,
    one_that_declares_the_network_gets_there_and_nowhere_else,
    one_that_declares_unix_sockets_gets_to_others_but_not_to_ours,
    a_program_that_a_source_starts_gets_into_no_socket_of_ours, nor_does_an_orphan_of_one,
    nor_one_of_a_sluice_that_a_web_server_starts, who_is_no_descendant_gets_in,
    a_web_server_in_the_same_container_gets_in, check_tells_which_sources_stay_root,
    a_source_with_a_user_of_its_own_reads_what_root_reads, each_source_has_the_same_user_after_a_restart)
