#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The console, native EventSource, a polyfill of it and htmx, in a real Chromium behind a real lighttpd."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from harness import *

HERE = os.path.join(SRC, "tests/browser")
CONFIG = """
app: {type: file, channel: logs, include: [DIR/app.log], path_field: "", sweep_interval: 100ms}
other: {type: file, channel: other, include: [DIR/other.log]}
"""


def drive(scenario, prefix="/logs", extra="", access="default: allow", proxy=False):
    def driven(site):
        site.prefix = prefix
        for name in ("app.log", "other.log"):
            open(site.path(name), "w").close()
        front = free_port() if proxy else site.port
        site.write_config(CONFIG, "logs: {retry: 100ms, heartbeat: 300ms}\nother: {}",
                          access=access.replace("PORT", str(site.port)))
        site.start()
        site.start_lighttpd(extra.replace("SOCKET", site.path("fcgi.sock")))
        if proxy:
            start_proxy(site, front)
        site.ready()
        node = subprocess.Popen(["node", os.path.join(HERE, "drive.js"), scenario,
                                 "http://127.0.0.1:%d%s/" % (front, site.prefix), site.dir],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while node.poll() is None:
            if os.path.exists(site.path("truncate")):
                os.unlink(site.path("truncate"))
                os.truncate(site.path("app.log"), 0)
            time.sleep(0.02)
        out = node.stdout.read()
        if proxy:
            site.proxy.terminate()
            site.proxy.wait()
        check(node.returncode == 0, out)
    driven.__name__ = scenario + prefix.replace("/logs", "").replace("/", "_")
    return driven


def start_proxy(site, port):
    """nginx with the plainest proxy_pass, which sends the address behind it as Host."""
    require("nginx")
    with open(site.path("nginx.conf"), "w") as f:
        f.write("worker_processes 1; daemon off; pid DIR/nginx.pid; error_log DIR/nginx.log; events {}\n"
                "http { access_log off; client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f;\n"
                "uwsgi_temp_path DIR/u; scgi_temp_path DIR/s; server { listen 127.0.0.1:%d;\n"
                "location / { proxy_pass http://127.0.0.1:%d; } } }\n".replace("DIR", site.dir) % (port, site.port))
    site.proxy = subprocess.Popen(["nginx", "-p", site.dir, "-c", site.path("nginx.conf")], stdin=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), 1).close() is None
    wait_for(answers, "nginx to answer")


require("node", "chromium")
if not os.path.isdir(os.path.join(HERE, "node_modules/playwright-core")):
    print("SKIP: run npm ci in tests/browser")
    sys.exit(77)
HELD = """
fastcgi.server += ( "/held" => (( "socket" => "SOCKET", "check-local" => "disable" )) )
$HTTP["url"] =~ "^/held/(?!probe)" { server.stream-response-body = 2 }
"""
LISTED = "default: allow\norigins: ['HTTP://LOCALHOST:PORT']\nframe_ancestors: ['http://localhost:PORT']"
run(drive("a_page_of_a_listed_origin_imports_reads_and_frames", access=LISTED),
    drive("behind_a_proxy_that_rewrites_host_forms_are_sent", proxy=True), drive("the_console_tests_its_connection"), drive("the_console_tests_its_connection", "/held", HELD), *map(drive, (
    "a_line_appears_as_text_whatever_it_holds",
    "a_huge_line_is_cut_on_screen_and_whole_in_the_detail",
    "pausing_filtering_and_scrolling_hold_still",
    "the_console_resumes_after_the_hub_was_killed_and_shows_gaps",
    "a_heartbeat_moves_last_event_id_and_wakes_no_script",
    "the_client_library_misses_nothing_by_any_transport",
    "event_source_reconnects_after_the_hub_restarts_and_misses_nothing",
    "eventsource_polyfill_misses_nothing",
    "htmx_2_shows_every_line_as_text",
    "htmx_4_shows_every_line_as_text",
)))
