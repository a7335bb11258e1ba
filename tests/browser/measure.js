// SPDX-License-Identifier: MIT
// Measures the console in a real Chromium: node measure.js URL DIR SECONDS LINES.
// Prints one JSON object a line.  What feeds it is asked for by files in DIR: DIR/rate
// holds how many lines a second are to be written; each line begins with its number, and
// holds the time of writing in ms.

import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [url, dir, seconds, many] = [process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5])];
const sleep = (ms) => new Promise((r) => { setTimeout(r, ms); });
const print = (o) => console.log(JSON.stringify(o));
const rate = (n) => writeFileSync(join(dir, 'rate'), `${n}`);
const written = () => Number(readFileSync(join(dir, 'written'), 'utf8') || 0);

async function until(what, condition, ms = 120000) {
  for (const end = Date.now() + ms; ;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}

// In the page: how long frames take, how long it is blocked, how late lines are painted.
const watch = () => {
  const w = { frames: [], blocked: 0, late: [], bad: 0, blank: 0, nodes: 0, stop: false };
  window.watched = w;
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) w.blocked += Math.max(0, e.duration - 50);
  }).observe({ type: 'longtask' });
  let last = performance.now();
  let newest = '';
  const frame = (t) => {
    w.frames.push(t - last);
    last = t;
    const rows = [...document.querySelectorAll('.row')];
    const texts = rows.map((r) => r.querySelector('.m').textContent);
    const end = texts.at(-1) ?? '';
    if (end !== newest) {
      newest = end;
      const ms = Number(/ at (\d+)/.exec(end)?.[1] ?? 0);
      if (ms) w.late.push(Date.now() - ms);
    }
    const numbers = texts.map((x) => Number.parseInt(x, 10)).filter((n) => n >= 0);
    if (numbers.some((n, i) => i && n !== numbers[i - 1] + 1)) w.bad++;
    w.nodes = Math.max(w.nodes, document.getElementsByTagName('*').length);
    if (!w.stop) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
};

const percentile = (list, p) => {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted.length ? Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] * 10) / 10 : null;
};

async function watched(page, ms, act) {
  await page.evaluate(watch);
  const began = Date.now();
  if (act) await act(began + ms);
  else await sleep(ms);
  return page.evaluate(() => {
    window.watched.stop = true;
    return window.watched;
  }).then((w) => ({ ...w, took: (Date.now() - began) / 1000 }));
}

const frames = (w) => ({ frame_p95_ms: percentile(w.frames.slice(2), 0.95), blocked_ms_per_s: Math.round(w.blocked / w.took * 10) / 10, out_of_order_frames: w.bad, nodes: w.nodes });

async function isLive(page) {
  await until('live', async () => (await page.textContent('#state').catch(() => '')) === 'live');
}

async function firstPaint(context, label) {
  const times = [];
  for (let i = 0; i < 7; i++) {
    const page = await context.newPage();
    await page.goto(url, { waitUntil: 'commit' });
    times.push(await page.evaluate(() => new Promise((done) => {
      const look = () => (document.querySelector('.row') ? requestAnimationFrame(() => done(performance.now())) : requestAnimationFrame(look));
      look();
    })));
    await page.close();
  }
  print({ label, first_line_ms: percentile(times.slice(1), 0.5), cold_ms: Math.round(times[0]), budget_ms: 300 });
}

async function atRate(page, n, budget) {
  rate(n);
  await sleep(1000);
  const from = written();
  const w = await watched(page, seconds * 1000);
  const lines = written() - from;
  rate(0);
  const want = written();
  const caught = await until('all lines', async () => page.evaluate((k) => [...document.querySelectorAll('.row .m')].some((m) => m.textContent.startsWith(`${k} `)), want), 60000).then(() => true, () => false);
  const foot = await page.textContent('#footer');
  print({ label: `${n} lines/s`, written_per_s: Math.round(lines / w.took), ...frames(w), late_p95_ms: percentile(w.late, 0.95), all_came: caught, complete: foot.includes('complete') && foot.includes('duplicates 0'), budget });
}

