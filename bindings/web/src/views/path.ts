// A chain of causes as it is read: the request on top, what it led to below, runs of steps that
// say little folded.

import type { ChainEnd, Event, Why } from '../lib/types';
import { fullTime } from '../lib/format';

export type Step =
  | { kind: 'event'; event: Event; depth: number; why: string }
  | { kind: 'fold'; from: number; count: number; depth: number };

/** Steps beside a fold that are shown, and runs that are too short to fold. */
const BESIDE = 2;
const RUN_MIN = 4;

/** `events` are those of a chain from its root on; `depths` how many agents each is within. */
export function stepsOf(events: Event[], anchors: Set<string>, unfolded: Set<number>): Step[] {
  const depths = depthsOf(events);
  const isTold = events.map((event, at) => whyTold(event, events[at - 1], anchors, at, events.length));
  const steps: Step[] = [];
  for (let at = 0; at < events.length; at += 1) {
    let end = at;
    while (end < events.length && !isTold[end]) end += 1;
    if (end - at >= RUN_MIN && !unfolded.has(at)) {
      steps.push({ kind: 'fold', from: at, count: end - at, depth: depths[at]! });
      at = end - 1;
      continue;
    }
    do {
      steps.push({ kind: 'event', event: events[at]!, depth: depths[at]!, why: isTold[at] ?? '' });
      at += 1;
    } while (at < end);
    at -= 1;
  }
  return steps;
}

function whyTold(event: Event, above: Event | undefined, anchors: Set<string>, at: number, count: number): string {
  if (anchors.has(event.id)) return 'anchor';
  if (at === 0) return 'root';
  if (at >= count - 1 - BESIDE) return 'near';
  if (above && event.instance !== above.instance) return 'agent';
  if (event.link !== null && event.link !== 'caused') return event.link;
  const labels = event.labels;
  if (labels['role'] === 'user' && labels['bookkeeping'] !== 'true') return 'request';
  if ((labels['is_error'] === 'true' || event.kind === 'error') && labels['minor'] !== 'true') return 'failure';
  return '';
}

function depthsOf(events: Event[]): number[] {
  const within: string[] = [];
  return events.map((event) => {
    const at = within.lastIndexOf(event.instance);
    if (at >= 0) within.length = at + 1;
    else within.push(event.instance);
    return Math.min(within.length - 1, 8);
  });
}

/** How a chain ended, in words. */
export function endInWords(end: ChainEnd | null): string {
  switch (end?.kind) {
    case undefined: return '';
    case 'root': return 'Nothing caused this: it is where it began.';
    case 'missing': return `Its cause ${end.parent ?? ''} was never stored: the transcript that has it was not imported, or it is yet to come.`;
    case 'expired': return `Its cause ${end.parent ?? ''} has expired: retention dropped it.`;
    case 'cycle': return 'Its cause goes back to itself: the link that closes the circle is kept and not followed.';
    case 'depth': case 'depth_limit': case 'limit': return 'The chain goes on above.';
    case 'damaged': return 'What is above can’t be read: that part of the store is damaged.';
    default: return `The chain ends here: ${String(end?.kind).replaceAll('_', ' ')}.`;
  }
}

export const outcomeInWords: Record<string, string> = {
  repaired: 'repaired later',
  answered: 'answered: the turn ended with words, nothing repaired it',
  interrupted: 'stopped by the user',
  open: 'open: nothing came after it yet',
  passed: 'passed: a later run of the same went well',
};

/** The answer as Markdown, to be pasted where people talk about it. */
export function markdownOf(why: Why | null, events: Event[], end: ChainEnd | null): string {
  const lines: string[] = [];
  const part = (of: Record<string, unknown> | null | undefined, key: string) => String(of?.[key] ?? '').trim();
  const failure = why?.failure;
  if (failure) {
    lines.push(`### ${part(failure, 'tool') || part(failure, 'kind')} failed, ${fullTime(part(failure, 'time'))}`, '');
    const quoted = (name: string, text: string, id: string) => {
      if (!text) return;
      lines.push(`**${name}** \`${id}\``, '', ...text.split('\n').slice(0, 20).map((line) => `> ${line}`), '');
    };
    quoted('asked', part(why.request, 'text'), part(why.request, 'id'));
    quoted('decided', part(why.decision, 'text'), part(why.decision, 'id'));
    quoted(`called ${part(why.call, 'tool')}`, part(why.call, 'target'), part(why.call, 'id'));
    quoted('failed', part(failure, 'text'), part(failure, 'id'));
    if (why.outcome) lines.push(`**then** ${outcomeInWords[why.outcome] ?? why.outcome}`, '');
  }
  lines.push(`${events.length} steps:`, '');
  const shown = stepsOf(events, new Set(), new Set());
  for (const step of shown) {
    if (step.kind === 'fold') lines.push(`- … ${step.count} steps`);
    else lines.push(`${'  '.repeat(step.depth)}- \`${step.event.id}\` ${step.event.kind}: ${step.event.gist ?? ''}`);
  }
  if (end) lines.push('', endInWords(end));
  return `${lines.join('\n')}\n`;
}
