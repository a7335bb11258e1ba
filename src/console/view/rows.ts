// SPDX-License-Identifier: MIT
// The lines on the screen.  The place is a line and its distance from the top in pixels:
// what comes, goes or changes its height elsewhere moves nothing that is being read.
// Elements are reused, a line keeps its own while it is visible, and becomes text only.

import type { Row, View, Window } from '../stream/protocol.js';
import { Paint } from './paint.js';
import { matches, shown, tokens, visible } from './text.js';
import { clock, day, relative, type Zone } from './time.js';

export const SEVERITY_WORDS = ['EMERG', 'ALERT', 'CRIT', 'ERR', 'WARN', 'NOTE', 'INFO', 'DBG', ''];
const SPARE = 3; // rows outside of the screen
const WINDOW = 160; // rows that are at hand on either side
const MARGIN = 60; // fewer than these: more are asked for
const NEAR = 40; // rows from the end of what there is
const FRICTION = 0.95;

export interface Look {
  zone: Zone;
  relativeTo: number | null; // ms
  columns: string[];
  needles: RegExp[];
  rules: RegExp[]; // lines that one of them finds have its colour
  marks: Map<string, string>; // by id, what stands above it
  bookmarks: Set<string>;
  hues: Map<string, number>; // by channel
  version: number; // grows with every change
}

export interface RowHost {
  ask(force: boolean): void;
  look(): Look;
  older(): void;
  newer(): void;
  selected(seq: number): void;
  fetchGap(row: Row): void;
  fullLine(seq: number): void;
  moved(why: 'scroll' | 'end'): void;
}

class RowElement {
  readonly root = document.createElement('div');
  private readonly time = this.part('t');
  private readonly channel = this.part('c');
  private readonly severity = this.part('s');
  private readonly cells = this.part('x');
  private readonly message = this.part('m');
  private readonly more = document.createElement('button');
  private readonly repeats = this.part('n');
  private readonly paint = new Paint();
  private key = '';
  seq = Number.NaN;

  constructor() {
    this.root.className = 'row';
    this.more.type = 'button';
    this.more.className = 'more';
    this.more.tabIndex = -1;
    this.root.insertBefore(this.more, this.repeats.parentElement);
  }

  private part(name: string): Text {
    const span = document.createElement('span');
    span.className = name;
    const text = document.createTextNode('');
    span.append(text);
    this.root.append(span);
    return text;
  }

  write(row: Row, before: Row | undefined, isSelected: boolean, isOpen: boolean, look: Look): void {
    this.seq = row.seq;
    const mark = look.marks.get(row.id) ?? (before && !row.isGap && day(before.time, look.zone) !== day(row.time, look.zone) ? day(row.time, look.zone) : '');
    const key = `${row.seq} ${row.id} ${row.repeats} ${isSelected} ${isOpen} ${look.version} ${before?.time} ${mark}`;
    if (key === this.key) return;
    this.key = key;
    this.paint.clear();
    const rule = row.isGap ? -1 : look.rules.findIndex((r) => r.test(row.text));
    this.root.className = `row s${row.severity} h${look.hues.get(row.channel) ?? 0}${row.isGap ? ' gap' : ''}${isSelected ? ' selected' : ''}${isOpen ? ' open' : ''}${look.bookmarks.has(row.id) ? ' bookmarked' : ''}${rule >= 0 ? ` rule r${rule % 8}` : ''}`;
    this.root.dataset.seq = String(row.seq);
    if (mark) this.root.dataset.mark = mark;
    else delete this.root.dataset.mark;
    this.writeTime(row, before, look);
    this.channel.data = row.channel;
    this.severity.data = row.isGap ? '' : SEVERITY_WORDS[row.severity];
    this.cells.data = row.cells ? row.cells.map((c) => visible(c)).join('\u2003') : '';
    this.writeMessage(row, isOpen, look);
    this.repeats.data = row.repeats ? `\u00d7${(row.repeats + 1).toLocaleString('en')}` : '';
    if (isSelected) this.root.setAttribute('aria-current', 'true');
    else this.root.removeAttribute('aria-current');
  }

