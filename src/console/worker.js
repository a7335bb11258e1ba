// SPDX-License-Identifier: MIT
// Holds the stream and the lines, for all tabs of this console: connects,
// resumes, counts, filters.  A page asks for a window of rows and gets at most
// one message a frame; what arrives never waits for a page to draw.

import { IS_GAP, NO_SEVERITY, Ring } from './ring.js';
import { SluiceStream } from './sluice-client.js';

const MAX_LINES = 500000;
const MAX_BYTES = 96 << 20;
const TAIL = 1000;
const CHANNELS_MAX = 64; // of one stream
const SCREEN_BYTES = 2048;
const SLICE_MS = 8;
const SEVERITIES = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'];

const ring = new Ring(MAX_LINES, MAX_BYTES);
const sessions = new Set();
const channels = new Map(); // name -> {index, name, received, lost, rate, recent}
const names = [];
let status = { kind: 'connecting', text: 'connecting', since: Date.now() };
let rate = 0;
let stream;
const ended = { events: 0, lost: 0, gaps: 0, duplicates: 0, reconnects: 0 }; // of streams that are no more

function setStatus(kind, text, until) {
  status = { kind, text, until, since: Date.now() };
  for (const s of sessions) s.changed();
}

function channelOf(name) {
  let c = channels.get(name);
  if (!c) {
    c = { index: names.length, name, received: 0, lost: 0, rate: 0, recent: 0 };
    names.push(name);
    channels.set(name, c);
  }
  return c;
}

function take(time, severity, channel, flags, text, extra) {
  const seq = ring.append(time, severity, channel.index, flags, text, extra);
  for (const s of sessions) s.append(seq, severity, channel.index, flags, text);
}

function onEvent({ id, event: type, message, ...extra }) {
  const channel = channelOf(extra.channel ?? '');
  const time = extra.time ? Date.parse(extra.time) : Date.now();
  channel.received++;
  channel.recent++;
  const severity = extra.severity ? SEVERITIES.indexOf(extra.severity) : NO_SEVERITY;
  take(time, severity, channel, 0, message ?? '', { ...extra, id, type });
}

function onGap(gap) {
  const channel = channelOf(gap.channel ?? '');
  const time = gap.time ? Date.parse(gap.time) : Date.now();
  channel.lost += gap.count ?? 0;
  const n = gap.count == null ? 'an unknown number of' : gap.count;
  const missing = gap.count === 1 ? 'event is' : 'events are';
  take(time, 4, channel, IS_GAP, `gap (${gap.reason}): ${gap.message || `${n} ${missing} missing here`}`, gap);
}

// ---- the connection ---------------------------------------------------------

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function channelNames() {
  for (;;) {
    let why = 'the configuration has no channels';
    try {
      const list = await fetch('channels', { cache: 'no-store' });
      const text = await list.text();
      if (!list.ok) throw new Error(text.trim() || `HTTP ${list.status}`);
      const all = JSON.parse(text).channels.filter((c) => !c.from).map((c) => c.name);
      if (all.length) return all;
    } catch (e) {
      why = e.message;
    }
    setStatus('wait', why, Date.now() + 2000);
    await sleep(2000);
  }
}

async function connect() {
  const all = await channelNames();
  all.forEach(channelOf);
  // A new stream goes on where the one before it was: nothing twice, and what is missing is a gap.
  const after = stream?.lastId || undefined;
  for (const key of Object.keys(ended)) ended[key] += stream?.stats[key] ?? 0;
  const live = all.length > CHANNELS_MAX ? `live: the first ${CHANNELS_MAX} of ${all.length} channels` : 'live';
  stream = new SluiceStream('.', {
    channels: all.slice(0, CHANNELS_MAX),
    after,
    tail: TAIL,
    onevent: onEvent,
    ongap: onGap,
    onstate: (state, detail, retryAt) => {
      if (state === 'live') setStatus('live', live);
      else if (state === 'waiting') setStatus('wait', detail, retryAt);
      else if (state === 'closed') setStatus('wait', detail, Date.now() + 5000);
      else setStatus('connecting', 'connecting');
    },
  });
  // Closed for good by the server: the channels may be other ones by now.
  stream.closed.then(() => sleep(5000)).then(connect);
}

function counts() {
  const s = { ...ended };
  for (const key of Object.keys(s)) s[key] += stream?.stats[key] ?? 0;
  return { received: s.events, lost: s.lost, gaps: s.gaps, duplicated: s.duplicates, reconnects: s.reconnects };
}

// ---- what one page sees -----------------------------------------------------------

