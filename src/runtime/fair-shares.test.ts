import { describe, expect, test } from 'bun:test';
import { createFairShares, type HeldShare, type ShareOwner } from './fair-shares.ts';
import { createVirtualClock } from './testing/virtual-clock.ts';

function create(options: {
  total: number;
  reserved?: number;
  reservedForFirst?: number;
  maxWaiting?: number;
}) {
  const clock = createVirtualClock();
  const memory = { share: 1 };
  const shares = createFairShares({
    clock,
    reserved: 0,
    waitMs: 1000,
    maxWaiting: 10,
    stallMs: 3000,
    room: { share: () => memory.share },
    ...options,
  });
  return { clock, shares, memory };
}

/** How many shares of weight 1 a key gets at once. */
async function takeAll(shares: ReturnType<typeof create>['shares'], key: string, favoured = false) {
  const held: HeldShare[] = [];
  for (let n = 0; n < 100; n++) {
    const share = await shares.enter({ key, weight: 1, favoured, mayWait: false });
    if (share === undefined) break;
    held.push(share);
  }
  return held;
}

/** What a share is for: it stalls for so long, gives its share back when it has to, or goes when the signal aborts. */
function createOwner({
  stalledMs = 0,
  breakOff = () => {},
  gone = new AbortController().signal,
}: Partial<ShareOwner>) {
  return { gone, stalledMs, breakOff };
}

