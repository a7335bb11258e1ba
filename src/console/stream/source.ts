// SPDX-License-Identifier: MIT
// Where lines come from, and what is held of them: a live stream with the past before it,
// or a range of the past alone.  The server filters what a source holds; sessions look at it.

import { filtersOf, type Query, SEVERITIES } from '../store/query.js';
import { IS_GAP, type NewLine, NO_SEVERITY, Ring } from '../store/ring.js';
import { compareIds, SluiceStream, SseParser } from '../../client/sluice-client.js';
import { type Directory, msOfId, Refusal } from './directory.js';
import { CHANNELS_MAX, type LiveCount, type Progress, type Status } from './protocol.js';

const MAX_LINES = 500000;
const MAX_BYTES = 96 << 20;
const FIRST_PAGE = 500;
const PAGE = 2000;
const SEARCH_PAGE = 300;
const LIVE_COUNTS_MAX = 7200; // seconds
const FLUSH_MS = 100;
const GAP_PAGES_MAX = 50;
const FOUND_MAX = 20; // of a question for one, in case gaps come before it
const BACKOFF_MS = 1000;
const BACKOFF_MAX_MS = 30000;

export interface Listener {
  appended(seq: number, line: NewLine): void;
  prepended(n: number): void;
  replacing(): void; // all sequence numbers are about to mean something else
  replaced(): void;
  changed(): void;
}

interface ServerEvent {
  id: string;
  event: string;
  time?: string;
  channel?: string;
  source?: string;
  severity?: string;
  message?: string;
  fields?: Record<string, unknown>;
  reason?: string;
  count?: number | null;
  [more: string]: unknown;
}

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

// What is before this one includes that id.
const behind = (id: string) => id.replace(/\d+$/, (n) => String(Number(n) + 1));

const REASONS: Record<string, string> = {
  expired: 'the history no longer contains them',
  slow: 'this browser was too slow',
  truncated: 'the file was truncated',
  rotated: 'the file was rotated away',
  long_line: 'the line was too long',
  damaged: 'the history is damaged here',
  missing: 'part of the history was removed',
  epoch: 'the history was started afresh',
  access: 'the connection was lost, and you may not read the history',
  polling: 'the first connection was held back by a proxy',
};

export function gapText(e: ServerEvent): string {
  const n = e.count == null ? 'An unknown number of lines is' : e.count === 1 ? '1 line is' : `${e.count.toLocaleString('en')} lines are`;
  return `${n} missing here: ${e.message || (REASONS[e.reason ?? ''] ?? e.reason ?? 'the reason is unknown')}`;
}

export abstract class Source {
  ring = new Ring(MAX_LINES, MAX_BYTES);
  readonly listeners = new Set<Listener>();
  status: Status = { kind: 'connecting', text: 'connecting', since: Date.now() };
  older: 'more' | 'loading' | 'none' | 'stopped' = 'none'; // stopped: by the user
  private olderBackoff = 0;
  private olderNotBefore = 0;
  newer: 'more' | 'loading' | 'none' = 'none';
  progress: Progress | null = null;
  refused = '';
  reconnects = 0;
  doubled = 0;
  readonly live: LiveCount[] = [];
  abstract readonly isLive: boolean;
  protected oldest = ''; // what is before this id has not been fetched
  protected fetching: AbortController | null = null;
  protected isClosed = false;

  constructor(protected readonly directory: Directory, readonly query: Query) {}

  close(): void {
    this.isClosed = true;
    this.fetching?.abort();
  }

  wake(): void {}

  protected setStatus(kind: Status['kind'], text: string, more: Partial<Status> = {}): void {
    this.status = { kind, text, since: this.status.kind === kind ? this.status.since : Date.now(), ...more };
    this.changed();
  }

  protected changed(): void {
    for (const l of this.listeners) l.changed();
  }

  protected get channels(): string[] {
    return this.directory.wanted(this.query.hidden).map((c) => c.name);
  }

  protected get pastChannels(): string[] {
    return this.directory.wanted(this.query.hidden).filter((c) => c.hasPast).map((c) => c.name);
  }

