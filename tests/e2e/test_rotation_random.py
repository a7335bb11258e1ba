#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Logs that are rotated at random in all ways, with kills, stops and reloads in between.

Each log has numbered lines.  Every number arrives once and in order; where one can't arrive, a gap
names the log, and no gap names a log of which nothing is lost.

In CI it is one short run with a fixed seed.  With TEST_LONG=1 there are many rounds, of seeds that
are printed.  These variables repeat a round, or change it:
    RANDOM_SEED      the seed; then there is one round
    RANDOM_WAYS      the ways to rotate, with commas between them
    RANDOM_MODE      auto or poll: how the source watches; otherwise half of the logs each
    RANDOM_SECONDS   how long the logs are written and rotated
    RANDOM_ROUNDS    how many rounds
"""
import gzip

from harness import *

SECONDS = float(os.environ.get("RANDOM_SECONDS", "40" if LONG else "5"))
ROUNDS = int(os.environ.get("RANDOM_ROUNDS", "20" if LONG else "1"))
SOURCE = "%s: {type: file, channel: logs, include: ['DIR/%s/*/{app.log,current}'], read_from: beginning, " \
         "watch: %s, sweep_interval: 200ms, rotate_wait: 500ms, restart: {backoff: 20ms..100ms, attempts: 0}%s}\n"
# What the sources of a group are told besides.
GROUPS = {"text": "", "gz": ", decompress: true", "docker": ", parse: docker", "cri": ", parse: cri",
          "crigz": ", parse: cri, decompress: true"}
ENDINGS = ("", ".gz", ".zst")


class Log:
    """A log and its writer, rotated as logrotate does it: to numbers that are shifted."""
    group = "text"
    name = "app.log"
    is_linked = False
    loses = False     # a rotation may remove what was not read
    is_exact = True   # otherwise a gap is no proof that something is lost
    has_order = True
    first = 1         # so many lines at least before the first rotation

    def __init__(self, site, random, way, mode):
        self.random, self.title = random, "%s-%s" % (way, mode)
        self.dir = site.path(self.group + "-" + mode, self.title)
        os.makedirs(self.dir)
        self.path = os.path.join(self.dir, self.name)
        if self.is_linked:
            os.makedirs(site.path("real", self.title))
            self.link_to(site.path("real", self.title, "0.log"))
        self.file = open(self.path, "ab", buffering=0)
        self.n = self.n_rotations = 0
        self.history = []
        while self.n < self.first:
            self.write()

    def note(self, text):
        self.history.append("%.3f %s" % (time.monotonic(), text))

    # -- writing ------------------------------------------------------------------

    def line(self, i):
        return "%s %d\n" % (self.title, i)

    def write(self, file=None):
        """Some lines, now and then in two pieces with a pause between them."""
        file, random = file or self.file, self.random
        last = self.n + random.choice([1, 1, 2, 3, 10, 10, 100])
        data = "".join(self.line(i) for i in range(self.n + 1, last + 1)).encode()
        self.note("lines %d to %d to %d" % (self.n + 1, last, os.fstat(file.fileno()).st_ino))
        self.n = last
        cut = random.randrange(len(data)) if random.random() < 0.3 and self.has_order else 0
        file.write(data[:cut])
        time.sleep(random.choice([0, 0, 0.01, 0.1]) if cut else 0)
        file.write(data[cut:])

    def reopen(self):
        """As a program does it when it is told, perhaps late."""
        if self.random.random() < 0.3:
            self.write()
        if self.random.random() < 0.3:
            time.sleep(self.random.choice([0.001, 0.01, 0.3]))
        self.file.close()
        self.file = open(self.path, "ab", buffering=0)

    # -- rotating -----------------------------------------------------------------

    def older(self, i, end=""):
        return "%s.%d%s" % (self.path, i, end)

    def shift(self):
        for i in range(98, 0, -1):
            for end in ENDINGS:
                with contextlib.suppress(FileNotFoundError):
                    os.rename(self.older(i, end), self.older(i + 1, end))
        os.rename(self.path, self.older(1))

    def create(self):
        open(self.path, "ab").close()

    def link_to(self, path):
        self.path = path
        self.create()
        link = os.path.join(self.dir, self.name)
        os.symlink(path, link + ".new~")
        os.rename(link + ".new~", link)

    def rotate(self):
        self.shift()
        if self.random.random() < 0.5:
            self.create()
        self.reopen()

    def act(self):
        if self.random.random() < 0.7:
            self.write()
            return
        self.note("rotation")
        self.n_rotations += 1
        self.rotate()
        self.note("rotated")


class Late(Log):
    """The program writes to the old file although there is no new one yet."""

    def rotate(self):
        self.shift()
        for pause in (self.random.choice([0, 0.05, 0.4]), 0):
            self.write()
            time.sleep(pause)
        self.reopen()


class Inner(Log):
    def older(self, i, end=""):
        return "%s.%d.log%s" % (self.path[:-len(".log")], i, end)


class Dated(Log):
    def rotate(self):
        os.rename(self.path, "%s-20261128-%d" % (self.path, time.time() * 1e6))
        self.create()
        self.reopen()


class Multilog(Log):
    name = "current"

    def rotate(self):
        seconds, ns = divmod(time.time_ns(), 10**9)
        os.rename(self.path, os.path.join(self.dir, "@4000%012x%08x.s" % (seconds, ns)))
        self.reopen()


class OldDir(Log):
    def older(self, i, end=""):
        return os.path.join(self.dir, "old", "app.log.%d%s" % (i, end))

    def rotate(self):
        os.makedirs(os.path.join(self.dir, "old"), exist_ok=True)
        super().rotate()


class Bak(Log):
    """One older file is kept."""
    loses = True
    is_exact = False

    def rotate(self):
        os.rename(self.path, self.path + ".bak")
        self.reopen()


class Hard(Log):
    def rotate(self):
        self.shift()
        with contextlib.suppress(FileExistsError):
            os.link(self.older(1), os.path.join(self.dir, "another-name-%d" % self.n))
        self.reopen()


class Linked(Log):
    is_linked = True


class Switched(Log):
    """The name is a link, which leads to another file each time."""
    is_linked = True

    def rotate(self):
        self.link_to(os.path.join(os.path.dirname(self.path), "%d.log" % self.n_rotations))
        self.reopen()


class Truncated(Log):
    """What is written between the copy and the truncation is lost, and so is what was not read of a copy."""
    loses = True
    is_exact = has_order = False

    def rotate(self):
        older = self.path
        self.shift()
        shutil.copyfile(self.older(1), older + ".copy~")
        os.rename(self.older(1), older)
        os.rename(older + ".copy~", self.older(1))
        time.sleep(self.random.choice([0, 0.01]))
        os.truncate(older, 0)


class Replaced(Log):
    """By a copy of itself, perhaps a longer one; what is shorter than 1 KiB is no proof."""
    first = 120

    def rotate(self):
        self.file.close()
        shutil.copyfile(self.path, self.path + ".new~")
        self.file = open(self.path + ".new~", "ab", buffering=0)
        if self.random.random() < 0.5:
            self.file.write(self.line(self.n + 1).encode())
            self.n += 1
        os.rename(self.path + ".new~", self.path)


class Compressed(Log):
    group = "gz"

    def compress(self, i):
        if os.path.exists(self.older(i)):
            subprocess.check_call(["gzip", self.older(i)])

    def rotate(self):
        self.shift()
        self.reopen()
        self.compress(1)


class Zstd(Compressed):
    def compress(self, i):
        subprocess.check_call(["zstd", "-q", "--rm", self.older(i)])


class Delayed(Compressed):
    def rotate(self):
        self.shift()
        self.reopen()
        self.compress(2)


class LateCompressed(Compressed):
    """The program writes to the old file until it is compressed."""

    def rotate(self):
        self.shift()
        self.create()
        self.write()
        self.reopen()
        self.compress(1)


class Kubelet(Log):
    """Compresses the older file when it rotates the next one, and does not keep its time."""
    group = "gz"

    def rotate(self):
        folder = os.path.dirname(self.path)
        for name in os.listdir(folder):
            if ".2026" in name and not name.endswith(".gz"):
                older = os.path.join(folder, name)
                with open(older, "rb") as plain, gzip.open(older + ".tmp", "wb") as packed:
                    shutil.copyfileobj(plain, packed)
                os.rename(older + ".tmp", older + ".gz")
                os.unlink(older)
        os.rename(self.path, "%s.20261128-%d" % (self.path, time.time() * 1e6))
        self.reopen()


class Docker(Log):
    group = "docker"
    TIME = "2026-11-28T15:00:00.%09dZ"

    def line(self, i):
        stream, text = ("stderr", "stdout")[i % 3 > 0], super().line(i).strip()
        pieces = [text[:4], text[4:] + "\\n"] if i % 7 == 3 else [text + "\\n"]
        return "".join('{"log":"%s","stream":"%s","time":"%s"}\n' % (p, stream, self.TIME % i) for p in pieces)


class Cri(Log):
    group = "cri"
    TIME = Docker.TIME

    def line(self, i):
        stream, text = ("stderr", "stdout")[i % 3 > 0], super().line(i)
        first = "%s %s P %s\n" % (self.TIME % i, stream, text[:4]) if i % 7 == 3 else ""
        return "%s%s %s F %s" % (first, self.TIME % i, stream, text[4:] if first else text)


class LinkedKubelet(Kubelet, Cri):
    group = "crigz"
    is_linked = True


WAYS = {"numbers": Log, "late": Late, "inner": Inner, "dated": Dated, "multilog": Multilog, "olddir": OldDir,
        "bak": Bak, "hard": Hard, "linked": Linked, "switched": Switched, "truncated": Truncated,
        "replaced": Replaced, "compressed": Compressed, "zstd": Zstd, "delayed": Delayed,
        "latecompressed": LateCompressed, "kubelet": Kubelet, "docker": Docker, "cri": Cri,
        "linkedkubelet": LinkedKubelet}


class Reader:
    """A client that comes back with the last id whenever its stream has ended."""

    def __init__(self, site, logs):
        self.site, self.stream, self.last_id = site, None, None
        self.lines = {log.title: [] for log in logs}
        self.gaps = {log.title: [] for log in logs}
        self.strange = []

    def take_one(self, e):
        self.last_id = e.id or self.last_id
        message = e.json().get("message", "") if e.type in ("line", "gap") else ""
        if e.type == "gap":
            title = next((t for t in self.gaps if "/%s/" % t in message), None)
            self.gaps[title].append(message) if title else self.strange.append(e)
        elif e.type == "line":
            title, _, number = message.partition(" ")
            if title in self.lines and number.isdigit():
                self.lines[title].append(int(number))
            else:
                self.strange.append(e)

    def take(self, seconds=0.02):
        with contextlib.suppress(OSError):
            if not self.stream:
                headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
                self.stream = self.site.stream("channel=logs&earliest=1", headers=headers)
            is_open = self.stream.fill(seconds)
            for e in filter(None, map(self.stream.parse, self.stream.blocks_pending())):
                self.take_one(e)
            if is_open:
                return
        self.drop()

    def drop(self):
        if self.stream:
            self.stream.close()
            self.site.streams.remove(self.stream)
        self.stream = None

    def has_all(self, log):
        lines = self.lines[log.title]
        return log.n in lines[-1000:] and (bool(self.gaps[log.title]) or len(set(lines)) == log.n)

    def until_all(self, logs, seconds, calm):
        """Until all is there, and a moment longer; what is missing is told later."""
        deadline = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < deadline and not all(map(self.has_all, logs)):
            self.take(0.1)
        deadline = time.monotonic() + calm
        while time.monotonic() < deadline:
            self.take(0.1)


def ranges(numbers):
    found = []
    for n in numbers:
        if found and found[-1][1] == n - 1:
            found[-1][1] = n
        else:
            found.append([n, n])
    return ", ".join("%d to %d" % (a, b) for a, b in found[:9])


def complaints(log, reader):
    """What is wrong with what has come of one log."""
    got, gaps = reader.lines[log.title], reader.gaps[log.title]
    lost = sorted(set(range(1, log.n + 1)) - set(got))
    seen, twice, late = set(), [], []
    for before, n in zip([0] + got, got):
        twice += [n] if n in seen else []
        late += ["%d after %d" % (n, before)] if n < before and n not in seen else []
        seen.add(n)
    if lost and not (gaps and log.loses):
        yield "lost %s%s" % (ranges(lost), "" if gaps else " silently")
    if twice:
        yield "twice " + ranges(sorted(twice))
    if late and log.has_order:
        yield "out of order: " + ", ".join(late[:9])
    if gaps and not lost and log.is_exact:
        yield "false gaps: %r" % gaps


class Round:
    def __init__(self, site, seed):
        self.site, self.random = site, random.Random(seed)
        ways = os.environ.get("RANDOM_WAYS", ",".join(WAYS)).split(",")
        modes = [os.environ["RANDOM_MODE"]] if "RANDOM_MODE" in os.environ else ["auto", "poll"]
        modes_of = {w: modes if LONG else [self.random.choice(modes)] for w in ways}
        self.logs = [WAYS[w](site, self.random, w, m) for w in ways for m in modes_of[w]]
        self.reader = Reader(site, self.logs)
        self.done = dict.fromkeys(("kills", "stops"), 0)
        site.up("".join(SOURCE % ("%s-%s" % (g, m), "%s-%s" % (g, m), m, more)
                        for g, more in GROUPS.items() for m in modes))

    def note(self, text, what=None):
        if what:
            self.done[what] += 1
        for log in self.logs:
            log.note("---- " + text)

    def act(self, most):
        for _ in range(self.random.randrange(1, most)):
            self.random.choice(self.logs).act()

    def kill(self, role):
        self.note("kill the %s" % role, "kills")
        self.site.kill(role)

    def stop_and_start(self):
        self.note("stop", "stops")
        self.reader.drop()
        self.site.stop()
        self.act(40)
        time.sleep(self.random.choice([0, 0, 0, 0, 1]))
        self.note("start")
        self.site.start()

    def reload(self):
        self.note("reload")
        self.site.sluice.send_signal(signal.SIGHUP)

    def rest(self):
        until = time.monotonic() + self.random.choice([0.05, 0.3, 1, 1.5])
        while time.monotonic() < until:
            self.reader.take()

    def run(self):
        # All are known before they are rotated: what was never seen may be gone without a trace.
        self.reader.until_all(self.logs, 30, 0)
        end = time.monotonic() + SECONDS
        deeds = ((lambda: self.kill("source"), 25), (lambda: self.kill("hub"), 7), (self.stop_and_start, 13),
                 (self.reload, 5), (self.rest, 30), (lambda: None, 20))
        while time.monotonic() < end:
            self.act(30)
            self.random.choices([d for d, _ in deeds], [weight for _, weight in deeds])[0]()
            self.reader.take()
        for log in self.logs:
            log.write()
        self.reader.until_all(self.logs, 40, 3)

    def judge(self):
        bad = {log.title: list(complaints(log, self.reader)) for log in self.logs}
        for log in self.logs:
            if bad[log.title]:
                print("\n".join(["---- what became of " + log.title] + log.history[-400:] +
                                ["gap: " + g for g in self.reader.gaps[log.title]] + ["----"]))
        print("%d logs, %d rotations, %d kills, %d stops, %d lines, %d gaps" % (
            len(self.logs), sum(log.n_rotations for log in self.logs), self.done["kills"], self.done["stops"],
            sum(log.n for log in self.logs), sum(map(len, self.reader.gaps.values()))))
        check(not any(bad.values()), "\n  ".join("%s: %s" % (t, "; ".join(b)) for t, b in bad.items() if b))
        check(not self.reader.strange, "strange events: %r" % self.reader.strange[:5])


def rotations_at_random(seed):
    def scenario(site):
        require("gzip", "zstd")
        print("to repeat: %sRANDOM_SEED=%s %s" % ("TEST_LONG=1 " if LONG else "", seed, sys.argv[0]), flush=True)
        r = Round(site, seed)
        r.run()
        r.judge()
    scenario.__name__ = "rotations_at_random_%s" % seed
    return scenario


if "RANDOM_SEED" in os.environ:
    SEEDS = [os.environ["RANDOM_SEED"]]
else:
    SEEDS = [str(random.randrange(10**6) if LONG else i) for i in range(1, ROUNDS + 1)]
run(*map(rotations_at_random, SEEDS))
