#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Starting where something is in the way, and stopping."""
import select
import struct

from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}"


def begin(site, n=1000, **kw):
    with open(site.path("app.log"), "w") as f:
        f.write("".join("%d\n" % i for i in range(1, n + 1)))
    site.up(SOURCE, **kw)
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == n, "the lines")


def sigterm_says_bye_and_leaves_nothing(site):
    begin(site)
    streams = [site.stream("channel=logs") for _ in range(20)]
    for s in streams:
        s.until_type("hello")
    everyone = children(site.sluice.pid)
    # A machine that is too slow for the nursery does without it.
    roles = sorted(filter(None, map(role_of, everyone)))
    check(len(everyone) in (4, 5) and roles.count("responder") == 2 and roles.count("hub") == 1,
          "hub, nursery, two responders and a source: %s %s" % (everyone, roles))
    site.stop(5)
    check(site.sluice.returncode == 0, "exit status %d" % site.sluice.returncode)
    retries = set()
    for s in streams:
        check(json.loads(s.until_type("bye").data)["reason"] == "shutdown", "bye")
        retries.add(s.retry)
        while s.fill():
            pass
    check(min(retries) >= 3000 and max(retries) <= 6000 and len(retries) > 5, "retry is not spread: %s" % retries)
    wait_for(lambda: not any(alive(p) for p in everyone), "all to end", 5)
    check(not os.path.exists(site.path("fcgi.sock")) and not os.path.exists(site.path("state/hub.sock")), "sockets left")
    # The journal is complete, and the ids go on being good.
    os.unlink(site.path("sluice.log"))
    site.start()
    s = site.stream("channel=logs", headers={"Last-Event-ID": streams[0].last_id})
    check(s.until_type("hello").json()["mode"] == "resumed", "the cursor is not good any more")
    got = [e for e in site.stream("channel=logs&earliest=1").until_message("1000") if e.type == "line"]
    check(len(got) == 1000, "%d lines in the journal" % len(got))


def clients_that_read_get_their_goodbye_though_half_read_nothing(site):
    """It stands behind much that they have not read yet when SIGTERM comes."""
    n = 500 if LONG else 30
    with open(site.path("app.log"), "w") as f:
        f.write("".join("%d %s\n" % (i, "x" * 1000) for i in range(10000)))
    site.up(SOURCE)
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == 10000, "the lines")
    site.streams = [Stream(site, "channel=logs&earliest=1", rcvbuf=4096) for _ in range(2 * n)]
    readers = site.streams[::2]
    for s in site.streams:
        s.until_type("hello")
    behind = lambda: site.json("/status")["streams"]["catching_up"]
    wait_for(lambda: behind() == 2 * n, "all to have more than they read")
    site.sluice.send_signal(signal.SIGTERM)
    poll, left = select.poll(), {s.sock.fileno(): s for s in readers}
    for fd in left:
        poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + 20 * PATIENCE
    while left and time.monotonic() < deadline:
        for fd, _ in poll.poll(1000):
            left[fd].buffer = left[fd].buffer[-4096:]
            if not left[fd].fill(0.1):
                poll.unregister(fd)
                del left[fd]
    said = sum(b"event: bye" in s.buffer[-4096:] for s in readers)
    check(said == n, "%d of %d were told; %d are still open" % (said, n, len(left)))
    ends_within(site, 15)


def ends_within(site, seconds):
    site.stop(seconds)
    check(site.sluice.returncode == 0 and "are ended" not in site.log(), site.log())


def fails(site, *words, status=1):
    done = subprocess.run([SLUICE, "run", "-c", site.path("sluice.yaml")], capture_output=True, text=True,
                          timeout=30 * PATIENCE)
    check(done.returncode == status, "ended with %d: %s" % (done.returncode, done.stderr))
    lines = [x for x in done.stderr.splitlines() if "error:" in x]
    check(len(lines) == 1 and all(w.replace("DIR", site.dir) in lines[0] for w in words), done.stderr)


def a_second_hub_on_one_state_directory_is_refused(site):
    begin(site)
    fails(site, "hub.state_dir DIR/state is in use by another sluice (process %d)" % site.sluice.pid)
    check(site.get("/health/ready")[0] == 200, "the first one was disturbed")


def a_listening_port_that_is_taken(site):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        site.write_config(SOURCE)
        with open(site.path("sluice.yaml")) as f:
            text = f.read()
        with open(site.path("sluice.yaml"), "w") as f:
            f.write(text.replace("unix:%s/fcgi.sock" % site.dir, "tcp:127.0.0.1:%d" % s.getsockname()[1]))
        fails(site, "cannot listen on 127.0.0.1:", "Address already in use", "listen on another one")


def a_socket_that_another_process_listens_on(site):
    site.write_config(SOURCE)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(site.path("fcgi.sock"))
        s.listen()
        fails(site, "DIR/fcgi.sock: another process listens there")
    os.unlink(site.path("fcgi.sock"))
    open(site.path("fcgi.sock"), "w").close()
    fails(site, "DIR/fcgi.sock exists and is no socket")


def a_stale_socket_is_replaced(site):
    site.write_config(SOURCE)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(site.path("fcgi.sock"))
    site.start(wait=False)
    wait_for(lambda: "listening on" in site.log(), "sluice")
    check("replacing a socket that a process left behind" in site.log(), site.log())


def a_state_directory_that_cannot_be_written(site):
    site.write_config(SOURCE)
    open(site.path("state"), "w").close()
    fails(site, "hub.state_dir DIR/state cannot be")


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def a_journal_of_a_newer_version_is_left_untouched(site):
    begin(site)
    site.stop()
    folder = site.path("state/journal/logs")
    segment = os.path.join(folder, sorted(os.listdir(folder))[0])
    with open(segment, "r+b") as f:
        head = f.read(64)[:8] + b"\x63\0\0\0"
        f.seek(12)
        rest = f.read(52)[4:]
        f.seek(0)
        f.write(2 * (head + struct.pack("<I", crc32c(head + rest)) + rest))
    before = open(segment, "rb").read()
    fails(site, "was written by a newer version of sluice and is left untouched")
    check(open(segment, "rb").read() == before, "it was changed")


run(sigterm_says_bye_and_leaves_nothing, clients_that_read_get_their_goodbye_though_half_read_nothing,
    a_second_hub_on_one_state_directory_is_refused,
    a_listening_port_that_is_taken, a_socket_that_another_process_listens_on, a_stale_socket_is_replaced,
    a_state_directory_that_cannot_be_written, a_journal_of_a_newer_version_is_left_untouched)
