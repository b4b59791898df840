import { until } from '../../src/runtime/conditions.fixture.ts';

/** Options of waitFor. */
export interface WaitOptions {
  /** Gives up after this long, in ms. Default 30,000: many times what anything takes on a machine with other work. */
  readonly timeoutMs?: number;
  /** Pause between two looks, in ms. Default 20. */
  readonly intervalMs?: number;
}

/**
 * Looks again and again until the probe returns something truthy, and returns that: until() for what a lab shows.
 * A probe that throws counts as "not yet"; its last error becomes the cause when time is up.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 20 }: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false | 0 | ''>> {
  let found: T | undefined;
  let cause: unknown;
  const look = async () => {
    cause = undefined;
    try {
      found = await probe();
    } catch (error) {
      found = undefined;
      cause = error;
    }
    return Boolean(found);
  };
  try {
    await until(look, timeoutMs, intervalMs);
  } catch {
    throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`, { cause });
  }
  return found as Exclude<T, undefined | null | false | 0 | ''>;
}
