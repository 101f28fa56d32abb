// The shapes of the server's JSON: those that the program prints with --json.

export interface Page<T> {
  items: T[];
  next: string | null;
  damaged?: unknown[];
}

export interface Tokens {
  input: number;
  output: number;
  cache_read: number;
  cache_written: number;
}

export type Status = 'active' | 'completed' | 'failed' | 'cancelled' | 'timeout' | string;

export interface Session {
  id: string;
  type: string;
  status: Status;
  parent: string | null;
  source_app: string | null;
  start: string | null;
  end: string | null;
  duration_ms: number | null;
  agents: number;
  tokens: Tokens;
  events: number;
  errors: number;
  open_calls: number;
  model: string | null;
  project: string | null;
  wave_id: string | null;
  title: string | null;
  decided_by: string | null;
  waits_for: string | null;
}

export interface SessionNode extends Session {
  below: number;
  path: string;
  total: SessionTotal;
}

export interface SessionTotal {
  sessions: number;
  events: number;
  errors: number;
  tokens: Tokens;
  may_count_twice: boolean;
}

export interface Event {
  id: string;
  parent: string | null;
  link: string | null;
  root: string;
  depth: number;
  seq: number;
  time: string;
  kind: string;
  instance: string;
  session: string | null;
  scope?: string;
  labels: Record<string, string>;
  payload_type?: string;
  version?: boolean;
  revision?: boolean;
  derived_id?: boolean;
  damaged?: string;
  below?: number;
  gist?: string;
  payload?: unknown;
  payload_text?: string;
  payload_base64?: string;
  payload_bytes?: number;
}

export interface ChainEnd {
  kind: string;
  parent?: string;
  id?: string | null;
  [more: string]: unknown;
}

export interface Chain {
  items: Event[];
  end: ChainEnd | null;
  next: string | null;
}

/** Columns of a session's events; see `forebear_wire::rows`. */
export interface Rows {
  names: string[];
  seq: number[];
  id: string[];
  time_ms: number[];
  kind: number[];
  instance: number[];
  role: number[];
  flags: number[];
  calls: { row: number; id: string; tool: number | null; about?: string }[];
  spawned: { row: number; parent: string }[];
  tokens: { row: number; message: string; tokens: [number, number, number, number] }[];
  next: string | null;
  damaged: number;
}

export interface Said {
  text: string;
  more: boolean;
}

/** What an event says; see `forebear_wire::texts`. */
export interface EventText {
  seq: number;
  id: string;
  gist: string;
  role?: string;
  text?: Said;
  thinking?: Said;
  error?: Said;
  summary?: Said;
  calls?: { id: string; tool: string; about: string; input: Said }[];
  results?: {
    id: string;
    text: Said;
    failed: boolean;
    interrupted: boolean;
    exit_code: number | null;
    took_ms: number | null;
  }[];
  model?: string;
  damaged?: string;
}

export interface TimeSpent {
  tools_ns: number;
  model_ns: number;
  user_ns: number;
}

export interface SlowReport {
  session: string | null;
  sessions: number;
  time: TimeSpent;
  tools: {
    tool: string;
    calls: number;
    errors: number;
    total_ns: number;
    max_ns: number;
    p50_ns: number | null;
    p95_ns: number | null;
  }[];
  slowest: {
    event: string;
    result: string;
    time: string;
    instance: string;
    tool: string;
    about: string;
    took_ns: number;
    is_error: boolean;
  }[];
  critical_path: {
    event: string;
    from: string;
    took_ns: number;
    on: string;
    instance: string;
    tool: string | null;
    depth: number;
  }[];
  turns: {
    session: string | null;
    request: string | null;
    about: string;
    from: string;
    time: TimeSpent;
    calls: number;
    errors: number;
  }[];
  complete: boolean;
}

export interface Quote {
  event: string;
  text: string;
  [more: string]: unknown;
}

export interface ListedFailure {
  id: string;
  time: string;
  instance: string;
  tool: string | null;
  line: string;
  minor: boolean;
  outcome: string;
  decided_by: string | null;
  in_last_turn: boolean;
}

/** `forebear why --json`. */
export interface Why {
  session: string | null;
  failure: Record<string, unknown> | null;
  call: Record<string, unknown> | null;
  decision: Record<string, unknown> | null;
  request: Record<string, unknown> | null;
  earlier: Record<string, unknown> | null;
  outcome: string | null;
  decided_by: unknown;
  repaired_by: unknown;
  retries: unknown;
  end: Record<string, unknown> | null;
  errors: ListedFailure[];
  counts: Record<string, number>;
  complete: boolean;
}

export interface Match extends Event {
  snippet: string;
  at: [number, number];
  title: string | null;
}

export interface Found {
  items: Match[];
  next: string | null;
  searched: { events: number; bytes: number };
}

export interface Wave {
  id: string;
  sessions: number;
  events: number;
  start: string | null;
  end: string | null;
}

export interface Segment {
  number: number;
  first_seq: number;
  events: number;
  lost: number;
  from: string | null;
  to: string | null;
  raw_bytes: number;
  stored_bytes: number;
  ratio: number | null;
  state: string;
}

export interface Stats {
  events: number;
  versions: number;
  without_id: number;
  segments: number;
  bytes: number;
  roots: number;
  max_depth: number;
  deepest: string | null;
  max_children: number;
  missing_parents: number;
  cycles: number;
  refused_links: number;
  quarantined: number;
  types: Record<string, number>;
  sessions: number;
}

/** What the server and the store's writer are doing. */
export interface Health {
  well: boolean;
  version: string;
  /** Why nothing can be written, if so. */
  read_only: string | null;
  store: Record<string, unknown> | null;
}

/** `forebear alerts --json`. */
export interface Alert {
  id: string;
  rule: string;
  /** The session, wave or file. */
  about: string;
  /** The event that decided it. */
  event: string | null;
  time: string;
  text: string;
}
