#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wrong configurations: exit 2, every mistake with its place and a remedy, nothing started."""
from harness import *


def says(site, text, *wanted, status=2, count=None, commands=("check", "run")):
    """`sluice check` and `sluice run` of this configuration say all of `wanted`."""
    path = site.path("c.yaml")
    with open(path, "w") as f:
        f.write(text.replace("DIR", site.dir))
    for command in commands:
        done = subprocess.run([SLUICE, command, "-c", path], capture_output=True, text=True, timeout=30 * PATIENCE)
        check(done.returncode == status, "%s ended with %d: %s" % (command, done.returncode, done.stderr))
        for w in wanted:
            w = w.replace("FILE", path).replace("DIR", site.dir)
            check(w in done.stderr, "%s does not say %r but\n%s" % (command, w, done.stderr))
        if count is not None:
            lines = [x for x in done.stderr.splitlines() if x.startswith(path)]
            check(len(lines) == count, "%d mistakes are told:\n%s" % (len(lines), done.stderr))
    check(not os.path.exists(site.path("state")), "something was started")


def every_mistake_is_told_at_once_with_its_place(site):
    says(site, """hub:
  state_dir: DIR/state
  respoders: 2
channels:
  web: {durability: processs, history: {size: lots}}
sources:
  a:
    type: file
    channel: web
    include: [relative/path]
    read_form: end
  b: {type: file, channel: 'no good', include: [/x]}
  c: {type: fiel, channel: web}
""",
         'FILE:3:3: hub.respoders: unknown option (did you mean "responders"?)',
         'FILE:5:21: channels.web.durability: "processs" is not one of memory, process, disk (did you mean "process"?)',
         'FILE:5:47: channels.web.history.size: "lots" is not a size such as 64KiB',
         'FILE:10:15: sources.a.include: "relative/path" is not an absolute path',
         'FILE:11:5: sources.a.read_form: unknown option (did you mean "read_from"?)',
         'FILE:12:28: sources.b: "no good" cannot name a channel',
         'FILE:13:13: sources.c: there is no plugin "fiel" in ', '(did you mean "file"?)',
         'FILE:13:6: sources.c: "include" is missing', count=8)


def wrong_type(site):
    says(site, "sources:\n  - a\n", "FILE:2:3: sources: a list where a map is expected", count=1)
    says(site, "sources:\n  a: {type: file, channel: x, include: {y: z}}\n",
         "FILE:2:40: sources.a.include: a map where an absolute path or pattern", count=1)
    says(site, "hub: {responders: many}\nsources:\n  a: {type: file, channel: x, include: /x}\n",
         'FILE:1:19: hub.responders: "many" is not a whole number', count=1)
    says(site, "hub: {responders: 0}\nsources:\n  a: {type: file, channel: x, include: /x}\n",
         "FILE:1:19: hub.responders: 0 is out of range (allowed: 1 to 64)", count=1)


def an_option_without_effect_is_told(site):
    """Also one that is set to what it is anyway; one that says no to something is none."""
    cases = (("type: file, include: [/x], partial_timeout: 30s", "partial_timeout has no effect without parse: docker or parse: cri"),
             ("type: file, include: [/x], multiline: {timeout: 5s}", "multiline.timeout has no effect without multiline.preset, "),
             ("type: file, include: [/x/*], follow_links: true", 'follow_links has no effect without "**" in include'),
             ("type: file, include: [/x], time_zone: UTC", "time_zone has no effect without parse"),
             ("type: command, shell: ls, mode: daemon, interval: 60s", "interval has no effect without mode: interval"),
             ("type: command, shell: ls, on_exit: restart", "on_exit has no effect without mode: daemon"),
             ("type: metrics, collectors: [cpu], disk: {exclude: [loop*]}", "disk.exclude has no effect without collectors: disk"),
             ("type: syslog, listen: 'udp:127.0.0.1:5514', max_connections: 1000", 'max_connections has no effect without "tcp:" in listen'),
             ("type: syslog, listen: 'udp:127.0.0.1:5514', socket_mode: '0666'", 'socket_mode has no effect without "unix" in listen'))
    quiet = ("type: file, include: [/x], parse: docker, partial_timeout: 30s", "type: file, include: [/x], follow_links: false, parse_message: none",
             "type: file, include: ['/x/**'], follow_links: true", "type: metrics, disk: {exclude: [loop*]}",
             "type: syslog, listen: ['udp:127.0.0.1:5514', 'tcp:127.0.0.1:5514'], max_connections: 5, idle_timeout: 0, allow: [127.0.0.0/8]")
    site.write_config("".join("s%d: {channel: c, %s}\n" % (i, text) for i, text in enumerate([c[0] for c in cases] + list(quiet))))
    status, out = site.sluice_command("check")
    for i, (_, want) in enumerate(cases):
        check("sources.s%d: %s" % (i, want) in out, out)
    check(status == 0 and out.count("has no effect") == len(cases), out)