  protected lineOf(e: ServerEvent): NewLine {
    const { id, event: type, message, time, channel, severity, ...extra } = e;
    const isGap = type === 'gap';
    const at = SEVERITIES.indexOf(severity ?? '');
    return {
      time: time ? Date.parse(time) : msOfId(id),
      severity: isGap || at < 0 ? NO_SEVERITY : at,
      channel: this.directory.of(channel ?? '').index,
      flags: isGap ? IS_GAP : 0,
      text: isGap ? gapText(e) : (message ?? ''),
      extra: { ...extra, id, type },
    };
  }

  protected append(e: ServerEvent): void {
    const line = this.lineOf(e);
    const { first } = this.ring;
    const seq = this.ring.append(line);
    if (this.ring.first !== first) this.trimmedFront();
    for (const l of this.listeners) l.appended(seq, line);
  }

  // What was let go of can be fetched again.
  private trimmedFront(): void {
    if (!this.pastChannels.length) return;
    this.oldest = this.ring.extraOf(this.ring.first).id;
    if (this.older === 'none') this.older = 'more';
  }

  protected trimmedBack(): void {}

  protected prepend(events: ServerEvent[]): void {
    if (!events.length) return;
    this.ring.prepend(events.map((e) => this.lineOf(e)));
    for (const l of this.listeners) l.prepended(events.length);
  }

  // The next older lines: a page, or what a search finds, as it is found.
  async loadOlder(n = PAGE): Promise<void> {
    if ((this.older !== 'more' && this.older !== 'stopped') || this.isClosed || performance.now() < this.olderNotBefore) return;
    const channels = this.pastChannels;
    if (!channels.length) this.older = 'none';
    if (!channels.length || (this.isLive && this.ring.isFull)) return;
    this.older = 'loading';
    this.changed();
    const abort = new AbortController();
    this.fetching = abort;
    try {
      const filter = filtersOf(this.query);
      this.older = (await (filter.length ? this.search(channels, filter, abort.signal) : this.page(channels, n, abort.signal))) ? 'more' : 'none';
      this.refused = '';
      this.olderBackoff = 0;
    } catch (e) {
      this.older = abort.signal.aborted ? 'stopped' : 'more';
      this.olderBackoff = Math.min(BACKOFF_MAX_MS, Math.max(BACKOFF_MS, 2 * this.olderBackoff));
      this.olderNotBefore = abort.signal.aborted ? 0 : performance.now() + this.olderBackoff;
      if (e instanceof Refusal) {
        this.refused = e.message;
        if (e.status < 500 && e.status !== 429) this.older = 'none';
      }
    }
    this.fetching = null;
    this.progress = null;
    const { next } = this.ring;
    if (!this.isLive) this.ring.trimBack();
    if (this.ring.next !== next) this.trimmedBack();
    this.changed();
  }

  stop(): void {
    this.fetching?.abort();
  }

  protected since(): string | undefined {
    return undefined;
  }

  private async page(channel: string[], limit: number, signal: AbortSignal): Promise<boolean> {
    const asked = this.oldest;
    const parameters = { channel, before: asked, since: this.since(), limit };
    const { events, older } = await (await this.directory.ask('history', parameters, signal)).json();
    if (this.isClosed) return false;
    if (this.oldest !== asked) return true; // lines have been let go of meanwhile: it would leave a hole
    this.prepend(events);
    if (older) this.oldest = older;
    return Boolean(older);
  }

