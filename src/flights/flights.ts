import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import { createZoneOutages, type ZoneOutages } from '../routing/zone-outages.ts';
import type { FlightsReport } from '../routing/flights-report.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { FlightNetwork } from './flight-network.ts';
import { askForLeader, createFlightSeat, type FlightSeat } from './flight-seat.ts';
import { createLeaders, type ImageSource, type Led } from './leaders.ts';
import { createLedImages } from './led-images.ts';
import { createOwnFlights } from './own-flights.ts';
import { followDownload, type FollowedDownload } from './follow-download.ts';
import { createSeenFlights } from './seen-flights.ts';
import { createTower } from './tower.ts';

const SECOND_MS = 1000;
/**
 * What a tower may take: a second copy of a layer costs more, and without the leader that a manifest's tower names each
 * layer may go another way. A tower that was silent once is not asked again for a while.
 */
const TOWER_TIMEOUT_MS = 0.4 * SECOND_MS;

/** What createFlights needs. */
export interface FlightsDeps {
  readonly network: FlightNetwork;
  readonly store: Pick<ContentStore, 'downloads' | 'read' | 'stat'>;
  /** See OwnFlightsDeps. */
  readonly adoptsDownloads: boolean;
  /** Shared with transfers. Default: of its own. */
  readonly outages?: ZoneOutages | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What this node's client wants. */
export interface FlightRequest extends ImageSource {
  readonly kind: 'manifest' | 'blob';
  readonly digest: Digest;
  /** The client asks for the first of several ranges (containerd's concurrent_layer_fetch_buffer). Default false. */
  readonly isInRanges?: boolean;
  /** The client asks for what comes after the first byte. Default false. */
  readonly isLater?: boolean;
  readonly signal: AbortSignal;
}

/** One download feeds the cluster: which node goes upstream, and which takes the content from which. */
export interface Flights {
  /** The place of a request of this node's own client. */
  seat(request: FlightRequest): FlightSeat;
  /**
   * Takes note of what next() of the seat said, when it is acted on: this node's client goes upstream, or takes the
   * content from a peer.
   */
  taken(
    request: FlightRequest,
    from: 'upstream' | { readonly name: string; readonly leader: string | undefined },
  ): void;
  /** This node's client has left a body that came through the flight: it was stopped, or wants no more of it. */
  left(request: FlightRequest): void;
  /** This node's client asks, until the result is disposed. */
  asks(request: FlightRequest): Disposable;
  /**
   * The node did not answer, or does not download what it was to: if it was to download the image of the request, another
   * node is to do so.
   */
  lost(request: FlightRequest, name: string): void;
  /** True while this node is to download the image of the request for all. */
  leads(request: FlightRequest): boolean;
  /** True for a node whose mirror, which refuses connections, may be being updated: it has said goodbye, or has not ended. */
  mayComeBack(name: string): boolean;
  /** The node's own download of the digest, for another node to follow; see followDownload. */
  follow(digest: Digest): FollowedDownload | 'waiting' | undefined;
  /** True when others are not to wait for this node to download the digest: it was to, and is too slow, or gave it up. */
  isGivenUp(digest: Digest): boolean;
  /** True while bytes come to the node's own download of the digest, see OwnFlights. */
  isMoving(digest: Digest): boolean;
  /** Calls the listener when something happens to the node's own download of the digest. Returns what ends that. */
  onChange(digest: Digest, listener: () => void): () => void;
  /**
   * True when a request must not wait for long for what waits for its turn itself: downloads that this node's client was
   * sent upstream for have not begun, or this node leads an image with it, so that others wait for it. Never for a later one of
   * several ranges: for the first the client has the registry, too, for a later one it has only this mirror, and its pull fails.
   */
  isUrgent(request: FlightRequest): boolean;
  /** The node's own downloads, and the flights that it is a tower of; of one digest, if that is given. */
  report(digest?: Digest): Pick<FlightsReport, 'downloads' | 'flights' | 'towers'>;
  /** How many downloads this node has in flights: from upstream, and from other nodes. */
  count(): Readonly<Record<'root' | 'child', number>>;
  /** Works until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Puts the flights of a node together. */
export function createFlights(deps: FlightsDeps): Flights {
  const { network, store, adoptsDownloads, clock, logger, outages = createZoneOutages(clock) } = deps;
  const tower = createTower({
    clock,
    holdersOf: (digest) => network.holdersOf(digest),
    isThere: (name) => network.isThere(name),
    wasThere: (name) => network.peerOf(name) !== undefined,
    zoneOf: (name) => network.zoneOf(name),
    isPausing: (name) => network.isPausing(name),
  });
  const leaders = createLeaders(clock);
  const own = createOwnFlights({ network, tower, store, adoptsDownloads, clock, logger });
  const led = createLedImages({
    store,
    own,
    clock,
    logger,
    // The other nodes turn to another leader. What is left of the image, or when it is pulled again, this node takes from there, too.
    onGivenUp: (image) => leaders.lose(image, network.self),
  });
  own.onEnd((digest, isThere) => led.ended(digest, isThere));
  const seen = createSeenFlights({ network, own, downloads: store.downloads });
  network.serve(tower);
  /** Questions about the leader of a manifest that have no answer yet. */
  const electing = new Map<Digest, Promise<string | undefined>>();

  /** Asks the towers of the manifest who leads, after the nodes that did before: it may be this node. */
  const elect = async (image: ImageSource, { manifest, lost }: Led): Promise<string | undefined> => {
    const leader = await askForLeader(
      { network, tower, outages, clock, logger },
      { digest: manifest, bad: lost, towerTimeoutMs: TOWER_TIMEOUT_MS },
    );
    if (leader === undefined) return undefined;
    leaders.set(image, { manifest, leader });
    if (leader === network.self) await led.lead(manifest, image);
    return leader;
  };
  const leaderOf = async (image: ImageSource): Promise<string | undefined> => {
    const known = leaders.get(image);
    if (known === undefined || known.leader !== undefined) return known?.leader;
    const { manifest } = known;
    const running = electing.get(manifest) ?? elect(image, known).finally(() => electing.delete(manifest));
    electing.set(manifest, running);
    return running;
  };

  return {
    seat({ kind, digest, registry, repository, signal }) {
      const leader = async () =>
        kind === 'manifest'
          ? leaders.get({ registry, repository })?.leader
          : leaderOf({ registry, repository });
      return createFlightSeat(
        { network, tower, outages, clock, logger },
        { digest, leader, towerTimeoutMs: TOWER_TIMEOUT_MS, signal },
      );
    },
    taken({ kind, digest, registry, repository, isInRanges = false }, from) {
      const image = { registry, repository };
      own.take(digest, from === 'upstream', { isInRanges, isManifest: kind === 'manifest' });
      led.asked(digest);
      seen.taken(digest, { ...image, parent: from === 'upstream' ? undefined : from.name });
      // A layer of another image says nothing of who downloads this image.
      if (kind === 'manifest') {
        if (from === 'upstream') led.begin(digest, image);
        const leader = from === 'upstream' ? network.self : from.leader;
        if (leader !== undefined) leaders.set(image, { manifest: digest, leader });
      }
    },
    asks: ({ digest }) => own.asks(digest),
    left: ({ digest }) => own.left(digest),
    lost: ({ registry, repository }, name) => leaders.lose({ registry, repository }, name),
    leads: ({ registry, repository }) => leaders.get({ registry, repository })?.leader === network.self,
    mayComeBack: (name) => network.isPausing(name) || network.isThere(name),
    follow: (digest) =>
      followDownload({ store, own, led, onReader: (followed) => seen.onReader(followed) }, digest),
    isGivenUp: (digest) => own.isStuck(digest) || led.isGivenUp(digest),
    isMoving: (digest) => own.isMoving(digest),
    onChange(digest, listener) {
      const onChange = (changed: Digest) => {
        if (changed === digest) listener();
      };
      const ends = [store.downloads.subscribe(onChange), own.onEnd(onChange)];
      return () => {
        for (const end of ends) end();
      };
    },
    isUrgent({ kind, digest, isLater = false }) {
      if (isLater && own.isInRanges(digest)) return false;
      return own.hasQueued() || (kind === 'blob' && led.isLed(digest));
    },
    report: (digest) => ({
      downloads: seen.downloads(digest),
      flights: seen.trees(tower.flights(), digest),
      towers: digest === undefined ? undefined : seen.towersOf(digest),
    }),
    count() {
      const counts = { root: 0, child: 0 };
      for (const { isRoot } of own.list()) counts[isRoot ? 'root' : 'child']++;
      return counts;
    },
    run: (signal) => own.run(signal),
  };
}
