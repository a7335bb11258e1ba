// SPDX-License-Identifier: MIT
// A client of sluice for browsers and Node.js (18 and later), without dependencies.
//
//   import { SluiceStream } from './sluice-client.js';
//
//   const stream = new SluiceStream('/logs/', { channels: ['web'], filter: 'severity <= warning', tail: 100 });
//   for await (const event of stream) console.log(event.id, event.message);
//
// or with callbacks: new SluiceStream('/logs/', { channels: ['web'], onevent, ongap, onstate }).
//
// It reconnects by itself, always strictly after the last event that it had, and
// counts what came twice (never delivered) and what is missing (told as gaps).

/**
 * @typedef {Object} SluiceEvent
 * @property {string} id        cursor: what comes after it is asked for with it
 * @property {string} event     the event's type, such as "line"; "gap" for a gap
 * @property {string} [time]    RFC 3339
 * @property {string} [channel]
 * @property {string} [source]
 * @property {string} [severity] "emergency" to "debug"
 * @property {string} [message]
 * @property {Object<string, *>} [fields]
 * @property {string} [reason]  of a gap: expired, epoch, slow, damaged, ...
 * @property {?number} [count]  of a gap: how many events; null when nobody knows
 */

/**
 * @typedef {Object} SluiceOptions
 * @property {string[]} channels
 * @property {string|string[]} [filter] in sluice's language; several must all hold
 * @property {string} [grep]
 * @property {string} [exclude]
 * @property {string} [severity]
 * @property {string} [after]    resume strictly after this id; before any other start
 * @property {string} [since]    start at a time
 * @property {number} [tail]     start with the last so many events
 * @property {boolean} [earliest] start with the oldest
 * @property {Object<string, string>} [headers] sent with every request (not by EventSource)
 * @property {RequestCredentials} [credentials]
 * @property {'GET'|'POST'} [method] POST where the subscription should not stand in a URL
 * @property {'auto'|'fetch'|'eventsource'|'poll'} [transport]
 * @property {AbortSignal} [signal] closes the stream
 * @property {number} [minRetryMs] first pause, unless the server names one
 * @property {number} [maxRetryMs] longest pause
 * @property {number} [helloMs]   how long to wait for the first sign of the stream
 * @property {(event: SluiceEvent) => void} [onevent]
 * @property {(gap: SluiceEvent) => void} [ongap]
 * @property {(state: 'connecting'|'live'|'waiting'|'closed', detail: string, retryAt?: number) => void} [onstate]
 * @property {(hello: Object) => void} [onhello] what the server says of a connection that has begun
 * @property {typeof fetch} [fetch]
 * @property {typeof EventSource} [EventSource]
 */

const QUEUE_MAX = 1000;
const URL_MAX = 2000;
const SIGN_OF_LIFE_MS = 250;

/** A parser of Server-Sent Events (WHATWG HTML, section 9.2.6), fed with text in any pieces. */
export class SseParser {
  /** @param {{event: (id: string, type: string, data: string) => void, retry?: (ms: number) => void, id?: (id: string) => void}} on */
  constructor(on) {
    this.on = on;
    this.rest = '';
    this.lastId = '';
    this.type = '';
    this.data = [];
    this.begun = false;
  }

