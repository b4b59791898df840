import type { Logger } from '../observe/log.ts';
import { createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Bootstrapper, BootstrapPeer } from './bootstrapper.ts';
import {
  BOOTSTRAP_GRACE_MS,
  BOOTSTRAP_RETRY_INITIAL_MS,
  BOOTSTRAP_RETRY_MAX_MS,
  REBOOTSTRAP_INTERVAL_MS,
  REBOOTSTRAP_JITTER,
} from './limits.ts';

/** The network as bootstrapping sees it. */
export interface BootstrapNetwork {
  /** True if the peer is this node, by its ID or by its address. */
  isSelf(peer: BootstrapPeer): boolean;
  /** Connects; resolves to false when the address turned out to be this node's own. Rejects when it cannot connect. */
  connect(peer: BootstrapPeer, signal: AbortSignal): Promise<boolean>;
  /** Peers that this node knew before; tried when all connections are lost. */
  knownPeers(): Promise<readonly BootstrapPeer[]>;
  /** True while this node has peers. */
  hasPeers(): boolean;
  /** Resolves when hasPeers may have changed; rejects when the signal aborts. */
  peersChanged(signal: AbortSignal): Promise<void>;
}

/** What keepConnected needs. */
export interface StayingConnectedDeps {
  readonly bootstrapper: Bootstrapper;
  readonly network: BootstrapNetwork;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called once, when peers are known or there is nobody but this node. */
  readonly onReady: () => void;
  /** Told how each round of bootstrapping has ended, for metrics. */
  readonly onOutcome?: (outcome: BootstrapOutcome) => void;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/** How one round of bootstrapping ended; `alone`: nobody but this node is named. */
export type BootstrapOutcome = 'joined' | 'alone' | 'failed';

/**
 * Bootstraps at the start, again when all peers are lost (with backoff), and every 30 minutes, until the signal
 * aborts; then it resolves. Failures are logged and tried again, never thrown.
 */
export async function keepConnected(deps: StayingConnectedDeps, signal: AbortSignal): Promise<void> {
  const { network, logger, clock, random = Math.random } = deps;
  const backoff = createBackoff({
    initialMs: BOOTSTRAP_RETRY_INITIAL_MS,
    maxMs: BOOTSTRAP_RETRY_MAX_MS,
    random,
  });
  let last: BootstrapOutcome | undefined;
  let isReady = false;
  const setReady = () => {
    if (isReady) return;
    isReady = true;
    deps.onReady();
  };
  untilHasPeers(network)(signal)
    .then(setReady)
    .catch(() => {});
  clock
    .sleep(BOOTSTRAP_GRACE_MS, signal)
    .then(setReady)
    .catch(() => {});

  while (!signal.aborted) {
    const { outcome, error } = await bootstrapOnce(deps, signal);
    if (signal.aborted) return;
    deps.onOutcome?.(outcome);
    if (outcome !== last) logOutcome(logger, outcome, deps.bootstrapper.kind, error);
    last = outcome;
    if (outcome === 'alone') setReady();
    if (network.hasPeers()) {
      setReady();
      backoff.reset();
      // A cluster that started together must not fall upon the lowest addresses together ever after.
      const waitMs = REBOOTSTRAP_INTERVAL_MS * (1 + random() * REBOOTSTRAP_JITTER);
      await pause(clock, signal, waitMs, whileHasPeers(network));
      if (!network.hasPeers()) last = undefined;
    } else {
      await pause(clock, signal, backoff.nextMs(), untilHasPeers(network));
    }
  }
}

async function bootstrapOnce(
  { bootstrapper, network }: StayingConnectedDeps,
  signal: AbortSignal,
): Promise<{ outcome: BootstrapOutcome; error?: unknown }> {
  let named: readonly BootstrapPeer[] = [];
  let error: unknown;
  try {
    named = await bootstrapper.peers(signal);
  } catch (cause) {
    error = cause;
  }
  const others = named.filter((peer) => !network.isSelf(peer));
  const known = network.hasPeers() ? [] : await network.knownPeers().catch(() => []);
  const { isJoined, failure } = await dialByRank(network, { others, known }, signal);
  if (isJoined) return { outcome: 'joined' };
  error ??= failure;
  return error === undefined ? { outcome: 'alone' } : { outcome: 'failed', error };
}

/** Dials the peers that bootstrap names, rank by rank until one is connected; those known from before with the first. */
async function dialByRank(
  network: BootstrapNetwork,
  { others, known }: { readonly others: readonly BootstrapPeer[]; readonly known: readonly BootstrapPeer[] },
  signal: AbortSignal,
): Promise<{ isJoined: boolean; failure?: unknown }> {
  const byRank = Map.groupBy(others, ({ rank = 0 }) => rank);
  const ranks =
    byRank.size === 0 ? [[]] : [...byRank.keys()].sort((a, b) => a - b).map((rank) => byRank.get(rank) ?? []);
  let failure: unknown;
  for (const [index, peers] of ranks.entries()) {
    const dialled = index === 0 ? [...peers, ...known] : peers;
    const attempts = await Promise.allSettled(dialled.map(async (peer) => network.connect(peer, signal)));
    const isJoined = attempts.some((attempt) => attempt.status === 'fulfilled' && attempt.value);
    if (isJoined) return { isJoined };
    // One that bootstrap does not name any more may be gone: that is no failure.
    failure ??= attempts.slice(0, peers.length).find((attempt) => attempt.status === 'rejected')?.reason;
    if (signal.aborted || network.hasPeers()) break;
  }
  return { isJoined: false, failure };
}

function logOutcome(logger: Logger, outcome: BootstrapOutcome, kind: string, error: unknown): void {
  if (outcome === 'joined') logger.info('Joined the cluster', { bootstrap: kind });
  else if (outcome === 'alone') logger.info('Bootstrap names nobody but this node', { bootstrap: kind });
  else logger.warn('Cannot bootstrap, trying again', { bootstrap: kind, error });
}

/** Waits until the time is over or the condition holds. */
async function pause(
  clock: Clock,
  signal: AbortSignal,
  ms: number,
  condition: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  await Promise.race([clock.sleep(ms, either), condition(either)]).catch(() => {});
  done.abort();
}

function whileHasPeers(network: BootstrapNetwork) {
  return async (signal: AbortSignal): Promise<void> => {
    while (network.hasPeers()) await network.peersChanged(signal);
  };
}

function untilHasPeers(network: BootstrapNetwork) {
  return async (signal: AbortSignal): Promise<void> => {
    while (!network.hasPeers()) await network.peersChanged(signal);
  };
}
