import type { TransportClient } from '../http/transport.ts';
import type { MissReason, TransferFlight } from '../observe/transfer-log.ts';
import { type Digest, isDigest, matchesDigest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isMediaType, MAX_MANIFEST_BYTES, MEDIA_TYPE } from '../oci/media-type.ts';
import { createDeadline } from '../runtime/deadline.ts';
import {
  FLIGHT_HEAD_TIMEOUT_MS,
  HEAD_TIMEOUT_MS,
  SMALL_ANSWER_TIMEOUT_MS,
  SMALL_REQUEST_TIMEOUT_MS,
} from './budgets.ts';
import { heardFrom } from './node-word.ts';
import type { KnownSizes } from './known-sizes.ts';
import { createFlightSources, type FlightSources, type FlightSourcesDeps } from './flight-sources.ts';
import { peerHeaders, peerPath, type Refusal, refusalOf, flightRefusalOf } from './peer-requests.ts';
import { missReason } from './miss-reason.ts';
import {
  type Accepted,
  type AskedAddress,
  createPeerSession,
  type PeerSession,
  type PeerSessionDeps,
} from './peer-session.ts';
import type { TransferOptions } from './blob-sources-contract.ts';
import { statAtPeer } from './stat-at-peer.ts';

/** What the small requests to peers need. */
export interface SmallRequestDeps extends PeerSessionDeps {
  readonly transport: Pick<TransportClient, 'request' | 'requestSmall'>;
  readonly sizes: Pick<KnownSizes, 'sizesOf'>;
  /** Undefined: there are none. */
  readonly flights?: FlightSourcesDeps['flights'] | undefined;
}

/** A manifest whose bytes have the digest. */
export interface FetchedManifest {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** The address of the peer that it came from. */
  readonly origin: string;
}

/** A manifest from a peer, with the memory that was got for it. */
export interface HeldManifest extends FetchedManifest {
  /** To be disposed when the bytes are not needed any more; undefined: none was asked for. */
  readonly room?: Disposable | undefined;
}

/** Which manifest is asked for. */
export interface ManifestRequest {
  /** The routing key: the digest, or `registry/repository:tag`. */
  readonly key: string;
  readonly repository: string;
  readonly registry: string | undefined;
  /** The digest or tag. */
  readonly reference: string;
  /** True for a request of this node's own client: it takes part in flights. */
  readonly isOwn?: boolean | undefined;
  /** Told of the part of a flight in it, each time that it changes. Must not throw. */
  readonly onFlight?: ((flight: TransferFlight) => void) | undefined;
  /**
   * Asked with a manifest's size before a peer's answer is read: the room for it, which is that answer's alone; undefined: there is
   * none now. Default: nothing is asked.
   */
  readonly admit?: ((sizeBytes: number) => Promise<Disposable | undefined>) | undefined;
}

/** Nobody gave an answer; why. */
export interface NotFetched {
  readonly attempts: number;
  readonly skipped: number;
  readonly reason: MissReason;
}

/**
 * Gets a manifest from peers, whole and verified: from the node that downloads it now, for which it may wait, else within
 * 3 s over all that have it.
 */
export async function fetchManifest(
  deps: SmallRequestDeps,
  options: TransferOptions,
  request: ManifestRequest,
  signal: AbortSignal,
): Promise<HeldManifest | NotFetched> {
  const { observer } = deps;
  const flight = flightOf(deps, options, request, signal);
  const flown = await flight?.ask(
    (host, connectTimeoutMs) =>
      askForManifest(deps, options, { request, host, connectTimeoutMs, isFlight: true, signal }),
    { replacing: false },
  );
  using deadline = createDeadline(deps.clock, SMALL_REQUEST_TIMEOUT_MS, signal);
  using session = createPeerSession(deps, request.key, deadline.signal);
  const accepted =
    flown !== undefined && flown !== 'upstream'
      ? { peer: flown.assigned.peer, answer: flown.answer }
      : await askSmall<HeldManifest>(
          session,
          options,
          (at) => askForManifest(deps, options, { request, ...at, isFlight: false }),
          ({ room }) => room?.[Symbol.dispose](),
        );
  if (accepted === undefined) {
    if (!signal.aborted) flight?.goesUpstream();
    return notFetched(session);
  }
  const { peer, answer: fetched } = accepted;
  observer.peerAsked('served');
  observer.zoneBytesMoved?.(deps.zones.standing(peer), fetched.bytes.byteLength);
  observer.bytesMoved('peer', fetched.bytes.byteLength);
  if (flown !== undefined && flown !== 'upstream') {
    observer.flightBytesMoved?.('holder', fetched.bytes.byteLength);
  }
  return fetched;
}

/** The flight of a manifest that this node's own client wants by its digest. */
function flightOf(
  deps: SmallRequestDeps,
  options: TransferOptions,
  { isOwn = false, reference, registry, repository, onFlight }: ManifestRequest,
  signal: AbortSignal,
): FlightSources | undefined {
  const { flights } = deps;
  // Where no peer is to be asked, none is waited for either.
  if (flights === undefined || !isOwn || options.resolveRetries === 0) return undefined;
  if (!isDigest(reference)) return undefined;
  return createFlightSources(
    { ...deps, flights },
    { ...options, onFlight },
    {
      kind: 'manifest',
      digest: reference,
      registry,
      repository,
      signal,
    },
  );
}

