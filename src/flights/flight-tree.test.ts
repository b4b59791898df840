import { describe, expect, test } from 'bun:test';

import { createFlightTree, type FlightTree, NAMED_LEASE_MS, ROOT_LEASE_MS } from './flight-tree.ts';

const MIB = 1024 * 1024;

interface Asked {
  readonly leader?: string;
  readonly bad?: readonly string[];
  readonly full?: readonly string[];
  readonly holders?: readonly string[];
  readonly gone?: readonly string[];
  /** Nodes that are gone, and were there a moment ago. */
  readonly away?: readonly string[];
  /** Of these, those that have said goodbye. */
  readonly pausing?: readonly string[];
  /** Nodes by the letter of their zone, such as `{ a: 'ABC' }`. */
  readonly zones?: Readonly<Record<string, string>>;
  readonly avoidsOwnZone?: boolean;
  readonly atMs?: number;
}

function join(tree: FlightTree, id: string, asked: Asked = {}) {
  const { leader, bad = [], full = [], holders = [], gone = [], away = [], pausing = [], atMs = 0 } = asked;
  const { zones = {}, avoidsOwnZone } = asked;
  return tree.join(
    id,
    { leader, bad: new Set(bad), full: new Set(full), avoidsOwnZone },
    {
      nowMs: atMs,
      holders,
      isThere: (each) => ![...gone, ...away].includes(each),
      wasThere: (each) => !gone.includes(each),
      isPausing: (each) => pausing.includes(each),
      zoneOf: (each) => Object.keys(zones).find((zone) => zones[zone]?.includes(each)),
    },
  );
}

const running = { state: 'running', isRoot: true, hasBegun: true, writtenBytes: 1 } as const;

