import type {
  EndedPull,
  PullBlob,
  PullDetails,
  PullMiss,
  PullOutcome,
  RunningPull,
} from '../observe/pull-log.ts';
import type { EndedTransfer } from '../observe/transfer-log.ts';
import type { Digest } from '../oci/digest.ts';
import { type DistributionPath } from '../oci/distribution-path.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { isConfigType } from '../oci/media-type.ts';

const SECOND_MS = 1000;
/** Pieces of content of one pull that are remembered, and manifests; an image has ten layers, seldom fifty. */
const MAX_CONTENT = 256;
/** Peers and misses that are told of one pull. */
const MAX_TOLD = 16;
/** Pieces of content that are told of a pull that runs, and of each of those that have ended, which are kept. */
const MAX_RUNNING_BLOBS = 200;
const MAX_ENDED_BLOBS = 64;
/** Sources that are told of one piece of content. */
const MAX_FROM = 4;

/** What became of one piece of content so far. */
interface Content {
  readonly kind: 'manifest' | 'blob';
  movedBytes: number;
  outcome: EndedTransfer['outcome'];
  reason: PullMiss['reason'] | undefined;
  from: readonly string[];
}

/** Content that a manifest names, and that was not here. */
interface Wanted {
  readonly sizeBytes: number;
  readonly kind: 'config' | 'layer';
}

/** A request for content that has not ended. */
export interface RunningRequest {
  readonly reference: string;
  readonly kind: 'manifest' | 'blob';
  /** Bytes that it has given so far. */
  readonly movedBytes: number;
  /** Where they are from, an address or `local`, the last source last. */
  readonly sources: readonly string[];
}

/** What one peer gave so far. */
interface Given {
  bytes: number;
  firstMs: number;
  lastMs: number;
}

/** A pull that is not over. */
export interface PullRecord {
  readonly id: number;
  readonly source: string;
  readonly image: string;
  readonly startedMs: number;
  /** When its last request began or ended. */
  lastMs: number;
  digest: string | undefined;
  /** Requests that run, whatever for. */
  running: number;
  /** Those of them that give content. */
  readonly requests: Set<RunningRequest>;
  readonly manifests: Set<string>;
  /** Manifests that were got, not only looked at. */
  readonly got: Set<string>;
  /** The content of an image that was not here, by the image's manifest. */
  readonly wanted: Map<string, ReadonlyMap<string, Wanted>>;
  readonly contents: Map<string, Content>;
  readonly peers: Map<string, Given>;
  localBytes: number;
  flightBytes: number;
}

/** A pull that begins now. */
export function createPullRecord(id: number, path: DistributionPath, nowMs: number): PullRecord {
  const source = sourceOf(path);
  return {
    id,
    source,
    image: 'tag' in path ? `${source}:${path.tag}` : `${source}@${path.digest}`,
    startedMs: nowMs,
    lastMs: nowMs,
    digest: undefined,
    running: 0,
    requests: new Set(),
    manifests: new Set(),
    got: new Set(),
    wanted: new Map(),
    contents: new Map(),
    peers: new Map(),
    localBytes: 0,
    flightBytes: 0,
  };
}

/** A manifest that was named leads to these. */
export function addNamed(
  pull: PullRecord,
  manifest: Digest,
  kind: 'index' | 'manifest',
  references: readonly Descriptor[],
): void {
  if (kind === 'index') {
    for (const { digest } of references.slice(0, MAX_CONTENT)) remember(pull.manifests, digest);
    return;
  }
  pull.wanted.delete(manifest);
  const wanted = references
    .slice(0, MAX_CONTENT - wantedCount(pull))
    .map(({ digest, sizeBytes, mediaType }): [string, Wanted] => [
      digest,
      { sizeBytes, kind: isConfigType(mediaType) ? 'config' : 'layer' },
    ]);
  pull.wanted.set(manifest, new Map(wanted));
}

/** Adds it to what is known of a pull, as long as there is room: a client may ask for any number. */
export function remember(known: Set<string>, reference: string): void {
  if (known.size < MAX_CONTENT) known.add(reference);
}

