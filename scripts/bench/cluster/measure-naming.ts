import type { Digest } from '../../../src/oci/digest.ts';
import { quantile } from '../statistics.ts';
import type { BenchCluster, BenchNode } from './bench-cluster.ts';
import { epochMs } from './epoch-ms.ts';
import { pick } from './pick.ts';

/** How long some nodes were named as providers after they were none any more. Ms from that moment. */
export interface NamedResult {
  /** When the last lookup started that named one; 0 if none did. */
  readonly lastMs: number;
  /** The same for half of the askers: the median of each one's last. */
  readonly medianLastMs: number;
  /** Lookups, and those of them that named one. */
  readonly lookups: number;
  readonly named: number;
  /** True if it was still so when time was up. */
  readonly isStillNamed: boolean;
}

/** Lookups per node and round. */
const KEYS_PER_ROUND = 2;
const ROUND_MS = 1_000;
const LOOKUP_TIMEOUT_MS = 900;
/** Nobody was told for this long: nobody will be, in ms. Longer than any peer is left alone after a failure at first. */
const QUIET_MS = 12_000;

/** Asks all askers again and again for what the nodes provided, until none of those is named for 12 s or time is up. */
export async function measureNaming(
  cluster: BenchCluster,
  {
    gone,
    sinceMs,
    timeoutMs,
  }: {
    readonly gone: readonly { readonly node: BenchNode; readonly keys: readonly Digest[] }[];
    readonly sinceMs: number;
    readonly timeoutMs: number;
  },
): Promise<NamedResult> {
  const goneNodes = new Set(gone.map(({ node }) => node));
  const askers = cluster.live().filter((node) => !goneNodes.has(node));
  const lastMs = new Map(askers.map((asker) => [asker, 0]));
  let lookups = 0;
  let named = 0;
  const latest = () => Math.max(...lastMs.values());
  while (epochMs() - sinceMs < timeoutMs && epochMs() - sinceMs - latest() < QUIET_MS) {
    const roundMs = epochMs();
    await Promise.all(
      askers.map(async (asker) => {
        const targets = Array.from({ length: KEYS_PER_ROUND }, () => pick(gone));
        const asks = targets.map(({ keys }) => ({
          key: pick(keys),
          atMs: roundMs + Math.random() * ROUND_MS,
        }));
        const results = await asker.control.lookups({ asks, timeoutMs: LOOKUP_TIMEOUT_MS });
        for (const [index, { startedMs, providers }] of results.entries()) {
          lookups++;
          const id = targets[index]?.node.id;
          if (id === undefined || !providers.includes(id)) continue;
          named++;
          lastMs.set(asker, Math.max(lastMs.get(asker) ?? 0, startedMs - sinceMs));
        }
      }),
    );
  }
  return {
    lastMs: latest(),
    medianLastMs: quantile([...lastMs.values()], 0.5),
    lookups,
    named,
    isStillNamed: epochMs() - sinceMs - latest() < QUIET_MS,
  };
}

/** Asks all other nodes once for keys of the node, so that what they remember of them is fresh. */
export async function askOnce(
  cluster: BenchCluster,
  node: BenchNode,
  keys: readonly Digest[],
): Promise<void> {
  await Promise.all(
    cluster
      .live()
      .filter((other) => other !== node)
      .map(async ({ control }) => {
        const asks = Array.from({ length: KEYS_PER_ROUND }, () => ({
          key: pick(keys),
          atMs: epochMs() + Math.random() * ROUND_MS,
        }));
        await control.lookups({ asks, timeoutMs: LOOKUP_TIMEOUT_MS });
      }),
  );
}