def addresses_and_directories_that_cannot_work(site):
    rest = "\nsources:\n  a: {type: file, channel: x, include: /x}\n"
    says(site, "hub: {listen: []}" + rest, "FILE:1:15: hub.listen: an empty list", count=1)
    says(site, "hub: {listen: [unix:/a, unix:/a]}" + rest, 'hub.listen: "unix:/a" stands there twice', count=1)
    says(site, "hub: {listen: ['tcp://127.0.0.1:9000']}" + rest, 'did you mean "tcp:127.0.0.1:9000"?', count=1)
    says(site, "hub: {listen: ['tcp:9000']}" + rest, "(write tcp:127.0.0.1:9000 for this machine alone, or tcp:0.0.0.0:9000", count=1)
    says(site, "sources:\n  a: {type: file, channel: x, include: /x, multiline: [java]}\n",
         "sources.a.multiline: a list where one of none, time, java,", count=1)
    says(site, "sources:\n  a: {type: file, channel: x, include: /x, parse: }\n", "no value (write one of none, json,", count=1)
    says(site, "sources:\n  a:\n  type: file\n", 'a map is expected (indent "type:" and "channel:" below', count=2)
    says(site, "hub: {listen: [nowhere]}" + rest, 'hub.listen: "nowhere" is not an address (write unix:', count=1)
    says(site, "hub: {state_dir: /%s}" % ("d" * 120) + rest, "hub.state_dir: longer than 94 characters", count=1)


def mistakes_come_in_the_order_of_their_lines(site):
    """However they are found: while reading, across channels and sources, by the plugins."""
    os.mkdir(site.path("conf.d"))
    with open(site.path("conf.d/a.yaml"), "w") as f:
        f.write("channels:\n  late: {tail: x}\n")
    config = """sources:
  a: {type: file, channel: derived, include: /x, read_from: middle}
  b: {type: file, channel: ok, include: x}
channels:
  derived: {from: [okk]}
  no good: {}
hub: {listen: 'tcp:9'}
access: {admin: [alice]}
"""
    says(site, config, count=7)
    done = subprocess.run([SLUICE, "check", "-c", site.path("c.yaml")], capture_output=True, text=True)
    places = re.findall(r"^(?:%s/)?(c|conf.d/a)\.yaml:(\d+):(\d+): " % re.escape(site.dir), done.stderr, re.M)
    wanted = [("c", 2), ("c", 2), ("c", 3), ("c", 5), ("c", 6), ("c", 7), ("c", 8), ("conf.d/a", 2)]
    check([(f, int(line)) for f, line, _ in places] == wanted, done.stderr)
    check(int(places[0][2]) < int(places[1][2]), done.stderr)


def a_mistake_in_a_name_hides_no_other(site):
    rest = "channel: web, include: relative, max_line: abc, rate_limit: yes"
    others = ('"relative" is not an absolute path', "sources.a.max_line", "sources.a.rate_limit")
    for name in ("type: file, ", "type: fiel, ", "type: 'a file', "):
        says(site, "sources:\n  a: {%s%s}\n" % (name, rest), *others)
    says(site, "sources:\n  'a name': {type: file, %s}\n" % rest, "sources.a name: not a name", "sources.a name.max_line")
    says(site, "sources:\n  a: {type: file, channel: 'no good', include: /x, read_from: middle, max_line: abc}\n",
         '"no good" cannot name a channel', "sources.a.read_from: write beginning", "sources.a.max_line", count=3)


