import type { FileHasher } from '../integrity/file-hasher.ts';
import type { Logger } from '../observe/log.ts';
import type { Digest } from '../oci/digest.ts';
import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { Ingest, Ingests } from '../store/ingests.ts';
import type { Giver } from './wrong-peers.ts';

/** How often it is looked whether the blob was committed. containerd takes an fsync for it, mostly some hundredths of a second. */
const LOOK_INTERVAL_MS = 250;
/** After so long a blob that has all its bytes is hashed, whatever containerd is doing with it. */
const COMMIT_WAIT_MS = 1500;
/** How often it is looked whether the rest of a blob has come. */
const REST_INTERVAL_MS = 1000;
/** For so long it is waited for: 2 GB at 25 Mbit/s. */
const REST_WAIT_MS = 600_000;
/** For so long while containerd has closed it. */
const CLOSED_WAIT_MS = 5000;
/** Blobs that are looked at, at once: each has a file open. */
const MAX_WATCHED = 64;
/** Blobs that bodies come for or that are looked at, at once: each has one more file open. */
const MAX_HELD = 128;
/** Blobs whose parts are remembered: those of the last few images. */
const MAX_BLOBS = 1000;
/** Stretches of a blob that are not next to each other, and peers that gave it. A blob of more of them is not judged. */
const MAX_STRETCHES = 64;
const MAX_GIVERS = 64;

/** A part of a blob that a peer gave. */
export interface GivenPart extends Giver {
  /** The first byte. */
  readonly start: number;
  readonly sizeBytes: number;
  /** The peer was downloading it itself, and had not verified it. */
  readonly isUnverified: boolean;
}

