// SPDX-License-Identifier: MIT
// The console as a person meets it.

import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { losing } from './proxy.js';
import { check, dir, hasRow, killHub, openConsole, rowTexts, sleep, status, until, url, write } from './rig.js';

let profile = ''; // of the browser
export const useProfile = (folder) => { profile = folder; };
const other = join(dir, 'other.log');
const numbers = async (page) => (await rowTexts(page)).filter((t) => /^\d+$/.test(t)).map(Number);
const inOrder = (list) => list.every((n, i) => i === 0 || n === list[i - 1] + 1);
const lines = (from, to, text = (n) => `${n}`) => Array.from({ length: to - from + 1 }, (_, i) => `${text(from + i)}\n`).join('');
const footer = (page) => page.textContent('#footer');
const noticeOf = (page) => page.textContent('#notice');
const blur = (page) => page.evaluate(() => document.activeElement.blur());

async function filter(page, text) {
  await page.fill('#filter', text);
  await page.press('#filter', 'Enter');
}

async function run(page, action) {
  await blur(page);
  await page.keyboard.press('Control+k');
  await page.fill('.dialog input', action);
  await until('the action', async () => (await page.textContent('.palette li')).startsWith(action));
  await page.keyboard.press('Enter');
}

// The first line that is whole on the screen, and where it is.
const anchor = (page) => page.$$eval('.row', (rows) => {
  const { top } = document.getElementById('scroller').getBoundingClientRect();
  const seen = rows.map((r) => [r.getBoundingClientRect().top, r.querySelector('.m').textContent]).filter(([y]) => y >= top);
  return seen.sort((a, b) => a[0] - b[0])[0].join();
});

const whereIs = (page, text) => page.$$eval('.row', (rows, t) => {
  const row = rows.find((r) => r.querySelector('.m').textContent === t);
  return row ? row.getBoundingClientRect().top : null;
}, text);

const clickRow = (page, text) => page.locator('.row', { has: page.locator('.m', { hasText: text }) }).first().click({ position: { x: 300, y: 10 } });