/** The content is a manifest of the pull, or one of its manifests names it. */
export function leadsTo({ manifests, wanted }: PullRecord, reference: string): boolean {
  if (manifests.has(reference)) return true;
  for (const sizes of wanted.values()) if (sizes.has(reference)) return true;
  return false;
}

/** Pieces of content that its manifests name. */
function wantedCount({ wanted }: PullRecord): number {
  return wanted.values().reduce((count, sizes) => count + sizes.size, 0);
}

/** A manifest of an image was got, and what is missing of it is known. */
export function isGot({ got, wanted }: PullRecord): boolean {
  return [...wanted.keys()].some((manifest) => got.has(manifest));
}

/** Pieces of content that are named, were not here, and were neither given whole nor missed. */
export function leftOf({ wanted, contents }: PullRecord): number {
  let left = 0;
  for (const sizes of wanted.values()) {
    for (const [digest, { sizeBytes }] of sizes) {
      const content = contents.get(digest);
      const isDone =
        content !== undefined && (content.outcome === 'missing' || content.movedBytes >= sizeBytes);
      if (!isDone) left++;
    }
  }
  return left;
}

/** One of its requests has ended. */
export function addTransfer(pull: PullRecord, transfer: EndedTransfer, now: number): void {
  const { kind, tag, digest, outcome, sources, flight, durationMs } = transfer;
  if (kind === 'manifest' && digest !== undefined) {
    pull.digest ??= digest;
    remember(pull.manifests, digest);
  }
  const reference = digest ?? tag;
  if (reference !== undefined) addContent(pull, transfer, reference);
  // A tag that was not found a moment ago.
  if (outcome !== 'missing' && tag !== undefined) pull.contents.delete(tag);
  for (const { origin, movedBytes } of sources) {
    if (origin === 'local') {
      pull.localBytes += movedBytes;
      continue;
    }
    if (flight?.parent?.origin === origin) pull.flightBytes += movedBytes;
    const given = pull.peers.get(origin) ?? { bytes: 0, firstMs: now - durationMs, lastMs: now };
    given.bytes += movedBytes;
    given.firstMs = Math.min(given.firstMs, now - durationMs);
    given.lastMs = now;
    if (pull.peers.has(origin) || pull.peers.size < MAX_CONTENT) pull.peers.set(origin, given);
  }
}

function addContent(
  pull: PullRecord,
  { kind, outcome, movedBytes, missing, sources }: EndedTransfer,
  reference: string,
): void {
  const content = pull.contents.get(reference) ?? {
    kind,
    movedBytes: 0,
    outcome,
    reason: undefined,
    from: [],
  };
  content.movedBytes += movedBytes;
  content.outcome = outcome;
  for (const { origin } of sources) content.from = withSource(content.from, origin);
  content.reason =
    outcome === 'missing' ? (missing ?? 'no-record') : outcome === 'broken-off' ? 'broken-off' : undefined;
  if (pull.contents.has(reference) || pull.contents.size < MAX_CONTENT) pull.contents.set(reference, content);
}

/** What is told of a pull that is over. */
export function summaryOf(pull: PullRecord): EndedPull {
  const { image, digest, startedMs, lastMs, localBytes, flightBytes } = pull;
  const contents = [...pull.contents];
  const misses = contents.flatMap(([reference, { kind, reason }]) =>
    reason === undefined ? [] : [{ kind, reference, reason }],
  );
  const { peers, peerBytes } = peersOf(pull);
  return {
    image,
    digest,
    outcome: outcomeOf(contents.map(([, content]) => content)),
    durationMs: Math.round(lastMs - startedMs),
    localBytes,
    peerBytes,
    flightBytes,
    peers,
    misses: misses.slice(0, MAX_TOLD),
    missCount: misses.length,
  };
}

/** What is told of a pull that runs. */
export function runningOf(pull: PullRecord, nowMs: number): RunningPull {
  const { image, digest, startedMs, localBytes, flightBytes } = pull;
  const durationMs = Math.round(nowMs - startedMs);
  return {
    image,
    digest,
    durationMs,
    localBytes,
    flightBytes,
    ...peersOf(pull),
    ...detailsOf(pull, MAX_RUNNING_BLOBS),
  };
}

