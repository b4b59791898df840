import { writeFile } from 'node:fs/promises';
import type { P2pRouter } from '../../../src/p2p/p2p-router-contract.ts';
import type { Advertiser } from '../../../src/routing/advertiser.ts';
import type { BenchStore } from './bench-store.ts';
import { epochMs, untilEpochMs } from './epoch-ms.ts';
import type { LookupResult, NodeCommands, NodeConfig } from './node-commands.ts';
import { sample } from './pick.ts';

/**
 * How often a few of the records are looked at while they are awaited, in ms, and after how many such looks all are.
 * What watches must not be what is measured: see watchingMs.
 */
const WATCH_INTERVAL_MS = 10;
const FULL_LOOK_ROUNDS = 10;
const GLANCE = 2;
/** How often the start is looked at, in ms. The router's figures are not cheap: with 20 looks a second they were half of the load. */
const READY_INTERVAL_MS = 20;
const CONNECTED_INTERVAL_MS = 500;
/** More providers than any key has. */
const LOOKUP_LIMIT = 20;

interface NodeParts {
  readonly store: BenchStore;
  readonly router: P2pRouter;
  readonly advertiser: Advertiser;
}

/** What the node does for the bench. Starts to look when it is ready and connected. */
export function createNodeOrders(
  { store, router, advertiser }: NodeParts,
  { others }: NodeConfig,
): NodeCommands {
  let readyMs: number | undefined;
  let connectedToAllMs: number | undefined;
  void (async () => {
    for (; !router.ready(); await Bun.sleep(READY_INTERVAL_MS));
    readyMs = epochMs();
    for (; router.stats().peers.connected < others; await Bun.sleep(CONNECTED_INTERVAL_MS));
    connectedToAllMs = epochMs();
  })();
  const isRecorded = (key: string, provider: string) => router.recorded(key).includes(provider);
  const lookup = async (key: string, timeoutMs: number): Promise<LookupResult> => {
    const startedMs = epochMs();
    const providers: string[] = [];
    let firstMs: number | undefined;
    const signal = AbortSignal.timeout(timeoutMs);
    for await (const { id } of router.lookup(key, { signal, limit: LOOKUP_LIMIT })) {
      firstMs ??= epochMs();
      providers.push(id);
    }
    return { startedMs, firstMs, endedMs: epochMs(), providers };
  };

  return {
    async state() {
      const { peers, records } = router.stats();
      const advertised = [...advertiser.counts().contentDigests.values()].reduce((sum, n) => sum + n, 0);
      const { id } = router.self();
      return { id, readyMs, connectedToAllMs, connectedPeers: peers.connected, records, advertised };
    },
    async add({ keys, atMs }) {
      await untilEpochMs(atMs);
      const addedMs = epochMs();
      store.add(keys);
      return addedMs;
    },
    async remove({ keys, atMs }) {
      await untilEpochMs(atMs);
      const removedMs = epochMs();
      store.remove(keys);
      return removedMs;
    },
    async watchRecords({ keys, provider, timeoutMs }) {
      const seenMs: (number | null)[] = keys.map(() => null);
      const missing = new Set(keys.keys());
      const endMs = epochMs() + timeoutMs;
      let watchingMs = 0;
      const look = (indices: Iterable<number>) => {
        const startedMs = epochMs();
        let found = 0;
        for (const index of indices) {
          if (!isRecorded(keys[index] ?? '', provider)) continue;
          seenMs[index] = startedMs;
          missing.delete(index);
          found++;
        }
        watchingMs += epochMs() - startedMs;
        return found;
      };
      for (let round = 0; missing.size > 0 && epochMs() < endMs; round++) {
        // Records come many at a time: a few tell whether it is worth looking at the rest.
        const isWorthIt = round % FULL_LOOK_ROUNDS === 0 || look(sample([...missing], GLANCE)) > 0;
        if (isWorthIt) look(missing);
        await Bun.sleep(WATCH_INTERVAL_MS);
      }
      return { seenMs, watchingMs };
    },
    countRecords: async ({ keys, provider }) => keys.filter((key) => isRecorded(key, provider)).length,
    lookups: async ({ asks, timeoutMs }) =>
      Promise.all(
        asks.map(async ({ key, atMs }) => {
          await untilEpochMs(atMs);
          return lookup(key, timeoutMs);
        }),
      ),
    async findWithRetries({ key, provider, fromMs, everyMs, timeoutMs }) {
      await untilEpochMs(fromMs);
      for (let atMs = fromMs; atMs < fromMs + timeoutMs; atMs += everyMs) {
        await untilEpochMs(atMs);
        const { providers, firstMs } = await lookup(key, everyMs * 2);
        if (providers.includes(provider) && firstMs !== undefined) return firstMs;
      }
      return null;
    },
    async startProfile() {
      await (await profiler()).start();
    },
    async stopProfile({ path }) {
      await writeFile(path, JSON.stringify(await (await profiler()).stop()));
    },
  };
}

/** Made when it is asked for: its module would weigh on the memory that is measured. */
let loadedProfiler: Promise<{ start(): Promise<void>; stop(): Promise<unknown> }> | undefined;

async function profiler() {
  loadedProfiler ??= (async () => {
    const { Session } = await import('node:inspector/promises');
    const session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    return {
      start: async () => {
        await session.post('Profiler.start');
      },
      stop: async () => (await session.post('Profiler.stop')).profile,
    };
  })();
  return loadedProfiler;
}