def what_was_meant_is_suggested(site):
    rest = "\nsources:\n  a: {type: file, channel: web, include: /x}\n"
    for hub, words in (("linger: 30", '(did you mean "30s"?)'), ("linger: 5M", '(did you mean "5m"?)'), ("linger: x", "units: ns, us, ms"),
                       ("free_space: 64K", '(did you mean "64KiB"?)'), ("linger: 0.1s", "(allowed: 1s to 1d)"),
                       ("free_space: 9999TiB", "(allowed: 0 to 1TiB)"),
                       ("listen: /run/x.sock", 'did you mean "unix:/run/x.sock"?'),
                       ("listen: 'tpc:localhost:9'", 'did you mean "tcp:localhost:9"?'), ("listen: x", "write unix:/path or tcp:host:port")):
        says(site, "hub: {%s}%s" % (hub, rest), "FILE:1:", words, count=1, commands=("check",))
    for channel, words in (("gzip: yes", '(did you mean "true"?)'), ("gzip: maybe", '"maybe" is not true or false'),
                           ("from: [wbe]", '(did you mean "web"?)'), ("from: [other]", "(there are web"),
                           ("access: alice", 'did you mean "user:alice"?'), ("access: [10.0.0.0/8]", 'did you mean "net:10.0.0.0/8"?'),
                           ("access: authentcated", 'did you mean "authenticated"?'), ("access: ['user: x']", "(write anyone, authenticated")):
        says(site, "channels: {c: {%s}}%s" % (channel, rest), "FILE:1:", words, count=1, commands=("check",))
    for source, words in (("type: command, argv: ls -l  /tmp", 'write argv: [ls, -l, /tmp], one word for each item, or shell: "ls -l  /tmp"'),
                          ("type: syslog, listen: '514'", 'did you mean "udp:127.0.0.1:514"?'),
                          ("type: syslog, listen: x", "write udp:host:port, tcp:host:port, tls:host:port, unix:/path, unix-stream:/path")):
        says(site, "sources:\n  a: {channel: web, %s}\n" % source, "FILE:2:", words, count=1, commands=("check",))


def a_line_longer_than_an_event_is_remarked(site):
    config = "hub: {state_dir: %s}\nsources:\n  a: {type: file, channel: web, include: /x, max_line: %s}\n"
    for size, told in (("1MiB", True), ("64KiB", False)):
        with open(site.path("c.yaml"), "w") as f:
            f.write(config % (site.path("state"), size))
        done = subprocess.run([SLUICE, "check", "-c", site.path("c.yaml")], capture_output=True, text=True)
        words = "c.yaml:3:56: sources.a.max_line: 1MiB is more than hub.limits.event_size, 64KiB"
        check(done.returncode == 0 and (words in done.stdout) == told, done.stdout + done.stderr)


def a_configuration_does_not_command_the_terminal(site):
    """Escape sequences, C1 controls, other directions, lines that pass for another error's."""
    evil = "a\x1b]0;x\x07\x9b2J\x7f\u202egpj.exe\u2066\u2028\rb"
    yaml_text = json.dumps(evil + "\nc.yaml:1:1: all is well")
    shown = r"a\x1b]0;x\x07\x9b2J\x7f\u202egpj.exe\u2066\u2028\x0db"
    with open(site.path("members"), "w") as f:
        f.write("two words%s: x\nno colon\n" % evil)
    for text in ("sources:\n  %s: {type: file, channel: x, include: /x}\n", "sources: {a: {type: %s, channel: x}}\n",
                 "sources: {a: {type: file, channel: %s, include: %s, read_from: %s, max_line: %s}}\n",
                 "channels: {%s: {}}\nsources: {}\n", "channels: {x: {from: [%s], filter: %s, access: [%s]}}\nsources: {}\n",
                 "hub: {listen: %s, prefix: %s, web_users: [%s], %s: x}\nsources: {}\n", "%s: x\nsources: {}\n",
                 "access: {origins: [%s], hosts: [%s], certificate: %s, groups: DIR/members}\nsources: {}\n",
                 "sources: {a: {type: command, channel: x, argv: %s, redact: %s}}\n", "sources: {a: {type: file, channel: x, include: '${file:/%s}'}}\n"
                 % evil.replace("\r", "").replace("\x1b", "").replace("\x07", "").replace("\x7f", "").replace("\x9b", "")):
        with open(site.path("c.yaml"), "w") as f:
            f.write(text.replace("DIR", site.dir).replace("%s", yaml_text))
        for command in ("check", "run", "reload", "journal stat", "mount lighttpd", "ticket --channel x"):
            done = subprocess.run([SLUICE, *command.split(), "-c", site.path("c.yaml")], capture_output=True, timeout=30 * PATIENCE)
            out = (done.stdout + done.stderr).decode()
            bad = [c for c in out if c != "\n" and c != "\t" and (ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 or c in "\u2028\u202e\u2066")]
            check(not bad, "%s of %s prints %r" % (command, text, out))
            check("\nc.yaml:1:1: all is well" not in out, out)
            check(command != "check" or "file:" in text or shown in out or r"\u2028" in out, out)