  private async search(channel: string[], filter: string[], signal: AbortSignal): Promise<boolean> {
    let asked = this.oldest;
    const parameters = { channel, filter, before: asked, since: this.since(), limit: SEARCH_PAGE };
    const response = await this.directory.ask('search', parameters, signal);
    let found: ServerEvent[] = [];
    let next: string | null = null;
    let isDone = false;
    let flushed = 0;
    const flush = () => {
      if (found.length && !this.isClosed && this.oldest === asked) { // else it would leave a hole
        asked = found.at(-1)!.id;
        this.oldest = asked;
        this.prepend(found.reverse());
      }
      found = [];
      flushed = performance.now();
    };
    const parser = new SseParser({
      event: (id: string, event: string, data: string) => {
        const e = JSON.parse(data);
        if (event === 'progress') this.progress = e;
        else if (event === 'done') {
          next = e.next ?? null;
          isDone = true;
        }
        else if (event !== 'hello' && event !== 'ping' && event !== 'bye' && event !== 'busy') found.push({ ...e, id, event });
        if (event === 'bye' || event === 'busy') throw new Refusal(503, e.message ?? e.reason);
      },
    });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        parser.feed(value);
        if (performance.now() - flushed > FLUSH_MS) flush();
        this.changed();
      }
    } finally {
      flush();
    }
    if (!isDone) throw new Error('the search was cut off');
    if (this.oldest !== asked) return true;
    if (next) this.oldest = next;
    return next !== null;
  }

  // The id of the newest line that matches, of those that have not been fetched.
  async findOlder(filter: string[]): Promise<string | undefined> {
    const channel = this.pastChannels;
    if (!channel.length) return undefined;
    const parameters = { channel, filter, before: this.oldest, since: this.since(), limit: FOUND_MAX, order: 'newest', format: 'ndjson' };
    const text = await (await this.directory.ask('search', parameters)).text();
    const found = text.split('\n').filter(Boolean).map((l) => JSON.parse(l) as ServerEvent).find((e) => e.message !== undefined && e.event !== 'gap'); // a gap passes every filter
    return found?.id;
  }

  // Puts what a gap stands for in its place, where the server holds it still.  How many lines
  // that were; throws what it is refused for.
  async fetchGap(seq: number): Promise<number> {
    const { ring } = this;
    const gap = ring.line(seq);
    const { to, id } = gap.extra as unknown as { to: string; id: string };
    const name = this.directory.all[gap.channel].name;
    const channel = name ? [name] : this.pastChannels;
    let after = seq > ring.first ? ring.extraOf(seq - 1).id : String(gap.extra.from);
    const filter = filtersOf(this.query);
    const found: ServerEvent[] = [];
    for (let i = 0; i < GAP_PAGES_MAX; i++) {
      const page = await (await this.directory.ask('history', { channel, filter, after, limit: PAGE })).json();
      const events = (page.events as ServerEvent[]).filter((e) => compareIds(e.id, to) <= 0);
      found.push(...events);
      if (events.length < page.events.length || !page.newer || (page.complete && page.events.length < PAGE)) break;
      after = page.newer;
    }
    if (!found.length) throw new Error('The server does not have these lines.');
    // What a filter leaves out is not missing.
    const rest = filter.length ? 0 : Math.max(0, (gap.extra.count ?? 0) - found.length);
    const lines = found.map((e) => this.lineOf(e));
    if (rest) lines.push({ ...gap, text: gapText({ ...gap.extra, event: 'gap', count: rest }), extra: { ...gap.extra, count: rest } });
    // Other lines may have come, or gone, meanwhile.
    if (!this.ring.has(seq) || this.ring.extraOf(seq).id !== id || this.ring.extraOf(seq).type !== 'gap') return 0;
    for (const l of this.listeners) l.replacing();
    const oldest = this.ring.extraOf(this.ring.first).id;
    this.ring = this.ring.replacing(seq, lines);
    if (this.ring.extraOf(this.ring.first).id !== oldest) this.trimmedFront();
    this.directory.of(name).refill((gap.extra.count ?? 0) - rest, rest === 0);
    for (const l of this.listeners) l.replaced();
    return found.length;
  }

  // The line with this id, or the one before where it would be; null: it is older than all.
  seqOfId(id: string): number | null {
    const [epoch, ms, n] = id.split(/[.-]/);
    let lo = this.ring.first;
    let hi = this.ring.next;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      const [e, m, k] = this.ring.extraOf(mid).id.split(/[.-]/);
      const isAfter = e === epoch ? Number(m) > Number(ms) || (m === ms && Number(k) > Number(n)) : Number(m) > Number(ms);
      if (isAfter) hi = mid;
      else lo = mid + 1;
    }
    return lo > this.ring.first ? lo - 1 : null;
  }

  tick(): void {}
}

