// SPDX-License-Identifier: MIT
// What may follow in the filter: names of fields from the schemas, values from what is there.

import { facets } from './facets.js';
import * as m from './model.js';

export interface Completion {
  text: string;
  hint: string;
  isWhole: boolean; // a clause, not only its beginning
}

const MAX = 8;
const BUILT_IN: [string, string][] = [
  ['severity <= warning', 'warnings and worse'],
  ['source == ', 'where it came from'],
  ['channel == ', 'the channel'],
  ['type == ', 'the type of the event'],
  ['time >= ', 'when it happened'],
];
const known = new Map<string, string>(); // field -> description
const asked = new Set<string>();

async function learn(): Promise<void> {
  for (const c of m.slow.value?.channels ?? []) {
    if (asked.has(c.name)) continue;
    asked.add(c.name);
    try {
      const response = await fetch(`schema/${encodeURIComponent(c.name)}${m.ticket ? `?ticket=${m.ticket}` : ''}`);
      if (!response.ok) continue;
      const { $defs } = await response.json();
      for (const type of Object.values($defs ?? {}) as { properties?: { fields?: { properties?: Record<string, { description?: string }> } } }[])
        for (const [name, about] of Object.entries(type.properties?.fields?.properties ?? {})) known.set(name, about.description ?? '');
    } catch {
      asked.delete(c.name); // once more, another time
    }
  }
}

export async function complete(text: string): Promise<Completion[]> {
  const typed = text.trim().replace(/^(-|!|not\s+)/, '');
  const prefix = text.slice(0, text.length - text.trimStart().replace(/^(-|!|not\s+)/, '').length);
  if (!typed) return [];
  await learn();
  const compared = /^(?:fields\.)?([\w.-]+)\s*(==|!=|=|:)\s*"?([^"]*)$/.exec(typed);
  if (compared) {
    const [, name, op, value] = compared;
    const facet = facets.value.find((f) => f.name === name);
    return (facet?.values ?? []).filter((v) => String(v.value).toLowerCase().startsWith(value.toLowerCase())).slice(0, MAX)
      .map((v) => ({ text: `${prefix}${name} ${op === '=' || op === ':' ? '==' : op} ${typeof v.value === 'string' ? JSON.stringify(v.value) : v.value}`, hint: v.count.toLocaleString('en'), isWhole: true }));
  }
  if (/\s/.test(typed)) return [];
  const lower = typed.toLowerCase().replace(/^fields\./, '');
  const names = new Map<string, string>([...facets.value.map((f): [string, string] => [f.name, `in ${f.events.toLocaleString('en')} ${f.events === 1 ? 'line' : 'lines'}`]), ...known]);
  const found: Completion[] = BUILT_IN.filter(([t]) => t.startsWith(lower)).map(([t, hint]) => ({ text: prefix + t, hint, isWhole: !t.endsWith(' ') }));
  for (const [name, hint] of names) if (name.toLowerCase().includes(lower) && !name.includes('NAME')) found.push({ text: `${prefix}${name} == `, hint, isWhole: false });
  return found.slice(0, MAX);
}