async function filled(page) {
  const want = written() + many;
  writeFileSync(join(dir, 'burst'), `${many}`);
  await until('the lines', async () => written() >= want && !(await page.evaluate((k) => ![...document.querySelectorAll('.row .m')].some((m) => m.textContent.startsWith(`${k} `)), want)), 180000);
  const held = Number(/([\d,]+) lines in memory/.exec(await page.textContent('#footer'))[1].replace(/,/g, ''));
  const w = await watched(page, 0, async () => {
    const box = await page.locator('.ruler').boundingBox();
    await page.mouse.move(box.x + 6, box.y + box.height - 2);
    await page.mouse.down();
    const steps = 120;
    for (let i = 0; i <= steps; i++) {
      await page.mouse.move(box.x + 6, box.y + box.height - 2 - (box.height - 4) * (i / steps));
      await sleep(8);
    }
    await page.mouse.up();
  });
  print({ label: `${held} lines held, from end to end`, held, ...frames(w), budget: { nodes: 2500, frame_max_ms: 100 }, frame_max_ms: percentile(w.frames.slice(2), 1) });
  await page.keyboard.press('End');
  await sleep(300);
  const times = [];
  for (let i = 0; i < 5; i++) {
    const ms = await page.evaluate((text) => new Promise((done) => {
      const input = document.getElementById('filter');
      input.value = text;
      const t0 = performance.now();
      input.dispatchEvent(new Event('input', { bubbles: true }));
      const look = () => {
        const rows = [...document.querySelectorAll('.row .m')];
        if (rows.length && rows.every((m) => m.textContent.includes(text))) done(performance.now() - t0);
        else requestAnimationFrame(look);
      };
      look();
    }), `${i}7`);
    times.push(ms);
    await page.fill('#filter', '');
    await sleep(500);
  }
  print({ label: 'a keystroke in the filter to the first rows', held, median_ms: percentile(times, 0.5), max_ms: percentile(times, 1), budget_ms: 100 });
}

async function hostile(page) {
  await page.evaluate(() => document.activeElement.blur());
  const answers = async (what, act) => {
    const w = await watched(page, 3000, async (end) => {
      await act();
      await sleep(Math.max(0, end - Date.now()));
    });
    print({ label: what, longest_ms: percentile(w.frames.slice(2), 1), budget_ms: 500 });
  };
  await answers('one line of 20 MB', async () => appendFileSync(join(dir, 'app.log'), `${'y'.repeat(20 << 20)}\n`));
  await answers('(a+)+$ as a filter', async () => {
    await page.fill('#filter', '/(a+)+$/');
    await page.press('#filter', 'Enter');
  });
}

// What all processes of the browser have in memory, in MiB.
function resident() {
  let pages = 0;
  for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(profile)) pages += Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    } catch {
      // it has ended meanwhile
    }
  }
  return Math.round(pages * 4096 / 2 ** 20);
}

// The ring is full; new lines push out old ones.
async function soak(page) {
  writeFileSync(join(dir, 'burst'), `${many}`);
  await until('the lines', async () => /^(49\d|500),/.test((await page.textContent('#footer')).replace(/^.*?(complete|missing)/, '')), 180000);
  rate(2000);
  const samples = [];
  for (let minute = 0; minute < 10; minute++) {
    await sleep(seconds * 1000);
    samples.push(resident());
  }
  rate(0);
  const foot = await page.textContent('#footer');
  print({ label: `${10 * seconds} s at 2000 lines/s with a full ring`, resident_mib: samples, growth_mib: Math.max(...samples.slice(5)) - Math.max(...samples.slice(0, 5)), complete: foot.includes('complete'), budget: 'flat' });
}

async function speed(page) {
  // The same work on each machine: so that figures of two of them can be compared.
  const ms = await page.evaluate(() => {
    const t = performance.now();
    let x = 0;
    for (let i = 0; i < 3e7; i++) x = (x * 31 + i) | 0;
    return performance.now() - t + (x & 0);
  });
  print({ label: 'this machine: 30 million steps of a loop', ms: Math.round(ms) });
}

const profile = mkdtempSync(join(tmpdir(), 'sluice-chromium-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  viewport: { width: 1440, height: 860 },
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
let failed = false;
try {
  rate(0);
  const page = await context.newPage();
  await page.goto(url);
  await isLive(page);
  await speed(page);
  if (process.argv[6] === 'soak') {
    await soak(page);
  } else if (process.argv[6] === 'paint') {
    await firstPaint(context, process.argv[7]);
  } else {
    await firstPaint(context, 'first line, warm, through lighttpd');
    await page.bringToFront();
    await atRate(page, 1000, { frame_p95_ms: 20, blocked_ms_per_s: 50, late_p95_ms: 150 });
    await atRate(page, 5000, { frame_p95_ms: 20, blocked_ms_per_s: 50 });
    await atRate(page, 20000, { frame_p95_ms: 33, blocked_ms_per_s: 150 });
    await filled(page);
    await hostile(page);
  }
} catch (e) {
  failed = true;
  console.log(e.stack);
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