  private writeTime(row: Row, before: Row | undefined, look: Look): void {
    const text = look.relativeTo === null ? clock(row.time, look.zone) : relative(row.time - look.relativeTo);
    this.time.data = text;
    if (!before || look.relativeTo !== null) return;
    const last = clock(before.time, look.zone);
    let same = 0;
    while (same < text.length && text[same] === last[same]) same++;
    // Whole numbers only.
    while (same > 0 && same < text.length && /\d/.test(text[same - 1])) same--;
    if (same > 0) this.paint.add('faint', this.time, 0, Math.min(same, text.length));
  }

  private writeMessage(row: Row, isOpen: boolean, look: Look): void {
    const end = isOpen ? -1 : row.text.indexOf('\n');
    const { text, spans } = shown(end < 0 ? row.text : row.text.slice(0, end));
    this.message.data = text;
    if (!row.isGap)
      for (const s of spans.length ? spans : tokens(text)) this.paint.add(s.name, this.message, s.from, s.to);
    for (const s of matches(text, look.needles)) this.paint.add('match', this.message, s.from, s.to);
    const isCut = row.length > 2048;
    let more = '';
    if (row.isGap) more = row.reason === 'slow' ? 'Fetch them' : '';
    else if (isCut) more = `show all ${Math.ceil(row.length / 1024)} KB`;
    else if (row.lines) more = isOpen ? 'fold' : `+${row.lines} ${row.lines === 1 ? 'line' : 'lines'}`;
    this.more.textContent = more;
    this.more.hidden = !more;
    this.more.dataset.what = row.isGap ? 'fetch' : isCut ? 'whole' : 'fold';
  }

  drop(): void {
    this.paint.clear();
    this.key = '';
    this.seq = Number.NaN;
    this.root.remove();
  }
}

export class RowView {
  follow = true;
  frozenAt: number | null = null; // nothing newer than this line is shown
  selected: number | null = null;
  readonly open = new Set<string>(); // ids of lines that are shown whole
  private anchor: { seq: number; y: number } | null = null;
  private x = 0;
  private view: View | null = null;
  private readonly list = document.createElement('div');
  private readonly head = document.createElement('div');
  private pool: RowElement[] = [];
  private placed: RowElement[] = []; // in their order on the screen
  private height = 0;
  private rowHeight = 22;
  private wanted: { seq?: number; index?: number; y: number } | null = null; // a jump that waits for its rows
  private inertia = 0;
  private frame = 0;

  constructor(readonly viewport: HTMLElement, private readonly host: RowHost) {
    this.list.className = 'list';
    this.head.className = 'head';
    viewport.append(this.list);
    viewport.addEventListener('wheel', (e) => this.wheel(e), { passive: false });
    this.listenToTouch();
    viewport.addEventListener('click', (e) => this.click(e));
    viewport.addEventListener('dblclick', (e) => this.fold(this.rowAt(e.target)));
    new ResizeObserver(() => this.resized()).observe(viewport);
    this.measure();
  }

  // What comes and goes above the rows moves none of them on the screen.
  private resized(): void {
    const { top } = this.viewport.getBoundingClientRect();
    if (!this.follow && this.anchor) this.anchor.y -= top - this.screenTop;
    this.screenTop = top;
    this.measure();
    this.draw();
    this.host.ask(true);
  }

  private screenTop = 0;

  measure(): void {
    this.height = this.viewport.clientHeight;
    this.rowHeight = Number.parseFloat(getComputedStyle(this.viewport).getPropertyValue('--row')) || 22;
  }

  get screenful(): number {
    return Math.ceil(this.height / this.rowHeight);
  }

  // What to ask the worker for.
  window(): Window {
    if (this.wanted?.index !== undefined) return { at: null, index: this.wanted.index, before: WINDOW, after: WINDOW };
    if (this.wanted?.seq !== undefined) return { at: this.wanted.seq, before: WINDOW, after: WINDOW };
    if (this.follow || !this.anchor) return { at: null, before: this.screenful + 2 * SPARE, after: 0 };
    return { at: this.anchor.seq, before: WINDOW, after: WINDOW + this.screenful };
  }

