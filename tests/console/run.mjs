// SPDX-License-Identifier: MIT
// The console's parts on their own: node run.mjs, with what src/console has installed.

import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import assert from 'node:assert/strict';
import test from 'node:test';

const console_ = fileURLToPath(new URL('../../src/console/', import.meta.url));
const { build } = createRequire(join(console_, 'package.json'))('esbuild');
const out = mkdtempSync(join(tmpdir(), 'sluice-console-'));
process.on('exit', () => rmSync(out, { recursive: true, force: true }));

async function load(name) {
  const outfile = join(out, name.replace(/\W/g, '-') + '.mjs');
  await build({ entryPoints: [join(console_, name)], bundle: true, format: 'esm', platform: 'node', outfile, logLevel: 'error' });
  return import(pathToFileURL(outfile).href);
}

const { Ring, IS_GAP } = await load('store/ring.ts');
const query = await load('store/query.ts');
const time = await load('view/time.ts');
const text = await load('view/text.ts');
const { template } = await load('stream/template.ts');

// A generator with a seed that is printed: what failed can be run again.
const seed = Number(process.env.SEED ?? Date.now() % 1e6);
let state = seed;
const random = (n) => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
const pick = (list) => list[random(list.length)];

const WORDS = ['GET', 'timeout', 'ÄRGER', 'ärger', 'K', '\u212a', 'x', '', 'straße', '日本', '\u{1f600}', '[1]', 'a.b'];
const line = () => ({
  time: random(1e9), severity: random(9), channel: random(5), flags: random(50) ? 0 : IS_GAP,
  text: Array.from({ length: random(8) }, () => pick(WORDS)).join(pick([' ', '', '\n'])), extra: { id: `e.${random(1e6)}-0`, type: 'line' },
});

test(`a ring holds what an array holds, whichever end grows (seed ${seed})`, () => {
  const ring = new Ring(20000, 1 << 30);
  let all = [];
  for (let round = 0; round < 60; round++) {
    if (random(3)) {
      for (let i = random(1500); i >= 0; i--) {
        const l = line();
        assert.equal(ring.append(l), ring.next - 1);
        all.push(l);
      }
      all = all.slice(all.length - ring.length);
    } else if (!ring.isFull) { // else its owner asks for none
      const older = Array.from({ length: random(900) }, line);
      ring.prepend(older);
      all = [...older, ...all];
      if (!random(3)) {
        ring.trimBack();
        all = all.slice(0, ring.length);
      }
    }
    assert.equal(ring.length, all.length);
    assert.ok(ring.length <= 20000 + 900); // those that were asked for when there was room
    for (let i = 0; i < 50 && all.length; i++) {
      const at = random(all.length);
      const got = ring.line(ring.first + at);
      const { text: want, ...rest } = all[at];
      assert.equal(got.text, want);
      for (const [key, value] of Object.entries(rest)) assert.deepEqual(got[key], value);
      const other = random(all.length);
      const a = all[at];
      const b = all[other];
      const same = a.text === b.text && a.channel === b.channel && a.severity === b.severity && !a.flags && !b.flags;
      assert.equal(ring.isRepeat(ring.first + at, ring.first + other), same);
    }
  }
});

test(`a scan finds in all pages what each line holds, in either case (seed ${seed})`, () => {
  for (const words of [WORDS, ['GET', 'timeout', 'K', 'x', '', '[1]', 'a.b']]) {
    const ring = new Ring(1e6, 1 << 30);
    const all = [];
    for (let i = 0; i < 9000; i++) {
      const l = { ...line(), text: Array.from({ length: random(6) }, () => pick(words)).join(' ') };
      ring.append(l);
      all.push(l);
    }
    const needles = ['time', 'ärger', 'k', '[1]', 'a.b', 't t', 'x g'].map(query.inEitherCase);
    let seq = ring.next - 1;
    let n = 0;
    while (seq >= ring.first)
      seq = ring.scanPage(seq, needles, (s, severity, channel, flags, hits) => {
        n++;
        const l = all[s - ring.first];
        const want = needles.reduce((bits, needle, i) => bits | (needle.test(l.text) ? 1 << i : 0), 0);
        assert.equal(hits, want, JSON.stringify(l.text));
        assert.deepEqual([severity, channel, flags], [l.severity, l.channel, l.flags]);
      });
    assert.equal(n, all.length);
  }
});

