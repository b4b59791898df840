import { describe, expect, test } from 'bun:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import { unlessAborted } from '../runtime/clock.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import {
  COMMIT_WAIT_MS,
  EVENT_WAIT_MS,
  MAX_PARALLEL_CHECKS,
  MAX_PENDING_CHECKS,
  createBlobChecks,
} from './blob-checks.ts';
import { createSleepingClock } from '../runtime/testing/sleeping-clock.ts';

const digest = (name: string): Digest => digestOf(new TextEncoder().encode(name));
const A = digest('a');

/** A node whose disk and metadata the test sets, under a clock that jumps over every sleep. */
function start() {
  let nowMs = 0;
  const clock = createSleepingClock({
    nowMs: () => nowMs,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      if (node.holdsTime) await unlessAborted(signal, () => () => {});
      nowMs += ms;
    },
  });
  const disk = new Map<Digest, number>();
  const stateOnDisk = (digest: Digest) => {
    const sizeBytes = disk.get(digest);
    return sizeBytes === undefined ? undefined : { sizeBytes, stamp: 0 };
  };
  const lookups: { readonly digest: Digest; readonly atMs: number }[] = [];
  const told: [string, Digest, number?][] = [];
  const node = {
    disk,
    lookups,
    told,
    overflows: 0,
    lookup: (_digest: Digest): number | undefined | Promise<number | undefined> => undefined,
    closing: new AbortController(),
    check: (_digest: Digest): void => {},
    /** The clock stands still. */
    holdsTime: false,
  };
  const checks = createBlobChecks(
    {
      files: {
        state: async (digest) => stateOnDisk(digest),
        stateNow: stateOnDisk,
      },
      lookup: async (digest) => {
        lookups.push({ digest, atMs: nowMs });
        return node.lookup(digest);
      },
      presentSize: (digest) => {
        const last = told.findLast(([, each]) => each === digest);
        return last?.[0] === 'present' ? last[2] : undefined;
      },
      onPresent: (digest, sizeBytes) => void told.push(['present', digest, sizeBytes]),
      onAbsent: (digest) => void told.push(['absent', digest]),
      onOverflow: () => void node.overflows++,
      onFailed: (digest) => void told.push(['failed', digest]),
      clock,
    },
    node.closing.signal,
  );
  node.check = (digest) => checks.check(digest);
  return Object.assign(node, { checks });
}

describe('check()', () => {
  test('check() asks again until the metadata knows the blob, within milliseconds of the commit', async () => {
    const node = start();
    node.disk.set(A, 7);
    node.lookup = () => ((node.lookups.at(-1)?.atMs ?? 0) >= 300 ? 7 : undefined);
    node.check(A);
    await until(() => node.told.some(([what]) => what === 'present'));
    expect(node.told.at(-1)).toEqual(['present', A, 7]);
    const times = node.lookups.map(({ atMs }) => atMs);
    expect(times[1]).toBeLessThanOrEqual(10);
    expect(times.at(-1)).toBeLessThan(800);
  });

  test('check() gives up on a blob of another namespace', async () => {
    const node = start();
    node.disk.set(A, 7);
    node.check(A);
    await until(() => (node.lookups.at(-1)?.atMs ?? 0) >= COMMIT_WAIT_MS);
    expect(node.lookups.length).toBeLessThan(40);
    expect(new Set(node.told.map(([what]) => what))).toEqual(new Set(['absent']));
  });

  test('check() tells of a file that is gone without asking', async () => {
    const node = start();
    node.check(A);
    await until(() => node.told.length > 0);
    expect(node.told).toEqual([['absent', A]]);
    expect(node.lookups).toEqual([]);
  });

  test('check() does not believe a file of another size', async () => {
    const node = start();
    node.disk.set(A, 6);
    node.lookup = () => 7;
    node.check(A);
    await until(() => (node.lookups.at(-1)?.atMs ?? 0) >= COMMIT_WAIT_MS);
    expect(new Set(node.told.map(([what]) => what))).toEqual(new Set(['absent']));
  });

  test('check() looks again if the file changes while it asks', async () => {
    const node = start();
    node.disk.set(A, 7);
    const answer = Promise.withResolvers<number>();
    node.lookup = () => answer.promise;
    node.check(A);
    await until(() => node.lookups.length === 1);
    node.disk.delete(A);
    node.check(A);
    answer.resolve(7);
    await until(() => node.told.length === 2);
    expect(node.told).toEqual([
      ['present', A, 7],
      ['absent', A],
    ]);
  });

  test('check() tells of what it cannot ask for, and can check it later', async () => {
    const node = start();
    node.disk.set(A, 7);
    node.lookup = () => Promise.reject(new StoreUnavailableError('away'));
    node.check(A);
    await until(() => node.told.length === 1);
    await new Promise(setImmediate);
    node.lookup = () => 7;
    node.check(A);
    await until(() => node.told.length === 2);
    expect(node.told).toEqual([
      ['failed', A],
      ['present', A, 7],
    ]);
  });

  test('check() holds a bounded number of blobs and asks for a few at a time', async () => {
    const node = start();
    const answer = Promise.withResolvers<number>();
    let inFlight = 0;
    let most = 0;
    node.lookup = async () => {
      most = Math.max(most, ++inFlight);
      const size = await answer.promise;
      inFlight--;
      return size;
    };
    const digests = Array.from({ length: MAX_PENDING_CHECKS + 5 }, (_, i) => digest(`blob ${i}`));
    for (const each of digests) {
      node.disk.set(each, 7);
      node.check(each);
    }
    expect(node.overflows).toBe(5);
    answer.resolve(7);
    await until(() => node.told.length === MAX_PENDING_CHECKS);
    expect(most).toBe(MAX_PARALLEL_CHECKS);
  });

  test('check() ends with the signal', async () => {
    const node = start();
    node.closing.abort(new Error('closed'));
    node.disk.set(A, 7);
    node.check(A);
    await new Promise(setImmediate);
    expect(node.lookups).toEqual([]);
  });
});

