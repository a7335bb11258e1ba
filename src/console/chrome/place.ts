// SPDX-License-Identifier: MIT
// The view in the address, so that a reload and a link show the same; and saved views.

import { type Clause, EVERY_SEVERITY } from '../store/query.js';
import * as m from './model.js';

const text = (c: Clause) => `${c.negated ? '-' : '+'}${c.kind === 'text' ? 't' : 'f'}${c.text}`;

function clause(s: string): Clause | null {
  const found = /^([-+])([tf])([\s\S]+)$/.exec(s);
  return found ? { negated: found[1] === '-', kind: found[2] === 't' ? 'text' : 'filter', text: found[3] } : null;
}

function chart(s: string): m.Chart | null {
  try {
    const [channel, type, field] = JSON.parse(s) as string[];
    return typeof field === 'string' ? { channel, type, field } : null;
  } catch {
    return null; // written by hand
  }
}

export function hash(more: { at?: string } = {}): string {
  const q = m.query.value;
  const out = new URLSearchParams();
  for (const c of q.clauses) out.append('q', text(c));
  if (q.severities !== EVERY_SEVERITY) out.set('severities', q.severities.toString(16));
  for (const name of q.hidden) out.append('hide', name);
  if (m.highlight.value) out.set('highlight', m.highlight.value);
  const at = more.at ?? m.pastAt.value;
  if (at) out.set('at', at);
  const r = m.range.value;
  if (typeof r === 'object' && !more.at) out.set('range', `${r.since}-${r.until}`);
  else if (typeof r === 'string' && r !== '1h') out.set('range', r);
  for (const name of m.columns.value) out.append('column', name);
  for (const text of m.rules.value) out.append('colour', text);
  for (const c of m.charts.value) out.append('chart', JSON.stringify([c.channel, c.type, c.field]));
  if (m.zone.value === 'utc') out.set('zone', 'utc');
  return out.toString();
}

export function write(): void {
  const h = hash();
  if (h !== location.hash.slice(1)) history.replaceState(null, '', h ? `#${h}` : location.pathname + location.search);
}

export function read(): void {
  const p = new URLSearchParams(location.hash.slice(1));
  const severities = Number.parseInt(p.get('severities') ?? '', 16);
  m.query.value = {
    clauses: p.getAll('q').map(clause).filter((c) => c !== null),
    severities: severities > 0 && severities <= EVERY_SEVERITY ? severities : EVERY_SEVERITY,
    hidden: p.getAll('hide'),
  };
  m.highlight.value = p.get('highlight') ?? '';
  m.pastAt.value = p.get('at');
  const r = p.get('range') ?? '1h';
  const between = /^(\d+)-(\d+)$/.exec(r);
  m.range.value = between ? { since: Number(between[1]), until: Number(between[2]) } : r === '15m' || r === 'today' ? r : '1h';
  m.columns.value = p.getAll('column');
  m.rules.value = p.getAll('colour');
  m.charts.value = p.getAll('chart').map(chart).filter((c) => c !== null);
  m.zone.value = p.get('zone') === 'utc' ? 'utc' : 'local';
}

export function save(name: string): void {
  m.saved.value = [...m.saved.value.filter((s) => s.name !== name), { name, hash: hash() }];
  keep();
}

function keep(): void {
  try {
    localStorage.setItem('sluice-views', JSON.stringify(m.saved.value));
  } catch {
    m.say('The browser does not allow this page to store data. Saved views are lost when you close it.');
  }
}

export function forget(name: string): void {
  m.saved.value = m.saved.value.filter((s) => s.name !== name);
  keep();
}

export function open(h: string): void {
  history.pushState(null, '', h ? `#${h}` : location.pathname + location.search);
  show();
}

// What the address says now.
export function show(): void {
  const wasPast = m.pastAt.value;
  read();
  m.sendQuery(null);
  const r = m.range.value;
  if (m.pastAt.value) m.goTo(m.pastAt.value, typeof r === 'object' ? new Date(r.until).toISOString() : undefined);
  else if (wasPast) m.goLive();
}
