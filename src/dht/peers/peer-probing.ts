import type { Clock } from '../../runtime/clock.ts';
import { CONNECTION_TARGET, QUIET_AFTER_MS } from '../limits.ts';
import type { Notices } from '../notices.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import { createFailureDetector, type FailureDetector } from './failure-detector.ts';
import type { PeerBook } from './peer-book-contract.ts';
import type { PeerTable } from './peer-table.ts';
import { createProbeAssignment } from './probe-assignment.ts';

const SECOND_MS = 1000;
/**
 * How long a peer may be quiet in a cluster too large to assign the probes. Many nodes probe it, so each does seldom.
 */
const PING_ALONE_AFTER_MS = 30 * SECOND_MS;

/** What createPeerProbing needs. */
export interface PeerProbingDeps {
  /** This node's position in the keyspace. */
  readonly position: Uint8Array;
  readonly peers: Pick<PeerTable, 'all' | 'get' | 'size'>;
  readonly book: Pick<PeerBook, 'get' | 'lifeOf' | 'happened'>;
  readonly notices: Pick<Notices, 'suspects'>;
  /** Sends the peer no message at all, and resolves when it says that it has taken that. */
  readonly ping: (peer: NamedPeer) => Promise<void>;
  readonly clock: Clock;
}

/**
 * The failure detector of a node with all that it decides with: which peers this node probes, and what the book and
 * the other nodes are told. `maxConnections` is how many connections the node has at most.
 */
export function createPeerProbing(
  { position, peers, book, notices, ping, clock }: PeerProbingDeps,
  maxConnections: number,
): FailureDetector {
  const assignment = createProbeAssignment({
    position,
    peers,
    canWatch: (name) => book.get(name)?.capabilities.notices === true && book.lifeOf(name) !== 'dead',
    isSuspect: (name) => book.lifeOf(name) === 'suspect',
    nowMs: () => clock.nowMs(),
  });
  const named = (name: string) => ({ name, id: Uint8Array.fromHex(name) });
  return createFailureDetector({
    clock,
    *connected() {
      for (const peer of peers.all()) if (peer.isConnected) yield peer.name;
    },
    askAfterMs: (name) => assignment.askAfterMs(name),
    pingAloneAfterMs: () =>
      peers.size > Math.min(CONNECTION_TARGET, maxConnections) ? PING_ALONE_AFTER_MS : QUIET_AFTER_MS,
    onSuspicion: (names) => notices.suspects(names),
    async ping(name) {
      const peer = peers.get(name);
      if (peer !== undefined) await ping(peer);
    },
    onBack: (name) => book.happened('answered', named(name)),
    onSilent: (name) => book.happened('silenced', named(name)),
    onGivenUp: (name) => book.happened('abandoned', named(name)),
  });
}
