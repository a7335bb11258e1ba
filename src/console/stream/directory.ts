// SPDX-License-Identifier: MIT
// The channels that this user may read, and what is counted of each.

import { CHANNELS_MAX, type ChannelState } from './protocol.js';

export const RECENT_S = 30;
const GAP_IDS_MAX = 1000;

export class Channel {
  received = 0;
  lost = 0;
  gaps = 0;
  refilled = 0; // gaps
  rate = 0;
  lastMs = 0;
  hasPast = true;
  isDerived = false;
  isGone = false;
  readonly recent: number[] = new Array(RECENT_S).fill(0);
  private second = 0;
  private readonly gapIds = new Set<string>();

  constructor(readonly name: string, readonly index: number) {}

  count(ms: number): void {
    this.received++;
    this.second++;
    if (ms > this.lastMs) this.lastMs = ms;
  }

  // Several streams may tell of the same one.
  countGap(id: string, n: number): void {
    if (this.gapIds.has(id)) return;
    if (this.gapIds.size >= GAP_IDS_MAX) this.gapIds.clear();
    this.gapIds.add(id);
    this.gaps++;
    this.lost += n;
  }

  // A gap whose lines have all been fetched is none.
  refill(n: number, isAll: boolean): void {
    this.lost = Math.max(0, this.lost - n);
    if (!isAll) return;
    this.gaps = Math.max(0, this.gaps - 1);
    this.refilled++;
  }

  tick(): void {
    this.recent.shift();
    this.recent.push(this.second);
    this.rate = this.second;
    this.second = 0;
  }

  state(shown: number, rejected: number): ChannelState {
    const { name, hasPast, isDerived, received, lost, gaps, refilled, rate, recent, lastMs } = this;
    return { name, hasPast, isDerived, received, shown, rejected, lost, gaps, refilled, rate, recent, lastMs };
  }
}

export const msOfId = (id: string) => Number(/\.(\d+)-/.exec(id)?.[1] ?? 0);

export class Refusal extends Error {
  constructor(readonly status: number, text: string) {
    super(text);
  }
}

// Our own answers are one sentence of plain text; a page of the web server's is not shown.
export async function sentenceOf(response: Response): Promise<string> {
  const isPlain = (response.headers.get('content-type') ?? '').startsWith('text/plain');
  const text = isPlain ? (await response.text()).trim() : '';
  return text || `the web server answers with ${response.status}${response.statusText ? ` (${response.statusText})` : ''}`;
}

export class Directory {
  private readonly byName = new Map<string, Channel>();
  readonly all: Channel[] = [];
  server = '';

  constructor(private readonly ticket: string | null) {}

  of(name: string): Channel {
    let c = this.byName.get(name);
    if (!c) {
      c = new Channel(name, this.all.length);
      c.isGone = name === ''; // that of gaps in a whole stream
      this.byName.set(name, c);
      this.all.push(c);
    }
    return c;
  }

  url(route: string, parameters: Record<string, string | string[] | number | undefined>): string {
    const q = new URLSearchParams();
    for (const [key, value] of Object.entries(parameters))
      for (const v of Array.isArray(value) ? value : [value]) if (v !== undefined) q.append(key, String(v));
    if (this.ticket) q.set('ticket', this.ticket);
    return `${route}?${q}`;
  }

  async ask(route: string, parameters: Record<string, string | string[] | number | undefined>, signal?: AbortSignal): Promise<Response> {
    const response = await fetch(this.url(route, parameters), { cache: 'no-store', signal });
    this.server = response.headers.get('server') ?? this.server;
    if (!response.ok) throw new Refusal(response.status, await sentenceOf(response));
    return response;
  }

  // Throws a Refusal, or what fetch throws.
  async refresh(): Promise<void> {
    const response = await this.ask('channels', {});
    let list: { name: string; from?: string[]; head?: string; past?: boolean }[];
    try {
      list = (await response.json()).channels;
    } catch {
      throw new Refusal(response.status, 'something other than sluice answers at this address');
    }
    for (const c of this.all) c.isGone = true;
    for (const entry of list) {
      const c = this.of(entry.name);
      c.isGone = false;
      c.isDerived = Boolean(entry.from);
      c.hasPast = entry.past !== false;
      if (entry.head) c.lastMs = Math.max(c.lastMs, msOfId(entry.head));
    }
  }

  // What one stream reads of them.
  wanted(hidden: string[]): Channel[] {
    return this.readable.filter((c) => !hidden.includes(c.name)).slice(0, CHANNELS_MAX);
  }

  // Those that are read; derived ones would show the same lines again.
  get readable(): Channel[] {
    return this.all.filter((c) => !c.isGone && !c.isDerived);
  }
}
