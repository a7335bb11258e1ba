// SPDX-License-Identifier: MIT
// What all scenarios share.  node drive.js SCENARIO URL DIR:
// DIR/app.log is followed into the channel "logs", DIR/other.log into "other".

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

export const [scenario, url, dir] = process.argv.slice(2);
export const patience = 20000 * Number(process.env.TEST_PATIENCE ?? 1);
export const log = join(dir, 'app.log');
export const write = (text, file = log) => appendFileSync(file, text);
export const sleep = (ms) => new Promise((r) => { setTimeout(r, ms); });

export function check(condition, message) {
  if (!condition) throw new Error(message);
}

export async function until(what, condition) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}

export const status = async () => (await fetch(`${url}status`)).json();

export async function killHub() {
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

// What the rows say, from the top down.
export const rowTexts = (page) => page.$$eval('.row', (rows) => rows
  .map((r) => [r.getBoundingClientRect().top, r.querySelector('.m').textContent])
  .sort((a, b) => a[0] - b[0]).map(([, text]) => text));

export const hasRow = (page, text) => until(`the line "${text}"`, async () => (await rowTexts(page)).includes(text));

export async function openConsole(page) {
  await page.goto(url);
  await until('the console to be live', async () => (await page.textContent('#state')) === 'live');
}
