import type { Logger } from '../observe/log.ts';
import { createBackoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { BootstrapOutcome } from '../routing/router.ts';
import { BootstrapError, type Bootstrapper, type BootstrapPeer, NoNodeNamedError } from './bootstrapper.ts';
import { TCP_TIMEOUT_MS } from './limits.ts';
import { createSeedRejoin } from './seed-rejoin.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
/** Bootstrapping again heals a cluster that fell apart into two that each have peers. */
export const REBOOTSTRAP_INTERVAL_MS = 30 * MINUTE_MS;
/** Up to this share is added to the interval at random. */
const REBOOTSTRAP_JITTER = 0.1;
/** First wait after a bootstrap that found no peer: nodes of a new cluster start within the same second. */
const BOOTSTRAP_RETRY_INITIAL_MS = 250;
/** Longest wait: a node that started before its bootstrap peer joins this soon after the peer is up. */
export const BOOTSTRAP_RETRY_MAX_MS = 5 * SECOND_MS;
/**
 * After it has connected to a peer, a node waits so long for what the peer says of itself before it bootstraps again.
 */
const JOINED_PAUSE_MS = 5 * SECOND_MS;
/** A node whose bootstrap fails for this long counts as ready: alone it serves its own containerd all the same. */
export const BOOTSTRAP_GRACE_MS = 5 * SECOND_MS;
/** Peers that bootstrapping dials at a time: one peer that answers is enough. */
export const BOOTSTRAP_DIALS = 3;
/** The next peers are dialled as well when none of these has answered by then: these may hang. */
const BOOTSTRAP_GROUP_MS = 2 * SECOND_MS;

/** The network as bootstrapping sees it. */
export interface BootstrapNetwork {
  /** True if the peer is this node, by its ID or by its address. */
  isSelf(peer: BootstrapPeer): boolean;
  /** Connects; resolves to false when the address turned out to be this node's own. Rejects when it cannot connect. */
  connect(peer: BootstrapPeer, signal: AbortSignal): Promise<boolean>;
  /** True while this node has a connection to the peer, or cannot tell: it never dialled a peer without ID. */
  isConnected(peer: BootstrapPeer): boolean;
  /** Peers that this node knew before; tried when all connections are lost. */
  knownPeers(): Promise<readonly BootstrapPeer[]>;
  /** True while this node has peers. */
  hasPeers(): boolean;
  /** Nodes that are connected. */
  peerCount(): number;
  /** Resolves when hasPeers or isConnected may have changed; rejects when the signal aborts, or has before. */
  peersChanged(signal: AbortSignal): Promise<void>;
}

/** What runBootstrapLoop needs. */
export interface BootstrapLoopDeps {
  readonly bootstrapper: Bootstrapper;
  readonly network: BootstrapNetwork;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called once, when peers are known or there is no node but this one. */
  readonly onReady: () => void;
  /** Told how each round of bootstrapping has ended, with the error of `unnamed` and `failed`. */
  readonly onOutcome?: (outcome: BootstrapOutcome, error: unknown) => void;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: () => number;
}

/**
 * Bootstraps at the start, again when all peers are lost (with backoff), and every 30 minutes, until the signal aborts;
 * then it resolves. Failures are logged and tried again, never thrown. A peer of the lowest rank that is lost is looked
 * for as well, see createSeedRejoin. After a restart it may know no peer that it could dial, as the node that all
 * others start from.
 */
export async function runBootstrapLoop(deps: BootstrapLoopDeps, signal: AbortSignal): Promise<void> {
  const { network, logger, clock, random = Math.random } = deps;
  const backoff = createBackoff({
    initialMs: BOOTSTRAP_RETRY_INITIAL_MS,
    maxMs: BOOTSTRAP_RETRY_MAX_MS,
    random,
  });
  const rejoin = createSeedRejoin({
    isConnected: (peer) => network.isConnected(peer),
    changed: async (stopped) => network.peersChanged(stopped),
    peerCount: () => network.peerCount(),
    search: async (followed, stopped) => lookFor(followed, stopped),
    clock,
    random,
  });
  /**
   * Asks again which peers are to be dialled first, and dials those that are not connected. Resolves to all of these
   * peers.
   */
  const lookFor = async (before: readonly BootstrapPeer[], stopped: AbortSignal) => {
    let first = before;
    try {
      first = byRank(await others(deps, stopped))[0] ?? [];
    } catch (error) {
      logger.debug('Bootstrap names nobody now, dialling those that it named', { error });
    }
    const missing = first.filter((peer) => !network.isConnected(peer));
    // Other peers the next time, if there are many.
    const start = Math.floor(random() * missing.length);
    const chosen = [...missing.slice(start), ...missing.slice(0, start)].slice(0, BOOTSTRAP_DIALS);
    await Promise.allSettled(chosen.map(async (peer) => network.connect(peer, stopped)));
    return first;
  };
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
    const { outcome, error, ranks } = await bootstrapOnce(deps, signal);
    if (signal.aborted) return;
    deps.onOutcome?.(outcome, error);
    if (outcome !== last) logOutcome(logger, outcome, deps.bootstrapper.kind, error);
    last = outcome;
    if (outcome === 'alone' || outcome === 'unnamed') setReady();
    if (network.hasPeers()) {
      setReady();
      backoff.reset();
      // A cluster that started together must not fall upon the lowest addresses together ever after.
      const waitMs = REBOOTSTRAP_INTERVAL_MS * (1 + random() * REBOOTSTRAP_JITTER);
      if (ranks !== undefined) rejoin.follow(ranks[0] ?? []);
      await pause(clock, signal, waitMs, whileHasPeers(network), async (stopped) => rejoin.watch(stopped));
      if (!network.hasPeers()) last = undefined;
    } else {
      // A connected peer counts when it has said what it is, which takes a busy peer a while.
      const waitMs = outcome === 'joined' ? JOINED_PAUSE_MS : backoff.nextMs();
      await pause(clock, signal, waitMs, untilHasPeers(network));
    }
  }
}

