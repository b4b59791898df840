import { describe, expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { aborted } from '../runtime/abortable.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { signalToWait } from '../store/content-store.ts';
import type { Download } from '../store/downloads.ts';
import type { FlightReport } from './flight-messages.ts';
import { createOwnFlights } from './own-flights.ts';

const MIB = 1024 * 1024;
const digest = digestOf(Buffer.from('layer'));

/** What one node downloads, as the test says, and what it tells its tower, which is another node. */
function start({
  adoptsDownloads = true,
  written,
}: { readonly adoptsDownloads?: boolean; readonly written?: number } = {}) {
  const clock = createVirtualClock();
  /** How often the time is asked for until that is an error. */
  let looksLeft = Infinity;
  const nowMs = () => {
    if (looksLeft-- <= 0) throw new Error('The time is asked for again and again');
    return clock.nowMs();
  };
  const stored = new Set<Digest>();
  const downloads = new Map<Digest, Download>();
  const listeners = new Set<(changed: Digest) => void>();
  const told: FlightReport[] = [];
  let hangs = false;
  const own = createOwnFlights({
    network: {
      self: 'self',
      towersOf: () => ['tower'],
      report: (_tower, report) => void told.push(report),
    },
    tower: { report: () => {} },
    store: {
      downloads: {
        get: (asked) => downloads.get(asked),
        all: () => downloads.values(),
        subscribe(listener) {
          listeners.add(listener);
          return () => void listeners.delete(listener);
        },
      },
      async stat(asked, options = {}) {
        if (hangs) {
          const signal = signalToWait(options) ?? new AbortController().signal;
          await aborted(signal);
          signal.throwIfAborted();
        }
        return stored.has(asked) ? { digest: asked, sizeBytes: 1, path: '/blob', stamp: 0 } : undefined;
      },
    },
    adoptsDownloads,
    clock: { ...clock, nowMs },
    logger: silentLogger,
  });
  const write = (writtenBytes: number | undefined, isRunning = true, what = digest) => {
    if (writtenBytes === undefined) downloads.delete(what);
    else {
      const grownMs = clock.nowMs();
      const sizeBytes = 100 * MIB;
      downloads.set(what, { digest: what, sizeBytes, writtenBytes, path: '/data', isRunning, grownMs });
    }
    for (const listener of listeners) listener(what);
  };
  write(written);
  const stop = new AbortController();
  const running = own.run(stop.signal);
  return {
    clock,
    own,
    stored,
    told,
    /** The store does not answer any more. */
    hang() {
      hangs = true;
    },
    failAfterLooks(looks: number) {
      looksLeft = looks;
    },
    /** The states that were told since the last call, repeated ones once. */
    states() {
      const states = told.splice(0).map(({ state, hasBegun }) => `${state}${hasBegun ? ' begun' : ''}`);
      return states.filter((state, at) => state !== states[at - 1]);
    },
    write,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

describe('createOwnFlights()', () => {
  test('tells the towers of a download from upstream: that it waits, has begun, and is done', async () => {
    await using node = start();
    node.write(0);
    node.own.take(digest, true);
    await node.clock.advance(10);
    expect([node.states(), node.own.isPromised(digest)]).toEqual([['running'], true]);
    node.write(MIB);
    await node.clock.advance(10);
    expect(node.states()).toEqual(['running begun']);
    node.write(undefined);
    await node.clock.advance(100);
    expect([node.states(), node.own.isPromised(digest)]).toEqual([[], true]);
    node.stored.add(digest);
    await node.clock.advance(100);
    expect([node.states(), node.own.isPromised(digest)]).toEqual([['done begun'], false]);
  });

  test('renews what goes on, well within its lease', async () => {
    await using node = start();
    node.own.take(digest, true);
    for (let step = 1; step <= 50; step++) {
      node.write(step * MIB);
      await node.clock.advance(100);
    }
    expect(node.told.length).toBeGreaterThanOrEqual(11);
    expect(node.told.length).toBeLessThanOrEqual(16);
  });

  test.each<readonly [string, (node: ReturnType<typeof start>) => Promise<void>]>([
    ['was given up', async (node) => node.write(MIB, false)],
    ['was removed', async (node) => node.write(undefined)],
  ])('gives up a download that %s', async (_, happen) => {
    await using node = start();
    node.own.take(digest, true);
    node.write(MIB);
    await node.clock.advance(10);
    node.states();
    await happen(node);
    // A blob that was committed may be in the store a moment later.
    await node.clock.advance(1500);
    expect([node.states(), node.own.isPromised(digest)]).toEqual([['aborted begun'], false]);
  });

  test('gives up what the client was sent upstream for and does not begin', async () => {
    await using node = start();
    node.own.take(digest, true);
    await node.clock.advance(800);
    expect(node.own.isPromised(digest)).toBe(true);
    await node.clock.advance(800);
    expect([node.states(), node.own.isPromised(digest)]).toEqual([['aborted'], false]);
  });

  test('says once that a download stands still, and that it is not to be followed', async () => {
    await using node = start();
    const stuck: Digest[] = [];
    node.own.onEnd((each) => void stuck.push(each));
    node.own.take(digest, true);
    for (const written of [1, 2, 3]) {
      node.write(written * MIB);
      await node.clock.advance(100);
    }
    node.states();
    await node.clock.advance(6000);
    expect([stuck, node.own.isStuck(digest), node.states()]).toEqual([
      [digest],
      true,
      ['running begun', 'aborted begun'],
    ]);
  });

  test('a download that waits for its turn stands still when nothing else comes either', async () => {
    await using node = start();
    const other = digestOf(Buffer.from('other'));
    node.write(0);
    node.own.take(digest, true);
    node.own.take(other, true);
    for (let step = 1; step <= 20; step++) {
      node.write(step * MIB, true, other);
      await node.clock.advance(1000);
    }
    expect(node.own.isStuck(digest)).toBe(false);
    await node.clock.advance(6000);
    expect(node.own.isStuck(digest)).toBe(true);
  });

  test('a download in ranges waits for its next range while another one grows, and no longer', async () => {
    await using node = start();
    const other = digestOf(Buffer.from('other'));
    for (const isRoot of [true, false]) {
      node.write(MIB);
      node.own.take(digest, isRoot, { isInRanges: true });
      node.own.left(digest);
      node.own.take(other, isRoot, { isInRanges: true });
      for (let step = 1; step <= 20; step++) {
        node.write(step * MIB, true, other);
        await node.clock.advance(1000);
      }
      expect([isRoot, node.own.isStuck(digest)]).toEqual([isRoot, false]);
      await node.clock.advance(22_000);
      expect([isRoot, node.own.isStuck(digest)]).toEqual([isRoot, true]);
      for (const over of [digest, other]) node.write(undefined, false, over);
      await node.clock.advance(5000);
    }
  });

  test('takes up a download that it was not asked for, when much of it is left', async () => {
    await using node = start();
    node.write(99 * MIB);
    await node.clock.advance(10);
    expect(node.states()).toEqual([]);
    node.write(50 * MIB);
    await node.clock.advance(10);
    expect([node.states(), node.told.at(-1)?.isRoot ?? true]).toEqual([['running begun'], true]);
  });

  test('takes up what waited for its turn when this process was started, and comes from upstream once it grows', async () => {
    await using node = start({ written: 0 });
    await node.clock.advance(10);
    expect(node.states()).toEqual([]);
    await node.clock.advance(1000);
    // It may have been sent upstream before, or have not asked yet: the towers know.
    expect([node.told.at(-1)?.isRoot, node.states()]).toEqual([false, ['running']]);
    node.write(MIB);
    await node.clock.advance(10);
    expect([node.told.at(-1)?.isRoot, node.states()]).toEqual([true, ['running begun']]);
  });

  test('a node is asked for what its client asks for', () => {
    const { own } = start();
    const [first, second] = [own.asks(digest), own.asks(digest)];
    first[Symbol.dispose]();
    expect([own.isWanted(digest), own.isPromised(digest)]).toEqual([true, false]);
    second[Symbol.dispose]();
    expect(own.isWanted(digest)).toBe(false);
  });

  test('tells nobody of a download that it was not asked for where not all content is shared', async () => {
    await using node = start({ adoptsDownloads: false });
    node.write(50 * MIB);
    await node.clock.advance(10);
    expect([node.states(), node.own.isPromised(digest)]).toEqual([[], false]);
  });

  test('a download that begins after a pause is not compared with what came before the pause', async () => {
    await using node = start();
    const [first, child] = ['first', 'child'].map((text) => digestOf(Buffer.from(text))) as [Digest, Digest];
    node.own.take(first, true);
    for (let step = 1; step <= 90; step++) {
      node.write(step * MIB, true, first);
      await node.clock.advance(100);
    }
    node.write(undefined, true, first);
    node.stored.add(first);
    // What comes from another node meanwhile is no intake from upstream.
    node.own.take(child, false);
    for (let step = 1; step <= 50; step++) {
      node.write(step * MIB, true, child);
      await node.clock.advance(100);
    }
    node.own.take(digest, true);
    node.write(0);
    await node.clock.advance(100);
    for (let step = 1; step <= 5; step++) {
      node.write(step * MIB);
      await node.clock.advance(100);
    }
    expect(node.own.isStuck(digest)).toBe(false);
  });

  test('a download that waits in vain lets others wait no longer', async () => {
    await using node = start();
    node.write(0);
    node.own.take(digest, true);
    // On a slow link the first step takes long.
    await node.clock.advance(19_000);
    expect(node.own.isStuck(digest)).toBe(false);
    await node.clock.advance(2000);
    expect(node.own.isStuck(digest)).toBe(true);
  });

  test('a download that waits behind others that stand still waits in vain', async () => {
    await using node = start();
    const [first] = ['first'].map((text) => digestOf(Buffer.from(text)));
    if (first === undefined) throw new Error('No digest');
    for (const each of [first, digest]) {
      node.own.take(each, true);
      node.write(0, true, each);
    }
    await node.clock.advance(100);
    node.write(MIB, true, first);
    await node.clock.advance(2000);
    expect([node.own.isStuck(first), node.own.isStuck(digest)]).toEqual([false, false]);
    await node.clock.advance(3000);
    expect([node.own.isStuck(first), node.own.isStuck(digest)]).toEqual([true, true]);
  });

  test('says whether bytes come, or wait for their turn behind those that were sent upstream before', async () => {
    await using node = start();
    for (let number = 0; number < 3; number++) {
      node.own.take(digestOf(Buffer.from(`before ${number}`)), true);
      await node.clock.advance(10);
    }
    expect(node.own.hasQueued()).toBe(false);
    node.own.take(digest, true);
    node.write(0);
    await node.clock.advance(100);
    const waits = node.own.isMoving(digest);
    expect(node.own.hasQueued()).toBe(true);
    node.write(MIB);
    await node.clock.advance(100);
    const moves = node.own.isMoving(digest);
    // A child, whose parent has nothing either.
    node.own.take(digest, false);
    await node.clock.advance(100);
    const again = node.own.isMoving(digest);
    expect([waits, moves, again]).toEqual([false, true, false]);
  });

  test('goes on to tell of a download while the store does not answer for another', async () => {
    await using node = start();
    const committed = digestOf(Buffer.from('committed'));
    node.own.take(committed, true);
    node.own.take(digest, true);
    node.write(MIB, true, committed);
    node.write(MIB);
    await node.clock.advance(10);
    node.hang();
    node.write(undefined, true, committed);
    node.told.splice(0);
    for (let step = 2; step <= 20; step++) {
      node.write(step * MIB);
      await node.clock.advance(100);
    }
    const states = node.told.filter((report) => report.digest === digest).map(({ state }) => state);
    expect(states.length).toBeGreaterThanOrEqual(3);
    expect(new Set(states)).toEqual(new Set(['running']));
  });

  test('a child whose client has left its body, and takes no other, gives nothing to others any more', async () => {
    await using node = start();
    node.own.take(digest, false);
    node.write(MIB);
    await node.clock.advance(100);
    node.own.left(digest);
    for (let step = 2; step <= 50; step++) {
      node.write(step * MIB);
      await node.clock.advance(100);
    }
    // Another body of it goes on.
    expect(node.own.isStuck(digest)).toBe(false);
    await node.clock.advance(3500);
    expect([node.own.isStuck(digest), node.told.at(-1)?.state]).toEqual([true, 'aborted']);
  });

  test('a node whose link becomes slow says so of all that it was to download, begun or not, until that has passed', async () => {
    await using node = start();
    const digests = Array.from({ length: 5 }, (_, number) => digestOf(Buffer.from(`layer ${number}`)));
    const [first, second, third, child, later] = digests as [Digest, Digest, Digest, Digest, Digest];
    for (const each of [first, second, third]) {
      node.own.take(each, true);
      node.write(0, true, each);
    }
    node.own.take(child, false);
    for (let step = 1; step <= 15; step++) {
      for (const each of [first, second, child]) node.write(step * MIB, true, each);
      await node.clock.advance(100);
    }
    // Less than a tenth of it.
    node.write(16 * MIB, true, first);
    await node.clock.advance(2500);
    const stuck = () => digests.filter((each) => node.own.isStuck(each));
    expect(stuck()).toEqual([first, second, third]);
    const aborted = node.told.filter(({ state }) => state === 'aborted').map((report) => report.digest);
    expect(aborted.toSorted()).toEqual([first, second, third].toSorted());
    node.own.take(later, true);
    node.write(0, true, later);
    await node.clock.advance(10);
    expect([node.own.isStuck(later), node.own.isStuck(child)]).toEqual([true, false]);
    for (let step = 17; step <= 40; step++) {
      node.write(step * MIB, true, first);
      await node.clock.advance(100);
    }
    node.own.take(third, true);
    await node.clock.advance(500);
    expect(node.own.isStuck(third)).toBe(false);
  });

  test('what was there when a download was taken up says nothing of the link', async () => {
    await using node = start({ written: 60 * MIB });
    for (let step = 1; step <= 20; step++) {
      await node.clock.advance(100);
      node.write((60 + step / 2) * MIB);
    }
    await node.clock.advance(1500);
    expect(node.own.isStuck(digest)).toBe(false);
  });

  test('a download that is there, and is being verified, says nothing of the link', async () => {
    await using node = start();
    node.own.take(digest, true);
    for (let step = 1; step <= 20; step++) {
      node.write(step * 5 * MIB);
      await node.clock.advance(100);
    }
    await node.clock.advance(2300);
    const isStuck = node.own.isStuck(digest);
    node.write(undefined);
    node.stored.add(digest);
    const next = digestOf(Buffer.from('next'));
    node.own.take(next, true);
    node.write(0, true, next);
    await node.clock.advance(300);
    expect([isStuck, node.own.isStuck(next)]).toEqual([false, false]);
  });

  test('does not turn around and around where the time until the next look is rounded', async () => {
    await using node = start();
    // 400.3 + 400 - 800.3 is 0, and 800.3 - 400.3 is less than 400.
    await node.clock.advance(400.3);
    node.own.take(digest, true);
    node.write(MIB);
    node.failAfterLooks(10_000);
    await node.clock.advance(1000);
    expect(node.states()).toEqual(['running begun']);
  });

  test('a child tells less often, and is never stuck', async () => {
    await using node = start();
    node.own.take(digest, false);
    node.write(MIB);
    await node.clock.advance(9000);
    expect(node.told.length).toBeLessThanOrEqual(6);
    expect([node.own.isStuck(digest), node.told.every(({ isRoot }) => !isRoot)]).toEqual([false, true]);
  });
});
