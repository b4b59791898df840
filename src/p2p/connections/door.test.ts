import { describe, expect, test } from 'bun:test';

import type { Timers } from '../../runtime/timers.ts';
import { createDoor, type DoorOptions } from './door.ts';
import type { Visit } from './door-visit.ts';
import type { Standing } from '../../membership/membership.ts';

const OPTIONS: DoorOptions = {
  address: { connections: 4, pendingConnections: 2, handshakes: 3, burst: 6, perSecond: 2 },
  connections: 20,
  pendingConnections: 10,
  slots: 4,
  pacedFrom: 1000,
  pacePerSecond: 10,
  waiting: 8,
  waitMs: 20_000,
  handshakeMs: 5000,
};

function setUp(options: Partial<DoorOptions> = {}) {
  let nowMs = 1000;
  const due = new Set<{ readonly atMs: number; readonly work: () => void }>();
  const timers: Timers = {
    after(ms, work) {
      const timer = { atMs: nowMs + ms, work };
      due.add(timer);
      return () => due.delete(timer);
    },
  };
  const door = createDoor({ nowMs: () => nowMs, timers }, { ...OPTIONS, ...options });
  const begun = new Set<Visit>();
  const late = new Set<Visit>();
  const pass = (ms: number) => {
    nowMs += ms;
    for (const timer of due) {
      if (timer.atMs > nowMs) continue;
      due.delete(timer);
      timer.work();
    }
  };
  /** Turns begin a microtask later. */
  const knock = async (origin: string, standing: Standing = 'member', isHeard = true) => {
    const visit = door.knock({ origin, standing });
    if (isHeard) visit?.heard();
    visit?.turn.then(
      (signal) => {
        begun.add(visit);
        signal.addEventListener('abort', () => late.add(visit));
      },
      () => {},
    );
    await Promise.resolve();
    return visit;
  };
  return { door, begun, late, pass, knock };
}

