import type { Digest } from '../oci/digest.ts';
import type { FlightDownloadReport, FlightTreeReport } from '../routing/flights-report.ts';
import type { Peer } from '../routing/router.ts';
import { countDown, countUp } from '../runtime/key-counts.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { FlightNetwork } from './flight-network.ts';
import { TOWERS } from './flight-seat.ts';
import type { ImageSource } from './leaders.ts';
import type { OwnFlights } from './own-flights-contract.ts';
import type { FlightState } from './tower.ts';

/** What createSeenFlights needs. */
export interface SeenFlightsDeps {
  readonly network: Pick<FlightNetwork, 'peerOf' | 'towersOf'>;
  readonly own: Pick<OwnFlights, 'isPromised' | 'list' | 'onEnd'>;
  readonly downloads: Pick<ContentStore['downloads'], 'get'>;
}

/** For which image a download is, and the node from which it comes, if that is another one. */
interface Taken extends ImageSource {
  readonly parent: string | undefined;
}

/** The node's flights for those who look at the node: what no decision needs, and the names of nodes as peers. */
export interface SeenFlights {
  /** The node's client takes the digest from there. */
  taken(digest: Digest, from: Taken): void;
  /** Another node begins to follow the node's download of the digest. Returns what ends that. */
  onReader(digest: Digest): () => void;
  /** The node's own downloads; of one digest, if that is given. */
  downloads(digest?: Digest): readonly FlightDownloadReport[];
  /** The trees with their nodes as peers. */
  trees(flights: readonly FlightState[], digest?: Digest): readonly FlightTreeReport[];
  towersOf(digest: Digest): readonly Peer[];
}

/** Makes the view of a node that has no flights yet. */
export function createSeenFlights({ network, own, downloads }: SeenFlightsDeps): SeenFlights {
  const takenFrom = new Map<Digest, Taken>();
  const readers = new Map<Digest, number>();
  own.onEnd((digest) => {
    // A download that stands still is listed on.
    if (!own.isPromised(digest)) takenFrom.delete(digest);
  });
  const idOf = (name: string) => network.peerOf(name)?.id ?? name;
  const toPeer = (name: string): Peer => {
    const { id, addresses } = network.peerOf(name) ?? { id: name, addresses: [] };
    return { id, addresses };
  };
  const towersOf = (digest: Digest) => network.towersOf(digest, TOWERS).map(toPeer);

  return {
    taken(digest, from) {
      // Of more flights than a node keeps, nothing is kept here either.
      if (own.isPromised(digest)) takenFrom.set(digest, from);
    },
    onReader(digest) {
      countUp(readers, digest);
      let isOver = false;
      return () => {
        if (!isOver) countDown(readers, digest);
        isOver = true;
      };
    },
    downloads: (digest) =>
      own
        .list()
        .filter((flight) => digest === undefined || flight.digest === digest)
        .map(({ digest, isRoot, isStuck }) => {
          const { registry, repository, parent } = takenFrom.get(digest) ?? {};
          const { writtenBytes = 0, sizeBytes } = downloads.get(digest) ?? {};
          return {
            digest,
            registry,
            repository,
            role: isRoot ? 'root' : 'child',
            parent: isRoot || parent === undefined ? undefined : toPeer(parent),
            writtenBytes,
            sizeBytes,
            readers: readers.get(digest) ?? 0,
            isStuck,
            towers: towersOf(digest),
          };
        }),
    trees: (flights, digest) =>
      flights
        .filter((flight) => digest === undefined || flight.digest === digest)
        .map(({ digest, members }) => ({
          digest,
          nodes: members.map(({ id, parent, ...member }) => ({
            ...member,
            ...toPeer(id),
            parent: parent === undefined ? undefined : idOf(parent),
          })),
        })),
    towersOf,
  };
}
