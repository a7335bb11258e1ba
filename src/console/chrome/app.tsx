// SPDX-License-Identifier: MIT
// The page: a bar, a strip of time, the rail, the rows, the ruler, the inspector, the foot.

import { effect } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Inspector } from '../inspector/inspector.js';
import { Ruler } from '../view/ruler.js';
import { addLive, type Counts, empty, Strip } from '../view/strip.js';
import { listenToKeys } from './actions.js';
import { Bar } from './bar.js';
import { Charts } from './charts.js';
import { Dialogs } from './dialogs.js';
import { refresh as refreshFacets } from './facets.js';
import { Foot } from './foot.js';
import * as m from './model.js';
import { Rail } from './rail.js';
import { statusOf } from './status.js';
import { ago } from '../view/time.js';

const BARS = 120;
const REFRESH_MS = 15000;
const plural = (n: number, one: string, many: string) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

// ---- the strip of time ----

interface Histogram {
  since: string;
  until: string;
  width_ms: number;
  counts: number[];
  severities: Record<string, number[]>;
  gaps: { time?: string; since?: string; until?: string }[];
}

let base: { counts: Counts; at: number; of: string } | null = null;
let isAsking = false;

async function fetchCounts(): Promise<void> {
  const { since, until } = m.limits();
  const q = m.parameters();
  const of = `${q} ${JSON.stringify(m.range.value)}`;
  if (isAsking || document.hidden || (base && base.of === of && Date.now() - base.at < REFRESH_MS)) return;
  if (!q.has('channel')) return;
  isAsking = true;
  q.set('since', new Date(since).toISOString());
  q.set('until', new Date(until).toISOString());
  q.set('buckets', String(BARS));
  try {
    const response = await fetch(`histogram?${q}`, { cache: 'no-store' });
    if (response.ok) {
      const h = await response.json() as Histogram;
      const counts = empty(since, until, BARS);
      const shift = (i: number) => Math.min(BARS - 1, Math.max(0, Math.floor((Date.parse(h.since) + (i + 0.5) * h.width_ms - since) / counts.width)));
      const put = (list: number[] | undefined, to: number[]) => list?.forEach((n, i) => { to[shift(i)] += n; });
      for (const s of ['emergency', 'alert', 'critical', 'error']) put(h.severities[s], counts.bad);
      put(h.severities.warning, counts.warning);
      put(h.counts, counts.other);
      for (let i = 0; i < BARS; i++) counts.other[i] = Math.max(0, counts.other[i] - counts.bad[i] - counts.warning[i]);
      base = { counts, at: Date.now(), of };
    }
  } catch {
    // the strip shows what has come here meanwhile
  }
  isAsking = false;
}

function currentCounts(): Counts {
  const { since, until } = m.limits();
  const counts = empty(since, until, BARS);
  const live = m.slow.value?.live ?? [];
  let from = since;
  if (base) {
    const b = base.counts;
    const k0 = (b.since - since) / counts.width;
    for (const name of ['bad', 'warning', 'other', 'lost'] as const)
      b[name].forEach((n, i) => {
        const k = Math.round(i + k0);
        if (k >= 0 && k < BARS) counts[name][k] += n;
      });
    from = b.until;
  }
  if (typeof m.range.value !== 'object') addLive(counts, live, from);
  return counts;
}

function TimeStrip() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [hint, setHint] = useState('');
  useEffect(() => {
    const strip = new Strip(canvas.current!, (since, until) => {
      if (Number.isNaN(until)) m.goTo(new Date(since).toISOString());
      else m.setRange({ since: Math.floor(since), until: Math.ceil(until) });
    }, setHint);
    let drawn = 0;
    return effect(() => {
      const v = m.view.peek();
      void m.slow.value;
      void m.now.value;
      strip.zone = m.zone.value;
      if (document.hidden || Date.now() - drawn < 500) return;
      drawn = Date.now();
      fetchCounts();
      refreshFacets();
      const rows = v?.rows;
      strip.window = rows?.length && (m.pastAt.value || m.paused.value) ? [m.rowView().top?.time ?? rows[0].time, rows.at(-1)!.time] : null;
      strip.set(currentCounts());
    });
  }, []);
  return (
    <div class="strip">
      <canvas ref={canvas} id="strip" role="img" aria-label="Number of lines over time" />
      {hint && <span class="hint">{hint}</span>}
    </div>
  );
}

// ---- above the rows ----

