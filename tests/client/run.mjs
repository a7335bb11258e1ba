// SPDX-License-Identifier: MIT
// The client library in Node.js against a real sluice: node run.mjs SCENARIO URL DIR.
// Two files, DIR/a.log and DIR/b.log, are followed into the channels a and b.

import { appendFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { SluiceError, SluiceStream, SseParser, compareIds, fromBase64, history } from '../../src/client/sluice-client.js';

const [scenario, url, dir] = process.argv.slice(2);
const patience = 20000 * Number(process.env.TEST_PATIENCE ?? 1);
const write = (name, lines) => appendFileSync(join(dir, `${name}.log`), lines.map((l) => `${l}\n`).join(''));
const sleep = (ms) => new Promise((r) => { setTimeout(r, ms); });
const range = (from, to) => Array.from({ length: to - from }, (_, i) => String(from + i));

function check(condition, message) {
  if (!condition) throw new Error(message);
}

async function until(what, condition) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}

async function killHub() {
  const status = async () => (await fetch(`${url}status`)).json();
  const { pid } = await status();
  process.kill(pid, 'SIGKILL');
  await until('another hub', async () => {
    try {
      return (await status()).pid !== pid;
    } catch {
      return false;
    }
  });
}

// Whether `got` is exactly what was written, once and in order.
function same(got, want) {
  const at = want.findIndex((w, i) => got[i] !== w);
  check(at < 0 && got.length === want.length, `${got.length} of ${want.length}; at ${at}: ${got[at]} instead of ${want[at]}`);
}

// EventSource as browsers have it, as far as this library uses it.
class MiniEventSource {
  constructor(address) {
    this.listeners = {};
    this.abort = new AbortController();
    const parser = new SseParser({ event: (id, type, data) => this.listeners[type]?.({ lastEventId: id, data }) });
    fetch(address, { signal: this.abort.signal, headers: { Accept: 'text/event-stream' } }).then(async (r) => {
      for await (const piece of r.body.pipeThrough(new TextDecoderStream())) parser.feed(piece);
      this.onerror?.();
    }).catch(() => this.onerror?.());
  }

  addEventListener(type, fn) { this.listeners[type] = fn; }

  close() { this.abort.abort(); }
}

