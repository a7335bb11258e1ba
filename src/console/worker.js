// SPDX-License-Identifier: MIT
// Holds the stream and the lines, for all tabs of this console: connects,
// resumes, counts, filters.  A page asks for a window of rows and gets at most
// one message a frame; what arrives never waits for a page to draw.

import { SseParser } from './sse.js';
import { IS_GAP, NO_SEVERITY, Ring } from './ring.js';

const MAX_LINES = 500000;
const MAX_BYTES = 96 << 20;
const TAIL = 1000;
const SCREEN_BYTES = 2048;
const SLICE_MS = 8;
const SEVERITIES = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'];

const ring = new Ring(MAX_LINES, MAX_BYTES);
const sessions = new Set();
const channels = new Map(); // name -> {index, name, received, lost, rate, recent}
const names = [];
const count = { received: 0, lost: 0, gaps: 0, duplicated: 0, reconnects: 0 };
let status = { kind: 'connecting', text: 'connecting', since: Date.now() };
let lastId = '';
let retryMs = 3000;
let heartbeatMs = 15000;
let lastBytesAt = 0;
let rate = 0;
let greeted = false; // this connection has had its hello
let farewell = ''; // why the server ended the stream, in its words
let wake = () => {};

function setStatus(kind, text, until) {
  status = { kind, text, until, since: Date.now() };
  for (const s of sessions) s.changed();
}

// Ids are EPOCH.MS-N and grow; of one epoch they can be compared.
function isOld(id) {
  const [a, ams, an] = lastId.split(/[.-]/);
  const [b, bms, bn] = id.split(/[.-]/);
  return a === b && (Number(bms) < Number(ams) || (bms === ams && Number(bn) <= Number(an)));
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

function onEvent(id, type, data) {
  if (type === 'hello') {
    const hello = JSON.parse(data);
    heartbeatMs = hello.heartbeat_ms;
    hello.channels.forEach(channelOf);
    if (!lastId || hello.mode !== 'resumed') lastId = id;
    greeted = true;
    setStatus('live', 'live');
    return;
  }
  if (type === 'bye' || type === 'busy') {
    farewell = `${type === 'bye' ? 'the server says goodbye' : 'the server is busy'}: ${JSON.parse(data).reason}`;
    return;
  }
  if (lastId && type !== 'gap' && isOld(id)) {
    count.duplicated++;
    return;
  }
  lastId = id;
  let ev;
  try {
    ev = JSON.parse(data);
  } catch {
    ev = { message: data };
  }
  const channel = channelOf(ev.channel ?? '');
  const time = ev.time ? Date.parse(ev.time) : Date.now();
  if (type === 'gap') {
    count.gaps++;
    count.lost += ev.count ?? 0;
    channel.lost += ev.count ?? 0;
    const n = ev.count == null ? 'an unknown number of' : ev.count;
    take(time, 4, channel, IS_GAP, `gap (${ev.reason}): ${ev.message || `${n} events are missing here`}`, { ...ev, id });
    return;
  }
  count.received++;
  channel.received++;
  channel.recent++;
  const severity = ev.severity ? SEVERITIES.indexOf(ev.severity) : NO_SEVERITY;
  const { message, ...extra } = ev;
  extra.id = id;
  extra.type = type;
  take(time, severity, channel, 0, message ?? '', extra);
}

// ---- the connection ---------------------------------------------------------

const sleep = (ms) => new Promise((done) => {
  const timer = setTimeout(done, ms);
  wake = () => { clearTimeout(timer); done(); };
});

async function readStream(signal) {
  const list = await fetch('channels', { signal, cache: 'no-store' });
  if (!list.ok) throw new Error((await list.text()).trim() || `HTTP ${list.status}`);
  const all = (await list.json()).channels.map((c) => c.name);
  all.forEach(channelOf);
  if (!all.length) throw new Error('the configuration has no channels');
  const query = new URLSearchParams(all.slice(0, 64).map((name) => ['channel', name]));
  if (lastId) query.set('after', lastId);
  else query.set('tail', TAIL);
  const response = await fetch(`events?${query}`, { signal, cache: 'no-store', headers: { Accept: 'text/event-stream' } });
  if (!response.ok) throw new Error((await response.text()).trim() || `HTTP ${response.status}`);
  const parser = new SseParser({ event: onEvent, retry: (ms) => { retryMs = ms; } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    lastBytesAt = Date.now();
    parser.feed(value);
  }
}

async function connectForEver() {
  let failures = 0;
  for (;;) {
    const abort = new AbortController();
    lastBytesAt = Date.now();
    // A sleeping laptop or a dead proxy closes nothing: heartbeats tell.
    const watchdog = setInterval(() => {
      if (Date.now() - lastBytesAt > 3 * heartbeatMs) abort.abort(new Error('no heartbeat'));
    }, 1000);
    let why = 'the connection was closed';
    farewell = '';
    greeted = false;
    try {
      await readStream(abort.signal);
      why = farewell || why;
    } catch (e) {
      why = e.message;
    }
    clearInterval(watchdog);
    failures = greeted ? 0 : failures + 1;
    const wait = Math.min(retryMs * 2 ** Math.min(failures, 4), 30000) * (0.5 + Math.random() / 2);
    count.reconnects++;
    setStatus('wait', why, Date.now() + wait);
    await sleep(wait);
    setStatus('connecting', 'connecting');
  }
}

// ---- what one page sees -----------------------------------------------------------

class Session {
  constructor(port) {
    this.port = port;
    this.hidden = new Set(); // names of channels
    this.needle = '';
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
    return this.needle !== '' || this.minimum < 8 || this.hidden.size > 0;
  }

  accepts(severity, channel, flags, text) {
    if (this.hidden.has(names[channel])) return false;
    if (flags & IS_GAP) return true;
    if (this.minimum < 8 && severity > this.minimum) return false;
    return this.needle === '' || text.toLowerCase().includes(this.needle);
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
      this.needle = m.needle.toLowerCase();
      this.minimum = m.minimum;
      this.hidden = new Set(m.hidden);
      this.refilter();
    } else if (m.type === 'line') {
      if (m.seq >= ring.first && m.seq < ring.next)
        this.port.postMessage({ type: 'line', line: { ...ring.line(m.seq), channel: names[ring.line(m.seq).channel] } });
    } else if (m.type === 'retry') {
      wake();
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
      type: 'view', first, end, rows, status, rate, count, total: ring.next - ring.first, max: MAX_LINES,
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
connectForEver();
