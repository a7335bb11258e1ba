// SPDX-License-Identifier: MIT
// One line, whole: its fields, its text, what stands around it, and others like it.

import { useEffect, useState } from 'preact/hooks';
import { fieldClause, SEVERITIES } from '../store/query.js';
import { CHANNELS_MAX, type WholeLine } from '../stream/protocol.js';
import * as m from '../chrome/model.js';
import { Icon } from '../chrome/icons.js';
import { SEVERITY_WORDS } from '../view/rows.js';
import { visible } from '../view/text.js';
import { ago, clock, full, relative } from '../view/time.js';

type Tab = 'fields' | 'raw' | 'context';

const CONTEXT = 20; // lines on either side
const REQUEST_IDS = /^(.*[._])?(req(uest)?[._]?id|trace[._]?id|correlation[._]?id|session[._]?id)$/i;

interface PastLine {
  id: string;
  event: string;
  time?: string;
  channel?: string;
  severity?: string;
  message?: string;
}

function flatten(value: unknown, name: string, out: [string, unknown][]): void {
  if (value !== null && typeof value === 'object' && !Array.isArray(value))
    for (const [key, v] of Object.entries(value)) flatten(v, name ? `${name}.${key}` : key, out);
  else out.push([name, value]);
}

const shownValue = (value: unknown) => visible(typeof value === 'string' ? value : JSON.stringify(value));

function Fields({ line }: { line: WholeLine }) {
  const { fields, id, type, source, ...more } = line.extra;
  const list: [string, unknown][] = [];
  flatten(fields ?? {}, '', list);
  const about: [string, unknown][] = [['source', source], ['type', type], ['id', id], ...Object.entries(more)];
  return (
    <table class="fields">
      <tbody>
        {list.map(([name, value]) => (
          <tr key={name}>
            <th>{name}</th><td>{shownValue(value)}</td>
            <td class="do">
              <button type="button" title={`Only lines with this ${name}`} onClick={() => m.addClause(fieldClause(name, value, false))}>+</button>
              <button type="button" title={`Exclude lines with this ${name}`} onClick={() => m.addClause(fieldClause(name, value, true))}>{'\u2212'}</button>
              <button type="button" title={`Highlight ${shownValue(value)}`} onClick={() => { m.highlight.value = String(value); m.sendQuery(); }}>=</button>
              <button type="button" title={`Show ${name} as a column`} aria-pressed={m.columns.value.includes(name)} onClick={() => {
                m.columns.value = m.columns.value.includes(name) ? m.columns.value.filter((c) => c !== name) : [...m.columns.value, name];
                m.sendQuery();
              }}>#</button>
              {typeof value === 'number' && <button type="button" title={`Chart ${name} over time`} onClick={() => m.toggleChart({ channel: line.channel, type: line.extra.type, field: name })}>~</button>}
            </td>
          </tr>
        ))}
        {about.filter(([, v]) => v !== undefined && v !== null).map(([name, value]) => (
          <tr key={name} class="about"><th>{name}</th><td colSpan={2}>{shownValue(value)}</td></tr>
        ))}
      </tbody>
    </table>
  );
}

function Raw({ line }: { line: WholeLine }) {
  const [shows, setShows] = useState(false);
  const text = shows ? visible(line.text).replace(/\t/g, '\u21e5\t').replace(/\n/g, '\u21b5\n') : visible(line.text);
  return (
    <div class="raw">
      <label><input type="checkbox" checked={shows} onChange={(e) => setShows(e.currentTarget.checked)} /> Show tabs and line ends</label>
      <pre id="whole" tabIndex={0}>{text}</pre>
    </div>
  );
}

async function past(parameters: Record<string, string>): Promise<PastLine[]> {
  const q = new URLSearchParams(parameters);
  if (m.ticket) q.set('ticket', m.ticket);
  const response = await fetch(`history?${q}`, { cache: 'no-store' });
  if (!response.ok) throw new Error((await response.text()).trim());
  return (await response.json()).events;
}

