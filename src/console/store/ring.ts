// SPDX-License-Identifier: MIT
// The lines that are held: pages of UTF-8 text with typed columns beside it, bounded by
// lines and bytes, trimmed a page at a time.  Each line is named by its sequence number,
// which never changes: newer ones count up, and older ones that are fetched count down.

const PAGE_LINES = 4096;
const PAGE_BYTES = 1 << 20;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const NO_SEVERITY = 8;
export const IS_GAP = 1;

// What only some lines have, and what is only looked at on demand.
export interface Extra {
  id: string;
  type: string;
  source?: string;
  fields?: Record<string, unknown>;
  reason?: string;
  count?: number | null;
  [more: string]: unknown;
}

export interface NewLine {
  time: number; // ms since 1970
  severity: number; // 0 to 7, or NO_SEVERITY
  channel: number; // the number that the owner gives it
  flags: number;
  text: string;
  extra: Extra;
}

export interface Line extends NewLine {
  seq: number;
  length: number; // of the whole text, in bytes
}

// FNV-1a over UTF-16 units.
function hashOf(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

class Page {
  n = 0;
  used = 0;
  bytes: Uint8Array;
  readonly time: Float64Array;
  readonly severity: Uint8Array;
  readonly channel: Uint16Array;
  readonly flags: Uint8Array;
  readonly offset: Uint32Array;
  readonly hash: Uint32Array; // of the text, to tell repeats
  readonly extra: Extra[] = [];
  isAscii = true;
  private text: string | null = null;

  // `first` is the sequence number of its line 0.
  constructor(readonly first: number, lines: number, room: number) {
    this.bytes = new Uint8Array(room);
    this.time = new Float64Array(lines);
    this.severity = new Uint8Array(lines);
    this.channel = new Uint16Array(lines);
    this.flags = new Uint8Array(lines);
    this.offset = new Uint32Array(lines + 1);
    this.hash = new Uint32Array(lines);
  }

  takes(worst: number): boolean {
    return this.n < this.time.length && this.bytes.length - this.used >= worst;
  }

  add(line: NewLine): void {
    const { read, written } = encoder.encodeInto(line.text, this.bytes.subarray(this.used));
    const i = this.n++;
    this.time[i] = line.time;
    this.severity[i] = line.severity;
    this.channel[i] = line.channel;
    this.flags[i] = line.flags;
    this.extra[i] = line.extra;
    this.hash[i] = hashOf(line.text);
    this.used += written;
    this.offset[i + 1] = this.used;
    this.isAscii &&= read === written;
    this.text = null;
  }

  // Gives the room that was not needed back.
  seal(): void {
    this.bytes = this.bytes.slice(0, this.used);
  }

  lineText(i: number, limit: number): string {
    const from = this.offset[i];
    return decoder.decode(this.bytes.subarray(from, Math.min(this.offset[i + 1], from + limit)));
  }

  // All lines in one piece, for a search; kept only while a search goes over it.
  whole(): string {
    this.text ??= decoder.decode(this.bytes.subarray(0, this.used));
    return this.text;
  }

  forget(): void {
    this.text = null;
  }
}

export class Ring {
  private readonly pages: Page[] = [];
  next = 0; // sequence number of the next newer line
  bytes = 0;

  constructor(readonly maxLines: number, readonly maxBytes: number) {}

  get first(): number {
    return this.pages.length ? this.pages[0].first : this.next;
  }

  get length(): number {
    return this.next - this.first;
  }

  get isFull(): boolean {
    return this.length > this.maxLines - PAGE_LINES || this.bytes >= this.maxBytes;
  }

  append(line: NewLine): number {
    const worst = line.text.length * 3; // UTF-8 takes at most three bytes for a UTF-16 unit
    let page = this.pages.at(-1);
    if (!page?.takes(worst)) {
      page?.seal();
      page = new Page(this.next, PAGE_LINES, Math.max(PAGE_BYTES, worst));
      this.pages.push(page);
      this.trimFront();
    }
    const before = page.used;
    page.add(line);
    this.bytes += page.used - before;
    return this.next++;
  }

  // Older ones, in their order, all of them before what is held.
  prepend(lines: NewLine[]): void {
    for (let end = lines.length; end > 0;) {
      const begin = Math.max(0, end - PAGE_LINES);
      const part = lines.slice(begin, end);
      const page = new Page(this.first - part.length, part.length, part.reduce((sum, l) => sum + l.text.length * 3, 0));
      for (const line of part) page.add(line);
      page.seal();
      this.bytes += page.used;
      this.pages.unshift(page);
      end = begin;
    }
  }

  // So that the page that has begun has room.
  private trimFront(): void {
    while (this.pages.length > 1 && (this.length > this.maxLines - PAGE_LINES || this.bytes >= this.maxBytes)) this.bytes -= this.pages.shift()!.used;
  }

  // Makes room for older lines at the cost of the newest.
  trimBack(): void {
    while (this.pages.length > 1 && this.isFull) {
      this.bytes -= this.pages.pop()!.used;
      const last = this.pages.at(-1)!;
      this.next = last.first + last.n;
    }
  }

  // The same with these lines in place of one; all sequence numbers are others.
  replacing(seq: number, lines: NewLine[]): Ring {
    const ring = new Ring(this.maxLines, this.maxBytes);
    for (let s = this.first; s < this.next; s++) {
      if (s === seq) for (const l of lines) ring.append(l);
      else ring.append(this.line(s));
    }
    return ring;
  }

  private find(seq: number): Page {
    let lo = 0;
    let hi = this.pages.length - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (this.pages[mid].first <= seq) lo = mid;
      else hi = mid - 1;
    }
    return this.pages[lo];
  }

  has(seq: number): boolean {
    return seq >= this.first && seq < this.next;
  }

  // At most `limit` bytes of the text; `length` tells how many there are.
  line(seq: number, limit = Number.POSITIVE_INFINITY): Line {
    const page = this.find(seq);
    const i = seq - page.first;
    return {
      seq,
      time: page.time[i],
      severity: page.severity[i],
      channel: page.channel[i],
      flags: page.flags[i],
      text: page.lineText(i, limit),
      length: page.offset[i + 1] - page.offset[i],
      extra: page.extra[i],
    };
  }

  severityOf(seq: number): number {
    const page = this.find(seq);
    return page.severity[seq - page.first];
  }

  // Whether both say the same, of the same channel; a hash may be wrong once in 2^32.
  isRepeat(a: number, b: number): boolean {
    const p = this.find(a);
    const q = this.find(b);
    const i = a - p.first;
    const j = b - q.first;
    return p.hash[i] === q.hash[j] && p.channel[i] === q.channel[j] && p.severity[i] === q.severity[j]
      && p.offset[i + 1] - p.offset[i] === q.offset[j + 1] - q.offset[j] && !((p.flags[i] | q.flags[j]) & IS_GAP);
  }

  flagsOf(seq: number): number {
    const page = this.find(seq);
    return page.flags[seq - page.first];
  }

  timeOf(seq: number): number {
    const page = this.find(seq);
    return page.time[seq - page.first];
  }

  extraOf(seq: number): Extra {
    const page = this.find(seq);
    return page.extra[seq - page.first];
  }

  // Calls back for each line from `from` down to the beginning of its page, or to `downTo`;
  // returns the next one to go on with.  `found` is told which lines hold what is looked for:
  // one regex goes over a whole page where characters are bytes.
  scanPage(from: number, needles: RegExp[], visit: (seq: number, severity: number, channel: number, flags: number, hits: number) => void): number {
    const page = this.find(from);
    const last = from - page.first;
    const hits = needles.length ? new Uint8Array(last + 1) : null;
    needles.forEach((needle, k) => {
      if (page.isAscii && page.used < 4 * PAGE_BYTES) markWhole(page, last, needle, 1 << k, hits!);
      else for (let i = 0; i <= last; i++) if (needle.test(page.lineText(i, Number.POSITIVE_INFINITY))) hits![i] |= 1 << k;
    });
    page.forget();
    for (let i = last; i >= 0; i--)
      visit(page.first + i, page.severity[i], page.channel[i], page.flags[i], hits?.[i] ?? 0);
    return page.first - 1;
  }
}

function markWhole(page: Page, last: number, needle: RegExp, bit: number, hits: Uint8Array): void {
  const text = page.whole();
  const search = new RegExp(needle.source, `${needle.flags.replace('g', '')}g`);
  let i = 0;
  for (let m = search.exec(text); m; m = search.exec(text)) {
    while (page.offset[i + 1] <= m.index) i++;
    if (i > last) return;
    // A match that runs over the end of its line is none; the rest of the line is looked at again.
    if (m.index + m[0].length <= page.offset[i + 1]) {
      hits[i] |= bit;
      search.lastIndex = page.offset[i + 1];
    } else {
      search.lastIndex = m.index + 1;
    }
  }
}
