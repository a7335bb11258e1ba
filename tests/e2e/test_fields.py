# SPDX-License-Identifier: MIT
"""What a line says and what sluice adds to it, as fields of one event."""
import random
import time

from harness import *

SOURCE = "%s: {type: file, channel: %s, include: [DIR/%s.log], read_from: beginning, sweep_interval: 100ms%s}\n"


def begin(site, **options):
    """A source and a channel for each name, with these options."""
    for name in options:
        open(site.path(name + ".log"), "w").close()
    site.up("".join(SOURCE % (name, name, name, "".join(", " + o for o in [more] if o)) for name, more in options.items()))
    site.ready()


def append(site, name, *lines):
    with open(site.path(name + ".log"), "ab") as f:
        f.write(b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines))


def events(site, name, n, more=""):
    """The data of the first n events of a channel, as text and as JSON."""
    got = []
    s = site.stream("channel=%s&earliest=1%s" % (name, more))
    s.events(lambda e: e.type != "hello" and (got.append(e) or len(got) == n))
    s.close()
    return got


def names_of(e):
    """Every name in the fields of an event, also those that occur twice."""
    names = []
    json.loads(e.data, object_pairs_hook=lambda pairs: (names.append([k for k, _ in pairs]), dict(pairs))[1])
    return max((n for n in names if "channel" not in n), key=len, default=[])


def a_field_name_occurs_once_and_means_the_same_everywhere(site):
    begin(site, web="parse: clf", app="parse: json", kv="parse: logfmt",
          own="parse: regex, regex: '^(?<path>\\S+) (?<log>.*)', path_field: path")
    append(site, "web", '10.0.0.1 - - [21/Nov/2026:06:00:00 +0100] "GET /login HTTP/1.1" 200 123')
    append(site, "app", '{"path": "/spoofed", "log.file.path": "/etc/passwd", "log": {"file": {"path": "/etc/shadow"}}, "msg": "hi"}')
    append(site, "kv", 'log.file.path=/etc/passwd a=1 a=2 msg=one msg=two')
    append(site, "own", "/a b")
    e, = events(site, "web", 1, "&filter=fields.path%20==%20%22/login%22")
    check(e.json()["fields"]["path"] == "/login" and e.json()["fields"]["log.file.path"] == site.path("web.log"), repr(e))
    e, = events(site, "app", 1)
    f = e.json()["fields"]
    check((f["path"], f["log.file.path"], f["log.file.path_2"], f["log.file.path_3"]) ==
          ("/spoofed", site.path("app.log"), "/etc/passwd", "/etc/shadow"), repr(f))
    e, = events(site, "app", 1, "&filter=fields.log.file.path%20==%20%22" + site.path("app.log") + "%22")
    check(len(set(names_of(e))) == len(names_of(e)) == 4, repr(e))
    e, = events(site, "kv", 1)
    f = e.json()["fields"]
    check((f["log.file.path"], f["log.file.path_2"], f["a"], f["a_2"]) == (site.path("kv.log"), "/etc/passwd", 1, 2), repr(f))
    check(e.json()["message"] == "one" and f["msg"] == "two", repr(e))
    e, = events(site, "own", 1)
    check(e.json()["fields"]["path"] == site.path("own.log") and e.json()["fields"]["path_2"] == "/a", repr(e))
    schema = site.json("/schema/web")["$defs"]["line"]["properties"]["fields"]["properties"]
    check("log.file.path" in schema and "path" not in schema, repr(schema))


def logfmt_as_its_users_write_it(site):
    begin(site, kv="parse: logfmt")
    append(site, "kv", r'ts=1767323045.5 level=warn msg="line one\nline\ttwo \"q\" \u00e4" n=12 empty= on',
           "ts=1767323045123 msg=ms", "time=\"2026-01-02T03:04:05Z\"  msg=\"open quote a=1", "no pairs at all")
    a, b, c, d = [e.json() for e in events(site, "kv", 4)]
    check(a["message"] == 'line one\nline\ttwo "q" \u00e4' and a["severity"] == "warning", repr(a))
    check(a["time"] == "2026-01-02T03:04:05.500000Z" and b["time"] == "2026-01-02T03:04:05.123000Z", repr((a, b)))
    check((a["fields"]["n"], a["fields"]["empty"], a["fields"]["on"]) == (12, "", True), repr(a))
    check(c["message"] == "open quote a=1" and "quote" in c["fields"]["log.parse.problems"], repr(c))
    check(d["fields"]["unparsed"] is True and d["message"] == "no pairs at all", repr(d))


ID = "0123456789abcdef" * 4
STAMP = "2026-01-02T03:04:%02d.123456789Z"


def docker_line(text, stream="stdout", second=5, **more):
    return json.dumps({"log": text, "stream": stream, **more, "time": STAMP % second})


def cri_line(text, stream="stdout", tag="F", second=5):
    return "%s %s %s %s" % (STAMP % second, stream, tag, text)


