#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What clients send and expect that are not ours: polyfills, fetch-based ones, htmx, curl."""
from harness import *

SOURCE = "app: {type: file, channel: logs, include: [DIR/app.log], read_from: beginning}"


def begin(site, n=10, channels="logs: {heartbeat: 200ms}"):
    with open(site.path("app.log"), "w") as f:
        f.write("".join("%d\n" % i for i in range(1, n + 1)))
    site.up(SOURCE, channels)
    wait_for(lambda: site.json("/channels")["channels"][0]["events"] == n, "the lines")


def add(site, *lines):
    with open(site.path("app.log"), "a") as f:
        f.write("".join("%s\n" % line for line in lines))


def ids(site):
    return [e["id"] for e in site.json("/history?channel=logs&limit=100")["events"]]


def numbers(events):
    return [int(e.json()["message"]) for e in events if e.type == "line"]


# ---- what they send ----------------------------------------------------------------


def a_polyfill_resumes_by_a_parameter(site):
    begin(site)
    id = ids(site)
    for name in ("lastEventId", "lastEventID", "Last-Event-ID", "last_event_id", "evs_last_event_id"):
        # It keeps the URL that it was opened with, and appends its cursor.
        for start in ("", "tail=1&", "earliest=1&", "after=%s&" % id[1]):
            got = site.stream("channel=logs&%s%s=%s" % (start, name, id[4])).until_message("10")
            check(got[0].json()["mode"] == "resumed" and numbers(got) == [6, 7, 8, 9, 10], "%s %s: %r" % (start, name, got))
    got = site.stream("lastEventId=%s&channel=logs&tail=1" % id[4]).until_message("10")
    check(numbers(got) == [6, 7, 8, 9, 10], "before the others: %r" % got)
    got = site.stream("channel=logs&lastEventId=%s" % id[1], headers={"Last-Event-ID": id[6]}).until_message("10")
    check(numbers(got) == [8, 9, 10], "the header is newer: %r" % got)
    page = site.json("/poll?channel=logs&lastEventId=" + id[6])
    check([e["message"] for e in page["events"]] == ["8", "9", "10"], "poll: %r" % page)
    status, _, body = site.get("/events?channel=logs&lastEventId=nonsense")
    check(status == 400 and b"is no event id" in body, "%d %r" % (status, body))


def what_says_nothing_is_ignored(site):
    begin(site)
    id = ids(site)
    for extra in ("_=1763689264123", "_dc=1", "_t", "t=1763689264", "ts=17636892", "r=0.8231", "cb=x9", "nocache=1",
                  "noCache=true", "cacheBuster=abc", "cachebust", "dojo.preventCache=5", "org.htmx.cache-buster=x",
                  "rand=0.55", "random=77", "rnd=4", "nonce=abc", "zx=k4", "v=2", "timestamp=1763689264123", "padding=true",
                  "evs_preamble=2056", "evs_buffer_size_limit=262144", "utm_source=mail", "fbclid=x",
                  # Whatever it is called: a time, a random number.
                  "uid=1763689264123", "seed=0.7326482", "unique=847362"):
        for route in ("/events?channel=logs&tail=1&", "/poll?channel=logs&tail=1&", "/history?channel=logs&"):
            head = site.get(route + extra, method="HEAD" if "events" in route else "GET")
            check(head[0] == 200, "%s %s: %r" % (route, extra, head))
    for empty in ("after=", "since=", "tail=", "earliest=", "lastEventId=", "grep=", "filter=", "severity=", "type=",
                  "format=", "batch=", "gzip=", "data=", "event=", "heartbeat=", "after=&since=&tail=", "=", "&&"):
        got = site.stream("channel=logs&earliest=1&" + empty).until_message("10")
        check(numbers(got) == list(range(1, 11)), "%s: %r" % (empty, got))
        got = site.stream("channel=logs&after=%s&%s" % (id[4], empty.replace("after=", "since=")))
        check(numbers(got.until_message("10")) == [6, 7, 8, 9, 10], "%s after an id" % empty)
    live = site.stream("channel=logs&after=&since=&tail=")
    check(live.until_type("hello").json()["mode"] == "fresh", "all empty: from now on")
    add(site, 11)
    check(numbers(live.until_message("11")) == [11], "all empty")