/** A manifest that is asked for at an address. */
interface AskedForManifest extends Omit<AskedAddress, 'peer' | 'onReached'> {
  readonly request: ManifestRequest;
  readonly isFlight: boolean;
  readonly onReached?: (() => void) | undefined;
}

async function askForManifest(
  deps: SmallRequestDeps,
  options: TransferOptions,
  asking: AskedForManifest,
): Promise<HeldManifest | Refusal> {
  const { admit } = asking.request;
  let room: Disposable | undefined;
  let isOver = false;
  const getRoom =
    admit &&
    (async (sizeBytes: number) => {
      const got = await admit(sizeBytes);
      // The request may have ended while it waited for that.
      if (isOver) got?.[Symbol.dispose]();
      else room = got;
      return got !== undefined && !isOver;
    });
  try {
    const answer = await readManifest(deps, options, asking, getRoom);
    if (typeof answer === 'string') return answer;
    const held = { ...answer, room };
    room = undefined;
    return held;
  } finally {
    isOver = true;
    room?.[Symbol.dispose]();
  }
}

async function readManifest(
  { transport, clock, health, zones, names, scores }: SmallRequestDeps,
  options: TransferOptions,
  { request, host, connectTimeoutMs, isFlight, signal, onReached }: AskedForManifest,
  admit: ((sizeBytes: number) => Promise<boolean>) | undefined,
): Promise<FetchedManifest | Refusal> {
  const { repository, registry, reference } = request;
  const path = peerPath({ kind: 'manifest', repository, reference, registry });
  using perPeer = createDeadline(clock, SMALL_ANSWER_TIMEOUT_MS, signal);
  const requested = transport.requestSmall(
    {
      method: 'GET',
      host,
      port: options.registryPort,
      path,
      headers: peerHeaders(options, undefined, isFlight),
    },
    {
      connectTimeoutMs,
      headTimeoutMs: isFlight ? FLIGHT_HEAD_TIMEOUT_MS : HEAD_TIMEOUT_MS,
      maxBytes: MAX_MANIFEST_BYTES,
      admit,
      onReached,
      signal: perPeer.signal,
    },
  );
  const answer = await requested.catch((error: unknown) => {
    // It has begun to answer, or the head would have been late.
    if (perPeer.signal.aborted && !signal.aborted) health.wasSlow(host);
    throw error;
  });
  heardFrom({ zones, names, scores }, host, answer);
  const refused = isFlight ? flightRefusalOf(answer) : undefined;
  if (refused !== undefined) return refused;
  const refusal = refusalOf(answer.status);
  if (refusal !== undefined) return refusal === 'unsatisfiable' ? 'wrong' : refusal;
  const digest = answer.header('docker-content-digest') ?? '';
  const asked = isDigest(reference) ? reference : digest;
  if (answer.status !== 200 || digest !== asked || !isDigest(digest)) return 'wrong';
  if (!matchesDigest(answer.bytes, digest)) return 'wrong';
  const mediaType = manifestMediaType(answer.bytes, answer.header('content-type'));
  if (mediaType === undefined) return 'wrong';
  return { digest, bytes: answer.bytes, mediaType, origin: host };
}

/** Asks peers how large a blob is, within 3 s over all of them. */
export async function statBlobAtPeers(
  deps: SmallRequestDeps,
  options: TransferOptions,
  {
    repository,
    registry,
    digest,
  }: { readonly repository: string; readonly registry: string | undefined; readonly digest: Digest },
  signal: AbortSignal,
): Promise<{ readonly sizeBytes: number; readonly origin: string } | NotFetched> {
  using deadline = createDeadline(deps.clock, SMALL_REQUEST_TIMEOUT_MS, signal);
  using session = createPeerSession(deps, digest, deadline.signal);
  const path = peerPath({ kind: 'blob', repository, reference: digest, registry });
  const accepted = await askSmall(session, options, ({ host, connectTimeoutMs, signal: lost }) =>
    statAtPeer(deps, options, { host, path, digest, sizeBytes: undefined, connectTimeoutMs }, lost),
  );
  if (accepted === undefined) return notFetched(session);
  deps.observer.peerAsked('served');
  return accepted.answer;
}

/**
 * The manifest's own media type: its field, else what the sender says if that is usable, else what its shape says.
 * Undefined if nothing tells: then the client had better ask the registry itself.
 */
export function manifestMediaType(bytes: Uint8Array, contentType: string | undefined): string | undefined {
  const header = contentType?.split(';', 1)[0]?.trim() ?? '';
  const sent = isMediaType(header) && header !== MEDIA_TYPE.octetStream ? header : undefined;
  try {
    const manifest = parseManifest(bytes);
    return manifest.declared ? manifest.mediaType : (sent ?? manifest.mediaType);
  } catch {
    return sent;
  }
}

function notFetched(session: PeerSession): NotFetched {
  const { attempts, skipped } = session;
  return { attempts, skipped, reason: missReason(session) };
}

async function askSmall<T extends object>(
  session: PeerSession,
  options: TransferOptions,
  ask: Parameters<typeof session.ask<T>>[0],
  discard?: (answer: T) => void,
): Promise<Accepted<T> | undefined> {
  const { resolveRetries: attempts, resolveTimeoutMs: waitMs } = options;
  return session.ask(ask, discard === undefined ? { attempts, waitMs } : { attempts, waitMs, discard });
}
