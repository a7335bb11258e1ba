// SPDX-License-Identifier: MIT
// What the page knows, and what can be done with it.  Components read the signals.

import { batch, computed, signal } from '@preact/signals';
import { type Clause, EVERY_SEVERITY, EVERYTHING, expressionOf, filtersOf, inEitherCase, parseClause, type Query, sameClause } from '../store/query.js';
import { type Answer, CHANNELS_MAX, type Question, type Row, type Slow, type View, type WholeLine } from '../stream/protocol.js';
import { type Look, RowView } from '../view/rows.js';
import { clock, parseTime, type Zone } from '../view/time.js';
import * as place from './place.js';

export type Range = '15m' | '1h' | 'today' | { since: number; until: number };

export interface Paused {
  why: 'key' | 'scroll' | 'selection';
  arrived: number;
  errors: number;
  at: number; // ms
}

export interface Chart {
  channel: string;
  type: string;
  field: string;
}

export interface Saved {
  name: string;
  hash: string;
}

// In a frame of another site there may be no storage.
function stored(): Saved[] {
  try {
    return JSON.parse(localStorage.getItem('sluice-views') ?? '[]');
  } catch {
    return [];
  }
}

const HUES = 8;
const BUSY = 2000; // lines a second: above, the page draws less often
const BUSY_MS = 80;
const HIDDEN_MS = 1000;
const TITLE = 'sluice';

export const view = signal<View | null>(null);
export const slow = signal<Slow | null>(null);
export const query = signal<Query>(EVERYTHING);
export const highlight = signal('');
export const paused = signal<Paused | null>(null);
export const pastAt = signal<string | null>(null); // an id or a time, while the past is read
export const range = signal<Range>('1h');
export const selected = signal<WholeLine | null>(null);
export const isInspecting = signal(false);
export const like = signal<{ seq: number; count: number; spark: number[]; template: string } | null>(null);
export const zone = signal<Zone>('local');
export const relativeTo = signal<number | null>(null);
export const columns = signal<string[]>([]);
export const charts = signal<Chart[]>([]);
export const rules = signal<string[]>([]); // texts: lines that contain one have a colour of their own
export const folds = signal(true);
export const wraps = signal(false);
export const density = signal<18 | 22 | 26>(22);
export const bookmarks = signal<Map<string, { time: number; text: string; channel: string }>>(new Map());
export const dialog = signal<'palette' | 'help' | 'ledger' | 'jump' | null>(null);
export const toast = signal<{ text: string; good: boolean } | null>(null);
export const saved = signal<Saved[]>(stored());
export const railIsOpen = signal(matchMedia('(min-width: 700px)').matches);
export const notifies = signal(false);
export const now = signal(Date.now());
export const filterInput: { current: HTMLInputElement | null } = { current: null };
export const marks = signal<Map<string, string>>(new Map());

export const ticket = new URLSearchParams(location.search).get('ticket');
export const narrows = computed(() => filtersOf(query.value).length > 0 || query.value.hidden.length > 0);

const undone: Query[] = [];
let port: { postMessage(q: Question): void };
let rows: RowView;
let lookVersion = 1;
let isWaiting = false;

export const ask = (q: Question) => port.postMessage(q);
export const rowView = () => rows;

// ---- the worker ----

function connect(): void {
  const { trustedTypes } = globalThis as { trustedTypes?: { createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): unknown } } };
  const trusted = trustedTypes?.createPolicy('sluice', { createScriptURL: (url: string) => url });
  const address = `${WORKER_FILE}${ticket ? `?ticket=${encodeURIComponent(ticket)}` : ''}`;
  const url = (trusted?.createScriptURL(address) ?? address) as string;
  let p: Worker | MessagePort;
  try {
    const shared = new SharedWorker(url, { type: 'module', name: new URL(`.${ticket ? `?${ticket}` : ''}`, location.href).href });
    shared.onerror = noWorker;
    p = shared.port;
  } catch { // there is none, or not in a frame of another site
    p = new Worker(url, { type: 'module' });
    p.onerror = noWorker;
  }
  port = p;
  p.onmessage = ({ data }: MessageEvent<Answer>) => hear(data);
}

