#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The client library, in Node.js (tests/browser has it in Chromium)."""
import subprocess

from harness import *


def scenario(name):
    def driven(site):
        for f in ("a.log", "b.log"):
            open(site.path(f), "w").close()
        site.up("a: {type: file, channel: a, include: [DIR/a.log]}\nb: {type: file, channel: b, include: [DIR/b.log]}\n",
                "a: {retry: 50ms, heartbeat: 300ms}\nb: {retry: 50ms, heartbeat: 300ms}\n")
        site.ready()
        p = subprocess.run(["node", os.path.join(SRC, "tests/client/run.mjs"), name,
                            "http://127.0.0.1:%d%s/" % (site.port, site.prefix), site.dir],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120 * PATIENCE)
        check(p.returncode == 0, p.stdout)
    driven.__name__ = name
    return driven


require("node")
run(*map(scenario, (
    "by_fetch", "by_post", "by_event_source", "by_poll", "an_iterator_holds_the_server_back",
    "a_change_goes_on_where_it_is", "what_is_refused_for_good_is_told_once", "a_silent_peer_is_left",
    "what_is_held_back_on_the_way_is_polled", "polling_misses_nothing_that_came_before_it", "what_polling_has_missed_is_a_gap",
    "what_is_not_sluice_is_told_in_a_sentence", "no_content_means_no_more", "white_space_in_a_filter_passes_any_web_server",
    "the_parser_looks_at_each_character_once", "gaps_are_counted", "the_past_in_pages", "the_parser_goes_by_the_book")))