  take(view: View): void {
    if (this.view && this.view.generation !== view.generation) {
      // Sequence numbers are others; where the place is now comes in a message of its own.
      this.lastY = this.anchor?.y ?? 0;
      this.anchor = null;
      this.selected = null;
      this.frozenAt = null;
    }
    this.view = view;
    const { wanted } = this;
    if (!wanted) return;
    const { rows } = view;
    const isToEnd = view.index + rows.length >= view.total;
    let at: Row | undefined;
    if (wanted.index !== undefined) {
      const i = wanted.index - view.index;
      at = i < 0 ? undefined : (rows[i] ?? (isToEnd ? rows.at(-1) : undefined));
    } else {
      const isCovered = rows.length > 0 && (view.index === 0 || rows[0].seq <= wanted.seq!) && (isToEnd || rows.at(-1)!.seq >= wanted.seq!);
      if (isCovered) at = rows.find((r) => r.seq >= wanted.seq!) ?? rows.at(-1);
    }
    if (!at) return; // this view was on its way before
    this.anchor = { seq: at.seq, y: wanted.y };
    this.wanted = null;
    this.hasJumped = true;
  }

  jumpTo(seq: number, y = this.height / 3): void {
    this.follow = false;
    this.wanted = { seq, y };
    this.host.ask(true);
  }

  jumpToIndex(index: number): void {
    this.follow = false;
    this.wanted = { index, y: 0 };
    this.host.ask(true);
  }

  // The place stays, although new lines come.
  hold(): void {
    this.follow = false;
    const e = this.anchor ? undefined : this.placed.find((p) => this.yOf(p) + p.root.offsetHeight > 0);
    if (e) this.anchor = { seq: e.seq, y: this.yOf(e) };
    this.draw();
  }

  toEnd(): void {
    this.follow = true;
    this.frozenAt = null;
    this.anchor = null;
    this.wanted = null;
    this.host.ask(true);
    this.schedule();
  }

  // The first line that can be seen.
  get top(): Row | undefined {
    return this.anchor ? this.rowOf(this.anchor.seq) : undefined;
  }

  // Where a line is on the screen, in pixels from the top; null: it is not.
  placeOf(seq: number): number | null {
    const element = this.placed.find((e) => e.seq === seq);
    return element ? this.yOf(element) : null;
  }

  rowOf(seq: number): Row | undefined {
    return this.view?.rows.find((r) => r.seq === seq);
  }

  // The next row that is shown, in either direction.
  neighbour(seq: number | null, step: number): Row | undefined {
    const rows = this.view?.rows ?? [];
    if (seq === null) return step > 0 ? rows[this.indexOf(this.anchor?.seq ?? Number.POSITIVE_INFINITY)] : rows.at(-1);
    const i = rows.findIndex((r) => r.seq === seq);
    return i < 0 ? undefined : rows[i + step];
  }

  // Scrolls no further than necessary.
  reveal(seq: number): void {
    const element = this.placed.find((e) => e.seq === seq);
    if (!element) return this.jumpTo(seq);
    const y = this.yOf(element);
    const h = element.root.offsetHeight;
    if (y < this.rowHeight) this.scrollBy(y - 3 * this.rowHeight);
    else if (y + h > this.height - this.rowHeight) this.scrollBy(y + h - this.height + 3 * this.rowHeight);
  }

  schedule(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  // ---- layout ----

  private yOf(element: RowElement): number {
    return this.listTop + element.root.offsetTop;
  }

  private listTop = 0; // where the list begins, in pixels from the top of the screen
  lastY = 0; // of the anchor, when sequence numbers were others

  private indexOf(seq: number): number {
    const rows = this.view!.rows;
    let lo = 0;
    let hi = rows.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (rows[mid].seq <= seq) lo = mid + 1;
      else hi = mid;
    }
    return Math.max(0, lo - 1);
  }