describe('createDoor()', () => {
  test('gives an address so many handshakes at a time, and none in the time of others', async () => {
    const { door, begun, knock } = setUp();
    for (let count = 0; count < 10; count++) await knock('10.0.0.1');
    expect(begun.size).toBe(3);
    expect(door.refused.address_handshakes).toBe(7);
    const other = await knock('10.0.0.2');
    expect(other !== undefined && begun.has(other)).toBe(true);
  });

  test('gives an address so many connections, fewer where it is not of a member, and each again that ends', async () => {
    const { door, knock } = setUp();
    for (const [origin, standing, most] of [
      ['10.0.0.1', 'member', 4],
      ['10.0.0.2', 'pending', 2],
    ] as const) {
      const visits: (Visit | undefined)[] = [];
      for (let count = 0; count < 5; count++) {
        const visit = await knock(origin, standing);
        visit?.opened();
        visits.push(visit);
      }
      expect(visits.filter((visit) => visit !== undefined)).toHaveLength(most);
      visits[0]?.ended();
      visits[0]?.ended();
      expect(await knock(origin, standing)).toBeDefined();
    }
    expect(door.refused.address_connections).toBe(1 + 3);
  });

  test('lets handshakes begin at a pace once there are many connections', async () => {
    const { door, begun, knock, pass } = setUp({
      connections: 20,
      pacedFrom: 10,
      pacePerSecond: 4,
      waiting: 40,
    });
    const open = async (host: number) => {
      const visit = await knock(`10.0.0.${host}`);
      visit?.opened();
      return visit;
    };
    for (let host = 0; host < 10; host++) await open(host);
    expect(begun.size).toBe(10);
    const pendingPeer = await knock('10.1.0.1', 'pending');
    const waiting = [await knock('10.1.0.2'), await knock('10.1.0.3'), await knock('10.1.0.4')];
    const count = () => waiting.filter((visit) => visit !== undefined && begun.has(visit)).length;
    const hasPending = () => pendingPeer !== undefined && begun.has(pendingPeer);
    // The first of them begins at once: there was none for a while.
    const seen: [number, boolean][] = [];
    for (let quarter = 0; quarter < 4; quarter++) {
      await Promise.resolve();
      seen.push([count(), hasPending()]);
      pass(250);
    }
    expect(seen).toEqual([
      [0, true],
      [1, true],
      [2, true],
      [3, true],
    ]);
    expect(door.refused.handshakes).toBe(0);
  });

  test('at the pace an address that has waited the longest for a handshake is next, however many others queue', async () => {
    const { begun, knock, pass } = setUp({
      address: { ...OPTIONS.address, burst: 100, handshakes: 8, connections: 100 },
      pacedFrom: 0,
      pacePerSecond: 10,
      waiting: 100,
    });
    for (let round = 0; round < 6; round++) {
      for (let host = 0; host < 8; host++) await knock(`10.9.0.${host}`);
    }
    // Each hostile address begins now and then, and fails.
    const fail = () => {
      for (const visit of begun) visit.ended();
    };
    for (let step = 0; step < 10; step++) {
      fail();
      pass(100);
      await Promise.resolve();
    }
    const honest = await knock('10.0.0.1');
    for (let step = 0; step < 2; step++) {
      fail();
      pass(100);
      await Promise.resolve();
    }
    expect(honest !== undefined && begun.has(honest)).toBe(true);
  });

  test('lets an address that dials all the time begin few handshakes a second', async () => {
    const { door, knock, pass } = setUp();
    let begun = 0;
    for (let ms = 0; ms < 10_000; ms += 10) {
      const visit = await knock('10.0.0.1');
      if (visit !== undefined) begun++;
      visit?.opened();
      visit?.ended();
      pass(10);
    }
    expect(begun).toBeGreaterThanOrEqual(24);
    expect(begun).toBeLessThanOrEqual(6 + 20);
    expect(door.refused.rate).toBe(1000 - begun);
  });

  test('ends what is half open, and lets the handshakes that wait go on', async () => {
    const { door, begun, late, knock, pass } = setUp();
    const slow: (Visit | undefined)[] = [];
    for (let host = 0; host < 4; host++) slow.push(await knock(`10.0.0.${host}`));
    const waiting = await knock('10.0.1.1');
    expect(waiting !== undefined && begun.has(waiting)).toBe(false);
    pass(4999);
    expect(late.size).toBe(0);
    pass(1);
    expect(late.size).toBe(4);
    slow[0]?.ended();
    await Promise.resolve();
    expect(waiting !== undefined && begun.has(waiting)).toBe(true);
    expect(door.refused.slow_handshake).toBe(4);
  });

  test('gives a handshake that goes on more time, but not for ever', async () => {
    const { late, knock, pass } = setUp();
    const visit = await knock('10.0.0.1');
    for (let ms = 0; ms < 14_000; ms += 1000) {
      pass(1000);
      visit?.heard();
    }
    expect(late.size).toBe(0);
    pass(1000);
    expect(late.size).toBe(1);
  });

  test('keeps no place for connections that say nothing, and ends them', async () => {
    const { door, begun, knock, pass } = setUp();
    const silent: (Visit | undefined)[] = [];
    for (let host = 0; host < 7; host++) silent.push(await knock(`10.0.0.${host}`, 'member', false));
    const outcomes = silent.map(async (visit) => visit?.turn.then(() => 'begun').catch(() => 'ended'));
    const other = await knock('10.0.1.1');
    expect(begun.size).toBe(1);
    expect(other !== undefined && begun.has(other)).toBe(true);
    pass(5000);
    expect(await Promise.all(outcomes)).toEqual(silent.map(() => 'ended'));
    expect(door.refused.slow_handshake).toBe(7 + 1);
  });

  test('keeps half of the places for members, which come first', async () => {
    const { begun, knock } = setUp();
    const pending: (Visit | undefined)[] = [];
    for (let host = 0; host < 6; host++) pending.push(await knock(`10.1.0.${host}`, 'pending'));
    expect(begun.size).toBe(2);
    const members = [await knock('10.0.0.1'), await knock('10.0.0.2'), await knock('10.0.0.3')];
    expect(members.map((visit) => visit !== undefined && begun.has(visit))).toEqual([true, true, false]);
    pending[0]?.ended();
    await Promise.resolve();
    expect(members.every((visit) => visit !== undefined && begun.has(visit))).toBe(true);
    expect(begun.size).toBe(5);
  });

  test('bounds the handshakes that wait, how long they wait, and all connections', async () => {
    const { door, knock, pass } = setUp({ connections: 14 });
    const visits: (Visit | undefined)[] = [];
    for (let host = 0; host < 20; host++) visits.push(await knock(`10.0.0.${host}`));
    expect(visits.filter((visit) => visit !== undefined)).toHaveLength(4 + 8);
    expect(door.refused.handshakes).toBe(8);
    const last = visits[11];
    const outcome = last?.turn.then(
      () => 'begun',
      () => 'refused',
    );
    pass(20_000);
    expect(await outcome).toBe('refused');
    for (const visit of visits) visit?.ended();
    for (let host = 0; host < 20; host++) (await knock(`10.0.1.${host}`))?.opened();
    expect(door.refused.connections).toBe(6);
  });
});
