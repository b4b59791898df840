import type { Peer } from '../../routing/router.ts';
import type { PeerLife } from '../peers/peer-states.ts';
import { lruSet } from '../../runtime/lru-set.ts';
import { REPLICATION } from '../limits.ts';
import { contentMultihash, keyspacePosition } from '../wire/content-key.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import { createFreshPeers } from './fresh-peers.ts';
import { createLookupCache } from './lookup-cache.ts';
import type {
  LookupOutcome,
  Provider,
  ProviderLookups,
  ProviderLookupsDeps,
} from './provider-lookups-contract.ts';
import { type ProviderQuery, startProviderSearch } from './provider-search.ts';
import { createSingleflight } from './singleflight.ts';

const MINUTE_MS = 60 * 1000;
/** A key that was absent by one peer's word is searched for when it is looked up again within so long. */
const BELIEVED_FOR_MS = 5 * MINUTE_MS;
/** Such keys that are remembered. */
const MAX_BELIEVED = 5000;

/** Makes the lookups of a node. */
export function createProviderLookups(deps: ProviderLookupsDeps): ProviderLookups {
  const { records, describe, lifeOf, detector, toProvider, observer, clock, random = Math.random } = deps;
  const selfName = deps.self.toHex();
  const kept = createLookupCache<Provider>(clock);
  const fresh = createFreshPeers(clock);
  /** Until when no peer's word is enough for a key. */
  const believed = new Map<string, number>();
  /** Beginning anywhere: what comes first is asked first, and the order is the same on all nodes. */
  const rotated = (providers: readonly Provider[]) => {
    const start = Math.floor(random() * providers.length);
    return [...providers.slice(start), ...providers.slice(0, start)];
  };
  const isUnsure = ({ name }: Provider) => lifeOf(name) === 'alive' && detector.isQuiet(name);

  /** A peer that is connected has said itself where it is. Another peer that names it may be out of date, or lie. */
  const toOwnWord = (peer: NamedPeer) => {
    const name = peer.id.toHex();
    const life = lifeOf(name);
    if (life === 'dead') deps.onDeadNamed?.(peer);
    return (life === 'alive' ? describe(name) : undefined) ?? peer;
  };
  const providerOf = (peer: NamedPeer) => toProvider(toOwnWord(peer));
  const searches = createSingleflight<ProviderQuery, Provider>((query, listeners) =>
    startProviderSearch(
      { ...deps, kept, isUnsure, providerOf, isFresh: (name) => fresh.isFresh(name) },
      query,
      listeners,
    ),
  );
  const recorded = (key: string) =>
    records.providersOf(contentMultihash(key)).flatMap((name) => {
      const peer = describe(name);
      return peer === undefined ? [] : (providerOf(peer) ?? []);
    });

  return {
    async *lookup(key, { signal, limit, beforeAsking }) {
      if (signal.aborted || limit < 1) return;
      const seen = new Set([selfName]);
      const suspect: Provider[] = [];
      let left = limit;
      let isFirst = true;
      const isWanted = (provider: Provider) => {
        if (seen.has(provider.name)) return false;
        seen.add(provider.name);
        const life: PeerLife = lifeOf(provider.name);
        if (life === 'suspect') suspect.push(provider);
        return life === 'alive' || life === 'unknown';
      };
      const take = ({ id, addresses, name }: Provider, outcome: LookupOutcome): Peer => {
        if (isFirst) observer?.lookupEnded(outcome);
        isFirst = false;
        left--;
        return { id, addresses, zone: deps.zoneOf(name) };
      };

      /** Providers that the search probes first. */
      const unsure: Provider[] = [];
      for (const provider of rotated(recorded(key))) {
        if (signal.aborted || left === 0) return;
        if (isUnsure(provider)) unsure.push(provider);
        else if (isWanted(provider)) yield take(provider, 'record');
      }
      const before = kept.get(key);
      for (const provider of rotated(before ?? [])) {
        if (signal.aborted || left === 0) return;
        if (isUnsure(provider)) unsure.push(provider);
        else if (isWanted(provider)) yield take(provider, 'kept');
      }
      // That there was no provider a moment ago is an answer. The providers of a moment ago may not be enough.
      const isAnswered = before?.length === 0 && unsure.length === 0;
      if (signal.aborted || left === 0) return;
      if (!isAnswered) {
        if (!isFirst) await beforeAsking?.();
        for await (const provider of searches.join(key, { key, unsure }, signal)) {
          if (isWanted(provider)) yield take(provider, 'network');
          if (signal.aborted || left === 0) return;
        }
      }
      for (const provider of suspect) {
        if (signal.aborted || left === 0) return;
        yield take(provider, 'network');
      }
      if (isFirst) observer?.lookupEnded('nobody');
    },
    absent(key, by) {
      const nowMs = clock.nowMs();
      const isKnown = kept.get(key) !== undefined;
      if (isKnown || fresh.hasFresh() || nowMs < (believed.get(key) ?? 0)) return;
      const position = keyspacePosition(contentMultihash(key));
      if (!deps.peers.isAmongClosest(by, position, REPLICATION)) return;
      lruSet(believed, key, nowMs + BELIEVED_FOR_MS, MAX_BELIEVED);
      kept.keep(key, []);
    },
    peerJoined: (name) => fresh.met(name),
  };
}
