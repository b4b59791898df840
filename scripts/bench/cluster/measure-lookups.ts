// How long does a node ask for what others have, and for what nobody has, and what does that cost all of them?
import type { Digest } from '../../../src/oci/digest.ts';
import { type Summary, summarize } from '../statistics.ts';
import type { BenchCluster, BenchNode } from './bench-cluster.ts';
import { benchKeys } from './bench-keys.ts';
import { withCpu } from './cpu.ts';
import { epochMs } from './epoch-ms.ts';
import { NODE_PORTS } from './node-commands.ts';
import { pick } from './pick.ts';

/** Lookups of one kind. */
export interface LookupFigures {
  readonly tookMs: Summary | undefined;
  /** Share within the mirror's budget of 20 ms. */
  readonly within20Ms: number;
  /** Share that ended as it should: found, or not. */
  readonly right: number;
  /** Of all nodes together, what they do when idle included. */
  readonly cpuMsPerLookup: number;
}

/** Of the router alone, up to the first provider or the end; and of HEAD requests through the mirror. */
export interface LookupsResult {
  readonly router: { readonly present: LookupFigures; readonly absent: LookupFigures };
  readonly mirror: { readonly present: LookupFigures; readonly absent: LookupFigures };
}

const BUDGET_MS = 20;
/** Lookups of the router per second, all nodes together: one at a time more or less, as the requests are. */
const PER_SECOND = 40;
const LOOKUP_TIMEOUT_MS = 1_000;
const LEAD_MS = 300;
/** Requests to each mirror before anything is measured. */
const WARM_UPS = 5;
/** Requests of one kind end after this long, however few were answered. */
const BUDGET_OF_ALL_MS = 60_000;
const OK = 200;
const NOT_FOUND = 404;

interface Question {
  readonly asker: BenchNode;
  readonly key: Digest;
}

/** So many of each kind, from random nodes, each node asking for another key each time. */
export async function measureLookups(
  cluster: BenchCluster,
  { lookups: count, name }: { readonly lookups: number; readonly name: string },
): Promise<LookupsResult> {
  const asked = new Set<string>();
  const present = (asker = pick(cluster.live())): Question => {
    for (;;) {
      const holder = pick(cluster.live());
      const key = pick(keysOf(cluster, holder));
      const question = `${asker.node} ${key}`;
      if (asker === holder || asked.has(question)) continue;
      asked.add(question);
      return { asker, key };
    }
  };
  // Functions that run for the first time cost ten times as much.
  const warmUps = cluster.live().flatMap((asker) => Array.from({ length: WARM_UPS }, () => present(asker)));
  await askMirrors(cluster, warmUps, OK);
  const absent = benchKeys(`absent ${name}`, 2 * count).map((key) => ({ asker: pick(cluster.live()), key }));
  const some = () => Array.from({ length: count }, () => present());
  return {
    router: {
      present: await askRouters(cluster, some(), true),
      absent: await askRouters(cluster, absent.slice(0, count), false),
    },
    mirror: {
      present: await askMirrors(cluster, some(), OK),
      absent: await askMirrors(cluster, absent.slice(count), NOT_FOUND),
    },
  };
}

/** The keys that the node was started with. */
export function keysOf(cluster: BenchCluster, { name }: BenchNode): Digest[] {
  return benchKeys(name, cluster.keysPerNode);
}

/** Where the mirror of a node answers for a key. */
export function blobUrl({ endpoint }: BenchNode, key: Digest): string {
  return `http://${endpoint.ipv4}:${NODE_PORTS.registry}/v2/bench/blobs/${key}?ns=registry.bench`;
}

async function askRouters(
  cluster: BenchCluster,
  questions: readonly Question[],
  isPresent: boolean,
): Promise<LookupFigures> {
  const { result, cpu } = await withCpu(cluster.live(), async () => {
    const startMs = epochMs() + LEAD_MS;
    const byAsker = new Map<BenchNode, { key: Digest; atMs: number }[]>();
    for (const [index, { asker, key }] of questions.entries()) {
      const asks = byAsker.get(asker) ?? [];
      asks.push({ key, atMs: startMs + (index * 1000) / PER_SECOND });
      byAsker.set(asker, asks);
    }
    const answers = await Promise.all(
      Array.from(byAsker, async ([{ control }, asks]) =>
        control.lookups({ asks, timeoutMs: LOOKUP_TIMEOUT_MS }),
      ),
    );
    return answers.flat();
  });
  return figures(
    result.map(({ startedMs, firstMs, endedMs }) => (firstMs ?? endedMs) - startedMs),
    result.filter(({ providers }) => providers.length > 0 === isPresent).length,
    [...cpu.seconds.values()],
  );
}

async function askMirrors(
  cluster: BenchCluster,
  questions: readonly Question[],
  status: number,
): Promise<LookupFigures> {
  const { result, cpu } = await withCpu(cluster.live(), async () =>
    cluster.client.heads({
      urls: questions.map(({ asker, key }) => blobUrl(asker, key)),
      budgetMs: BUDGET_OF_ALL_MS,
    }),
  );
  return figures(
    result.map(({ tookMs }) => tookMs),
    result.filter((each) => each.status === status).length,
    [...cpu.seconds.values()],
  );
}

function figures(tookMs: readonly number[], right: number, cpuSeconds: readonly number[]): LookupFigures {
  const count = Math.max(1, tookMs.length);
  return {
    tookMs: summarize(tookMs),
    within20Ms: tookMs.filter((ms) => ms <= BUDGET_MS).length / count,
    right: right / count,
    cpuMsPerLookup: (cpuSeconds.reduce((sum, each) => sum + each, 0) * 1000) / count,
  };
}
