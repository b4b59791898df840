import { setTimeout as sleep } from 'node:timers/promises';

/** Options of waitFor. */
export interface WaitOptions {
  /** Gives up after this long, in ms. Default 30,000: many times what anything takes on a machine with other work. */
  readonly timeoutMs?: number;
  /** Pause between two looks, in ms. Default 20. */
  readonly intervalMs?: number;
}

/**
 * Looks again and again until the probe returns something truthy, and returns that.
 * A probe that throws counts as "not yet"; its last error becomes the cause when time is up.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 20 }: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false | 0 | ''>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const result = await probe();
      if (result) return result as Exclude<T, undefined | null | false | 0 | ''>;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`, { cause });
    }
    await sleep(intervalMs);
  }
}
