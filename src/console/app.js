// SPDX-License-Identifier: MIT
// The page: draws what the worker sends, once per frame at most, and keeps the
// line that a person is reading where it is.

import { testConnection } from './connection.js';
import { clock, ROW_HEIGHT, Rows, visible } from './rows.js';

const $ = (id) => document.getElementById(id);
const scroller = $('scroller');
const hidden = new Set();

const trusted = self.trustedTypes?.createPolicy('sluice', { createScriptURL: (url) => url }) ?? { createScriptURL: (u) => u };
const workerUrl = trusted.createScriptURL('worker.js');
const port = self.SharedWorker
  ? new SharedWorker(workerUrl, { type: 'module', name: new URL('.', location).href }).port
  : new Worker(workerUrl, { type: 'module' });

const rows = new Rows($('rows'), select);
let view = null; // the newest message
let follow = true;
let paused = null; // {why, end, errors}
let frame = 0;
let drawnFirst = 0;

// ---- asking the worker ------------------------------------------------------------

// The end of what is shown: frozen while paused.
function end() {
  return paused ? Math.max(paused.end, view.first) : view.end;
}

function firstVisible() {
  return view.first + Math.floor(scroller.scrollTop / ROW_HEIGHT);
}

function ask(force) {
  const n = rows.resize(scroller.clientHeight);
  let from = -1;
  if (view && !(follow && !paused)) {
    from = Math.max(view.first, Math.min(firstVisible() - Rows.spare(), end() - 1));
    if (follow) from = Math.max(view.first, end() - n);
  }
  port.postMessage({ type: 'next', window: { from, n }, force });
}

function sendFilter() {
  port.postMessage({ type: 'filter', needle: $('filter').value, minimum: Number($('severity').value), hidden: [...hidden] });
  const state = new URLSearchParams();
  if ($('filter').value) state.set('filter', $('filter').value);
  if ($('severity').value !== '8') state.set('severity', $('severity').value);
  for (const name of hidden) state.append('hide', name);
  history.replaceState(null, '', `#${state}`);
  setFollow(true);
}

// ---- drawing --------------------------------------------------------------------------

function draw() {
  frame = 0;
  if (!view || document.hidden) return;
  const shown = view.rows.filter((r) => r.index < end());
  // Rows that left the front must not move what is being read.
  const trimmed = view.first - drawnFirst;
  const top = scroller.scrollTop;
  $('spacer').style.height = `${(end() - view.first) * ROW_HEIGHT}px`;
  if (follow) scroller.scrollTop = scroller.scrollHeight;
  else if (trimmed > 0) scroller.scrollTop = Math.max(0, top - trimmed * ROW_HEIGHT);
  drawnFirst = view.first;
  rows.draw(shown, view.first);
  drawState();
  drawChannels();
  drawNotice();
  ask(false);
}

function schedule() {
  if (!frame) frame = requestAnimationFrame(draw);
}

const age = (ms) => (ms < 60000 ? `${Math.round(ms / 1000)} s` : ms < 3600000 ? `${Math.round(ms / 60000)} min` : `${Math.round(ms / 3600000)} h`);
const amount = (n) => n.toLocaleString('en');
const plural = (n, one, many) => `${amount(n)} ${n === 1 ? one : many}`;

function drawState() {
  const { status } = view;
  const state = $('state');
  const kind = status.kind === 'live' ? 'live' : 'wait';
  let text = status.text;
  if (status.kind === 'live') text = paused ? 'paused' : 'live';
  if (status.until) text = `reconnecting in ${Math.max(0, Math.ceil((status.until - Date.now()) / 1000))} s: ${status.text}`;
  state.className = `state ${paused && kind === 'live' ? 'wait' : kind}`;
  if (state.textContent !== text) state.textContent = text;
  $('rate').textContent = `${amount(view.rate)}/s`;
  const c = view.count;
  $('footer').textContent = [
    `${amount(view.total)}/${amount(view.max)} lines`, `${(view.bytes / 1048576).toFixed(1)} MB`,
    view.filters ? `match ${amount(view.end - view.first)}` : null,
    `received ${amount(c.received)}`, `lost ${amount(c.lost)}`, `gaps ${c.gaps}`, `dup ${c.duplicated}`,
    `${status.kind} ${age(Date.now() - status.since)}`, c.reconnects ? plural(c.reconnects, 'reconnect', 'reconnects') : null,
  ].filter(Boolean).join(' \u00b7 ');
  const empty = $('empty');
  empty.hidden = view.end > view.first;
  if (!empty.hidden)
    empty.textContent = view.filters && view.total ? `None of ${plural(view.total, 'line', 'lines')} matches.` : 'No lines yet.';
}

