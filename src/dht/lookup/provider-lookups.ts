import type { LookupOptions, Peer } from '../../routing/router.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Timers } from '../../runtime/timers.ts';
import { contentMultihash } from '../wire/content-key.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import type { ProvidersAnswer } from '../wire/get-providers-message.ts';
import type { FailureDetector } from '../peers/failure-detector.ts';
import { createLookupCache } from './lookup-cache.ts';
import { REPLICATION } from '../limits.ts';
import type { PeerLife } from '../peers/peer-states.ts';
import type { PeerTable } from '../peers/peer-table.ts';
import type { ProviderRecords } from '../provide/provider-records.ts';
import { startIterativeLookup } from './iterative-lookup.ts';
import { createSingleflight } from './singleflight.ts';

const SECOND_MS = 1000;
/** For this long a peer that was just met may lack records that belong to it: its neighbours send them within a second or two. */
const FRESH_PEER_MS = 3 * SECOND_MS;

/** How lookups reach other nodes. */
export interface LookupNetwork {
  /** Asks a peer who provides the content. Rejects when it does not answer. */
  ask(peer: NamedPeer, multihash: Uint8Array): Promise<ProvidersAnswer>;
  /** True while it makes no sense to wait for the peer. */
  isSilent(peer: NamedPeer): boolean;
}

/** A provider that can be asked for content, as the Router names it. */
export interface Provider extends Peer {
  /** Its name in this room, hex. */
  readonly name: string;
}

/** What createProviderLookups needs. */
export interface ProviderLookupsDeps {
  /** This node's ID. */
  readonly self: Uint8Array;
  readonly network: LookupNetwork;
  readonly records: Pick<ProviderRecords, 'providersOf'>;
  readonly peers: Pick<PeerTable, 'closest'>;
  /** A provider with the addresses that it gives of itself, see PeerBook. */
  readonly describe: (name: string) => NamedPeer | undefined;
  /** How a peer is, see PeerBook. */
  readonly lifeOf: (name: string) => PeerLife;
  /** See FailureDetector: one that is quiet is asked before it is handed out. */
  readonly detector: Pick<FailureDetector, 'isQuiet' | 'confirm'>;
  /** The peer as others see it; undefined when it has no address that this node may go to. */
  readonly toProvider: (peer: NamedPeer) => Provider | undefined;
  /** Told of a provider that is left out because it is dead, as it was named: it may have come back, elsewhere. */
  readonly onDeadNamed?: (peer: NamedPeer) => void;
  /** Told of a peer that takes long to answer. */
  readonly onSlow?: (peer: NamedPeer) => void;
  readonly observer?: LookupObserver;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly timers: Timers;
}

/** Gets what a lookup did, for metrics. */
export interface LookupObserver {
  /** A walk through the network has ended, by itself or because nobody listened any more. */
  walkEnded(walk: { readonly durationMs: number; readonly asked: number; readonly found: number }): void;
  /** A lookup yielded its first provider, or ended without any. */
  lookupEnded(outcome: LookupOutcome): void;
}

/** Where a lookup's first provider came from. */
export type LookupOutcome = 'record' | 'kept' | 'network' | 'nobody';

/** Looks up who provides what. */
export interface ProviderLookups {
  /**
   * Yields the peers that provide the key, one for each time that it is asked: those that this node keeps a record of,
   * those that it found a moment ago, and only then the network's, as they are found. Peers that are dead are left
   * out, those whose connection has just ended come last. Ends when the signal aborts, without throwing.
   */
  lookup(key: string, options: LookupOptions): AsyncGenerator<Peer, void, undefined>;
  /** Tells of a peer that has just been met: its records may still be on their way to it. */
  peerJoined(name: string): void;
}

/** What is searched for. */
interface Search {
  readonly key: string;
  /** Providers that are known, and are to be asked first whether they are there. */
  readonly unsure: readonly Provider[];
}