def two_of_one_name(site):
    says(site, "sources:\n  a: {type: file, channel: x, include: /x}\n  a: {type: file, channel: x, include: /y}\n",
         'FILE:3:3: duplicate key "a" (it stands in line 2 already', count=1)


def tab(site):
    says(site, "sources:\n\ta: {type: file}\n", "FILE:2:1: a tab is used for indentation", count=1)
    # What is cut off by it lacks nothing.
    says(site, "hub: {linger: x}\nsources:\n  a:\n    type: file\n\tchannel: x\n", "FILE:1:15: hub.linger", "FILE:5:1: a tab", count=2)


def missing_things(site):
    says(site, "sources:\n  a: {include: /x}\n", 'FILE:2:6: sources.a: "type" is missing (the plugin, such as file)',
         '"channel" is missing', count=2)
    says(site, "sources:\n  a: {type: file, channel: x}\n", '"include" is missing (files to follow', count=1)
    says(site, "hub: {}\n", 'no sources (add "sources:" with at least one)', count=1)
    says(site, "", 'is empty (it needs at least "sources:")', count=1)


def the_plugin_itself_refuses(site):
    says(site, "sources:\n  a: {type: file, channel: x, include: /x, read_from: middle}\n",
         "FILE:2:55: sources.a.read_from: write beginning, end, or a number of lines", count=1)


def unreadable_and_absent_files(site):
    for command in ("check", "run"):
        done = subprocess.run([SLUICE, command, "-c", site.path("none.yaml")], capture_output=True, text=True)
        check(done.returncode == 2 and "no such file (name one with -c FILE or SLUICE_CONFIG)" in done.stderr, done.stderr)
    os.mkdir(site.path("dir.yaml"))
    done = subprocess.run([SLUICE, "check", "-c", site.path("dir.yaml")], capture_output=True, text=True)
    check(done.returncode == 2 and "cannot be read: Is a directory" in done.stderr, done.stderr)


def a_plugin_that_is_none(site):
    os.mkdir(site.path("plugins"))
    with open(site.path("plugins/text.so"), "w") as f:
        f.write("not ELF")
    # `run` starts the rest all the same: test_hostile.py.
    says(site, "hub: {plugin_dir: DIR/plugins}\nsources:\n  a: {type: text, channel: x}\n",
         "FILE:3:13: sources.a: DIR/plugins/text.so: no shared object", count=1, commands=("check",))


def substitutions(site):
    os.environ.pop("NOT_SET", None)
    says(site, "sources:\n  a: {type: file, channel: x, include: '${env:NOT_SET}/x', read_from: '${file:/none}'}\n",
         "the environment variable NOT_SET is not set", "cannot read /none: No such file or directory")


def usage(site):
    for args, status, words in ((["--help"], 0, "usage: sluice COMMAND"), (["--version"], 0, "sluice 0."),
                                (["runn"], 2, 'did you mean "run"?'), (["run", "-x"], 2, 'unknown option "-x"'),
                                (["run", "-c"], 2, "-c needs a value: -c FILE"), (["check", "--help"], 0, "usage: sluice check"),
                                (["hub"], 2, "started by sluice itself"), ([], 2, "usage")):
        done = subprocess.run([SLUICE, *args], capture_output=True, text=True)
        check(done.returncode == status and words in done.stdout + done.stderr,
              "%s: %d %s" % (args, done.returncode, done.stdout + done.stderr))


run(every_mistake_is_told_at_once_with_its_place, mistakes_come_in_the_order_of_their_lines, a_mistake_in_a_name_hides_no_other,
    what_was_meant_is_suggested, a_line_longer_than_an_event_is_remarked, a_configuration_does_not_command_the_terminal, wrong_type, an_option_without_effect_is_told, addresses_and_directories_that_cannot_work, two_of_one_name, tab, missing_things,
    the_plugin_itself_refuses, unreadable_and_absent_files, a_plugin_that_is_none, substitutions, usage)