def a_misspelling_is_refused_with_what_was_meant(site):
    begin(site)
    for wrong, right in (("chanel=x", "channel"), ("channels=x", "channel"), ("filtr=x", "filter"), ("severty=info", "severity"),
                         ("level=error", "severity"), ("sinc=1763689264123", "since"), ("from=1763689264123", "since"),
                         ("start=1763689264", "since"), ("tial=100000", "tail"), ("n=1000000", "tail"), ("q=error", "grep"),
                         ("aftr=1", "after"), ("Tail=5", "tail"), ("hartbeat=event", "heartbeat"), ("chanel=", "channel")):
        status, _, body = site.get("/events?channel=logs&" + wrong)
        check(status == 400 and ('did you mean "%s"?' % right).encode() in body, "%s: %d %r" % (wrong, status, body))
    for wrong in ("event=line", "data=xml", "heartbeat=often", "batch=2"):
        status, _, body = site.get("/events?channel=logs&" + wrong)
        check(status == 400 and b"value that is not known" in body, "%s: %d %r" % (wrong, status, body))
    check(site.get("/events?channel=logs&colour=blue")[0] == 400, "what is no name of anything")


def a_time_is_taken_in_every_form(site):
    begin(site, 0)
    add(site, "early")
    wait_for(lambda: ids(site), "the first")
    ms = int(ids(site)[0].split(".")[1].split("-")[0])
    wait_for(lambda: time.time() * 1000 > ms + 2000, "a second to pass")
    add(site, "late")
    wait_for(lambda: len(ids(site)) == 2, "the second")
    between = ms + 1000
    day = time.gmtime(between / 1000)
    clock = time.strftime("%H:%M:%S", day)
    both = ["early", "late"]

    def got(query):
        return [e["message"] for e in site.json("/history?channel=logs&" + query)["events"]]
    forms = [str(between), "%d.%03d" % divmod(between, 1000), str(between * 1000), str(between * 1000000),
             time.strftime("%Y-%m-%dT%H:%M:%S", day) + ".%03dZ" % (between % 1000)]
    if time.gmtime()[2] == day[2]: # not at midnight
        forms += ["today%%20%s.%03d" % (clock, between % 1000), "today+%s.%03d" % (clock, between % 1000)]
    for form in forms:
        check(got("since=" + form) == ["late"], "since=%s: %r" % (form, got("since=" + form)))
        check(got("after=" + form) == ["late"], "after=%s" % form)
        check(got("before=" + form) == ["early"], "before=%s" % form)
        check(got("earliest=1&until=" + form) == ["early"], "until=%s" % form)
        check(site.stream("channel=logs&since=" + form).events(lambda e: e.type == "line")[-1].json()["message"] == "late", form)
        check(got("filter=" + 'time%%20%%3e%%20"%s"' % form) == ["late"], "a filter: " + form)
    for form in ("1h30m", "-1h30m", "now-1h30m", "1h30m%20ago", "yesterday", "yesterday%2014:00", "yesterday+14:00%2B01:00", "1d12h"):
        if "yesterday" not in form or time.gmtime()[2] == day[2]:
            check(got("since=" + form) == both, "since=%s: %r" % (form, got("since=" + form)))
    for wrong in ("5", "1h30", "tomorrow", "yesterday%2025:00", "176368926412x"):
        for use in ("/events?since=", "/history?until=", "/history?since="):
            status, _, body = site.get(use + wrong + "&channel=logs")
            check(status == 400 and b"yesterday 14:00" in body and b"UTC" in body, "%s%s: %d %r" % (use, wrong, status, body))


def either_case_is_that_of_any_letter(site):
    begin(site, 0)
    lines = ["Der \u00c4RGER", "\u041e\u0448\u0438\u0431\u043a\u0430 \u0434\u0438\u0441\u043a\u0430", "\u03a3\u03a5\u03a3", "5 \u212a", "GRO\u1e9e", "plain"]
    add(site, *lines)
    wait_for(lambda: len(ids(site)) == len(lines), "the lines")

    def got(**parameters):
        text = "&".join("%s=%s" % (k, "".join("%%%02x" % b for b in v.encode())) for k, v in parameters.items())
        return [e["message"] for e in site.json("/history?channel=logs&" + text)["events"]]
    for what, line in (("\u00e4rger", 0), ("\u043e\u0448\u0438\u0431\u043a\u0430", 1), ("\u03c3\u03c5\u03c2", 2), ("5 k", 3), ("gro\u00df", 4), ("plain", 5)):
        for parameters in ({"grep": what}, {"filter": 'message icontains "%s"' % what.upper().replace("SS", "\u1e9e")}, {"grep": "/%s/i" % what}):
            check(got(**parameters) == [lines[line]], "%r: %r" % (parameters, got(**parameters)))
        check(got(exclude=what) == lines[:line] + lines[line + 1:], "exclude=" + what)
    # A capital asks for the case that it has, here as in ASCII.
    check(not got(grep="\u00c4rger") and got(grep="\u00c4RGER") == lines[:1], "a capital")


