// A session as bars on lanes, one lane for each agent, over a time in which long pauses are
// squeezed.

import { familyOf, type Family } from '../lib/tools';
import { flag, role, type Story } from './story';

export interface Bar {
  from: number;
  to: number;
  /** The same on the scale. */
  left: number;
  right: number;
  lane: number;
  /** Its place among bars that overlap in its lane. */
  level: number;
  /** What it is: a tool's sort, or the model. */
  family: Family | 'model' | 'user';
  error: boolean;
  /** The row to choose. */
  row: number;
  name: string;
  about: string;
  /** Whether it has no end yet. */
  open: boolean;
}

export interface Lane {
  agent: number;
  name: string;
  depth: number;
  levels: number;
  /** Where it stands, in levels from the top. */
  top: number;
  calls: number;
  errors: number;
  events: number;
}

export interface Arrow {
  time: number;
  from: number;
  to: number;
  row: number;
}

export interface Waterfall {
  bars: Bar[];
  lanes: Lane[];
  arrows: Arrow[];
  scale: Scale;
  levels: number;
}

/** Pauses longer than this are squeezed to `SQUEEZED_MS`. */
const PAUSE_MS = 60_000;
const SQUEEZED_MS = 8_000;
/** The model may think for so long; what takes longer is a pause. */
const THINKING_MS = 5 * 60_000;
const LEVELS_MAX = 6;

/** Time with its pauses squeezed, in milliseconds from the start. */
export class Scale {
  /** Where each stretch begins, in real and in squeezed time. */
  readonly starts: number[] = [];
  readonly places: number[] = [];
  readonly pauses: { at: number; took: number }[] = [];
  length = 1;

  /** `busy` are stretches that overlap or not, in order of their beginnings. */
  constructor(busy: [number, number][]) {
    let end = NaN;
    let place = 0;
    for (const [from, to] of busy) {
      if (Number.isNaN(end)) {
        this.starts.push(from);
        this.places.push(0);
      } else if (from > end) {
        const pause = from - end;
        place += Math.max(0, end - this.starts.at(-1)!);
        if (pause > PAUSE_MS) this.pauses.push({ at: place + SQUEEZED_MS / 2, took: pause });
        place += pause > PAUSE_MS ? SQUEEZED_MS : pause;
        this.starts.push(from);
        this.places.push(place);
      }
      end = Number.isNaN(end) ? to : Math.max(end, to);
    }
    if (this.starts.length) this.length = Math.max(1, place + end - this.starts.at(-1)!);
  }

  place(time: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle]! <= time) low = middle;
      else high = middle - 1;
    }
    if (high < 0) return 0;
    const end = low + 1 < this.places.length ? this.places[low + 1]! : this.length;
    return Math.min(end, this.places[low]! + Math.max(0, time - this.starts[low]!));
  }

  time(place: number): number {
    let low = 0;
    let high = this.places.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.places[middle]! <= place) low = middle;
      else high = middle - 1;
    }
    return high < 0 ? 0 : this.starts[low]! + place - this.places[low]!;
  }
}

export function waterfallOf(story: Story): Waterfall {
  const bars: Bar[] = [];
  const busy: [number, number][] = [];
  const lanes: Lane[] = [];
  const laneOf = new Map<number, number>();
  const order = agentsInOrder(story);
  let top = 0;
  for (const { agent, depth } of order) {
    const lane = lanes.length;
    laneOf.set(agent, lane);
    const of = story.agents[agent]!;
    const own = barsOf(story, agent, lane, busy);
    const levels = level(own);
    for (const bar of own) bars.push(bar);
    lanes.push({ agent, name: of.name, depth, levels, top, calls: of.calls, errors: of.errors, events: of.rows.length });
    top += levels + 1;
  }
  busy.sort((a, b) => a[0] - b[0]);
  const arrows: Arrow[] = [];
  story.agents.forEach((agent, number) => {
    const row = agent.parent === null ? -1 : story.rowOf(agent.parent);
    const [from, to] = [row < 0 ? undefined : laneOf.get(story.agentOf(row)), laneOf.get(number)];
    if (from === undefined || to === undefined || from === to) return;
    arrows.push({ time: story.time(row), from, to, row });
  });
  bars.sort((a, b) => a.from - b.from);
  const scale = new Scale(busy);
  for (const bar of bars) {
    bar.left = scale.place(bar.from);
    bar.right = scale.place(bar.to);
  }
  return { bars, lanes, arrows, scale, levels: top };
}