  /** @param {string} text */
  feed(text) {
    if (!this.begun && text) {
      this.begun = true;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    text = this.rest + text;
    let start = 0;
    for (;;) {
      let end = text.indexOf('\n', start);
      const cr = text.indexOf('\r', start);
      let next = end + 1;
      if (cr >= 0 && (end < 0 || cr < end)) {
        if (cr + 1 === text.length) break; // an LF may follow in the next piece
        end = cr;
        next = text[cr + 1] === '\n' ? cr + 2 : cr + 1;
      }
      if (end < 0) break;
      this.line(text.slice(start, end));
      start = next;
    }
    this.rest = text.slice(start);
  }

  line(line) {
    if (line === '') {
      if (this.data.length) this.on.event(this.lastId, this.type || 'message', this.data.join('\n'));
      else if (this.on.id) this.on.id(this.lastId);
      this.type = '';
      this.data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value[0] === ' ') value = value.slice(1);
    if (name === 'data') this.data.push(value);
    else if (name === 'event') this.type = value;
    else if (name === 'id' && !value.includes('\0')) this.lastId = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.on.retry?.(Number(value));
  }
}

/** Ids are EPOCH.MS-N and grow; two of one epoch can be compared.
 * @returns {number} negative, 0, positive; NaN when they are of different epochs */
export function compareIds(a, b) {
  const [ea, ma, na] = a.split(/[.-]/);
  const [eb, mb, nb] = b.split(/[.-]/);
  if (ea !== eb) return NaN;
  return Number(ma) - Number(mb) || Number(na) - Number(nb);
}

/** The bytes of a field that holds base64.
 * @param {string} text @returns {Uint8Array} */
export function fromBase64(text) {
  return Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
}

/** A page of the past: { events, older, newer, complete }.
 * @param {string|URL} base the mount point, such as "/logs/"
 * @param {Object<string, *>} parameters channel, filter, before, after, since, until, limit, context, ... */
export async function history(base, parameters, options = {}) {
  const url = new URL('history', new URL(base, globalThis.location?.href));
  url.search = search(parameters).toString();
  const response = await (options.fetch ?? fetch)(url, { headers: options.headers, signal: options.signal });
  if (!response.ok) throw new SluiceError(response.status, await response.text());
  return response.json();
}

/** What the server refuses for good, in its words. */
export class SluiceError extends Error {
  constructor(status, text) {
    super(text.trim() || `HTTP ${status}`);
    this.name = 'SluiceError';
    this.status = status;
  }
}

function search(parameters) {
  const q = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters))
    for (const v of Array.isArray(value) ? value : [value])
      if (v !== undefined && v !== null && v !== false) q.append(key, v === true ? '1' : String(v));
  return q;
}

export class SluiceStream {
  /** @param {string|URL} base the mount point, such as "/logs/" @param {SluiceOptions} options */
  constructor(base, options) {
    this.base = new URL(base, globalThis.location?.href);
    if (!this.base.pathname.endsWith('/')) this.base.pathname += '/';
    this.options = { minRetryMs: 1000, maxRetryMs: 30000, helloMs: 10000, transport: 'auto', ...options };
    this.fetch = options.fetch ?? globalThis.fetch?.bind(globalThis);
    this.EventSource = options.EventSource ?? globalThis.EventSource;
    /** The id of the last event, or heartbeat. */
    this.lastId = options.after ?? '';
    this.state = 'connecting';
    this.stats = { events: 0, gaps: 0, lost: 0, duplicates: 0, reconnects: 0 };
    this.heartbeatMs = 15000;
    this.retryMs = 0;
    this.failures = 0;
    this.token = '';
    this.queue = null; // of an iterator
    this.error = null;
    this.abort = null;
    this.wake = () => {};
    this.mute = 0; // connections that never said a word, one after the other
    this.onOnline = () => this.wake();
    globalThis.addEventListener?.('online', this.onOnline);
    options.signal?.addEventListener('abort', () => this.close('aborted'), { once: true });
    this.closed = options.signal?.aborted ? Promise.resolve() : Promise.resolve().then(() => this.run());
    if (options.signal?.aborted) this.setState('closed', 'aborted');
  }

  // ---- for its owner ----

  close(why = 'closed') {
    if (this.state === 'closed') return;
    this.setState('closed', why);
    globalThis.removeEventListener?.('online', this.onOnline);
    this.abort?.abort(new Error(why));
    this.wake();
    this.queue?.finish();
  }

  /** From here on other channels or another filter, on the open connection where that is possible.
   * @param {Partial<SluiceOptions>} options */
  async change(options) {
    for (const key of ['channels', 'filter', 'grep', 'exclude', 'severity'])
      if (key in options) this.options[key] = options[key];
    if (this.state === 'live' && this.token) {
      const response = await this.fetch(new URL(`streams/${this.token}`, this.base), {
        method: 'POST', body: search(this.subscription()), headers: this.options.headers,
        credentials: this.options.credentials });
      if (response.ok) return;
      if (response.status === 400) throw new SluiceError(400, await response.text());
    }
    this.abort?.abort(new Error('the subscription has changed'));
    this.wake();
  }

  /** One at a time; what is not fetched makes the connection wait, so nothing piles up here. */
  [Symbol.asyncIterator]() {
    this.queue ??= new Queue();
    return {
      next: async () => {
        const item = await this.queue.take();
        if (item) return { value: item, done: false };
        if (this.error) throw this.error;
        return { value: undefined, done: true };
      },
      return: async () => {
        this.close();
        return { value: undefined, done: true };
      },
    };
  }