# ---- what they expect ----------------------------------------------------------------


def as_fetch_based(data):
    """What is handed to the owner of a client that hands on every block, as many do."""
    blocks = []
    message = {"id": "", "event": "", "data": ""}
    for line in data.decode().split("\n")[:-1]:
        name, _, value = line.partition(":")
        if not line:
            blocks.append(message)
            message = {"id": "", "event": "", "data": ""}
        elif name in message:
            message[name] = value.lstrip(" ")
    return blocks


def raw(site, query, until):
    s = site.stream(query)
    wait_for(lambda: s.fill(0.2) and s.head is not None and until(s.buffer), "%s: %r" % (query, s.buffer[-300:]))
    return s.buffer


def no_block_is_empty_but_heartbeats(site):
    """A client that hands on every block gets none that is no message, once heartbeats are event or comment."""
    begin(site)
    for query in ("", "tail=3", "after=x.1-0", "data=message&tail=1", "batch=1&earliest=1", "event=message&earliest=1"):
        for heartbeat, sign in (("event", b"event: ping\n"), ("comment", b"\n:\n")):
            data = raw(site, "channel=logs&heartbeat=%s&%s" % (heartbeat, query), lambda b: b.count(sign) > 2)
            for b in as_fetch_based(data):
                check(b["data"], "%s %s: %r in %r" % (query, heartbeat, b, data))
            check(data.startswith(b"retry: "), "%r" % data[:100])
    data = raw(site, "channel=logs", lambda b: b.count(b":\n") > 2)
    check(len([b for b in as_fetch_based(data) if not b["data"]]) == data.count(b"\n:\n"), "others than heartbeats: %r" % data)
    # bye too
    s = site.stream("channel=logs&heartbeat=comment")
    token = s.until_type("hello").json()["token"]
    check(site.get("/streams/" + token, method="DELETE")[0] == 200, "DELETE")
    while s.fill(5):
        pass
    check(all(b["data"] for b in as_fetch_based(s.buffer)) and b"event: bye" in s.buffer, "%r" % s.buffer)


def a_comment_moves_the_cursor_of_who_reads_lines(site):
    """As with an id of its own: what another channel's events have moved on."""
    begin(site)
    open(site.path("other.log"), "w").close()
    last = ids(site)[-1]
    data = raw(site, "channel=logs&heartbeat=comment&after=" + last, lambda b: b.count(b"\n:\nid: ") > 2)
    check(data.rstrip().split(b"\n")[-1].startswith((b"id: ", b":")), "%r" % data)


PLUGIN = r"""
#include <sluice-plugin.h>
#include <errno.h>
#include <string.h>
static const char *const names[] = {NAMES};
static const struct sluice_event_type events[] = {EVENTS {.name = NULL}};
static int open_(struct sluice_source *src, void **state)
{
	(void)src;
	*state = NULL;
	return 0;
}
static int run(struct sluice_source *src, void *state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sluice_event ev = {.type = names[i], .severity = SLUICE_NO_SEVERITY,
					  .body = names[i], .body_len = strlen(names[i])};
		src->host->emit(src, &ev);
	}
	while (!src->host->wait(src, NULL, 0, 1000))
		continue;
	return -ECANCELED;
}
static const struct sluice_plugin plugin = {
	SLUICE_PLUGIN_HEAD, .name = "names", .version = "1",
	.summary = "emits events with the names of ours", .events = events, .open = open_, .run = run};
SLUICE_PLUGIN(plugin)
"""
# Those of src/wire/format.c, and some that nobody reserves.
RESERVED_NAMES = ("hello", "changed", "bye", "busy", "ping", "gap", "batch", "heartbeat", "page", "progress",
                  "done", "open", "error")
FREE_NAMES = ("line", "message", "opened", "end")


def reserved_names():
    """As the program has them, as its documentation says, and as its client knows them."""
    table = re.findall(r'"event\.(\w+)"', open(os.path.join(SRC, "src/wire/format.c")).read())
    page = open(os.path.join(SRC, "doc/sluice-plugin.md")).read()
    said = re.search(r"Reserved names: (.*?)\.\n", page, re.S)
    check(said, "doc/sluice-plugin.md does not list them")
    return table, re.findall(r"`(\w+)`", said.group(1))


