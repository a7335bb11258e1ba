// SPDX-License-Identifier: MIT
// Numbers of a field over time, under the strip and on its axis.

import { useEffect, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { fieldPath } from '../store/query.js';
import { Icon } from './icons.js';
import * as m from './model.js';

const EVERY_MS = 5000;
const POINTS = 5000; // of one chart
const HEIGHT = 64;

let library: Promise<typeof uPlot> | null = null;

// Loaded when the first chart is asked for.
function load(): Promise<typeof uPlot> {
  library ??= import('uplot').then((l) => l.default);
  return library;
}

interface PastEvent {
  time?: string;
  fields?: Record<string, unknown>;
}

// A field by its name, or within objects, as filters find it.
function fieldValue(fields: Record<string, unknown> | undefined, name: string): unknown {
  if (!fields) return undefined;
  if (name in fields) return fields[name];
  return name.split('.').reduce<unknown>((v, part) => (v as Record<string, unknown> | undefined)?.[part], fields);
}

async function fetchPoints(c: m.Chart, since: number, until: number): Promise<[number[], number[]]> {
  const q = new URLSearchParams({ channel: c.channel, filter: `type == ${JSON.stringify(c.type)} and exists(${fieldPath(c.field)})`,
    since: new Date(since).toISOString(), before: new Date(until).toISOString(), limit: String(POINTS) });
  if (m.ticket) q.set('ticket', m.ticket);
  const response = await fetch(`history?${q}`, { cache: 'no-store' });
  if (!response.ok) throw new Error((await response.text()).trim());
  const times: number[] = [];
  const values: number[] = [];
  for (const e of (await response.json()).events as PastEvent[]) {
    const v = fieldValue(e.fields, c.field);
    const t = Date.parse(e.time ?? '') / 1000;
    if (typeof v !== 'number' || Number.isNaN(t)) continue;
    times.push(t);
    values.push(v);
  }
  return [times, values];
}

function ChartRow({ c }: { c: m.Chart }) {
  const box = useRef<HTMLDivElement>(null);
  const [now, setNow] = useState('');
  const [error, setError] = useState('');
  useEffect(() => {
    let plot: uPlot | null = null;
    let isOver = false;
    const colour = (name: string) => getComputedStyle(box.current!).getPropertyValue(`--${name}`);
    const refresh = async () => {
      if (document.hidden) return;
      const { since, until } = m.limits();
      try {
        const [Plot, data] = await Promise.all([load(), fetchPoints(c, since, until)]);
        if (isOver || !box.current) return;
        const width = box.current.clientWidth;
        if (!plot) {
          const axis = { stroke: colour('dim'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false }, font: '11px system-ui' };
          plot = new Plot({
            width, height: HEIGHT, legend: { show: false }, padding: [6, 0, 4, 0],
            cursor: { y: false, sync: { key: 'charts' } }, scales: { x: { time: true } },
            axes: [{ ...axis, show: false }, { ...axis, size: 48, space: 24 }],
            series: [{}, { stroke: colour(`h${m.hueOf(c.channel)}`), width: 1.2, points: { show: false } }],
          }, data, box.current);
        } else {
          if (plot.width !== width) plot.setSize({ width, height: HEIGHT });
          plot.setData(data, false);
        }
        plot.setScale('x', { min: since / 1000, max: until / 1000 });
        plot.setScale('y', bounds(data[1]));
        setNow(data[1].length ? String(Math.round(data[1][data[1].length - 1] * 1000) / 1000) : 'no values in this time range');
        setError('');
      } catch (e) {
        if (!isOver) setError((e as Error).message);
      }
    };
    refresh();
    const timer = setInterval(refresh, EVERY_MS);
    return () => {
      isOver = true;
      clearInterval(timer);
      plot?.destroy();
    };
  }, [c.channel, c.type, c.field, m.range.value]);
  return (
    <div class="chart">
      <p><b>{c.field}</b> {c.channel} <span>{error || now}</span><span class="fill" />
        <button type="button" class="plain" aria-label={`Remove the chart of ${c.field}`} onClick={() => m.toggleChart(c)}><Icon name="close" /></button></p>
      <div ref={box} />
    </div>
  );
}

function bounds(values: number[]): { min: number; max: number } {
  const max = values.reduce((a, b) => Math.max(a, b), 0);
  const min = values.reduce((a, b) => Math.min(a, b), 0);
  return { min, max: max > min ? max : min + 1 };
}

export function Charts() {
  return <>{m.charts.value.map((c) => <ChartRow key={`${c.channel} ${c.type} ${c.field}`} c={c} />)}</>;
}
