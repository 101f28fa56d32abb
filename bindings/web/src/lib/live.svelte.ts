// The one stream of new events. What was seen last is remembered, so that a server that comes back
// goes on behind it: the browser does that by Last-Event-ID, and where it gives up, this does.

import { api } from './api';
import type { Alert, Event } from './types';

type Listener = (events: Event[]) => void;

const RETRY_MS = 1_500;
/** A reconnect that takes no longer than this is not worth a banner. */
const PATIENCE_MS = 800;
const ALERTS_KEPT = 100;
/** Events of one frame are handed on together. */
const listeners = new Set<Listener>();

let source: EventSource | null = null;
let waiting: Event[] = [];
let frame = 0;
let retrying: ReturnType<typeof setTimeout> | undefined;
let complaining: ReturnType<typeof setTimeout> | undefined;
let lastSeq: number | null = null;

let connected = $state(false);
let lost = $state(false);
let gap = $state(0);
let alerts = $state.raw<Alert[]>([]);

export const live = {
  get connected() { return connected; },
  get lost() { return lost; },
  get gap() { return gap; },
  get alerts() { return alerts; },
  start(): void { if (!source) open(); },
  stop(): void {
    source?.close();
    source = null;
    clearTimeout(retrying);
    clearTimeout(complaining);
  },
  retry(): void { this.stop(); open(); },
  forgetGap(): void { gap = 0; },
  /** Adds alerts that were there before. */
  warn(found: Alert[]): void { found.toReversed().forEach(warn); },
  /** Hands over new events, those of a frame together; returns what ends it. */
  listen(listener: Listener): () => void {
    listeners.add(listener);
    return () => { listeners.delete(listener); };
  },
};

function open(): void {
  const stream = api.stream(lastSeq);
  source = stream;
  stream.onopen = () => {
    connected = true;
    lost = false;
    clearTimeout(complaining);
    complaining = undefined;
  };
  stream.onerror = () => {
    connected = false;
    complaining ??= setTimeout(() => { lost = true; }, PATIENCE_MS);
    if (stream.readyState !== EventSource.CLOSED) return;
    if (source !== stream) return;
    source = null;
    clearTimeout(retrying);
    retrying = setTimeout(open, RETRY_MS);
  };
  stream.onmessage = (message: MessageEvent<string>) => take(message);
  stream.addEventListener('gap', (message) => {
    const said = parsed(message.data) as { to?: number } | null;
    gap = said?.to ?? 0;
  });
}

function take(message: MessageEvent<string>): void {
  const event = parsed(message.data) as Event | null;
  if (!event) return;
  // What came before a connection broke may come again.
  if (lastSeq !== null && event.seq <= lastSeq) return;
  lastSeq = event.seq;
  if (event.kind === 'alert') warn(alertOf(event));
  waiting.push(event);
  if (!frame) frame = setTimeout(hand, 50) as unknown as number;
}

/** An alert is stored as an event that follows from the one that decided it. */
function alertOf(event: Event): Alert {
  const { rule = 'alert', about = '' } = event.labels;
  return { id: event.id, rule, about, event: event.parent, time: event.time, text: event.gist ?? '' };
}

function warn(alert: Alert): void {
  if (!alerts.some((known) => known.id === alert.id)) alerts = [alert, ...alerts].slice(0, ALERTS_KEPT);
}

function hand(): void {
  frame = 0;
  const events = waiting;
  waiting = [];
  for (const listener of listeners) listener(events);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