function noWorker(): void {
  toast.value = { text: 'Part of the console could not be loaded: sluice has been upgraded, or your session has expired. Reload the page.', good: false };
}

function hear(m: Answer): void {
  if (m.type === 'view') {
    isWaiting = false;
    const before = view.value;
    view.value = m;
    rows.take(m);
    rows.schedule();
    if (!m.isLive && pastAt.value === null) pastAt.value = m.rows[0]?.id ?? null;
    if (m.slow) {
      slow.value = m.slow;
      noteNewChannels(m.slow);
    }
    if (before && document.hidden) {
      title(m);
      notify(m, before);
    }
    scheduleNext(m);
  } else if (m.type === 'line') {
    selected.value = m.line;
    like.value = null;
    if (isInspecting.value) ask({ type: 'like', seq: m.line.seq });
    whenSelected?.(m.line);
    whenSelected = null;
  } else if (m.type === 'like') {
    if (selected.value?.seq === m.seq) like.value = m;
  } else if (m.type === 'found') {
    if (m.id) goTo(m.id);
    else if (m.seq === null) say(m.what === 'match' ? 'No further match in the loaded lines.' : `No further ${m.what} in the loaded lines.`);
    else select(m.seq, false);
  } else if (m.type === 'refilled') {
    say(m.error || `${m.lines.toLocaleString('en')} ${m.lines === 1 ? 'line' : 'lines'} fetched.`, !m.error);
  } else if (m.type === 'moved') {
    if (wantsSelection) {
      wantsSelection = false;
      select(m.seq, false);
    }
    // Who follows again meanwhile is left alone.
    if (paused.value || pastAt.value) rows.jumpTo(m.seq, keptY ?? rows.lastY);
    keptY = null;
  } else {
    navigator.clipboard.writeText(m.text).then(
      () => say(`${m.lines.toLocaleString('en')} ${m.lines === 1 ? 'line' : 'lines'} copied.`, true),
      () => say('The browser does not allow copying here.'));
  }
}

// One message for each frame, and fewer when very much arrives or nobody looks.
function scheduleNext(m: View): void {
  if (document.hidden) setTimeout(askForRows, HIDDEN_MS);
  else if (m.rate > BUSY) setTimeout(askForRows, BUSY_MS);
  else requestAnimationFrame(() => askForRows());
}

function askForRows(force = false): void {
  if (isWaiting && !force) return;
  isWaiting = true;
  ask({ type: 'next', window: rows.window(), force });
}

let notified = 0;

export function toggleNotify(): void {
  if (notifies.value) {
    notifies.value = false;
    return say('Notifications are off.', true);
  }
  if (typeof Notification === 'undefined') return say('This browser does not support notifications.');
  Notification.requestPermission().then((answer) => {
    notifies.value = answer === 'granted';
    say(notifies.value ? 'You will be notified of new lines in this view while the tab is in the background.' : 'The browser does not allow notifications from this page.', notifies.value);
  });
}

const NOTIFY_MS = 5000;

function notify(m: View, before: View): void {
  if (!notifies.value || m.arrived <= before.arrived || Date.now() - notified < NOTIFY_MS) return;
  notified = Date.now();
  const last = m.rows.at(-1);
  if (last) new Notification(`sluice: ${last.channel}`, { body: last.text.slice(0, 200), tag: 'sluice' });
}

function title(m: View): void {
  const waits = hiddenAt ? m.arrived - hiddenAt.arrived : 0;
  document.title = waits > 0 ? `(${waits.toLocaleString('en')}) ${TITLE}` : TITLE;
}

// ---- how rows look ----

const hues = new Map<string, number>();

function noteNewChannels(m: Slow): void {
  let isNew = false;
  for (const c of m.channels)
    if (!hues.has(c.name)) {
      hues.set(c.name, hues.size % HUES);
      isNew = true;
    }
  if (isNew) restyle();
}

