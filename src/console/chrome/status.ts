// SPDX-License-Identifier: MIT
// One word and one sentence for each state.

import * as m from './model.js';

const STAGE_AFTER_MS = 3000;

export interface Words {
  kind: 'good' | 'held' | 'wait' | 'bad';
  label: string; // of the pill
  text: string; // a sentence, or nothing
  action?: 'retry' | 'live' | 'reload';
}

const plural = (n: number, one: string, many: string) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

function pausedText(): string {
  const p = m.paused.value!;
  const v = m.view.value!;
  const waits = Math.max(0, v.arrived - p.arrived);
  const bad = Math.max(0, v.errors - p.errors);
  const why = { key: '', scroll: 'because you scrolled up', selection: 'by your selection' }[p.why];
  const wait = waits ? ` ${plural(waits, 'new line', 'new lines')}${bad ? `, including ${plural(bad, 'error', 'errors')}` : ''}.` : '';
  return `${why ? `${why}.` : ''}${wait}`.trim();
}

export function statusOf(): Words {
  const v = m.view.value;
  const s = v?.status;
  if (!v || !s) return { kind: 'wait', label: 'connecting', text: '' };
  const left = s.until ? Math.max(0, Math.ceil((s.until - m.now.value) / 1000)) : 0;
  switch (s.kind) {
    case 'past':
      return { kind: 'held', label: 'past', text: 'You are reading the past; new lines are not shown.', action: 'live' };
    case 'forbidden':
      return { kind: 'bad', label: s.http === 401 ? 'signed out' : 'no access', action: s.http === 401 ? 'reload' : 'retry',
        text: s.http === 401 ? 'Your session has expired. Sign in again; the address still holds this view.' : `${sentence(s.text)}${left ? ` Trying again in ${left} s.` : ''}` };
    case 'waiting':
      return { kind: 'wait', label: 'reconnecting', text: `${sentence(s.text)}${left ? ` Trying again in ${left} s.` : ''}`, action: 'retry' };
    case 'ended':
      return { kind: 'wait', label: 'ended', text: `${sentence(s.text)}${left ? ` Connecting again in ${left} s.` : ''}`, action: 'retry' };
    case 'connecting':
      return { kind: 'wait', label: 'connecting', text: m.now.value - s.since > STAGE_AFTER_MS ? 'The web server has not answered yet.' : '' };
    default:
      if (m.paused.value) return { kind: 'held', label: 'paused', text: pausedText(), action: 'live' };
      return { kind: 'good', label: 'live', text: s.text };
  }
}

const sentence = (text: string) => {
  const t = text.trim();
  return t ? `${t[0].toUpperCase()}${t.slice(1)}${/[.!?]$/.test(t) ? '' : '.'}` : '';
};