  // ---- what arrives ----

  setState(state, detail, retryAt) {
    this.state = state;
    this.options.onstate?.(state, detail, retryAt);
  }

  /** @returns {Promise<void>|undefined} to be waited for before more is read */
  deliver(event) {
    if (event.event === 'gap') {
      this.stats.gaps++;
      this.stats.lost += event.count ?? 0;
      this.options.ongap?.(event);
    } else {
      if (this.lastId && compareIds(event.id, this.lastId) <= 0) {
        this.stats.duplicates++;
        return undefined;
      }
      this.stats.events++;
      this.options.onevent?.(event);
    }
    this.lastId = event.id;
    return this.queue?.put(event);
  }

  /** Something that is no event. */
  control(type, id, data) {
    if (type === 'hello' || type === 'changed') {
      this.token = data.token ?? '';
      this.heartbeatMs = data.heartbeat_ms ?? this.heartbeatMs;
      if (!this.lastId || data.mode !== 'resumed') this.lastId = id;
      this.failures = this.mute = 0;
      if (type === 'hello') this.setState('live', data.mode);
      this.options.onhello?.(data);
    } else if (type === 'bye' || type === 'busy') {
      this.farewell = `${type === 'bye' ? 'the server says goodbye' : 'the server is busy'}: ${data.message ?? data.reason}`;
    }
  }