export const hueOf = (channel: string) => hues.get(channel) ?? 0;

export function restyle(): void {
  lookVersion++;
  rows?.measure();
  rows?.schedule();
}

function look(): Look {
  const needles = query.value.clauses.filter((c) => c.kind === 'text' && !c.negated).map((c) => inEitherCase(c.text));
  if (highlight.value) needles.push(inEitherCase(highlight.value));
  return {
    rules: rules.value.map(inEitherCase), zone: zone.value, relativeTo: relativeTo.value, columns: columns.value, needles, marks: marks.value,
    bookmarks: new Set(bookmarks.value.keys()), hues, version: lookVersion,
  };
}

// ---- the place ----

let keptY: number | null = null;
let wantsSelection = false;

// The line whose place is kept over a change.
function kept(): string | null {
  if (!paused.value && !pastAt.value) return null;
  const line = (rows.selected !== null ? rows.rowOf(rows.selected) : undefined) ?? rows.top;
  if (!line) return null;
  keptY = rows.placeOf(line.seq) ?? rows.viewport.clientHeight / 3;
  return line.id;
}

export function pause(why: Paused['why']): void {
  const v = view.value;
  if (!v || (paused.value && why !== 'key')) return;
  paused.value = { why, arrived: v.arrived, errors: v.errors, at: Date.now() };
  rows.hold();
  if (why === 'key') rows.frozenAt = v.last;
}

function mark(row: Row | undefined, text: string): void {
  marks.value = new Map(row ? [[row.id, text]] : []);
  restyle();
}

export function goOn(): void {
  if (pastAt.value) return goLive();
  const p = paused.value;
  paused.value = null;
  if (p && view.value && view.value.arrived > p.arrived) {
    const newest = rows.frozenAt ?? view.value.rows.find((r) => r.seq > (rows.top?.seq ?? 0))?.seq;
    const first = view.value.rows.find((r) => newest !== undefined && r.seq > newest);
    mark(first, `new since ${clock(p.at, zone.value).slice(0, 8)}`);
  }
  rows.toEnd();
}

export const togglePause = () => (paused.value || pastAt.value ? goOn() : pause('key'));

export function goLive(): void {
  pastAt.value = null;
  paused.value = null;
  ask({ type: 'live', keep: null });
  rows.toEnd();
  if (typeof range.value === 'object') range.value = '1h';
  place.write();
}

export function goTo(at: string, end?: string): void {
  pastAt.value = at;
  paused.value = null;
  rows.selected = null;
  rows.follow = false;
  keptY = rows.viewport.clientHeight / 3;
  wantsSelection = /^[a-z0-9]+\.\d+-\d+$/.test(at);
  ask({ type: 'past', at, end });
  place.write();
}

export function jump(typed: string): boolean {
  const id = /\b([a-z0-9]+\.\d+-\d+)\b/.exec(typed);
  if (id) {
    goTo(id[1]);
    return true;
  }
  const ms = parseTime(typed, Date.now(), zone.value);
  if (ms === null) return false;
  goTo(new Date(ms).toISOString());
  return true;
}

export function setRange(r: Range): void {
  range.value = r;
  if (typeof r === 'object') goTo(new Date(r.since).toISOString(), new Date(r.until).toISOString());
  else if (pastAt.value) goLive();
  place.write();
}

// ---- the query ----

export function setQuery(next: Partial<Query>, isUndo = false): void {
  if (!isUndo) undone.push(query.value);
  const keep = kept();
  batch(() => {
    query.value = { ...query.value, ...next };
  });
  sendQuery(keep);
}

let lastSent = '';

export function sendQuery(keep: string | null = kept()): void {
  ask({ type: 'query', query: query.value, highlight: highlight.value, columns: columns.value, folds: folds.value, bookmarks: [...bookmarks.value.keys()], keep });
  const sent = JSON.stringify([query.value, folds.value]);
  if (paused.value && sent !== lastSent) paused.value = { ...paused.value, arrived: 0, errors: 0 }; // they are counted anew
  lastSent = sent;
  restyle();
  place.write();
}