describe('committed()', () => {
  const B = digest('b');

  test('committed() tells of a blob, and containerd is not asked for it', async () => {
    const node = start();
    node.disk.set(A, 7);
    node.checks.committed(A, 7);
    expect(node.told).toEqual([['present', A, 7]]);
    node.holdsTime = true;
    node.disk.set(B, 8);
    node.checks.appeared(B);
    let isHeard = false;
    const heard = node.checks.heard(B, undefined).then(() => (isHeard = true));
    await new Promise(setImmediate);
    expect(isHeard).toBe(false);
    node.checks.committed(B, 8);
    await heard;
    expect(node.told.at(-1)).toEqual(['present', B, 8]);
    expect(node.lookups).toEqual([]);
  });

  test('committed() does not believe a size that the file does not have', async () => {
    const node = start();
    node.disk.set(A, 6);
    node.lookup = () => 6;
    node.checks.committed(A, 7);
    await until(() => node.told.length === 1);
    expect(node.told).toEqual([['present', A, 6]]);
    expect(node.lookups).toHaveLength(1);
  });

  test('appeared() asks at once as long as containerd tells of no commit', async () => {
    const node = start();
    node.disk.set(A, 7);
    node.lookup = () => 7;
    node.checks.appeared(A);
    await until(() => node.told.length === 1);
    expect(node.lookups.map(({ atMs }) => atMs)).toEqual([0]);
  });

  test('appeared() asks for a blob of which containerd does not tell, and at once for the next', async () => {
    const node = start();
    node.checks.committed(A, 7);
    await until(() => node.told.length === 1);
    node.lookup = () => 8;
    node.disk.set(B, 8);
    node.checks.appeared(B);
    expect(node.lookups).toEqual([]);
    await until(() => node.told.length === 2);
    expect(node.told.at(-1)).toEqual(['present', B, 8]);
    expect(node.lookups[0]?.atMs).toBe(EVENT_WAIT_MS);
    const C = digest('c');
    node.disk.set(C, 8);
    node.checks.appeared(C);
    await until(() => node.told.length === 3);
    expect(node.lookups.map(({ atMs }) => atMs)).toEqual([EVENT_WAIT_MS, EVENT_WAIT_MS]);
  });

  test('appeared() awaits the next event if the last was late, and came while containerd was asked', async () => {
    const node = start();
    node.checks.committed(A, 7);
    await until(() => node.told.length === 1);
    const answer = Promise.withResolvers<number>();
    node.lookup = () => answer.promise;
    node.disk.set(B, 8);
    node.checks.appeared(B);
    await until(() => node.lookups.length === 1);
    node.checks.committed(B, 8);
    answer.resolve(8);
    // Asked once more, because it may be the event of a change.
    await until(() => node.told.filter(([what]) => what === 'present').length === 2);
    await new Promise(setImmediate);
    node.holdsTime = true;
    const C = digest('c');
    node.disk.set(C, 8);
    const asked = node.lookups.length;
    node.checks.appeared(C);
    await new Promise(setImmediate);
    expect(node.lookups).toHaveLength(asked);
  });

  test('appeared() does not await what containerd told of before the file was seen', async () => {
    const node = start();
    node.disk.set(A, 7);
    node.checks.committed(A, 7);
    node.checks.appeared(A);
    await new Promise(setImmediate);
    expect(node.told).toEqual([['present', A, 7]]);
    expect(node.lookups).toEqual([]);
  });

  test('appeared() tells at once of a file that is gone', () => {
    const node = start();
    node.disk.set(A, 7);
    node.checks.committed(A, 7);
    node.holdsTime = true;
    node.checks.appeared(A);
    node.disk.delete(A);
    node.checks.appeared(A);
    expect(node.told).toEqual([
      ['present', A, 7],
      ['absent', A],
    ]);
  });
});