/** Agents below those that started them, in order of time. */
function agentsInOrder(story: Story): { agent: number; depth: number }[] {
  const below = new Map<number, number[]>();
  const tops: number[] = [];
  story.agents.forEach((agent, number) => {
    if (!agent.rows.length) return;
    const row = agent.parent === null ? -1 : story.rowOf(agent.parent);
    const above = row < 0 ? -1 : story.agentOf(row);
    if (above < 0 || above === number) tops.push(number);
    else below.set(above, [...(below.get(above) ?? []), number]);
  });
  const began = (agent: number) => story.time(story.agents[agent]!.rows[0]!);
  const order: { agent: number; depth: number }[] = [];
  const seen = new Set<number>();
  const walk = (agents: number[], depth: number): void => {
    for (const agent of agents.sort((a, b) => (depth === 0 ? Number(a !== 0) - Number(b !== 0) : 0) || began(a) - began(b))) {
      if (seen.has(agent)) continue;
      seen.add(agent);
      order.push({ agent, depth });
      walk(below.get(agent) ?? [], depth + 1);
    }
  };
  walk(tops, 0);
  walk(story.agents.map((_, number) => number).filter((number) => story.agents[number]!.rows.length), 0);
  return order;
}

function barsOf(story: Story, agent: number, lane: number, busy: [number, number][]): Bar[] {
  const own: Bar[] = [];
  let before = NaN;
  for (const row of story.agents[agent]!.rows) {
    if (story.has(row, flag.bookkeeping) && story.firstCall(row) < 0) continue;
    const time = story.time(row);
    busy.push([time, time]);
    const by = story.role(row);
    const bar = { lane, level: 0, left: 0, right: 0, row, about: '', open: false };
    if (by === role.assistant && time - before > 0) {
      const from = time - before > THINKING_MS ? time : before;
      if (from < time) {
        busy.push([from, time]);
        own.push({ ...bar, from, to: time, family: 'model', error: false, name: 'model' });
      }
    } else if (by === role.user && story.callOfResult(row) < 0) {
      own.push({ ...bar, from: time, to: time, family: 'user', error: false, name: 'user' });
    }
    for (const call of story.callsOf(row)) {
      const to = call.result < 0 ? time : Math.max(time, story.time(call.result));
      busy.push([time, to]);
      own.push({
        ...bar, from: time, to, family: familyOf(call.tool), name: call.tool || 'call', about: call.about,
        error: story.failed(call), open: call.result < 0,
      });
    }
    if (story.has(row, flag.error) && story.callOfResult(row) < 0 && story.firstCall(row) < 0) {
      own.push({ ...bar, from: time, to: time, family: 'other', error: true, name: story.kind(row) });
    }
    before = time;
  }
  return own;
}

/** Gives bars that overlap levels of their own; those of the model lie lowest. */
function level(bars: Bar[]): number {
  const ends: number[] = [];
  let levels = 1;
  bars.sort((a, b) => a.from - b.from);
  for (const bar of bars) {
    if (bar.family === 'model' || bar.family === 'user') continue;
    let at = 0;
    while (at < LEVELS_MAX - 1 && ends[at] !== undefined && ends[at]! > bar.from) at += 1;
    ends[at] = bar.to;
    bar.level = at;
    levels = Math.max(levels, at + 1);
  }
  return levels;
}
