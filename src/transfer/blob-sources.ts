import type { Assigned } from '../flights/flight-seat.ts';
import { type BodySource, type ClientResponse, PeerRequestError } from '../http/transport.ts';
import { type RangeSpec, resolveRange } from '../oci/byte-range.ts';
import type { Peer } from '../routing/router.ts';
import type { Blob } from '../store/content-store.ts';
import {
  type AnsweredBlob,
  type AskedPart,
  type BlobAsker,
  createBlobAsker,
  wholeBytesOf,
} from './blob-asker.ts';
import type {
  BlobRequest,
  BlobSources,
  BlobSourcesDeps,
  OpenedBlob,
  TransferOptions,
} from './blob-sources-contract.ts';
import {
  CONGESTED_WINDOW_MS,
  CONNECT_TIMEOUT_MS,
  FIRST_SOURCE_TIMEOUT_MS,
  FLIGHT_STALL_TIMEOUT_MS,
  FLOOR_SAMPLE_BYTES,
  LOCAL_STALL_TIMEOUT_MS,
  MAX_SLOW_SOURCES,
  REPLACEMENT_LOOKUP_TIMEOUT_MS,
  STALL_TIMEOUT_MS,
} from './budgets.ts';
import { createGrowingPace } from './growing-pace.ts';
import { createFlightSources, type FlightSources } from './flight-sources.ts';
import { createLagWatch } from './lag-watch.ts';
import { type AskedAddress, createPeerSession, type PeerSession } from './peer-session.ts';
import { statAtPeer } from './stat-at-peer.ts';