def begin_containers(site):
    """One container of docker's, and one of Kubernetes, that is known by a link."""
    docker = "docker/%s/%s-json" % (ID, ID)
    os.makedirs(site.path("docker/" + ID))
    with open(site.path("docker/%s/config.v2.json" % ID), "w") as f:
        json.dump({"Name": "/shop", "Config": {"Image": "shop:1"}}, f)
    os.makedirs(site.path("log/pods/web_pod-1_uid-9/app"))
    os.makedirs(site.path("log/containers"))
    cri = "log/pods/web_pod-1_uid-9/app/2"
    os.symlink(site.path(cri + ".log"), site.path("log/containers/pod-1_web_app-%s.log" % ID))
    for name in (docker, cri, "join"):
        open(site.path(name + ".log"), "w").close()
    more = "read_from: beginning, sweep_interval: 100ms, restart: {backoff: 20ms..50ms, attempts: 0}"
    site.up("d: {type: file, channel: d, include: [DIR/docker/*/*.log], parse: docker, parse_message: json, %s}\n"
            "c: {type: file, channel: c, include: [DIR/log/containers/*.log], parse: cri, %s}\n"
            "j: {type: file, channel: j, include: [DIR/join.log], parse: cri, multiline: {continue: '^\\s', timeout: 60s}, "
            "on_long_line: split, max_line: 1KiB, %s}\n" % (more, more, more))
    site.ready()
    return docker, cri


def what_containers_write(site):
    docker, cri = begin_containers(site)
    append(site, docker, docker_line("plain\n"), docker_line('{"level":"error","msg":"broke","n":1}\n', "stderr"),
           docker_line("x" * 16384), docker_line("<" * 16384), docker_line("end\r\n", attrs={"tag": "t"}), "not docker's")
    a, b, c, d = [e.json() for e in events(site, "d", 4)]
    check(a["message"] == "plain" and a["time"] == "2026-01-02T03:04:05.123456Z", repr(a))
    want = {"log.file.path": site.path(docker + ".log"), "log.iostream": "stdout", "container.id": ID, "container.name": "shop",
            "container.image.name": "shop:1", "unparsed": True}
    check(a["fields"] == want, repr(a["fields"]))
    check((b["message"], b["severity"], b["fields"]["n"], b["fields"]["log.iostream"]) == ("broke", "error", 1, "stderr"), repr(b))
    check("unparsed" not in b["fields"], repr(b))
    check(c["message"] == "x" * 16384 + "<" * 16384 + "end", "not joined: %r..." % c["message"][:100])
    check(d["message"] == "not docker's" and d["fields"]["unparsed"] is True and "log.iostream" not in d["fields"], repr(d))

    append(site, cri, cri_line("one"), cri_line("err ", "stderr", "P"), cri_line("half ", tag="P"), cri_line("ERROR or", "stderr"),
           cri_line("whole"), cri_line(""))
    got = [e.json() for e in events(site, "c", 4)]
    check([m["message"] for m in got] == ["one", "err ERROR or", "half whole", ""], repr(got))
    want = {"log.file.path": site.path("log/containers/pod-1_web_app-%s.log" % ID), "log.iostream": "stdout",
            "k8s.namespace.name": "web", "k8s.pod.name": "pod-1", "k8s.pod.uid": "uid-9", "k8s.container.name": "app",
            "k8s.container.restart_count": 2, "container.id": ID}
    check(got[0]["fields"] == want and got[1]["severity"] == "error", repr(got[:2]))
    # The kubelet rotates: what is half there comes as it is, and says so.
    append(site, cri, cri_line("begun ", tag="P"))
    os.rename(site.path(cri + ".log"), site.path(cri + ".log.20260102-030405"))
    append(site, cri, cri_line("ended"), cri_line("next"))
    got = [e.json() for e in events(site, "c", 7)][4:]
    check([(m["message"], m.get("partial")) for m in got] == [("begun ", True), ("ended", None), ("next", None)], repr(got))
    check(got[0]["fields"]["k8s.pod.name"] == "pod-1" and got[1]["fields"]["k8s.pod.name"] == "pod-1", repr(got))


