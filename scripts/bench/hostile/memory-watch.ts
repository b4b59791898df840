import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../../lab/lab-node.ts';

/** What a bounded node used while it was watched. Sizes in bytes. */
export interface MemoryWatch {
  readonly oomKills: number;
  /** The largest charges of memory and of TCP, added up: on v1 they are counted apart and may be of different moments. */
  readonly peakBytes: number;
  readonly peakTcpBytes: number;
  /** The largest charge that was seen at any one moment, and what of it was page cache. */
  readonly sampledPeakBytes: number;
  readonly sampledCacheBytes: number;
  /** How long after the start of the watch the daemon ended, in ms; undefined: it runs. */
  readonly endedAfterMs: number | undefined;
  /** Mean charge in each quarter of the time until loadEnded() was called. */
  readonly quarterBytes: readonly number[];
}

/** Often enough to see what lasts a moment, seldom enough not to be felt, in ms. */
const SAMPLE_MS = 25;
const QUARTERS = 4;

/** Watches the node until stop() is called. */
export function watchMemory({ mirror }: LabNode): {
  /** Resolves when the daemon has ended. */
  readonly ended: Promise<void>;
  /** What comes now is the rest after the load. */
  loadEnded(): void;
  stop(): Promise<MemoryWatch>;
} {
  const ended = Promise.withResolvers<void>();
  const done = new AbortController();
  const startedMs = performance.now();
  let endedAfterMs: number | undefined;
  let sampledPeakBytes = 0;
  let sampledCacheBytes = 0;
  let isLoaded = true;
  const underLoad: number[] = [];
  const look = () => {
    const charge = mirror.memory?.charge();
    if (charge !== undefined && isLoaded && mirror.running) underLoad.push(charge.totalBytes);
    if (charge !== undefined && charge.totalBytes > sampledPeakBytes) {
      sampledPeakBytes = charge.totalBytes;
      sampledCacheBytes = charge.cacheBytes;
    }
    if (mirror.running || endedAfterMs !== undefined) return;
    endedAfterMs = performance.now() - startedMs;
    ended.resolve();
  };
  const watching = (async () => {
    while (!done.signal.aborted) {
      look();
      await sleep(SAMPLE_MS, undefined, { signal: done.signal }).catch(() => undefined);
    }
  })();
  return {
    ended: ended.promise,
    loadEnded: () => {
      isLoaded = false;
    },
    stop: async () => {
      done.abort();
      await watching;
      look();
      const use = mirror.memoryUse();
      return {
        oomKills: use.oomKills,
        // On v2 that of TCP is in the peak.
        peakBytes: Math.max(
          use.isTcpApart ? use.peakBytes + use.peakTcpBytes : use.peakBytes,
          sampledPeakBytes,
        ),
        peakTcpBytes: use.peakTcpBytes,
        sampledPeakBytes,
        sampledCacheBytes,
        endedAfterMs,
        quarterBytes: Array.from({ length: QUARTERS }, (_, n) => {
          const at = (quarter: number) => Math.floor((underLoad.length * quarter) / QUARTERS);
          const part = underLoad.slice(at(n), at(n + 1));
          return part.reduce((sum, bytes) => sum + bytes, 0) / Math.max(1, part.length);
        }),
      };
    },
  };
}
