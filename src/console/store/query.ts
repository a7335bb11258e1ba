// SPDX-License-Identifier: MIT
// What narrows a view: clauses, severities, channels.  Plain text and severities are looked
// for in what is held here; the language of filters is the server's.

import { IS_GAP, NO_SEVERITY } from './ring.js';

export const SEVERITIES = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'];
export const EVERY_SEVERITY = 0x1ff; // a bit for each, and one for none

export interface Clause {
  kind: 'text' | 'filter';
  text: string; // what is looked for, or an expression of the language
  negated: boolean;
}

export interface Query {
  clauses: Clause[];
  severities: number; // bits
  hidden: string[]; // channels
}

export const LOCAL_MAX = 8; // clauses of plain text that are looked for here

export const EVERYTHING: Query = { clauses: [], severities: EVERY_SEVERITY, hidden: [] };

const quote = (text: string) =>
  `"${text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\t/g, '\\t')}"`;

// Plain text in either case, as grep= has it: with these flags a regex folds as Unicode's
// simple case folding does.
export const inEitherCase = (text: string) => new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'iu');

export function expressionOf(c: Clause): string {
  const inner = c.kind === 'text' ? `message icontains ${quote(c.text)}` : c.text;
  return c.negated ? `not (${inner})` : inner;
}

function severityExpression(bits: number): string | null {
  if ((bits & EVERY_SEVERITY) === EVERY_SEVERITY) return null;
  const names = SEVERITIES.filter((_, i) => bits & (1 << i));
  const parts = names.length ? [`severity in (${names.join(', ')})`] : [];
  if (bits & (1 << NO_SEVERITY)) parts.push('not exists(severity)');
  return parts.length ? parts.join(' or ') : 'severity == debug and severity == info'; // nothing at all
}

// As parameters of a request: filter= may stand there several times, and all must hold.
export function filtersOf(q: Query): string[] {
  const severity = severityExpression(q.severities);
  return [...q.clauses.map(expressionOf), ...(severity ? [severity] : [])];
}

// An operator tells that an expression is meant, and a name before it that it is a field.
const KNOWN = /^(severity|source|channel|type|time|message|fields\.[\w.]+)$/;
const RAW = /^(fields\[|exists\s*\(|\()/;
const COMPARES = /^([A-Za-z_][\w.-]*)\s*(==|!=|>=|<=|!~|~|>|<)\s*(\S.*)$/;
const WORDS = /^([A-Za-z_][\w.]*)\s+(contains|icontains|startswith|endswith|in|not in)\b/;

// What a person has typed.
export function parseClause(typed: string): Clause | null {
  let text = typed.trim();
  let negated = false;
  const not = /^(?:-|!|not\s+)(?=\S)/.exec(text);
  if (not && text.length > not[0].length) {
    negated = true;
    text = text.slice(not[0].length);
  }
  if (!text) return null;
  const regex = /^\/(.+)\/([imsx]*)$/.exec(text);
  if (regex && /[\^$*+?()[\]{}|\\]|\/[imsx]+$/.test(text)) return { kind: 'filter', text: `message ~ ${text}`, negated };
  if (/^"[^"]*"$/.test(text)) return { kind: 'text', text: text.slice(1, -1), negated };
  const compared = COMPARES.exec(text);
  if (compared) {
    const name = KNOWN.test(compared[1]) ? compared[1] : fieldPath(compared[1].replace(/^fields\./, ''));
    const value = /^[\w./"'([-]+$/.test(compared[3]) || KNOWN.test(compared[1]) || /^["'/]/.test(compared[3]) ? compared[3] : quote(compared[3]);
    return { kind: 'filter', text: `${name} ${compared[2]} ${value}`, negated };
  }
  const words = WORDS.exec(text);
  if (RAW.test(text) || (words && KNOWN.test(words[1]))) return { kind: 'filter', text, negated };
  return { kind: 'text', text, negated };
}

// As the language of filters names a field.
export const fieldPath = (name: string) => (/^[A-Za-z_][\w.]*$/.test(name) ? `fields.${name}` : `fields[${quote(name)}]`);

export function fieldClause(name: string, value: unknown, negated: boolean): Clause {
  const isPlain = value === null || typeof value === 'number' || typeof value === 'boolean';
  const literal = isPlain ? String(value) : quote(typeof value === 'string' ? value : JSON.stringify(value));
  return { kind: 'filter', text: `${fieldPath(name)} == ${literal}`, negated };
}

export const sameClause = (a: Clause, b: Clause) => a.kind === b.kind && a.text === b.text && a.negated === b.negated;

// The part of a query that can be decided here.
export class LocalMatch {
  readonly needles: RegExp[];
  readonly rejected: number[]; // per needle: lines that this clause alone hides
  private readonly positive: number;
  private readonly all: number;

  constructor(readonly query: Query, private readonly isHidden: (channel: number) => boolean) {
    const texts = query.clauses.filter((c) => c.kind === 'text').slice(0, LOCAL_MAX);
    this.needles = texts.map((c) => inEitherCase(c.text));
    this.rejected = texts.map(() => 0);
    this.positive = texts.reduce((bits, c, i) => bits | (c.negated ? 0 : 1 << i), 0);
    this.all = (1 << texts.length) - 1;
  }

  hitsOf(text: string): number {
    return this.needles.reduce((bits, needle, i) => bits | (needle.test(text) ? 1 << i : 0), 0);
  }

  accepts(severity: number, channel: number, flags: number, hits: number): boolean {
    if (this.isHidden(channel)) return false;
    if (flags & IS_GAP) return true;
    if (!((this.query.severities >> severity) & 1)) return false;
    const wrong = (hits ^ this.positive) & this.all;
    if (!wrong) return true;
    for (let i = 0; i < this.needles.length; i++) if (wrong & (1 << i)) this.rejected[i]++;
    return false;
  }
}