// Everything is shown, wherever that is; for a jump that follows.
export function widen(): void {
  undone.push(query.value);
  query.value = EVERYTHING;
  sendQuery(null);
}

export function undo(): void {
  const last = undone.pop();
  if (last) setQuery(last, true);
}

export function addClause(c: Clause): void {
  if (query.value.clauses.some((d) => sameClause(c, d))) return;
  // The opposite of it is replaced.
  const rest = query.value.clauses.filter((d) => !sameClause({ ...c, negated: !c.negated }, d));
  setQuery({ clauses: [...rest, c] });
}

export const removeClause = (i: number) => setQuery({ clauses: query.value.clauses.filter((_, k) => k !== i) });

export function addTyped(text: string): boolean {
  const c = parseClause(text);
  if (c) addClause(c);
  return c !== null;
}

// While it is typed, plain text narrows at once; it becomes a clause with Enter.
let draft: Clause | null = null;

export function setDraft(text: string): void {
  const parsed = parseClause(text);
  const next = parsed?.kind === 'text' && !parsed.negated ? parsed : null;
  if (next?.text === draft?.text) return;
  const clauses = query.value.clauses.filter((c) => !draft || !sameClause(c, draft));
  draft = next;
  const keep = kept();
  query.value = { ...query.value, clauses: next ? [...clauses, next] : clauses };
  sendQuery(keep);
}

// What the server says against a filter, before it is used; '' for nothing, or if it cannot be asked.
export async function rejection(text: string): Promise<string> {
  const c = parseClause(text);
  const channel = slow.value?.channels.find((x) => !x.isDerived)?.name;
  if (c?.kind !== 'filter' || !channel) return '';
  const q = new URLSearchParams({ channel, filter: expressionOf(c), tail: '0', timeout: '0s' });
  if (ticket) q.set('ticket', ticket);
  try {
    const response = await fetch(`poll?${q}`, { cache: 'no-store' });
    return response.status === 400 ? (await response.text()).trim() : '';
  } catch {
    return '';
  }
}

export function commitDraft(text: string): boolean {
  const last = draft;
  draft = null;
  const c = parseClause(text);
  if (!c) return false;
  // What stands there from typing it is replaced by what it has become.
  const rest = query.value.clauses.filter((d) => !last || !sameClause(d, last));
  undone.push({ ...query.value, clauses: rest });
  query.value = { ...query.value, clauses: rest.some((d) => sameClause(c, d)) ? rest : [...rest, c] };
  sendQuery();
  return true;
}

export const isDraft = (c: Clause) => draft !== null && sameClause(c, draft);

export const GROUPS = [
  { name: 'E', title: 'Errors and worse', bits: 0x00f },
  { name: 'W', title: 'Warnings', bits: 0x010 },
  { name: 'I', title: 'Notice, info, or no severity', bits: 0x160 },
  { name: 'D', title: 'Debug', bits: 0x080 },
];

export function toggleSeverity(bits: number): void {
  const all = query.value.severities;
  // The first click shows that one alone, as people mean it; the next ones add and remove.
  const next = all === EVERY_SEVERITY ? bits : all & bits ? all & ~bits : all | bits;
  setQuery({ severities: next || EVERY_SEVERITY });
}

export const minimumSeverity = (n: number) => setQuery({ severities: n >= 6 ? EVERY_SEVERITY : (1 << (n + 2)) - 1 });

export function toggleChannel(name: string): void {
  const { hidden } = query.value;
  setQuery({ hidden: hidden.includes(name) ? hidden.filter((h) => h !== name) : [...hidden, name] });
}

export function onlyChannel(name: string): void {
  const others = (slow.value?.channels ?? []).map((c) => c.name).filter((n) => n !== name);
  setQuery({ hidden: query.value.hidden.length === others.length && !query.value.hidden.includes(name) ? [] : others });
}

// ---- the selected line ----

