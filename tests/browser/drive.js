// SPDX-License-Identifier: MIT
// One scenario in a real Chromium: node drive.js SCENARIO URL DIR.
// DIR/app.log is followed into the channel "logs", DIR/other.log into "other".

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const [scenario, url, dir] = process.argv.slice(2);
const patience = 20000 * Number(process.env.TEST_PATIENCE ?? 1);
const log = join(dir, 'app.log');
const write = (text, file = log) => appendFileSync(file, text);
const sleep = (ms) => new Promise((r) => { setTimeout(r, ms); });

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

const status = async () => (await fetch(`${url}status`)).json();

async function killHub() {
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

const rowTexts = (page) => page.$$eval('.row:not([hidden])', (rows) => rows
  .map((r) => [r.getBoundingClientRect().top, r.children[3].textContent])
  .sort((a, b) => a[0] - b[0]).map(([, text]) => text));

const hasRow = (page, text) => until(`the line "${text}"`, async () => (await rowTexts(page)).includes(text));

async function openConsole(page) {
  await page.goto(url);
  await until('the console to be live', async () => (await page.textContent('#state')) === 'live');
}

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

const scenarios = {
  async a_line_appears_as_text_whatever_it_holds(page, reports) {
    await openConsole(page);
    write('plain line\n');
    await hasRow(page, 'plain line');
    const html = '<img src=x onerror="document.title=1"><script>document.title=2</script><b>bold</b>';
    write(`${html}\n`);
    await hasRow(page, html);
    write(Buffer.from('nul\0 cr\r mid esc\x1b[31m bad\xff rtl\u202e end\n', 'latin1'));
    await hasRow(page, 'nul\u2400 cr\u240d mid esc\u241b[31m bad\ufffd rtl. end'.replace('rtl.', 'rtl.'));
    write('\u202edata: x\n id: 7\ndata: y\n');
    await hasRow(page, '\u27e8U+202E\u27e9data: x');
    await hasRow(page, ' id: 7');
    write('2026 ERROR it broke\n');
    await hasRow(page, '2026 ERROR it broke');
    const inside = await page.$$eval('#rows img, #rows script, #rows b, #rows a', (e) => e.length);
    check(inside === 0, 'an element was made from a line');
    check(reports.length === 0, `the policy was violated: ${reports}`);
    const letter = await page.$$eval('.row.s3:not([hidden])', (r) => r.map((e) => e.children[2].textContent));
    check(letter.length === 1 && letter[0] === 'E', `severity is shown as ${letter}`);
    check((await page.title()) === 'sluice', 'a script in a line has run');
  },

  async the_console_tests_its_connection(page, reports) {
    await openConsole(page);
    let text, tries = 0;
    do {
      await page.click('#test');
      text = await until('the result', async () => {
        const t = await page.textContent('#connection');
        return t && !t.includes('Testing') && t;
      });
    } while (text.includes('test again') && ++tries < 5); // on a busy machine, as it says
    const want = url.includes('/held/') ? /held back on the way: .*server\.stream-response-body = 2/ : /come frame by frame through lighttpd/;
    check(want.test(text), text);
    check(reports.length === 0, `reports: ${reports}`);
    if (process.env.TEST_SCREENSHOT) await page.screenshot({ path: process.env.TEST_SCREENSHOT });
  },

  async a_huge_line_is_cut_on_screen_and_whole_in_the_detail(page) {
    await openConsole(page);
    write(`${'x'.repeat(50000)}\nafter\n`);
    await hasRow(page, 'after');
    const row = (await rowTexts(page)).find((t) => t.startsWith('xxx'));
    check(row.length < 2100 && row.endsWith('show all 49 KB'), `the row is ${row.length} long: ${row.slice(-30)}`);
    await page.locator('.row', { hasText: 'show all' }).first().click({ position: { x: 200, y: 8 } });
    await until('the whole line', async () => (await page.textContent('#whole')).length === 50000);
  },

  async pausing_filtering_and_scrolling_hold_still(page) {
    await openConsole(page);
    write(Array.from({ length: 300 }, (_, i) => `line ${i}${i % 100 === 0 ? ' needle' : ''}\n`).join(''));
    await hasRow(page, 'line 299');
    // Pause: nothing moves, and what waits is counted.
    await page.keyboard.press('Space');
    const before = await rowTexts(page);
    write('while paused\nERROR while paused\n');
    await until('the count of waiting lines', async () => (await page.textContent('#notice')).includes('2 lines wait, 1 error among'));
    check(JSON.stringify(await rowTexts(page)) === JSON.stringify(before), 'rows moved while paused');
    await page.hover('#scroller');
    await page.mouse.wheel(0, -3000);
    await until('scrolling while paused', async () => (await rowTexts(page)).includes('line 150'));
    check((await page.textContent('#notice')).includes('Paused (key)'), 'scrolling ended the pause');
    await page.keyboard.press('End');
    await hasRow(page, 'ERROR while paused');
    // Filter: only matching lines, also new ones; then all again.
    await page.fill('#filter', 'NEEDLE');
    await until('the filter', async () => (await rowTexts(page)).join() === 'line 0 needle,line 100 needle,line 200 needle');
    write('another needle\nand hay\n');
    await hasRow(page, 'another needle');
    check(!(await rowTexts(page)).includes('and hay'), 'a line that does not match is shown');
    check((await page.textContent('#footer')).includes('match 4'), 'the matches are not counted');
    check(page.url().includes('filter=NEEDLE'), 'the filter is not in the URL');
    // In the case of any letter, whatever else the text holds.
    write('Der \u00c4RGER (5 \u212a) [x]\n');
    await page.fill('#filter', '\u00e4rger (5 k) [X]');
    await until('the filter', async () => (await rowTexts(page)).join() === 'Der \u00c4RGER (5 \u212a) [x]');
    await page.fill('#filter', '');
    await hasRow(page, 'and hay');
    // Minimum severity.
    await page.selectOption('#severity', '3');
    await until('errors only', async () => (await rowTexts(page)).join() === 'ERROR while paused');
    await page.selectOption('#severity', '8');
    await hasRow(page, 'and hay');
    // Scrolled up: the line that is read does not move.
    await page.evaluate(() => document.activeElement.blur());
    await page.hover('#scroller');
    await page.mouse.wheel(0, -2000);
    await until('not following', async () => (await page.textContent('#notice')).includes('Not following'));
    const anchor = () => page.$$eval('.row:not([hidden])', (rows) => {
      const top = document.getElementById('scroller').getBoundingClientRect().top;
      const seen = rows.map((r) => [r.getBoundingClientRect().top - top, r.children[3].textContent]).filter(([y]) => y >= 0);
      return seen.sort((a, b) => a[0] - b[0])[0].join();
    });
    await sleep(200);
    const where = await anchor();
    write(Array.from({ length: 500 }, (_, i) => `more ${i}\n`).join(''));
    await until('the lines', async () => /received 80[0-9]/.test(await page.textContent('#footer')));
    await sleep(100);
    check((await anchor()) === where, `the anchor moved from ${where} to ${await anchor()}`);
    await page.keyboard.press('End');
    await hasRow(page, 'more 499');
    if (process.env.TEST_SCREENSHOT) await page.screenshot({ path: process.env.TEST_SCREENSHOT });
  },

  async the_console_resumes_after_the_hub_was_killed_and_shows_gaps(page) {
    await openConsole(page);
    write('1\n2\n');
    await hasRow(page, '2');
    await killHub();
    write('3\n');
    await hasRow(page, '3');
    const numbers = (await rowTexts(page)).filter((t) => /^\d+$/.test(t));
    check(numbers.join() === '1,2,3', `got ${numbers}`);
    const footer = await page.textContent('#footer');
    check(footer.includes('dup 0') && footer.includes('gaps 0'), footer);
    appendFileSync(join(dir, 'truncate'), '');
    await until('a gap in the page', async () => (await rowTexts(page)).some((t) => t.startsWith('gap (truncated)')));
    check((await page.textContent('#footer')).includes('gaps 1'), 'the gap is not counted');
  },

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

const profile = mkdtempSync(join(tmpdir(), 'sluice-chromium-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  viewport: { width: 1280, height: 720 },
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-quic'],
});
let failed = false;
try {
  const page = await context.newPage();
  const reports = [];
  page.on('console', (m) => { if (/Content Security Policy|TrustedScript/.test(m.text())) reports.push(m.text()); });
  page.on('pageerror', (e) => reports.push(String(e)));
  try {
    await scenarios[scenario](page, reports);
  } catch (e) {
    failed = true;
    console.log(`${e.stack}\n  state: ${await page.textContent('#state').catch(() => '')}` +
      `\n  rows: ${(await rowTexts(page).catch(() => [])).slice(-8).join(' | ')}\n  reports: ${reports}`);
    if (process.env.TEST_SCREENSHOT) await page.screenshot({ path: process.env.TEST_SCREENSHOT });
  }
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
