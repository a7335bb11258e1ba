// SPDX-License-Identifier: MIT
// Colours within text, without an element for each: the CSS Custom Highlight API.

const names = ['faint', 'key', 'number', 'string', 'match', 'ansi-red', 'ansi-green', 'ansi-yellow', 'ansi-blue', 'ansi-magenta', 'ansi-cyan'];
const highlights = new Map<string, Highlight>();

if (typeof Highlight !== 'undefined' && CSS.highlights)
  for (const [i, name] of names.entries()) {
    const h = new Highlight();
    h.priority = name === 'match' ? 100 : i;
    highlights.set(name, h);
    CSS.highlights.set(name, h);
  }

// The ranges of one row.
export class Paint {
  private ranges: [Highlight, StaticRange][] = [];

  clear(): void {
    for (const [h, range] of this.ranges) h.delete(range);
    this.ranges = [];
  }

  add(name: string, node: Node, from: number, to: number): void {
    const h = highlights.get(name);
    if (!h) return;
    const range = new StaticRange({ startContainer: node, startOffset: from, endContainer: node, endOffset: to });
    h.add(range);
    this.ranges.push([h, range]);
  }
}
