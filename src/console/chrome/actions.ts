// SPDX-License-Identifier: MIT
// Everything that can be done, once: for the keys, the palette and the help.

import { EVERYTHING } from '../store/query.js';
import { testConnection } from '../stream/probe.js';
import * as m from './model.js';

export interface Action {
  name: string;
  keys: string[]; // as KeyboardEvent.key has them
  group: 'Display' | 'Move' | 'Filter' | 'Line' | 'Export';
  run(): void;
}

const key = (k: string) => ({ ' ': 'Space', ArrowDown: '\u2193', ArrowUp: '\u2191', Escape: 'Esc' })[k] ?? k;
export const keyName = key;

function toggle<T>(s: { value: T }, a: T, b: T): void {
  s.value = s.value === a ? b : a;
  m.restyle();
}

async function test(): Promise<void> {
  m.say('Testing the connection\u2026');
  const { good, text } = await testConnection().catch((e: Error) => ({ good: false, text: `The test failed: ${e.message}.` }));
  m.say(text, good);
}

export const actions: Action[] = [
  { name: 'Pause or resume', keys: [' '], group: 'Move', run: m.togglePause },
  { name: 'Follow the newest line', keys: ['G', 'End'], group: 'Move', run: m.goOn },
  { name: 'Go to the oldest loaded line', keys: ['Home'], group: 'Move', run: () => { m.pause('scroll'); m.rowView().jumpToIndex(0); } },
  { name: 'A page up', keys: ['PageUp'], group: 'Move', run: () => m.rowView().scrollBy(-m.rowView().viewport.clientHeight * 0.9) },
  { name: 'A page down', keys: ['PageDown'], group: 'Move', run: () => m.rowView().scrollBy(m.rowView().viewport.clientHeight * 0.9) },
  { name: 'Select the next line', keys: ['j', 'ArrowDown'], group: 'Move', run: () => m.selectStep(1) },
  { name: 'Select the previous line', keys: ['k', 'ArrowUp'], group: 'Move', run: () => m.selectStep(-1) },
  { name: 'Next error', keys: ['e'], group: 'Move', run: () => m.find('error', true) },
  { name: 'Previous error', keys: ['E'], group: 'Move', run: () => m.find('error', false) },
  { name: 'Next warning', keys: ['w'], group: 'Move', run: () => m.find('warning', true) },
  { name: 'Previous warning', keys: ['W'], group: 'Move', run: () => m.find('warning', false) },
  { name: 'Next match', keys: ['n'], group: 'Move', run: () => m.find('match', true) },
  { name: 'Previous match', keys: ['N'], group: 'Move', run: () => m.find('match', false) },
  { name: 'Jump to a time or a line\u2026', keys: ['g'], group: 'Move', run: () => { m.dialog.value = 'jump'; } },

  { name: 'Filter', keys: ['/'], group: 'Filter', run: () => m.filterInput.current?.focus() },
  { name: 'Undo the last change to the filter', keys: ['Ctrl-z'], group: 'Filter', run: m.undo },
  { name: 'Remove all filters', keys: [], group: 'Filter', run: () => m.setQuery(EVERYTHING) },
  { name: 'Only critical and worse', keys: ['1'], group: 'Filter', run: () => m.minimumSeverity(1) },
  { name: 'Only error and worse', keys: ['2'], group: 'Filter', run: () => m.minimumSeverity(2) },
  { name: 'Only warning and worse', keys: ['3'], group: 'Filter', run: () => m.minimumSeverity(3) },
  { name: 'Only notice and worse', keys: ['4'], group: 'Filter', run: () => m.minimumSeverity(4) },
  { name: 'Only info and worse', keys: ['5'], group: 'Filter', run: () => m.minimumSeverity(5) },
  { name: 'Every severity', keys: ['6'], group: 'Filter', run: () => m.minimumSeverity(6) },
  { name: 'Clear the view (nothing is deleted)', keys: ['Ctrl-l'], group: 'Filter', run: () => m.ask({ type: 'clear' }) },

  { name: 'Open the line', keys: ['Enter'], group: 'Line', run: () => m.withLine((line) => { m.isInspecting.value = true; m.ask({ type: 'like', seq: line.seq }); }) },
  { name: 'Close the line', keys: ['Escape'], group: 'Line', run: m.closeInspector },
  { name: 'Show the line in context, without filters', keys: ['x'], group: 'Line', run: () => context() },
  { name: 'Bookmark the line', keys: ['b'], group: 'Line', run: m.bookmark },
  { name: 'Show times relative to the line', keys: ['t'], group: 'Line', run: () => { m.relativeTo.value = m.relativeTo.value === null ? (m.selected.value?.time ?? Date.now()) : null; m.restyle(); } },
  { name: 'Copy the line', keys: ['c'], group: 'Line', run: m.copyLine },
  { name: 'Copy a link to the line', keys: ['y'], group: 'Line', run: m.copyLink },
  { name: 'Add a time mark at the newest line', keys: ['m'], group: 'Line', run: markNow },

  { name: 'Local time or UTC', keys: ['z'], group: 'Display', run: () => toggle(m.zone, 'utc', 'local') },
  { name: 'Wrap long lines', keys: ['l'], group: 'Display', run: () => toggle(m.wraps, true, false) },
  { name: 'Collapse repeated lines', keys: ['f'], group: 'Display', run: () => { m.folds.value = !m.folds.value; m.sendQuery(); } },
  { name: 'Change the row height', keys: ['d'], group: 'Display', run: () => { m.density.value = m.density.value === 22 ? 26 : m.density.value === 26 ? 18 : 22; m.restyle(); } },
  { name: 'Highlight without hiding\u2026', keys: ['h'], group: 'Display', run: () => ask('Highlight', 'Text to highlight (leave empty to stop)', m.highlight.value, (text) => { m.highlight.value = text; m.sendQuery(); }) },
  { name: 'Colour lines that contain a text\u2026', keys: [], group: 'Display', run: () => ask('Colour', 'Text (leave empty to remove all colours)', '', m.addRule) },
  { name: 'Notify me of new lines in this view while the tab is in the background', keys: [], group: 'Display', run: m.toggleNotify },
  { name: 'Test the connection', keys: [], group: 'Display', run: test },
  { name: 'All commands', keys: ['Ctrl-k'], group: 'Display', run: () => { m.dialog.value = 'palette'; } },
  { name: 'List the keys', keys: ['?'], group: 'Display', run: () => { m.dialog.value = 'help'; } },

  { name: 'Copy what is shown as text', keys: [], group: 'Export', run: () => m.ask({ type: 'copy', format: 'text' }) },
  { name: 'Copy what is shown as NDJSON', keys: [], group: 'Export', run: () => m.ask({ type: 'copy', format: 'ndjson' }) },
  { name: 'Download the range as text', keys: [], group: 'Export', run: () => download('text') },
  { name: 'Download the range as NDJSON', keys: [], group: 'Export', run: () => download('ndjson') },
  { name: 'Copy a curl command for this view', keys: [], group: 'Export', run: () => m.copy(m.curlCommand(), 'The command was') },
  { name: 'Copy this view as a derived channel (YAML)', keys: [], group: 'Export', run: () => m.copy(m.channelYaml(), 'The YAML was') },
  { name: 'Copy an incident note (Markdown)', keys: [], group: 'Export', run: () => m.copy(m.incidentNote(), 'The note was') },
  { name: 'Copy a link to this view', keys: [], group: 'Export', run: () => m.copy(m.viewLink(), 'The link was') },
];