async function bootstrapOnce(
  deps: BootstrapLoopDeps,
  signal: AbortSignal,
): Promise<{ outcome: BootstrapOutcome; error?: unknown; ranks?: readonly BootstrapPeer[][] | undefined }> {
  const { network } = deps;
  let ranks: BootstrapPeer[][] | undefined;
  let error: unknown;
  let unnamed: NoNodeNamedError | undefined;
  try {
    ranks = byRank(await others(deps, signal));
  } catch (cause) {
    if (cause instanceof NoNodeNamedError) unnamed = cause;
    else error = cause;
  }
  const known = network.hasPeers() ? [] : await network.knownPeers().catch(() => []);
  const { isJoined, failure } = await dialByRank(deps, { ranks: ranks ?? [], known }, signal);
  if (isJoined) return { outcome: 'joined', ranks };
  error ??= failure;
  if (error !== undefined) return { outcome: 'failed', error, ranks };
  return unnamed === undefined ? { outcome: 'alone', ranks } : { outcome: 'unnamed', error: unnamed, ranks };
}

/** The peers that bootstrap names, but for this node. Rejects as Bootstrapper.peers does. */
async function others(
  { bootstrapper, network }: Pick<BootstrapLoopDeps, 'bootstrapper' | 'network'>,
  signal: AbortSignal,
): Promise<readonly BootstrapPeer[]> {
  const named = await bootstrapper.peers(signal);
  return named.filter((peer) => !network.isSelf(peer));
}

/** In groups of one rank, the lowest first. */
function byRank(peers: readonly BootstrapPeer[]): BootstrapPeer[][] {
  return [...Map.groupBy(peers, ({ rank = 0 }) => rank)].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/**
 * Dials the peers that bootstrap names, the peers of the lowest rank first, and behind these the peers known from
 * before. A few are dialled at a time, and the next when all of these have failed, or after a while. One peer that is
 * there is enough: it knows the others, and each handshake costs a busy node what it has least of. Returns when a peer
 * is connected.
 */
async function dialByRank(
  { network, clock }: Pick<BootstrapLoopDeps, 'network' | 'clock'>,
  { ranks, known }: { readonly ranks: readonly BootstrapPeer[][]; readonly known: readonly BootstrapPeer[] },
  signal: AbortSignal,
): Promise<{ isJoined: boolean; failure?: unknown }> {
  const [first = [], ...further] = ranks;
  const groups = [[...first, ...known], ...further].flatMap((peers) => chunks(peers, BOOTSTRAP_DIALS));
  const joined = Promise.withResolvers<void>();
  let isJoined = false;
  let failure: unknown;
  const dial = async (peer: BootstrapPeer) => {
    try {
      if (!(await network.connect(peer, signal))) return;
      isJoined = true;
      joined.resolve();
    } catch (error) {
      // A peer that bootstrap does not name any more may be gone: that is not a failure.
      if (!known.includes(peer)) failure ??= error;
    }
  };
  // Bootstrapping again is to find the peers in another part of a cluster that fell apart: all peers are dialled then.
  const hadPeers = network.hasPeers();
  const dials: Promise<unknown>[] = [];
  for (const group of groups) {
    const dialled = Promise.all(group.map(dial));
    dials.push(dialled);
    const pauseOver = clock.sleep(BOOTSTRAP_GROUP_MS, signal).catch(() => {});
    await Promise.race(hadPeers ? [dialled, pauseOver] : [joined.promise, dialled, pauseOver]);
    if (signal.aborted || (!hadPeers && (isJoined || network.hasPeers()))) break;
  }
  const late = new BootstrapError('No peer that bootstrap names has answered in time');
  const timeUp = clock.sleep(TCP_TIMEOUT_MS, signal).then(
    () => void (failure ??= late),
    () => {},
  );
  await Promise.race([joined.promise, Promise.all(dials), timeUp]);
  return { isJoined, failure };
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size));
  return parts;
}

function logOutcome(logger: Logger, outcome: BootstrapOutcome, kind: string, error: unknown): void {
  if (outcome === 'joined') logger.info('Joined the cluster', { bootstrap: kind });
  else if (outcome === 'alone') logger.info('Bootstrap names nobody but this node', { bootstrap: kind });
  else if (error instanceof NoNodeNamedError) {
    logger.warn(
      'The domain names no node, not even this one, so none is found by it: check the name in --dns-bootstrap-domain, with Kubernetes that of the headless service',
      { bootstrap: kind, domain: error.domain },
    );
  } else logger.warn('Cannot bootstrap, trying again', { bootstrap: kind, error });
}

/** Waits until the time is over or one of the conditions holds. */
async function pause(
  clock: Clock,
  signal: AbortSignal,
  ms: number,
  ...conditions: readonly ((signal: AbortSignal) => Promise<void>)[]
): Promise<void> {
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const waits = [clock.sleep(ms, either), ...conditions.map(async (condition) => condition(either))];
  await Promise.race(waits).catch(() => {});
  done.abort();
  // The other waits end with an error that is not a failure.
  await Promise.allSettled(waits);
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
