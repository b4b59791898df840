// Does a node's memory grow when a cluster lives for an hour: content comes and goes, nodes are asked, one hangs now and then?
import type { BenchCluster } from './bench-cluster.ts';
import { benchKeys } from './bench-keys.ts';
import { epochMs } from './epoch-ms.ts';
import { measureMemory, type MemoryResult } from './measure-idle.ts';
import { blobUrl, keysOf } from './measure-lookups.ts';
import { pick } from './pick.ts';

/** Memory of all nodes at one moment. */
export interface SoakSample extends MemoryResult {
  readonly minute: number;
}

/** What an hour, or as long as it was, has shown. */
export interface SoakResult {
  /** One for each part of the time, the first after the first part. */
  readonly samples: readonly SoakSample[];
  readonly requests: number;
}

const SAMPLES = 12;
const ROUND_MS = 5_000;
/** Keys that come and go in each round. */
const KEYS_PER_ROUND = 50;
const REQUESTS_PER_ROUND = 20;
/** One round in so many has a node that hangs for all of it. */
const ROUNDS_PER_HANG = 24;
const MINUTE_MS = 60_000;

/** Lasts that long. */
export async function measureSoak(
  cluster: BenchCluster,
  { minutes, name }: { readonly minutes: number; readonly name: string },
): Promise<SoakResult> {
  const samples: SoakSample[] = [];
  const startedMs = epochMs();
  const sinceMs = () => epochMs() - startedMs;
  const rounds = Math.max(SAMPLES, Math.round((minutes * MINUTE_MS) / ROUND_MS));
  const perSample = Math.floor(rounds / SAMPLES);
  let requests = 0;
  for (let round = 1; round <= perSample * SAMPLES; round++) {
    const { control, daemon } = pick(cluster.live());
    const keys = benchKeys(`soak ${name} ${round}`, KEYS_PER_ROUND);
    const hangs = round % ROUNDS_PER_HANG === 0;
    if (hangs) daemon.signal('SIGSTOP');
    else await control.add({ keys, atMs: 0 });
    const urls = Array.from({ length: REQUESTS_PER_ROUND }, () => {
      const asked = pick([
        ...keys,
        ...keysOf(cluster, pick(cluster.nodes)),
        ...benchKeys(`nobody ${round}`, 5),
      ]);
      return blobUrl(pick(cluster.live()), asked);
    });
    requests += (await cluster.client.heads({ urls, budgetMs: ROUND_MS })).length;
    await Bun.sleep(Math.max(0, round * ROUND_MS - sinceMs()));
    if (hangs) daemon.signal('SIGCONT');
    else await control.remove({ keys, atMs: 0 });
    if (round % perSample !== 0) continue;
    samples.push({ minute: sinceMs() / MINUTE_MS, ...(await measureMemory(cluster)) });
    cluster.say(`soak: ${JSON.stringify(samples.at(-1))}`);
  }
  return { samples, requests };
}
