// SPDX-License-Identifier: MIT
// Which values the fields of what is looked at have, asked of the server now and then.

import { signal } from '@preact/signals';
import * as m from './model.js';

export interface Facet {
  name: string; // of the field, or "source"
  events: number;
  values: { value: unknown; count: number }[];
}

const EVERY_MS = 10000;
const FIELDS = 6;
const SHARE = 0.3; // of all events, that the values which are shown must have
const DULL = /^(log\.|level$|severity$|time$|timestamp$|id$|.*_id$|fields\.time)/;

export const facets = signal<Facet[]>([]);
let asking: AbortController | null = null;
let askedOf = '';
let askedAt = 0;

// Few values that differ tell more than one value, or one for each line.
const isTelling = (f: Facet) => f.values.length > 1 && f.values[0].count > 1 && !DULL.test(f.name)
  && f.values.reduce((sum, v) => sum + v.count, 0) >= f.events * SHARE;

export async function refresh(): Promise<void> {
  if (document.hidden || !m.railIsOpen.value) return;
  const q = m.parameters();
  if (!q.has('channel')) return;
  if (typeof m.range.value === 'object') {
    q.set('since', new Date(m.range.value.since).toISOString());
    q.set('until', new Date(m.range.value.until).toISOString());
  }
  q.set('limit', '5000');
  q.set('top', '5');
  const of = q.toString();
  if (asking || (of === askedOf && Date.now() - askedAt < EVERY_MS)) return;
  askedOf = of;
  askedAt = Date.now();
  asking = new AbortController();
  try {
    const response = await fetch(`facets?${q}`, { signal: asking.signal, cache: 'no-store' });
    if (response.ok) {
      const answer = await response.json() as { facets: Facet[] };
      facets.value = answer.facets.filter((f) => f.name.startsWith('fields.')).map((f) => ({ ...f, name: f.name.replace(/^fields\./, '') })).filter(isTelling)
        .sort((a, b) => b.events - a.events).slice(0, FIELDS);
    }
  } catch {
    // the next time
  }
  asking = null;
}
