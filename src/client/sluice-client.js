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
 * @property {string} [since]    start at a time, such as "1h30m" (ago) or "yesterday 14:00" (UTC)
 * @property {number} [tail]     start with the last so many events
 * @property {boolean} [earliest] start with the oldest
 * @property {string} [ticket]   sent with every request
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

const find = (text, what, from) => {
  const at = text.indexOf(what, from);
  return at < 0 ? Infinity : at;
};

/** A parser of Server-Sent Events (WHATWG HTML, section 9.2.6), fed with text in any pieces. */
export class SseParser {
  /** @param {{event: (id: string, type: string, data: string) => void, retry?: (ms: number) => void, id?: (id: string) => void}} on */
  constructor(on) {
    this.on = on;
    this.parts = []; // of a line whose end has not come yet
    this.afterCr = false;
    this.lastId = '';
    this.type = '';
    this.data = [];
    this.begun = false;
  }

  /** Looks at each character once, whatever the pieces are.
   * @param {string} text */
  feed(text) {
    if (!text) return;
    let start = 0;
    if (!this.begun && text.charCodeAt(0) === 0xfeff) start = 1;
    else if (this.afterCr && text[0] === '\n') start = 1; // the other half of a line end
    this.begun = true;
    this.afterCr = false;
    let lf = -1;
    let cr = -1;
    for (;;) {
      if (lf < start) lf = find(text, '\n', start);
      if (cr < start) cr = find(text, '\r', start);
      const end = Math.min(lf, cr);
      if (end === Infinity) break;
      this.parts.push(text.slice(start, end));
      this.line(this.parts.length === 1 ? this.parts[0] : this.parts.join(''));
      this.parts = [];
      start = end + 1;
      if (end === lf) continue;
      if (start === text.length) this.afterCr = true;
      else if (text[start] === '\n') start++;
    }
    if (start < text.length) this.parts.push(text.slice(start));
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

/** The id behind this one: what is before it includes this one. */
function idAfter(id) {
  const [, start, n] = /^(.*-)(\d+)$/.exec(id);
  return `${start}${Number(n) + 1}`;
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
  const ask = options.fetch ?? fetch;
  const init = { headers: options.headers, signal: options.signal };
  const response = await ask(url, init);
  await check(response, 'application/json', ask, url, init);
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

const pathOf = (address, base) => {
  const url = new URL(address, base);
  return url.origin === new URL(base).origin ? url.pathname : url.href;
};

/** Where somebody else has answered: a page for signing in, a proxy, a web server without sluice. */
async function describe(response, type, ask, url, init) {
  const what = type === 'text/event-stream' ? 'event stream' : 'answer of sluice';
  let text = `this is no ${what}: status ${response.status}${response.statusText ? ` ${response.statusText}` : ''}`;
  let to = response.headers.get('Location');
  if (to) text = `this is no ${what}: status ${response.status} to ${pathOf(to, url)}`;
  if (response.redirected) {
    // It was followed, which hides how it was meant; browsers do not tell in any way.
    const first = await ask(url, { ...init, redirect: 'manual' }).catch(() => null);
    await first?.body?.cancel().catch(() => {});
    to = first?.headers.get('Location');
    text = `this is no ${what}: ${to ? `status ${first.status} to ${pathOf(to, url)}` : `it was redirected to ${pathOf(response.url, url)}`}`;
  }
  const kind = (response.headers.get('Content-Type') ?? '').split(';')[0];
  if (response.ok && !to) text += kind ? `, ${kind}` : ', without a type';
  return text;
}

/** Nothing of what is not ours is taken for it. */
async function check(response, type, ask, url, init) {
  const kind = (response.headers.get('Content-Type') ?? '').split(';')[0].trim().toLowerCase();
  if (response.status === 204) throw new SluiceEnd();
  if (response.ok && kind === type) return;
  // Our own refusals are plain text, a sentence that says what to do.
  const own = !response.ok && kind === 'text/plain' ? (await response.text()).trim() : '';
  if (!own) await response.body?.cancel().catch(() => {});
  const e = new SluiceError(response.status, own || await describe(response, type, ask, url, init));
  const after = Number(response.headers.get('Retry-After'));
  if (after) e.retryAfterMs = after * 1000;
  throw e;
}

/** 204: there is nothing more to come, as for EventSource. */
class SluiceEnd extends Error {
  constructor() {
    super('the server has ended the stream (status 204)');
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
    this.attempts = 0;
    this.startId = ''; // where it was to begin, for when the first connection never said it
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
      const url = new URL(`streams/${this.token}`, this.base);
      url.search = search({ ticket: this.options.ticket }).toString();
      const response = await this.fetch(url, {
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

  /** Live from now on, or from some events before: where that is only the server knows. */
  get beginsNow() {
    return !this.lastId && !this.options.since && !this.options.earliest;
  }

  /** Beside the first connection, which may turn out to be held back on the way. */
  async noteStart() {
    try {
      const { next } = await (await this.request('poll', this.parameters({ tail: 0, timeout: '0s' }))).json();
      if (next) this.startId = next;
    } catch {
      // told as a gap, should it be needed
    }
  }

  /** What has come since the start is asked for by its cursor; before it, the tail. */
  async goOnFromStart() {
    const { tail } = this.options;
    const events = [];
    const before = idAfter(this.startId);
    for (let page = { older: before }; page.older && events.length < tail;) {
      const parameters = search({ ...this.subscription(), before: page.older, limit: Math.min(tail - events.length, 5000) });
      page = await (await this.request('history', parameters)).json();
      events.unshift(...page.events);
    }
    let full;
    for (const e of events) full = this.deliver(e) ?? full;
    this.lastId = this.startId;
    await full;
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
        if (this.options.transport === 'auto' && this.beginsNow && !this.startId && !this.mute) this.noteStart();
        if (this.attempts++ && this.beginsNow && this.startId) await this.goOnFromStart();
        await { fetch: this.byFetch, eventsource: this.byEventSource, poll: this.byPoll }[this.transport()].call(this);
        why = this.farewell || why;
      } catch (e) {
        if (e instanceof SluiceEnd) {
          this.close(e.message);
        } else if (e instanceof SluiceError && e.status < 500 && ![408, 425, 429].includes(e.status)) {
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
    const { headers, credentials, ticket } = this.options;
    if (ticket) parameters.set('ticket', ticket);
    const type = route === 'events' ? 'text/event-stream' : 'application/json';
    const init = { headers: { Accept: type, ...headers }, credentials, cache: 'no-store', signal: this.abort.signal };
    const text = parameters.toString();
    // Some web servers refuse line ends and tabs in a URL.
    if (this.options.method === 'POST' || text.length > URL_MAX || /%[01][0-9A-F]|%7F/.test(text)) {
      init.method = 'POST';
      init.body = parameters;
    } else {
      url.search = text;
    }
    const response = await this.fetch(url, init);
    await check(response, type, this.fetch, url, init);
    return response;
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
    url.search = this.parameters({ batch: 1, heartbeat: 'event', ticket: this.options.ticket }).toString();
    const source = new this.EventSource(url, { withCredentials: this.options.credentials === 'include' });
    return new Promise((done, fail) => {
      const end = (then) => { source.close(); then(); };
      this.abort.signal.addEventListener('abort', () => end(() => fail(this.abort.signal.reason)), { once: true });
      for (const type of ['batch', 'hello', 'changed', 'bye', 'busy', 'ping', 'gap'])
        source.addEventListener(type, (e) => this.take(e.lastEventId, type, e.data));
      // It would reconnect by itself, without backing off; or it has given up, and says nothing of why.
      source.onerror = () => {
        const gaveUp = source.readyState === 2;
        end(() => (gaveUp ? this.whyNot().then(done, fail) : done()));
      };
    });
  }

  /** Throws what an EventSource does not tell. */
  async whyNot() {
    if (!this.fetch) return;
    const response = await this.request('events', this.parameters({}));
    await response.body?.cancel().catch(() => {});
  }

  async byPoll() {
    // Without a cursor nothing could be asked for again: it is taken first.
    const isLate = this.beginsNow && !this.startId && this.mute > 0;
    for (;;) {
      const hasStart = !this.beginsNow || this.options.tail;
      const response = await this.request('poll', this.parameters({ timeout: hasStart ? '25s' : '0s' }));
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
      if (isLate && !this.lastId) // what came before this is lost, and nobody knows how much
        this.deliver({ id: answer.next, event: 'gap', reason: 'polling', count: null });
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