export class LiveSource extends Source {
  readonly isLive = true;
  private subscribed = '';
  private stream: SluiceStream | null = null;
  private now: LiveCount | null = null;

  // `isCounted`: what comes is counted for all; others get some of the same.
  constructor(directory: Directory, query: Query, private readonly ticket: string | null, private readonly isCounted: boolean) {
    super(directory, query);
    this.run();
  }

  override close(): void {
    super.close();
    this.stream?.close();
  }

  override wake(): void {
    this.stream?.wake();
  }

  private async waitForChannels(): Promise<void> {
    for (let pause = 1000; !this.isClosed; pause = Math.min(2 * pause, 10000)) {
      try {
        await this.directory.refresh();
        if (this.channels.length) return;
        this.setStatus('waiting', this.directory.readable.length
          ? 'every channel is hidden' : 'there is no channel that you may read; lines will appear here once you have access to one',
          { until: Date.now() + pause });
      } catch (e) {
        const refusal = e instanceof Refusal ? e : null;
        const isForbidden = refusal && [401, 403].includes(refusal.status);
        this.setStatus(isForbidden ? 'forbidden' : 'waiting', refusal?.message ?? 'the web server cannot be reached',
          { until: Date.now() + pause, http: refusal?.status });
      }
      await sleep(pause);
    }
  }

  private async run(): Promise<void> {
    let after = '';
    while (!this.isClosed) {
      await this.waitForChannels();
      if (this.isClosed) return;
      const { channels } = this;
      this.subscribed = channels.join();
      const stream = new SluiceStream('.', {
        channels,
        filter: filtersOf(this.query),
        after: after || undefined,
        ticket: this.ticket ?? undefined,
        onevent: (e: ServerEvent) => this.onEvent(e),
        ongap: (e: ServerEvent) => this.onGap(e),
        onhello: () => this.onHello(stream.lastId),
        onstate: (state: string, detail: string, retryAt?: number) => {
          if (state === 'live') this.setStatus('live', this.cut());
          else if (state === 'waiting') this.setStatus('waiting', detail, { until: retryAt });
          else if (state === 'connecting') this.setStatus('connecting', 'connecting');
        },
      });
      this.stream = stream;
      await stream.closed;
      this.reconnects += stream.stats.reconnects;
      after = stream.lastId;
      if (this.isClosed) return;
      const { error } = stream;
      if (error?.status === 400) this.refused = error.message;
      // Refused for good; the channels, or the rights, may be other ones by now.
      const kind = [401, 403, 404].includes(error?.status ?? 0) ? 'forbidden' : error ? 'waiting' : 'ended';
      this.setStatus(kind, error?.message ?? 'the server has ended the stream', { until: Date.now() + 5000, http: error?.status });
      await sleep(5000);
    }
  }

  // What there is beside what is read.
  private cut(): string {
    const all = this.directory.readable.filter((c) => !this.query.hidden.includes(c.name)).length;
    return all > CHANNELS_MAX ? `Only the first ${CHANNELS_MAX} of ${all} channels are shown. Hide some to see others.` : '';
  }

  // Channels may have been added, or taken away.
  recheck(): void {
    const { channels } = this;
    if (this.status.kind !== 'live' || !channels.length || channels.join() === this.subscribed) return;
    this.subscribed = channels.join();
    this.stream?.change({ channels }).catch(() => {});
    this.setStatus('live', this.cut());
  }

  // The past is fetched from where the stream begins.
  private onHello(id: string): void {
    this.refused = '';
    if (this.oldest) return;
    this.oldest = behind(id);
    this.older = 'more';
    this.loadOlder(FIRST_PAGE);
  }

  private onEvent(e: ServerEvent): void {
    const ms = msOfId(e.id);
    const channel = this.directory.of(e.channel ?? '');
    if (this.isCounted) channel.count(ms);
    this.countSecond(ms, SEVERITIES.indexOf(e.severity ?? ''), 0);
    this.append(e);
  }

