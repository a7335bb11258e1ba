// SPDX-License-Identifier: MIT
// Channels, the values of their fields, and saved views.

import { fieldClause } from '../store/query.js';
import type { ChannelState } from '../stream/protocol.js';
import { ago } from '../view/time.js';
import { facets } from './facets.js';
import * as m from './model.js';
import * as place from './place.js';

const amount = (n: number) => (n < 1000 ? String(n) : n < 1e6 ? `${(n / 1000).toFixed(1)}k` : `${(n / 1e6).toFixed(1)}M`);

function Spark({ values }: { values: number[] }) {
  const most = Math.max(1, ...values);
  const points = values.map((v, i) => `${(i / (values.length - 1)) * 60},${14 - (v / most) * 12}`).join(' ');
  return <svg class="spark" viewBox="0 0 60 16" preserveAspectRatio="none" aria-hidden="true"><polyline points={points} /></svg>;
}

function ChannelRow({ c }: { c: ChannelState }) {
  const isHidden = m.query.value.hidden.includes(c.name);
  const quiet = c.lastMs && !c.rate ? ago(m.now.value - c.lastMs) : '';
  return (
    <li class={`h${m.hueOf(c.name)}${isHidden ? ' off' : ''}`}>
      <button type="button" class="channel" aria-pressed={!isHidden} onClick={(e) => (e.altKey || e.metaKey ? m.onlyChannel(c.name) : m.toggleChannel(c.name))}
        title={`${isHidden ? 'Show' : 'Hide'} ${c.name} (Alt-click: show only this one)${c.hasPast ? '' : '\nYou can read new lines, but not the history'}`}>
        <i class="swatch" /><span class="name">{c.name}</span>
        {c.rate > 0 ? <Spark values={c.recent} /> : <span class="quiet">{c.hasPast ? (quiet ? `${quiet} ago` : '') : 'live only'}</span>}
        <span class="figure">{c.rate > 0 ? amount(c.rate) : ''}</span>
      </button>
      {c.lost > 0 && <span class="lost" title="missing lines">{'\u2212'}{amount(c.lost)}</span>}
    </li>
  );
}

export function Rail() {
  const v = m.slow.value;
  const channels = (v?.channels ?? []).filter((c) => !c.isDerived);
  return (
    <nav class="rail" aria-label="Channels and values">
      <section>
        <h2>Channels<span>{v ? `${amount(v.rate)}/s` : ''}</span></h2>
        <ul id="channels">{channels.map((c) => <ChannelRow key={c.name} c={c} />)}</ul>
        {m.query.value.hidden.length > 0 && <button type="button" class="link" onClick={() => m.setQuery({ hidden: [] })}>Show all channels</button>}
      </section>
      {facets.value.map((f) => (
        <section key={f.name}>
          <h2>{f.name}<span>in view</span></h2>
          <ul class="facet">
            {f.values.map((value) => (
              <li key={String(value.value)}>
                <button type="button" title={`Only ${f.name} == ${String(value.value)} (Alt-click: exclude it)`}
                  onClick={(e) => m.addClause(fieldClause(f.name, value.value, e.altKey))}>
                  <i class="part" ref={(e) => { e?.style.setProperty('--part', `${(value.count / f.values[0].count) * 100}%`); }} />
                  <span class="name">{String(value.value)}</span><span class="figure">{amount(value.count)}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
      <section>
        <h2>Saved views</h2>
        <ul class="saved">
          {m.saved.value.map((s) => (
            <li key={s.name}>
              <button type="button" onClick={() => place.open(s.hash)}><span class="name">{s.name}</span></button>
              <button type="button" class="plain" aria-label={`Forget ${s.name}`} onClick={() => place.forget(s.name)}>{'\u00d7'}</button>
            </li>
          ))}
        </ul>
        <form class="save" onSubmit={(e) => {
          e.preventDefault();
          const input = e.currentTarget.elements[0] as HTMLInputElement;
          if (input.value.trim()) place.save(input.value.trim());
          input.value = '';
        }}>
          <input aria-label="Name for this view" placeholder="Save this view as" />
        </form>
      </section>
    </nav>
  );
}
