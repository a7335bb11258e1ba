// SPDX-License-Identifier: MIT
// What lines of one kind have in common: numbers, ids, addresses and quoted text left out.

export function template(text: string): string {
  const end = text.indexOf('\n');
  return (end < 0 ? text : text.slice(0, end))
    .replace(/"(?:[^"\\]|\\.)*"/g, '"*"')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{4,}(?:-[0-9a-f]+)*\b/gi, '*')
    .replace(/\d[\d.,:]*/g, '*');
}
