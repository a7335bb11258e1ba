// SPDX-License-Identifier: MIT
// The one bar that holds everything which narrows the view.

import { useEffect, useRef, useState } from 'preact/hooks';
import { EVERY_SEVERITY, expressionOf } from '../store/query.js';
import { Icon } from './icons.js';
import * as m from './model.js';
import { complete, type Completion } from './completion.js';
import { statusOf } from './status.js';

const short = (n: number) => (n < 1000 ? String(n) : n < 10000 ? `${(n / 1000).toFixed(1)}k` : n < 1e6 ? `${Math.round(n / 1000)}k` : `${(n / 1e6).toFixed(1)}M`);

function Live() {
  const { kind, label } = statusOf();
  const rate = m.slow.value?.rate ?? 0;
  const isHeld = Boolean(m.paused.value || m.pastAt.value);
  return (
    <button type="button" id="live" class={`live ${kind}`} aria-pressed={isHeld} onClick={m.togglePause}
      title={isHeld ? 'Follow new lines (space)' : 'Pause the view (space); new lines are still received'}>
      <span class="dot" /><span id="state">{label}</span>
      {kind === 'good' && <span class="rate">{rate.toLocaleString('en')}/s</span>}
    </button>
  );
}

function Chip({ i }: { i: number }) {
  const c = m.query.value.clauses[i];
  if (!c || m.isDraft(c)) return null;
  const hides = m.view.value?.hides[i] ?? -1;
  const text = c.kind === 'text' ? c.text : c.text.replace(/^fields\./, '');
  return (
    <span class={`chip${c.negated ? ' negated' : ''}`} title={`${expressionOf(c)}${hides >= 0 ? `\nhides ${hides.toLocaleString('en')} ${hides === 1 ? 'line' : 'lines'} that the other filters would show` : ''}`}>
      {c.negated && <b>not</b>} <span>{text}</span>
      {hides > 0 && <small>{'\u2212'}{short(hides)}</small>}
      <button type="button" aria-label={`Remove ${text}`} onClick={() => m.removeClause(i)}><Icon name="close" /></button>
    </span>
  );
}

function Filter() {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [list, setList] = useState<Completion[]>([]);
  const [at, setAt] = useState(-1);
  const change = (value: string) => {
    setText(value);
    setError('');
    setAt(-1);
    m.setDraft(value);
    complete(value).then(setList);
  };
  const [error, setError] = useState('');
  const commit = async (value: string) => {
    setList([]);
    setAt(-1);
    const why = await m.rejection(value);
    setError(why);
    if (why) return; // it can be mended
    m.commitDraft(value);
    setText('');
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.key === 'Enter') {
      if (at >= 0 && list[at]) {
        if (list[at].isWhole) commit(list[at].text);
        else change(list[at].text);
      } else commit(text);
    } else if (e.key === 'Backspace' && !text && m.query.value.clauses.length) {
      m.removeClause(m.query.value.clauses.length - 1);
    } else if (e.key === 'ArrowDown' && list.length) {
      e.preventDefault();
      setAt((at + 1) % list.length);
    } else if (e.key === 'ArrowUp' && list.length) {
      e.preventDefault();
      setAt((at + list.length - 1) % list.length);
    } else if (e.key === 'Escape') {
      if (list.length) setList([]);
      else if (text) change('');
      else input.current?.blur();
    } else if (e.key === 'z' && (e.ctrlKey || e.metaKey) && !text) {
      e.preventDefault();
      m.undo();
    } else return;
    e.stopPropagation();
  };
  useEffect(() => {
    m.filterInput.current = input.current;
  }, []);
  const { clauses } = m.query.value;
  return (
    <div class="filter" onClick={(e) => { if (e.target === e.currentTarget) input.current?.focus(); }}>
      {clauses.map((c, i) => <Chip key={expressionOf(c)} i={i} />)}
      <input ref={input} id="filter" value={text} spellcheck={false} autocomplete="off" role="combobox"
        aria-expanded={list.length > 0} aria-controls="completions" aria-label="Filter: text, field == value, or /regex/"
        placeholder={clauses.length ? '' : 'Filter: text, status >= 500, /regex/, -exclude'}
        onInput={(e) => change(e.currentTarget.value)} onKeyDown={onKey}
        onFocus={() => complete(text).then(setList)} onBlur={() => setTimeout(() => setList([]), 150)} />
      {!text && <kbd>/</kbd>}
      {error && <p class="popover refused" id="refused" role="alert">{error}</p>}
      {list.length > 0 && (
        <ul id="completions" class="popover" role="listbox">
          {list.map((c, i) => (
            <li key={c.text} role="option" aria-selected={i === at} onMouseDown={(e) => {
              e.preventDefault();
              if (c.isWhole) commit(c.text);
              else change(c.text);
            }}>
              <code>{c.text}</code><span>{c.hint}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Ranges() {
  const r = m.range.value;
  const isPast = m.pastAt.value !== null;
  const item = (value: '15m' | '1h' | 'today', label: string) => (
    <button type="button" aria-pressed={r === value && !isPast} onClick={() => m.setRange(value)}>{label}</button>
  );
  return (
    <div class="group ranges" role="group" aria-label="Time">
      {item('15m', '15 m')}{item('1h', '1 h')}{item('today', 'Today')}
      <button type="button" id="jump" aria-pressed={isPast} onClick={() => { m.dialog.value = 'jump'; }}>Jump{'\u2026'}</button>
    </div>
  );
}

function Severities() {
  const counts = m.slow.value?.severities ?? [];
  const { severities } = m.query.value;
  return (
    <div class="group severities" role="group" aria-label="Severities">
      {m.GROUPS.map((g) => {
        const n = counts.reduce((sum, c, i) => sum + (g.bits & (1 << i) ? c : 0), 0);
        return (
          <button type="button" key={g.name} class={`sev-${g.name}`} title={`${g.title}: ${n.toLocaleString('en')}`}
            aria-pressed={severities !== EVERY_SEVERITY && (severities & g.bits) !== 0} onClick={() => m.toggleSeverity(g.bits)}>
            {g.name}{n > 0 && ` ${short(n)}`}
          </button>
        );
      })}
    </div>
  );
}

export function Bar() {
  return (
    <header class="bar">
      <button type="button" class="plain" id="rail-toggle" aria-label="Channels" aria-expanded={m.railIsOpen.value} onClick={() => { m.railIsOpen.value = !m.railIsOpen.value; }}><Icon name="menu" /></button>
      <span class="brand"><i class="logo" />sluice</span>
      <Live />
      <Filter />
      <Ranges />
      <Severities />
      <button type="button" class="boxed" id="palette" onClick={() => { m.dialog.value = 'palette'; }} title="All commands">Ctrl K</button>
    </header>
  );
}
