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
         'FILE:5:21: channels.web.durability: "processs" is none of memory, process, disk (did you mean "process"?)',
         'FILE:5:47: channels.web.history.size: "lots" is not a size such as 64KiB',
         'FILE:10:15: sources.a.include: "relative/path" is not an absolute path',
         'FILE:11:5: sources.a.read_form: unknown option (did you mean "read_from"?)',
         'FILE:12:28: sources.b: "no good" cannot name a channel',
         'FILE:13:13: sources.c: there is no plugin "fiel" in ', '(did you mean "file"?)', count=7)


def wrong_type(site):
    says(site, "sources:\n  - a\n", "FILE:2:3: sources: a list where a map is expected", count=1)
    says(site, "sources:\n  a: {type: file, channel: x, include: {y: z}}\n",
         "FILE:2:40: sources.a.include: a map where an absolute path or pattern", count=1)
    says(site, "hub: {responders: many}\nsources:\n  a: {type: file, channel: x, include: /x}\n",
         'FILE:1:19: hub.responders: "many" is not a whole number', count=1)
    says(site, "hub: {responders: 0}\nsources:\n  a: {type: file, channel: x, include: /x}\n",
         "FILE:1:19: hub.responders: 0 is out of range (allowed: 1 to 64)", count=1)


def addresses_and_directories_that_cannot_work(site):
    rest = "\nsources:\n  a: {type: file, channel: x, include: /x}\n"
    says(site, "hub: {listen: []}" + rest, "FILE:1:15: hub.listen: an empty list", count=1)
    says(site, "hub: {listen: [unix:/a, unix:/a]}" + rest, 'hub.listen: "unix:/a" stands there twice', count=1)
    says(site, "hub: {listen: [nowhere]}" + rest, 'hub.listen: "nowhere" is no address (write unix:', count=1)
    says(site, "hub: {state_dir: /%s}" % ("d" * 120) + rest, "hub.state_dir: longer than 94 characters", count=1)


def two_of_one_name(site):
    says(site, "sources:\n  a: {type: file, channel: x, include: /x}\n  a: {type: file, channel: x, include: /y}\n",
         'FILE:3:3: duplicate key "a" (it stands in line 2 already', count=1)


def tab(site):
    says(site, "sources:\n\ta: {type: file}\n", "FILE:2:1: a tab is used for indentation", count=1)


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
                                (["runn"], 2, 'did you mean "run"?'), (["run", "-x"], 2, '"-x" is not understood'),
                                (["run", "-c"], 2, "-c needs the name of a file"), (["check", "--help"], 0, "usage: sluice check"),
                                (["hub"], 2, "started by sluice itself"), ([], 2, "usage")):
        done = subprocess.run([SLUICE, *args], capture_output=True, text=True)
        check(done.returncode == status and words in done.stdout + done.stderr,
              "%s: %d %s" % (args, done.returncode, done.stdout + done.stderr))


run(every_mistake_is_told_at_once_with_its_place, wrong_type, addresses_and_directories_that_cannot_work, two_of_one_name, tab, missing_things,
    the_plugin_itself_refuses, unreadable_and_absent_files, a_plugin_that_is_none, substitutions, usage)
