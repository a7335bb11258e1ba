/** What a stream delivers. */
export interface SluiceEvent {
  /** A cursor: pass it as `after` to get the events after this one. */
  id: string;
  /** The event's type, such as "line"; "gap" where events are missing. */
  event: string;
  /** RFC 3339. */
  time?: string;
  channel?: string;
  source?: string;
  severity?: 'emergency' | 'alert' | 'critical' | 'error' | 'warning' | 'notice' | 'info' | 'debug';
  message?: string;
  fields?: Record<string, unknown>;
  /** For a gap: the reason: "expired", "slow", "rotated", "damaged", "epoch", ... */
  reason?: string;
  /** For a gap: the number of missing events; null if unknown. */
  count?: number | null;
  [more: string]: unknown;
}

/** Sent by the server at the start of each connection. */
export interface SluiceHello {
  mode: 'fresh' | 'resumed' | string;
  head: string;
  oldest: string;
  heartbeat_ms: number;
  channels: string[];
  token: string;
  [more: string]: unknown;
}

export interface SluiceOptions {
  channels: string[];
  /** In sluice's filter language. If there are several, all must match. */
  filter?: string | string[];
  grep?: string;
  exclude?: string;
  severity?: string;
  /** Resume strictly after this id; takes precedence over every other start. */
  after?: string;
  /** Start at a time, such as "1h30m" (ago) or "yesterday 14:00" (UTC). */
  since?: string;
  /** Start with this many of the newest events. */
  tail?: number;
  /** Start with the oldest event. */
  earliest?: boolean;
  /** Sent with every request. */
  ticket?: string;
  /** Sent with every request. Ignored by the transport "eventsource". */
  headers?: Record<string, string>;
  credentials?: 'omit' | 'same-origin' | 'include';
  /** POST keeps the subscription out of the URL. */
  method?: 'GET' | 'POST';
  /** "auto" streams with fetch, and polls if a proxy holds streams back. */
  transport?: 'auto' | 'fetch' | 'eventsource' | 'poll';
  /** Closes the stream. */
  signal?: AbortSignal;
  /** The first pause before a retry, in ms, unless the server specifies one. Default 1000. */
  minRetryMs?: number;
  /** The longest pause, in ms. Default 30000. */
  maxRetryMs?: number;
  /** How long to wait for the start of the stream, in ms. Default 10000. */
  helloMs?: number;
  onevent?: (event: SluiceEvent) => void;
  ongap?: (gap: SluiceEvent) => void;
  /** `retryAt`: ms since 1970, when `state` is "waiting". */
  onstate?: (state: SluiceState, detail: string, retryAt?: number) => void;
  onhello?: (hello: SluiceHello) => void;
  fetch?: typeof globalThis.fetch;
  EventSource?: unknown;
}

export type SluiceState = 'connecting' | 'live' | 'waiting' | 'closed';

export interface SluiceStats {
  events: number;
  gaps: number;
  /** Missing events, as counted by gaps. */
  lost: number;
  /** Events that came twice; they are never delivered. */
  duplicates: number;
  reconnects: number;
}

/** A permanent refusal by the server, with its message. */
export class SluiceError extends Error {
  constructor(status: number, text: string);
  readonly status: number;
}

/** Reads a stream, and resumes it exactly after each interruption. */
export class SluiceStream implements AsyncIterable<SluiceEvent> {
  /** `base` is the mount point, such as "/logs/"; in Node.js, include the origin. */
  constructor(base: string | URL, options: SluiceOptions);
  /** The id of the last event or heartbeat: a cursor to continue from. */
  readonly lastId: string;
  readonly state: SluiceState;
  readonly stats: SluiceStats;
  /** Why the server ended the stream permanently; null if it did not. */
  readonly error: SluiceError | null;
  /** Resolved once it is closed. */
  readonly closed: Promise<void>;
  close(why?: string): void;
  /** Selects other events from here on, on the open connection if possible. */
  change(options: Partial<Pick<SluiceOptions, 'channels' | 'filter' | 'grep' | 'exclude' | 'severity'>>): Promise<void>;
  /** Ends the pause before the next attempt. */
  readonly wake: () => void;
  [Symbol.asyncIterator](): AsyncIterator<SluiceEvent>;
}

export interface SluicePage {
  events: SluiceEvent[];
  /** Cursors of the pages before and after this one; null at the end. */
  older: string | null;
  newer: string | null;
  /** False if the server reached its time limit before it had searched everything. */
  complete: boolean;
}

/** A page of the past. `parameters` are those of /history: channel, filter, before, after, since, ... */
export function history(base: string | URL, parameters: Record<string, unknown>,
  options?: { fetch?: typeof globalThis.fetch; headers?: Record<string, string>; signal?: AbortSignal }): Promise<SluicePage>;

/** A parser of Server-Sent Events (WHATWG HTML, section 9.2.6). */
export class SseParser {
  constructor(on: {
    event: (id: string, type: string, data: string) => void;
    /** An empty block that moves the last id. */
    id?: (id: string) => void;
    retry?: (ms: number) => void;
  });
  /** Text in pieces of any size. */
  feed(text: string): void;
}

/** Negative if `a` is older than `b`, 0 if they are the same, positive if it is newer. NaN if
 * their epochs differ. */
export function compareIds(a: string, b: string): number;

/** The bytes of a field that holds base64. */
export function fromBase64(text: string): Uint8Array;