def no_type_of_an_event_steers_a_client(site):
    table, said = reserved_names()
    check(tuple(table) == RESERVED_NAMES and tuple(said) == RESERVED_NAMES, "%r %r" % (table, said))
    every = RESERVED_NAMES + FREE_NAMES
    with open(site.path("names.c"), "w") as f:
        f.write(PLUGIN.replace("NAMES", ", ".join('"%s"' % n for n in every)).replace(
            "EVENTS", " ".join('{.name = "%s", .version = 1},' % n for n in every)))
    site.own_plugins()
    build_plugin(site.path("names.c"), site.path("plugins/names.so"))
    site.up("n: {type: names, channel: names}", hub="plugin_dir: DIR/plugins")
    wait_for(lambda: len(site.json("/channels")["channels"][0]) and site.json("/channels")["channels"][0]["events"] >= len(every),
             "the events: " + site.log())
    want = ["event." + n for n in RESERVED_NAMES] + list(FREE_NAMES)
    seen = site.json("/history?channel=names&limit=100")["events"]
    check([e["event"] for e in seen] == want, "%r" % [e["event"] for e in seen])
    s = site.stream("channel=names&earliest=1")
    got = s.events(lambda e: e.type == FREE_NAMES[-1])
    check([e.type for e in got] == ["hello"] + want, "%r" % got)
    got = site.stream("channel=names&earliest=1&type=event.open,event.bye").events(lambda e: e.type == "event.open")
    check([e.type for e in got] == ["hello", "event.bye", "event.open"], "by the filter: %r" % got)
    defined = site.json("/schema/names")["$defs"]
    check(set(want) - {"event.gap"} <= set(defined) and not {"open", "error", "hello"} & set(defined), "%r" % list(defined))


def events_may_come_without_a_name(site):
    """event=message: onmessage gets all events and gaps, and nothing else."""
    begin(site)
    add(site, '<b>bold</b> & "x"')
    wait_for(lambda: len(ids(site)) == 11, "the last line")
    id = ids(site)
    text = '<b>bold</b> & "x"'
    s = site.stream("channel=logs&event=message&after=zzz.1-0")
    check(s.until_type("hello").json()["mode"] == "gap", "hello has its name")
    gap = s.until_type("message").json()
    check(gap["event"] == "gap" and gap["reason"] == "epoch", "a gap is seen too: %r" % gap)
    s = site.stream("channel=logs&event=message&after=" + id[8])
    got = s.events(lambda e: e.type == "message" and e.json()["message"] == text)
    check([(e.type, e.id) for e in got] == [("hello", id[8]), ("message", id[9]), ("message", id[10])], "%r" % got)
    check([e.json()["event"] for e in got[1:]] == ["line", "line"] and got[1].json()["id"] == id[9], "%r" % got)
    for data, last in (("message", text), ("html", "&lt;b&gt;bold&lt;/b&gt; &amp; &quot;x&quot;")):
        for event, type in (("message", "message"), ("type", "line")):
            query = "channel=logs&event=%s&data=%s&tail=2" % (event, data)
            got = [e for e in site.stream(query).events(lambda e: e.data == last) if e.type != "hello"]
            check([(e.type, e.data) for e in got] == [(type, "10"), (type, last)], "%s: %r" % (query, got))
    gap = site.stream("channel=logs&event=message&data=message&after=zzz.1-0").until_type("message").data
    check(gap.startswith("# gap - (epoch)"), "a line for people: %r" % gap)
    got = site.stream("channel=logs&event=message&batch=1&earliest=1").until_type("message").json()
    check([e["id"] for e in got] == id, "%r" % got)
    s = site.stream("channel=logs&event=message")
    check(s.until_type("bye" if site.get("/streams/" + s.until_type("hello").json()["token"], method="DELETE")[0] == 200 else "")
          .json()["reason"] == "deleted", "bye has its name")


run(a_polyfill_resumes_by_a_parameter, what_says_nothing_is_ignored, a_misspelling_is_refused_with_what_was_meant,
    a_time_is_taken_in_every_form, either_case_is_that_of_any_letter, no_block_is_empty_but_heartbeats, a_comment_moves_the_cursor_of_who_reads_lines,
    no_type_of_an_event_steers_a_client, events_may_come_without_a_name)