function drawNotice() {
  const notice = $('notice');
  let text = '';
  if (paused) {
    const waiting = view.end - paused.end;
    const bad = view.errors - paused.errors;
    text = `Paused (${paused.why}): ${plural(waiting, 'line waits', 'lines wait')}${bad ? `, ${plural(bad, 'error', 'errors')} among them` : ''}. Space resumes.`;
  } else if (!follow) {
    text = 'Not following: you have scrolled up. End follows again.';
  }
  notice.hidden = !text;
  if (notice.textContent !== text) notice.textContent = text;
}

function drawChannels() {
  const list = $('channels');
  for (const [i, c] of view.channels.entries()) {
    let item = list.children[i];
    if (!item) {
      item = document.createElement('li');
      const label = document.createElement('label');
      const box = document.createElement('input');
      box.type = 'checkbox';
      box.checked = !hidden.has(c.name);
      box.addEventListener('change', () => {
        if (box.checked) hidden.delete(c.name);
        else hidden.add(c.name);
        sendFilter();
      });
      label.append(box, document.createElement('span'), document.createElement('span'));
      item.append(label);
      list.append(item);
    }
    const [, name, figures] = item.firstChild.children;
    if (name.textContent !== c.name) name.textContent = c.name;
    const text = `${amount(c.rate)}/s${c.lost ? ` \u2212${amount(c.lost)}` : ''}`;
    if (figures.textContent !== text) figures.textContent = text;
  }
}

// ---- what a person does --------------------------------------------------------------------

function setFollow(on) {
  follow = on;
  $('follow').setAttribute('aria-pressed', on);
  if (on && paused) setPaused(null);
  if (view) ask(true);
}

function setPaused(why) {
  paused = why && view ? { why, end: view.end, errors: view.errors } : null;
  $('pause').setAttribute('aria-pressed', Boolean(paused));
  $('pause').textContent = paused ? 'Go on' : 'Pause';
  if (view) ask(true);
  schedule();
}

function select(seq) {
  rows.selected = seq;
  port.postMessage({ type: 'line', seq });
  if (follow && !paused) setPaused('selection');
  schedule();
}

function showLine(line) {
  const facts = { time: new Date(line.time).toISOString(), channel: line.channel, ...line.extra };
  $('facts').replaceChildren(...Object.entries(facts).flatMap(([key, value]) => {
    const dt = document.createElement('dt');
    const dd = document.createElement('dd');
    dt.textContent = key;
    dd.textContent = visible(typeof value === 'object' ? JSON.stringify(value) : String(value));
    return [dt, dd];
  }));
  $('whole').textContent = visible(line.text);
  $('detail').hidden = false;
}

function closeDetail() {
  $('detail').hidden = true;
  rows.selected = -1;
  schedule();
}

scroller.addEventListener('scroll', () => {
  const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < ROW_HEIGHT;
  if (follow && !atEnd && view) setFollow(false);
  else if (!follow && atEnd && !paused) setFollow(true);
  if (view) ask(true);
}, { passive: true });
new ResizeObserver(() => view && ask(true)).observe(scroller);

let typing = 0;
$('filter').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(sendFilter, 60);
});
$('severity').addEventListener('change', sendFilter);
$('pause').addEventListener('click', () => setPaused(paused ? null : 'button'));
$('follow').addEventListener('click', () => setFollow(!follow));
$('close').addEventListener('click', closeDetail);
$('state').addEventListener('click', () => port.postMessage({ type: 'retry' }));

const keys = {
  ' ': () => setPaused(paused ? null : 'key'),
  '/': () => $('filter').focus(),
  End: () => setFollow(true),
  G: () => setFollow(true),
  Home: () => { setFollow(false); scroller.scrollTop = 0; },
  Escape: closeDetail,
};
document.addEventListener('keydown', (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.target.matches('input, select, button')) {
    if (e.key === 'Escape') e.target.blur();
    return;
  }
  if (keys[e.key]) {
    e.preventDefault();
    keys[e.key]();
  }
});
document.addEventListener('visibilitychange', () => { if (!document.hidden) { schedule(); ask(true); } });
addEventListener('pagehide', () => port.postMessage({ type: 'close' }));

port.onmessage = ({ data }) => {
  if (data.type === 'line') showLine(data.line);
  else {
    view = data;
    if (document.hidden) document.title = `(${amount(data.count.received)}) sluice`;
    schedule();
  }
};

const state = new URLSearchParams(location.hash.slice(1));
$('filter').value = state.get('filter') ?? '';
$('severity').value = state.get('severity') ?? '8';
for (const name of state.getAll('hide')) hidden.add(name);
if (location.hash.length > 1) sendFilter();
ask(true);
setInterval(schedule, 1000);

$('test').addEventListener('click', async () => {
  const result = $('connection');
  $('test').disabled = true;
  result.hidden = false;
  result.textContent = 'Testing the connection...';
  const { good, text } = await testConnection().catch((e) => ({ good: false, text: `The test failed: ${e.message}.` }));
  result.textContent = text;
  result.classList.toggle('good', good);
  $('test').disabled = false;
});