  /** @returns {Promise<void>|undefined} */
  take(id, type, text) {
    this.alive();
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      data = { message: text };
    }
    if (type === 'ping') return void this.beat(id);
    if (['hello', 'changed', 'bye', 'busy'].includes(type)) return void this.control(type, id, data);
    if (type !== 'batch' || !Array.isArray(data)) return this.deliver({ id, event: type, ...data });
    let last;
    for (const e of data) last = this.deliver(e) ?? last;
    return last;
  }

  beat(id) {
    this.alive();
    if (id && (!this.lastId || !(compareIds(id, this.lastId) < 0))) this.lastId = id;
  }

  alive() {
    this.aliveAt = Date.now();
  }

  // ---- connecting ----

  subscription() {
    const { channels, filter, grep, exclude, severity } = this.options;
    return { channel: channels, filter, grep, exclude, severity };
  }

  parameters(more) {
    const { since, tail, earliest } = this.options;
    const start = this.lastId ? { after: this.lastId } : { since, tail, earliest };
    return search({ ...this.subscription(), ...start, ...more });
  }

  transport() {
    if (this.options.transport !== 'auto') return this.options.transport;
    if (!this.fetch || typeof ReadableStream === 'undefined') return 'eventsource';
    // Something on the way holds back what is streamed: ask for one answer at a time.
    return this.mute >= 2 ? 'poll' : 'fetch';
  }

  async run() {
    while (this.state !== 'closed') {
      this.farewell = '';
      this.retryMs = 0;
      this.token = '';
      this.abort = new AbortController();
      this.alive();
      let why = 'the connection was closed', wait;
      const begun = Date.now();
      const watchdog = setInterval(() => this.watch(begun), SIGN_OF_LIFE_MS);
      try {
        await { fetch: this.byFetch, eventsource: this.byEventSource, poll: this.byPoll }[this.transport()].call(this);
        why = this.farewell || why;
      } catch (e) {
        if (e instanceof SluiceError && e.status < 500 && ![408, 425, 429].includes(e.status)) {
          this.error = e;
          this.close(e.message);
        }
        wait = e.retryAfterMs;
        why = this.farewell || e.message;
      } finally {
        clearInterval(watchdog);
        this.abort.abort();
      }
      if (this.state === 'closed') break;
      if (this.state !== 'live') this.failures++;
      await this.pause(why, wait);
    }
  }

  /** A sleeping laptop or a dead proxy closes nothing: missing heartbeats tell. */
  watch(begun) {
    const silent = Date.now() - this.aliveAt;
    if (this.state !== 'live' && this.transport() !== 'poll' && Date.now() - begun > this.options.helloMs) {
      this.mute++;
      this.abort.abort(new Error('no word from the server'));
    } else if (this.state === 'live' && silent > 2.5 * this.heartbeatMs + 1000) {
      this.abort.abort(new Error('no heartbeat'));
    }
  }

  async pause(why, wait) {
    const { minRetryMs, maxRetryMs } = this.options;
    const most = Math.min(maxRetryMs, minRetryMs * 2 ** Math.min(this.failures, 10));
    // What the server asks for is jittered by it already.
    const ms = wait ?? (this.retryMs && !this.failures ? Math.min(this.retryMs, 10 * maxRetryMs) : most * (0.5 + Math.random() / 2));
    this.stats.reconnects++;
    this.setState('waiting', why, Date.now() + ms);
    await new Promise((done) => {
      const timer = setTimeout(done, ms);
      this.wake = () => { clearTimeout(timer); done(); };
    });
    this.wake = () => {};
    if (this.state !== 'closed') this.setState('connecting', 'connecting');
  }

  async request(route, parameters) {
    const url = new URL(route, this.base);
    const { headers, credentials } = this.options;
    const init = { headers: { Accept: route === 'poll' ? 'application/json' : 'text/event-stream', ...headers },
      credentials, cache: 'no-store', signal: this.abort.signal };
    if (this.options.method === 'POST' || parameters.toString().length > URL_MAX) {
      init.method = 'POST';
      init.body = parameters;
    } else {
      url.search = parameters.toString();
    }
    const response = await this.fetch(url, init);
    if (response.ok) return response;
    const e = new SluiceError(response.status, await response.text());
    const after = Number(response.headers.get('Retry-After'));
    if (after) e.retryAfterMs = after * 1000;
    throw e;
  }

  async byFetch() {
    const response = await this.request('events', this.parameters({}));
    let full;
    const parser = new SseParser({
      event: (id, type, data) => { full = this.take(id, type, data) ?? full; },
      id: (id) => this.beat(id),
      retry: (ms) => { this.retryMs = ms; },
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.alive();
      parser.feed(value);
      if (full) {
        // Reading waits for the iterator; that is no silence of the server's.
        const keep = setInterval(() => this.alive(), SIGN_OF_LIFE_MS);
        await full;
        clearInterval(keep);
        full = undefined;
        if (this.state === 'closed') return;
      }
    }
  }

  /** EventSource gives names only to who knows them: everything comes as batches. */
  byEventSource() {
    const url = new URL('events', this.base);
    url.search = this.parameters({ batch: 1, heartbeat: 'event' }).toString();
    const source = new this.EventSource(url, { withCredentials: this.options.credentials === 'include' });
    return new Promise((done, fail) => {
      const end = (then) => { source.close(); then(); };
      this.abort.signal.addEventListener('abort', () => end(() => fail(this.abort.signal.reason)), { once: true });
      for (const type of ['batch', 'hello', 'changed', 'bye', 'busy', 'ping', 'gap'])
        source.addEventListener(type, (e) => this.take(e.lastEventId, type, e.data));
      // It would reconnect by itself, without backing off.
      source.onerror = () => end(() => done());
    });
  }

  async byPoll() {
    for (;;) {
      const response = await this.request('poll', this.parameters({ timeout: '25s' }));
      const answer = await response.json();
      this.alive();
      if (answer.busy) {
        this.farewell = `the server is busy: ${answer.busy}`;
        return;
      }
      if (this.state !== 'live') this.setState('live', 'polling');
      this.heartbeatMs = Math.max(this.heartbeatMs, 25000);
      this.failures = 0;
      let full;
      for (const e of answer.events) full = this.deliver(e) ?? full;
      if (answer.next) this.beat(answer.next);
      await full;
      if (this.state === 'closed') return;
    }
  }
}

class Queue {
  constructor() {
    this.items = [];
    this.takers = [];
    this.isOver = false;
  }

  put(item) {
    const taker = this.takers.shift();
    if (taker) taker(item);
    else this.items.push(item);
    if (this.items.length < QUEUE_MAX) return undefined;
    this.room ??= new Promise((done) => { this.makeRoom = done; });
    return this.room;
  }

  take() {
    if (!this.items.length) return this.isOver ? Promise.resolve(null) : new Promise((done) => this.takers.push(done));
    const item = this.items.shift();
    if (this.room && this.items.length < QUEUE_MAX / 2) {
      this.makeRoom();
      this.room = undefined;
    }
    return Promise.resolve(item);
  }

  finish() {
    this.isOver = true;
    for (const taker of this.takers.splice(0)) taker(null);
    this.makeRoom?.();
  }
}
