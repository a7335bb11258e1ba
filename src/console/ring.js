// SPDX-License-Identifier: MIT
// The lines that are held: pages of UTF-8 text with typed columns beside it,
// bounded by lines and bytes, trimmed a page at a time.  Everything is named by
// its sequence number, which never changes.

const PAGE_LINES = 4096;
const PAGE_BYTES = 1 << 20;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const NO_SEVERITY = 8;
export const IS_GAP = 1;

class Page {
  constructor(first, room) {
    this.first = first; // sequence number of line 0
    this.n = 0;
    this.used = 0;
    this.bytes = new Uint8Array(room);
    this.time = new Float64Array(PAGE_LINES);
    this.severity = new Uint8Array(PAGE_LINES);
    this.channel = new Uint16Array(PAGE_LINES);
    this.flags = new Uint8Array(PAGE_LINES);
    this.offset = new Uint32Array(PAGE_LINES + 1);
    this.extra = []; // sparse: what only some lines have (id, source, fields)
  }

  // Gives the room that was not needed back.
  seal() {
    this.bytes = this.bytes.slice(0, this.used);
  }
}

export class Ring {
  constructor(maxLines, maxBytes) {
    this.maxLines = maxLines;
    this.maxBytes = maxBytes;
    this.pages = [];
    this.next = 0; // sequence number of the next line
    this.bytes = 0;
  }

  get first() {
    return this.pages.length ? this.pages[0].first : this.next;
  }

  append(time, severity, channel, flags, text, extra) {
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    const worst = text.length * 3;
    let page = this.pages[this.pages.length - 1];
    if (!page || page.n === PAGE_LINES || page.bytes.length - page.used < worst) {
      if (page) page.seal();
      page = new Page(this.next, Math.max(PAGE_BYTES, worst));
      this.pages.push(page);
      this.trim();
    }
    const { written } = encoder.encodeInto(text, page.bytes.subarray(page.used));
    const i = page.n++;
    page.time[i] = time;
    page.severity[i] = severity;
    page.channel[i] = channel;
    page.flags[i] = flags;
    page.extra[i] = extra;
    page.used += written;
    page.offset[i + 1] = page.used;
    this.bytes += written;
    return this.next++;
  }

  trim() {
    while (this.pages.length > 1 && (this.next - this.first > this.maxLines || this.bytes > this.maxBytes))
      this.bytes -= this.pages.shift().used;
  }

  find(seq) {
    let lo = 0;
    let hi = this.pages.length - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (this.pages[mid].first <= seq) lo = mid;
      else hi = mid - 1;
    }
    return this.pages[lo];
  }

  // At most `limit` bytes of the text; the rest is told by `length`.
  line(seq, limit = Infinity) {
    const page = this.find(seq);
    const i = seq - page.first;
    const from = page.offset[i];
    const length = page.offset[i + 1] - from;
    return {
      seq,
      time: page.time[i],
      severity: page.severity[i],
      channel: page.channel[i],
      flags: page.flags[i],
      text: decoder.decode(page.bytes.subarray(from, from + Math.min(length, limit))),
      length,
      extra: page.extra[i],
    };
  }
}
