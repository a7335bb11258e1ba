// SPDX-License-Identifier: MIT
// What one page sees of a source: the lines that its query lets through, in a list of their
// own, so that any window of it is at hand, however much is held.

import { type Clause, EVERYTHING, expressionOf, filtersOf, inEitherCase, LOCAL_MAX, LocalMatch, type Query, sameClause } from '../store/query.js';
import { IS_GAP, type Line, type NewLine } from '../store/ring.js';
import type { Channel, Directory } from './directory.js';
import { template } from './template.js';
import type { Answer, Mark, Question, Row, Slow, View, Window } from './protocol.js';
import { LiveSource, type Listener, PastSource, type Source } from './source.js';

const SCREEN_BYTES = 2048;
const SLICE_MS = 8;
const FEW = 200; // rows: fewer are worth asking the server for more
const SETTLED_MS = 700; // after the last change of a query
const MARKS = 400;
const SLOW_MS = 500;
const LIVE_S = 900;
const COPY_MAX = 100000;
const LIKE_SPARK = 40;

export interface Pool {
  directory: Directory;
  readonly doubled: number; // lines that came twice
  liveSource(query: Query): LiveSource; // shared between sessions
  release(source: Source): void;
}

const covers = (source: Query, query: Query) =>
  source.clauses.every((c) => query.clauses.some((d) => sameClause(c, d)))
  && (source.severities & query.severities) === query.severities
  && source.hidden.every((name) => query.hidden.includes(name));

const isSame = (a: Query, b: Query) => covers(a, b) && covers(b, a);

