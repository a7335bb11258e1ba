// SPDX-License-Identifier: MIT
// The client library and other people's clients in a real Chromium.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, dir, killHub, openConsole, status, until, url, write } from './rig.js';

// An EventSource in a page of our own origin, which keeps what it gets.
async function openEventSource(page, query) {
  // A page of the web server's own: ours let nothing run.
  await page.goto(new URL('/somebody-elses', url).href);
  await page.evaluate((address) => {
    window.got = [];
    window.hellos = [];
    window.unnamed = 0;
    window.source = new EventSource(address);
    window.source.addEventListener('line', (e) => window.got.push(JSON.parse(e.data).message));
    window.source.addEventListener('gap', (e) => window.got.push(`gap ${e.data}`));
    window.source.addEventListener('hello', (e) => window.hellos.push([e.lastEventId, JSON.parse(e.data).mode]));
    window.source.onmessage = () => { window.unnamed++; };
  }, `${url}events?${query}`);
  await until('hello', () => page.evaluate(() => window.hellos.length > 0));
}

const modules = fileURLToPath(new URL('node_modules', import.meta.url));

// Lines from 1 on, while streams are broken; `isBack` says whether the client has come back so often.
async function writeWhileStreamsEnd(isBack, end = killHub) {
  let n = 0;
  for (let round = 1; round <= 3; round++) {
    for (let i = 0; i < 200; i++) write(`${++n}\n`);
    await end();
    await until('the client to come back', () => isBack(round));
  }
  for (let i = 0; i < 200; i++) write(`${++n}\n`);
  return n;
}

// htmx puts what it gets into the page.
async function htmxShowsEveryLine(page, reports, scripts, markup) {
  await page.goto(new URL('/somebody-elses', url).href);
  for (const script of scripts) await page.addScriptTag({ path: join(modules, script) });
  await page.evaluate((html) => {
    document.body.innerHTML = html;
    window.htmx.process(document.body);
  }, markup(`${url}events?channel=logs&earliest=1&event=message&data=html`));
  const lines = () => page.textContent('#out');
  const opened = async () => (await status()).streams.open === 1;
  await until('the stream', opened);
  const evil = '<b>bold</b><img src=x onerror="document.title=1"> &amp; "x"';
  write(`${evil}\n`);
  await until('the line', async () => (await lines()) === evil);
  check(!(await page.$('#out b, #out img')), 'a line has become markup');
  const n = await writeWhileStreamsEnd(opened);
  const want = evil + Array.from({ length: n }, (_, i) => String(i + 1)).join('');
  await until('all lines', async () => (await lines()).length >= want.length);
  check((await lines()) === want, `not each once: ${(await lines()).slice(0, 300)}`);
  check(!reports.length, `${reports}`);
}