/** What createDeliveredBlobs needs. */
export interface DeliveredBlobsDeps {
  readonly store: Pick<ContentStore, 'stat'>;
  readonly ingests: Ingests;
  readonly hasher: Pick<FileHasher, 'check'>;
  /** The peers gave these bytes, which are wrong; `isSure`: a single peer gave all of them as its own. */
  readonly onWrong: (digest: Digest, givers: readonly Giver[], isSure: boolean) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Finds out what became of blobs of which peers have given all, or a part when containerd had, or went for, the rest elsewhere. A
 * blob that containerd does not commit, although all of it is there, is hashed where it lies. Nothing else convicts a peer: clients
 * ask again, and disks fill. If the bytes are wrong, containerd's copy of them is thrown away, because containerd would try to commit
 * it over and over without asking for another.
 */
export interface DeliveredBlobs {
  /** This node's client has asked for a part of the blob that begins at this byte. */
  asked(digest: Digest, atByte: number): void;
  /**
   * A body of the blob begins to come to it: what containerd makes of it is kept open until the result is disposed. A busy machine
   * hears of the end of a body late, and containerd may have thrown away by then what it refused.
   */
  begins(digest: Digest): Disposable;
  /** A part of a blob of so many bytes was given to it. */
  given(digest: Digest, part: GivenPart, blobBytes: number): void;
  /** No peer gives more of the blob: containerd takes the rest from upstream. */
  restIsElsewhere(digest: Digest): void;
}

interface HeldIngest extends Disposable {
  readonly ingest: Promise<Ingest | undefined>;
}

/** A blob of which parts were given. */
interface DeliveredBlob {
  /** What was given, in order, without what touches or overlaps. */
  stretches: readonly Stretch[];
  readonly givers: Map<string, Giver>;
  /** A part came from a peer that had not verified it. */
  isUnverified: boolean;
  /** As the last peer said it. */
  sizeBytes: number;
  isWatched: boolean;
}

/** Bytes from `start` up to `end`, without the last. */
interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Remembers nothing yet. */
export function createDeliveredBlobs({
  store,
  ingests,
  hasher,
  onWrong,
  clock,
  logger,
}: DeliveredBlobsDeps): DeliveredBlobs {
  const blobs = new Map<Digest, DeliveredBlob>();
  let watched = 0;
  const heldIngests = new Map<Digest, { readonly ingest: Promise<Ingest | undefined>; users: number }>();

  /** The ingest as it is opened while the first body of a blob comes; undefined if there was none. */
  const hold = (digest: Digest): HeldIngest => {
    let held = heldIngests.get(digest);
    if (held === undefined) {
      if (heldIngests.size >= MAX_HELD) return { ingest: Promise.resolve(undefined), [Symbol.dispose]() {} };
      held = { ingest: ingests.open(digest).catch(() => undefined), users: 0 };
      heldIngests.set(digest, held);
    }
    const shared = held;
    shared.users++;
    let isOver = false;
    return {
      ingest: shared.ingest,
      [Symbol.dispose]() {
        if (isOver) return;
        isOver = true;
        if (--shared.users > 0) return;
        heldIngests.delete(digest);
        void shared.ingest.then((ingest) => ingest?.[Symbol.dispose]());
      },
    };
  };

  /** True if containerd has all of the blob, and refuses it or takes very long to commit it. */
  const isRefused = async (ingest: Ingest, blobBytes: number): Promise<boolean> => {
    const { digest } = ingest;
    let wasGone = false;
    for (let waitedMs = 0; waitedMs < COMMIT_WAIT_MS;) {
      await clock.sleep(LOOK_INTERVAL_MS);
      waitedMs += LOOK_INTERVAL_MS;
      if ((await store.stat(digest)) !== undefined) return false;
      const state = ingest.state();
      if (state === 'closed') break;
      // containerd removes it a moment before the commit is known.
      if (state === 'gone' && wasGone) break;
      wasGone = state === 'gone';
    }
    return ingest.writtenBytes() >= blobBytes;
  };
  /** True once containerd has all of the blob. False if it was committed, or is not written any more before that. */
  const hasRest = async (ingest: Ingest, blobBytes: number): Promise<boolean> => {
    let closedMs = 0;
    for (let waitedMs = 0; waitedMs < REST_WAIT_MS; waitedMs += REST_INTERVAL_MS) {
      if (ingest.writtenBytes() >= blobBytes) return true;
      const state = ingest.state();
      if (state === 'gone' || (await store.stat(ingest.digest)) !== undefined) return false;
      // A pull that takes it up again opens it with its first byte.
      closedMs = state === 'open' ? 0 : closedMs + REST_INTERVAL_MS;
      if (closedMs > CLOSED_WAIT_MS) return false;
      await clock.sleep(REST_INTERVAL_MS);
    }
    return false;
  };
  const judge = async (ingest: Ingest, blob: DeliveredBlob, sizeBytes: number) => {
    const { digest, descriptor } = ingest;
    if (!(await isRefused(ingest, sizeBytes))) return;
    const verdict = await hasher.check({ file: descriptor, digest, sizeBytes });
    if (verdict?.isRight !== false) return;
    const givers = [...blob.givers.values()];
    onWrong(digest, givers, givers.length === 1 && isWhole(blob, sizeBytes) && !blob.isUnverified);
    // What is still written to, and may have more bytes than peers say, is containerd's.
    const isDone = ingest.sizeBytes !== undefined || ingest.state() === 'closed';
    const isThrownAway = isDone && (await ingest.abort());
    logger.warn(
      'Peers gave wrong bytes of a blob, which containerd has refused: they are not asked for it any more',
      {
        digest,
        peers: givers.map(({ peer, host }) => `${peer.id} (${host})`),
        isThrownAway,
      },
    );
  };
  const watch = async (digest: Digest, blob: DeliveredBlob) => {
    if (blob.isWatched || watched >= MAX_WATCHED) return;
    blob.isWatched = true;
    watched++;
    using held = heldIngests.has(digest) ? hold(digest) : undefined;
    try {
      // At once: containerd may throw away what it refused within some hundredths of a second.
      using found = await ingests.open(digest);
      const ingest = found ?? (await held?.ingest);
      if (ingest === undefined) return;
      // What containerd was told is from a manifest; what is in the answers, peers say.
      const sizeBytes = ingest.sizeBytes ?? blob.sizeBytes;
      const isThere = isWhole(blob, sizeBytes) || (await hasRest(ingest, sizeBytes));
      if (isThere) await judge(ingest, blob, sizeBytes);
    } catch (error) {
      logger.debug('a blob that peers gave could not be judged', { digest, error });
    } finally {
      blob.isWatched = false;
      watched--;
    }
  };

  return {
    asked(digest, atByte) {
      // What was given before was thrown away, or committed.
      if (atByte === 0) blobs.delete(digest);
    },
    begins: hold,
    given(digest, { peer, host, start, sizeBytes, isUnverified }, blobBytes) {
      if (sizeBytes === 0) return;
      const blob = blobs.get(digest) ?? {
        stretches: [],
        givers: new Map(),
        isUnverified: false,
        sizeBytes: blobBytes,
        isWatched: false,
      };
      lruSet(blobs, digest, blob, MAX_BLOBS);
      blob.sizeBytes = blobBytes;
      if (blob.stretches.length > MAX_STRETCHES || blob.givers.size > MAX_GIVERS) return;
      blob.givers.set(`${peer.id} ${host}`, { peer, host });
      blob.isUnverified ||= isUnverified;
      blob.stretches = joined([...blob.stretches, { start, end: start + sizeBytes }]);
      if (isWhole(blob, blobBytes)) blobs.delete(digest);
      // What comes before may be from upstream.
      if (isWhole(blob, blobBytes) || start + sizeBytes >= blobBytes) void watch(digest, blob);
    },
    restIsElsewhere(digest) {
      const blob = blobs.get(digest);
      if (blob !== undefined) void watch(digest, blob);
    },
  };
}

/** The stretches in order, those that touch or overlap as one. */
function joined(stretches: readonly Stretch[]): readonly Stretch[] {
  const all: Stretch[] = [];
  for (const { start, end } of stretches.toSorted((a, b) => a.start - b.start)) {
    const last = all.at(-1);
    if (last === undefined || start > last.end) all.push({ start, end });
    else all[all.length - 1] = { start: last.start, end: Math.max(last.end, end) };
  }
  return all;
}

/** True if peers gave all of it. */
function isWhole({ stretches: [first, second] }: DeliveredBlob, sizeBytes: number): boolean {
  return first?.start === 0 && first.end >= sizeBytes && second === undefined;
}