export class Session implements Listener {
  private source: Source;
  private query: Query = EVERYTHING;
  private match: LocalMatch;
  private highlight = '';
  private columns: string[] = [];
  private folds = true;
  private bookmarks: string[] = []; // ids
  private list: number[] = []; // sequence numbers, ascending
  private repeats: number[] = []; // how many more of the same each stands for
  private ends: number[] = []; // the last of these
  private clearedBefore = Number.NEGATIVE_INFINITY;
  private scan = 0; // the number of the one that goes on
  private scanAt: number | null = null; // where it goes on
  private window: Window = { at: null, before: 100, after: 0 };
  private isDirty = false;
  private isWaiting = false; // the page has not asked for another message yet
  private generation = 0;
  private errors = 0;
  private arrived = 0;
  private shown = new Map<number, number>(); // by channel
  private rejected = new Map<number, number>();
  private marks: Mark[] = [];
  private marksOf = '';
  private slowAt = Number.NEGATIVE_INFINITY;
  private slowOf = 0; // how many channels were told of then
  private keep: string | null = null; // the id whose place is to be found again
  private gap: number | null = null; // that is being fetched
  private settling: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly port: { postMessage(m: Answer): void; onmessage: ((e: MessageEvent<Question>) => void) | null }, private readonly pool: Pool, private readonly onClose: (s: Session) => void) {
    this.source = pool.liveSource(EVERYTHING);
    this.source.listeners.add(this);
    this.match = this.localMatch();
    port.onmessage = ({ data }) => this.hear(data);
    this.refilter();
  }

  close(): void {
    clearTimeout(this.settling);
    this.scan++;
    this.leave();
    this.onClose(this);
  }

  private leave(): void {
    this.source.listeners.delete(this);
    this.pool.release(this.source);
  }

  private enter(source: Source): void {
    this.source.listeners.delete(this);
    this.pool.release(this.source);
    this.source = source;
    source.listeners.add(this);
    this.generation++;
    this.clearedBefore = Number.NEGATIVE_INFINITY;
    this.refilter();
  }

  // ---- what the source tells ----

  appended(seq: number, line: NewLine): void {
    this.take(seq, line);
    this.changed();
  }

  private take(seq: number, line: { severity: number; channel: number; flags: number; text: string }): void {
    if (seq < this.clearedBefore) return;
    const hits = this.match.needles.length ? this.match.hitsOf(line.text) : 0;
    if (!this.match.accepts(line.severity, line.channel, line.flags, hits)) {
      bump(this.rejected, line.channel);
      return;
    }
    bump(this.shown, line.channel);
    this.arrived++;
    if (line.severity <= 3) this.errors++;
    this.trim();
    const last = this.list.length - 1;
    if (this.folds && last >= 0 && this.source.ring.isRepeat(this.list[last], seq)) {
      this.repeats[last]++;
      this.ends[last] = seq;
      return;
    }
    this.list.push(seq);
    this.repeats.push(0);
    this.ends.push(seq);
  }

  prepended(n: number): void {
    if (this.scanAt === null) this.scanBack(this.source.ring.first + n - 1);
    this.changed();
  }

  // A page that reads goes on reading there; what fills a gap comes below the line before it.
  replacing(): void {
    const at = this.gap === null ? this.window.at : this.gap - 1;
    if (at !== null && this.source.ring.has(at)) this.keep = this.source.ring.extraOf(at).id;
    this.gap = null;
  }

  replaced(): void {
    this.generation++;
    this.refilter();
  }

  changed(): void {
    this.isDirty = true;
    if (!this.isWaiting) this.post();
  }

  // ---- what the page asks ----

  private hear(m: Question): void {
    switch (m.type) {
      case 'next':
        this.isWaiting = false;
        this.window = m.window;
        if (this.isDirty || m.force) this.post();
        break;
      case 'query':
        this.highlight = m.highlight;
        this.columns = m.columns;
        this.bookmarks = m.bookmarks;
        if (m.folds === this.folds && isSame(m.query, this.query)) {
          this.changed(); // only the look of it is another
          break;
        }
        this.folds = m.folds;
        this.setQuery(m.query, m.keep);
        break;
      case 'past':
        this.keep = /^[a-z0-9]+\.\d+-\d+$/.test(m.at) ? m.at : null;
        this.enter(new PastSource(this.pool.directory, this.query, m.at, m.end ? { since: m.at, until: m.end } : {}));
        break;
      case 'live':
        this.keep = m.keep;
        this.enter(this.pool.liveSource(this.wanted(this.query)));
        break;
      case 'older':
        this.older();
        break;
      case 'newer':
        if (this.source instanceof PastSource) this.source.loadNewer();
        break;
      case 'stop':
        this.source.stop();
        break;
      case 'line':
        this.tellLine(m.seq);
        break;
      case 'like':
        this.tellLike(m.seq);
        break;
      case 'find':
        this.find(m.what, m.from, m.forward);
        break;
      case 'copy':
        this.copy(m.format, m.from, m.to);
        break;
      case 'gap':
        this.fetchGap(m.seq);
        break;
      case 'clear':
        this.clearedBefore = this.source.ring.next;
        this.refilter();
        break;
      case 'retry':
        this.source.wake();
        break;
      case 'close':
        this.close();
        break;
    }
  }

  // Where no more can be held beside what is live, the past is read on its own.
  private older(): void {
    const { source } = this;
    if (this.promote()) return;
    if (source.isLive && source.ring.isFull) {
      if (this.window.at === null || !this.list.length) return; // who follows is not taken away
      this.keep = this.readsAt() ?? source.ring.extraOf(this.list[0]).id;
      this.enter(new PastSource(this.pool.directory, this.query, this.keep));
    } else {
      source.loadOlder();
    }
  }

  // ---- the query ----

  private localMatch(): LocalMatch {
    const hidden = new Set(this.query.hidden);
    const { all } = this.pool.directory;
    return new LocalMatch(this.query, (channel) => hidden.size > 0 && hidden.has(all[channel].name));
  }

  // The server has to look at expressions; what is held here holds all the rest.
  private wanted(query: Query): Query {
    const isLocal = query.clauses.every((c) => c.kind === 'text') && query.clauses.length <= LOCAL_MAX;
    return isLocal ? EVERYTHING : query;
  }

  private setQuery(query: Query, keep: string | null): void {
    this.query = query;
    this.match = this.localMatch();
    this.keep = keep;
    this.arrived = 0;
    this.errors = 0;
    const needsServer = this.wanted(query) !== EVERYTHING && query.clauses.some((c) => (c.kind === 'filter' || query.clauses.length > LOCAL_MAX) && !this.source.query.clauses.some((d) => sameClause(c, d)));
    if (!covers(this.source.query, query) || needsServer) {
      if (this.source instanceof PastSource) this.enter(new PastSource(this.pool.directory, query, keep ?? this.source.at, this.source.range));
      else if (keep && this.hasPast(query) && this.wanted(query) !== EVERYTHING) this.enter(new PastSource(this.pool.directory, query, keep));
      else this.enter(this.pool.liveSource(this.wanted(query)));
    } else {
      this.refilter();
    }
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      if (this.list.length < FEW || this.query.hidden.length) this.promote();
    }, SETTLED_MS);
  }

  private hasPast(query: Query): boolean {
    return this.pool.directory.readable.some((c) => c.hasPast && !query.hidden.includes(c.name));
  }

  // The id of the line that a page reads which does not follow.
  private readsAt(): string | null {
    const { at } = this.window;
    const { ring } = this.source;
    if (at === null || !ring.has(at)) return null;
    return ring.extraOf(at).id;
  }

  // Has the server do all of the filtering, so that it also searches what is not held here.
  // False: it does that already.
  private promote(): boolean {
    const { source, query } = this;
    if (isSame(source.query, query) || (!source.isLive && this.clearedBefore > 0)) return false;
    if (!this.hasPast(query)) return false;
    this.keep ??= this.readsAt();
    if (source instanceof PastSource) this.enter(new PastSource(this.pool.directory, query, this.keep ?? source.at, source.range));
    else if (this.keep) this.enter(new PastSource(this.pool.directory, query, this.keep));
    else this.enter(this.pool.liveSource(query));
    return true;
  }

  // Goes through all lines again, the newest first, a slice at a time.
  private refilter(): void {
    this.list = [];
    this.repeats = [];
    this.ends = [];
    this.shown.clear();
    this.rejected.clear();
    this.match.rejected.fill(0);
    this.marksOf = '';
    this.scanBack(this.source.ring.next - 1);
  }

  private scanBack(from: number): void {
    const scan = ++this.scan;
    const { ring } = this.source;
    let seq = from;
    const step = () => {
      if (scan !== this.scan) return;
      const until = performance.now() + SLICE_MS;
      const found: number[] = []; // the newest first
      const counts: number[] = [];
      const ends: number[] = [];
      const visit = (s: number, severity: number, channel: number, flags: number, hits: number) => {
        if (s < this.clearedBefore) return;
        if (!this.match.accepts(severity, channel, flags, hits)) return void bump(this.rejected, channel);
        bump(this.shown, channel);
        const last = found.length - 1;
        if (this.folds && last >= 0 && ring.isRepeat(s, found[last])) {
          found[last] = s;
          counts[last]++;
        } else {
          found.push(s);
          counts.push(0);
          ends.push(s);
        }
      };
      while (seq >= ring.first && seq >= this.clearedBefore && performance.now() < until)
        seq = ring.scanPage(seq, this.match.needles, visit);
      this.list = found.reverse().concat(this.list);
      this.repeats = counts.reverse().concat(this.repeats);
      this.ends = ends.reverse().concat(this.ends);
      const isOver = seq < ring.first || seq < this.clearedBefore;
      this.scanAt = isOver ? null : seq;
      if (!isOver) setTimeout(step);
      this.findKept();
      this.changed();
    };
    this.scanAt = from;
    step();
  }

  // Tells the page where the line is now that it was reading, or what is nearest to it.
  private findKept(): void {
    if (this.keep === null || !this.list.length) return;
    const seq = this.source.seqOfId(this.keep);
    const isMore = this.scanAt !== null || this.source.older === 'loading' || (!this.source.isLive && this.source.newer === 'loading');
    if (seq === null && isMore) return; // it may be among what is still to be looked through
    const at = seq === null ? this.list[0] : this.list[Math.max(0, this.indexAfter(seq) - 1)];
    if (seq !== null && at > seq && isMore) return;
    this.keep = null;
    this.port.postMessage({ type: 'moved', seq: at });
  }

  // ---- what it is asked to find ----

  // The place in the list behind the last line that is not newer.
  private indexAfter(seq: number): number {
    let lo = 0;
    let hi = this.list.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.list[mid] <= seq) lo = mid + 1;
      else hi = mid;
    }
    return lo;
  }

  private tellLine(seq: number): void {
    const { ring } = this.source;
    if (!ring.has(seq)) return;
    const { time, severity, channel, text, length, extra } = ring.line(seq);
    this.port.postMessage({ type: 'line', line: { seq, time, severity, channel: this.nameOf(channel), text, length, extra } });
  }

  private nameOf(channel: number): string {
    return this.pool.directory.all[channel].name;
  }

  // How often lines like this one stand in what is held, and when.
  private tellLike(seq: number): void {
    const { ring } = this.source;
    if (!ring.has(seq)) return;
    const wanted = ring.line(seq, SCREEN_BYTES);
    const form = template(wanted.text);
    const start = /^[^\d\s"]{3,}/.exec(wanted.text)?.[0] ?? '';
    const from = ring.timeOf(ring.first);
    const span = Math.max(1, ring.timeOf(ring.next - 1) - from);
    const spark = new Array<number>(LIKE_SPARK).fill(0);
    let count = 0;
    let at = ring.next - 1;
    const step = () => {
      const until = performance.now() + SLICE_MS;
      for (; at >= ring.first && performance.now() < until; at--) {
        const l = ring.line(at, SCREEN_BYTES);
        if (l.channel !== wanted.channel || !l.text.startsWith(start) || template(l.text) !== form) continue;
        count++;
        spark[Math.max(0, Math.min(LIKE_SPARK - 1, Math.floor((l.time - from) / span * LIKE_SPARK)))]++;
      }
      if (at >= ring.first) setTimeout(step);
      else this.port.postMessage({ type: 'like', seq, count, spark, template: form });
    };
    step();
  }

  private get needle(): Clause | undefined {
    return this.highlight ? { kind: 'text', text: this.highlight, negated: false } : this.query.clauses.find((c) => c.kind === 'text' && !c.negated);
  }

  private find(what: 'match' | 'error' | 'warning', from: number, forward: boolean): void {
    const { ring } = this.source;
    const { needle } = this;
    const pattern = needle ? inEitherCase(needle.text) : null;
    const fits = (seq: number) => {
      if (what === 'match') return Boolean(pattern?.test(ring.line(seq).text));
      const severity = ring.severityOf(seq);
      return what === 'error' ? severity <= 3 : severity === 4;
    };
    const step = forward ? 1 : -1;
    let i = forward ? this.indexAfter(from) : this.indexAfter(from - 1) - 1;
    while (i >= 0 && i < this.list.length && !fits(this.list[i])) i += step;
    const seq = this.list[i] ?? null;
    if (seq !== null || forward || this.source.older === 'none' || (what === 'match' && !needle)) this.port.postMessage({ type: 'found', seq, what });
    else this.findOlder(what, needle);
  }

  // The server looks on where what is loaded begins.
  private findOlder(what: 'match' | 'error' | 'warning', needle: Clause | undefined): void {
    const more = what === 'match' ? expressionOf(needle!) : what === 'error' ? 'severity <= error' : 'severity == warning';
    this.source.findOlder([...filtersOf(this.query), more]).then(
      (id) => this.port.postMessage({ type: 'found', seq: null, id, what }),
      () => this.port.postMessage({ type: 'found', seq: null, what }));
  }

  private fetchGap(seq: number): void {
    const { source } = this;
    if (!source.ring.has(seq)) return;
    this.gap = seq;
    source.fetchGap(seq).then((lines) => ({ lines, error: '' }), (e: Error) => ({ lines: 0, error: e.message })).then((answer) => {
      this.gap = null;
      this.port.postMessage({ type: 'refilled', ...answer });
    });
  }

  private copy(format: 'text' | 'ndjson', from?: number, to?: number): void {
    const begin = from === undefined ? Math.max(0, this.list.length - COPY_MAX) : this.indexAfter(from - 1);
    const end = to === undefined ? this.list.length : this.indexAfter(to);
    const lines = this.list.slice(begin, Math.min(end, begin + COPY_MAX)).map((seq) => {
      const l = this.source.ring.line(seq);
      const { id, type, ...extra } = l.extra;
      if (format === 'ndjson')
        return JSON.stringify({ id, event: type, time: new Date(l.time).toISOString(), channel: this.nameOf(l.channel), ...extra, message: l.text });
      return `${new Date(l.time).toISOString()} ${this.nameOf(l.channel)} ${l.text}`;
    });
    this.port.postMessage({ type: 'copied', text: `${lines.join('\n')}\n`, lines: lines.length });
  }

  // ---- what the page gets ----

  private trim(): void {
    const { first, next } = this.source.ring;
    let n = 0;
    while (n < this.list.length && this.ends[n] < first) n++;
    if (n) {
      this.list.splice(0, n);
      this.repeats.splice(0, n);
      this.ends.splice(0, n);
    }
    if (this.list[0] < first) this.list[0] = this.ends[0]; // it goes on standing for all of them
    while (this.list.length && this.list.at(-1)! >= next) {
      this.list.pop();
      this.repeats.pop();
      this.ends.pop();
    }
    const last = this.list.length - 1;
    if (last >= 0 && this.ends[last] >= next) {
      this.ends[last] = this.list[last];
      this.repeats[last] = 0;
    }
  }

  private rowOf(i: number): Row {
    const seq = this.list[i];
    const l: Line = this.source.ring.line(seq, SCREEN_BYTES);
    const { extra } = l;
    let lines = 0;
    for (let at = l.text.indexOf('\n'); at >= 0; at = l.text.indexOf('\n', at + 1)) lines++;
    return {
      seq, lines, id: extra.id, time: l.time, severity: l.severity, channel: this.nameOf(l.channel), type: extra.type,
      isGap: Boolean(l.flags & IS_GAP), reason: extra.reason, text: l.text, length: l.length, repeats: this.repeats[i],
      cells: this.columns.length ? this.columns.map((name) => cellText(extra.fields?.[name])) : undefined,
    };
  }

  private makeMarks(): Mark[] {
    const { ring } = this.source;
    const of = `${this.generation} ${this.list.length} ${this.list[0]} ${this.list.at(-1)} ${this.bookmarks}`;
    if (of === this.marksOf) return this.marks;
    this.marksOf = of;
    const n = this.list.length;
    const best = new Uint8Array(MARKS); // 1 warning, 2 error, 3 critical, 4 gap
    for (let i = 0; i < n; i++) {
      const seq = this.list[i];
      const severity = ring.severityOf(seq);
      const rank = ring.flagsOf(seq) & IS_GAP ? 4 : severity <= 2 ? 3 : severity === 3 ? 2 : severity === 4 ? 1 : 0;
      if (!rank) continue;
      const k = Math.floor(i / n * MARKS);
      if (rank > best[k]) best[k] = rank;
    }
    const kinds = ['warning', 'error', 'critical', 'gap'] as const;
    const marks: Mark[] = [];
    for (let k = 0; k < MARKS; k++) if (best[k]) marks.push({ at: k / MARKS, kind: kinds[best[k] - 1] });
    for (const id of this.bookmarks) {
      const seq = this.source.seqOfId(id);
      if (seq !== null && ring.extraOf(seq).id === id) marks.push({ at: Math.max(0, this.indexAfter(seq) - 1) / n, kind: 'bookmark' });
    }
    this.marks = marks;
    return marks;
  }

  private severityCounts(): number[] {
    const counts = new Array<number>(9).fill(0);
    const { ring } = this.source;
    for (let i = Math.max(0, this.list.length - 50000); i < this.list.length; i++) counts[ring.severityOf(this.list[i])] += 1 + this.repeats[i];
    return counts;
  }

  private slow(): Slow | null {
    const { all, server } = this.pool.directory;
    if (performance.now() - this.slowAt < SLOW_MS && all.length === this.slowOf) return null;
    this.slowAt = performance.now();
    this.slowOf = all.length;
    return {
      channels: all.filter((c) => !c.isGone || c.received || c.gaps).map((c) => this.stateOf(c)), server,
      reconnects: this.source instanceof LiveSource ? this.source.allReconnects : 0, doubled: this.pool.doubled, severities: this.severityCounts(),
      marks: this.makeMarks(), live: this.source.live.slice(-LIVE_S), rate: this.rate,
    };
  }

  private get rate(): number {
    return this.pool.directory.all.reduce((sum, c) => sum + c.rate, 0);
  }

  private post(): void {
    const { source, list } = this;
    this.trim();
    if (this.keep !== null) this.findKept();
    const { at, index, before, after } = this.window;
    const middle = index !== undefined ? index : at === null ? list.length : Math.max(0, this.indexAfter(at) - 1);
    const begin = Math.max(0, Math.min(middle, list.length) - before);
    const end = Math.min(list.length, middle + after + 1);
    const rows: Row[] = [];
    for (let i = begin; i < end; i++) rows.push(this.rowOf(i));
    this.isDirty = false;
    this.isWaiting = true;
    const texts = this.query.clauses.filter((c) => c.kind === 'text');
    const view: View = {
      type: 'view', generation: this.generation, first: list[0] ?? 0, last: list.at(-1) ?? -1, total: list.length, index: begin, rows,
      held: source.ring.length, maxLines: source.ring.maxLines, bytes: source.ring.bytes, status: source.status, isLive: source.isLive,
      isNarrow: filtersOf(source.query).length > 0,
      older: this.clearedBefore > Number.NEGATIVE_INFINITY ? 'none' : this.olderState(), newer: source.isLive ? 'none' : source.newer,
      beginning: source.older === 'none' && source.ring.length ? source.ring.timeOf(source.ring.first) : null,
      progress: source.progress, scanning: this.scanAt === null ? 0 : this.scanAt - source.ring.first + 1,
      errors: this.errors, arrived: this.arrived, rate: this.rate,
      hides: this.query.clauses.map((c) => (c.kind === 'text' && !isSame(source.query, this.query) ? this.match.rejected[texts.indexOf(c)] ?? -1 : -1)),
      refused: source.refused, slow: this.slow(),
    };
    this.port.postMessage(view);
  }

  private olderState(): View['older'] {
    if (this.scanAt !== null) return 'loading';
    return this.source.older;
  }

  private stateOf(c: Channel) {
    return c.state(this.shown.get(c.index) ?? 0, this.rejected.get(c.index) ?? 0);
  }
}

function bump(map: Map<number, number>, key: number): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function cellText(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