export function select(seq: number, open: boolean, reveals = true): void {
  rows.selected = seq;
  if (!pastAt.value && !paused.value) pause('selection');
  if (open) isInspecting.value = true;
  ask({ type: 'line', seq });
  if (reveals) rows.reveal(seq);
  rows.schedule();
}

export function selectStep(step: number): void {
  const row = rows.neighbour(rows.selected, step);
  if (row) select(row.seq, false);
}

export function find(what: 'match' | 'error' | 'warning', forward: boolean): void {
  const from = rows.selected ?? (forward ? (rows.top?.seq ?? -1) : (view.value?.last ?? 0) + 1);
  ask({ type: 'find', what, from, forward });
}

export function addRule(text: string): void {
  rules.value = text ? [...rules.value.filter((r) => r !== text), text] : [];
  restyle();
  place.write();
}

export function toggleChart(c: Chart): void {
  const rest = charts.value.filter((d) => d.channel !== c.channel || d.type !== c.type || d.field !== c.field);
  charts.value = rest.length < charts.value.length ? rest : [...rest, c];
  place.write();
}

export function closeInspector(): void {
  isInspecting.value = false;
  rows.selected = null;
  selected.value = null;
  rows.schedule();
}

let whenSelected: ((line: WholeLine) => void) | null = null;

// What is done with the selected line, once it is all there.
export function withLine(act: (line: WholeLine) => void): void {
  if (rows.selected === null) say('Select a line first.');
  else if (selected.value?.seq === rows.selected) act(selected.value);
  else whenSelected = act;
}

export const bookmark = () => withLine((line) => {
  const next = new Map(bookmarks.value);
  if (!next.delete(line.extra.id)) next.set(line.extra.id, { time: line.time, text: line.text, channel: line.channel });
  bookmarks.value = next;
  sendQuery();
});

// A link never carries the ticket.
function linkWith(hash: string): string {
  const url = new URL(location.href);
  url.search = '';
  url.hash = hash;
  return url.href;
}

export const linkTo = (id: string) => linkWith(place.hash({ at: id }));
export const viewLink = () => linkWith(place.hash());

export function copy(text: string, what: string): void {
  navigator.clipboard.writeText(text).then(() => say(`${what} copied.`, true), () => say('The browser does not allow copying here.'));
}

export const copyLine = () => withLine((line) => copy(line.text, 'The line was'));
export const copyLink = () => withLine((line) => copy(linkTo(line.extra.id), 'A link to the line was'));

let toastTimer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string, good = false): void {
  clearTimeout(toastTimer);
  toast.value = { text, good };
  toastTimer = setTimeout(() => { toast.value = null; }, good ? 2500 : 6000);
}

// ---- exports ----

export function parameters(): URLSearchParams {
  const q = new URLSearchParams();
  for (const c of slow.value?.channels ?? [])
    if (c.hasPast && !c.isDerived && !query.value.hidden.includes(c.name) && q.getAll('channel').length < CHANNELS_MAX) q.append('channel', c.name);
  for (const f of filtersOf(query.value)) q.append('filter', f);
  if (ticket) q.append('ticket', ticket);
  return q;
}

export function exportUrl(format: 'ndjson' | 'text'): string {
  const q = parameters();
  const { since, until } = limits();
  q.set('since', new Date(since).toISOString());
  q.set('until', new Date(until).toISOString());
  q.set('limit', '0');
  q.set('order', 'oldest');
  q.set('format', format);
  return `search?${q}`;
}

export function curlCommand(): string {
  const q = parameters();
  q.delete('ticket');
  const url = new URL(`events?${q}`, location.href);
  return `curl -N '${url.href.replace(/'/g, '%27')}'`;
}

export function channelYaml(): string {
  const from = (slow.value?.channels ?? []).filter((c) => !c.isDerived && !query.value.hidden.includes(c.name)).map((c) => c.name);
  const filter = filtersOf(query.value).map((f) => `(${f})`).join(' and ');
  return `channels:\n  NAME:\n    from: [${from.join(', ')}]\n${filter ? `    filter: '${filter.replace(/'/g, "''")}'\n` : ''}`;
}

