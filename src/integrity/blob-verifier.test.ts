import { describe, expect, test } from 'bun:test';
import { silentLogger } from '../observe/log.ts';
import { type Digest, parseDigest } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { Blob } from '../store/content-store.ts';
import { createBlobVerifier, type DamagedBlob } from './blob-verifier.ts';
import type { FileVerdict, HashedFile } from './file-hasher.ts';

const digestOf = (letter: string) => parseDigest(`sha256:${letter.repeat(64)}`);
const [A, B, C] = [digestOf('a'), digestOf('b'), digestOf('c')];
const blobOf = (digest: Digest, stamp = 1): Blob => ({
  digest,
  sizeBytes: 10,
  path: `/blobs/${digest}`,
  stamp,
});

/** A verifier whose hasher waits for the test, unless `takesMs` says how long it takes. */
function create({ scrubBytesPerSecond = 0, takesMs = 10 } = {}) {
  const clock = createVirtualClock();
  /** What is on the disk. */
  const files = new Map<Digest, { isRight: boolean; stamp: number }>();
  const hashed: string[] = [];
  const found: DamagedBlob[] = [];
  const repaired: Digest[] = [];
  const failing: { error: Error | undefined } = { error: undefined };
  const hash = async ({ digest }: HashedFile): Promise<FileVerdict | undefined> => {
    hashed.push(digest);
    if (failing.error !== undefined) throw failing.error;
    await clock.sleep(takesMs);
    return files.get(digest);
  };
  const verifier = createBlobVerifier(
    {
      hasher: { check: hash, checkSlowly: hash, close() {} },
      store: {
        list: async () => ({ tags: [], blobs: new Set(files.keys()) }),
        async stat(digest) {
          const file = files.get(digest);
          return file && blobOf(digest, file.stamp);
        },
      },
      onDamaged: (blob) => void found.push(blob),
      onRepaired: (digest) => void repaired.push(digest),
      clock,
      logger: silentLogger,
    },
    { scrubBytesPerSecond },
  );
  const mayServe = async (blob: Blob, waitMs = 2000) => {
    const answer = verifier.mayServe(blob);
    if (typeof answer === 'boolean') return answer;
    const [served] = await Promise.all([answer, clock.advance(waitMs)]);
    return served;
  };
  return { verifier, clock, files, hashed, found, repaired, failing, mayServe };
}

