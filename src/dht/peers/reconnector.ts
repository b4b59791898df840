import type { Logger } from '../../observe/log.ts';
import { createBackoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { createKeyedBackoff } from '../../runtime/keyed-backoff.ts';
import { createSemaphore } from '../../runtime/semaphore.ts';
import { MAX_KNOWN_PEERS } from '../limits.ts';

const SECOND_MS = 1000;
/**
 * First wait before a peer that lost its connection is dialled again; it is passed over meanwhile. When several nodes
 * die at once all others dial them. What is left of the machines' time belongs to the clients that ask for content.
 */
export const RECONNECT_INITIAL_MS = 2 * SECOND_MS;
/** Peers that are dialled again at a time: a node whose own network was away has lost all of them. */
export const CONCURRENT_RECONNECTS = 8;
/** Peers that are dialled again, or wait for it: a peer that comes and goes with many identities must not fill this. */
const MAX_RECONNECTING = 512;
/** Longest wait between two tries. */
export const RECONNECT_MAX_MS = 10 * SECOND_MS;
/** Tries before a peer is given up: about 30 s, what a restart takes. It dials this node when it is back. */
export const RECONNECT_ATTEMPTS = 5;
/** First wait before a peer that counts as dead, and that another peer names, is dialled again. */
const PROBE_INITIAL_MS = SECOND_MS;
/** Longest wait: a node that is back is used at the latest so long after it is named. */
export const PROBE_MAX_MS = 30 * SECOND_MS;

/** The connections as the reconnector sees them. Peers are named by any string, always the same. */
export interface ReconnectorNetwork {
  isConnected(peer: string): boolean;
  /**
   * Connects, at the addresses (multiaddrs in binary) that another peer names or where the peer was before. Rejects
   * when it cannot within the time that a connection may take.
   */
  dial(peer: string, addresses: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
  /** Ends the connections to a peer, without asking it. */
  close(peer: string): void;
}

/** What createReconnector needs. */
export interface ReconnectorDeps {
  readonly network: ReconnectorNetwork;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called when a peer that has lost its connection, or was probed, cannot be dialled. */
  readonly onUnreachable: (peer: string) => void;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** Keeps the connections true: dials peers again that were lost, and drops peers that have left. */
export interface Reconnector extends AsyncDisposable {
  /** There is a connection to the peer. */
  connected(peer: string): void;
  /** A connection to the peer has ended. */
  disconnected(peer: string): void;
  /**
   * Tries to reach a peer that counts as dead and that another peer names: it may have come back. Works in the
   * background, and not often.
   */
  probe(peer: string, addresses: readonly Uint8Array[]): void;
  /** Takes a peer that has said that it leaves, or does not answer, for dead: it is not dialled until it is probed. */
  drop(peer: string): void;
  /** The connection to the peer is about to end, which is not a loss: the peer is dialled when it is needed. */
  parting(peer: string): void;
}

/** Starts to look after the connections of the node. */
export function createReconnector({
  network,
  logger,
  clock,
  onUnreachable,
  random = Math.random,
}: ReconnectorDeps): Reconnector {
  const stopped = new AbortController();
  const slots = createSemaphore(CONCURRENT_RECONNECTS);
  const reconnecting = new Map<string, Promise<void>>();
  /** Peers that are dialled again -> where others say meanwhile that they are. */
  const named = new Map<string, readonly Uint8Array[]>();
  /** Peers that were probed lately. */
  const probes = createKeyedBackoff(() => clock.nowMs(), {
    initialMs: PROBE_INITIAL_MS,
    maxMs: PROBE_MAX_MS,
    maxKeys: MAX_KNOWN_PEERS,
    random,
  });
  /** Peers that said that they leave: the end of their connection is not a loss. */
  const leaving = new Set<string>();

  const dial = async (peer: string, addresses: readonly Uint8Array[] = []) => {
    try {
      await slots.use(async () => {
        stopped.signal.throwIfAborted();
        if (network.isConnected(peer) || leaving.has(peer)) return;
        // Where others say meanwhile that it is.
        await network.dial(peer, named.get(peer) ?? addresses, stopped.signal);
      });
      return true;
    } catch {
      // It may have come by itself meanwhile, from where it is now.
      if (network.isConnected(peer)) return true;
      if (!stopped.signal.aborted) onUnreachable(peer);
      return false;
    }
  };
  const reconnect = async (peer: string) => {
    const backoff = createBackoff({ initialMs: RECONNECT_INITIAL_MS, maxMs: RECONNECT_MAX_MS, random });
    for (let attempt = 0; attempt < RECONNECT_ATTEMPTS; attempt++) {
      await clock.sleep(backoff.nextMs(), stopped.signal);
      if (network.isConnected(peer) || leaving.has(peer)) return;
      if ((await dial(peer)) || stopped.signal.aborted) return;
    }
    logger.debug('A peer has left', { peer });
  };
  const inBackground = (peer: string, work: () => Promise<void>) => {
    if (stopped.signal.aborted || reconnecting.has(peer)) return;
    // Each peer takes half a minute at most, and further peers come by themselves, or do not matter.
    if (reconnecting.size >= MAX_RECONNECTING) return;
    const running = work()
      .catch(() => {})
      .finally(() => {
        reconnecting.delete(peer);
        named.delete(peer);
        // A peer that is dialled has no connection whose end would be told.
        if (!network.isConnected(peer)) leaving.delete(peer);
      });
    reconnecting.set(peer, running);
  };

  return {
    connected(peer) {
      probes.forget(peer);
      leaving.delete(peer);
    },
    disconnected(peer) {
      if (!leaving.delete(peer)) inBackground(peer, async () => reconnect(peer));
    },
    probe(peer, addresses) {
      // The peer is back before it was given up.
      if (reconnecting.has(peer)) {
        named.set(peer, addresses);
        return;
      }
      if (!probes.start(peer)) return;
      inBackground(peer, async () => void (await dial(peer, addresses)));
    },
    drop(peer) {
      const isConnected = network.isConnected(peer);
      // Its goodbye may come after the end of its connection.
      if (isConnected || reconnecting.has(peer)) leaving.add(peer);
      if (isConnected) network.close(peer);
    },
    parting(peer) {
      if (network.isConnected(peer)) leaving.add(peer);
    },
    async [Symbol.asyncDispose]() {
      stopped.abort(new Error('The router has stopped'));
      await Promise.allSettled(reconnecting.values());
    },
  };
}
