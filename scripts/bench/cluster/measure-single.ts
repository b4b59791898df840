// A pull commits one layer: from when on is it found on every other node, by who asks for the first time and by who keeps asking?
import { type Summary, summarize } from '../statistics.ts';
import type { BenchCluster } from './bench-cluster.ts';
import { benchKeys } from './bench-keys.ts';
import { epochMs } from './epoch-ms.ts';
import { pick, sample } from './pick.ts';

/** All times in ms from when the store had the key. */
export interface SingleResult {
  readonly keys: number;
  /** First questions that were asked so long after: how many found it. */
  readonly firstQuestions: readonly {
    readonly afterMs: number;
    readonly asked: number;
    readonly found: number;
  }[];
  /** The earliest of afterMs from which on at least 99 % found it. */
  readonly foundFromMs: number | undefined;
  /** Nodes that had asked before and asked again every 50 ms: until they found it. */
  readonly againMs: Summary | undefined;
  readonly againNever: number;
}

const AFTER_MS = [10, 25, 50, 75, 100, 150, 250, 500, 1000];
const SHARE = 0.99;
/** Nodes that keep asking, per key. */
const AGAIN = 2;
const AGAIN_INTERVAL_MS = 50;
/** They begin before there is anything to find. */
const AGAIN_BEFORE_MS = 100;
const LOOKUP_TIMEOUT_MS = 500;
const TIMEOUT_MS = 5_000;
const LEAD_MS = 300;

/** One key after the other, each from another node. */
export async function measureSingle(
  cluster: BenchCluster,
  { keys: count, name }: { readonly keys: number; readonly name: string },
): Promise<SingleResult> {
  const first = AFTER_MS.map((afterMs) => ({ afterMs, asked: 0, found: 0 }));
  const againMs: number[] = [];
  let againNever = 0;
  for (const [round, key] of benchKeys(`single ${name}`, count).entries()) {
    const provider = pick(cluster.live());
    const others = sample(
      cluster.live().filter((node) => node !== provider),
      cluster.nodes.length,
    );
    const atMs = epochMs() + LEAD_MS + AGAIN_BEFORE_MS;
    const again = others.slice(0, AGAIN).map(async ({ control }) =>
      control.findWithRetries({
        key,
        provider: provider.id,
        fromMs: atMs - AGAIN_BEFORE_MS,
        everyMs: AGAIN_INTERVAL_MS,
        timeoutMs: TIMEOUT_MS,
      }),
    );
    const questions = others.slice(AGAIN).map(async ({ control }, index) => {
      const bucket = first[(index + round) % first.length];
      if (bucket === undefined) return;
      const asks = [{ key, atMs: atMs + bucket.afterMs }];
      const [result] = await control.lookups({ asks, timeoutMs: LOOKUP_TIMEOUT_MS });
      bucket.asked++;
      if (result?.providers.includes(provider.id) === true) bucket.found++;
    });
    const addedMs = await provider.control.add({ keys: [key], atMs });
    await Promise.all(questions);
    for (const ms of await Promise.all(again)) {
      if (ms === null) againNever++;
      else againMs.push(ms - addedMs);
    }
  }
  const isGood = ({ asked, found }: { readonly asked: number; readonly found: number }) =>
    found >= asked * SHARE;
  const lastBad = first.findLastIndex((bucket) => !isGood(bucket));
  return {
    keys: count,
    firstQuestions: first,
    foundFromMs: count === 0 ? undefined : first[lastBad + 1]?.afterMs,
    againMs: summarize(againMs),
    againNever,
  };
}
