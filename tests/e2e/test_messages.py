#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What commands say: help that fits, mistakes that name themselves, and nothing that
commands a terminal."""
from harness import *

COMMANDS = ("run", "check", "reload", "drain", "upgrade", "journal", "mount", "doctor", "ticket", "plugins", "run-plugin",
            "test-plugin", "new-plugin")
# Not a tab or a line feed: all other controls, and those of bidirectional text.
COMMANDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def say(*args, env=None, timeout=60):
    """(status, all that a command prints)"""
    p = subprocess.run([SLUICE, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                       timeout=timeout * PATIENCE, env={**os.environ, **(env or {})})
    return p.returncode, p.stdout.decode()


def help_of_every_command_fits_a_terminal(site):
    for args in ((), *((c,) for c in COMMANDS)):
        for flag in ("--help", "-h"):
            status, text = say(*args, flag)
            check(status == 0 and text.startswith(("usage: sluice", "sluice streams")), text)
            # The path of the installed configuration is as long as its prefix.
            wide = [line for line in text.split("\n") if len(line) > 80 and not line.strip().startswith("/")]
            check(not wide, "%s: %r" % (args, wide))
    check(say("help", "drain") == say("drain", "--help"), "sluice help drain")
    check(say("journal", "cat", "--help")[0] == 0 and say("run-plugin", "file", "-h")[0] == 0, "help behind words")


def help_explains_the_options_of_the_synopsis(site):
    """And those alone: whatever it explains is known, and found behind a typing mistake."""
    for command in COMMANDS:
        text = say(command, "--help")[1]
        synopsis, explained = text.split("\n\n", 1)[0], text.split("\noptions:\n")[1]
        listed = re.findall(r"^ +(?:-., )?--([a-z-]+)(?: [A-Z/].*)?(?:$|  )", explained, re.M)
        named = {m for m in re.findall(r"--([a-z-]+)", synopsis)} | ({"config"} if "-c FILE" in synopsis else set())
        check(named == set(listed) - {"help", "attached"}, "%s: %s, but %s" % (command, sorted(named), listed))
        for name in listed:
            check(len(name) < 4 or "did you mean --%s?" % name in say(command, "--%sx" % name)[1], "%s --%sx" % (command, name))


def a_mistake_on_the_command_line_names_itself(site):
    """The option, the value, what would be right, and how to see the help."""
    site.write_config("numbers: {type: file, channel: logs, include: DIR/a.log}")
    config = ("-c", site.path("sluice.yaml"))
    for args, words in (
            (("drain", "--over", "abc"), ("drain: --over abc: not a duration from 0s to 1h",)),
            (("drain", "--over=2h"), ("--over 2h: not a duration",)),
            (("drain", *config, "--over"), ("--over needs a value", "--over DURATION")),
            (("drain", "--over", ""), ('--over "": not a duration',)),
            (("drain", "--ovre", "3s"), ('"--ovre"', "did you mean --over?")),
            (("drain", "--cancel=now"), ('"--cancel=now": --cancel takes no value',)),
            (("drain", "--cancel", "--over", "3s"), ("--over and --cancel cannot be used together",)),
            (("check", "x.yaml"), ('"x.yaml"', "sluice check -c x.yaml")),
            (("check", "-c"), ("-c needs a value", "-c FILE")),
            (("check", "-c", ""), ('-c "": it is empty',)),
            (("check", "-xc"), ('"-x"',)),
            (("journal",), ("stat, verify or cat",)),
            (("journal", "foo"), ('"foo"',)),
            (("journal", "stats"), ('did you mean "stat"?',)),
            (("journal", "cat", *config), ("cat needs the name of a channel",)),
            (("journal", "cat", "logs", "--format", "xml", *config), ("--format xml: the formats are text or ndjson",)),
            (("journal", "cat", "logs", "--after", "x", *config), ("--after x: not an event id",)),
            (("journal", "cat", "logs", "--filter", "x =", *config), ("--filter x =: the filter, at character",)),
            (("mount", "lightpd"), ('"lightpd"', 'did you mean "lighttpd"?')),
            (("mount", "apache", "fastcgi"), ('"apache fastcgi"', "fcgid, cgi")),
            (("mount", "lighttpd", "--prefix", "logs"), ("--prefix logs",)),
            (("mount", "lighttpd", "cgi", "more"), ('"more"', "unexpected argument")),
            (("ticket", *config), ("which channels?",)),
            (("ticket", "--channel", "lgos", *config), ('no channel "lgos"', 'did you mean "logs"?')),
            (("ticket", "--channel", "logs", "--for", "soon", *config), ("--for soon: not a duration",)),
            (("plugins", "--jsn"), ("did you mean --json?",)),
            (("doctor", "--hold=3", "http://a"), ("doctor: --hold 3: not a duration from 15s",)),
            (("doctor", "--user"), ("--user needs a value", "NAME:PASSWORD")),
            (("doctor", "http://a", "http://b"), ('"http://b"', "unexpected argument")),
            (("plugins", "fiel"), ('"fiel"', 'did you mean "file"?')),
            (("run-plugin", "metrics", "interval=abc"), ('interval=abc: "abc" is not a duration', "sluice plugins metrics")),
            (("run-plugin", "metrics", "intervl=1s"), ("intervl=1s: the plugin has no such option", 'did you mean "interval"?')),
            (("run-plugin", "metrics", "interval"), ("interval: not key=value",)),
            (("test-plugin",), ("which plugin?",)),
            (("new-plugin", "No!"), ('"No!" cannot name a plugin',)),
            (("-c", "x"), ('"-c"', "behind a command")),
            (("chekc",), ('did you mean "check"?',))):
        status, text = say(*args)
        lost = [w for w in (*words, "see sluice ") if w.lower() not in text.lower()]
        check(status == 2 or args[0] in ("plugins", "run-plugin") and status, "%s ended with %d: %s" % (args, status, text))
        check(not lost or args[:2] == ("plugins", "fiel") or lost == ["see sluice "] and args[0] == "ticket",
              "%s does not say %r: %s" % (args, lost, text))


def options_are_written_as_everywhere(site):
    os.mkdir(site.path("state"))  # for the key of tickets
    site.write_config("numbers: {type: file, channel: logs, include: DIR/a.log}")
    path = site.path("sluice.yaml")
    for args in (("-c", path), ("-c" + path,), ("--config", path), ("--config=" + path,), ("--conf=" + path,)):
        status, text = say("check", *args)
        check(status == 0 and "good: 1 source, 2 channels" in text, text)
    for args in (("--config=" + path, "--user=tina", "--channel", "logs", "--for=1m"), ("--for", "1m", "-c" + path, "--channel=logs")):
        status, text = say("ticket", *args)
        check(status == 0 and text.startswith("st1."), text)
    status, text = say("journal", "--state=" + site.path("none"), "stat", "--", "logs")
    check(status == 1 and "No such file" in text, text)
    status, text = say("check", "-c", path, env={"POSIXLY_CORRECT": "1"})
    check(status == 0, text)


def a_ticket_that_no_header_would_take_is_refused(site):
    os.mkdir(site.path("state"))
    site.write_config("numbers: {type: file, channel: logs, include: DIR/a.log}",
                      channels="\n".join("%s: {}" % ("%02d" % i + "x" * 62) for i in range(64)))
    config = ("-c", site.path("sluice.yaml"), "--channel", "logs")
    for user in ("a", "\u00e4\u00f6\u00fc", "n" * 255, "alice@example.org", "CN=Alice, O=x"):
        check(say("ticket", "--user", user, *config)[0] == 0, user)
    for user in ("n" * 256, "n" * 9000, "a\nb", "a\x1b[31mb", "a\u202eb", "a\tb", ""):
        status, text = say("ticket", "--user", user, *config)
        check(status == 2 and "not a name of 1 to 255 bytes without control characters" in text, "%r: %s" % (user[:20], text))
        check(not COMMANDING.search(text), "%r" % text)
    many = [a for i in range(64) for a in ("--channel", "%02d" % i + "x" * 62)]
    status, text = say("ticket", "-c", site.path("sluice.yaml"), *many)
    check(status == 2 and "a cookie has 4000 at most" in text, text)


def words_of_a_plugin_do_not_command_the_terminal(site):
    os.mkdir(site.path("plugins"))
    build_plugin("tests/plugins/painter.c", site.path("plugins/painter.so"))
    env = {"SLUICE_PLUGIN_DIR": site.path("plugins")}
    site.write_config("a: {type: painter, channel: c, refuses: true, choice: x}\nb: {type: painter, channel: c, refuses: true}")
    for args in (("plugins",), ("plugins", "--json"), ("plugins", "painter"), ("plugins", "--markdown", "painter"),
                 ("plugins", "painter", "--json"), ("run-plugin", "painter", "refuses=true"), ("run-plugin", "painter", "choice=x"),
                 ("test-plugin", "painter", "refuses=true"), ("check", "-c", site.path("sluice.yaml")), ("run", "-c", site.path("sluice.yaml"))):
        status, text = say(*args, env=env)
        check(not COMMANDING.search(text), "%s prints %r" % (args, text))
        check("--json" not in args or json.loads(text), text)
        check("\\u202e" in text, "%s does not show it: %s" % (args, text))


def lines_do_not_command_the_terminal(site):
    """Neither as text from a stream nor from `sluice journal cat`, in any format."""
    os.mkdir(site.path("plugins"))
    build_plugin("tests/plugins/painter.c", site.path("plugins/painter.so"))
    os.environ["SLUICE_PLUGIN_DIR"] = site.path("plugins")
    try:
        site.up("a: {type: painter, channel: c}")
    finally:
        del os.environ["SLUICE_PLUGIN_DIR"]
    shown = "painted\\x1b]0;gotcha\\x07\\x9b2J\\u202eexe\\u2066\\x7f\\x0d"
    got = wait_for(lambda: (lambda x: x if "painted" in x else None)(
        say("journal", "cat", "c", "--state", site.path("state"))[1]), "the event")
    check(shown in got and not COMMANDING.search(got), "%r" % got)
    status, text = say("journal", "cat", "c", "--state", site.path("state"), "--format", "ndjson")
    check(not COMMANDING.search(text) and json.loads(text.split("\n")[0])["message"].startswith("painted\x1b]0;gotcha\x07\x9b2J\u202e"), "%r" % text)
    status, _, body = site.get("/history?channel=c&format=text")
    check(shown in body.decode() and not COMMANDING.search(body.decode()), "%r" % body)
    site.told("my log" + shown[len("painted"):])
    check(not COMMANDING.search(site.log()), "%r" % site.log())


def a_second_sluice_says_what_it_waits_for(site):
    """Within half a second; and starts as soon as the first one has gone."""
    site.up("numbers: {type: file, channel: logs, include: DIR/a.log}")
    first = site.sluice
    log = site.path("second.log")
    command = [SLUICE, "run", "-c", site.path("sluice.yaml")]
    with open(log, "wb") as f:
        second = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=f, stderr=f)
    told = "in use by another sluice (process %d): waiting" % first.pid
    wait_for(lambda: told in open(log).read(), "it to say so", 0.5 * (1 if PATIENCE == 1 else 4))
    site.sluice = second
    first.terminate()
    first.wait(10 * PATIENCE)
    wait_for(lambda: "listening on" in open(log).read(), "the second one to take over")
    third = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30 * PATIENCE)
    check(third.returncode == 1 and "stop that one, or name another directory" in third.stdout, third.stdout)


run(help_of_every_command_fits_a_terminal, help_explains_the_options_of_the_synopsis,
    a_mistake_on_the_command_line_names_itself, options_are_written_as_everywhere,
    a_ticket_that_no_header_would_take_is_refused, words_of_a_plugin_do_not_command_the_terminal, lines_do_not_command_the_terminal, a_second_sluice_says_what_it_waits_for)
