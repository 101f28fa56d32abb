// What events say, fetched for those that are looked at, and forgotten again.

import { api } from '../lib/api';
import type { EventText } from '../lib/types';

const KEPT = 1_500;
const AT_ONCE = 120;
const MAX = 2_000;
const WHOLE = 65_536;

export class Texts {
  private readonly known = new Map<number, EventText>();
  private readonly whole = new Set<number>();
  private readonly asked = new Set<number>();
  private wanted: number[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private version = $state(0);

  /** What an event says, as far as it is known; to be asked for by `want`. */
  of(seq: number): EventText | undefined {
    void this.version;
    return this.known.get(seq);
  }

  /** Asks for those that are looked at now; what nobody looks at any more is not asked for. */
  want(seqs: number[]): void {
    this.wanted = seqs.filter((seq) => !this.known.has(seq) && !this.asked.has(seq));
    if (this.wanted.length && this.timer === undefined) this.timer = setTimeout(() => void this.fetch(), 30);
  }

  /** Asks for all that an event says. */
  async wantWhole(seq: number): Promise<void> {
    if (this.whole.has(seq)) return;
    this.whole.add(seq);
    const page = await api.texts([seq], WHOLE);
    this.keep(page.items);
  }

  isWhole(seq: number): boolean {
    void this.version;
    return this.whole.has(seq);
  }

  private async fetch(): Promise<void> {
    this.timer = undefined;
    const seqs = this.wanted.splice(0, AT_ONCE);
    if (!seqs.length) return;
    for (const seq of seqs) this.asked.add(seq);
    try {
      const page = await api.texts(seqs, MAX);
      this.keep(page.items.filter((one) => !this.whole.has(one.seq)));
    } catch {
      // The stream's banner says that the server is gone; what shows next asks again.
    } finally {
      for (const seq of seqs) this.asked.delete(seq);
    }
    if (this.wanted.length) this.want(this.wanted);
  }

  private keep(items: EventText[]): void {
    for (const one of items) {
      this.known.delete(one.seq);
      this.known.set(one.seq, one);
    }
    for (const seq of this.known.keys()) {
      if (this.known.size <= KEPT) break;
      this.known.delete(seq);
      this.whole.delete(seq);
    }
    this.version += 1;
  }
}