// A connection that can be made silent without being closed, as a sleeping machine's is.
async function proxy() {
  const target = new URL(url);
  const sockets = new Set();
  let frozen = false;
  const server = net.createServer((from) => {
    const to = net.connect(Number(target.port), target.hostname);
    sockets.add(from).add(to);
    const drop = () => { from.destroy(); to.destroy(); };
    from.on('data', (d) => to.write(d)).on('close', drop).on('error', drop);
    to.on('data', (d) => { if (!frozen) from.write(d); }).on('close', drop).on('error', drop);
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return {
    url: `http://127.0.0.1:${server.address().port}${target.pathname}`,
    freeze: (on) => { frozen = on; },
    close: () => { server.close(); sockets.forEach((s) => s.destroy()); },
  };
}

// A web server of somebody else's: `answer` per path.
async function elsewhere(answer) {
  const asked = [];
  const server = http.createServer((request, response) => {
    asked.push(request.url);
    answer(request, response, new URL(request.url, 'http://x').pathname);
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  return { url: `http://127.0.0.1:${server.address().port}/logs/`, asked, close: () => { server.closeAllConnections(); server.close(); } };
}

// A proxy that passes an answer on only when it is whole.
const held = async (address, init) => {
  const r = await fetch(address, init);
  return new URL(address).pathname.endsWith('/events') ? new Response(new Blob([await r.arrayBuffer()]), r) : r;
};

// How long `work` takes for an amount, and how much longer for four times that: 4 when it is linear.
function growth(work, amount) {
  const time = (n) => {
    const began = process.cpuUsage();
    work(n);
    const spent = process.cpuUsage(began);
    return spent.user + spent.system;
  };
  time(amount / 4); // compiled
  const all = [0, 1, 2].map(() => time(4 * amount) / time(amount));
  return Math.min(...all);
}

async function resumes(options) {
  const got = [];
  const gaps = [];
  const stream = new SluiceStream(url, {
    channels: ['a'], earliest: true, minRetryMs: 20, onevent: (e) => got.push(e.message), ongap: (g) => gaps.push(g), ...options });
  for (let i = 0; i < 2000; i += 100) {
    write('a', range(i, i + 100));
    if (i % 600 === 500) {
      await until('it to be live', () => stream.state === 'live');
      await killHub();
    }
    await sleep(5);
  }
  await until('all lines', () => got.length >= 2000);
  await sleep(100);
  stream.close();
  await stream.closed;
  same(got, range(0, 2000));
  check(!gaps.length && stream.stats.events === 2000 && stream.stats.duplicates === 0, JSON.stringify([gaps, stream.stats]));
  // A poll that no hub has yet waits for the next one.
  check(stream.stats.reconnects >= 3 || options.transport === 'poll', `it never reconnected: ${JSON.stringify(stream.stats)}`);
}

const scenarios = {
  by_fetch: () => resumes({ transport: 'fetch' }),
  by_post: () => resumes({ transport: 'fetch', method: 'POST', filter: 'message ~ /^[0-9]+$/', headers: { 'X-Own': '1' } }),
  by_event_source: () => resumes({ transport: 'eventsource', EventSource: MiniEventSource }),
  by_poll: () => resumes({ transport: 'poll' }),

  async an_iterator_holds_the_server_back() {
    write('a', range(0, 30000).map((n) => `${n} ${'x'.repeat(200)}`));
    const stream = new SluiceStream(url, { channels: ['a'], earliest: true });
    let n = 0;
    for await (const e of stream) {
      if (n === 10) await sleep(500);
      check(stream.queue.items.length < 4000, `${stream.queue.items.length} wait in the client`);
      check(e.message.startsWith(`${n} `), `${e.message} instead of ${n}`);
      if (++n === 30000) break;
    }
    check(stream.state === 'closed' && n === 30000, stream.state);
  },

  async a_change_goes_on_where_it_is() {
    const got = [];
    const stream = new SluiceStream(url, { channels: ['a'], tail: 0, onevent: (e) => got.push(e.message) });
    await until('it to be live', () => stream.state === 'live');
    write('a', ['a1']);
    await until('a1', () => got.includes('a1'));
    await stream.change({ channels: ['a', 'b'], filter: 'message endswith "2"' });
    write('a', ['a2', 'a3']);
    write('b', ['b2', 'b3']);
    await until('a2 and b2', () => got.includes('a2') && got.includes('b2'));
    check(got.length === 3 && stream.stats.reconnects === 0, JSON.stringify([got, stream.stats]));
    let refused;
    await stream.change({ filter: 'nonsense' }).catch((e) => { refused = e; });
    check(refused instanceof SluiceError && refused.message.includes('fields.nonsense'), String(refused));
    stream.close();
  },

  async what_is_refused_for_good_is_told_once() {
    const stream = new SluiceStream(url, { channels: ['nobody'] });
    let error;
    try {
      for await (const e of stream) check(false, JSON.stringify(e));
    } catch (e) {
      error = e;
    }
    check(error instanceof SluiceError && error.status === 404 && stream.stats.reconnects === 0, String(error));
  },

  async a_silent_peer_is_left() {
    const through = await proxy();
    const got = [];
    const states = [];
    const stream = new SluiceStream(through.url, { channels: ['a'], earliest: true, minRetryMs: 20, maxRetryMs: 200,
      onevent: (e) => got.push(e.message), onstate: (s, why) => states.push(`${s}: ${why}`) });
    write('a', ['before']);
    await until('the first line', () => got.length === 1);
    through.freeze(true);
    write('a', ['meanwhile']);
    await until('the silence to be noticed', () => states.some((s) => s.includes('no heartbeat')));
    through.freeze(false);
    await until('the second line', () => got.length === 2);
    same(got, ['before', 'meanwhile']);
    stream.close();
    through.close();
  },

  async what_is_held_back_on_the_way_is_polled() {
    const got = [];
    const stream = new SluiceStream(url, { channels: ['a'], earliest: true, fetch: held, helloMs: 300, minRetryMs: 20,
      onevent: (e) => got.push(e.message) });
    write('a', range(0, 100));
    await until('all lines', () => got.length === 100);
    check(stream.transport() === 'poll', stream.transport());
    stream.close();
  },

  async polling_misses_nothing_that_came_before_it() {
    write('a', range(0, 20));
    await until('them to be there', async () => (await history(url, { channel: 'a', limit: 30 })).events.length === 20);
    for (const [options, first] of [[{}, 20], [{ tail: 5 }, 15]]) {
      const got = [];
      const gaps = [];
      const base = Number((await history(url, { channel: 'a', limit: 1 })).events[0].message) + 1;
      const stream = new SluiceStream(url, { channels: ['a'], fetch: held, helloMs: 400, minRetryMs: 20,
        onevent: (e) => got.push(e.message), ongap: (g) => gaps.push(g), ...options });
      await until('it to know where it begins', () => stream.startId);
      for (let i = 0; i < 40; i++) {
        write('a', [base + i]);
        await sleep(30);
      }
      await until('all lines', () => got.includes(String(base + 39)));
      same(got, range(base - 20 + first, base + 40));
      check(stream.transport() === 'poll' && !gaps.length, JSON.stringify([stream.transport(), gaps]));
      stream.close();
      await stream.closed;
    }
  },

  async what_polling_has_missed_is_a_gap() {
    // Held back, and the cursor cannot be had at first either.
    let refuses = true;
    const ask = (address, init) => (refuses && new URL(address).pathname.endsWith('/poll')
      ? Promise.reject(new TypeError('no way')) : held(address, init));
    const got = [];
    const gaps = [];
    const stream = new SluiceStream(url, { channels: ['a'], fetch: ask, helloMs: 200, minRetryMs: 20,
      onevent: (e) => got.push(e.message), ongap: (g) => gaps.push(g) });
    write('a', range(0, 5));
    await until('it to poll', () => stream.transport() === 'poll');
    refuses = false;
    await until('it to be live', () => stream.state === 'live');
    write('a', range(5, 10));
    await until('the last line', () => got.includes('9'));
    check(gaps.length === 1 && gaps[0].count === null && stream.stats.gaps === 1, JSON.stringify(gaps));
    same(got, range(5, 10));
    stream.close();
  },

  async what_is_not_sluice_is_told_in_a_sentence() {
    const answers = {
      login: (r, response, path) => (path === '/login'
        ? response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html><h1>Sign in</h1></html>')
        : response.writeHead(302, { Location: '/login?back=/logs' }).end()),
      page: (r, response) => response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end('<html></html>'),
      missing: (r, response) => response.writeHead(404, { 'Content-Type': 'text/html' }).end('<html><h1>404</h1></html>'),
      plain: (r, response) => response.writeHead(200).end('hello'),
      ours: (r, response) => response.writeHead(403, { 'Content-Type': 'text/plain; charset=utf-8' }).end('You may not.\n'),
    };
    const says = { login: /: status 302 to \/login/, page: /: status 200 OK, text\/html$/, missing: /: status 404 Not Found$/,
      plain: /: status 200 OK, without a type$/, ours: /^You may not\.$/ };
    // One that gives up as browsers do, and says nothing.
    class SilentEventSource {
      constructor() {
        this.readyState = 2;
        setTimeout(() => this.onerror?.());
      }

      addEventListener() {}

      close() {}
    }
    for (const [name, answer] of Object.entries(answers)) {
      const server = await elsewhere(answer);
      for (const transport of ['fetch', 'poll', 'eventsource']) {
        const stream = new SluiceStream(server.url, { channels: ['a'], transport, EventSource: SilentEventSource });
        let error;
        try {
          for await (const e of stream) check(false, JSON.stringify(e));
        } catch (e) {
          error = e;
        }
        const where = transport === 'poll' ? /^this is no answer of sluice/ : /^this is no event stream/;
        check(error instanceof SluiceError && says[name].test(error.message) && (name === 'ours' || where.test(error.message)),
          `${name} by ${transport}: ${error}`);
        check(stream.stats.reconnects === 0, `${name} by ${transport} was tried again`);
      }
      await history(server.url, { channel: 'a' }).then(() => check(false, 'a page'), (e) => check(says[name].test(e.message), String(e)));
      server.close();
    }
    // What may pass is tried again, and told as shortly.
    const server = await elsewhere((r, response) => response.writeHead(502, { 'Content-Type': 'text/html' }).end('<html>Bad Gateway</html>'));
    const states = [];
    const stream = new SluiceStream(server.url, { channels: ['a'], minRetryMs: 20, maxRetryMs: 40, onstate: (s, why) => states.push(`${s}: ${why}`) });
    await until('another try', () => states.filter((s) => s.startsWith('waiting')).length > 2);
    check(states.includes('waiting: this is no event stream: status 502 Bad Gateway'), JSON.stringify(states));
    stream.close();
    server.close();
  },

  async no_content_means_no_more() {
    const server = await elsewhere((r, response) => response.writeHead(204).end());
    for (const transport of ['fetch', 'poll']) {
      const states = [];
      const stream = new SluiceStream(server.url, { channels: ['a'], transport, minRetryMs: 10, onstate: (s, why) => states.push(`${s}: ${why}`) });
      for await (const e of stream) check(false, JSON.stringify(e));
      await stream.closed;
      same(states, ['closed: the server has ended the stream (status 204)']);
    }
    check(server.asked.length === 2, JSON.stringify(server.asked));
    server.close();
  },

  async white_space_in_a_filter_passes_any_web_server() {
    const asked = [];
    const got = [];
    const ask = (address, init) => { asked.push([init.method ?? 'GET', String(address)]); return fetch(address, init); };
    write('a', ['one', 'two']);
    const stream = new SluiceStream(url, { channels: ['a'], earliest: true, filter: 'message\r\n\t== two\r\n', fetch: ask,
      onevent: (e) => got.push(e.message) });
    await until('the line', () => got.length === 1);
    same(got, ['two']);
    check(asked.every(([method, address]) => method === 'POST' && !address.includes('%')), JSON.stringify(asked));
    stream.close();
  },

  async gaps_are_counted() {
    const gaps = [];
    const stream = new SluiceStream(url, { channels: ['a'], after: 'zzz9.1-0', ongap: (g) => gaps.push(g) });
    await until('the gap', () => gaps.length === 1);
    check(gaps[0].reason === 'epoch' && stream.stats.gaps === 1 && stream.lastId === gaps[0].id, JSON.stringify(gaps));
    stream.close();
  },

  async the_past_in_pages() {
    write('a', range(0, 250));
    await until('them to be there', async () => (await history(url, { channel: 'a', limit: 300 })).events.length === 250);
    let page = await history(url, { channel: 'a', limit: 100 });
    let all = page.events;
    while (page.older) {
      page = await history(url, { channel: 'a', limit: 100, before: page.older });
      all = page.events.concat(all);
    }
    same(all.map((e) => e.message), range(0, 250));
  },

  async the_parser_looks_at_each_character_once() {
    const feed = (text, size) => {
      let n = 0;
      let bytes = 0;
      const p = new SseParser({ event: (id, type, data) => { n++; bytes += data.length; } });
      for (let i = 0; i < text.length; i += size) p.feed(text.slice(i, i + size));
      return [n, bytes];
    };
    const block = `id: e.1-1\nevent: line\ndata: ${'x'.repeat(80)}\n\n`;
    same(feed(block.repeat(1000), 7), [1000, 80000]);
    for (const [name, work] of [
      ['many lines in one piece', (n) => feed(block.repeat(n / block.length), n)],
      ['many lines with CR', (n) => feed(block.replaceAll('\n', '\r').repeat(n / block.length), n)],
      ['one line in one piece', (n) => feed(`data: ${'x'.repeat(n)}\n\n`, n + 10)],
      ['one line in many pieces', (n) => feed(`data: ${'x'.repeat(n)}\n\n`, 1000)],
      ['a line of data for each character', (n) => feed(`${'data: x\n'.repeat(n / 8)}\n`, 1000)]])
      check(growth(work, 2500000) < 9, `${name}: four times as much takes ${growth(work, 2500000).toFixed(1)} times as long`);
  },

  async the_parser_goes_by_the_book() {
    const text = '\ufeffid: 1\r\nevent: a\rdata: x\ndata:y\n\n: comment\nid: 2\n\ndata\n\nid: n\0ul\ndata: \u00e4\u{1f600}\r\n\r\nretry: 5\nretry: x\n\ndata: unfinished\n';
    for (let size = 1; size < text.length; size++) {
      const seen = [];
      const p = new SseParser({ event: (...e) => seen.push(e.join('|')), retry: (ms) => seen.push(`retry ${ms}`) });
      for (let i = 0; i < text.length; i += size) p.feed(text.slice(i, i + size));
      same(seen, ['1|a|x\ny', '2|message|', '2|message|\u00e4\u{1f600}', 'retry 5']);
    }
    check(compareIds('e.9-1', 'e.10-0') < 0 && compareIds('e.5-10', 'e.5-9') > 0 && Number.isNaN(compareIds('e.1-0', 'f.1-0')), 'ids');
    same([...fromBase64('AP-_')].map(String), ['0', '255', '191']);
  },
};

await scenarios[scenario]();
process.exit(0);
