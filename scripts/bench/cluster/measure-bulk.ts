// One node has 2,000 new keys at once: when do their records stand where they belong, when are they found, at what cost?
import { waitFor } from '../../lab/wait-for.ts';
import { type Summary, summarize } from '../statistics.ts';
import type { BenchCluster, BenchNode } from './bench-cluster.ts';
import { benchKeys } from './bench-keys.ts';
import { spreadOf, type Spread, withCpu } from './cpu.ts';
import { epochMs } from './epoch-ms.ts';
import { nearestNodes } from './nearest-nodes.ts';
import { pick, sample } from './pick.ts';

/** All times in ms from when the store had the keys. */
export interface BulkResult {
  readonly keys: number;
  /** Of sampled keys: until the first of the nearest nodes had the record, the nearest three, all twenty. */
  readonly firstOfNearestMs: Summary | undefined;
  readonly nearestThreeMs: Summary | undefined;
  readonly allNearestMs: Summary | undefined;
  /** Sampled keys, and how many of them were everywhere in time. */
  readonly sampled: number;
  readonly sampledInPlace: number;
  /** Records of all keys at the nearest twenty of each, at the end; 1 is all. */
  readonly shareInPlace: number;
  readonly providerCpuSeconds: number;
  readonly otherCpuSeconds: Spread;
  /** Part of otherCpuSeconds that watching for the records took, largest of all nodes. */
  readonly watchingSeconds: number;
  /** What the CPU seconds are of. */
  readonly lastedMs: number;
  /** A second time, with other keys: until a random node found a sampled key, asking every 200 ms. */
  readonly foundMs: Summary | undefined;
  readonly found: number;
}

const REPLICATION = 20;
const ALL = 1;
const QUORUM = 3;
const SAMPLED = 100;
const TIMEOUT_MS = 30_000;
/** Commands reach all nodes within this, in ms. */
const LEAD_MS = 500;
/** No record came for this long: it is over, in ms. */
const QUIET_MS = 2_000;
const POLL_INTERVAL_MS = 200;

/** Measures; the name makes the keys new ones. */
export async function measureBulk(
  cluster: BenchCluster,
  { keys: count, name }: { readonly keys: number; readonly name: string },
): Promise<BulkResult> {
  const provider = pick(cluster.live());
  const records = await measureRecords(cluster, provider, benchKeys(`bulk ${name}`, count));
  const found = await measureFinding(cluster, provider, benchKeys(`bulk found ${name}`, count));
  return { keys: count, ...records, ...found };
}

async function measureRecords(
  cluster: BenchCluster,
  provider: BenchNode,
  keys: ReturnType<typeof benchKeys>,
) {
  const others = cluster.live().filter((node) => node !== provider);
  const sampled = sample(keys, SAMPLED);
  const nearest = new Map(sampled.map((key) => [key, nearestNodes(key, others, REPLICATION)]));
  const { result, cpu } = await withCpu(cluster.live(), async () => {
    const atMs = epochMs() + LEAD_MS;
    const watching = others.map(async (node) => {
      const watched = sampled.filter((key) => nearest.get(key)?.includes(node.node) === true);
      const { seenMs, watchingMs } = await node.control.watchRecords({
        keys: watched,
        provider: provider.id,
        timeoutMs: TIMEOUT_MS,
      });
      return { node, seen: new Map(watched.map((key, index) => [key, seenMs[index] ?? null])), watchingMs };
    });
    const addedMs = await provider.control.add({ keys, atMs });
    const seen = await Promise.all(watching);
    await untilQuiet(others);
    return { addedMs, seen };
  });

  const seenBy = new Map(result.seen.map(({ node, seen }) => [node.node, seen]));
  const times = sampled.map((key) =>
    (nearest.get(key) ?? []).flatMap((node) => seenBy.get(node)?.get(key) ?? Number.POSITIVE_INFINITY),
  );
  const until = (of: (ms: readonly number[]) => number) =>
    summarize(times.map((ms) => of(ms) - result.addedMs).filter(Number.isFinite));
  const counts = await Promise.all(
    others.map(async (node) => {
      const expected = keys.filter((key) => nearestNodes(key, others, REPLICATION).includes(node.node));
      return {
        expected: expected.length,
        there: await node.control.countRecords({ keys: expected, provider: provider.id }),
      };
    }),
  );
  const sum = (of: (each: (typeof counts)[number]) => number) =>
    counts.reduce((total, each) => total + of(each), 0);
  return {
    firstOfNearestMs: until((ms) => Math.min(...ms)),
    nearestThreeMs: until((ms) => Math.max(...ms.slice(0, QUORUM))),
    allNearestMs: until((ms) => Math.max(...ms)),
    sampled: sampled.length,
    sampledInPlace: times.filter((ms) => ms.every(Number.isFinite)).length,
    shareInPlace:
      sum(({ there }) => there) /
      Math.max(
        ALL,
        sum(({ expected }) => expected),
      ),
    providerCpuSeconds: cpu.seconds.get(provider) ?? 0,
    otherCpuSeconds: spreadOf(others.map((node) => cpu.seconds.get(node) ?? 0)),
    watchingSeconds: Math.max(...result.seen.map(({ watchingMs }) => watchingMs)) / 1000,
    lastedMs: cpu.lastedMs,
  };
}

async function untilQuiet(nodes: readonly BenchNode[]): Promise<void> {
  let before = -1;
  let sinceMs = performance.now();
  await waitFor(
    'records to come to rest',
    async () => {
      const states = await Promise.all(nodes.map(async ({ control }) => control.state({})));
      const records = states.reduce((sum, state) => sum + state.records, 0);
      if (records !== before) sinceMs = performance.now();
      before = records;
      return performance.now() - sinceMs > QUIET_MS;
    },
    { timeoutMs: TIMEOUT_MS, intervalMs: 500 },
  ).catch(() => {});
}

async function measureFinding(
  cluster: BenchCluster,
  provider: BenchNode,
  keys: ReturnType<typeof benchKeys>,
) {
  const others = cluster.live().filter((node) => node !== provider);
  const atMs = epochMs() + LEAD_MS;
  const searches = sample(keys, SAMPLED).map(async (key) =>
    pick(others).control.findWithRetries({
      key,
      provider: provider.id,
      // Spread, so that they do not come all at once.
      fromMs: atMs + Math.random() * POLL_INTERVAL_MS,
      everyMs: POLL_INTERVAL_MS,
      timeoutMs: TIMEOUT_MS,
    }),
  );
  const addedMs = await provider.control.add({ keys, atMs });
  const foundMs = (await Promise.all(searches)).flatMap((ms) => (ms === null ? [] : [ms - addedMs]));
  return { foundMs: summarize(foundMs), found: foundMs.length };
}