export function incidentNote(): string {
  const { since, until } = limits();
  const v = view.value;
  const lines = [...bookmarks.value.values()].sort((a, b) => a.time - b.time);
  return [
    `# Incident, ${new Date(since).toISOString()} to ${new Date(until).toISOString()}`, '',
    `- View: ${viewLink()}`,
    `- Filter: ${filtersOf(query.value).map((f) => `\`${f}\``).join(' and ') || 'none'}`,
    `- Lines: ${v?.total.toLocaleString('en') ?? 0} in view, ${slow.value?.severities.slice(0, 4).reduce((a, b) => a + b, 0) ?? 0} at error or worse`,
    `- Missing: ${slow.value?.channels.reduce((sum, c) => sum + c.lost, 0) ?? 0}`, '', '## Bookmarked lines', '',
    ...lines.map((l) => `- ${new Date(l.time).toISOString()} **${l.channel}** \`${l.text.split('\n')[0].replace(/`/g, "'")}\``), '',
  ].join('\n');
}

// Of the time that is looked at, in ms.
export function limits(): { since: number; until: number } {
  const until = now.value;
  const r = range.value;
  if (typeof r === 'object') return r;
  if (r === 'today') {
    const d = new Date(until);
    return { since: zone.value === 'utc' ? Date.UTC(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate()) : new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime(), until };
  }
  return { since: until - (r === '15m' ? 9e5 : 36e5), until };
}

// ---- the beginning ----

let hiddenAt: { ms: number; arrived: number; last: string | undefined } | null = null;

function onVisibility(): void {
  const v = view.value;
  if (document.hidden) {
    hiddenAt = v ? { ms: Date.now(), arrived: v.arrived, last: v.rows.at(-1)?.id } : null;
    askForRows(); // what waits for a frame would wait for ever
    return;
  }
  document.title = TITLE;
  rows.schedule();
  askForRows(true);
  if (hiddenAt && v && !paused.value && v.arrived > hiddenAt.arrived) {
    const at = v.rows.findIndex((r) => r.id === hiddenAt?.last);
    if (at >= 0 && v.rows[at + 1]) mark(v.rows[at + 1], `new since you looked, ${Math.max(1, Math.round((Date.now() - hiddenAt.ms) / 60000))} min ago`);
  }
  hiddenAt = null;
}

export function begin(viewport: HTMLElement): void {
  rows = new RowView(viewport, {
    ask: askForRows,
    look,
    older: () => ask({ type: 'older' }),
    newer: () => ask({ type: 'newer' }),
    selected: (seq) => select(seq, true, false),
    fetchGap: (row) => {
      pause('scroll');
      const before = rows.neighbour(row.seq, -1);
      keptY = (before && rows.placeOf(before.seq)) ?? 0;
      ask({ type: 'gap', seq: row.seq });
    },
    fullLine: (seq) => select(seq, true),
    moved: (why) => {
      if (why === 'scroll') pause('scroll');
      else if (paused.value && paused.value.why !== 'key') goOn();
    },
  });
  place.read();
  connect();
  sendQuery(null);
  if (pastAt.value) {
    const r = range.value;
    if (typeof r === 'object') goTo(pastAt.value, new Date(r.until).toISOString());
    else goTo(pastAt.value);
  }
  askForRows(true);
  document.addEventListener('visibilitychange', onVisibility);
  addEventListener('hashchange', () => {
    if (location.hash.slice(1) !== place.hash()) place.show();
  });
  addEventListener('pagehide', () => ask({ type: 'close' }));
  addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
  document.addEventListener('selectionchange', () => {
    const s = getSelection();
    if (s && !s.isCollapsed && viewport.contains(s.anchorNode)) pause('selection');
  });
  viewport.addEventListener('copy', (e) => {
    const s = getSelection();
    const text = s ? rows.selectedText(s) : null;
    if (!text) return;
    e.preventDefault();
    e.clipboardData?.setData('text/plain', text);
  });
  setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, 1000);
}
