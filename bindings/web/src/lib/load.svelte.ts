// What is fetched for a view: the answer, or why there is none.

import { ApiError } from './api';

export interface Loaded<T> {
  readonly value: T | null;
  readonly error: ApiError | Error | null;
  readonly loading: boolean;
  reload(): void;
}

/** Fetches whenever what `ask` reads changes; an answer that came too late is dropped. */
export function load<T>(ask: (signal: AbortSignal) => Promise<T> | null): Loaded<T> {
  let value = $state.raw<T | null>(null);
  let error = $state.raw<ApiError | Error | null>(null);
  let loading = $state(true);
  let turn = $state(0);
  $effect(() => {
    void turn;
    const stop = new AbortController();
    const asked = ask(stop.signal);
    if (!asked) {
      value = null;
      loading = false;
      return;
    }
    loading = true;
    asked.then(
      (answer) => {
        if (stop.signal.aborted) return;
        value = answer;
        error = null;
        loading = false;
      },
      (reason: unknown) => {
        if (stop.signal.aborted) return;
        error = reason instanceof Error ? reason : new Error(String(reason));
        loading = false;
      },
    );
    return () => stop.abort();
  });
  return {
    get value() { return value; },
    get error() { return error; },
    get loading() { return loading; },
    reload() { turn += 1; },
  };
}
