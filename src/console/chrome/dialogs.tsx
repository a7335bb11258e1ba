// SPDX-License-Identifier: MIT
// The palette, the keys, and where to jump to.

import { useEffect, useRef, useState } from 'preact/hooks';
import { actions, asking, keyName } from './actions.js';
import * as m from './model.js';

type Search = (list: string[], text: string) => number[];
let search: Search | null = null;

// Loaded when it is first needed.
async function loadSearch(): Promise<Search> {
  if (!search) {
    const { default: Fuzzy } = await import('@leeoniya/ufuzzy');
    const fuzzy = new Fuzzy({ intraMode: 1 });
    search = (list, text) => {
      const [found, info, order] = fuzzy.search(list, text);
      return order && info ? order.map((i) => info.idx[i]) : (found ?? []);
    };
  }
  return search;
}

function Frame({ title, children }: { title: string; children: preact.ComponentChildren }) {
  const root = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    root.current?.showModal();
  }, []);
  return (
    <dialog ref={root} class="dialog" aria-label={title} onClose={() => { m.dialog.value = null; }}
      onClick={(e) => { if (e.target === root.current) root.current?.close(); }}>{children}</dialog>
  );
}

function Palette() {
  const [text, setText] = useState('');
  const [found, setFound] = useState(actions);
  const [at, setAt] = useState(0);
  const change = async (value: string) => {
    setText(value);
    setAt(0);
    if (!value.trim()) return setFound(actions);
    const names = actions.map((a) => a.name);
    const order = (await loadSearch())(names, value);
    setFound(order.map((i) => actions[i]));
  };
  const run = (i: number) => {
    const action = found[i];
    m.dialog.value = null;
    if (action) setTimeout(() => action.run());
    else if (text.trim() && !m.jump(text)) m.addTyped(text);
  };
  return (
    <Frame title="All commands">
      <input autofocus value={text} placeholder="Type a command, or a time or id to jump to" aria-label="Search commands" onInput={(e) => change(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'ArrowDown') setAt(Math.min(found.length - 1, at + 1));
          else if (e.key === 'ArrowUp') setAt(Math.max(0, at - 1));
          else if (e.key === 'Enter') run(at);
          else return;
          e.preventDefault();
        }} />
      <ul class="palette" role="listbox">
        {found.map((a, i) => (
          <li key={a.name} role="option" aria-selected={i === at} onClick={() => run(i)} ref={(e) => { if (e && i === at) e.scrollIntoView({ block: 'nearest' }); }}>
            <span>{a.name}</span>{a.keys.map((k) => <kbd key={k}>{keyName(k)}</kbd>)}
          </li>
        ))}
        {!found.length && <li class="none">No such command. Press Enter to jump to this time or id, or to filter by this text.</li>}
      </ul>
    </Frame>
  );
}

function Help() {
  const groups = [...new Set(actions.map((a) => a.group))];
  return (
    <Frame title="Keys">
      <div class="help">
        {groups.map((g) => (
          <section key={g}><h2>{g}</h2>
            <dl>{actions.filter((a) => a.group === g && a.keys.length).map((a) => (
              <div key={a.name}><dt>{a.keys.map((k) => <kbd key={k}>{keyName(k)}</kbd>)}</dt><dd>{a.name}</dd></div>
            ))}</dl>
          </section>
        ))}
      </div>
    </Frame>
  );
}

function Jump() {
  const [bad, setBad] = useState('');
  const isOther = asking.what !== '';
  const close = () => {
    asking.what = '';
    m.dialog.value = null;
  };
  useEffect(() => () => { asking.what = ''; }, []);
  return (
    <Frame title={isOther ? asking.what : 'Jump'}>
      <form onSubmit={(e) => {
        e.preventDefault();
        const { value } = e.currentTarget.elements[0] as HTMLInputElement;
        if (isOther) {
          const { done } = asking;
          close();
          done(value.trim());
        } else if (m.jump(value)) close();
        else setBad(value);
      }}>
        <input autofocus id="jump-to" defaultValue={isOther ? asking.value : ''} aria-label={isOther ? asking.what : 'A time, or the id of a line'}
          placeholder={isOther ? asking.hint : '14:05, yesterday 14:05, 2026-11-28 14:05, 2h ago, or an id'} />
        {bad && <p class="bad">"{bad}" is neither a time nor an id. Enter, for example, 14:05, yesterday 14:05 or 2h.</p>}
      </form>
    </Frame>
  );
}

export function Dialogs() {
  const d = m.dialog.value;
  if (d === 'palette') return <Palette />;
  if (d === 'help') return <Help />;
  return d === 'jump' ? <Jump /> : null;
}
