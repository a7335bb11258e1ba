#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other people's clients get every line once, while the hub is killed under them.  htmx and
eventsource-polyfill, which need a browser, are in tests/browser."""
import threading

from harness import *

CLIENTS = os.path.join(SRC, "tests/client")


def begin(site):
    open(site.path("a.log"), "w").close()
    site.up("a: {type: file, channel: a, include: [DIR/a.log]}", "a: {retry: 50ms, heartbeat: 200ms}")
    site.ready()
    return "http://127.0.0.1:%d%s/" % (site.port, site.prefix)


def in_node(client):
    def driven(site):
        p = subprocess.run(["node", os.path.join(CLIENTS, "others.mjs"), client, begin(site), site.dir],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120 * PATIENCE)
        check(p.returncode == 0, p.stdout)
    driven.__name__ = client
    return driven


def go(site):
    url = begin(site)
    subprocess.check_call(["go", "build", "-o", site.path("follow"), os.path.join(CLIENTS, "follow.go")],
                          env={**os.environ, "GOCACHE": os.environ.get("GOCACHE", site.path("cache")), "GO111MODULE": "off"})
    program = subprocess.Popen([site.path("follow"), url + "events?channel=a&earliest=1"], stdout=subprocess.PIPE, text=True)
    said = []
    threading.Thread(target=lambda: said.extend(iter(program.stdout.readline, "")), daemon=True).start()
    lines = lambda: [line.split()[1] for line in list(said) if line.startswith("line ")]
    hellos = lambda: [line.split()[1] for line in list(said) if line.startswith("hello ")]
    try:
        wait_for(hellos, "hello")
        n = 0
        for round in range(1, 4):
            write_lines(site.path("a.log"), n + 1, n + 500)
            n += 500
            site.kill("hub")
            wait_for(lambda: len(hellos()) > round, "it to come back: %r" % said[-3:])
            wait_for(lambda: len(lines()) >= n, "%d lines, %d came" % (n, len(lines())))
        check(lines() == [str(i) for i in range(1, n + 1)], "%d of %d lines" % (len(lines()), n))
        check(set(hellos()[1:]) == {"resumed"}, "%r" % hellos())
        check({line.split()[0] for line in said} <= {"line", "hello", "bye", "busy"}, "%r" % set(said))
    finally:
        program.kill()
        program.wait()


require("node", "go")
if not os.path.isdir(os.path.join(CLIENTS, "node_modules/eventsource")):
    print("SKIP: run npm ci in tests/client")
    sys.exit(77)
run(*map(in_node, ("eventsource", "eventsource_by_onmessage", "event_source_polyfill", "fetch_event_source")), go)