// Plain text in either case, as grep= has it: with these flags a regex folds as Unicode's simple
// case folding does.
const inEitherCase = (text) => new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'iu');

class Session {
  constructor(port) {
    this.port = port;
    this.hidden = new Set(); // names of channels
    this.pattern = null; // what is looked for, or nothing
    this.minimum = 8;
    this.matches = []; // sequence numbers, when anything is filtered
    this.trimmed = 0; // matches that were dropped from the front
    this.window = { from: -1, n: 0 };
    this.errors = 0;
    this.scan = 0;
    this.isDirty = false;
    this.isWaiting = false; // the page has not asked for another message yet
    port.onmessage = ({ data }) => this.hear(data);
  }

  get filters() {
    return this.pattern !== null || this.minimum < 8 || this.hidden.size > 0;
  }

  accepts(severity, channel, flags, text) {
    if (this.hidden.has(names[channel])) return false;
    if (flags & IS_GAP) return true;
    if (this.minimum < 8 && severity > this.minimum) return false;
    return this.pattern === null || this.pattern.test(text);
  }

  append(seq, severity, channel, flags, text) {
    if (this.filters && this.accepts(severity, channel, flags, text)) this.matches.push(seq);
    if (severity <= 3) this.errors++;
    this.changed();
  }

  changed() {
    this.isDirty = true;
    if (!this.isWaiting) this.post();
  }

  hear(m) {
    if (m.type === 'next') {
      this.isWaiting = false;
      this.window = m.window;
      if (this.isDirty || m.force) this.post();
    } else if (m.type === 'filter') {
      this.pattern = m.needle.trim() === '' ? null : inEitherCase(m.needle);
      this.minimum = m.minimum;
      this.hidden = new Set(m.hidden);
      this.refilter();
    } else if (m.type === 'line') {
      if (m.seq >= ring.first && m.seq < ring.next)
        this.port.postMessage({ type: 'line', line: { ...ring.line(m.seq), channel: names[ring.line(m.seq).channel] } });
    } else if (m.type === 'retry') {
      stream?.wake();
    } else if (m.type === 'close') {
      sessions.delete(this);
    }
  }

  // Goes through all lines again, the newest first, a slice at a time.
  refilter() {
    const scan = ++this.scan;
    const upto = ring.next;
    let seq = upto - 1;
    const older = [];
    this.matches = [];
    this.trimmed = 0;
    const step = () => {
      if (scan !== this.scan) return;
      const until = performance.now() + SLICE_MS;
      while (seq >= ring.first && performance.now() < until) {
        for (let i = 0; i < 256 && seq >= ring.first; i++, seq--) {
          const l = ring.line(seq);
          if (this.accepts(l.severity, l.channel, l.flags, l.text)) older.push(seq);
        }
      }
      const found = older.splice(0).reverse();
      this.matches = found.concat(this.matches);
      this.changed();
      if (seq >= ring.first) setTimeout(step);
    };
    if (this.filters) step();
    else this.changed();
  }

  post() {
    // A whole number names each row; it stays when older ones are trimmed.
    let first = ring.first;
    let end = ring.next;
    if (this.filters) {
      let drop = 0;
      while (drop < this.matches.length && this.matches[drop] < ring.first) drop++;
      if (drop) this.matches.splice(0, drop);
      this.trimmed += drop;
      first = this.trimmed;
      end = this.trimmed + this.matches.length;
    }
    const { from, n } = this.window;
    const begin = Math.max(first, from < 0 ? end - n : Math.min(from, end - 1));
    const rows = [];
    for (let i = begin; i < end && rows.length < n; i++) {
      const l = ring.line(this.filters ? this.matches[i - this.trimmed] : i, SCREEN_BYTES);
      rows.push({ index: i, ...l, channel: names[l.channel], extra: undefined });
    }
    this.isDirty = false;
    this.isWaiting = true;
    this.port.postMessage({
      type: 'view', first, end, rows, status, rate, count: counts(), total: ring.next - ring.first, max: MAX_LINES,
      bytes: ring.bytes, errors: this.errors, filters: this.filters,
      channels: [...channels.values()].map(({ name, received, lost, rate: r }) => ({ name, received, lost, rate: r })),
    });
  }
}

function open(port) {
  sessions.add(new Session(port));
}

setInterval(() => {
  rate = 0;
  for (const c of channels.values()) {
    c.rate = c.recent;
    rate += c.recent;
    c.recent = 0;
  }
  for (const s of sessions) s.changed();
}, 1000);

if ('SharedWorkerGlobalScope' in self) self.onconnect = (e) => open(e.ports[0]);
else open(self);
connect();