  draw(): void {
    const { view } = this;
    if (!view || document.hidden) return;
    let rows = view.rows;
    if (this.frozenAt !== null) rows = rows.filter((r) => r.seq <= this.frozenAt!);
    if (!rows.length) {
      for (const e of this.placed) this.free(e);
      this.placed = [];
      this.head.remove();
      this.anchor = null;
      this.nearEnds(view, 0, 0, rows.length);
      return;
    }
    const screen = this.screenful;
    let from: number;
    let to: number;
    let at = 0;
    const follows = this.follow && this.frozenAt === null;
    if (follows || !this.anchor) {
      to = rows.length;
      from = Math.max(0, to - screen - SPARE);
    } else {
      at = this.indexOf(this.anchor.seq);
      from = Math.max(0, at - Math.ceil(Math.max(0, this.anchor.y) / this.rowHeight) - SPARE);
      to = Math.min(rows.length, at + Math.max(1, Math.ceil((this.height - this.anchor.y) / this.rowHeight) + SPARE));
    }
    this.place(rows, from, to, view);
    // Everything has been written; this is the one time that it is measured.
    const listHeight = this.list.offsetHeight;
    const isFirst = view.index + from === 0;
    const isLast = to === rows.length && (this.frozenAt !== null || view.index + view.rows.length >= view.total);
    let top: number;
    if (follows || !this.anchor) {
      top = Math.min(0, this.height - listHeight);
    } else {
      const element = this.placed[at - from];
      top = this.anchor.y - element.root.offsetTop;
      this.isShort = isFirst && isLast && listHeight < this.height;
      // After a jump, lines that are on their way will stand there.
      const awaits = (side: string) => this.hasJumped && side === 'loading';
      if (isLast && !this.isShort && top + listHeight < this.height && !awaits(view.newer)) top = this.height - listHeight;
      if (isFirst && top > 0 && !awaits(view.older)) top = 0;
    }
    this.listTop = top;
    const widest = this.x > 0 ? Math.max(0, this.list.scrollWidth - this.viewport.clientWidth) : 0;
    this.x = Math.min(this.x, widest);
    this.list.style.transform = `translate(${-this.x}px, ${top}px)`;
    const seen = this.placed.find((e) => top + e.root.offsetTop + e.root.offsetHeight > 0) ?? this.placed[0];
    if (!follows) this.anchor = { seq: seen.seq, y: top + seen.root.offsetTop };
    this.isAtEnd = isLast && top + listHeight <= this.height + 1;
    this.nearEnds(view, from, to, rows.length);
  }

  isAtEnd = true;
  private hasJumped = false; // and nobody has scrolled since
  private isShort = false; // all that there is fits on the screen

  // More rows, older and newer lines, in time.
  private nearEnds(view: View, from: number, to: number, n: number): void {
    if (view.index + from < NEAR && view.older === 'more') this.host.older();
    if (view.total - (view.index + to) < NEAR && view.newer === 'more') this.host.newer();
    if (this.follow || this.wanted) return;
    const lacksBefore = from < MARGIN && view.index > 0;
    const lacksAfter = n - to < MARGIN && view.index + view.rows.length < view.total && this.frozenAt === null;
    if (lacksBefore || lacksAfter) this.host.ask(true);
  }

  private place(rows: Row[], from: number, to: number, view: View): void {
    const look = this.host.look();
    const bySeq = new Map(this.placed.map((e) => [e.seq, e]));
    const next: RowElement[] = [];
    for (let i = from; i < to; i++) {
      const e = bySeq.get(rows[i].seq);
      if (e) bySeq.delete(rows[i].seq);
      next.push(e as RowElement);
    }
    for (const e of bySeq.values()) this.free(e);
    let ref: Node | null = this.list.firstChild;
    const isHead = view.index + from === 0;
    if (isHead) {
      this.writeHead(view);
      if (ref !== this.head) this.list.prepend(this.head);
      ref = this.head.nextSibling;
    } else if (this.head.isConnected) {
      if (ref === this.head) ref = this.head.nextSibling;
      this.head.remove();
    }
    for (let i = from; i < to; i++) {
      const row = rows[i];
      const e = next[i - from] ?? this.pool.pop() ?? new RowElement();
      next[i - from] = e;
      e.write(row, i > 0 ? rows[i - 1] : undefined, row.seq === this.selected, this.open.has(row.id), look);
      if (e.root === ref) ref = ref.nextSibling;
      else this.list.insertBefore(e.root, ref);
    }
    this.placed = next;
  }

  private free(e: RowElement): void {
    e.drop();
    this.pool.push(e);
  }

  private writeHead(view: View): void {
    const { zone } = this.host.look();
    let text = '';
    if (view.older === 'loading') text = view.progress ? '' : 'Older lines are being fetched\u2026';
    else if (view.older === 'stopped') text = 'Stopped. Scroll up to go on searching.';
    else if (view.older === 'none' && view.beginning !== null && view.total) text = view.isNarrow ? 'There are no older matches.' : `The history begins here, ${day(view.beginning, zone)}, ${clock(view.beginning, zone).slice(0, 8)}`;
    if (this.head.textContent !== text) this.head.textContent = text;
  }

