// SPDX-License-Identifier: MIT
// What is shown of a line: characters that would hide or reorder text become visible, and
// colours of terminals become ranges.  Nothing of a line becomes anything but text.

import Anser from 'anser';

export interface Span {
  from: number;
  to: number;
  name: string; // of a highlight
}

export interface Shown {
  text: string;
  spans: Span[];
}

// Control characters but tab and line end, C1, bidirectional and invisible ones.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const STRANGE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const picture = (c: string) => {
  const code = c.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
};

export const visible = (text: string) => text.replace(STRANGE, picture);

const COLOURS = new Set(['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']);

function colourOf(fg: string | null): string | null {
  const name = fg?.replace(/^ansi-(bright-)?/, '') ?? '';
  return COLOURS.has(name) && name !== 'black' && name !== 'white' ? `ansi-${name}` : null;
}

export function shown(text: string): Shown {
  if (!text.includes('\u001b[')) return { text: visible(text), spans: [] };
  const spans: Span[] = [];
  let out = '';
  for (const piece of Anser.ansiToJson(text, { use_classes: true, remove_empty: true })) {
    const from = out.length;
    out += visible(piece.content);
    const name = colourOf(piece.fg);
    if (name) spans.push({ from, to: out.length, name });
  }
  return { text: out, spans };
}

const TOKENS = /"(?:[^"\\\n]|\\.){0,200}"|[A-Za-z_][\w.-]*(?==)|(?<![\w.])\d[\d.,:]*(?:[a-z%]{1,2})?(?![\w])/g;
const TOKENS_WITHIN = 400; // characters

export function tokens(text: string): Span[] {
  const spans: Span[] = [];
  for (const m of text.slice(0, TOKENS_WITHIN).matchAll(TOKENS)) {
    const c = m[0][0];
    spans.push({ from: m.index, to: m.index + m[0].length, name: c === '"' ? 'string' : c >= '0' && c <= '9' ? 'number' : 'key' });
  }
  return spans;
}

const MATCHES_MAX = 20; // in one row

export function matches(text: string, needles: RegExp[]): Span[] {
  const spans: Span[] = [];
  for (const needle of needles)
    for (const m of text.matchAll(new RegExp(needle.source, `${needle.flags.replace('g', '')}g`))) {
      if (m[0]) spans.push({ from: m.index, to: m.index + m[0].length, name: 'match' });
      if (spans.length >= MATCHES_MAX) return spans;
    }
  return spans;
}
