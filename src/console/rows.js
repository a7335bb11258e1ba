// SPDX-License-Identifier: MIT
// A pool of row elements, reused; a line becomes text and nothing else.

export const ROW_HEIGHT = 20;
const LETTERS = ['!', 'A', 'C', 'E', 'W', 'N', 'i', 'd', ''];
const SPARE = 8;

const pad = (n, width) => String(n).padStart(width, '0');

export function clock(ms) {
  const d = new Date(ms);
  return `${pad(d.getHours(), 2)}:${pad(d.getMinutes(), 2)}:${pad(d.getSeconds(), 2)}.${pad(d.getMilliseconds(), 3)}`;
}

// Control and bidirectional characters would hide or reorder text: show them.
export function visible(text) {
  return text
    .replace(/[\u0000-\u0008\u000a-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\u007f/g, '\u2421')
    .replace(/[\u0080-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
      (c) => `\u27e8U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}\u27e9`);
}

export class Rows {
  constructor(parent, onSelect) {
    this.parent = parent;
    this.pool = [];
    this.selected = -1;
    this.onSelect = onSelect;
  }

  resize(viewport) {
    const want = Math.ceil(viewport / ROW_HEIGHT) + 2 * SPARE;
    while (this.pool.length < want) {
      const row = document.createElement('div');
      for (let i = 0; i < 4; i++) row.append(document.createElement('span'));
      row.addEventListener('click', () => this.onSelect(Number(row.dataset.seq)));
      this.parent.append(row);
      this.pool.push(row);
    }
    return this.pool.length;
  }

  static spare() {
    return SPARE;
  }

  // `top` is the row index that stands at the top of the content.
  draw(rows, top) {
    this.pool.forEach((element, i) => {
      const row = rows[i];
      element.hidden = !row;
      if (!row) return;
      const more = row.length > 2048 ? `  \u2026 show all ${Math.ceil(row.length / 1024)} KB` : '';
      const name = `row s${row.severity}${row.flags & 1 ? ' gap' : ''}${row.seq === this.selected ? ' selected' : ''}`;
      if (element.className !== name) element.className = name;
      element.style.transform = `translateY(${(row.index - top) * ROW_HEIGHT}px)`;
      element.dataset.seq = row.seq;
      const [time, channel, letter, message] = element.children;
      time.textContent = clock(row.time);
      channel.textContent = row.channel;
      letter.textContent = LETTERS[row.severity] ?? '';
      message.textContent = visible(row.text) + more;
    });
  }
}