def a_line_in_pieces_across_kills(site):
    """Neither lost nor doubled, whatever is half there when the source is killed, on both streams."""
    docker, cri = begin_containers(site)

    def kill():
        site.kill("source")
        for name in "dcj":
            site.wait_state(name, "running")

    def read(name, n):
        size = os.path.getsize(site.path(n + ".log"))
        wait_for(lambda: site.source(name)["counters"].get("bytes", 0) >= size, "all of it to be read")
    append(site, cri, cri_line("out 1 ", tag="P"), cri_line("err 1", "stderr"), cri_line("err 2a ", "stderr", "P"))
    append(site, docker, docker_line("a" * 16384), docker_line("err\n", "stderr"))
    append(site, "join", cri_line("A"), cri_line(" b "), cri_line("E", "stderr"), cri_line(" f ", "stderr", "P"))
    check([e.json()["message"] for e in events(site, "c", 1)] == ["err 1"], "what is whole waits for what is not")
    for name, path in (("c", cri), ("d", docker), ("j", "join")):
        read(name, path)
    kill()
    append(site, cri, cri_line("out 1b ", tag="P"), cri_line("err 2b", "stderr"), cri_line("err 3", "stderr"))
    check([e.json()["message"] for e in events(site, "c", 3)] == ["err 1", "err 2a err 2b", "err 3"], "%r" % events(site, "c", 3))
    kill()
    append(site, cri, cri_line("out 1c"), cri_line("last"))
    append(site, docker, docker_line("b\n"), docker_line("last\n"))
    append(site, "join", cri_line("g", "stderr"), cri_line("c"), cri_line("G", "stderr"), cri_line("y" * 1000, tag="P"),
           cri_line("z" * 1000, tag="P"), cri_line("!"), cri_line("last"), cri_line("last", "stderr"))
    want = ["err 1", "err 2a err 2b", "err 3", "out 1 out 1b out 1c", "last"]
    check([e.json()["message"] for e in events(site, "c", 5)] == want, "%r" % events(site, "c", 5))
    check([e.json()["message"] for e in events(site, "d", 3)] == ["err", "a" * 16384 + "b", "last"], "docker's")
    got = [e.json()["message"] for e in events(site, "j", 6)]
    check(got == ["A\n b ", "E\n f g", "c", "y" * 1000, "z" * 1000 + "!", "G"], repr(got))
    kill()
    append(site, cri, cri_line("the end"))
    check([e.json()["message"] for e in events(site, "c", 6)] == want + ["the end"], "something comes twice")


def pieces_of_two_streams_under_kills(site):
    """Lines of both streams in pieces, alternating at random: each arrives once, whole, in its stream's order."""
    docker, cri = begin_containers(site)
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    kills, total = (200, 20000) if LONG else (15, 2000)
    whole = {"stdout": [], "stderr": []}
    n = {"stdout": 0, "stderr": 0}
    left = {"stdout": 0, "stderr": 0}
    for i in range(kills):
        lines = []
        while min(n.values()) < (i + 1) * total // kills:
            stream = rng.choice(("stdout", "stderr"))
            if not left[stream]:
                n[stream] += 1
                left[stream] = rng.choice((1, 1, 1, 2, 5))
                whole[stream].append("")
            left[stream] -= 1
            piece = "%s %d.%d " % (stream, n[stream], left[stream])
            whole[stream][-1] += piece
            lines.append(cri_line(piece, stream, "P" if left[stream] else "F"))
        for k in range(0, len(lines), 50):
            append(site, cri, *lines[k:k + 50])
        time.sleep(rng.random() / 20)
        site.kill("source")
    append(site, cri, *[cri_line("end", s, "F") for s in ("stdout", "stderr")])
    for stream in whole:
        whole[stream][-1] += "end" if left[stream] else ""
        whole[stream] += [] if left[stream] else ["end"]
    count = sum(len(w) for w in whole.values())
    got = [e.json() for e in events(site, "c", count) if e.type == "line"]
    for stream, want in whole.items():
        have = [m["message"] for m in got if m["fields"]["log.iostream"] == stream]
        first = next((i for i, (a, b) in enumerate(zip(have, want)) if a != b), min(len(have), len(want)))
        check(have == want, "%s (seed %d): %d of %d lines, at %d %r instead of %r" %
              (stream, seed, len(have), len(want), first, have[first:first + 3], want[first:first + 3]))


def one_bad_value_does_not_spoil_a_json_line(site):
    begin(site, app="parse: json")
    append(site, "app", '{"time":"2026-01-02T03:04:05Z","level":"error","msg":"hi","id":18446744073709551615,"x":1e400,"y":NaN,"a":1,"a":2,'
           '"deep":%s1%s,"path":"C:\\x"}' % ("[" * 500, "]" * 500), b'{"msg":"\xff \\x41","n":1}')
    a, b = [e.json() for e in events(site, "app", 2)]
    check((a["time"], a["severity"], a["message"]) == ("2026-01-02T03:04:05.000000Z", "error", "hi"), repr(a))
    f = a["fields"]
    check((f["id"], f["x"], f["y"], f["a"], f["a_2"], f["path"]) == ("18446744073709551615", "1e400", "NaN", 1, 2, "C:\\x"), repr(f))
    check(f["deep"] == "[" * 500 + "1" + "]" * 500 and "unparsed" not in f, repr(f))
    check(all(n in f["log.parse.problems"] for n in ("id: ", "x: ", "y: ", "deep: ")), repr(f))
    check(b["message"] == "\ufffd \\x41" and b["fields"]["n"] == 1 and "escape" in b["fields"]["log.parse.problems"], repr(b))


run(one_bad_value_does_not_spoil_a_json_line, pieces_of_two_streams_under_kills, what_containers_write, a_line_in_pieces_across_kills, logfmt_as_its_users_write_it,
    a_field_name_occurs_once_and_means_the_same_everywhere)
