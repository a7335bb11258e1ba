// SPDX-License-Identifier: MIT
// Times as they are shown: in the browser's zone or in UTC, or counted from a line.

export type Zone = 'local' | 'utc';

const pad = (n: number, width: number) => String(n).padStart(width, '0');

export function clock(ms: number, zone: Zone): string {
  const d = new Date(ms);
  return zone === 'utc'
    ? `${pad(d.getUTCHours(), 2)}:${pad(d.getUTCMinutes(), 2)}:${pad(d.getUTCSeconds(), 2)}.${pad(d.getUTCMilliseconds(), 3)}`
    : `${pad(d.getHours(), 2)}:${pad(d.getMinutes(), 2)}:${pad(d.getSeconds(), 2)}.${pad(d.getMilliseconds(), 3)}`;
}

export function relative(ms: number): string {
  const s = Math.abs(ms) / 1000;
  const sign = ms < 0 ? '\u2212' : '+';
  if (s < 60) return `${sign}${s.toFixed(3)} s`;
  if (s < 3600) return `${sign}${Math.floor(s / 60)}:${pad(Math.floor(s % 60), 2)} min`;
  return `${sign}${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60, 2)} h`;
}

const dayFormats = new Map<Zone, Intl.DateTimeFormat>();

export function day(ms: number, zone: Zone): string {
  let f = dayFormats.get(zone);
  if (!f) {
    f = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', timeZone: zone === 'utc' ? 'UTC' : undefined });
    dayFormats.set(zone, f);
  }
  return f.format(ms);
}

// "28 Nov 2026 12:04:31.901 UTC+01:00"
export function full(ms: number, zone: Zone): string {
  return `${day(ms, zone).replace(/^\w+, /, '')} ${clock(ms, zone)} ${zoneName(ms, zone)}`;
}

export function zoneName(ms: number, zone: Zone): string {
  const minutes = zone === 'utc' ? 0 : -new Date(ms).getTimezoneOffset();
  if (!minutes) return 'UTC';
  const abs = Math.abs(minutes);
  return `UTC${minutes < 0 ? '\u2212' : '+'}${pad(Math.floor(abs / 60), 2)}:${pad(abs % 60, 2)}`;
}

export function ago(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  if (s < 86400) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

// What a person types to jump to: "14:05", "yesterday 14:05", "2026-11-28 14:05", "2h"; in the
// zone that is shown.  Null when it is none.
export function parseTime(typed: string, now: number, zone: Zone): number | null {
  const text = typed.trim().toLowerCase();
  const span = /^(\d+(?:\.\d+)?)\s*(s|m|min|h|d)(?:\s+ago)?$/.exec(text);
  if (span) {
    const unit = { s: 1e3, m: 6e4, min: 6e4, h: 36e5, d: 864e5 }[span[2]] ?? 0;
    return now - Number(span[1]) * unit;
  }
  const m = /^(?:(today|yesterday|\d{4}-\d{2}-\d{2})[ t]*)?(?:(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?)?(z)?$/.exec(text);
  if (!m || !text) return null;
  const utc = zone === 'utc' || Boolean(m[6]);
  const d = new Date(now);
  let [y, mo, da] = utc ? [d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate()] : [d.getFullYear(), d.getMonth(), d.getDate()];
  if (m[1] === 'yesterday') da--;
  else if (m[1]?.includes('-')) {
    [y, mo, da] = m[1].split('-').map(Number);
    mo--;
  }
  const [h, mi, s, msec] = [m[2], m[3], m[4], m[5]?.padEnd(3, '0')].map((v) => Number(v ?? 0));
  if (h > 23 || mi > 59 || s > 59) return null;
  const at = utc ? Date.UTC(y, mo, da, h, mi, s, msec) : new Date(y, mo, da, h, mi, s, msec).getTime();
  // A time of day alone is the last one that has been.
  return !m[1] && at > now ? at - 864e5 : at;
}