describe('createBlobVerifier()', () => {
  test('serves what containerd has just committed without hashing it', () => {
    const { verifier, hashed } = create();
    verifier.committed(A, 1);
    expect(verifier.mayServe(blobOf(A))).toBe(true);
    expect(hashed).toEqual([]);
  });

  test('hashes what it sees for the first time once, for all that ask', async () => {
    const { files, hashed, mayServe } = create();
    files.set(A, { isRight: true, stamp: 1 });
    expect(await Promise.all([mayServe(blobOf(A)), mayServe(blobOf(A))])).toEqual([true, true]);
    expect(await mayServe(blobOf(A))).toBe(true);
    expect(hashed).toEqual([A]);
  });

  test('refuses what is damaged, tells of it once, and does not hash it again', async () => {
    const { verifier, files, hashed, found, mayServe } = create();
    files.set(A, { isRight: false, stamp: 1 });
    expect([await mayServe(blobOf(A)), await mayServe(blobOf(A))]).toEqual([false, false]);
    expect(hashed).toEqual([A]);
    expect(found.map(({ digest }) => digest)).toEqual([A]);
    expect(verifier.isDamaged(A)).toBe(true);
    expect(verifier.damaged()).toMatchObject([{ digest: A, path: `/blobs/${A}` }]);
  });

  test('serves a damaged blob again when containerd has committed another file of it', async () => {
    const { verifier, files, repaired, mayServe } = create();
    files.set(A, { isRight: false, stamp: 1 });
    expect(await mayServe(blobOf(A))).toBe(false);
    verifier.committed(A, 2);
    expect(repaired).toEqual([A]);
    expect(verifier.isDamaged(A)).toBe(false);
    expect(verifier.mayServe(blobOf(A, 2))).toBe(true);
  });

  test('hashes a file that has changed since it was verified', async () => {
    const { verifier, files, mayServe } = create();
    verifier.committed(A, 1);
    files.set(A, { isRight: false, stamp: 2 });
    expect(await mayServe(blobOf(A, 2))).toBe(false);
    files.set(A, { isRight: true, stamp: 3 });
    expect(await mayServe(blobOf(A, 3))).toBe(true);
  });

  test('does not make a request wait for long: what is only new is served, what has changed is not', async () => {
    const { verifier, files, mayServe } = create({ takesMs: 5000 });
    files.set(A, { isRight: false, stamp: 1 });
    expect(await mayServe(blobOf(A), 400)).toBe(true);
    verifier.committed(B, 1);
    files.set(B, { isRight: true, stamp: 2 });
    expect(await mayServe(blobOf(B, 2), 400)).toBe(false);
  });

  test('goes on hashing when the request has gone, and knows then', async () => {
    const { clock, files, found, mayServe } = create({ takesMs: 5000 });
    files.set(A, { isRight: false, stamp: 1 });
    expect(await mayServe(blobOf(A), 400)).toBe(true);
    await clock.advance(5000);
    expect(found).toHaveLength(1);
    expect(await mayServe(blobOf(A))).toBe(false);
  });

  test('refuses what cannot be read, when that takes long, too, and tries again after a while', async () => {
    const { clock, files, hashed, mayServe } = create({ takesMs: 1000 });
    // Late: it may be right.
    expect(await mayServe(blobOf(A), 2000)).toBe(true);
    expect(await mayServe(blobOf(A))).toBe(false);
    expect(hashed).toEqual([A]);
    await clock.advance(60_000);
    files.set(A, { isRight: true, stamp: 1 });
    await mayServe(blobOf(A));
    expect(hashed).toEqual([A, A]);
    expect(await mayServe(blobOf(A))).toBe(true);
  });

  test('serves what is not suspect while no thread can hash it', async () => {
    const { verifier, files, mayServe, failing } = create();
    failing.error = new Error('No thread');
    files.set(A, { isRight: true, stamp: 2 });
    expect(await mayServe(blobOf(A, 2))).toBe(true);
    verifier.committed(B, 1);
    expect(await mayServe(blobOf(B, 2))).toBe(false);
  });

  test('hashes no more of what is doubted than a processor can bear', async () => {
    const { verifier, clock, files, hashed } = create();
    const letters = '0123456789abcdef'.split('');
    const doubtAll = async () => {
      for (const letter of letters) {
        const digest = digestOf(letter);
        files.set(digest, { isRight: true, stamp: 1 });
        verifier.doubt({ ...blobOf(digest), sizeBytes: 512 * 1024 * 1024 });
      }
      await clock.advance(100);
      return hashed.splice(0).length;
    };
    // 1024 MiB at once: the third began within the debt of the second.
    expect(await doubtAll()).toBe(2);
    await clock.advance(60_000);
    expect(await doubtAll()).toBe(1);
  });

  test('does not queue more than it can hash', async () => {
    const { verifier, files, hashed } = create({ takesMs: 5000 });
    for (let n = 0; n < 200; n++) {
      const digest = parseDigest(`sha256:${n.toString(16).padStart(64, '0')}`);
      files.set(digest, { isRight: true, stamp: 1 });
      verifier.committed(digest, 0);
      void verifier.mayServe(blobOf(digest));
    }
    await new Promise(setImmediate);
    expect(hashed.length).toBeLessThanOrEqual(64);
  });

  test('doubt() hashes a verified blob again, however often it is said to be wrong once in a while', async () => {
    const { verifier, clock, files, hashed, found } = create();
    verifier.committed(A, 1);
    files.set(A, { isRight: false, stamp: 1 });
    for (let n = 0; n < 100; n++) verifier.doubt(blobOf(A));
    await clock.advance(1000);
    verifier.doubt(blobOf(A));
    expect(hashed).toEqual([A]);
    expect(found).toHaveLength(1);
    expect(verifier.mayServe(blobOf(A))).toBe(false);
    await clock.advance(61_000);
    verifier.doubt(blobOf(A));
    expect(hashed).toEqual([A, A]);
  });

  test('doubt() hashes a few blobs a minute, whatever is said of how many', async () => {
    const { verifier, clock, files, hashed } = create();
    const doubtAll = () => {
      for (let n = 0; n < 200; n++) {
        const digest = parseDigest(`sha256:${n.toString(16).padStart(64, '0')}`);
        files.set(digest, { isRight: true, stamp: 1 });
        verifier.doubt(blobOf(digest));
      }
    };
    doubtAll();
    await clock.advance(60_000);
    expect(hashed).toHaveLength(20);
    doubtAll();
    await clock.advance(1000);
    expect(hashed).toHaveLength(30);
  });

  test('run() hashes everything, what was not verified first, and forgets what is gone', async () => {
    const { verifier, clock, files, hashed, found } = create({ scrubBytesPerSecond: 1000 });
    verifier.committed(A, 1);
    files.set(A, { isRight: true, stamp: 1 });
    files.set(B, { isRight: true, stamp: 1 });
    files.set(C, { isRight: false, stamp: 1 });
    const stop = new AbortController();
    const scrubbing = verifier.run(stop.signal);
    await clock.advance(70_000);
    expect(hashed).toEqual([B, C, A]);
    expect(found.map(({ digest }) => digest)).toEqual([C]);
    expect(verifier.mayServe(blobOf(B))).toBe(true);
    files.delete(C);
    await clock.advance(25 * 3600 * 1000);
    expect(hashed).toEqual([B, C, A, A, B]);
    expect(verifier.damaged()).toEqual([]);
    stop.abort();
    await clock.advance(1);
    await scrubbing;
  });

  test('run() at no bytes per second hashes nothing', async () => {
    const { verifier, clock, files, hashed } = create();
    files.set(A, { isRight: true, stamp: 1 });
    const stop = new AbortController();
    const scrubbing = verifier.run(stop.signal);
    await clock.advance(25 * 3600 * 1000);
    stop.abort();
    await clock.advance(1);
    await scrubbing;
    expect(hashed).toEqual([]);
  });

  test('run() looks what becomes of damaged blobs, whether containerd tells of it or not', async () => {
    const { verifier, clock, files, repaired, mayServe } = create();
    for (const digest of [A, B, C]) {
      files.set(digest, { isRight: false, stamp: 1 });
      expect(await mayServe(blobOf(digest))).toBe(false);
    }
    const stop = new AbortController();
    const running = verifier.run(stop.signal);
    await clock.advance(10_000);
    expect(repaired).toEqual([]);
    files.delete(A);
    files.set(B, { isRight: true, stamp: 2 });
    files.set(C, { isRight: false, stamp: 2 });
    await clock.advance(3000);
    expect(repaired).toEqual([A, B]);
    expect([A, B, C].map((digest) => verifier.isDamaged(digest))).toEqual([false, false, true]);
    expect([verifier.isDamaged(C, 1), verifier.isDamaged(C, 2)]).toEqual([false, true]);
    stop.abort();
    await clock.advance(1);
    await running;
  });
});
