import { expect, test } from 'bun:test';
import { open } from 'node:fs/promises';
import { type Digest, digestOf } from '../oci/digest.ts';
import { until } from '../runtime/conditions.fixture.ts';
import type { Downloads } from './downloads.ts';

/** containerd writes a download in steps of that many bytes. */
const STEP_BYTES = 1024 * 1024;

/** A store whose backend downloads what the test says. */
export interface DownloadsUnderTest {
  readonly store: { readonly downloads: Downloads };
  /** Begins a download. With `kind` a blob can be downloaded twice at a time. */
  startDownload(digest: Digest, options: TestDownloadOptions): Promise<TestDownload>;
}

/** Options of startDownload. */
export interface TestDownloadOptions {
  /** As the backend knows it; 0: it does not. */
  readonly sizeBytes: number;
  /** Default `layer`. */
  readonly kind?: 'layer' | 'unknown';
}

/** A download, driven by the test. */
export interface TestDownload {
  /** Writes some more bytes: one step, or less if it is the last one. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the download early. Its bytes stay. */
  giveUp(): Promise<void>;
  /** Goes on with a download that was given up. `bytes` are those that it has already. */
  takeUp(bytes: Uint8Array): Promise<void>;
  /** The download has all bytes, and they are right. */
  commit(): Promise<void>;
  /** Removes a download that was given up. */
  remove(): Promise<void>;
}

/** Some steps of bytes that no other test has. */
function someBytes(steps: number): Uint8Array {
  const bytes = Buffer.alloc((steps - 1) * STEP_BYTES + 10, crypto.randomUUID());
  for (let step = 0; step < steps; step++) bytes.writeUInt32LE(step, step * STEP_BYTES);
  return bytes;
}
const stepOf = (bytes: Uint8Array, step: number) =>
  bytes.subarray(step * STEP_BYTES, (step + 1) * STEP_BYTES);

