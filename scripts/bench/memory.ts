import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../lab/lab-node.ts';
import { readAnonymousBytes } from '../lab/process-usage.ts';

/** Memory of the larger of the mirrors, in bytes. */
export interface Memory {
  readonly rssBytes: number;
  readonly anonymousBytes: number;
}

/** How long a mirror does nothing before it counts as idle, in ms: start-up garbage is gone by then, if it ever goes. */
const SETTLE_MS = 5_000;
/** Often enough for a pull of a second, seldom enough not to be felt, in ms. */
const SAMPLE_MS = 50;

/** What the mirrors take while nothing happens. */
export async function measureIdle(nodes: readonly LabNode[]): Promise<Memory> {
  await sleep(SETTLE_MS);
  const usages = await Promise.all(nodes.map(async ({ mirror }) => mirror.usage()));
  return {
    rssBytes: Math.max(...usages.map(({ rssBytes }) => rssBytes)),
    anonymousBytes: Math.max(...usages.map(({ anonymousBytes }) => anonymousBytes)),
  };
}

/** Watches the mirrors until the work is done; returns its result and the largest anonymous memory seen. */
export async function watchMemory<T>(
  nodes: readonly LabNode[],
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly anonymousBytes: number }> {
  let anonymousBytes = 0;
  const done = new AbortController();
  const watching = (async () => {
    while (!done.signal.aborted) {
      for (const { mirror } of nodes) {
        anonymousBytes = Math.max(anonymousBytes, await readAnonymousBytes(mirror.pid));
      }
      await sleep(SAMPLE_MS, undefined, { signal: done.signal }).catch(() => undefined);
    }
  })();
  try {
    return { result: await work(), anonymousBytes };
  } finally {
    done.abort();
    await watching;
  }
}