  // ---- moving ----

  scrollBy(dy: number): void {
    this.hasJumped = false;
    if (!this.view?.total) return;
    if (this.follow) {
      if (dy >= 0) return;
      if (this.placed.length && this.list.offsetHeight <= this.height && this.view.older !== 'more') return;
      this.follow = false;
      const e = this.placed.find((p) => this.yOf(p) + p.root.offsetHeight > 0);
      if (e) this.anchor = { seq: e.seq, y: this.yOf(e) };
      this.host.moved('scroll');
    }
    if (!this.anchor || (this.isShort && dy > 0)) return;
    this.anchor = { seq: this.anchor.seq, y: this.anchor.y - dy };
    if (dy < 0 && this.view.older === 'stopped' && this.head.isConnected) this.host.older();
    this.draw();
    if (dy > 0 && this.isAtEnd && this.view.isLive) this.host.moved('end');
  }

  private wheel(e: WheelEvent): void {
    if (e.ctrlKey) return;
    e.preventDefault();
    const unit = e.deltaMode === 1 ? this.rowHeight : e.deltaMode === 2 ? this.height : 1;
    const isSideways = e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY);
    if (isSideways) {
      this.x = Math.max(0, Math.min(this.list.scrollWidth - this.viewport.clientWidth, this.x + (e.deltaX || e.deltaY) * unit));
      this.schedule();
    } else {
      this.scrollBy(e.deltaY * unit);
    }
  }

  private listenToTouch(): void {
    let last: { y: number; t: number; v: number } | null = null;
    this.viewport.addEventListener('pointerdown', (e) => {
      if (e.pointerType !== 'touch') return;
      cancelAnimationFrame(this.inertia);
      last = { y: e.clientY, t: e.timeStamp, v: 0 };
    });
    this.viewport.addEventListener('pointermove', (e) => {
      if (!last || e.pointerType !== 'touch') return;
      const dy = last.y - e.clientY;
      const dt = Math.max(1, e.timeStamp - last.t);
      last = { y: e.clientY, t: e.timeStamp, v: 0.6 * last.v + 0.4 * (dy / dt) };
      this.scrollBy(dy);
    });
    const end = () => {
      if (!last) return;
      let v = last.v * 16;
      last = null;
      const glide = () => {
        if (Math.abs(v) < 0.5) return;
        this.scrollBy(v);
        v *= FRICTION;
        this.inertia = requestAnimationFrame(glide);
      };
      glide();
    };
    this.viewport.addEventListener('pointerup', end);
    this.viewport.addEventListener('pointercancel', end);
  }

  private rowAt(target: EventTarget | null): Row | undefined {
    const root = (target as Element | null)?.closest<HTMLElement>('.row');
    return root ? this.rowOf(Number(root.dataset.seq)) : undefined;
  }

  private click(e: MouseEvent): void {
    const row = this.rowAt(e.target);
    if (!row) return;
    const what = (e.target as HTMLElement).dataset.what;
    if (what === 'fold') return this.fold(row);
    if (what === 'fetch') return this.host.fetchGap(row);
    if (what === 'whole') this.host.fullLine(row.seq);
    if (!getSelection()?.isCollapsed) return;
    this.pin(row.seq);
    this.host.selected(row.seq);
  }

  // Whatever changes its height now, this line stays where it is.
  private pin(seq: number): void {
    const element = this.placed.find((p) => p.seq === seq);
    if (element) this.anchor = { seq, y: this.yOf(element) };
  }

  fold(row: Row | undefined): void {
    if (!row?.lines) return;
    if (!this.open.delete(row.id)) this.open.add(row.id);
    this.pin(row.seq);
    if (this.follow) this.host.moved('scroll');
    this.follow = false;
    this.draw();
  }

  // The lines that a selection touches, each on one line.
  selectedText(selection: Selection): string | null {
    const touched = this.placed.filter((e) => selection.containsNode(e.root, true));
    if (touched.length < 2) return null;
    const { zone } = this.host.look();
    return touched.map((e) => this.rowOf(e.seq)).filter((r) => r !== undefined)
      .map((r) => `${clock(r.time, zone)} ${r.channel} ${SEVERITY_WORDS[r.severity]} ${r.text}`).join('\n');
  }
}
