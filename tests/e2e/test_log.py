#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A log that nobody reads holds up nothing, and says what it has dropped."""
import fcntl
import pty
import termios

from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}"
DROPPED = re.compile(rb"(\d+) log lines? (?:was|were) dropped")


class Unread:
    """Something for standard error that nobody reads until read() is called."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.data = reader, writer, b""
        os.set_blocking(reader, False)

    def fill(self):
        """Until it takes nothing more, as if somebody else had written."""
        os.set_blocking(self.writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.writer, b"-" * 63 + b"\n")
        os.set_blocking(self.writer, True)

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.data += os.read(self.reader, 65536)
        return self.data


def full_pipe():
    unread = Unread(*os.pipe())
    fcntl.fcntl(unread.writer, fcntl.F_SETPIPE_SZ, 4096)
    return unread


def full_socket():
    ours, theirs = socket.socketpair()
    return Unread(ours.detach(), theirs.detach())


def stopped_terminal():
    """Somebody has pressed Ctrl-S."""
    master, terminal = pty.openpty()
    termios.tcflow(terminal, termios.TCOOFF)
    return Unread(master, terminal)


def start(site, unread, *before, responders=2):
    site.write_config(SOURCE, hub="responders: %d" % responders)
    write_lines(site.path("app.log"), 1, 100)
    site.sluice = subprocess.Popen([*before, SLUICE, "run", "-c", site.path("sluice.yaml")], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=unread.writer)
    wait_for(lambda: os.path.exists(site.path("fcgi.sock")) and site.pids("source"), "sluice to run")
    if not site.lighttpd:
        site.start_lighttpd()
    site.ready()


def make_them_talk(site, times):
    """Each process has more to say than anything holds: bad requests, and sources that are killed."""
    for _ in range(times):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(site.path("fcgi.sock"))
            with contextlib.suppress(OSError):
                s.sendall(b"this is no FastCGI request" * 3)
                s.recv(1)


def goes_on(site, unread, *before):
    start(site, unread, *before)
    numbers = Numbers(site, "logs")
    numbers.until(100)
    unread.fill() if not os.isatty(unread.writer) else None
    hub, run = site.pids("hub"), site.sluice.pid
    make_them_talk(site, 3000)
    site.kill("responder")   # the supervisor says so
    for pid in site.pids("source"):
        os.kill(pid, signal.SIGKILL)  # the hub says so
    write_lines(site.path("app.log"), 101, 3000)
    numbers.until(3000)
    check(site.get("/health/live")[0] == 200 and site.pids("hub") == hub, "the hub was started again")
    return numbers


def ends_in_time(site):
    everyone = children(site.sluice.pid)
    site.stop(10)
    check(site.sluice.returncode == 0, "ended with %d" % site.sluice.returncode)
    wait_for(lambda: not any(alive(p) for p in everyone), "all to end", 5)


def a_full_pipe_as_standard_error_holds_up_nothing(site):
    unread = full_pipe()
    goes_on(site, unread)
    ends_in_time(site)


def a_full_socket_as_standard_error_holds_up_nothing(site):
    """As systemd's journal is one, when it hangs."""
    unread = full_socket()
    goes_on(site, unread)
    ends_in_time(site)


def a_stopped_terminal_holds_up_nothing(site):
    unread = stopped_terminal()
    goes_on(site, unread)
    ends_in_time(site)


def a_pipe_of_another_user_holds_up_nothing(site):
    """A service manager makes the pipe as root; it cannot be opened again by the service."""
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    os.chmod(site.dir, 0o777)
    if os.geteuid() != 0 or subprocess.run([*as_nobody, SLUICE, "--version"], stdout=subprocess.DEVNULL).returncode:
        print("# not as root, or another user cannot run this build")
        return
    unread = full_pipe()
    goes_on(site, unread, *as_nobody)
    ends_in_time(site)


def what_was_dropped_is_counted_once_somebody_reads(site):
    unread = full_pipe()
    start(site, unread, responders=1)
    unread.read()
    unread.fill()
    said = b"it sent no FastCGI request"
    make_them_talk(site, 3000)
    wait_for(lambda: DROPPED.search(unread.read()), "the number of dropped lines")

    def all_told():
        lines = [x for x in unread.read().split(b"\n") if x.startswith(b"sluice responder")]
        return sum(said in x for x in lines) + sum(int(n) for n in DROPPED.findall(b"\n".join(lines))) == 3000
    wait_for(all_told, "3000 lines, written or counted")
    torn = [x for x in unread.data.split(b"\n") if x and not x.startswith((b"sluice ", b"-"))]
    check(not torn, "lines are mixed: %r" % torn[:3])
    ends_in_time(site)


def a_slow_start_with_a_full_log_is_a_start(site):
    """Nothing can be said from the first line on, and the mistakes of a configuration end it all the same."""
    unread = full_pipe()
    unread.fill()
    start(site, unread)
    Numbers(site, "logs").until(100)
    ends_in_time(site)
    with open(site.path("sluice.yaml"), "a") as f:
        f.write("nonsense: 1\n")
    done = subprocess.run([SLUICE, "run", "-c", site.path("sluice.yaml")], stdin=subprocess.DEVNULL,
                          stderr=unread.writer, timeout=20 * PATIENCE)
    check(done.returncode == 2, "ended with %d" % done.returncode)


run(a_full_pipe_as_standard_error_holds_up_nothing, a_full_socket_as_standard_error_holds_up_nothing,
    a_stopped_terminal_holds_up_nothing, a_pipe_of_another_user_holds_up_nothing,
    what_was_dropped_is_counted_once_somebody_reads, a_slow_start_with_a_full_log_is_a_start)