export default {
  async a_line_appears_as_text_whatever_it_holds(page, reports) {
    await openConsole(page);
    write('plain line\n');
    await hasRow(page, 'plain line');
    const html = '<img src=x onerror="document.title=1"><script>document.title=2</script><b>bold</b>';
    write(`${html}\n`);
    await hasRow(page, html);
    write(Buffer.from('nul\0 cr\r mid bell\x07 bad\xff rtl end\n', 'latin1'));
    await hasRow(page, 'nul\u2400 cr\u240d mid bell\u2407 bad\ufffd rtl end');
    write('colour \x1b[31mred\x1b[0m and \x1b]8;;http://example.org/\x1b\\link\n');
    await hasRow(page, 'colour red and \u241b]8;;http://example.org/\u241b\\link');
    check(await page.evaluate(() => CSS.highlights.get('ansi-red').size) === 1, 'the colour is not drawn');
    write('\u202edata: x\n id: 7\ndata: y\n');
    await hasRow(page, '\u27e8U+202E\u27e9data: x');
    await hasRow(page, ' id: 7');
    write('2026 ERROR it broke\n');
    await hasRow(page, '2026 ERROR it broke');
    // The whole line in the inspector is text as well.
    await clickRow(page, 'onerror');
    await page.click('.tabs button:nth-child(2)');
    await until('the raw text', async () => (await page.textContent('#whole')) === html);
    const inside = await page.$$eval('#scroller img, #scroller script, #scroller b, #scroller a, #scroller svg, #detail img, #detail script, #detail b', (e) => e.length);
    check(inside === 0, 'an element was made from a line');
    check(reports.length === 0, `the policy was violated: ${reports}`);
    const word = await page.$$eval('.row.s3', (r) => r.map((e) => e.querySelector('.s').textContent));
    check(word.length === 1 && word[0] === 'ERR', `severity is shown as ${word}`);
    check((await page.title()) === 'sluice', 'a script in a line has run');
  },

  async the_console_tests_its_connection(page, reports) {
    await openConsole(page);
    let text, tries = 0;
    do {
      await run(page, 'Test the connection');
      text = await until('the result', async () => {
        const t = await page.textContent('#connection').catch(() => '');
        return t && !t.includes('Testing') && t;
      });
    } while (text.includes('test again') && ++tries < 5); // on a busy machine, as it says
    const want = url.includes('/held/') ? /held back on the way: .*server\.stream-response-body = 2/ : /arrive without delay through lighttpd/;
    check(want.test(text), text);
    check(reports.length === 0, `reports: ${reports}`);
    if (process.env.TEST_SCREENSHOT) await page.screenshot({ path: process.env.TEST_SCREENSHOT });
  },

  async a_huge_line_is_cut_on_screen_and_whole_in_the_detail(page) {
    await openConsole(page);
    write(`${'x'.repeat(50000)}\nafter\n`);
    await hasRow(page, 'after');
    const row = (await rowTexts(page)).find((t) => t.startsWith('xxx'));
    check(row.length <= 2048, `the row is ${row.length} long`);
    check((await page.textContent('.row .more:not([hidden])')) === 'show all 49 KB', 'nothing says that it was cut');
    await page.click('.row .more:not([hidden])');
    await until('the whole line', async () => (await page.textContent('#whole').catch(() => '')).length === 50000);
  },

  async pausing_filtering_and_scrolling_hold_still(page) {
    await openConsole(page);
    write(lines(0, 299, (i) => `line ${i}${i % 100 === 0 ? ' needle' : ''}`));
    await hasRow(page, 'line 299');
    check(!/scrolled|Paused/.test(await noticeOf(page)), 'it says that somebody has scrolled');
    // Pause: nothing moves, and what waits is counted.
    await page.keyboard.press('Space');
    await until('the pause', async () => (await page.textContent('#state')) === 'paused');
    const at = await whereIs(page, 'line 299');
    write('while paused\nERROR while paused\n');
    await until('the count of waiting lines', async () => (await noticeOf(page)).includes('2 new lines, including 1 error'));
    check(Math.abs(await whereIs(page, 'line 299') - at) < 0.5, 'rows moved while paused');
    check(!(await rowTexts(page)).includes('while paused'), 'a new line is shown while paused');
    await page.hover('#scroller');
    await page.mouse.wheel(0, -3000);
    await until('scrolling while paused', async () => (await rowTexts(page)).includes('line 150'));
    check((await page.textContent('#state')) === 'paused', 'scrolling ended the pause');
    await page.keyboard.press('End');
    await hasRow(page, 'ERROR while paused');
    check(await page.$('.row[data-mark^="new since"]'), 'nothing says where the new lines begin');
    // Filter: only matching lines, also new ones; then all again.
    await page.fill('#filter', 'NEEDLE');
    await until('the filter', async () => (await rowTexts(page)).join() === 'line 0 needle,line 100 needle,line 200 needle');
    write('another needle\nand hay\n');
    await hasRow(page, 'another needle');
    check(!(await rowTexts(page)).includes('and hay'), 'a line that does not match is shown');
    await until('the matches to be counted', async () => (await footer(page)).includes('4 matches'));
    check(page.url().includes('NEEDLE'), 'the filter is not in the URL');
    // In the case of any letter, whatever else the text holds.
    write('Der \u00c4RGER (5 \u212a) [x]\n');
    await page.fill('#filter', '\u00e4rger (5 k) [X]');
    await until('the filter', async () => (await rowTexts(page)).join() === 'Der \u00c4RGER (5 \u212a) [x]');
    await page.fill('#filter', '');
    await hasRow(page, 'and hay');
    // Minimum severity.
    await blur(page);
    await page.keyboard.press('2');
    await until('errors only', async () => (await rowTexts(page)).join() === 'ERROR while paused');
    await page.keyboard.press('6');
    await hasRow(page, 'and hay');
    // Scrolled up: the line that is read does not move.
    await page.hover('#scroller');
    await page.mouse.wheel(0, -2000);
    await until('the pause', async () => (await noticeOf(page)).includes('you scrolled up'));
    await sleep(200);
    const where = await anchor(page);
    write(lines(0, 499, (i) => `more ${i}`));
    await until('the lines', async () => /received 80[0-9]/.test(await footer(page)));
    await sleep(100);
    check((await anchor(page)) === where, `the anchor moved from ${where} to ${await anchor(page)}`);
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
    check((await numbers(page)).join() === '1,2,3', `got ${await numbers(page)}`);
    const foot = await footer(page);
    check(foot.includes('complete') && foot.includes('duplicates 0') && foot.includes('gaps 0'), foot);
    appendFileSync(join(dir, 'truncate'), '');
    await until('a gap in the page', async () => (await page.textContent('.row.gap .m').catch(() => '')).includes('missing here'));
    await until('the gap to be counted', async () => (await footer(page)).includes('gaps 1'));
    check(!(await footer(page)).includes('complete'), 'it is called complete');
  },

  async a_reload_shows_the_same_lines(page) {
    await openConsole(page);
    write(lines(1, 2000));
    await hasRow(page, '2000');
    await filter(page, '-99');
    await hasRow(page, '2000');
    await blur(page);
    await page.hover('#scroller');
    await page.mouse.wheel(0, -400);
    await sleep(300);
    const before = await numbers(page);
    check(before.length > 10 && !before.some((n) => String(n).includes('99')), `before: ${before}`);
    const line = await page.$eval('.row', (r) => r.dataset.seq);
    check(line !== undefined, 'no row');
    await page.reload();
    await hasRow(page, '2000');
    await page.hover('#scroller');
    await page.mouse.wheel(0, -400);
    await sleep(300);
    const after = await numbers(page);
    check(after.join() === before.join(), `${after} instead of ${before}`);
  },

  async the_past_is_read_to_its_beginning_by_scrolling_up(page) {
    write(lines(1, 3000));
    await until('the lines', async () => (await status()).channels.find((c) => c.name === 'logs').events >= 3000);
    await openConsole(page);
    await hasRow(page, '3000');
    const seen = new Set(await numbers(page));
    await page.hover('#scroller');
    await until('the beginning', async () => {
      await page.mouse.wheel(0, -600);
      await sleep(30);
      const now = await numbers(page);
      check(inOrder(now), `not in order: ${now}`);
      for (const n of now) seen.add(n);
      return now.includes(1);
    });
    for (let n = 1; n <= 3000; n++) check(seen.has(n), `${n} was never shown`);
    await until('the beginning to be named', async () => {
      await page.mouse.wheel(0, -600);
      return (await page.$$eval('.head', (e) => e.map((h) => h.textContent))).join().includes('The history begins here');
    });
  },

  async a_rare_line_of_long_ago_is_found_and_its_context_read(page) {
    write(`${lines(1, 20000, (n) => `${n} nothing of interest`)}the request 7f3a9c\n${lines(1, 20000, (n) => `${n} more of it`)}`);
    await until('the lines', async () => (await status()).channels.find((c) => c.name === 'logs').events >= 40001);
    await openConsole(page);
    await hasRow(page, '20000 more of it');
    await filter(page, '7f3a9c');
    await until('the match', async () => (await rowTexts(page)).join() === 'the request 7f3a9c');
    await clickRow(page, '7f3a9c');
    await page.click('.tabs button:nth-child(3)');
    await until('its context', async () => {
      const around = await page.$$eval('#detail .lines .m', (e) => e.map((m) => m.textContent));
      return around.length === 41 && around[19] === '20000 nothing of interest' && around[20] === 'the request 7f3a9c' && around[21] === '1 more of it';
    });
    // And without the filter, in the view itself.
    await blur(page);
    await page.keyboard.press('x');
    await until('the context in the view', async () => {
      const all = await rowTexts(page);
      const at = all.indexOf('the request 7f3a9c');
      return at > 0 && all[at - 1] === '20000 nothing of interest' && all[at + 1] === '1 more of it';
    });
    check((await page.textContent('#state')) === 'past', 'it does not say that this is the past');
    await page.keyboard.press('Space');
    await hasRow(page, '20000 more of it');
    await until('the present', async () => (await page.textContent('#state')) === 'live');
  },

  async the_language_of_filters_finds_fields_and_regexes(page) {
    write(lines(1, 300, (n) => JSON.stringify({ msg: `request ${n}`, status: n % 50 === 0 ? 500 : 200, user: `u${n % 3}` })), join(dir, 'fields.log'));
    await openConsole(page);
    await hasRow(page, 'request 300');
    await filter(page, 'status >= 500');
    const want = [50, 100, 150, 200, 250, 300].map((n) => `request ${n}`);
    await until('the field', async () => (await rowTexts(page)).join() === want.join());
    await filter(page, '/ [12]50$/');
    await until('the regex', async () => (await rowTexts(page)).join() === 'request 150,request 250');
    write(`${JSON.stringify({ msg: 'request 1250', status: 503 })}\n`, join(dir, 'fields.log'));
    await until('a new one', async () => (await rowTexts(page)).length === 2);
    // A chip goes with backspace, and comes back with undo.
    await page.press('#filter', 'Backspace');
    await until('one chip', async () => (await rowTexts(page)).length === 7);
    await page.press('#filter', 'Control+z');
    await until('two chips', async () => (await rowTexts(page)).join() === 'request 150,request 250');
    // By clicks in the inspector.
    await clickRow(page, 'request 150');
    await page.click('#detail tr:has(th:text-is("user")) .do button:nth-child(1)');
    await until('the value', async () => (await rowTexts(page)).join() === 'request 150');
    // The address alone shows the same to somebody else.
    const shared = page.url();
    await page.goto('about:blank');
    await page.goto(shared);
    await until('the shared view', async () => (await rowTexts(page)).join() === 'request 150');
    // What the server refuses is said, and hurts nothing.
    await filter(page, 'status >= (');
    await until('the refusal', async () => (await page.textContent('#refused').catch(() => '')).length > 10);
    check((await page.inputValue('#filter')) === 'status >= (', 'what was typed is gone');
    check((await rowTexts(page)).join() === 'request 150', 'the lines are gone');
  },

  async a_catastrophic_regex_does_not_freeze_the_page(page) {
    write(lines(1, 200, () => `${'a'.repeat(40)}!`));
    await openConsole(page);
    await until('lines', async () => (await rowTexts(page)).length > 0);
    await filter(page, '/(a+)+$/');
    const longest = await page.evaluate(async () => {
      let worst = 0;
      for (let i = 0, last = performance.now(); i < 40; i++) {
        await new Promise((done) => { setTimeout(done, 20); });
        worst = Math.max(worst, performance.now() - last - 20);
        last = performance.now();
      }
      return worst;
    });
    check(longest < 500, `the page did not answer for ${longest} ms`);
  },

  async a_stack_trace_is_folded_read_and_copied(page, reports, context) {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']).catch(() => {});
    await openConsole(page);
    const trace = `java.lang.IllegalStateException: no\n${lines(1, 12, (n) => `\tat com.shop.Cart.load(Cart.java:${n})`)}`;
    write(`before\n${trace}after\n`, join(dir, 'traces.log'));
    await hasRow(page, 'after');
    await hasRow(page, 'java.lang.IllegalStateException: no');
    check((await page.textContent('.row .more:not([hidden])')) === '+12 lines', 'nothing says that there is more');
    const y = await whereIs(page, 'java.lang.IllegalStateException: no');
    await page.click('.row .more:not([hidden])');
    await until('the whole trace', async () => (await rowTexts(page)).some((t) => t.includes('Cart.java:12')));
    const open = await page.$eval('.row.open', (r) => r.getBoundingClientRect().top);
    check(Math.abs(open - y) <= 1, `the line moved by ${open - y} px when it was opened`);
    await page.click('.row.open .more');
    await until('it to be folded', async () => !(await page.$('.row.open')));
    await clickRow(page, 'IllegalStateException');
    await page.keyboard.press('c');
    await until('it to be copied', async () => (await page.evaluate(() => navigator.clipboard.readText())) === trace.trimEnd());
    await page.keyboard.press('y');
    const link = await until('the link', async () => {
      const text = await page.evaluate(() => navigator.clipboard.readText());
      return text.startsWith('http') && text;
    });
    await page.goto('about:blank');
    await page.goto(link);
    await until('a colleague to see the same line selected', async () => (await page.textContent('.row.selected .m').catch(() => '')) === 'java.lang.IllegalStateException: no');
    check(reports.length === 0, `${reports}`);
  },

  async one_request_is_followed_across_channels(page) {
    write(`${JSON.stringify({ msg: 'GET /cart', req_id: 'a7f3' })}\n`, join(dir, 'fields.log'));
    write(`${JSON.stringify({ msg: 'cart loaded', req_id: 'a7f3' })}\n${JSON.stringify({ msg: 'unrelated', req_id: 'ffff' })}\n`, join(dir, 'fields2.log'));
    await openConsole(page);
    await hasRow(page, 'GET /cart');
    await hasRow(page, 'cart loaded');
    await clickRow(page, 'GET /cart');
    await until('its companions', async () => {
      const found = await page.$$eval('#detail .lines li', (e) => e.map((l) => l.textContent));
      return found.length === 2 && found.some((t) => t.includes('cart loaded') && /[+\u2212]\d/.test(t));
    });
  },

  async what_a_person_may_not_see_is_said_and_the_rest_goes_on(page) {
    // Of "other" only what comes may be read, and "secret" not at all.
    write('1 logs\n');
    write('1 other\n', other);
    await until('the lines', async () => {
      const answer = await fetch(`${url}history?channel=logs`);
      return answer.ok && (await answer.json()).events.length === 1;
    });
    await page.goto(url);
    await hasRow(page, '1 logs');
    await until('live', async () => (await page.textContent('#state')) === 'live');
    await until('it to say that there is no past', async () => (await page.textContent('#channels')).includes('live only'));
    check(!(await rowTexts(page)).includes('1 other'), 'the past of a live-only channel is shown');
    write('2 other\n', other);
    await hasRow(page, '2 other');
    check(!(await page.textContent('#channels')).includes('secret'), 'a channel that nobody may see is listed');
  },

  async without_access_it_says_what_sluice_says(page) {
    await page.goto(url);
    await until('the reason', async () => (await page.textContent('#state').catch(() => '')) === 'reconnecting' && /no channel that you may read/.test(await noticeOf(page)));
    check(!/<|html/i.test(await noticeOf(page)), 'markup is shown');
    // A link with a ticket opens the page with the ticket's rights.
    const ticket = readFileSync(join(dir, 'ticket'), 'utf8').trim();
    write('for the bearer\n');
    await page.goto(`${url}?ticket=${ticket}`);
    await hasRow(page, 'for the bearer');
    await until('live', async () => (await page.textContent('#state')) === 'live');
  },

  async an_answer_of_the_web_server_is_never_shown_as_markup(page) {
    await openConsole(page);
    write('1\n');
    await hasRow(page, '1');
    appendFileSync(join(dir, 'stop-lighttpd'), '');
    await until('reconnecting', async () => (await page.textContent('#state')) === 'reconnecting');
    check((await rowTexts(page)).includes('1'), 'the lines are gone');
    check(!/<|DOCTYPE/i.test(await page.textContent('#app')), 'markup is shown');
    write('2\n');
    appendFileSync(join(dir, 'start-lighttpd'), '');
    await page.click('#notice .link', { timeout: 2000 }).catch(() => {}); // it may have come back already
    await hasRow(page, '2');
    check((await numbers(page)).join() === '1,2', `${await numbers(page)}`);
    check((await footer(page)).includes('duplicates 0'), await footer(page));
  },

  async an_error_of_long_ago_is_found_by_a_key(page) {
    const logs = async () => (await status()).channels.find((c) => c.name === 'logs');
    write('2026 ERROR the one\n');
    await until('the error', async () => (await logs()).events >= 1);
    // A gap, which every filter lets through, comes after it.
    appendFileSync(join(dir, 'truncate'), '');
    await until('a gap', async () => (await logs()).gaps >= 1);
    write(lines(1, 3000));
    await until('the lines', async () => (await logs()).events >= 3001);
    await openConsole(page);
    await hasRow(page, '3000');
    await page.keyboard.press('E');
    await until('the error', async () => (await page.textContent('.row.selected .m').catch(() => '')) === '2026 ERROR the one');
    await page.keyboard.press('E');
    await until('that there is no other', async () => (await page.textContent('#connection').catch(() => '')).includes('No further error'));
  },

  async what_a_filter_shows_is_downloaded_and_a_view_saved(page) {
    write(lines(1, 2500, (n) => `${n} ${n % 5 ? 'fine' : 'BROKEN'}`));
    await until('the lines', async () => (await status()).channels.find((c) => c.name === 'logs').events >= 2500);
    await openConsole(page);
    await filter(page, 'broken');
    await hasRow(page, '2500 BROKEN');
    const coming = page.waitForEvent('download');
    await run(page, 'Download the range as NDJSON');
    const text = readFileSync(await (await coming).path(), 'utf8');
    const got = text.split('\n').filter(Boolean).map((l) => JSON.parse(l)).filter((e) => e.message !== undefined).map((e) => e.message);
    check(got.join() === lines(1, 2500).split('\n').filter((n) => n && n % 5 === 0).map((n) => `${n} BROKEN`).join(), `${got.length} lines: ${got.slice(0, 3)}`);
    await run(page, 'Colour lines that contain');
    await page.fill('.dialog input', '00 BROKEN');
    await page.press('.dialog input', 'Enter');
    await until('the colour', async () => (await page.textContent('.row.rule .m').catch(() => '')).endsWith('00 BROKEN'));
    await page.fill('.save input', 'broken ones');
    await page.press('.save input', 'Enter');
    await run(page, 'Remove all filters');
    await hasRow(page, '2499 fine');
    await page.locator('.saved button', { hasText: 'broken ones' }).click();
    await until('the saved view', async () => (await rowTexts(page)).every((t) => t.includes('BROKEN')));
    await page.reload();
    check((await page.textContent('.saved')).includes('broken ones'), 'the view was not kept');
  },

  async a_laptop_that_slept_shows_every_line(page, reports) {
    await openConsole(page);
    write(lines(1, 100));
    await hasRow(page, '100');
    const asleep = readdirSync('/proc').filter((n) => /^\d+$/.test(n)).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=') && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(profile);
      } catch {
        return false; // it has ended meanwhile
      }
    });
    check(asleep.length > 1, 'no processes of the browser were found');
    for (const pid of asleep) process.kill(pid, 'SIGSTOP');
    for (let i = 0; i < 20; i++) {
      write(lines(101 + i * 100, 200 + i * 100));
      await sleep(process.env.TEST_LONG === '1' ? 30000 : 200);
    }
    for (const pid of asleep) process.kill(pid, 'SIGCONT');
    await hasRow(page, '2100');
    await page.hover('#scroller');
    const seen = new Set(await numbers(page));
    await until('all lines', async () => {
      await page.mouse.wheel(0, -500);
      await sleep(20);
      const now = await numbers(page);
      check(inOrder(now), `${now}`);
      for (const n of now) seen.add(n);
      return now.includes(1);
    });
    for (let n = 1; n <= 2100; n++) check(seen.has(n), `${n} was never shown`);
    check((await footer(page)).includes('duplicates 0') && (await footer(page)).includes('complete'), await footer(page));
    check(reports.length === 0, `${reports}`);
  },

  async without_scripts_there_is_a_form(_page, _reports, context) {
    write(lines(1, 300));
    await until('the lines', async () => (await status()).channels.find((c) => c.name === 'logs').events >= 300);
    const page = await (await context.browser().newContext({ javaScriptEnabled: false })).newPage();
    await page.goto(url);
    await page.fill('input[name=channel]', 'logs');
    await page.fill('input[name=filter]', 'message endswith "7"');
    await page.click('form button');
    await page.waitForURL(/history/);
    const text = await page.textContent('body');
    check(text.includes(' 297\n') && !text.includes(' 298\n'), text.slice(0, 300));
  },

  async a_gap_is_filled_where_it_stands(page) {
    const front = await losing(url);
    write(lines(1, 100));
    await page.goto(front.url);
    await until('the console to be live', async () => (await page.textContent('#state')) === 'live');
    await hasRow(page, '100');
    write(`${lines(101, 140)}${lines(1, 25, (n) => `lose ${n}`)}${lines(141, 150)}`);
    await hasRow(page, '150');
    await until('the gap', async () => (await page.textContent('.row.gap .m').catch(() => '')).startsWith('25 lines are missing here: this browser was too slow'));
    await until('it to be counted', async () => (await footer(page)).includes('25 missing'));
    const above = '140';
    await page.hover('#scroller');
    await page.mouse.wheel(0, -200);
    await sleep(300);
    const y = await whereIs(page, above);
    await page.click('.row.gap .more');
    await hasRow(page, 'lose 1');
    await until('no gap', async () => !(await page.$('.row.gap')));
    const all = await rowTexts(page);
    check(all.indexOf('lose 1') === all.indexOf('140') + 1, `${all}`);
    check(Math.abs(await whereIs(page, above) - y) <= 1, `the line before it moved from ${y} to ${await whereIs(page, above)}`);
    await page.keyboard.press('End');
    await hasRow(page, '150');
    const end = await rowTexts(page);
    check(end.filter((t) => t.startsWith('lose')).join() === lines(1, 25, (n) => `lose ${n}`).trim().split('\n').filter((t) => end.includes(t)).join() && end.indexOf('141') === end.indexOf('lose 25') + 1, `${end}`);
    await until('it to be complete', async () => (await footer(page)).includes('complete') && (await footer(page)).includes('1 gap filled'));
    front.close();
  },

  async ten_tabs_share_one_stream(page, reports, context) {
    await openConsole(page);
    const pages = [page];
    while (pages.length < 10) {
      const p = await context.newPage();
      await p.goto(url);
      pages.push(p);
    }
    write(lines(1, 500));
    for (const p of pages) {
      await p.bringToFront();
      await hasRow(p, '500');
      check(inOrder(await numbers(p)), `${await numbers(p)}`);
    }
    check((await status()).streams.open === 1, `${(await status()).streams.open} streams are open`);
    for (const p of pages.slice(1)) await p.close();
    check(reports.length === 0, `${reports}`);
  },

  async the_line_that_is_read_moves_by_nothing_whatever_happens(page) {
    write(lines(1, 4000, (n) => `${n} ${'word '.repeat(n % 60)}`));
    await openConsole(page);
    await until('lines', async () => (await rowTexts(page)).some((t) => t.startsWith('4000 ')));
    await page.keyboard.press('l'); // long lines are wrapped
    await page.hover('#scroller');
    await page.mouse.wheel(0, -1500);
    await until('the pause', async () => (await noticeOf(page)).includes('you scrolled up'));
    await sleep(300);
    const [y, text] = (await anchor(page)).split(/,(.*)/s);
    const stays = async (after) => {
      const now = await whereIs(page, text);
      check(now !== null && Math.abs(now - Number(y)) < 0.5, `${after}: from ${y} to ${now}`);
    };
    write(lines(4001, 6000));
    await until('more lines', async () => /2,000 new lines/.test(await noticeOf(page)));
    await stays('after 2,000 new lines');
    const n = Number.parseInt(text, 10);
    await filter(page, `-x${n}`);
    await sleep(400);
    await stays('after a filter that hides others');
    await page.press('#filter', 'Backspace');
    await sleep(400);
    await stays('after it was removed');
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('z');
    await sleep(200);
    await stays('with another zone');
    // What only the server can decide, with the line far behind what is newest.
    write(lines(6001, 9000));
    await sleep(500);
    await filter(page, 'not message ~ /^x+$/');
    await until('the past', async () => (await page.textContent('#state')) === 'past');
    await until('the line', async () => (await whereIs(page, text)) !== null);
    await sleep(300);
    await stays('after a filter of the server');
  },

  async a_channel_is_hidden_and_comes_back_whole(page) {
    await openConsole(page);
    write(lines(1, 15));
    write('elsewhere\n', other);
    await hasRow(page, '15');
    await hasRow(page, 'elsewhere');
    await page.locator('#channels button', { hasText: 'logs' }).click();
    await until('the others alone', async () => (await rowTexts(page)).join() === 'elsewhere' || (await numbers(page)).length === 0);
    write(lines(16, 100));
    await sleep(2500); // it is no longer fetched
    write('still here\n', other);
    await hasRow(page, 'still here');
    check((await numbers(page)).length === 0, 'a hidden channel is shown');
    await page.locator('#channels button', { hasText: 'logs' }).click();
    await hasRow(page, '100');
    await page.hover('#scroller');
    await page.mouse.wheel(0, -100000);
    await until('all of them', async () => (await numbers(page)).includes(1));
    check(inOrder(await numbers(page)), `${await numbers(page)}`);
  },

  async everything_is_done_by_keyboard_and_named_for_a_screen_reader(page) {
    write(lines(1, 100));
    await openConsole(page);
    await hasRow(page, '100');
    await clickRow(page, '95');
    for (const scheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme: scheme });
      const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
      // Playwright evaluates beside the page's policy.
      await page.evaluate(source);
      const { violations } = await page.evaluate(() => window.axe.run());
      const serious = violations.filter((v) => ['serious', 'critical'].includes(v.impact));
      check(serious.length === 0, `${scheme}: ${serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).slice(0, 3)}`)}`);
    }
    // Up and down, into the line and out of it again.
    await blur(page);
    await page.keyboard.press('k');
    await until('the line before', async () => (await page.textContent('.row.selected .m')) === '94');
    await page.keyboard.press('Escape');
    check(!(await page.$('#detail')), 'the inspector is still open');
    await page.keyboard.press('?');
    await until('the keys', async () => page.$('.help'));
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    check(await page.evaluate(() => document.activeElement.id) === 'filter', 'the filter is not reached');
  },

  async a_number_is_drawn_beside_the_lines(page, reports) {
    write(lines(1, 50, (n) => JSON.stringify({ msg: `load ${n}`, load: n * 1.5, user: 'x' })), join(dir, 'fields.log'));
    await openConsole(page);
    await hasRow(page, 'load 50');
    await clickRow(page, 'load 50');
    await page.click('#detail tr:has(th:text-is("load")) .do button:nth-child(5)');
    await until('the chart', async () => (await page.textContent('.chart').catch(() => '')).includes('load logs 75'));
    await until('its drawing', async () => page.$('.chart canvas'));
    check(!(await page.$('#detail tr:has(th:text-is("user")) .do button:nth-child(5)')), 'a name is offered as a number');
    await page.reload();
    await until('the chart again', async () => (await page.textContent('.chart').catch(() => '')).includes('load logs 75'));
    check(reports.length === 0, `${reports}`);
  },

  async on_a_phone_lines_have_the_room(page) {
    await page.setViewportSize({ width: 390, height: 780 });
    await openConsole(page);
    write('a line that is rather long, as lines of logs are, so that it has to be wrapped on a phone\n');
    await until('the line', async () => (await rowTexts(page)).some((t) => t.startsWith('a line')));
    const box = await page.locator('.row .m', { hasText: 'a line' }).evaluate((m) => ({ left: m.getBoundingClientRect().left, right: m.getBoundingClientRect().right }));
    check(box.right <= 390 && box.left < 160, `the text stands from ${box.left} to ${box.right}`);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth);
    check(overflow <= 390, `the page is ${overflow} px wide`);
    const heights = await page.$$eval('header.bar > *', (e) => e.map((x) => x.getBoundingClientRect()).filter((r) => r.width).map((r) => r.right));
    check(Math.max(...heights) <= 390, 'controls run over the edge');
  },

  async the_first_load_is_small_and_held_by_the_browser(page) {
    const sizes = new Map();
    page.on('response', async (r) => {
      const size = await r.request().sizes().catch(() => null);
      if (size && /\.(js|css)$|\/$/.test(new URL(r.url()).pathname)) sizes.set(r.url(), [size.responseBodySize, r.headers()]);
    });
    await openConsole(page);
    await sleep(300);
    let sum = 0;
    for (const [address, [size, headers]] of sizes) {
      sum += size;
      check(['gzip', 'br'].includes(headers['content-encoding']), `${address} is not compressed`);
      if (/-[A-Z0-9]{8}\./.test(address)) check(/immutable/.test(headers['cache-control']), `${address}: ${headers['cache-control']}`);
    }
    check(sum > 10000 && sum <= 60 * 1024, `the first load has ${sum} bytes`);
  },
};