function Notice() {
  const { kind, text, action } = statusOf();
  const v = m.view.value;
  const isFiltered = v?.refused;
  return (
    <div class="notices" id="notice" role="status">
      {isFiltered && <p class="notice bad"><b>Filter rejected</b> {v.refused}</p>}
      {kind === 'good' && text && <p class="notice">{text}</p>}
      {kind !== 'good' && text && (
        <p class={`notice ${kind}`}>
          <b>{{ held: m.pastAt.value ? 'Past' : 'Paused', wait: 'Not live', bad: 'No lines' }[kind]}</b> {text}{' '}
          {action === 'live' && <><button type="button" class="link" onClick={m.goOn}>{m.pastAt.value ? 'Go live' : 'Resume'}</button> <kbd>Space</kbd></>}
          {action === 'retry' && <button type="button" class="link" onClick={() => m.ask({ type: 'retry' })}>Try now</button>}
          {action === 'reload' && <button type="button" class="link" onClick={() => location.reload()}>Sign in</button>}
        </p>
      )}
      {v?.progress && (
        <p class="notice search">Searching the history: {plural(v.progress.matches, 'match', 'matches')}, {Math.floor((v.progress.scanned / Math.max(1, v.progress.total)) * 100)}% of {(v.progress.total / 1048576).toFixed(0)} MB
          {v.progress.time && `, back to ${v.progress.time.replace('T', ' ').slice(0, 19)} UTC`}{' '}
          <button type="button" class="link" onClick={() => m.ask({ type: 'stop' })}>Stop</button></p>
      )}
      {v && m.narrows.value && v.held > 0 && v.isLive && v.older === 'none' && !v.total && <NoMatch />}
    </div>
  );
}

// The clause that hides the most is the one to look at.
function NoMatch() {
  const v = m.view.value!;
  const worst = v.hides.reduce((best, n, i) => (n > (v.hides[best] ?? -1) ? i : best), 0);
  const c = m.query.value.clauses[worst];
  return (
    <p class="notice">No match in {plural(v.held, 'line', 'lines')}.{' '}
      {c && !m.isDraft(c) && v.hides[worst] > 0 && <button type="button" class="link" onClick={() => m.removeClause(worst)}>Remove "{c.text}", which hides {v.hides[worst].toLocaleString('en')}</button>}
      {!c && m.query.value.hidden.length > 0 && <button type="button" class="link" onClick={() => m.setQuery({ hidden: [] })}>Show all channels</button>}
    </p>
  );
}

function Empty() {
  const v = m.view.value;
  if (!v || v.total > 0 || v.older === 'loading' || v.scanning > 0) return null;
  const readable = (m.slow.value?.channels ?? []).filter((c) => !c.isDerived);
  if (m.narrows.value && v.held) return null;
  if (!v.isLive) return <div class="empty"><p>There are no lines at this time.</p></div>;
  if (!readable.length) return null;
  return (
    <div class="empty" id="empty">
      <p>No lines yet. New lines will appear here.</p>
      <table><tbody>{readable.map((c) => <tr key={c.name}><th>{c.name}</th><td>{c.lastMs ? `newest line ${ago(m.now.value - c.lastMs)} ago` : 'nothing so far'}{c.hasPast ? '' : ', live only'}</td></tr>)}</tbody></table>
      <p>The same in a terminal: <code>{m.curlCommand()}</code></p>
    </div>
  );
}

function Rows() {
  const viewport = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    m.begin(viewport.current!);
    const ruler = new Ruler(canvas.current!, (index) => {
      m.pause('scroll');
      m.rowView().jumpToIndex(index);
    }, () => m.rowView().screenful);
    return effect(() => {
      const v = m.view.value;
      if (!v || document.hidden) return;
      const rows = m.rowView();
      const top = rows.top;
      const at = rows.follow || !top ? v.total : v.index + v.rows.findIndex((r) => r.seq === top.seq);
      ruler.draw(v, m.slow.peek()?.marks, at);
    });
  }, []);
  return (
    <div class="log">
      <div class="viewport" id="scroller" ref={viewport} role="log" aria-live="off" aria-label="Lines" tabIndex={0} />
      <canvas class="ruler" ref={canvas} aria-hidden="true" />
      <Empty />
    </div>
  );
}

// What a screen reader is told of the stream: a summary, now and then.
function Summary() {
  const [text, setText] = useState('');
  useEffect(() => {
    let last = 0;
    const timer = setInterval(() => {
      const v = m.view.value;
      if (!v || v.arrived === last) return;
      setText(`${plural(v.arrived - last, 'new line', 'new lines')}, ${plural(v.errors, 'error', 'errors')} in all`);
      last = v.arrived;
    }, 5000);
    return () => clearInterval(timer);
  }, []);
  return <p class="unseen" role="status" aria-live="polite">{text}</p>;
}

function App() {
  const t = m.toast.value;
  return (
    <div class={`app${m.railIsOpen.value ? ' with-rail' : ''}${m.isInspecting.value && m.selected.value ? ' with-inspector' : ''}${m.wraps.value ? ' wraps' : ''} d${m.density.value}`}>
      <Bar />
      <Rail />
      <main>
        <TimeStrip />
        <Charts />
        <Notice />
        <Rows />
      </main>
      <Inspector />
      <Foot />
      <Dialogs />
      <Summary />
      {t && <div id="connection" class={`toast${t.good ? ' good' : ''}`} role="status">{t.text}</div>}
    </div>
  );
}

listenToKeys();
render(<App />, document.getElementById('app')!);
