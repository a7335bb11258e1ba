// SPDX-License-Identifier: MIT
// The scrollbar: where errors, matches, bookmarks and gaps are in all that the view holds.

import type { Mark, View } from '../stream/protocol.js';

const THUMB_MIN = 24; // pixels

export class Ruler {
  private readonly context: CanvasRenderingContext2D;
  private marks: Mark[] = [];
  private view: View | null = null;
  private isDragging = false;

  constructor(private readonly canvas: HTMLCanvasElement, private readonly jump: (index: number) => void, private readonly screenful: () => number) {
    this.context = canvas.getContext('2d')!;
    canvas.addEventListener('pointerdown', (e) => {
      this.isDragging = true;
      canvas.setPointerCapture(e.pointerId);
      this.go(e);
    });
    canvas.addEventListener('pointermove', (e) => { if (this.isDragging) this.go(e); });
    canvas.addEventListener('pointerup', () => { this.isDragging = false; });
    canvas.addEventListener('pointercancel', () => { this.isDragging = false; });
    new ResizeObserver(() => this.draw(null)).observe(canvas);
  }

  private go(e: PointerEvent): void {
    if (!this.view?.total) return;
    const { top, height } = this.canvas.getBoundingClientRect();
    const part = Math.max(0, Math.min(1, (e.clientY - top) / height));
    this.jump(Math.floor(part * Math.max(0, this.view.total - this.screenful())));
  }

  draw(view: View | null, marks?: Mark[], at = 0): void {
    if (view) this.view = view;
    if (marks) this.marks = marks;
    const v = this.view;
    if (!v) return;
    const ratio = devicePixelRatio || 1;
    const w = this.canvas.clientWidth;
    const h = this.canvas.clientHeight;
    if (this.canvas.width !== w * ratio || this.canvas.height !== h * ratio) {
      this.canvas.width = w * ratio;
      this.canvas.height = h * ratio;
    }
    const c = this.context;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, w, h);
    const style = getComputedStyle(this.canvas);
    const colour = (name: string) => style.getPropertyValue(`--${name}`);
    const screen = this.screenful();
    if (v.total > screen) {
      const size = Math.max(THUMB_MIN, (screen / v.total) * h);
      const y = Math.min(1, at / Math.max(1, v.total - screen)) * (h - size);
      c.fillStyle = colour('thumb');
      c.fillRect(1, y, w - 2, size);
    }
    const colours = { gap: colour('warning'), critical: colour('critical'), error: colour('error'), warning: colour('warning'), bookmark: colour('accent') };
    for (const m of this.marks) {
      c.fillStyle = colours[m.kind];
      c.fillRect(m.kind === 'gap' ? 0 : 2, Math.round(m.at * (h - 2)), w - (m.kind === 'gap' ? 0 : 4), 2);
    }
  }
}