describe('createFairShares()', () => {
  test('a key gets three quarters, and each key that comes later gets three quarters of what is left', async () => {
    const { shares } = create({ total: 64 });
    expect((await takeAll(shares, 'a')).length).toBe(48);
    expect((await takeAll(shares, 'b')).length).toBe(12);
    expect((await takeAll(shares, 'c')).length).toBe(3);
    expect((await takeAll(shares, 'd')).length).toBe(1);
    expect((await takeAll(shares, 'e')).length).toBe(0);
    expect(shares.held).toBe(64);
  });

  test('what is reserved goes to favoured requests only', async () => {
    const { shares } = create({ total: 12, reserved: 8 });
    expect((await takeAll(shares, 'a')).length).toBe(3);
    expect((await takeAll(shares, 'b')).length).toBe(1);
    expect((await takeAll(shares, 'c')).length).toBe(0);
    expect((await takeAll(shares, 'own', true)).length).toBe(6);
  });

  test('what is reserved for them goes to requests that come first only, and these need not wait for others', async () => {
    const { shares } = create({ total: 12, reserved: 4, reservedForFirst: 2 });
    const others = [
      ...(await takeAll(shares, 'a', true)),
      ...(await takeAll(shares, 'b', true)),
      ...(await takeAll(shares, 'c', true)),
    ];
    expect(shares.held).toBe(10);
    const first = { key: 'own', weight: 1, favoured: true, isFirst: true };
    expect([await shares.enter(first), shares.held]).toEqual([expect.anything(), 11]);
    const order: string[] = [];
    const enter = async (name: string, request: typeof first | { key: string; weight: number }) => {
      if ((await shares.enter(request)) !== undefined) order.push(name);
    };
    await shares.enter(first);
    const waiting = [
      enter('new', { key: 'd', weight: 1, favoured: true, isFirst: false }),
      enter('own', first),
    ];
    for (const each of others) each[Symbol.dispose]();
    await Promise.all(waiting);
    expect(order).toEqual(['own', 'new']);
  });

  test('a request that finds nothing waits, and the key that holds the least is next', async () => {
    const { shares } = create({ total: 4 });
    const first = await takeAll(shares, 'a');
    const [other] = await takeAll(shares, 'b');
    expect([first.length, shares.held]).toEqual([3, 4]);
    const order: string[] = [];
    const enter = async (key: string) => {
      const share = await shares.enter({ key, weight: 1 });
      if (share !== undefined) order.push(key);
    };
    const entering = [enter('b'), enter('c')];
    first[0]?.[Symbol.dispose]();
    await entering[1];
    expect(order).toEqual(['c']);
    first[1]?.[Symbol.dispose]();
    first[2]?.[Symbol.dispose]();
    other?.[Symbol.dispose]();
    await entering[0];
    expect(order).toEqual(['c', 'b']);
    expect(shares.waiting).toBe(0);
  });

  test('a wait ends after its time, when its owner is gone, and at once when too many wait', async () => {
    const { clock, shares } = create({ total: 1, maxWaiting: 4 });
    using _held = await shares.enter({ key: 'a', weight: 1 });
    const late = shares.enter({ key: 'b', weight: 1 });
    const over = new AbortController();
    const aborted = shares.enter({ key: 'b', weight: 1, owner: createOwner({ gone: over.signal }) });
    expect(await shares.enter({ key: 'b', weight: 1 })).toBeUndefined();
    over.abort();
    expect(await aborted).toBeUndefined();
    expect(shares.waiting).toBe(1);
    await clock.advance(1000);
    expect(await late).toBeUndefined();
    expect([shares.waiting, shares.held]).toEqual([0, 1]);
  });

  test('a holder that stalls gives way to a request that waits, and only then', async () => {
    const { clock, shares } = create({ total: 2 });
    const evicted: string[] = [];
    const enter = async (key: string, stalledMs: number) => {
      let share: HeldShare | undefined;
      const breakOff = () => {
        evicted.push(key);
        share?.[Symbol.dispose]();
      };
      share = await shares.enter({ key, weight: 1, owner: createOwner({ stalledMs, breakOff }) });
      return share;
    };
    await enter('stalled', 3000);
    await enter('slow', 2999);
    await clock.advance(10_000);
    expect(evicted).toEqual([]);
    const share = await shares.enter({ key: 'new', weight: 1 });
    expect(share).toBeDefined();
    expect(evicted).toEqual(['stalled']);
  });

  test('what is free is had at once, and what is not free is not waited for by a request that may not wait', async () => {
    const { shares } = create({ total: 1 });
    const held = shares.enter({ key: 'a', weight: 1 });
    expect(held).not.toBeInstanceOf(Promise);
    expect(await shares.enter({ key: 'b', weight: 1, mayWait: false })).toBeUndefined();
    expect(shares.waiting).toBe(0);
  });

  test('a request that fits does not wait behind a heavier request of its key', async () => {
    const { shares } = create({ total: 10 });
    await shares.enter({ key: 'other', weight: 4 });
    void shares.enter({ key: 'a', weight: 8 });
    const light = await Promise.race([shares.enter({ key: 'a', weight: 1 }), Bun.sleep(50)]);
    expect(light).toBeDefined();
    expect(shares.waiting).toBe(1);
  });

  test('more weight than there is counts as all there is', async () => {
    const { shares } = create({ total: 4 });
    const share = await shares.enter({ key: 'a', weight: 100 });
    expect(shares.held).toBe(4);
    share?.[Symbol.dispose]();
    share?.[Symbol.dispose]();
    expect(shares.held).toBe(0);
  });

  test('while memory is short strangers get less, and those that are favoured what there is', async () => {
    const { shares, memory } = create({ total: 80, reserved: 16 });
    memory.share = 0.25;
    expect((await takeAll(shares, 'a')).length).toBe(12);
    expect((await takeAll(shares, 'b')).length).toBe(3);
    expect((await takeAll(shares, 'own', true)).length).toBe(49);
    memory.share = 1;
    expect((await takeAll(shares, 'c')).length).toBe(0);
  });

  test('while memory is short fewer wait, and what waits is served when there is room again', async () => {
    const { clock, shares, memory } = create({ total: 4, maxWaiting: 10 });
    const first = await takeAll(shares, 'a');
    expect(first.length).toBe(3);
    memory.share = 0.5;
    const enter = async (key: string, favoured = false) => {
      const share = await shares.enter({ key, weight: 1, favoured });
      return share === undefined ? 'refused' : 'served';
    };
    const outcomes = ['b', 'c', 'd', 'e'].map(async (key) => enter(key));
    expect(await outcomes.at(-1)).toBe('refused');
    // Those that are favoured may wait all the same, and what is free is for them alone just now.
    const own = [await enter('own', true), enter('own', true)];
    expect(own[0]).toBe('served');
    expect(shares.waiting).toBe(4);
    memory.share = 1;
    for (const share of first) share[Symbol.dispose]();
    await clock.advance(1000);
    expect(await Promise.all([...outcomes, ...own])).toEqual([
      'served',
      'served',
      'served',
      'refused',
      'served',
      'refused',
    ]);
  });

  test('while more is held than memory allows, strangers that stall give way sooner, also when nobody waits', async () => {
    const { clock, shares, memory } = create({ total: 8 });
    const evicted: string[] = [];
    const enter = async (key: string, favoured: boolean, stalledMs: number) => {
      let share: HeldShare | undefined;
      const breakOff = () => {
        evicted.push(key);
        share?.[Symbol.dispose]();
      };
      share = await shares.enter({ key, weight: 1, favoured, owner: createOwner({ stalledMs, breakOff }) });
      return share;
    };
    await enter('stalled', false, 800);
    await enter('own', true, 800);
    await enter('reads', false, 200);
    await clock.advance(1000);
    expect(evicted).toEqual([]);
    memory.share = 0.2;
    await enter('own', true, 0);
    await clock.advance(1000);
    expect(evicted).toEqual(['stalled']);
  });

  test('memory that is short ends no pull of favoured holders, and no more of strangers than it must', async () => {
    const { clock, shares, memory } = create({ total: 10, reserved: 2 });
    const evicted: string[] = [];
    const enter = async (key: string, favoured: boolean, stalledMs = 60_000) => {
      let share: HeldShare | undefined;
      const breakOff = () => {
        evicted.push(key);
        share?.[Symbol.dispose]();
      };
      share = await shares.enter({ key, weight: 1, favoured, owner: createOwner({ stalledMs, breakOff }) });
    };
    for (const key of ['a', 'b', 'c', 'd']) await enter(key, false);
    await enter('own', true);
    memory.share = 0.5;
    await enter('own', true, 0);
    await clock.advance(1000);
    expect(evicted).toEqual(['a', 'b']);
    memory.share = 0.1;
    await clock.advance(1000);
    expect(evicted).toEqual(['a', 'b']);
  });

  test('the largest request has its turn also while memory is short, and what waits is not overtaken', async () => {
    const { shares, memory } = create({ total: 10, reserved: 2 });
    memory.share = 0.1;
    using large = await shares.enter({ key: 'a', weight: 7 });
    expect(large).toBeDefined();
    const over = new AbortController();
    const first = shares.enter({ key: 'b', weight: 1 });
    memory.share = 1;
    const second = shares.enter({ key: 'c', weight: 1, owner: createOwner({ gone: over.signal }) });
    using served = await first;
    expect(served).toBeDefined();
    expect(shares.waiting).toBe(1);
    over.abort();
    expect(await second).toBeUndefined();
  });
});
