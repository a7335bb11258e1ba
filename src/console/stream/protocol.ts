// SPDX-License-Identifier: MIT
// What the page and the worker say to each other.  The page asks for a window of rows, and
// gets at most one view for each time that it says `next`.

import type { Query } from '../store/query.js';
import type { Extra } from '../store/ring.js';

export const CHANNELS_MAX = 64; // of one stream, or one question to the server

export interface Row {
  seq: number;
  id: string;
  time: number; // ms since 1970
  severity: number;
  channel: string;
  type: string;
  isGap: boolean;
  reason?: string; // of a gap
  text: string; // its first 2 KiB
  length: number; // of all of it, in bytes
  lines: number; // line ends in `text`
  repeats: number; // how many the same follow it, folded into it
  cells?: string[]; // of the columns that were asked for
}

// Where in the view the page looks.
export interface Window {
  at: number | null; // a sequence number; null: the end
  index?: number; // instead: the place in the view
  before: number;
  after: number;
}

export type StatusKind = 'connecting' | 'live' | 'waiting' | 'forbidden' | 'ended' | 'past';

export interface Status {
  kind: StatusKind;
  text: string;
  since: number; // ms since 1970
  until?: number; // when it tries again
  http?: number; // what the server has answered
}

export interface ChannelState {
  name: string;
  hasPast: boolean;
  isDerived: boolean;
  received: number; // since the page's worker has begun
  shown: number;
  rejected: number; // by the filter here
  lost: number;
  gaps: number;
  refilled: number; // gaps whose lines have been fetched
  rate: number; // a second
  recent: number[]; // events in each of the last 30 s
  lastMs: number; // when its newest event came; 0 unknown
}

export interface View {
  type: 'view';
  generation: number; // another one: sequence numbers are others
  first: number; // the oldest and the newest row of all; first > last: none
  last: number;
  total: number; // rows in the view
  index: number; // of rows[0] in it
  rows: Row[];
  held: number; // lines that are held at all
  maxLines: number;
  bytes: number;
  status: Status;
  isLive: boolean; // false for a view of the past
  isNarrow: boolean; // the server filters what is held
  older: 'more' | 'loading' | 'none' | 'stopped'; // before the first row
  newer: 'more' | 'loading' | 'none';
  beginning: number | null; // ms: what the past begins with, once it has been reached
  progress: Progress | null; // of a search in the past
  scanning: number; // lines that the local filter has not looked at yet
  errors: number; // rows of error and worse so far
  arrived: number; // rows that were ever added at the end
  rate: number; // lines a second
  hides: number[]; // per clause, how many lines it alone hides here; -1: the server knows
  refused: string; // what the server says of the filter
  slow: Slow | null; // null: as before
}

// What is told twice a second.
export interface Slow {
  channels: ChannelState[];
  reconnects: number;
  doubled: number; // lines that came twice, and were dropped
  severities: number[]; // how many are held of each severity
  marks: Mark[]; // for the ruler
  live: LiveCount[]; // what has come by second, for the strip
  server: string;
  rate: number;
}

export interface Progress {
  scanned: number;
  total: number;
  matches: number;
  time: string | null;
}

export interface Mark {
  at: number; // 0 to 1
  kind: 'gap' | 'critical' | 'error' | 'warning' | 'bookmark';
}

export interface LiveCount {
  second: number; // since 1970
  bad: number; // error and worse
  warning: number;
  other: number;
  lost: number;
}

export type Question =
  | { type: 'next'; window: Window; force: boolean }
  | { type: 'query'; query: Query; highlight: string; columns: string[]; folds: boolean; bookmarks: string[]; keep: string | null }
  | { type: 'past'; at: string; end?: string } // an id or a time
  | { type: 'live'; keep: string | null }
  | { type: 'older' }
  | { type: 'newer' }
  | { type: 'stop' } // the search
  | { type: 'line'; seq: number }
  | { type: 'like'; seq: number }
  | { type: 'find'; what: 'match' | 'error' | 'warning'; from: number; forward: boolean }
  | { type: 'copy'; format: 'text' | 'ndjson'; from?: number; to?: number }
  | { type: 'gap'; seq: number }
  | { type: 'clear' }
  | { type: 'retry' }
  | { type: 'close' };

export interface WholeLine {
  seq: number;
  time: number;
  severity: number;
  channel: string;
  text: string;
  length: number;
  extra: Extra;
}

export type Answer =
  | View
  | { type: 'line'; line: WholeLine }
  | { type: 'like'; seq: number; count: number; spark: number[]; template: string }
  | { type: 'found'; seq: number | null; id?: string; what: string } // `id`: older than what is loaded
  | { type: 'moved'; seq: number } // where the place that was to be kept is now
  | { type: 'refilled'; lines: number; error: string }
  | { type: 'copied'; text: string; lines: number };