/** The pieces of a pull that is over. */
export function endedDetailsOf(pull: PullRecord): PullDetails {
  return detailsOf(pull, MAX_ENDED_BLOBS);
}

/** The peers that gave most, and what all of them gave. */
function peersOf(pull: PullRecord): Pick<EndedPull, 'peers' | 'peerBytes'> {
  const peers = [...pull.peers]
    .map(([address, { bytes, firstMs, lastMs }]) => ({
      address,
      bytes,
      bytesPerSecond: Math.round((bytes / Math.max(1, lastMs - firstMs)) * SECOND_MS),
    }))
    .toSorted((a, b) => b.bytes - a.bytes);
  return { peers: peers.slice(0, MAX_TOLD), peerBytes: peers.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function detailsOf(pull: PullRecord, maxBlobs: number): PullDetails {
  const wanted = new Map(pull.wanted.values().flatMap((each) => each));
  const requests = Map.groupBy(pull.requests, ({ reference }) => reference);
  const contents = [...pull.contents];
  const manifests = contents.filter(([, { kind }]) => kind === 'manifest').map(([reference]) => reference);
  // Manifests come first, then what they name in its order, then the rest.
  const references = new Set([...manifests, ...wanted.keys(), ...pull.contents.keys(), ...requests.keys()]);
  const blobs = Array.from(references, (reference) =>
    blobOf(reference, {
      content: pull.contents.get(reference),
      wanted: wanted.get(reference),
      requests: requests.get(reference) ?? [],
    }),
  );
  const upstream = blobs.map(({ reason, sizeBytes = 0, movedBytes }) =>
    reason === undefined ? 0 : Math.max(0, sizeBytes - movedBytes),
  );
  return {
    id: pull.id,
    upstreamBytes: upstream.reduce((sum, bytes) => sum + bytes, 0),
    wantedBytes:
      pull.wanted.size === 0 ? undefined : wanted.values().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    blobs: blobs.slice(0, maxBlobs),
    blobCount: blobs.length,
  };
}

function blobOf(
  reference: string,
  {
    content,
    wanted,
    requests,
  }: {
    readonly content: Content | undefined;
    readonly wanted: Wanted | undefined;
    readonly requests: readonly RunningRequest[];
  },
): PullBlob {
  const running = requests.reduce((sum, { movedBytes }) => sum + movedBytes, 0);
  const movedBytes = (content?.movedBytes ?? 0) + running;
  const from = requests.reduce(
    (sources, request) => request.sources.reduce(withSource, sources),
    content?.from ?? [],
  );
  const isRunning = requests.length > 0;
  return {
    kind: wanted?.kind ?? content?.kind ?? requests[0]?.kind ?? 'blob',
    reference,
    sizeBytes: wanted?.sizeBytes,
    movedBytes,
    state: isRunning ? 'running' : stateOf(content, wanted),
    from,
    reason: isRunning ? undefined : content?.reason,
  };
}

function stateOf(content: Content | undefined, wanted: Wanted | undefined): PullBlob['state'] {
  if (content === undefined) return 'waiting';
  const { outcome, movedBytes } = content;
  if (outcome === 'missing' || outcome === 'broken-off') return outcome;
  if (outcome === 'client-gone') return 'left';
  // containerd may ask for a part of it only.
  return movedBytes >= (wanted?.sizeBytes ?? 0) ? 'given' : 'waiting';
}

/** The sources with another one as the last. */
export function withSource(sources: readonly string[], source: string): readonly string[] {
  if (sources.at(-1) === source) return sources;
  return [...sources.filter((each) => each !== source), source].slice(-MAX_FROM);
}

function outcomeOf(contents: readonly Content[]): PullOutcome {
  if (contents.some(({ outcome }) => outcome === 'client-gone')) return 'left';
  const missed = contents.filter(({ reason }) => reason !== undefined).length;
  if (missed === 0) return 'served';
  return contents.every(({ outcome }) => outcome === 'missing') ? 'missing' : 'partly';
}

/** What is pulled, without the tag. */
export function sourceOf({ registry = '', repository }: DistributionPath): string {
  return `${registry}/${repository}`;
}