/** Creates the sources of one request. Dispose it to end the lookup. */
export function createBlobSources(
  deps: BlobSourcesDeps,
  options: TransferOptions,
  request: BlobRequest,
  // Its signal is only made for what needs it: content that is here is served without.
  client: Pick<ClientResponse, 'gone'>,
): BlobSources {
  const { transport, health, zones, scores, floor, slowBlobs, flownBlobs, sizes, observer, logger } = deps;
  const { digest, repository, registry } = request;
  let local = request.local;
  let localVanished = false;
  let session: PeerSession | undefined;
  /** Looks for further holders while a body is under way, beside the session that finds the sources. */
  let finder: PeerSession | undefined;

  const openLocal = async (blob: Blob, spec: RangeSpec | undefined): Promise<OpenedBlob | undefined> => {
    const range =
      spec === undefined ? { start: 0, end: blob.sizeBytes - 1 } : resolveRange(spec, blob.sizeBytes);
    if (range === undefined) return undefined;
    try {
      const source = await transport.openFile(blob.path, range);
      const stallTimeoutMs = LOCAL_STALL_TIMEOUT_MS;
      const file = { peer: undefined, pace: undefined, stallTimeoutMs };
      return { source, range, sizeBytes: blob.sizeBytes, origin: 'local', ...file };
    } catch (error) {
      localVanished = true;
      logger.warn('blob in the store cannot be opened', { digest, path: blob.path, error });
      return undefined;
    }
  };

  const createBodies = () => ({
    /** Those of what other nodes are downloading. */
    growing: new WeakSet<BodySource>(),
    growingPace: createGrowingPace(deps.clock),
    lagWatch: createLagWatch<Assigned>({
      clock: deps.clock,
      lags: async (node, atByte) => (await flight?.lags(node, atByte)) === true,
      isSuspect: ({ peer }) => health.skips(peer, digest),
    }),
    /** Those that are being moved, and what is called when one has ended. */
    taken: new WeakMap<BodySource, (movedBytes: number) => void>(),
  });
  /** What is known of the bodies of peers. Most requests see none: the content is here, or nowhere. */
  let bodies: ReturnType<typeof createBodies> | undefined;
  const isGrowingBody = (source: BodySource) => bodies?.growing.has(source) === true;

  /** Asked for once more, from the first byte on. */
  const isAgain = flownBlobs.has(digest) && startOf(request.range) === 0;
  /** Made when other nodes are asked for the first time. */
  let flight: FlightSources | undefined;
  const makeFlight = (): FlightSources | undefined =>
    deps.flights === undefined || request.isOwn !== true || options.resolveRetries === 0
      ? undefined
      : createFlightSources(
          { ...deps, flights: deps.flights },
          { ...options, onFlight: request.onFlight },
          {
            kind: 'blob',
            digest,
            repository,
            registry,
            // What wants all of it in one body names no range.
            isInRanges: request.range !== undefined && startOf(request.range) === 0,
            isLater: startOf(request.range) !== 0,
            signal: client.gone,
          },
        );
  /** Made when the first peer is asked. */
  let madeAsker: BlobAsker | undefined;
  const asker = () => (madeAsker ??= createBlobAsker(deps, options, { digest, repository, registry }));
  const isHeldInMemory = (source: BodySource) => madeAsker?.isHeld(source) === true;
  /** A body from a peer that is judged has begun. */
  let begun: Disposable | undefined;
  /**
   * While a holder gives the blob to another request of this node, the tower would name that holder again: ranges that are
   * asked for side by side come from the holder that is least busy.
   */
  const askBeside = async (part: AskedPart, isWhole: boolean) => {
    if (!deps.pieces.isHeld(digest)) return undefined;
    session ??= startSession();
    return session.ask((at) => asker().ask(at, part, { isWhole, isFlight: false }), {
      attempts: options.resolveRetries,
      waitMs: options.resolveTimeoutMs,
      withinMs: FIRST_SOURCE_TIMEOUT_MS,
      discard: (answer) => asker().discard(answer),
    });
  };

  const startSession = () => createPeerSession(deps, digest, client.gone);

  const toOpened = ({ isGrowing, ...rest }: AnsweredBlob, peer: Peer, assigned?: Assigned): OpenedBlob => {
    const { source, origin, range } = rest;
    if (isHeldInMemory(source)) {
      return { ...rest, peer, assigned, stallTimeoutMs: CONGESTED_WINDOW_MS, pace: undefined };
    }
    if (request.isJudged === true) begun ??= deps.delivered?.begins(digest);
    bodies ??= createBodies();
    const { growing, growingPace, lagWatch, taken } = bodies;
    if (!isGrowing) taken.set(source, scores.takes(origin));
    if (assigned === undefined || flight === undefined) {
      return { ...rest, peer, stallTimeoutMs: CONGESTED_WINDOW_MS, pace: floor.watch(origin) };
    }
    if (isGrowing) growing.add(source);
    const pace = lagWatch.watch(isGrowing ? growingPace.watch() : floor.watch(origin), assigned, range.start);
    // What grows is as slow as upstream is; what stands still is found by asking the node again.
    const stallTimeoutMs = isGrowing ? FLIGHT_STALL_TIMEOUT_MS : CONGESTED_WINDOW_MS;
    return { ...rest, peer, assigned, stallTimeoutMs, pace };
  };

  if (request.isJudged === true) deps.delivered?.asked(digest, startOf(request.range) ?? 1);

  return {
    get localVanished() {
      return localVanished;
    },
    get peers() {
      return session;
    },
    get sizeSaid() {
      return madeAsker?.sizeSaid;
    },
    get slowSources() {
      return slowBlobs.isGivenUp(digest) ? MAX_SLOW_SOURCES : 0;
    },
    async open({ range, sizeBytes, replacing }) {
      const own = local;
      local = undefined;
      const opened = own === undefined ? undefined : await openLocal(own, range);
      if (opened !== undefined || !request.mayAskPeers) return opened;
      flight ??= makeFlight();
      const wholeBytes = wholeBytesOf(deps, options, digest);
      const isSmall = sizes.sizesOf(digest)?.every((size) => size <= wholeBytes) === true;
      const part = { range, sizeBytes };
      const isDripping = bodies?.growingPace.isDripping === true;
      if (isDripping) slowBlobs.sourceWasSlow(digest);
      const isSlow = isDripping || slowBlobs.isGivenUp(digest);
      const mayFollow = !isAgain && !isSlow;
      if (!mayFollow) flight?.stepsAside(isAgain ? 'again' : 'slow');
      const askFlown = async (host: string, connectTimeoutMs: number) =>
        asker().ask({ host, connectTimeoutMs, signal: client.gone }, part, {
          isWhole: isSmall,
          isFlight: true,
        });
      const shared = mayFollow && !replacing ? await askBeside(part, isSmall) : undefined;
      if (shared !== undefined) return toOpened(shared.answer, shared.peer);
      const flown = mayFollow
        ? await flight?.ask(askFlown, {
            replacing,
            leftBytes: replacing ? lengthOf(range) : Math.max(...(sizes.sizesOf(digest) ?? [0])),
            isBehind: async (node) => {
              bodies ??= createBodies();
              return bodies.lagWatch.waits(node, startOf(range) ?? 0);
            },
          })
        : undefined;
      if (flown !== undefined && flown !== 'upstream') {
        return toOpened(flown.answer, flown.assigned.peer, flown.assigned);
      }
      if (slowBlobs.isGivenUp(digest)) {
        flight?.goesUpstream();
        return undefined;
      }
      if (session !== undefined && replacing) session.lookAgain();
      session ??= startSession();
      const waitMs = replacing
        ? Math.max(REPLACEMENT_LOOKUP_TIMEOUT_MS, options.resolveTimeoutMs)
        : options.resolveTimeoutMs;
      const accepted = await session.ask(
        (at) => asker().ask(at, part, { isWhole: isSmall, isFlight: false }),
        {
          attempts: options.resolveRetries,
          waitMs,
          withinMs: FIRST_SOURCE_TIMEOUT_MS,
          discard: (answer) => asker().discard(answer),
        },
      );
      if (accepted === undefined) {
        flight?.goesUpstream();
        // Nobody has what a manifest said: the next request is not measured by it.
        if (madeAsker?.isContradicted === true && !replacing) sizes.forget(digest);
        return undefined;
      }
      return toOpened(accepted.answer, accepted.peer);
    },
    holderOf({ source, peer, origin, assigned }) {
      const isWhole = peer !== undefined && !isGrowingBody(source) && !isHeldInMemory(source);
      return isWhole ? { peer, host: origin, assigned } : undefined;
    },
    async findHolder(sizeBytes) {
      finder ??= startSession();
      const ask = ({ host, connectTimeoutMs, signal }: AskedAddress) =>
        statAtPeer(deps, options, { host, path: asker().path, digest, sizeBytes, connectTimeoutMs }, signal);
      const found = await finder.ask(ask, {
        attempts: options.resolveRetries,
        waitMs: REPLACEMENT_LOOKUP_TIMEOUT_MS,
      });
      if (found === undefined) finder.lookAgain();
      return found && { peer: found.peer, host: found.answer.origin };
    },
    async openAt({ peer, host, assigned }, { range, sizeBytes, aheadBytes }) {
      try {
        const answer = await asker().ask(
          { host, connectTimeoutMs: CONNECT_TIMEOUT_MS, signal: client.gone },
          { range, sizeBytes },
          { isWhole: false, isFlight: false, aheadBytes },
        );
        if (typeof answer !== 'string') {
          const pace = aheadBytes === undefined ? floor.watch(host) : undefined;
          return { ...answer, peer, assigned, stallTimeoutMs: STALL_TIMEOUT_MS, pace };
        }
        observer.peerAsked(answer);
        if (answer === 'wrong') health.failed(peer);
        logger.debug('holder refused a part', { digest, peer: peer.id, host, refusal: answer });
      } catch (error) {
        if (!(error instanceof PeerRequestError)) throw error;
        if (client.gone.aborted) return undefined;
        observer.peerAsked(error.code);
        health.failed(peer, error.code === 'HEAD_TIMEOUT' ? 'late' : undefined);
        logger.debug('holder failed', { digest, peer: peer.id, host, error });
      }
      return undefined;
    },
    moved({ source, peer, origin, range, sizeBytes, pace, assigned }, end) {
      pace?.ended(end.movedBytes);
      const isVerified = isHeldInMemory(source);
      madeAsker?.release(source);
      bodies?.taken.get(source)?.(end.movedBytes);
      observer.bytesMoved(peer === undefined ? 'local' : 'peer', end.movedBytes);
      if (peer !== undefined) observer.zoneBytesMoved?.(zones.standing(peer), end.movedBytes);
      if (assigned !== undefined) {
        observer.flightBytesMoved?.(isGrowingBody(source) ? 'growing' : 'holder', end.movedBytes);
      }
      request.onMoved?.(origin, end);
      if (end.how === 'source-broken') {
        const atByte = range.start + end.movedBytes;
        logger.warn('source broke in mid-body', {
          digest,
          source: origin,
          reason: end.reason,
          atByte,
          error: end.cause,
        });
      }
      if (peer === undefined) return;
      if (request.isJudged === true && !isVerified) {
        const part = { start: range.start, sizeBytes: end.movedBytes, isUnverified: isGrowingBody(source) };
        deps.delivered?.given(digest, { peer, host: origin, ...part }, sizeBytes);
      }
      if (end.how === 'client-gone' && assigned !== undefined) flight?.left();
      if (end.how === 'complete' || (end.how === 'cancelled' && end.movedBytes > 0)) {
        observer.peerAsked('served');
        // What was held was verified.
        if (end.how === 'complete' && assigned !== undefined && pace !== undefined) flownBlobs.add(digest);
        health.succeeded(peer);
        if (end.movedBytes >= FLOOR_SAMPLE_BYTES) health.keptUp(origin);
      } else if (end.how === 'source-broken') {
        observer.peerAsked(end.reason);
        // A node whose download stands still, was given up, or whose mirror is being restarted, has done nothing wrong.
        // What it says when it is asked again tells which.
        if (assigned !== undefined && isGrowingBody(source) && end.reason !== 'slow') return;
        if (assigned !== undefined) flight?.broke(assigned);
        if (end.reason !== 'slow') {
          health.failed(peer);
          return;
        }
        health.wasSlow(origin);
        slowBlobs.sourceWasSlow(digest);
      }
    },
    [Symbol.dispose]() {
      madeAsker?.[Symbol.dispose]();
      begun?.[Symbol.dispose]();
      session?.[Symbol.dispose]();
      finder?.[Symbol.dispose]();
    },
  };
}

/** The first byte of a range, undefined for the last bytes of a blob. */
function startOf(range: RangeSpec | undefined): number | undefined {
  if (range === undefined) return 0;
  return 'start' in range ? range.start : undefined;
}

/** Length of a range with both ends. */
function lengthOf(range: RangeSpec | undefined): number | undefined {
  return range !== undefined && 'start' in range && range.end !== undefined
    ? range.end - range.start + 1
    : undefined;
}