  private onGap(e: ServerEvent): void {
    const channel = this.directory.of(e.channel ?? '');
    channel.countGap(e.id, e.count ?? 0);
    this.countSecond(msOfId(e.id), -1, e.count ?? 1);
    this.append(e);
  }

  private countSecond(ms: number, severity: number, lost: number): void {
    const second = Math.floor(ms / 1000);
    if (this.now?.second !== second) {
      this.now = { second, bad: 0, warning: 0, other: 0, lost: 0 };
      this.live.push(this.now);
      if (this.live.length > LIVE_COUNTS_MAX) this.live.splice(0, LIVE_COUNTS_MAX / 10);
    }
    if (lost) this.now.lost += lost;
    else if (severity >= 0 && severity <= 3) this.now.bad++;
    else if (severity === 4) this.now.warning++;
    else this.now.other++;
  }

  override tick(): void {
    this.doubled = this.stream?.stats.duplicates ?? 0;
  }

  get allReconnects(): number {
    return this.reconnects + (this.stream && this.stream.state !== 'closed' ? this.stream.stats.reconnects : 0);
  }
}

// A range of the past, from a line or a time on in both directions.
export class PastSource extends Source {
  readonly isLive = false;
  private newest = '';
  private from: { after?: string; since?: string } = {}; // where the newer lines begin
  private newerBackoff = 0;
  private newerNotBefore = 0;

  constructor(directory: Directory, query: Query, readonly at: string, readonly range: { since?: string; until?: string } = {}) {
    super(directory, query);
    this.status = { kind: 'past', text: '', since: Date.now() };
    this.begin();
  }

  private async begin(): Promise<void> {
    const isId = /^[a-z0-9]+\.\d+-\d+$/.test(this.at);
    this.oldest = isId ? behind(this.at) : this.at;
    this.older = this.newer = 'loading'; // before the channels are known, nothing can be asked for
    try {
      if (!this.directory.readable.length) await this.directory.refresh();
      this.older = 'more';
      await Promise.all([this.loadOlder(FIRST_PAGE), this.first(isId)]);
    } catch (e) {
      this.refused = e instanceof Refusal ? e.message : 'the web server cannot be reached';
      this.older = this.newer = 'none';
      this.changed();
    }
  }

  private async first(isId: boolean): Promise<void> {
    this.newer = 'loading';
    this.from = isId ? { after: this.at } : { since: this.at };
    await this.forwards(this.from);
  }

  protected override since(): string | undefined {
    return this.range.since;
  }

  private async forwards(from: { after?: string; since?: string }): Promise<void> {
    const asked = this.newest;
    try {
      const parameters = { channel: this.pastChannels, filter: filtersOf(this.query), ...from, until: this.range.until, limit: FIRST_PAGE };
      const { events, newer, complete } = await (await this.directory.ask('history', parameters)).json();
      if (this.isClosed) return;
      if (this.newest !== asked) { // lines have been let go of meanwhile: it would leave a hole
        this.newer = 'more';
        return this.changed();
      }
      for (const e of events) this.append(e);
      if (newer) this.newest = newer;
      this.newer = events.length < FIRST_PAGE && complete ? 'none' : 'more';
      this.refused = '';
      this.newerBackoff = 0;
    } catch (e) {
      this.newerBackoff = Math.min(BACKOFF_MAX_MS, Math.max(BACKOFF_MS, 2 * this.newerBackoff));
      this.newerNotBefore = performance.now() + this.newerBackoff;
      this.newer = e instanceof Refusal && e.status < 500 && e.status !== 429 ? 'none' : 'more';
      if (e instanceof Refusal) this.refused = e.message;
    }
    this.changed();
  }

  protected override trimmedBack(): void {
    this.newest = this.ring.extraOf(this.ring.next - 1).id;
    this.newer = 'more';
  }

  async loadNewer(): Promise<void> {
    if (this.newer === 'loading' || this.isClosed || performance.now() < this.newerNotBefore) return;
    if (this.newer === 'none' && this.range.until) return;
    this.newer = 'loading';
    this.changed();
    await this.forwards(this.newest ? { after: this.newest } : this.from);
  }
}
