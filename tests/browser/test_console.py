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
fields: {type: file, channel: logs, include: [DIR/fields.log], parse: json, severity: false}
fields2: {type: file, channel: other, include: [DIR/fields2.log], parse: json}
traces: {type: file, channel: logs, include: [DIR/traces.log], multiline: java, severity: false}
"""
FILES = ("app.log", "other.log", "fields.log", "fields2.log", "traces.log")
CHANNELS = "logs: {retry: 100ms, heartbeat: 300ms}\nother: {}"


def asked(site):
    """What the scenario wants of us, by files that it makes."""
    def wants(name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(site.path(name))
            return True
        return False
    if wants("truncate"):
        os.truncate(site.path("app.log"), 0)
    if wants("stop-lighttpd"):
        site.lighttpd.kill()
        site.lighttpd.wait()
    if wants("start-lighttpd"):
        site.start_lighttpd()


def drive(scenario, prefix="/logs", extra="", access="default: allow", channels=CHANNELS, proxy=False, ticket=False):
    def driven(site):
        site.prefix = prefix
        for name in FILES:
            open(site.path(name), "w").close()
        front = free_port() if proxy else site.port
        site.write_config(CONFIG, channels, access=access.replace("PORT", str(site.port)))
        site.start()
        site.start_lighttpd(extra.replace("SOCKET", site.path("fcgi.sock")))
        if proxy:
            start_proxy(site, front)
        site.ready()
        if ticket:
            code, text = site.sluice_command("ticket", "--channel", "logs")
            check(code == 0, text)
            with open(site.path("ticket"), "w") as f:
                f.write(text)
        node = subprocess.Popen(["node", os.path.join(HERE, "drive.js"), scenario,
                                 "http://127.0.0.1:%d%s/" % (front, site.prefix), site.dir],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while node.poll() is None:
            asked(site)
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
PARTLY = "logs: {access: anyone}\nother: {access: anyone, replay: 'user:root'}\nsecret: {access: 'user:root'}"
run(drive("a_page_of_a_listed_origin_imports_reads_and_frames", access=LISTED),
    drive("behind_a_proxy_that_rewrites_host_forms_are_sent", proxy=True),
    drive("the_console_tests_its_connection"), drive("the_console_tests_its_connection", "/held", HELD),
    drive("what_a_person_may_not_see_is_said_and_the_rest_goes_on", channels=PARTLY, access="default: deny"),
    drive("without_access_it_says_what_sluice_says", access="default: deny", channels="logs: {access: 'user:root'}\nother: {access: 'user:root'}", ticket=True),
    *map(drive, (
    "a_line_appears_as_text_whatever_it_holds",
    "a_huge_line_is_cut_on_screen_and_whole_in_the_detail",
    "pausing_filtering_and_scrolling_hold_still",
    "the_console_resumes_after_the_hub_was_killed_and_shows_gaps",
    "a_reload_shows_the_same_lines",
    "the_past_is_read_to_its_beginning_by_scrolling_up",
    "a_rare_line_of_long_ago_is_found_and_its_context_read",
    "the_language_of_filters_finds_fields_and_regexes",
    "a_catastrophic_regex_does_not_freeze_the_page",
    "a_stack_trace_is_folded_read_and_copied",
    "one_request_is_followed_across_channels",
    "an_answer_of_the_web_server_is_never_shown_as_markup",
    "an_error_of_long_ago_is_found_by_a_key",
    "what_a_filter_shows_is_downloaded_and_a_view_saved",
    "a_laptop_that_slept_shows_every_line",
    "without_scripts_there_is_a_form",
    "a_gap_is_filled_where_it_stands",
    "ten_tabs_share_one_stream",
    "the_line_that_is_read_moves_by_nothing_whatever_happens",
    "a_channel_is_hidden_and_comes_back_whole",
    "everything_is_done_by_keyboard_and_named_for_a_screen_reader",
    "a_number_is_drawn_beside_the_lines",
    "on_a_phone_lines_have_the_room",
    "the_first_load_is_small_and_held_by_the_browser",
    "a_heartbeat_moves_last_event_id_and_wakes_no_script",
    "the_client_library_misses_nothing_by_any_transport",
    "event_source_reconnects_after_the_hub_restarts_and_misses_nothing",
    "eventsource_polyfill_misses_nothing",
    "htmx_2_shows_every_line_as_text",
    "htmx_4_shows_every_line_as_text",
)))
