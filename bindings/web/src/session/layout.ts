// The order in which a session is read: turns, what was said, each call with its result, agents
// within the calls that started them.

import { flag, role, type Story } from './story';

export const item = {
  /** What the user asked: a turn begins. */
  request: 0,
  text: 1,
  thinking: 2,
  call: 3,
  agent: 4,
  note: 5,
  failure: 6,
  stop: 7,
  compaction: 8,
  gap: 9,
} as const;

export interface Layout {
  count: number;
  kind: Uint8Array;
  /** A row; of a call its number, of an agent its number. */
  of: Int32Array;
  depth: Uint8Array;
  /** Items that begin a turn. */
  turns: number[];
  /** Failures that are not minor, as items. */
  errors: number[];
  /** The row that each item stands for. */
  rowOf(at: number): number;
  itemOfRow(row: number): number;
}

export interface LayoutOptions {
  /** Whether the program's own notes show. */
  notes: boolean;
  /** Agents whose steps are hidden. */
  folded: (agent: string) => boolean;
}

/** A pause that is worth a line. */
const PAUSE_MS = 10 * 60_000;
const DEPTH_MAX = 12;

export function layoutOf(story: Story, options: LayoutOptions): Layout {
  const laying = new Laying(story, options);
  laying.lay();
  return laying.finish();
}

class Laying {
  private readonly kinds: number[] = [];
  private readonly ofs: number[] = [];
  private readonly depths: number[] = [];
  private readonly placed: boolean[];
  /** Agents by the row that started them. */
  private readonly startedBy = new Map<number, number[]>();
  /** Agents that nothing is known to have started, by their first rows. */
  private readonly adrift: number[] = [];

  constructor(private readonly story: Story, private readonly options: LayoutOptions) {
    this.placed = story.agents.map(() => false);
    const root = this.root();
    story.agents.forEach((agent, number) => {
      if (number === root || agent.rows.length === 0) return;
      const row = agent.parent === null ? -1 : story.rowOf(agent.parent);
      if (row < 0 || story.agentOf(row) === number) {
        this.adrift.push(number);
        return;
      }
      const started = this.startedBy.get(row) ?? [];
      started.push(number);
      this.startedBy.set(row, started);
    });
    this.adrift.sort((a, b) => this.began(a) - this.began(b));
  }

  lay(): void {
    this.agent(this.root(), 0);
    for (const agent of this.adrift) this.nested(agent, 0);
    this.story.agents.forEach((agent, number) => { if (agent.rows.length) this.nested(number, 0); });
  }

  finish(): Layout {
    const { story } = this;
    const kind = Uint8Array.from(this.kinds);
    const of = Int32Array.from(this.ofs);
    const turns: number[] = [];
    const errors: number[] = [];
    const rowOf = (at: number): number => {
      const ref = of[at] ?? -1;
      if (kind[at] === item.call) return story.calls[ref]!.row;
      if (kind[at] === item.agent) return story.agents[ref]!.rows[0]!;
      return ref;
    };
    kind.forEach((one, at) => {
      if (one === item.request && this.depths[at] === 0) turns.push(at);
      const row = one === item.call ? story.calls[of[at]!]!.result : one === item.failure ? of[at]! : -1;
      if (row >= 0 && story.has(row, flag.error) && !story.has(row, flag.minor)) errors.push(at);
    });
    let byRow: Int32Array | null = null;
    const itemOfRow = (row: number): number => {
      if (!byRow) {
        byRow = new Int32Array(story.count).fill(-1);
        for (let at = kind.length - 1; at >= 0; at -= 1) {
          if (kind[at] === item.agent || kind[at] === item.gap) continue;
          byRow[rowOf(at)] = at;
          if (kind[at] === item.call) {
            const result = story.calls[of[at]!]!.result;
            if (result >= 0) byRow[result] = at;
          }
        }
      }
      return byRow[row] ?? -1;
    };
    return { count: kind.length, kind, of, depth: Uint8Array.from(this.depths), turns, errors, rowOf, itemOfRow };
  }

  /** Where nothing is said under the session's own name, who began is the session itself. */
  private root(): number {
    if (this.story.agents[0]!.rows.length || this.story.count === 0) return 0;
    return this.story.agentOf(0);
  }

  private began(agent: number): number {
    return this.story.time(this.story.agents[agent]!.rows[0]!);
  }

  private agent(number: number, depth: number): void {
    const { story } = this;
    this.placed[number] = true;
    let before = NaN;
    for (const row of story.agents[number]!.rows) {
      const time = story.time(row);
      if (depth === 0) {
        while (this.adrift.length && this.began(this.adrift[0]!) <= time) this.nested(this.adrift.shift()!, 0);
      }
      if (this.row(row, depth, before)) before = time;
      for (const below of this.startedBy.get(row) ?? []) this.nested(below, depth);
    }
  }

  /** Lays a row; whether it shows. */
  private row(row: number, depth: number, before: number): boolean {
    const { story } = this;
    const kind = this.kindOf(row);
    if (kind === null) return false;
    if (depth === 0 && story.time(row) - before > PAUSE_MS) this.push(item.gap, row, depth);
    if (kind !== item.call) {
      this.push(kind, row, depth);
      return true;
    }
    for (let call = story.firstCall(row); story.calls[call]?.row === row; call += 1) this.push(item.call, call, depth);
    return true;
  }

  private kindOf(row: number): number | null {
    const { story } = this;
    const bits = story.flags(row);
    if (story.firstCall(row) >= 0) return item.call;
    if (story.callOfResult(row) >= 0) return null;
    if (bits & flag.continues) return item.compaction;
    if (bits & flag.bookkeeping) return this.options.notes ? item.note : null;
    if (bits & flag.interrupted) return item.stop;
    if (bits & flag.error) return item.failure;
    switch (story.role(row)) {
      case role.user: return item.request;
      case role.assistant: return story.kind(row) === 'thinking' ? item.thinking : item.text;
      default: return item.note;
    }
  }

  private nested(agent: number, depth: number): void {
    if (this.placed[agent] || depth >= DEPTH_MAX) return;
    this.push(item.agent, agent, depth);
    if (this.options.folded(this.story.agents[agent]!.name)) {
      this.settle(agent);
      return;
    }
    this.agent(agent, depth + 1);
  }

  /** What is below a folded agent has its place: it is hidden. */
  private settle(agent: number): void {
    this.placed[agent] = true;
    for (const row of this.story.agents[agent]!.rows) {
      for (const below of this.startedBy.get(row) ?? []) if (!this.placed[below]) this.settle(below);
    }
  }

  private push(kind: number, of: number, depth: number): void {
    this.kinds.push(kind);
    this.ofs.push(of);
    this.depths.push(depth);
  }
}
