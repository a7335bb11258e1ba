// SPDX-License-Identifier: MIT
// One scenario in a real Chromium: node drive.js SCENARIO URL DIR.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import ofConsole, { useProfile } from './console.js';
import others from './others.js';
import { rowTexts, scenario } from './rig.js';

const scenarios = { ...ofConsole, ...others };

const profile = mkdtempSync(join(tmpdir(), 'sluice-chromium-'));
useProfile(profile);
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
    await scenarios[scenario](page, reports, context);
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
