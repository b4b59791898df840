import { describe, expect, test } from 'bun:test';
import { createMoveTableMemory, MAX_MOVES, openOrderTable, openWorkTable } from './move-table.ts';

const ORDER = {
  kind: 'socket',
  sourceDescriptor: 7,
  clientDescriptor: 8,
  offset: 2 ** 40 + 1,
  sizeBytes: 2 ** 41 + 3,
  writtenBytes: Number.POSITIVE_INFINITY,
  isOver: true,
  pipeBytes: 32_768,
} as const;

/** Both sides of a table, in one thread. */
const open = () => {
  const memory = createMoveTableMemory();
  const work = openWorkTable(memory);
  const changes = () => {
    const rows: number[] = [];
    work.takeChanges((row) => rows.push(row));
    return rows;
  };
  return { main: openOrderTable(memory), work, changes };
};

describe('the move table', () => {
  test.each([0, 1, MAX_MOVES - 1])('gives the order of row %d as it was written, and of no other', (row) => {
    const { main, work } = open();
    main.order(row, ORDER);
    expect(work.isOrdered(row)).toBe(false);
    main.want(row, 'move');
    expect(work.isOrdered(row)).toBe(true);
    expect(work.orderOf(row)).toEqual(ORDER);
    const others = Array.from({ length: MAX_MOVES }, (_, other) => other).filter((other) => other !== row);
    expect(others.filter((other) => work.isOrdered(other))).toEqual([]);
  });

  test('wakes once for all changes until they are taken', () => {
    const { main, changes } = open();
    main.order(3, ORDER);
    expect(main.want(3, 'move')).toBe(true);
    expect(main.grow(5, 1, false)).toBe(false);
    expect(main.want(3, 'stop')).toBe(false);
    expect(changes()).toEqual([3, 5]);
    expect(changes()).toEqual([]);
    expect(main.want(4, 'release')).toBe(true);
  });

  test('wakes for a change that comes while changes are taken', () => {
    const { main, work, changes } = open();
    main.want(3, 'move');
    const woken: boolean[] = [];
    work.takeChanges(() => woken.push(main.want(1, 'stop')));
    expect(woken).toEqual([true]);
    expect(changes()).toEqual([1]);
  });

  test('tells that the thread is to end, and that it has failed', () => {
    const { main, work } = open();
    expect([work.isClosing(), main.hasFailed()]).toEqual([false, false]);
    expect(main.close()).toBe(true);
    work.fail();
    expect([work.isClosing(), main.hasFailed()]).toEqual([true, true]);
  });

  test('a move that follows another one in its row has nothing of that', () => {
    const { main, work, changes } = open();
    main.order(2, ORDER);
    main.want(2, 'move');
    work.moved(2, 500);
    work.sourceWaits(2, () => 10);
    work.clientBlocks(2, () => 20);
    main.want(2, 'stop');
    work.end(2, 'stopped', true);
    expect(work.isOrdered(2)).toBe(false);
    expect([main.outcome(2), main.isInStep(2)]).toEqual(['stopped', true]);
    main.order(2, { ...ORDER, kind: 'file', offset: 5, writtenBytes: 100, isOver: false });
    // The change that told the move before to stop was not taken yet: it is not this one's.
    expect(changes()).toEqual([2]);
    expect(work.isOrdered(2)).toBe(false);
    expect(work.wanted(2)).toBe('nothing');
    main.want(2, 'move');
    expect(work.orderOf(2)).toMatchObject({ kind: 'file', offset: 5, writtenBytes: 100, isOver: false });
    const figures = [main.movedBytes(2), main.waitedMs(2), main.waitingSinceMs(2), main.blockedSinceMs(2)];
    expect(figures).toEqual([0, 0, 0, 0]);
    expect(main.outcome(2)).toBe('none');
  });

  test('adds up what the source was waited for, and shows since when a wait goes on', () => {
    const { main, work } = open();
    work.sourceWaits(0, () => 100);
    work.sourceWaits(0, () => 120);
    expect([main.waitingSinceMs(0), main.waitedMs(0)]).toEqual([100, 0]);
    work.sourceGave(0, () => 130);
    work.sourceGave(0, () => 140);
    work.sourceWaits(0, () => 200);
    work.sourceGave(0, () => 201);
    expect([main.waitingSinceMs(0), main.waitedMs(0)]).toEqual([0, 31]);
    work.clientBlocks(0, () => 300);
    work.clientBlocks(0, () => 310);
    expect(main.blockedSinceMs(0)).toBe(300);
    work.clientTook(0);
    expect(main.blockedSinceMs(0)).toBe(0);
  });

  test('says how far a file has grown', () => {
    const { main, work } = open();
    main.order(1, { ...ORDER, writtenBytes: 10, isOver: false });
    main.grow(1, 20, false);
    expect([work.writtenBytes(1), work.isOver(1)]).toEqual([20, false]);
    main.grow(1, 30, true);
    expect([work.writtenBytes(1), work.isOver(1)]).toEqual([30, true]);
  });
});
