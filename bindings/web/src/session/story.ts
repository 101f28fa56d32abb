// A session as its events, in columns, and what they come to: calls with their results, agents,
// turns. Parent edges are no tree to draw; what nests is session, agent, turn and call.

import type { Event, Rows } from '../lib/types';

export const flag = {
  error: 1, minor: 1 << 1, bookkeeping: 1 << 2, interrupted: 1 << 3, version: 1 << 4, revision: 1 << 5,
  timeMadeUp: 1 << 6, waitsForUser: 1 << 7, continues: 1 << 8, derivedId: 1 << 9, damaged: 1 << 10,
} as const;

export const role = { none: 0, user: 1, assistant: 2, system: 3, tool: 4 } as const;

export interface Agent {
  name: string;
  /** The event that started it. */
  parent: string | null;
  rows: number[];
  calls: number;
  errors: number;
}

export interface Call {
  row: number;
  id: string;
  tool: string;
  about: string;
  /** The row of its result; none of one that runs, or whose event has both. */
  result: number;
}

/** Columns that grow. */
class Column<A extends Float64Array | Uint16Array | Uint8Array | Int32Array> {
  length = 0;
  constructor(public values: A, private readonly make: (size: number) => A) {}
  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = this.make(Math.max(64, this.values.length * 2));
      larger.set(this.values as never);
      this.values = larger;
    }
    this.values[this.length] = value;
    this.length += 1;
  }
}

const f64 = () => new Column(new Float64Array(64), (size) => new Float64Array(size));
const i32 = () => new Column(new Int32Array(64), (size) => new Int32Array(size));
const u16 = () => new Column(new Uint16Array(64), (size) => new Uint16Array(size));
const u8 = () => new Column(new Uint8Array(64), (size) => new Uint8Array(size));

export class Story {
  readonly names: string[] = [];
  readonly ids: string[] = [];
  readonly calls: Call[] = [];
  readonly agents: Agent[] = [];
  /** Tokens by message: several events report on one, and the most of each field counts. */
  readonly messages: { row: number; tokens: [number, number, number, number] }[] = [];
  damaged = 0;

  private readonly seqs = f64();
  private readonly times = f64();
  private readonly kinds = i32();
  private readonly whose = i32();
  private readonly roles = u8();
  private readonly bits = u16();
  private readonly firstCalls = i32();
  private readonly answered = i32();
  private readonly numbers = new Map<string, number>();
  private readonly agentNumbers = new Map<string, number>();
  private readonly rowOfId = new Map<string, number>();
  private readonly seen = new Set<number>();
  private readonly open = new Map<string, number>();
  private readonly messageNumbers = new Map<string, number>();

  /** `root` is the instance whose steps are the session's own. */
  constructor(readonly session: string) {
    const slash = session.indexOf('/');
    this.agent(slash < 0 ? session : session.slice(slash + 1));
  }

  get count(): number { return this.seqs.length; }
  seq(row: number): number { return this.seqs.values[row]!; }
  time(row: number): number { return this.times.values[row]!; }
  kind(row: number): string { return this.names[this.kinds.values[row]!] ?? ''; }
  agentOf(row: number): number { return this.whose.values[row]!; }
  role(row: number): number { return this.roles.values[row]!; }
  flags(row: number): number { return this.bits.values[row]!; }
  has(row: number, bit: number): boolean { return (this.bits.values[row]! & bit) !== 0; }
  rowOf(id: string): number { return this.rowOfId.get(id) ?? -1; }
  /** The first call of a row, and -1 where it makes none. */
  firstCall(row: number): number { return this.firstCalls.values[row]!; }
  /** The call that a row is the result of, else -1. */
  callOfResult(row: number): number { return this.answered.values[row]!; }
  get lastSeq(): number {
    let last = 0;
    for (let row = Math.max(0, this.count - 64); row < this.count; row += 1) last = Math.max(last, this.seq(row));
    return last;
  }

  callsOf(row: number): Call[] {
    const first = this.firstCall(row);
    if (first < 0) return [];
    let end = first;
    while (this.calls[end]?.row === row) end += 1;
    return this.calls.slice(first, end);
  }

  /** What a call took, in milliseconds; none of one without a result. */
  took(call: Call): number | null {
    return call.result < 0 ? null : Math.max(0, this.time(call.result) - this.time(call.row));
  }

  failed(call: Call): boolean {
    return this.has(call.result < 0 ? call.row : call.result, flag.error);
  }