export default {
  async a_heartbeat_moves_last_event_id_and_wakes_no_script(page) {
    await openEventSource(page, 'channel=logs');
    const first = (await page.evaluate(() => window.hellos))[0][0];
    // The head moves by events of another channel, which this stream does not get.
    write('elsewhere\n', join(dir, 'other.log'));
    const beats = (await status()).streams.heartbeats;
    await until('heartbeats', async () => (await status()).streams.heartbeats >= beats + 3);
    check((await page.evaluate(() => window.unnamed + window.got.length)) === 0, 'a heartbeat woke a script');
    await killHub();
    await until('the reconnection', () => page.evaluate(() => window.hellos.length > 1));
    const [[id, mode]] = (await page.evaluate(() => window.hellos)).slice(1);
    check(mode === 'resumed', `the browser came back ${mode}`);
    check(id !== first, 'lastEventId did not move with the heartbeats');
  },

  async event_source_reconnects_after_the_hub_restarts_and_misses_nothing(page) {
    await openEventSource(page, 'channel=logs&earliest=1');
    let n = 0;
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 200; i++) write(`${++n}\n`);
      const killed = killHub();
      for (let i = 0; i < 200; i++) write(`${++n}\n`);
      await killed;
    }
    await until('all lines', () => page.evaluate((all) => window.got.length >= all, n));
    const got = await page.evaluate(() => window.got);
    check(got.length === n && got.every((text, i) => text === String(i + 1)), `got ${got.length} of ${n}: ${got.slice(0, 5)}`);
  },

  async the_client_library_misses_nothing_by_any_transport(page) {
    await openConsole(page);
    await page.evaluate(async () => {
      const { SluiceStream } = await import(new URL('sluice-client.js', location).href);
      window.streams = ['fetch', 'eventsource', 'poll'].map((transport) => {
        const got = [];
        const stream = new SluiceStream('.', { channels: ['logs'], transport, minRetryMs: 20, onevent: (e) => got.push(e.message) });
        return { got, stream };
      });
    });
    await until('all to be live', () => page.evaluate(() => window.streams.every(({ stream }) => stream.state === 'live' || stream.transport() === 'poll')));
    await until('the streams to be open', async () => (await status()).streams.open >= 4);
    let n = 0;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 200; i++) write(`${++n}\n`);
      await killHub();
    }
    for (let i = 0; i < 200; i++) write(`${++n}\n`);
    const counts = () => page.evaluate(() => window.streams.map(({ got }) => got.length));
    await until('all lines', async () => (await counts()).every((c) => c >= n)).catch(async (e) => { throw new Error(`${e.message}: ${await counts()}`); });
    const stats = await page.evaluate(() => window.streams.map(({ got, stream }) => {
      stream.close();
      return { ...stream.stats, inOrder: got.every((text, i) => text === String(i + 1)), transport: stream.transport() };
    }));
    for (const s of stats)
      check(s.inOrder && s.events === n && s.gaps === 0 && s.duplicates === 0, JSON.stringify(s));
  },

  async htmx_2_shows_every_line_as_text(page, reports) {
    await htmxShowsEveryLine(page, reports, ['htmx-ext-sse/node_modules/htmx.org/dist/htmx.js', 'htmx-ext-sse/sse.js'],
      (address) => `<div hx-ext="sse" sse-connect="${address}"><div id="out" sse-swap="message" hx-swap="beforeend"></div></div>`);
  },

  async htmx_4_shows_every_line_as_text(page, reports) {
    await htmxShowsEveryLine(page, reports, ['htmx.org/dist/htmx.js', 'htmx.org/dist/ext/hx-sse.js'],
      (address) => `<div id="out" hx-sse:connect="${address}" hx-swap="beforeend"></div>`);
  },

  async eventsource_polyfill_misses_nothing(page) {
    await page.goto(new URL('/somebody-elses', url).href);
    await page.evaluate(() => { window._eventSourceImportPrefix = 'Poly'; });
    await page.addScriptTag({ path: join(modules, 'eventsource-polyfill/dist/eventsource.js') });
    await page.evaluate((address) => {
      window.got = [];
      window.hellos = [];
      window.strange = [];
      window.source = new window.PolyEventSource(address);
      window.source.addEventListener('line', (e) => window.got.push(JSON.parse(e.data).message));
      window.source.addEventListener('hello', (e) => window.hellos.push(JSON.parse(e.data)));
      for (const type of ['message', 'gap']) window.source.addEventListener(type, (e) => window.strange.push(e.data));
    }, `${url}events?channel=logs&earliest=1`);
    await until('hello', () => page.evaluate(() => window.hellos.length > 0));
    // It gives up for good when a connection breaks, and only comes back from one that ends.
    const end = async () => {
      const { token } = (await page.evaluate(() => window.hellos)).at(-1);
      check((await fetch(`${url}streams/${token}`, { method: 'DELETE' })).ok, 'the stream was not to be ended');
    };
    const n = await writeWhileStreamsEnd((round) => page.evaluate((r) => window.hellos.length > r, round), end);
    await until('all lines', () => page.evaluate((all) => window.got.length >= all, n));
    const { got, hellos, strange } = await page.evaluate(() => ({ got: window.got, hellos: window.hellos, strange: window.strange }));
    check(got.length === n && got.every((text, i) => text === String(i + 1)), `got ${got.length} of ${n}`);
    check(hellos.slice(1).every((h) => h.mode === 'resumed') && !strange.length, `${JSON.stringify(hellos)} ${strange}`);
  },

  // The same server under another name is another site to the browser.
  async a_page_of_a_listed_origin_imports_reads_and_frames(page) {
    const base = url;
    const other = new URL('/somebody-elses', url.replace('127.0.0.1', 'localhost')).href;
    write('one\n');
    await page.goto(other);
    const got = await page.evaluate(async (address) => {
      const { SluiceStream } = await import(`${address}sluice-client.js`);
      const stream = new SluiceStream(address, { channels: ['logs'], earliest: true, credentials: 'include',
        headers: { Authorization: 'Bearer x', 'X-Requested-With': 'XMLHttpRequest', 'Last-Event-ID': '' } });
      for await (const event of stream) return event.message;
      return null;
    }, base);
    check(got === 'one', `read: ${got}`);
    const why = await page.evaluate(async (address) => {
      const answer = await fetch(`${address}nothing`, { headers: { Authorization: 'x' } }).catch((e) => e.message);
      return answer.status ?? answer;
    }, `${base}schema/`);
    check(why === 404, `a refusal can be read: ${why}`);
    const framed = async () => page.evaluate((address) => new Promise((done) => {
      const frame = document.createElement('iframe');
      frame.src = address;
      frame.onload = () => done(true);
      document.body.append(frame);
    }), base);
    await framed();
    const state = async () => page.frames()[1].textContent('#state').catch(() => '');
    await until('the console in a frame', async () => ['live', 'connecting'].includes(await state()));
    // Nobody else may: nothing was listed of this one.
    await page.goto(other.replace('localhost', 'elsewhere.localhost'));
    check(await page.evaluate((address) => import(`${address}sluice-client.js`).then(() => false, () => true), base), 'imported from elsewhere');
    await framed();
    check(await page.frames()[1].$('#state').catch(() => null) === null, 'framed from elsewhere');
  },

  // The web server sees 127.0.0.1 and its own port as Host, whatever the page is of.
  async behind_a_proxy_that_rewrites_host_forms_are_sent(page) {
    write('one\n');
    await page.goto(new URL('/somebody-elses', url).href);
    const post = (address, body) => page.evaluate(([a, b]) => fetch(a, { method: 'POST', body: new URLSearchParams(b) })
      .then((r) => r.status, (e) => e.message), [address, body]);
    const form = { channel: 'logs', filter: `not message contains "${'x'.repeat(3000)}"` };
    const own = await post(`${url}history`, form);
    check(own === 200, `its own page is refused: ${own}`);
    const { denied } = (await status()).streams;
    await page.goto(new URL('/somebody-elses', url.replace('127.0.0.1', 'localhost')).href);
    await post(`${url}history`, form);
    check((await status()).streams.denied === denied + 1, 'a page of another site was answered');
  },
};
