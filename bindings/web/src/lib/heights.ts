/** Heights of rows with their sums, so that a row is found by its place and a place by its row in
 * O(log rows), however many there are (a Fenwick tree). */
export class Heights {
  readonly count: number;
  private readonly of: Float64Array;
  private readonly sums: Float64Array;
  private readonly top: number;

  constructor(count: number, heightOf: (row: number) => number) {
    this.count = count;
    this.of = new Float64Array(count);
    this.sums = new Float64Array(count + 1);
    let top = 1;
    while (top * 2 <= count) top *= 2;
    this.top = top;
    for (let row = 0; row < count; row += 1) {
      const height = heightOf(row);
      this.of[row] = height;
      this.sums[row + 1] = height;
    }
    for (let at = 1; at <= count; at += 1) {
      const above = at + (at & -at);
      if (above <= count) this.sums[above] = this.sums[above]! + this.sums[at]!;
    }
  }

  height(row: number): number {
    return this.of[row] ?? 0;
  }

  /** Sets a height; how much it grew. */
  set(row: number, height: number): number {
    const grown = height - this.of[row]!;
    if (grown === 0) return 0;
    this.of[row] = height;
    for (let at = row + 1; at <= this.count; at += at & -at) this.sums[at] = this.sums[at]! + grown;
    return grown;
  }

  /** Where a row begins. */
  start(row: number): number {
    let sum = 0;
    for (let at = Math.min(row, this.count); at > 0; at -= at & -at) sum += this.sums[at]!;
    return sum;
  }

  get total(): number {
    return this.start(this.count);
  }

  /** The row that a place is in. */
  rowAt(place: number): number {
    let at = 0;
    let left = place;
    for (let step = this.top; step > 0; step >>= 1) {
      const next = at + step;
      if (next <= this.count && this.sums[next]! <= left) {
        at = next;
        left -= this.sums[next]!;
      }
    }
    return Math.min(at, Math.max(0, this.count - 1));
  }
}