test('what is typed becomes text or an expression', () => {
  const parse = (typed) => {
    const c = query.parseClause(typed);
    return c && [c.negated ? 'not ' : '', query.expressionOf({ ...c, negated: false })].join('');
  };
  const cases = {
    timeout: 'message icontains "timeout"',
    '-healthz': 'not message icontains "healthz"',
    '"-5 degrees"': 'message icontains "-5 degrees"',
    'id=4807': 'message icontains "id=4807"',
    'say "hi" \\': 'message icontains "say \\"hi\\" \\\\"',
    'status >= 500': 'fields.status >= 500',
    'status>=500': 'fields.status >= 500',
    'not status == 200': 'not fields.status == 200',
    'severity <= warning': 'severity <= warning',
    'fields.a.b == "x y"': 'fields.a.b == "x y"',
    'user == Jane Doe': 'fields.user == "Jane Doe"',
    '/timed? out/i': 'message ~ /timed? out/i',
    '/usr/bin/': 'message icontains "/usr/bin/"',
    'message contains "x"': 'message contains "x"',
    'exists(fields.user)': 'exists(fields.user)',
    '(severity <= error or fields.status >= 500)': '(severity <= error or fields.status >= 500)',
    'a < b': 'fields.a < b',
    'source_ip == 10.0.0.1': 'fields.source_ip == 10.0.0.1',
    'timeout > 5': 'fields.timeout > 5',
    'source == nginx': 'source == nginx',
    'user-id == 7': 'fields["user-id"] == 7',
    'fields["user id"] == 7': 'fields["user id"] == 7',
    'type here': 'message icontains "type here"',
    '-': 'message icontains "-"',
  };
  for (const [typed, want] of Object.entries(cases)) assert.equal(parse(typed), want, typed);
  assert.equal(query.parseClause('  '), null);
});

test('a value of a field is only ever a value', () => {
  const of = (name, value) => query.expressionOf(query.fieldClause(name, value, false));
  assert.equal(of('tags', ['1 or exists(severity)']), 'fields.tags == "[\\"1 or exists(severity)\\"]"');
  assert.equal(of('a" or "b', 'x" or "y'), 'fields["a\\" or \\"b"] == "x\\" or \\"y"');
  assert.equal(of('n', 5), 'fields.n == 5');
  assert.equal(of('n', null), 'fields.n == null');
});

test('severities become a filter that leaves out nothing else', () => {
  const of = (severities) => query.filtersOf({ clauses: [], severities, hidden: [] });
  assert.deepEqual(of(query.EVERY_SEVERITY), []);
  assert.deepEqual(of(0x00f), ['severity in (emergency, alert, critical, error)']);
  assert.deepEqual(of(0x140), ['severity in (info) or not exists(severity)']);
});

test('a line may come through in each combination of clauses', () => {
  const m = new query.LocalMatch({ clauses: [
    { kind: 'text', text: 'a', negated: false }, { kind: 'text', text: 'b', negated: true }], severities: 0x1ff, hidden: [] }, () => false);
  for (const [t, want] of [['a', true], ['ab', false], ['b', false], ['', false], ['A', true]])
    assert.equal(m.accepts(6, 0, 0, m.hitsOf(t)), want, t);
  assert.equal(m.accepts(6, 0, IS_GAP, 0), true, 'a gap is never hidden by text');
});

test('times as people write them', () => {
  const now = Date.UTC(2026, 10, 29, 13, 0, 0);
  const at = (typed) => {
    const ms = time.parseTime(typed, now, 'utc');
    return ms === null ? null : new Date(ms).toISOString();
  };
  assert.equal(at('12:05'), '2026-11-29T12:05:00.000Z');
  assert.equal(at('14:05'), '2026-11-28T14:05:00.000Z'); // it has not been that late today
  assert.equal(at('yesterday 14:05'), '2026-11-28T14:05:00.000Z');
  assert.equal(at('today'), '2026-11-29T00:00:00.000Z');
  assert.equal(at('2026-02-03 04:05:06.7'), '2026-02-03T04:05:06.700Z');
  assert.equal(at('2026-02-03T04:05:06Z'), '2026-02-03T04:05:06.000Z');
  assert.equal(at('2h'), '2026-11-29T11:00:00.000Z');
  assert.equal(at('90 min ago'), '2026-11-29T11:30:00.000Z');
  for (const bad of ['', 'soon', '25:00', '12:61', 'yesterday noon']) assert.equal(at(bad), null, bad);
});

test('what would hide or reorder text is shown, and nothing else is changed', () => {
  for (let c = 0; c < 0x2100; c++) {
    const char = String.fromCharCode(c);
    const shown = text.visible(char);
    const isStrange = (c < 32 && c !== 9 && c !== 10) || (c >= 0x7f && c <= 0x9f) || c === 0x61c || (c >= 0x200b && c <= 0x200f)
      || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069);
    assert.equal(shown !== char, isStrange, c.toString(16));
  }
  const { text: plain, spans } = text.shown('a\u001b[31mred\u202e\u001b[0m b');
  assert.equal(plain, 'ared\u27e8U+202E\u27e9 b');
  assert.deepEqual(spans, [{ from: 1, to: 12, name: 'ansi-red' }]);
});

test('spans lie within the text, whatever it is', () => {
  for (let i = 0; i < 3000; i++) {
    const t = Array.from({ length: random(60) }, () => String.fromCharCode(pick([27, 91, 109, 51, 49, 59, 34, 92, 61, 97, 32, 0x202e, 0xd83d, 46]))).join('');
    const s = text.shown(t);
    for (const { from, to } of [...s.spans, ...text.tokens(s.text), ...text.matches(s.text, [query.inEitherCase('a')])])
      assert.ok(from >= 0 && from < to && to <= s.text.length, JSON.stringify(t));
  }
});

test('lines of one kind have one template', () => {
  assert.equal(template('GET "/a" 200 12ms'), template('GET "/b" 404 7ms'));
  assert.equal(template('order 4711 of a7f3-9c accepted'), template('order 12 of b901-77 accepted'));
  assert.notEqual(template('order accepted'), template('order refused'));
});