describe('createFlightTree()', () => {
  test('sends the first node upstream, and each further node to the node before it', () => {
    const tree = createFlightTree();
    expect(['A', 'B', 'C', 'D'].map((id) => join(tree, id))).toEqual([undefined, 'A', 'B', 'C']);
    expect(tree.leader).toBe('A');
    expect(tree.list().map(({ id, role, depth, children }) => [id, role, depth, children])).toEqual([
      ['A', 'root', 0, 1],
      ['B', 'child', 1, 1],
      ['C', 'child', 2, 1],
      ['D', 'child', 3, 0],
    ]);
  });

  test('never makes a second root while the first goes on, however full all are', () => {
    const tree = createFlightTree();
    join(tree, 'A');
    expect(join(tree, 'B', { full: ['A'] })).toBe('A');
    expect(join(tree, 'C', { full: ['A', 'B'] })).toBeOneOf(['A', 'B']);
  });

  test('sends nodes to a holder first, and spreads them over several', () => {
    const tree = createFlightTree();
    const holders = ['X', 'Y'];
    expect(new Set([join(tree, 'A', { holders }), join(tree, 'B', { holders })])).toEqual(new Set(holders));
    expect(join(tree, 'C', { holders })).toBeOneOf(['A', 'B']);
    expect(tree.leader).toBeUndefined();
  });

  test.each<readonly [string, Asked, string | undefined]>([
    ['that was called bad', { bad: ['A'] }, undefined],
    ['that is gone', { gone: ['A'] }, undefined],
    ['whose lease is over', { atMs: ROOT_LEASE_MS + 1 }, undefined],
    ['that goes on', { atMs: ROOT_LEASE_MS - 1 }, 'A'],
  ])('a root %s', (_, asked, parent) => {
    const tree = createFlightTree();
    join(tree, 'A');
    expect(join(tree, 'B', asked)).toBe(parent);
  });

  test('a root that reports keeps its lease', () => {
    const tree = createFlightTree();
    join(tree, 'A');
    tree.report('A', running, ROOT_LEASE_MS - 1);
    expect(join(tree, 'B', { atMs: 2 * ROOT_LEASE_MS - 2 })).toBe('A');
  });

  test('after a root that gave up, the next that asks is the root, and its children follow it', () => {
    const tree = createFlightTree();
    for (const id of ['A', 'B', 'C']) join(tree, id);
    tree.report('A', { ...running, state: 'aborted' }, 1);
    expect(join(tree, 'B', { bad: ['A'], atMs: 1 })).toBeUndefined();
    expect(tree.leader).toBe('B');
    expect(join(tree, 'C', { atMs: 2 })).toBe('B');
  });

  test('never sends a node to what takes the content from it', () => {
    const tree = createFlightTree();
    for (const id of ['A', 'B', 'C']) join(tree, id);
    // The root is gone; C takes it from B.
    expect(join(tree, 'B', { bad: ['A'], gone: ['A'] })).toBeUndefined();
    expect(join(tree, 'A', { bad: ['B', 'C'], atMs: 1 })).toBeUndefined();
  });

  test('a node that has the content is a holder, and has room again for one node', () => {
    const tree = createFlightTree();
    join(tree, 'A');
    join(tree, 'B');
    tree.report('B', { ...running, state: 'done' }, 1);
    expect(tree.list().map(({ id, role, children }) => [id, role, children])).toEqual([
      ['A', 'root', 0],
      ['B', 'holder', 0],
    ]);
    expect(join(tree, 'C', { atMs: 1 })).toBeOneOf(['A', 'B']);
  });

  test('waits for the leader of the image, who comes to it later, as long as it is named', () => {
    const tree = createFlightTree();
    expect(join(tree, 'B', { leader: 'A' })).toBe('A');
    const laterMs = NAMED_LEASE_MS - 1;
    expect(join(tree, 'C', { leader: 'A', atMs: laterMs })).toBe('B');
    // B has asked the leader, which does not download it.
    expect(join(tree, 'B', { bad: ['A'], leader: 'B', atMs: laterMs })).toBeUndefined();
    expect(join(tree, 'D', { leader: 'B', atMs: laterMs })).toBe('C');
  });

  test.each<readonly [string, Asked]>([
    ['that is gone', { gone: ['A'] }],
    ['that nobody names', {}],
    ['that another node has replaced', { leader: 'B' }],
  ])('does not wait for a leader %s', (_, asked) => {
    const tree = createFlightTree();
    join(tree, 'B', { leader: 'A' });
    expect(join(tree, 'C', { atMs: NAMED_LEASE_MS + 1, ...asked })).not.toBe('A');
    expect(tree.list().map(({ id }) => id)).not.toContain('A');
  });

  test('makes a chain in each zone, whose first node alone takes the content from another zone', () => {
    const tree = createFlightTree();
    const zones = { a: 'ACEG', b: 'BDFH' };
    const parents = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'].map((id) => join(tree, id, { zones }));
    expect(parents).toEqual([undefined, 'A', 'A', 'B', 'C', 'D', 'E', 'F']);
  });

  test('sends a node to a holder of its zone, however many follow it, and elsewhere when that is bad or has no room', () => {
    const zones = { a: 'AX', b: 'BY' };
    const holders = ['X', 'Y'];
    const tree = createFlightTree();
    expect(join(tree, 'A', { zones, holders })).toBe('X');
    const busy = createFlightTree();
    for (const id of ['P', 'Q']) join(busy, id, { holders: ['X'] });
    expect(join(busy, 'A', { zones, holders })).toBe('X');
    expect(join(busy, 'A', { zones, holders, full: ['X'], gone: ['P', 'Q'] })).toBe('Y');
    expect(join(busy, 'A', { zones, holders, bad: ['X'], gone: ['P', 'Q'] })).toBe('Y');
  });

  test('sends a node past a zone that it cannot reach', () => {
    const zones = { a: 'AVW', b: 'XY', c: 'Z' };
    const other = createFlightTree();
    expect(join(other, 'A', { zones, bad: ['X'], holders: ['X', 'Y', 'Z'] })).toBe('Z');
    const own = createFlightTree();
    expect(join(own, 'A', { zones, bad: ['V'], holders: ['V', 'W', 'Z'] })).toBe('W');
    expect(join(own, 'A', { zones, bad: ['V'], avoidsOwnZone: true, holders: ['V', 'W', 'Z'] })).toBe('Z');
  });

  test('prefers a node that is heard to a leader that was only named: that may have given the image up', () => {
    const tree = createFlightTree();
    join(tree, 'B', { leader: 'A' });
    tree.report('B', { ...running, state: 'done' }, 1);
    expect(join(tree, 'C', { leader: 'A', atMs: 2 })).toBe('B');
  });

  test('two leaders do not wait for each other for a layer of both images', () => {
    const tree = createFlightTree();
    join(tree, 'C', { leader: 'A' });
    join(tree, 'D', { leader: 'B' });
    expect([join(tree, 'A', { leader: 'B' }), join(tree, 'B', { leader: 'A' })]).toEqual([undefined, 'C']);
  });

  test('does not wait for a leader again that was heard, and is not heard any more', () => {
    const tree = createFlightTree();
    join(tree, 'A');
    const lateMs = ROOT_LEASE_MS + 1;
    expect(join(tree, 'B', { leader: 'A', atMs: lateMs })).toBeUndefined();
  });

  test('a root that waits for its turn, and whose mirror was started again, stays the root', () => {
    const tree = createFlightTree();
    join(tree, 'A');
    join(tree, 'B');
    tree.report('A', { ...running, isRoot: false, hasBegun: false }, ROOT_LEASE_MS - 1);
    expect(join(tree, 'C', { atMs: ROOT_LEASE_MS + 1 })).toBe('B');
    expect(tree.list().find(({ id }) => id === 'A')?.role).toBe('root');
  });

  test('sends others to a node that was called bad last, until it is heard', () => {
    const tree = createFlightTree();
    const holders = ['X', 'Y'];
    const join3 = (id: string, bad: readonly string[] = []) => join(tree, id, { holders, bad });
    const first = join3('A');
    const other = holders.find((holder) => holder !== first);
    expect(join3('A', [String(first)])).toBe(other);
    expect([join3('B'), join3('C')]).not.toContain(first);
    tree.report(String(first), { ...running, state: 'done' }, 1);
    expect(join3('D')).toBe(first);
  });

  test('sends others last to a root that has given up, also when it has the content in the end', () => {
    const tree = createFlightTree();
    join(tree, 'A');
    tree.report('A', { ...running, state: 'aborted' }, 1);
    join(tree, 'B', { atMs: 2 });
    for (const id of ['A', 'B']) tree.report(id, { ...running, state: 'done' }, 3);
    expect(join(tree, 'C', { atMs: 4 })).toBe('B');
  });

  test('a root whose mirror may be restarting is waited for within its lease, another node is not', () => {
    const tree = createFlightTree();
    for (const id of ['A', 'B']) join(tree, id);
    expect(join(tree, 'C', { away: ['A'], atMs: 1 })).toBe('B');
    expect(join(tree, 'D', { away: ['A', 'B'], atMs: 2 })).toBe('A');
    expect(join(tree, 'E', { away: ['A'], bad: ['A'], atMs: ROOT_LEASE_MS + 1 })).toBeUndefined();
  });

  describe('ahead()', () => {
    const LATER_MS = 10_000;
    /** A chain A, B, C, … with so many MiB, long after it was made. */
    const chain = (written: Readonly<Record<string, number>>, holders: readonly string[] = []) => {
      const tree = createFlightTree();
      for (const id of Object.keys(written)) join(tree, id, { holders });
      for (const [id, mib] of Object.entries(written)) {
        tree.report(id, { ...running, isRoot: id === 'A', writtenBytes: mib * MIB }, LATER_MS - 1);
      }
      const ahead = (id: string, atMib: number, bad: readonly string[], atMs = LATER_MS) =>
        tree.ahead(
          id,
          atMib * MIB,
          { bad: new Set(bad), of: bad.at(-1) },
          {
            nowMs: atMs,
            holders,
            isThere: () => true,
            wasThere: () => true,
            isPausing: () => false,
            zoneOf: () => undefined,
          },
        );
      return { tree, ahead };
    };

    test('names a node that is far ahead of another one, without moving anybody', () => {
      const { tree, ahead } = chain({ A: 100, B: 10, C: 10 });
      const before = tree.list();
      expect(ahead('C', 10, ['B'])).toBe('A');
      // As far as a chain is behind its root.
      expect(ahead('C', 90, ['B'])).toBeUndefined();
      // It is below B, and no other node is ahead.
      expect(ahead('B', 10, ['A'])).toBeUndefined();
      expect(tree.list()).toEqual(before);
    });

    test('names none because of a node that takes it from a slow one: that is to leave', () => {
      const { tree, ahead } = chain({ A: 100, B: 10, C: 10, D: 10 });
      expect([ahead('D', 10, ['C']), ahead('C', 10, ['B'])]).toEqual([undefined, 'A']);
      // C has left it, and has not had the time to catch up.
      const joinedMs = LATER_MS + 1;
      expect(join(tree, 'C', { bad: ['B'], atMs: joinedMs })).toBe('A');
      expect([ahead('D', 10, ['C'], joinedMs + 1), ahead('D', 10, ['C'], joinedMs + 1900)]).toEqual([
        undefined,
        undefined,
      ]);
    });

    test('names the node itself where only its own way to the asker is slow', () => {
      const { ahead } = chain({ A: 100, B: 90, C: 10 });
      expect(ahead('C', 10, ['B'])).toBe('A');
    });

    test('a node that has had a small layer for some seconds is ahead', () => {
      const { tree, ahead } = chain({ A: 7, B: 2, C: 2 });
      expect(ahead('C', 2, ['B'])).toBeUndefined();
      tree.report('A', { ...running, state: 'done', writtenBytes: 8 * MIB }, LATER_MS);
      expect(ahead('C', 2, ['B'], LATER_MS + 1900)).toBeUndefined();
      expect(ahead('C', 2, ['B'], LATER_MS + 2100)).toBe('A');
    });

    test.each([8, 100])(
      'no holder of %p MiB is ahead of another holder: the way to the asker may be slow',
      (mib) => {
        const { tree, ahead } = chain({ A: mib, B: mib, C: 2 });
        for (const id of ['A', 'B']) {
          tree.report(id, { ...running, state: 'done', writtenBytes: mib * MIB }, LATER_MS);
        }
        expect(ahead('C', 2, ['B'], LATER_MS + 2100)).toBeUndefined();
      },
    );

    test('a node that had all of it before is not ahead: behind it all are', () => {
      const { tree, ahead } = chain({ A: 1, B: 1 }, ['H']);
      expect(ahead('B', 1, ['A'])).toBeUndefined();
      tree.report('A', { ...running, state: 'done', writtenBytes: 100 * MIB }, LATER_MS);
      expect(ahead('B', 1, ['X'])).toBe('A');
    });
  });

  test('a root that has said goodbye has a longer lease', () => {
    const tree = createFlightTree();
    join(tree, 'A');
    const away = { away: ['A'], pausing: ['A'] };
    expect(join(tree, 'B', { ...away, atMs: ROOT_LEASE_MS + 9000 })).toBe('A');
    expect(join(tree, 'C', { ...away, bad: ['B'], atMs: ROOT_LEASE_MS + 11_000 })).toBeUndefined();
  });

  test('gives an image another leader when the asker knows that the leader is lost, and the same to all', () => {
    const tree = createFlightTree();
    const lead = (id: string, bad: readonly string[], gone: readonly string[] = []) =>
      tree.lead(id, new Set(bad), (each) => !gone.includes(each));
    join(tree, 'A');
    expect(lead('B', [])).toBe('A');
    expect(lead('B', ['A'])).toBe('B');
    expect(lead('C', ['A'])).toBe('B');
    expect(lead('C', ['A'], ['B'])).toBe('C');
  });

  test('the leader that asks itself is the root', () => {
    const tree = createFlightTree();
    join(tree, 'B', { leader: 'A' });
    expect(join(tree, 'A', { leader: 'A', atMs: 1 })).toBeUndefined();
    expect(join(tree, 'C', { leader: 'A', atMs: 2 })).toBe('B');
    expect(tree.leader).toBe('A');
  });

  test('widens below the top when many nodes want it', () => {
    const tree = createFlightTree();
    for (let node = 0; node < 200; node++) join(tree, `n${node}`);
    const members = tree.list();
    expect(Math.max(...members.map(({ children }) => children))).toBe(2);
    expect(Math.max(...members.map(({ depth }) => depth))).toBeLessThan(30);
    expect(members.filter(({ role }) => role === 'root')).toHaveLength(1);
  });

  test('a node that comes back has as many children as take the content from it', () => {
    const tree = createFlightTree();
    for (const id of ['A', 'B', 'C']) join(tree, id);
    tree.report('A', { ...running, state: 'aborted' }, 1);
    tree.report('A', running, 2);
    // Its child of before asks again.
    expect(join(tree, 'B', { atMs: 3 })).toBe('A');
    expect(tree.list().map(({ id, children }) => [id, children])).toContainEqual(['A', 1]);
    expect(join(tree, 'D', { atMs: 4 })).toBe('C');
  });

  test('takes a report of a node that it does not know: the tower has changed, or the mirror was restarted', () => {
    const tree = createFlightTree();
    tree.report('A', running, 0);
    expect(join(tree, 'B', { atMs: 1 })).toBe('A');
  });
});
