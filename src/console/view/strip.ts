// SPDX-License-Identifier: MIT
// How much there was when: counts by severity, gaps hatched, and a brush that selects a range.

import type { LiveCount } from '../stream/protocol.js';
import { clock, type Zone } from './time.js';

export interface Counts {
  since: number; // ms
  until: number;
  width: number; // ms of a bar
  bad: number[];
  warning: number[];
  other: number[];
  lost: number[]; // what is missing; > 0 draws it hatched
}

const AXIS = 14; // pixels
const GRAB = 3;

export function empty(since: number, until: number, bars: number): Counts {
  const zeros = () => new Array<number>(bars).fill(0);
  return { since, until, width: (until - since) / bars, bad: zeros(), warning: zeros(), other: zeros(), lost: zeros() };
}

// Adds what has come live after `from`.
export function addLive(c: Counts, live: LiveCount[], from: number): void {
  for (let i = live.length - 1; i >= 0; i--) {
    const ms = live[i].second * 1000;
    if (ms < from) break;
    const k = Math.floor((ms - c.since) / c.width);
    if (k < 0 || k >= c.bad.length) continue;
    c.bad[k] += live[i].bad;
    c.warning[k] += live[i].warning;
    c.other[k] += live[i].other;
    c.lost[k] += live[i].lost;
  }
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400].map((s) => s * 1000);

export class Strip {
  private readonly context: CanvasRenderingContext2D;
  private counts: Counts | null = null;
  private brush: [number, number] | null = null;
  private from: number | null = null;
  private hover: number | null = null;
  zone: Zone = 'local';
  window: [number, number] | null = null; // what the rows on the screen cover, in ms

  constructor(private readonly canvas: HTMLCanvasElement, private readonly onRange: (since: number, until: number) => void, private readonly onHover: (text: string) => void) {
    this.context = canvas.getContext('2d')!;
    canvas.addEventListener('pointerdown', (e) => {
      this.from = e.offsetX;
      canvas.setPointerCapture(e.pointerId);
    });
    canvas.addEventListener('pointermove', (e) => {
      this.hover = e.offsetX;
      if (this.from !== null) this.brush = [Math.min(this.from, e.offsetX), Math.max(this.from, e.offsetX)];
      this.tell();
      this.draw();
    });
    canvas.addEventListener('pointerleave', () => {
      this.hover = null;
      this.onHover('');
      this.draw();
    });
    canvas.addEventListener('pointerup', (e) => {
      const { brush } = this;
      const from = this.from ?? e.offsetX;
      this.from = this.brush = null;
      if (!this.counts) return;
      if (brush && brush[1] - brush[0] > GRAB) this.onRange(this.timeAt(brush[0]), this.timeAt(brush[1]));
      else this.onRange(this.timeAt(from), Number.NaN);
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  private timeAt(x: number): number {
    const c = this.counts!;
    return c.since + (Math.max(0, Math.min(1, x / this.canvas.clientWidth)) * (c.until - c.since));
  }

  private tell(): void {
    const c = this.counts;
    if (!c || this.hover === null) return;
    const k = Math.min(c.bad.length - 1, Math.max(0, Math.floor((this.timeAt(this.hover) - c.since) / c.width)));
    const n = c.bad[k] + c.warning[k] + c.other[k];
    const parts = [`${clock(c.since + k * c.width, this.zone).slice(0, 8)}: ${n.toLocaleString('en')} ${n === 1 ? 'line' : 'lines'}`];
    if (c.bad[k]) parts.push(`${c.bad[k].toLocaleString('en')} ${c.bad[k] === 1 ? 'error' : 'errors'}`);
    if (c.warning[k]) parts.push(`${c.warning[k].toLocaleString('en')} ${c.warning[k] === 1 ? 'warning' : 'warnings'}`);
    if (c.lost[k]) parts.push('some are missing');
    this.onHover(parts.join(', '));
  }

  set(counts: Counts): void {
    this.counts = counts;
    this.draw();
  }

  draw(): void {
    const counts = this.counts;
    const w = this.canvas.clientWidth;
    const h = this.canvas.clientHeight;
    if (!counts || !w) return;
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(w * ratio) || this.canvas.height !== Math.round(h * ratio)) {
      this.canvas.width = Math.round(w * ratio);
      this.canvas.height = Math.round(h * ratio);
    }
    const c = this.context;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, w, h);
    const style = getComputedStyle(this.canvas);
    const colour = (name: string) => style.getPropertyValue(`--${name}`);
    const bars = counts.bad.length;
    const most = Math.max(1, ...counts.bad.map((n, k) => n + counts.warning[k] + counts.other[k]));
    const room = h - AXIS - 6;
    const bw = w / bars;
    const layers: [number[], string][] = [[counts.other, colour('bar')], [counts.warning, colour('warning')], [counts.bad, colour('error')]];
    for (let k = 0; k < bars; k++) {
      const x = Math.round(k * bw);
      const width = Math.max(1, Math.round((k + 1) * bw) - x - 1);
      let y = h - AXIS;
      const all = counts.bad[k] + counts.warning[k] + counts.other[k];
      const tall = Math.sqrt(all / most) * room; // so that little beside much is seen too
      for (const [n, fill] of layers) {
        if (!n[k]) continue;
        const size = Math.max(2, (n[k] / all) * tall);
        c.fillStyle = fill;
        c.fillRect(x, y - size, width, size);
        y -= size;
      }
      if (counts.lost[k]) this.hatch(x, width, h - AXIS, colour('warning'));
    }
    this.axis(counts, w, h, colour('dim'));
    if (this.window) {
      const [a, b] = this.window.map((t) => ((t - counts.since) / (counts.until - counts.since)) * w);
      c.fillStyle = colour('accent');
      c.fillRect(Math.max(0, Math.min(w - 2, a)), h - AXIS, Math.max(2, Math.min(w, b) - Math.max(0, a)), 2);
    }
    if (this.brush) {
      c.fillStyle = colour('brush');
      c.fillRect(this.brush[0], 0, this.brush[1] - this.brush[0], h - AXIS);
      c.fillStyle = colour('accent');
      for (const x of this.brush) c.fillRect(Math.round(x), 0, 1, h - AXIS);
    } else if (this.hover !== null) {
      c.fillStyle = colour('dim');
      c.fillRect(Math.round(this.hover), 0, 1, h - AXIS);
    }
  }

  private hatch(x: number, width: number, h: number, fill: string): void {
    const c = this.context;
    c.save();
    c.beginPath();
    c.rect(x, 0, Math.max(3, width), h);
    c.clip();
    c.strokeStyle = fill;
    for (let y = -8; y < h + 8; y += 4) {
      c.beginPath();
      c.moveTo(x, y + 6);
      c.lineTo(x + Math.max(3, width) + 4, y);
      c.stroke();
    }
    c.restore();
  }

  private axis(counts: Counts, w: number, h: number, fill: string): void {
    const c = this.context;
    const span = counts.until - counts.since;
    const step = STEPS.find((s) => (s / span) * w > 90) ?? STEPS.at(-1)!;
    c.fillStyle = fill;
    c.font = `11px ${getComputedStyle(this.canvas).fontFamily}`;
    const offset = this.zone === 'utc' ? 0 : new Date(counts.since).getTimezoneOffset() * 60000;
    for (let t = Math.ceil((counts.since - offset) / step) * step + offset; t < counts.until; t += step) {
      const x = ((t - counts.since) / span) * w;
      if (x > w - 30) break;
      c.fillText(clock(t, this.zone).slice(0, step < 60000 ? 8 : 5), Math.max(2, x), h - 3);
    }
  }
}
