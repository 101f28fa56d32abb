// Numbers, times and ids as people read them.

const grouped = new Intl.NumberFormat('en-US');
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (n: number): string => grouped.format(n);

/** `1.2M`: where the exact number is in a tooltip. */
export const compact = (n: number): string => (n < 10_000 ? grouped.format(n) : short.format(n));

export const counted = (n: number, one: string, many = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`;

/** A length of time with two parts at most. */
export function took(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1) return '<1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const [d, h, m, s] = [ms / 86_400_000, (ms / 3_600_000) % 24, (ms / 60_000) % 60, (ms / 1_000) % 60].map(Math.floor);
  if (d) return h ? `${d} d ${h} h` : `${d} d`;
  if (ms >= 3_600_000) return m ? `${h} h ${m} m` : `${h} h`;
  return s ? `${m} m ${s} s` : `${m} m`;
}

export const tookNs = (ns: number | null | undefined): string =>
  ns === null || ns === undefined ? '–' : took(ns / 1e6);

/** How long ago, coarsely. */
export function ago(time: string | number | null, now: number): string {
  if (time === null) return '–';
  const ms = now - Number(new Date(time));
  if (ms < 5_000) return 'now';
  if (ms < 60_000) return `${Math.floor(ms / 1_000)} s ago`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ago`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h ago`;
  return day(time, now);
}

/** The day, with the year where it is another one. */
export function day(time: string | number, now = Date.now()): string {
  const date = new Date(time);
  const isThisYear = date.getFullYear() === new Date(now).getFullYear();
  return date.toLocaleDateString('en-GB', {
    day: 'numeric', month: 'short', ...(isThisYear ? {} : { year: 'numeric' }),
  });
}

export function clock(time: string | number, seconds = true): string {
  return new Date(time).toLocaleTimeString('en-GB', {
    hour: '2-digit', minute: '2-digit', ...(seconds ? { second: '2-digit' } : {}),
  });
}

export const moment = (time: string | number | null): string =>
  time === null ? '–' : `${day(time)}, ${clock(time)}`;

export const fullTime = (time: string | number | null): string =>
  time === null ? '' : new Date(time).toLocaleString('en-GB', { timeZoneName: 'short' });

export function bytes(n: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let value = n;
  while (value >= 1_024 && at + 1 < units.length) {
    value /= 1_024;
    at += 1;
  }
  return at === 0 ? `${count(n)} bytes` : `${value.toFixed(1)} ${units[at]}`;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/** The beginning of an id by which it is nearly always found. */
export function shortId(id: string): string {
  const found = uuid.exec(id);
  if (!found) return id.length > 24 ? `${id.slice(0, 23)}…` : id;
  const head = id.slice(0, found[1] === '7' ? 18 : 8);
  return id.length > 36 ? `${head}${shortTail(id.slice(36))}` : head;
}

const shortTail = (tail: string): string => (tail.length > 16 ? `${tail.slice(0, 15)}…` : tail);

export function tokensOf(tokens: { input: number; output: number; cache_read: number; cache_written: number }): number {
  return tokens.input + tokens.output + tokens.cache_read + tokens.cache_written;
}

export const tokensTitle = (t: { input: number; output: number; cache_read: number; cache_written: number }): string =>
  `${count(t.input)} read anew, ${count(t.output)} written, ${count(t.cache_read)} from the cache, ${count(t.cache_written)} to the cache`;

export const modelName = (model: string | null): string =>
  (model ?? '').replace(/^claude-/, '').replace(/-\d{8}$/, '');

/** What an event says on one line, without the tool's name before it. */
export function gistOf(event: { gist?: string; labels: Record<string, string> }): string {
  const [gist, tool] = [event.gist ?? '', event.labels['tool'] ?? ''];
  return tool && gist.startsWith(`${tool}: `) ? gist.slice(tool.length + 2) : gist;
}
