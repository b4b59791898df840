// Nodes die, hang, or no longer have something: for how long is anybody sent to them, and what fails meanwhile?
import { waitFor } from '../../lab/wait-for.ts';
import { type Summary, summarize } from '../statistics.ts';
import type { BenchCluster, BenchNode } from './bench-cluster.ts';
import { benchKeys } from './bench-keys.ts';
import { epochMs } from './epoch-ms.ts';
import { blobUrl, keysOf } from './measure-lookups.ts';
import { askOnce, measureNaming, type NamedResult } from './measure-naming.ts';
import { pick, sample } from './pick.ts';

/** Requests through the mirror in a span of time. */
export interface RequestFigures {
  /** Ms after the kill. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly requests: number;
  readonly failed: number;
  readonly tookMs: Summary | undefined;
}

/** Until a node that was hanging and goes on is named again, in ms, for each of the other nodes; null for never. */
export interface ReturnResult {
  readonly namedAgainMs: Summary | undefined;
  readonly never: number;
}

const NAMING_TIMEOUT_MS = 60_000;
const RETURN_TIMEOUT_MS = 30_000;
const RETURN_INTERVAL_MS = 500;
const SHARED_KEYS = 20;
const HOLDERS = 5;
const SURVIVORS = 1;
const REQUESTS_PER_SECOND = 20;
const REQUEST_SECONDS = 20;
const SPANS_MS = [0, 2_000, 10_000, REQUEST_SECONDS * 1000];
const SETTLE_MS = 5_000;
const OK = 200;

/** SIGKILL for some nodes at once. */
export async function measureKill(cluster: BenchCluster, count: number): Promise<NamedResult> {
  const victims = sample(cluster.live(), count);
  const [first] = victims;
  if (first !== undefined) await askOnce(cluster, first, keysOf(cluster, first));
  const sinceMs = epochMs();
  await Promise.all(victims.map(async ({ daemon }) => daemon.kill()));
  const gone = victims.map((node) => ({ node, keys: keysOf(cluster, node) }));
  return measureNaming(cluster, { gone, sinceMs, timeoutMs: NAMING_TIMEOUT_MS });
}

/** SIGSTOP for one node, then SIGCONT. */
export async function measureHang(
  cluster: BenchCluster,
): Promise<{ readonly hung: NamedResult; readonly returned: ReturnResult }> {
  const node = pick(cluster.live());
  const keys = keysOf(cluster, node);
  await askOnce(cluster, node, keys);
  const sinceMs = epochMs();
  node.daemon.signal('SIGSTOP');
  const hung = await measureNaming(cluster, {
    gone: [{ node, keys }],
    sinceMs,
    timeoutMs: NAMING_TIMEOUT_MS,
  });
  const goesOnMs = epochMs();
  node.daemon.signal('SIGCONT');
  const others = cluster.live().filter((other) => other !== node);
  const againMs = await Promise.all(
    others.map(async ({ control }) =>
      control.findWithRetries({
        key: pick(keys),
        provider: node.id,
        fromMs: goesOnMs + Math.random() * RETURN_INTERVAL_MS,
        everyMs: RETURN_INTERVAL_MS,
        timeoutMs: RETURN_TIMEOUT_MS,
      }),
    ),
  );
  const named = againMs.flatMap((ms) => (ms === null ? [] : [ms - goesOnMs]));
  return { hung, returned: { namedAgainMs: summarize(named), never: againMs.length - named.length } };
}

/** A node removes all of its first keys. */
export async function measureWithdraw(cluster: BenchCluster): Promise<NamedResult> {
  const node = pick(cluster.live());
  const keys = keysOf(cluster, node);
  await askOnce(cluster, node, keys);
  const sinceMs = await node.control.remove({ keys, atMs: 0 });
  const result = await measureNaming(cluster, {
    gone: [{ node, keys }],
    sinceMs,
    timeoutMs: NAMING_TIMEOUT_MS,
  });
  await node.control.add({ keys, atMs: 0 });
  return result;
}

/** Five nodes have the same keys and four of them are killed: HEAD requests through the mirrors of all who lack them. */
export async function measureHolders(
  cluster: BenchCluster,
  name: string,
): Promise<readonly RequestFigures[]> {
  const keys = benchKeys(`shared ${name}`, SHARED_KEYS);
  const holders = sample(cluster.live(), HOLDERS);
  await Promise.all(holders.map(async ({ control }) => control.add({ keys, atMs: 0 })));
  const askers = cluster.live().filter((node) => !holders.includes(node));
  await Bun.sleep(SETTLE_MS);
  const url = () => blobUrl(pick(askers), pick(keys));
  await waitFor('the shared keys to be found', async () => isServed(cluster, askers, keys));
  const requests = cluster.client.heads({
    urls: Array.from({ length: REQUEST_SECONDS * REQUESTS_PER_SECOND }, url),
    perSecond: REQUESTS_PER_SECOND,
    budgetMs: REQUEST_SECONDS * 1000,
  });
  const sinceMs = epochMs();
  await Promise.all(holders.slice(SURVIVORS).map(async ({ daemon }) => daemon.kill()));
  const answers = await requests;
  return SPANS_MS.slice(1).map((toMs, index) => {
    const fromMs = SPANS_MS[index] ?? 0;
    const within = answers.filter(({ startedMs }) => {
      const afterMs = startedMs - sinceMs;
      return afterMs >= fromMs && afterMs < toMs;
    });
    return {
      fromMs,
      toMs,
      requests: within.length,
      failed: within.filter(({ status }) => status !== OK).length,
      tookMs: summarize(within.map(({ tookMs }) => tookMs)),
    };
  });
}

async function isServed(
  cluster: BenchCluster,
  askers: readonly BenchNode[],
  keys: ReturnType<typeof benchKeys>,
): Promise<boolean> {
  const answers = await cluster.client.heads({
    urls: keys.map((key) => blobUrl(pick(askers), key)),
    budgetMs: SETTLE_MS,
  });
  return answers.length === keys.length && answers.every(({ status }) => status === OK);
}
