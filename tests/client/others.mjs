// SPDX-License-Identifier: MIT
// Clients that are not ours, against a real sluice: node others.mjs CLIENT URL DIR.
// DIR/a.log is followed into the channel a.  Each gets every line once and in order, while the hub
// is killed again and again, and nothing that is no event.

import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { EventSource } from 'eventsource';

const require = createRequire(import.meta.url);
const [client, url, dir] = process.argv.slice(2);
const patience = 20000 * Number(process.env.TEST_PATIENCE ?? 1);
const sleep = (ms) => new Promise((r) => { setTimeout(r, ms); });
const write = (from, to) => appendFileSync(join(dir, 'a.log'), Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join(''));
const status = async () => (await fetch(`${url}status`)).json();

function check(condition, message) {
  if (!condition) throw new Error(message);
}

async function until(what, condition) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what()}`);
    await sleep(20);
  }
}

async function killHub() {
  const { pid } = await status();
  process.kill(pid, 'SIGKILL');
  await until(() => 'another hub', async () => status().then((s) => s.pid !== pid, () => false));
}

const got = [];
const hellos = [];
const strange = [];
const line = (data) => got.push(JSON.parse(data).message);

function byEventSource(Source, address) {
  const source = new Source(address);
  source.addEventListener('line', (e) => line(e.data));
  source.addEventListener('hello', (e) => hellos.push(JSON.parse(e.data).mode));
  source.addEventListener('gap', (e) => strange.push(`gap ${e.data}`));
  source.onmessage = (e) => strange.push(`message ${e.data}`);
}

function byOnmessage(Source, address) {
  const source = new Source(`${address}&event=message`);
  source.addEventListener('hello', (e) => hellos.push(JSON.parse(e.data).mode));
  source.onmessage = (e) => (JSON.parse(e.data).event === 'line' ? line(e.data) : strange.push(e.data));
}

// It hands on every block, and takes an id as soon as its line is there: the cursor is kept by
// hand, as README says.  A page's document and window are all it needs of a browser.
function byFetchEventSource(address) {
  globalThis.window = globalThis;
  globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
  const { fetchEventSource } = require('@microsoft/fetch-event-source');
  let last = '';
  fetchEventSource(`${address}&heartbeat=comment`, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, 'last-event-id': last } }),
    onmessage({ event, data, id }) {
      last = id || last;
      if (event === 'line') line(data);
      else if (event === 'hello') hellos.push(JSON.parse(data).mode);
      else if (!data || !['bye', 'busy'].includes(event)) strange.push(`${event} ${id} ${data}`);
    },
    onclose() { throw new Error('to be opened again'); },
    onerror() { /* in the time that the server has named */ },
  }).catch((e) => strange.push(String(e)));
}

const address = `${url}events?channel=a&earliest=1`;
const clients = {
  eventsource: () => byEventSource(EventSource, address),
  eventsource_by_onmessage: () => byOnmessage(EventSource, address),
  event_source_polyfill: () => byEventSource(require('event-source-polyfill').EventSourcePolyfill, address),
  fetch_event_source: () => byFetchEventSource(address),
};

clients[client]();
await until(() => 'hello', () => hellos.length);
let n = 0;
for (let round = 1; round <= 3; round++) {
  write(n, n += 300);
  await until(() => `${n} lines: ${got.length}, ${strange}`, () => got.length >= n);
  const beats = (await status()).streams.heartbeats;
  await until(() => 'heartbeats', async () => (await status()).streams.heartbeats > beats + 2);
  write(n, n += 300); // some of them before it dies, some after
  await killHub();
  await until(() => `it to come back: ${hellos}, ${strange}`, () => hellos.length > round);
}
await until(() => `${n} lines: ${got.length}, ${strange}`, () => got.length >= n);
await sleep(100);
const at = got.findIndex((text, i) => text !== String(i));
check(at < 0 && got.length === n, `${got.length} of ${n}; at ${at}: ${got[at]}`);
check(!strange.length, `what is no event came as one: ${strange}`);
check(hellos.slice(1).every((mode) => mode === 'resumed'), `came back ${hellos}`);
process.exit(0);