  append(page: Rows): void {
    const local = page.names.map((name) => this.number(name));
    const rows = new Int32Array(page.seq.length).fill(-1);
    this.damaged += page.damaged;
    const spawned = new Map(page.spawned.map((one) => [one.row, one.parent]));
    for (let at = 0; at < page.seq.length; at += 1) {
      rows[at] = this.add(
        page.seq[at]!, page.id[at]!, page.time_ms[at]!, local[page.kind[at]!]!, page.names[page.instance[at]!]!,
        page.role[at]!, page.flags[at]!, spawned.get(at) ?? null,
      );
    }
    for (const call of page.calls) {
      const row = rows[call.row]!;
      if (row >= 0) this.addCall(row, call.id, call.tool === null ? '' : page.names[call.tool]!, call.about ?? '');
    }
    for (const { row, message, tokens } of page.tokens) {
      if (rows[row]! >= 0) this.addTokens(rows[row]!, message, tokens);
    }
  }

  /** Adds an event of the stream, as `forebear_wire::rows` reads it. */
  appendEvent(event: Event): boolean {
    const labels = event.labels;
    const is = (holds: boolean, bit: number) => (holds ? bit : 0);
    const bits =
      is(labels['is_error'] === 'true' || event.kind === 'error', flag.error) |
      is(labels['minor'] === 'true', flag.minor) |
      is(labels['bookkeeping'] === 'true', flag.bookkeeping) |
      is('interrupted' in labels, flag.interrupted) |
      is(event.version === true, flag.version) |
      is(event.revision === true, flag.revision) |
      is('time_made_up' in labels, flag.timeMadeUp) |
      is(labels['waits_for'] === 'user', flag.waitsForUser) |
      is(event.link === 'continues', flag.continues) |
      is(event.derived_id === true, flag.derivedId) |
      is(event.damaged !== undefined, flag.damaged);
    const roleNumber = { user: 1, assistant: 2, system: 3, tool: 4 }[labels['role'] ?? ''] ?? 0;
    const parent = event.link === 'spawned' ? event.parent : null;
    const row = this.add(
      event.seq, event.id, Date.parse(event.time), this.number(event.kind), event.instance, roleNumber, bits, parent,
    );
    if (row < 0) return false;
    for (let n = 1; n <= 40; n += 1) {
      const of = (key: string) => labels[n === 1 ? key : `${key}.${n}`];
      const [id, tool] = [of('tool_use_id'), of('tool')];
      if (id === undefined && tool === undefined) break;
      this.addCall(row, id ?? '', tool ?? '', (of('target') ?? '').slice(0, 200));
    }
    return true;
  }

  private add(
    seq: number, id: string, time: number, kind: number, instance: string, roleNumber: number, bits: number,
    parent: string | null,
  ): number {
    if (this.seen.has(seq)) return -1;
    this.seen.add(seq);
    const row = this.count;
    const agent = this.agent(instance);
    const by = this.agents[agent]!;
    by.rows.push(row);
    by.parent ??= parent;
    if (bits & flag.error) by.errors += 1;
    this.seqs.push(seq);
    this.times.push(time);
    this.kinds.push(kind);
    this.whose.push(agent);
    this.roles.push(roleNumber);
    this.bits.push(bits);
    this.firstCalls.push(-1);
    this.answered.push(-1);
    this.ids.push(id);
    this.rowOfId.set(id, row);
    return row;
  }

  private addCall(row: number, id: string, tool: string, about: string): void {
    if (this.role(row) === role.tool) {
      const call = id ? this.open.get(id) : undefined;
      if (call === undefined) return;
      this.calls[call]!.result = row;
      this.answered.values[row] = call;
      return;
    }
    const number = this.calls.length;
    this.calls.push({ row, id, tool, about, result: -1 });
    this.agents[this.agentOf(row)]!.calls += 1;
    if (this.firstCalls.values[row]! < 0) this.firstCalls.values[row] = number;
    if (id) this.open.set(id, number);
  }

  private addTokens(row: number, message: string, tokens: [number, number, number, number]): void {
    const known = message ? this.messageNumbers.get(message) : undefined;
    if (known === undefined) {
      if (message) this.messageNumbers.set(message, this.messages.length);
      this.messages.push({ row, tokens });
      return;
    }
    const most = this.messages[known]!.tokens;
    tokens.forEach((n, at) => { most[at] = Math.max(most[at]!, n); });
  }

  private agent(name: string): number {
    const known = this.agentNumbers.get(name);
    if (known !== undefined) return known;
    const number = this.agents.length;
    this.agents.push({ name, parent: null, rows: [], calls: 0, errors: 0 });
    this.agentNumbers.set(name, number);
    return number;
  }

  private number(name: string): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const number = this.names.length;
    this.names.push(name);
    this.numbers.set(name, number);
    return number;
  }
}
