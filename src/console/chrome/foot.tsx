// SPDX-License-Identifier: MIT
// Whether everything is there, in one word; and what there is, channel by channel.

import { clock, zoneName } from '../view/time.js';
import { Icon } from './icons.js';
import * as m from './model.js';

const n = (v: number) => v.toLocaleString('en');

function Ledger() {
  const v = m.slow.value;
  if (!v) return null;
  return (
    <div class="ledger popover" id="ledger" role="dialog" aria-label="Completeness of each channel">
      <table>
        <thead><tr><th>channel</th><th>received</th><th>shown</th><th>filtered out</th><th>missing</th><th>gaps</th><th>newest</th></tr></thead>
        <tbody>
          {v.channels.filter((c) => !c.isDerived).map((c) => (
            <tr key={c.name}><th>{c.name || '(several)'}</th><td>{n(c.received)}</td><td>{n(c.shown)}</td><td>{n(c.rejected)}</td><td class={c.lost ? 'bad' : ''}>{n(c.lost)}</td><td>{n(c.gaps)}</td>
              <td>{c.lastMs ? clock(c.lastMs, m.zone.value).slice(0, 8) : ''}</td></tr>
          ))}
        </tbody>
      </table>
      <p>"received" counts live lines since this console was opened. "shown" and "filtered out" also count lines fetched from the history. Duplicates are dropped and counted. Missing lines appear in the list as a gap, with the reason.</p>
    </div>
  );
}

export function Foot() {
  const s = m.slow.value;
  const v = m.view.peek(); // as often as that
  const lost = s?.channels.reduce((sum, c) => sum + c.lost, 0) ?? 0;
  const gaps = s?.channels.reduce((sum, c) => sum + c.gaps, 0) ?? 0;
  const received = s?.channels.reduce((sum, c) => sum + c.received, 0) ?? 0;
  const doubled = s?.doubled ?? 0;
  const refilled = s?.channels.reduce((sum, c) => sum + c.refilled, 0) ?? 0;
  const isWhole = lost === 0 && gaps === 0;
  return (
    <footer class="foot" id="footer">
      <button type="button" class={`plain complete${isWhole ? '' : ' not'}`} aria-expanded={m.dialog.value === 'ledger'} onClick={() => { m.dialog.value = m.dialog.value === 'ledger' ? null : 'ledger'; }}>
        <Icon name={isWhole ? 'check' : 'warn'} />{isWhole ? 'complete' : lost ? `${n(lost)} missing` : 'lines missing'}
      </button>
      {v && <span title={`At most ${n(v.maxLines)} are kept`}>{n(v.held)} {v.held === 1 ? 'line' : 'lines'} in memory, {(v.bytes / 1048576).toFixed(v.bytes > 1e7 ? 0 : 1)} MB</span>}
      {v && m.narrows.value && <span>{n(v.total)} {v.total === 1 ? 'match' : 'matches'}</span>}
      <span class="wide">received {n(received)} {'\u00b7'} gaps {n(gaps)} {'\u00b7'} duplicates {n(doubled)}{refilled > 0 && ` \u00b7 ${n(refilled)} ${refilled === 1 ? 'gap' : 'gaps'} filled`}</span>
      {s && s.reconnects > 0 && <span class="wide">{n(s.reconnects)} {s.reconnects === 1 ? 'reconnect' : 'reconnects'}</span>}
      {v && v.scanning > 0 && <span>searching {n(v.scanning)} {v.scanning === 1 ? 'line' : 'lines'}</span>}
      <span class="fill" />
      {s?.server && <span class="wide">via {s.server}</span>}
      <button type="button" class="plain" title="Local time or UTC (z)" onClick={() => { m.zone.value = m.zone.value === 'utc' ? 'local' : 'utc'; m.restyle(); }}>{zoneName(m.now.value, m.zone.value)}</button>
      <button type="button" class="plain" onClick={() => { m.dialog.value = 'help'; }}>? keys</button>
      {m.dialog.value === 'ledger' && <Ledger />}
    </footer>
  );
}
