import { type Digest, splitDigest } from '../oci/digest.ts';
import type { HashNews, HashOrder } from './hash-thread.ts';

/** A part of a file whose bytes are to be what a digest says. */
export interface HashedFile {
  /** Its path, or its descriptor, which has to stay open until there is a verdict. */
  readonly file: string | number;
  readonly digest: Digest;
  /** The first bytes of the file that count; undefined: all of it, which must not change while it is read. */
  readonly sizeBytes?: number | undefined;
}

/** What the bytes of a file are. */
export interface FileVerdict {
  readonly isRight: boolean;
  /** See fileStamp(): the state of the file that was hashed. */
  readonly stamp: number;
}

/** Compares files with digests, in a thread of its own. */
export interface FileHasher {
  /**
   * Hashes the file after those that were asked for before; undefined if it cannot be read, or changed meanwhile. Rejects where
   * there is no thread to hash it.
   */
  check(file: HashedFile): Promise<FileVerdict | undefined>;
  /** The same beside the others, at so many bytes per second. */
  checkSlowly(file: HashedFile, bytesPerSecond: number): Promise<FileVerdict | undefined>;
  /** Ends the thread; what it was asked for is undefined. */
  close(): void;
}

/** The module of the thread: in the compiled program beside its root, else beside this module. */
const THREAD = import.meta.url.includes('/$bunfs/') ? './src/integrity/hash-thread.ts' : './hash-thread.ts';

/** Makes a hasher. Its thread is started when it is asked for the first time. */
export function createFileHasher(): FileHasher {
  let thread: Worker | undefined;
  let isClosed = false;
  let lastId = 0;
  /** Ends when the last file that is hashed at full speed was hashed. */
  let lastFast: Promise<unknown> = Promise.resolve();
  const waiting = new Map<number, PromiseWithResolvers<HashNews | undefined>>();

  const end = (settle: (waits: PromiseWithResolvers<HashNews | undefined>) => void) => {
    thread?.terminate();
    thread = undefined;
    const all = [...waiting.values()];
    waiting.clear();
    for (const each of all) settle(each);
  };
  const start = (): Worker => {
    const started = new Worker(new URL(THREAD, import.meta.url), { smol: true });
    started.onmessage = ({ data }: MessageEvent<HashNews>) => {
      const asked = waiting.get(data.id);
      waiting.delete(data.id);
      asked?.resolve(data);
    };
    // A thread that fails is started anew for what is asked next.
    started.onerror = ({ message }) => {
      if (thread !== started) return;
      const error = new Error(`The thread that hashes failed: ${message}`);
      end(({ reject }) => reject(error));
    };
    started.unref();
    return started;
  };
  const order = async (
    { file, digest, sizeBytes }: HashedFile,
    bytesPerSecond: number | undefined,
  ): Promise<FileVerdict | undefined> => {
    if (isClosed) return undefined;
    const { algorithm, hex } = splitDigest(digest);
    const id = ++lastId;
    // This throws where there is no room for a thread just now.
    thread ??= start();
    const message: HashOrder = { id, file, algorithm, sizeBytes, bytesPerSecond };
    const asked = Promise.withResolvers<HashNews | undefined>();
    waiting.set(id, asked);
    thread.postMessage(message);
    const news = await asked.promise;
    if (news?.hex === undefined || news.stamp === undefined) return undefined;
    return { isRight: news.hex === hex, stamp: news.stamp };
  };

  return {
    async check(file) {
      const checked = lastFast.then(() => order(file, undefined));
      lastFast = checked.catch(() => {});
      return checked;
    },
    checkSlowly: order,
    close() {
      isClosed = true;
      end(({ resolve }) => resolve(undefined));
    },
  };
}
