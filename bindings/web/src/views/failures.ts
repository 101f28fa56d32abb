// Failures that are alike: of the same tool, with words that differ in numbers and names alone.

import type { Event } from '../lib/types';

export interface Group {
  key: string;
  tool: string;
  line: string;
  events: Event[];
  sessions: number;
  first: string;
  last: string;
  spark: number[];
}

const COLUMNS = 24;

/** Groups of these events, which come newest first; the most frequent first. */
export function groupsOf(events: Event[]): Group[] {
  const found = new Map<string, Event[]>();
  for (const event of events) {
    const key = `${toolOf(event)}: ${alike(lineOf(event))}`;
    const group = found.get(key);
    if (group) group.push(event);
    else found.set(key, [event]);
  }
  const times = events.map((event) => Date.parse(event.time));
  const from = times.reduce((a, b) => Math.min(a, b), Infinity);
  const to = times.reduce((a, b) => Math.max(a, b), -Infinity);
  const groups = [...found].map(([key, events]): Group => {
    const spark = new Array<number>(COLUMNS).fill(0);
    for (const event of events) {
      const at = to > from ? ((Date.parse(event.time) - from) / (to - from)) * (COLUMNS - 1) : COLUMNS - 1;
      spark[Math.round(at)]! += 1;
    }
    const newest = events[0]!;
    return {
      key, tool: toolOf(newest), line: lineOf(newest), events, spark,
      sessions: new Set(events.map((event) => event.session)).size,
      first: events.at(-1)!.time, last: newest.time,
    };
  });
  return groups.sort((a, b) => b.events.length - a.events.length || Date.parse(b.last) - Date.parse(a.last));
}

function toolOf(event: Event): string {
  return event.labels['tool'] ?? event.kind;
}

/** What tells a failure: its words without the number that commands put before them. */
function lineOf(event: Event): string {
  const line = (event.gist ?? '').replace(/^(Error: )?Exit code \d+\s*/i, '').trim();
  return line || event.gist || 'without a word';
}

function alike(line: string): string {
  return line
    .slice(0, 80)
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}|\b0x[0-9a-f]+|\b[0-9a-f]{7,40}\b/gi, '#')
    .replace(/(?:[\w.~-]*\/)+[\w.~-]+/g, '/')
    .replace(/\d+/g, '#')
    .replace(/(['"`]).{0,60}?\1/g, '“”')
    .toLowerCase();
}
