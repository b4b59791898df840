import type { Digest } from '../../../src/oci/digest.ts';
import type { FileHasher } from '../../../src/integrity/file-hasher.ts';
import type { ContentStore } from '../../../src/store/content-store.ts';
import type { Ingests } from '../../../src/store/ingests.ts';
import type { Random } from '../random.ts';
import type { VirtualTime } from '../virtual-time.ts';
import type { GivenPiece } from './sim-client-response.ts';
import type { TransferContent, TransferImage } from './sim-contents.ts';

/**
 * What containerd does with bytes that it refuses. `keeps`, as 2.3: they stay until its garbage collection, and until then each
 * pull tries to commit them again without asking for others. `removes`: they are gone within some hundredths of a second.
 */
export type RefusalRule = 'keeps' | 'removes';

/** What the mirror of the node did with a request. `absent`: containerd goes upstream. `body`: it got bytes, all or not. */
export type MirrorAnswer = 'body' | 'absent';

/** One GET of containerd to the mirror of the node. */
export interface MirrorRequest {
  readonly image: TransferImage;
  readonly content: TransferContent;
  readonly fromByte: number;
  /** Told of bytes when a move of them has ended. */
  readonly onPiece: (piece: GivenPiece) => void;
  /** Given what tells how many bytes came so far, those of a move that goes on, too. */
  readonly onStart: (arrivedBytes: () => number) => void;
  readonly signal: AbortSignal;
}

/** What simulated containerd needs. */
export interface SimContainerdDeps {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly refusalRule: RefusalRule;
  readonly askMirror: (request: MirrorRequest) => Promise<MirrorAnswer>;
  /** Told of a blob that was committed. */
  readonly onStored: (digest: Digest) => void;
  /** Told of bytes from the registry itself. */
  readonly onUpstream: (sizeBytes: number) => void;
  /** Told of a blob that was refused, the first time that it is, with the pieces that it was made of. */
  readonly onRefused: (content: TransferContent, pieces: readonly GivenPiece[]) => void;
}

/** A simulated containerd: its store, what it is downloading, and its pulls. */
export interface SimContainerd {
  readonly store: Pick<ContentStore, 'stat'>;
  readonly ingests: Ingests;
  readonly hasher: Pick<FileHasher, 'check'>;
  has(digest: Digest): boolean;
  remove(digest: Digest): void;
  /** Tries once to pull the image. False if that fails, or is cancelled. */
  pull(image: TransferImage, signal: AbortSignal): Promise<boolean>;
  /** Files of ingests that the mirror has open. */
  readonly openFiles: number;
}

const UPSTREAM_BYTES_PER_MS = 5000;
const UPSTREAM_LATENCY_MS = 50;
/** Bodies in a row that may end without a byte. */
const MAX_FRUITLESS = 3;
/** The slow ones of these are fsyncs on a busy disk. */
const COMMITS_MS = [5, 5, 5, 60, 400, 2500];
const GONE_AFTER_MS = 40;
const SHORTEST_COLLECTION_MS = 1000;
/** The longest until its garbage collection removes what it refused, and what no pull goes on with, in ms. */
export const LONGEST_COLLECTION_MS = 45_000;
const HASH_BYTES_PER_MS = 1_500_000;
const LAYERS_AT_ONCE = 3;

/** What containerd has of a content that it has not committed. */
interface SimIngest {
  readonly content: TransferContent;
  readonly descriptor: number;
  /** Bytes that are there now. */
  bytes(): number;
  pieces: GivenPiece[];
  state: 'open' | 'closed' | 'gone';
  isRefused: boolean;
  /** How many bytes there were when a pull took it up again: it is seen to be open with the next. */
  resumedAt: number;
  /** Bytes of the response that goes on. */
  coming: () => number;
}

