import { describe, expect, test } from 'bun:test';

import { keyspacePosition } from '../wire/content-key.ts';
import { PING_AFTER_MS } from '../limits.ts';
import { createPeerTable } from './peer-table.ts';
import {
  WATCHERS_PER_PEER,
  PROBE_ASSIGNMENT_MS,
  type ProbeAssignment,
  createProbeAssignment,
} from './probe-assignment.ts';

const id = (number: number) => Uint8Array.of(1, number >> 8, number & 255);
const isMine = (turns: ProbeAssignment | undefined, number: number) =>
  Number.isFinite(turns?.askAfterMs(nameOf(number)));
const nameOf = (number: number) => id(number).toHex();

/** The probes that each of so many nodes assigns to itself. Peers in `deaf` cannot watch. */
function start(nodes: number, { isConnected = true, isSuspect = false, deaf = new Set<number>() } = {}) {
  const deafNames = new Set([...deaf].map(nameOf));
  const state = { nowMs: 0 };
  const tables = Array.from({ length: nodes }, (_, self) => {
    const peers = createPeerTable(id(self));
    for (let number = 0; number < nodes; number++) {
      peers.put(id(number), { isConnected: isConnected || number % 2 === 0 });
    }
    return peers;
  });
  const turns = tables.map((peers, self) =>
    createProbeAssignment({
      position: keyspacePosition(id(self)),
      peers,
      canWatch: (name) => !deafNames.has(name),
      isSuspect: () => isSuspect,
      nowMs: () => state.nowMs,
    }),
  );
  const watchersOf = (number: number) =>
    turns.filter((each, self) => self !== number && isMine(each, number)).length;
  return { state, tables, turns, watchersOf };
}

describe('createProbeAssignment()', () => {
  test.each([2, 3, 4, 5, 40, 100])('gives each of %p nodes its watchers', (nodes) => {
    const { turns, watchersOf } = start(nodes);
    for (let number = 0; number < nodes; number++) {
      expect(watchersOf(number)).toBe(Math.min(WATCHERS_PER_PEER, nodes - 1));
      const first = turns.filter(
        (each, self) => self !== number && each.askAfterMs(nameOf(number)) === PING_AFTER_MS,
      );
      expect(first).toHaveLength(1);
    }
  });

  test('passes over peers that cannot watch, as nodes that understand no notices', () => {
    const deaf = new Set([0, 1, 2, 3, 4, 5, 6, 7]);
    const { turns, watchersOf } = start(12, { deaf });
    for (let number = 0; number < 12; number++) expect(watchersOf(number)).toBeGreaterThanOrEqual(3);
    const watching = (self: number) =>
      Array.from({ length: 12 }, (_, number) => isMine(turns[self], number)).filter(Boolean).length;
    expect(watching(11)).toBeGreaterThan(6);
  });

  test('cannot be told by a node that is not connected to all nodes', () => {
    const { turns } = start(40, { isConnected: false });
    for (let number = 1; number < 40; number++) expect(turns[0]?.askAfterMs(nameOf(number))).toBeUndefined();
  });

  test('can be told when the others have just lost their connections', () => {
    const { turns } = start(40, { isConnected: false, isSuspect: true });
    for (let number = 1; number < 40; number++) expect(turns[0]?.askAfterMs(nameOf(number))).toBeDefined();
  });

  test('changes at once with the known peers, and in a few seconds with the connected peers', () => {
    const { state, tables, turns, watchersOf } = start(40);
    expect(watchersOf(7)).toBe(WATCHERS_PER_PEER);
    const gone = turns.findIndex((each, self) => self !== 7 && isMine(each, 7));
    for (const peers of tables) peers.remove(nameOf(gone));
    // With the node that is gone, whose own table is as it was.
    expect(watchersOf(7)).toBe(WATCHERS_PER_PEER + 1);
    const [first] = turns;
    tables[0]?.put(id(1), { isConnected: false });
    expect(first?.askAfterMs(nameOf(2))).toBeDefined();
    state.nowMs += PROBE_ASSIGNMENT_MS;
    expect(first?.askAfterMs(nameOf(2))).toBeUndefined();
  });
});