/** Makes the lookups of a node. */
export function createProviderLookups(deps: ProviderLookupsDeps): ProviderLookups {
  const { network, records, peers, describe, lifeOf, detector, toProvider, observer, clock, timers } = deps;
  const selfName = deps.self.toHex();
  const kept = createLookupCache<Provider>(clock);
  /** Name -> when the peer was met, the latest last. */
  const metMs = new Map<string, number>();
  /** True for one that is to be asked first whether it is there. */
  const isUnsure = ({ name }: Provider) => lifeOf(name) === 'alive' && detector.isQuiet(name);
  const isAwake = ({ name }: { readonly name: string }) => lifeOf(name) !== 'dead';

  /** Who is connected has said itself where it is: somebody who names it may be out of date, or lie. */
  const toOwnWord = (peer: NamedPeer) => {
    const name = peer.id.toHex();
    const life = lifeOf(name);
    if (life === 'dead') deps.onDeadNamed?.(peer);
    return (life === 'alive' ? describe(name) : undefined) ?? peer;
  };

  const searches = createSingleflight<Search, Provider>(({ key, unsure }, { found, ended }) => {
    const startedMs = clock.nowMs();
    const all = new Map<string, Provider>();
    let asked = 0;
    /** What is to end before there is nobody more: the walk, and questions to those who are quiet. */
    let open = 1;
    let isStopped = false;
    const note = () => observer?.walkEnded({ durationMs: clock.nowMs() - startedMs, asked, found: all.size });
    const give = (providers: readonly Provider[]) => {
      for (const provider of providers) all.set(provider.name, provider);
      found(providers);
    };
    const offer = (providers: readonly Provider[]) => {
      const { quiet = [], heard = [] } = Object.groupBy(providers, (provider) =>
        isUnsure(provider) ? 'quiet' : 'heard',
      );
      give(heard);
      for (const provider of quiet) {
        open++;
        void detector.confirm(provider.name).then((isThere) => {
          if (isStopped) return;
          // Its connection may have ended meanwhile: that one comes last, as ever.
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
          // Each of the k holds the record: those that can be asked without a handshake first.
          const closest = peers.closest(position, REPLICATION, isAwake);
          return [
            ...closest.filter(({ isConnected }) => isConnected),
            ...closest.filter(({ isConnected }) => !isConnected),
          ];
        },
        async ask(peer, multihash) {
          asked++;
          return network.ask(peer, multihash);
        },
        // Those that others name as close are not waited for either while this node knows better.
        isSilent: (peer) => network.isSilent(peer) || !isAwake({ name: peer.id.toHex() }),
        onSlow: (peer) => deps.onSlow?.(peer),
        isFresh: ({ id }) => clock.nowMs() - (metMs.get(id.toHex()) ?? -Infinity) < FRESH_PEER_MS,
        timers,
      },
      contentMultihash(key),
      {
        onProviders(named) {
          offer(named.flatMap((peer) => toProvider(toOwnWord(peer)) ?? []));
        },
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
  });

  const recorded = (key: string) =>
    records.providersOf(contentMultihash(key)).flatMap((name) => {
      const peer = describe(name);
      return peer === undefined ? [] : (toProvider(toOwnWord(peer)) ?? []);
    });

  return {
    async *lookup(key, { signal, limit }) {
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
      const take = ({ id, addresses }: Provider, outcome: LookupOutcome): Peer => {
        if (isFirst) observer?.lookupEnded(outcome);
        isFirst = false;
        left--;
        return { id, addresses };
      };

      /** The search asks them. */
      const unsure: Provider[] = [];
      for (const provider of recorded(key)) {
        if (signal.aborted || left === 0) return;
        if (isUnsure(provider)) unsure.push(provider);
        else if (isWanted(provider)) yield take(provider, 'record');
      }
      const before = kept.get(key);
      for (const provider of before ?? []) {
        if (signal.aborted || left === 0) return;
        if (isUnsure(provider)) unsure.push(provider);
        else if (isWanted(provider)) yield take(provider, 'kept');
      }
      // That there was nobody a moment ago is an answer; that there was somebody may not be enough.
      const isAnswered = before?.length === 0 && unsure.length === 0;
      if (signal.aborted || left === 0) return;
      if (!isAnswered) {
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
    peerJoined(name) {
      const nowMs = clock.nowMs();
      for (const [each, ms] of metMs) {
        if (nowMs - ms < FRESH_PEER_MS) break;
        metMs.delete(each);
      }
      metMs.delete(name);
      metMs.set(name, nowMs);
    },
  };
}