/** Makes a containerd that has nothing. */
export function createSimContainerd(deps: SimContainerdDeps): SimContainerd {
  const { time, random, refusalRule } = deps;
  const { clock } = time.ofProcess(() => false);
  const stored = new Map<Digest, TransferContent>();
  const ingests = new Map<Digest, SimIngest>();
  /** By descriptor, while the mirror has them open. */
  const files = new Map<number, SimIngest>();
  const running = new Map<Digest, Promise<boolean>>();
  let begun = 0;

  const setState = (ingest: SimIngest, state: SimIngest['state']) => {
    ingest.state = state;
  };
  const createIngest = (content: TransferContent): SimIngest => {
    const ingest: SimIngest = {
      content,
      descriptor: ++begun,
      pieces: [],
      state: 'open',
      isRefused: false,
      resumedAt: -1,
      coming: () => 0,
      bytes: () => ingest.pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) + ingest.coming(),
    };
    ingests.set(content.digest, ingest);
    return ingest;
  };
  const remove = (ingest: SimIngest) => {
    ingest.state = 'gone';
    if (ingests.get(ingest.content.digest) === ingest) ingests.delete(ingest.content.digest);
  };
  const isRight = ({ pieces, content }: SimIngest, sizeBytes: number) => {
    if (sizeBytes !== content.sizeBytes) return false;
    let counted = 0;
    return pieces.every((piece) => {
      counted += piece.sizeBytes;
      return !piece.isWrong || counted - piece.sizeBytes >= sizeBytes;
    });
  };

  /** Takes what follows the bytes that are there: from the mirror, or upstream where that has nothing. */
  const fetchRest = async (
    image: TransferImage,
    ingest: SimIngest,
    signal: AbortSignal,
  ): Promise<boolean> => {
    const { content } = ingest;
    for (let fruitless = 0; fruitless <= MAX_FRUITLESS;) {
      const fromByte = ingest.bytes();
      if (fromByte >= content.sizeBytes) return true;
      const answered = await deps.askMirror({
        image,
        content,
        fromByte,
        signal,
        onPiece: (piece) => void ingest.pieces.push(piece),
        onStart(arrivedBytes) {
          const before = ingest.bytes();
          ingest.coming = () =>
            arrivedBytes() - (ingest.pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) - before);
        },
      });
      ingest.coming = () => 0;
      if (signal.aborted || ingest.state === 'gone') return false;
      if (answered === 'absent') {
        await fromUpstream(ingest, signal);
        return !signal.aborted;
      }
      fruitless = ingest.bytes() === fromByte ? fruitless + 1 : 0;
    }
    return false;
  };

  const fromUpstream = async (ingest: SimIngest, signal: AbortSignal) => {
    await clock.sleep(UPSTREAM_LATENCY_MS, signal).catch(() => {});
    const leftBytes = ingest.content.sizeBytes - ingest.bytes();
    if (signal.aborted || leftBytes <= 0) return;
    const startedMs = clock.nowMs();
    const arrived = () =>
      Math.min(leftBytes, Math.floor((clock.nowMs() - startedMs) * UPSTREAM_BYTES_PER_MS));
    ingest.coming = arrived;
    await clock.sleep(leftBytes / UPSTREAM_BYTES_PER_MS, signal).catch(() => {});
    const sizeBytes = signal.aborted ? arrived() : leftBytes;
    ingest.coming = () => 0;
    ingest.pieces.push({ sizeBytes, isWrong: false, body: undefined });
    deps.onUpstream(sizeBytes);
  };

  /** Also of what was thrown away before it was looked at. */
  const refuse = (ingest: SimIngest) => {
    if (!ingest.isRefused) deps.onRefused(ingest.content, ingest.pieces);
    if (!ingest.isRefused && ingest.state !== 'gone') collectLater(ingest);
    ingest.isRefused = true;
    if (ingest.state !== 'gone') ingest.state = 'closed';
  };
  const collectLater = (ingest: SimIngest) => {
    const afterMs = SHORTEST_COLLECTION_MS + random.next() * (LONGEST_COLLECTION_MS - SHORTEST_COLLECTION_MS);
    time.after(refusalRule === 'removes' ? random.next() * GONE_AFTER_MS : afterMs, () => remove(ingest));
  };

  const download = async (
    image: TransferImage,
    content: TransferContent,
    signal: AbortSignal,
  ): Promise<boolean> => {
    const before = ingests.get(content.digest);
    const ingest = before ?? createIngest(content);
    setState(ingest, 'open');
    if (before !== undefined) ingest.resumedAt = ingest.bytes();
    if (!(await fetchRest(image, ingest, signal))) {
      // What is there of it is gone on with by the next pull, if that comes soon.
      if (ingest.state === 'gone') refuse(ingest);
      else ingest.state = 'closed';
      const { length } = ingest.pieces;
      time.after(LONGEST_COLLECTION_MS, () => {
        if (ingest.state === 'closed' && ingest.pieces.length === length) remove(ingest);
      });
      return false;
    }
    await clock.sleep(random.pick(COMMITS_MS));
    const isThere = ingests.get(content.digest) === ingest;
    if (isThere && isRight(ingest, ingest.bytes())) {
      stored.set(content.digest, content);
      deps.onStored(content.digest);
      remove(ingest);
      return true;
    }
    refuse(ingest);
    return false;
  };

  const fetch = async (
    image: TransferImage,
    content: TransferContent,
    signal: AbortSignal,
  ): Promise<boolean> => {
    // Another pull of the node downloads it: this one waits for that.
    for (let other = running.get(content.digest); other !== undefined; other = running.get(content.digest)) {
      await other;
    }
    if (signal.aborted) return false;
    if (stored.has(content.digest)) return true;
    const own = download(image, content, signal);
    running.set(content.digest, own);
    try {
      return await own;
    } finally {
      running.delete(content.digest);
    }
  };

  return {
    store: {
      async stat(digest) {
        const content = stored.get(digest);
        return content && { digest, sizeBytes: content.sizeBytes, path: `/blob-${digest}`, stamp: 0 };
      },
    },
    ingests: {
      async open(digest) {
        const ingest = ingests.get(digest);
        if (ingest === undefined) return undefined;
        let seenBytes = ingest.bytes();
        const descriptor = ++begun;
        files.set(descriptor, ingest);
        return {
          digest,
          sizeBytes: ingest.content.sizeBytes,
          descriptor,
          writtenBytes: () => (seenBytes = ingest.bytes()),
          state: () =>
            ingest.state === 'open' && ingest.bytes() === ingest.resumedAt ? 'closed' : ingest.state,
          async abort() {
            if (ingest.state === 'gone' || ingest.bytes() !== seenBytes) return false;
            remove(ingest);
            return true;
          },
          [Symbol.dispose]: () => void files.delete(descriptor),
        };
      },
    },
    hasher: {
      async check({ file, sizeBytes = 0 }) {
        const ingest = files.get(Number(file));
        await clock.sleep(sizeBytes / HASH_BYTES_PER_MS);
        if (ingest === undefined || ingest.bytes() < sizeBytes) return undefined;
        return { isRight: isRight(ingest, sizeBytes), stamp: 0 };
      },
    },
    has: (digest) => stored.has(digest),
    remove: (digest) => void stored.delete(digest),
    async pull(image, signal) {
      if (!(await fetch(image, image.manifest, signal))) return false;
      const left = random.sample(image.contents, image.contents.length);
      // What fails ends the others.
      const failed = new AbortController();
      const either = AbortSignal.any([signal, failed.signal]);
      await Promise.all(
        Array.from({ length: LAYERS_AT_ONCE }, async () => {
          for (let next = left.pop(); next !== undefined && !either.aborted; next = left.pop()) {
            if (!(await fetch(image, next, either))) failed.abort();
          }
        }),
      );
      return !either.aborted;
    },
    get openFiles() {
      return files.size;
    },
  };
}
