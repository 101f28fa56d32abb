// All that the page asks of the server. A route that changes is changed here.

import type {
  Alert, Chain, Event, EventText, Found, Health, Page, Rows, Segment, Session, SessionNode, SlowReport,
  Stats, Wave, Why,
} from './types';

export type Query = Record<string, string | number | boolean | string[] | null | undefined>;

/** What the server refused, in its words (RFC 9457). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    title: string,
    readonly detail: string,
    readonly hint: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(title);
  }
}

/** Called when the server wants a token that the page doesn't have. */
export const onUnauthorized: { call: () => void } = { call: () => {} };

export const api = {
  health: (signal?: AbortSignal) => get<Health>('/api/health', {}, signal),
  signIn: (token: string) => post('/login', token),

  sessions: (query: Query, signal?: AbortSignal) =>
    get<Page<Session>>('/api/sessions', query, signal),
  session: (id: string, signal?: AbortSignal) =>
    get<SessionNode>(`/api/sessions/${segment(id)}`, {}, signal),
  sessionTree: (id: string, signal?: AbortSignal) =>
    get<Page<SessionNode>>(`/api/sessions/${segment(id)}/tree`, {}, signal),
  rows: (id: string, after: string | null, limit: number, signal?: AbortSignal) =>
    get<Rows>(`/api/sessions/${segment(id)}/rows`, { after, limit }, signal),
  texts: (seqs: number[], max: number, signal?: AbortSignal) =>
    get<Page<EventText>>('/api/texts', { seq: seqs.join(','), max }, signal),
  slow: (id: string, signal?: AbortSignal) =>
    get<SlowReport>(`/api/sessions/${segment(id)}/metrics`, {}, signal),

  why: (id: string | null, signal?: AbortSignal) =>
    get<Why>(id ? `/api/failure/${segment(id)}` : '/api/failure', {}, signal),
  event: (id: string, signal?: AbortSignal) =>
    get<Event>(`/api/events/${segment(id)}`, { detail: 'payload' }, signal),
  chain: (id: string, query: Query, signal?: AbortSignal) =>
    get<Chain>(`/api/events/${segment(id)}/chain`, query, signal),
  relatives: (id: string, of: 'children' | 'siblings', query: Query, signal?: AbortSignal) =>
    get<Page<Event>>(`/api/events/${segment(id)}/${of}`, query, signal),
  common: (a: string, b: string, signal?: AbortSignal) =>
    get<Record<string, unknown>>('/api/common', { a, b }, signal),
  payloadUrl: (id: string) => `/api/events/${segment(id)}/payload`,
  events: (query: Query, signal?: AbortSignal) => get<Page<Event>>('/api/events', query, signal),
  search: (query: Query, signal?: AbortSignal) => get<Found>('/api/search', query, signal),

  waves: (query: Query, signal?: AbortSignal) => get<Page<Wave>>('/api/waves', query, signal),
  timeline: (query: Query, signal?: AbortSignal) =>
    get<Page<{ start: string; count: number }>>('/api/timeline', query, signal),
  counts: (query: Query, signal?: AbortSignal) =>
    get<Page<{ value: string; count: number }>>('/api/counts', query, signal),
  stats: (signal?: AbortSignal) => get<Stats>('/api/stats', {}, signal),
  segments: (signal?: AbortSignal) => get<Page<Segment>>('/api/segments', {}, signal),

  alerts: (signal?: AbortSignal) => get<Page<Alert>>('/api/alerts', {}, signal),

  /** Where events come as they are stored; behind this number, else from now on. */
  stream: (behind: number | null) =>
    new EventSource(behind === null ? '/api/stream' : `/api/stream?from=${behind + 1}`),
};

async function get<T>(path: string, query: Query, signal?: AbortSignal): Promise<T> {
  const answer = await fetch(path + written(query), { signal: signal ?? null, headers: { accept: 'application/json' } });
  if (!answer.ok) throw await refused(answer);
  return (await answer.json()) as T;
}

async function post(path: string, body: string): Promise<void> {
  const answer = await fetch(path, { method: 'POST', body });
  if (!answer.ok) throw await refused(answer);
}

async function refused(answer: Response): Promise<ApiError> {
  if (answer.status === 401) onUnauthorized.call();
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  const word = (key: string) => (typeof body[key] === 'string' ? (body[key] as string) : '');
  const title = word('title') || `${answer.status} ${answer.statusText}`.trim();
  return new ApiError(answer.status, title, word('detail'), word('hint'), body);
}

function segment(id: string): string {
  return encodeURIComponent(id);
}

function written(query: Query): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === '' || value === false) continue;
    for (const one of Array.isArray(value) ? value : [value]) params.append(key, String(one));
  }
  const text = params.toString();
  return text ? `?${text}` : '';
}