function download(format: 'text' | 'ndjson'): void {
  const a = document.createElement('a');
  a.href = m.exportUrl(format);
  a.download = `sluice-${new Date().toISOString().replace(/[:.]/g, '-')}.${format === 'text' ? 'txt' : 'ndjson'}`;
  a.click();
}

function markNow(): void {
  const last = m.view.value?.rows.at(-1);
  if (!last) return;
  m.marks.value = new Map([...m.marks.value, [last.id, `marked ${new Date().toLocaleTimeString('en-GB')}`]]);
  m.restyle();
}

const context = () => m.withLine((line) => {
  m.widen();
  m.goTo(line.extra.id);
});

export const asking = { what: '', hint: '', value: '', done: (_: string) => {} };

function ask(what: string, hint: string, value: string, done: (text: string) => void): void {
  asking.what = what;
  asking.hint = hint;
  asking.value = value;
  asking.done = done;
  m.dialog.value = 'jump';
}

const byKey = new Map(actions.flatMap((a) => a.keys.map((k): [string, Action] => [k, a])));

export function listenToKeys(): void {
  document.addEventListener('keydown', (e) => {
    const isTyping = (e.target as Element).matches('input, textarea, select');
    const name = e.ctrlKey || e.metaKey ? `Ctrl-${e.key.toLowerCase()}` : e.key;
    if (e.altKey || (isTyping && name !== 'Ctrl-k')) return;
    if (m.dialog.value && e.key === 'Escape') {
      m.dialog.value = null;
      return;
    }
    if (m.dialog.value && m.dialog.value !== 'ledger') return;
    // A button takes its own keys.
    if ((e.target as Element).matches('button, a') && (e.key === 'Enter' || e.key === ' ')) return;
    const action = byKey.get(name);
    if (!action) return;
    e.preventDefault();
    action.run();
  });
}