function PastLines({ lines, mine, at }: { lines: PastLine[]; mine: string; at: number }) {
  return (
    <ol class="lines">
      {lines.map((l) => (
        <li key={l.id} class={`${l.id === mine ? 'mine' : ''} s${SEVERITIES.indexOf(l.severity ?? '')}`}>
          <button type="button" onClick={() => m.goTo(l.id)} title="Go there">
            <span class="t">{at ? relative(Date.parse(l.time ?? '') - at) : clock(Date.parse(l.time ?? ''), m.zone.value)}</span>
            {at > 0 && <span class={`c h${m.hueOf(l.channel ?? '')}`}>{l.channel}</span>}
            <span class="m">{visible((l.message ?? '').split('\n')[0])}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}

function Context({ line }: { line: WholeLine }) {
  const [lines, setLines] = useState<PastLine[] | null>(null);
  const [error, setError] = useState('');
  const { id } = line.extra;
  useEffect(() => {
    let isOver = false;
    const behind = id.replace(/\d+$/, (n) => String(Number(n) + 1));
    setLines(null);
    setError('');
    Promise.all([
      past({ channel: line.channel, before: behind, limit: String(CONTEXT + 1) }),
      past({ channel: line.channel, after: id, limit: String(CONTEXT) }),
    ]).then(([a, b]) => { if (!isOver) setLines([...a, ...b]); }, (e: Error) => { if (!isOver) setError(e.message); });
    return () => { isOver = true; };
  }, [id]);
  if (error) return <p class="note">{error}</p>;
  if (!lines) return <p class="note">{'Fetching\u2026'}</p>;
  return <PastLines lines={lines} mine={id} at={0} />;
}

// A word with a "=" before it, or a field, that names a request.
function requestOf(line: WholeLine): [string, string] | null {
  for (const [name, value] of Object.entries(line.extra.fields ?? {})) if (REQUEST_IDS.test(name) && value) return [name, String(value)];
  return null;
}

function SameRequest({ line }: { line: WholeLine }) {
  const [lines, setLines] = useState<PastLine[]>([]);
  const request = requestOf(line);
  const knowsChannels = (m.slow.value?.channels.length ?? 0) > 0;
  useEffect(() => {
    setLines([]);
    if (!request || !knowsChannels) return undefined;
    let isOver = false;
    const q = new URLSearchParams({ filter: fieldClause(request[0], request[1], false).text, limit: '20', since: new Date(line.time - 36e5).toISOString(), until: new Date(line.time + 36e5).toISOString() });
    for (const c of m.slow.value?.channels ?? []) if (c.hasPast && !c.isDerived && q.getAll('channel').length < CHANNELS_MAX) q.append('channel', c.name);
    if (m.ticket) q.set('ticket', m.ticket);
    fetch(`history?${q}`, { cache: 'no-store' }).then((r) => (r.ok ? r.json() : { events: [] })).then((a) => { if (!isOver) setLines(a.events); }, () => {});
    return () => { isOver = true; };
  }, [line.extra.id, knowsChannels]);
  if (!request || lines.length < 2) return null;
  return (
    <section>
      <h3>Same {request[0]}, {request[1]} <button type="button" class="link" onClick={() => m.addClause(fieldClause(request[0], request[1], false))}>only these</button></h3>
      <PastLines lines={lines} mine={line.extra.id} at={line.time} />
    </section>
  );
}

function Like() {
  const l = m.like.value;
  const line = m.selected.value;
  if (!l || !line || l.count < 2) return null;
  const most = Math.max(...l.spark);
  // The longest piece that all of them have.
  const piece = l.template.split('*').map((p) => p.trim()).sort((a, b) => b.length - a.length)[0];
  return (
    <section>
      <h3>Lines like this: {l.count.toLocaleString('en')} here {piece.length > 3 && <button type="button" class="link" onClick={() => m.addClause({ kind: 'text', text: piece, negated: true })}>hide them</button>}</h3>
      <svg class={`bars s${line.severity}`} viewBox={`0 0 ${l.spark.length * 6} 32`} preserveAspectRatio="none" aria-hidden="true">
        {l.spark.map((v, i) => <rect key={i} x={i * 6} width={5} y={32 - (v / most) * 32} height={(v / most) * 32} />)}
      </svg>
    </section>
  );
}

export function Inspector() {
  const line = m.selected.value;
  const [tab, setTab] = useState<Tab>('fields');
  useEffect(() => {
    if (line && line.length > 2048) setTab('raw');
  }, [line?.seq]);
  if (!m.isInspecting.value || !line) return null;
  const isGap = line.extra.type === 'gap';
  const tabs: [Tab, string][] = [['fields', 'Fields'], ['raw', 'Raw'], ['context', `Context \u00b1${CONTEXT}`]];
  return (
    <aside class="inspector" id="detail" aria-label="The selected line">
      <header>
        <strong>{isGap ? 'Gap' : SEVERITY_WORDS[line.severity]} {line.channel}</strong>
        <span class="fill" />
        <button type="button" class="link" onClick={m.copyLine}>c copy</button>
        <button type="button" class="link" onClick={m.copyLink}>y link</button>
        <button type="button" class="link" aria-pressed={m.bookmarks.value.has(line.extra.id)} onClick={m.bookmark} title="Bookmark the line">b mark</button>
        <button type="button" class="plain" id="close" aria-label="Close" onClick={m.closeInspector}><Icon name="close" /></button>
      </header>
      <p class="when" title={`${ago(m.now.value - line.time)} ago`}>{full(line.time, m.zone.value)}</p>
      <div class="tabs" role="tablist">
        {tabs.map(([t, label]) => <button type="button" key={t} role="tab" aria-selected={tab === t} onClick={() => setTab(t)}>{label}</button>)}
      </div>
      <div class="body">
        {tab === 'fields' && <Fields line={line} />}
        {tab === 'raw' && <Raw line={line} />}
        {tab === 'context' && <Context line={line} />}
        {tab === 'fields' && <Like />}
        {tab === 'fields' && <SameRequest line={line} />}
      </div>
    </aside>
  );
}
