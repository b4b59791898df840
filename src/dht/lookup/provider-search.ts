import { REPLICATION } from '../limits.ts';
import { contentMultihash } from '../wire/content-key.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import { startIterativeLookup } from './iterative-lookup.ts';
import type { LookupCache } from './lookup-cache.ts';
import type { Provider, ProviderLookupsDeps } from './provider-lookups-contract.ts';
import type { SearchListeners } from './singleflight.ts';

/** What is searched for. */
export interface ProviderQuery {
  readonly key: string;
  /** Providers that are known, and are to be probed first. */
  readonly unsure: readonly Provider[];
}

/** What startProviderSearch needs. */
export interface ProviderSearchDeps extends Pick<
  ProviderLookupsDeps,
  'self' | 'network' | 'peers' | 'lifeOf' | 'detector' | 'onSlow' | 'observer' | 'clock' | 'timers'
> {
  /** Gets what is found. */
  readonly kept: LookupCache<Provider>;
  /** True for a provider that is to be probed before it is handed out. */
  readonly isUnsure: (provider: Provider) => boolean;
  /** The peer as a provider; undefined when it cannot be asked for content. */
  readonly providerOf: (peer: NamedPeer) => Provider | undefined;
  /** True while the peer, by its name, may not have all records yet that belong to it. */
  readonly isFresh: (name: string) => boolean;
}

/**
 * Walks through the network, and at the same time probes the providers that are quiet. Ends when the walk and all of
 * these probes have ended.
 */
export function startProviderSearch(
  deps: ProviderSearchDeps,
  { key, unsure }: ProviderQuery,
  { found, ended }: SearchListeners<Provider>,
): { stop(): void } {
  const { network, peers, lifeOf, detector, observer, clock, timers, kept } = deps;
  const startedMs = clock.nowMs();
  const all = new Map<string, Provider>();
  let asked = 0;
  /** How much has to end first: the walk, and probes of providers that are quiet. */
  let open = 1;
  let isStopped = false;

  const isAwake = (name: string) => lifeOf(name) !== 'dead';
  const note = () => observer?.walkEnded({ durationMs: clock.nowMs() - startedMs, asked, found: all.size });
  const give = (providers: readonly Provider[]) => {
    for (const provider of providers) all.set(provider.name, provider);
    found(providers);
  };
  const offer = (providers: readonly Provider[]) => {
    const { quiet = [], heard = [] } = Object.groupBy(providers, (provider) =>
      deps.isUnsure(provider) ? 'quiet' : 'heard',
    );
    give(heard);
    for (const provider of quiet) {
      open++;
      void detector.confirm(provider.name).then((isThere) => {
        if (isStopped) return;
        // Its connection may have ended meanwhile: then it comes last, as ever.
        if (isThere || lifeOf(provider.name) === 'suspect') give([provider]);
        close();
      });
    }
  };
  const close = () => {
    if (--open > 0) return;
    kept.keep(key, [...all.values()]);
    note();
    ended();
  };
  const walk = startIterativeLookup(
    {
      self: { id: deps.self, addresses: [] },
      closestPeers(position) {
        // Each of the k peers holds the record. The peers that can be asked without a handshake come first.
        const closest = peers.closest(position, REPLICATION, ({ name }) => isAwake(name));
        return [
          ...closest.filter(({ isConnected }) => isConnected),
          ...closest.filter(({ isConnected }) => !isConnected),
        ];
      },
      async ask(peer, multihash) {
        asked++;
        return network.ask(peer, multihash);
      },
      // Peers that others name as close are not waited for either while this node knows better.
      isSilent: (peer) => network.isSilent(peer) || !isAwake(peer.id.toHex()),
      onSlow: (peer) => deps.onSlow?.(peer),
      isFresh: ({ id }) => deps.isFresh(id.toHex()),
      timers,
    },
    contentMultihash(key),
    {
      onProviders: (named) => offer(named.flatMap((peer) => deps.providerOf(peer) ?? [])),
      onEnd: close,
    },
  );
  offer(unsure);
  return {
    stop() {
      isStopped = true;
      walk.stop();
      if (all.size > 0) kept.keep(key, [...all.values()]);
      note();
    },
  };
}
