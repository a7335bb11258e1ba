// SPDX-License-Identifier: MIT
// Holds streams and lines, for all tabs of this console: connects, resumes, counts, filters.
// What arrives never waits for a page to draw.

import { EVERYTHING, filtersOf, type Query } from '../store/query.js';
import { Directory } from './directory.js';
import { Session } from './session.js';
import { LiveSource, type Source } from './source.js';

const LINGER_MS = 5000; // of a source that nobody looks at; each is a connection
const REFRESH_S = 10;

// A link with a ticket gives a worker of its own: other rights, other lines.
const ticket = new URLSearchParams(self.location.search).get('ticket');
const directory = new Directory(ticket);
const sources = new Map<string, LiveSource>();
const sessions = new Set<Session>();

const keyOf = (q: Query) => JSON.stringify([filtersOf(q), [...q.hidden].sort()]);

function drop(source: Source): void {
  const key = keyOf(source.query);
  if (key === keyOf(EVERYTHING) || sources.get(key) !== source) return;
  sources.delete(key);
  source.close();
}

const pool = {
  directory,

  get doubled(): number {
    return [...sources.values()].reduce((sum, s) => sum + s.doubled, 0);
  },

  liveSource(query: Query): LiveSource {
    const key = keyOf(query);
    let source = sources.get(key);
    if (!source) {
      for (const s of sources.values()) if (!s.listeners.size) drop(s);
      source = new LiveSource(directory, query, ticket, key === keyOf(EVERYTHING));
      sources.set(key, source);
    }
    return source;
  },

  // That of everything stays, for the next page.
  release(source: Source): void {
    if (!source.isLive) return void source.close();
    setTimeout(() => {
      if (!source.listeners.size) drop(source);
    }, LINGER_MS);
  },
};

function open(port: MessagePort | typeof self): void {
  const session = new Session(port as never, pool, (s) => sessions.delete(s));
  sessions.add(session);
}

let seconds = 0;
setInterval(() => {
  for (const c of directory.all) c.tick();
  for (const s of sources.values()) s.tick();
  if (++seconds % REFRESH_S === 0) directory.refresh().then(() => { for (const s of sources.values()) s.recheck(); }, () => {});
  for (const s of sessions) s.changed();
}, 1000);

if ('SharedWorkerGlobalScope' in self) {
  (self as unknown as { onconnect: (e: MessageEvent) => void }).onconnect = (e) => open(e.ports[0]);
} else {
  open(self);
}