/** What the downloads of every ContentStore must do. Call it within a `describe`, with what gives the store under test. */
export function testDownloads(subject: () => DownloadsUnderTest): void {
  const downloads = () => subject().store.downloads;

  /** Keeps what is told of a download, at each call. */
  function record(digest: Digest) {
    const told: ({ readonly writtenBytes: number; readonly isRunning: boolean } | undefined)[] = [];
    const end = downloads().subscribe((changed) => {
      if (changed !== digest) return;
      const download = downloads().get(digest);
      told.push(
        download === undefined
          ? undefined
          : { writtenBytes: download.writtenBytes, isRunning: download.isRunning },
      );
    });
    return { told, [Symbol.dispose]: end };
  }
  const isWritten = (digest: Digest, writtenBytes: number, isRunning = true) =>
    until(() => {
      const download = downloads().get(digest);
      return download?.writtenBytes === writtenBytes && download.isRunning === isRunning;
    });

  test('downloads: a blob is seen to begin, grow in order, and end with its commit', async () => {
    const bytes = someBytes(3);
    const digest = digestOf(bytes);
    using recorded = record(digest);
    expect(downloads().get(digest)).toBeUndefined();
    const download = await subject().startDownload(digest, { sizeBytes: bytes.byteLength });
    await isWritten(digest, 0);
    const begun = downloads().get(digest);
    expect(begun).toMatchObject({ digest, sizeBytes: bytes.byteLength, writtenBytes: 0, isRunning: true });
    expect([...downloads().all()]).toContainEqual(begun as NonNullable<typeof begun>);
    await download.write(stepOf(bytes, 0));
    await isWritten(digest, STEP_BYTES);
    expect(downloads().get(digest)?.grownMs).toBeGreaterThanOrEqual(begun?.grownMs ?? Infinity);
    const file = await open(downloads().get(digest)?.path ?? '', 'r');
    try {
      await download.write(stepOf(bytes, 1));
      await isWritten(digest, 2 * STEP_BYTES);
      await download.write(stepOf(bytes, 2));
      await download.commit();
      await until(() => downloads().get(digest) === undefined);
      expect((await file.readFile()).equals(bytes)).toBe(true);
    } finally {
      await file.close();
    }
    expect([...downloads().all()].some((other) => other.digest === digest)).toBe(false);
    // All that the test waited for was told of, in order. A backend may write a step in parts.
    const sizes = recorded.told.slice(0, -1).map((state) => state?.writtenBytes ?? Infinity);
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    expect(sizes[0]).toBe(0);
    expect(sizes).toContain(STEP_BYTES);
    expect(sizes).toContain(2 * STEP_BYTES);
    expect(recorded.told.slice(0, -1).every((state) => state?.isRunning === true)).toBe(true);
    expect(recorded.told.at(-1)).toBeUndefined();
  });

  test('downloads: one that was given up says so, and can be taken up again', async () => {
    const bytes = someBytes(3);
    const digest = digestOf(bytes);
    const download = await subject().startDownload(digest, { sizeBytes: bytes.byteLength });
    await download.write(stepOf(bytes, 0));
    await isWritten(digest, STEP_BYTES);
    const grownMs = downloads().get(digest)?.grownMs ?? Infinity;
    using recorded = record(digest);
    await download.giveUp();
    await isWritten(digest, STEP_BYTES, false);
    expect(recorded.told).toEqual([{ writtenBytes: STEP_BYTES, isRunning: false }]);
    expect(downloads().get(digest)?.grownMs).toBe(grownMs);
    await download.takeUp(stepOf(bytes, 0));
    await download.write(stepOf(bytes, 1));
    await isWritten(digest, 2 * STEP_BYTES);
    await download.write(stepOf(bytes, 2));
    await download.commit();
    await until(() => downloads().get(digest) === undefined);
    expect(recorded.told.at(-1)).toBeUndefined();
  });

  test('downloads: one that was given up before its first byte says so', async () => {
    const bytes = someBytes(1);
    const digest = digestOf(bytes);
    const download = await subject().startDownload(digest, { sizeBytes: bytes.byteLength });
    await isWritten(digest, 0);
    await download.giveUp();
    await isWritten(digest, 0, false);
    await download.remove();
    await until(() => downloads().get(digest) === undefined);
  });

  test('downloads: a size that the backend does not know is undefined', async () => {
    const bytes = someBytes(2);
    const digest = digestOf(bytes);
    const download = await subject().startDownload(digest, { sizeBytes: 0 });
    await download.write(stepOf(bytes, 0));
    await isWritten(digest, STEP_BYTES);
    expect(downloads().get(digest)).toMatchObject({ sizeBytes: undefined });
    await download.giveUp();
    await download.remove();
    await until(() => downloads().get(digest) === undefined);
  });

  test('downloads: of two of one blob that with more bytes counts, then that which is left', async () => {
    const bytes = someBytes(3);
    const digest = digestOf(bytes);
    const sizeBytes = bytes.byteLength;
    const first = await subject().startDownload(digest, { sizeBytes });
    await first.write(stepOf(bytes, 0));
    await isWritten(digest, STEP_BYTES);
    const firstPath = downloads().get(digest)?.path;
    using recorded = record(digest);
    const second = await subject().startDownload(digest, { sizeBytes, kind: 'unknown' });
    await second.write(stepOf(bytes, 0));
    await second.write(stepOf(bytes, 1));
    await isWritten(digest, 2 * STEP_BYTES);
    expect(downloads().get(digest)?.path).not.toBe(firstPath);
    expect([...downloads().all()].filter((download) => download.digest === digest)).toHaveLength(1);
    // It was told of from where it had more.
    expect(recorded.told.length).toBeGreaterThan(0);
    expect(recorded.told.every((state) => (state?.writtenBytes ?? 0) > STEP_BYTES && state?.isRunning)).toBe(
      true,
    );
    await second.giveUp();
    await isWritten(digest, STEP_BYTES);
    expect(downloads().get(digest)?.path).toBe(firstPath ?? '');
    await first.giveUp();
    await isWritten(digest, 2 * STEP_BYTES, false);
    await second.remove();
    await isWritten(digest, STEP_BYTES, false);
    await first.remove();
    await until(() => downloads().get(digest) === undefined);
  });

  test('downloads: a subscription ends when it is told to', async () => {
    const bytes = someBytes(1);
    const digest = digestOf(bytes);
    const ended = record(digest);
    ended[Symbol.dispose]();
    using recorded = record(digest);
    const download = await subject().startDownload(digest, { sizeBytes: bytes.byteLength });
    await isWritten(digest, 0);
    await download.giveUp();
    await until(() => recorded.told.at(-1)?.isRunning === false);
    await download.remove();
    await until(() => recorded.told.at(-1) === undefined && recorded.told.length > 0);
    expect(ended.told).toEqual([]);
  });
}
