import type { KadDHT } from '@libp2p/kad-dht';

import type { LookupOptions, Peer } from '../routing/router.ts';
import { contentCid } from './content-key.ts';
import { peerIps } from './peer-addresses.ts';

/** What lookupProviders needs. */
export interface LookupDeps {
  readonly dht: Pick<KadDHT, 'findProviders'>;
  /** This node's peer ID. */
  readonly self: string;
  readonly allowLoopback: boolean;
}

/**
 * Yields the peers that provide the key as they are found: those that this node keeps a record of first, then
 * the network's. Ends when the signal aborts, without throwing, and leaves no stream open.
 */
export async function* lookupProviders(
  { dht, self, allowLoopback }: LookupDeps,
  key: string,
  { signal, limit }: LookupOptions,
): AsyncGenerator<Peer, void, undefined> {
  if (signal.aborted || limit < 1) return;
  const stop = new AbortController();
  const found = dht.findProviders(contentCid(key), { signal: AbortSignal.any([signal, stop.signal]) });
  const events = found[Symbol.asyncIterator]();
  const aborted = abortOf(signal);
  const seen = new Set([self]);
  try {
    for (;;) {
      const step = await Promise.race([events.next(), aborted.promise]);
      if (step === undefined || step.done === true) return;
      if (step.value.name !== 'PROVIDER') continue;
      for (const { id, multiaddrs } of step.value.providers) {
        const peerId = id.toString();
        const addresses = peerIps(multiaddrs, allowLoopback);
        if (addresses.length === 0 || seen.has(peerId)) continue;
        seen.add(peerId);
        yield { id: peerId, addresses };
        if (signal.aborted || seen.size > limit) return;
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    aborted.forget();
    stop.abort();
    // Waits for the step under way, which the abort ends; nobody needs its outcome.
    events.return?.().catch(() => {});
  }
}

function abortOf(signal: AbortSignal) {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => resolve(undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}
