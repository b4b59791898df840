import { describe, expect, test } from 'bun:test';
import { createRandom, type Random } from '../../../scripts/sim/random.ts';
import { EAGAIN, ECONNRESET, EINTR, EPIPE } from './kernel-calls.ts';
import type { Want } from './move-table.ts';
import { createFileMove, createSocketMove, type RunDeps, type RunningMove } from './run-move.ts';

const KIB = 1024;
const [SOURCE, CLIENT, READ_END, WRITE_END] = [3, 4, 5, 6];
const EIO = 5;
const MAX_RUNS = 500;

/** The table's row, as the move is told and as it tells. */
function createRow() {
  return {
    want: 'move' as Want,
    writtenBytes: Number.POSITIVE_INFINITY,
    isOver: true,
    movedBytes: 0,
    isSourceWaitedFor: false,
    isClientBlocked: false,
  };
}

/** The move's dependencies over scripted calls. Each answers with a count, or a negative errno. */
function depsOf(
  row: ReturnType<typeof createRow>,
  calls: Partial<Pick<RunDeps['calls'], 'splice' | 'sendFile' | 'isHungUp' | 'isQuiet'>>,
): RunDeps {
  const unexpected = () => {
    throw new Error('This call is not expected');
  };
  return {
    calls: {
      splice: unexpected,
      sendFile: unexpected,
      isHungUp: () => false,
      isQuiet: () => true,
      nowMs: () => 1,
      ...calls,
    },
    table: {
      wanted: () => row.want,
      writtenBytes: () => row.writtenBytes,
      isOver: () => row.isOver,
      moved: (_row, movedBytes) => void (row.movedBytes = movedBytes),
      sourceWaits: () => void (row.isSourceWaitedFor = true),
      sourceGave: () => void (row.isSourceWaitedFor = false),
      clientBlocks: () => void (row.isClientBlocked = true),
      clientTook: () => void (row.isClientBlocked = false),
    },
  };
}

const order = (kind: 'file' | 'socket', sizeBytes: number, offset = 0) => ({
  kind,
  sourceDescriptor: SOURCE,
  clientDescriptor: CLIENT,
  offset,
  sizeBytes,
  writtenBytes: Number.POSITIVE_INFINITY,
  isOver: true,
  pipeBytes: 64 * KIB,
});

/** A move between sockets; each side answers with what stands in its list, in turn. */
function socketMove(
  sizeBytes: number,
  { source, client, ...calls }: { source: number[]; client: number[] } & Parameters<typeof depsOf>[1],
) {
  const row = createRow();
  const splice = (from: number, to: number) => {
    const answers = from === SOURCE ? source : client;
    expect([from, to]).toEqual(from === SOURCE ? [SOURCE, WRITE_END] : [READ_END, CLIENT]);
    const answer = answers.shift();
    if (answer === undefined) throw new Error('There is no further answer');
    return answer;
  };
  const pipe = { readEnd: READ_END, writeEnd: WRITE_END, capacityBytes: 64 * KIB };
  const move = createSocketMove(depsOf(row, { splice, ...calls }), 0, order('socket', sizeBytes), pipe);
  return { row, move };
}

/** A move of a file; the calls answer with what stands in the list. */
function fileMove(sizeBytes: number, answers: number[], changes: Partial<ReturnType<typeof createRow>> = {}) {
  const row = Object.assign(createRow(), changes);
  const asked: number[] = [];
  const sendFile: RunDeps['calls']['sendFile'] = (to, from, _offset, bytes) => {
    expect([to, from]).toEqual([CLIENT, SOURCE]);
    asked.push(bytes);
    const answer = answers.shift();
    if (answer === undefined) throw new Error('There is no further answer');
    return answer;
  };
  return { row, asked, move: createFileMove(depsOf(row, { sendFile }), 0, order('file', sizeBytes, 100)) };
}

describe('createSocketMove()', () => {
  test('moves all of it, in parts, over waits on either side', () => {
    const { row, move } = socketMove(100, {
      source: [-EAGAIN, 60, -EINTR, 40],
      client: [50, -EINTR, -EAGAIN, 10, 40],
    });
    expect(move.turn()).toBe('waits');
    expect(row).toMatchObject({ isSourceWaitedFor: true, isClientBlocked: false, movedBytes: 0 });
    expect(move.turn()).toBe('waits');
    expect(row).toMatchObject({ isSourceWaitedFor: false, isClientBlocked: true, movedBytes: 50 });
    expect(move.isPipeEmpty).toBe(false);
    expect(move.turn()).toEqual({ outcome: 'complete' });
    expect(row).toMatchObject({ isClientBlocked: false, movedBytes: 100 });
    expect(move).toMatchObject({ isPipeEmpty: true, isInStep: true });
  });

  test.each([
    { what: 'the peer ends early', source: [60, 0], client: [60], outcome: 'source-ended', movedBytes: 60 },
    {
      what: 'the peer resets',
      source: [60, -ECONNRESET],
      client: [60],
      outcome: 'source-failed',
      movedBytes: 60,
    },
    {
      what: 'the client is gone',
      source: [60],
      client: [20, -EPIPE],
      outcome: 'client-failed',
      movedBytes: 20,
    },
    {
      what: 'the client resets',
      source: [60],
      client: [-ECONNRESET],
      outcome: 'client-failed',
      movedBytes: 0,
    },
  ] as const)('ends when $what', ({ source, client, outcome, movedBytes }) => {
    const { row, move } = socketMove(100, { source: [...source], client: [...client] });
    expect(move.turn()).toEqual({ outcome });
    expect(row.movedBytes).toBe(movedBytes);
    expect(move.isPipeEmpty).toBe(outcome !== 'client-failed');
    expect(move.isInStep).toBe(outcome !== 'client-failed');
  });

  test('does not give what came when the peer had reset: the runtime may have read what was before that', () => {
    const { row, move } = socketMove(100, { source: [60], client: [], isHungUp: () => true });
    expect(move.turn()).toEqual({ outcome: 'source-failed' });
    expect(row.movedBytes).toBe(0);
    expect(move).toMatchObject({ isPipeEmpty: false, isInStep: false });
  });

  test('is not in step behind a whole body that is followed by more', () => {
    const { move } = socketMove(100, { source: [100], client: [100], isQuiet: () => false });
    expect(move.turn()).toEqual({ outcome: 'complete' });
    expect(move).toMatchObject({ isPipeEmpty: true, isInStep: false });
  });

  test('stops at once, and is released when the client has all that was taken', () => {
    const { row, move } = socketMove(100, { source: [60], client: [20, -EAGAIN, -EAGAIN, 40] });
    expect(move.turn()).toBe('waits');
    row.want = 'release';
    expect(move.turn()).toBe('waits');
    expect(move.turn()).toEqual({ outcome: 'released' });
    expect(row.movedBytes).toBe(60);
    const other = socketMove(100, { source: [60], client: [20, -EAGAIN] });
    expect(other.move.turn()).toBe('waits');
    other.row.want = 'stop';
    expect(other.move.turn()).toEqual({ outcome: 'stopped' });
    expect(other.move).toMatchObject({ isPipeEmpty: false, isInStep: false });
  });

  test('is complete, not stopped, when it is told to stop after the last byte', () => {
    const { row, move } = socketMove(100, { source: [100], client: [100] });
    // It is told to stop in the moment in which the last byte goes.
    Object.defineProperty(row, 'movedBytes', {
      set() {
        row.want = 'stop';
      },
    });
    expect(move.turn()).toEqual({ outcome: 'complete' });
  });

  test('gives way to others after a MiB', () => {
    const parts = Array.from({ length: 40 }, () => 64 * KIB);
    const { row, move } = socketMove(40 * 64 * KIB, { source: parts, client: [...parts] });
    expect(move.turn()).toBe('again');
    expect(row.movedBytes).toBe(KIB * KIB);
    expect(move.turn()).toBe('again');
    expect(move.turn()).toEqual({ outcome: 'complete' });
  });
});

describe('createFileMove()', () => {
  test('asks for no more than is written, and waits for more', () => {
    const { row, asked, move } = fileMove(1000, [300, 50, -EAGAIN, 50, 600], {
      writtenBytes: 100 + 300,
      isOver: false,
    });
    expect(move.turn()).toBe('waits');
    expect(row).toMatchObject({ movedBytes: 300, isSourceWaitedFor: true, isClientBlocked: false });
    row.writtenBytes = 100 + 400;
    expect(move.turn()).toBe('waits');
    expect(row).toMatchObject({ movedBytes: 350, isSourceWaitedFor: false, isClientBlocked: true });
    // More than the range.
    row.writtenBytes = 100 + 5000;
    expect(move.turn()).toEqual({ outcome: 'complete' });
    expect(asked).toEqual([300, 100, 50, 650, 600]);
    expect(row).toMatchObject({ movedBytes: 1000, isClientBlocked: false });
    expect(move).toMatchObject({ isPipeEmpty: true, isInStep: true });
  });

  test.each([
    {
      what: 'growth is over before',
      answers: [300],
      changes: { writtenBytes: 400 },
      outcome: 'source-ended',
    },
    { what: 'the file was cut off', answers: [300, 0], changes: {}, outcome: 'source-ended' },
    { what: 'the disk fails', answers: [300, -EIO, -EIO], changes: {}, outcome: 'source-failed' },
    { what: 'the client is gone', answers: [300, -EPIPE], changes: {}, outcome: 'client-failed' },
    { what: 'the client resets', answers: [300, -ECONNRESET], changes: {}, outcome: 'client-failed' },
  ])('ends when $what', ({ answers, changes, outcome }) => {
    const { row, move } = fileMove(1000, [...answers], changes);
    expect(move.turn()).toEqual({ outcome } as ReturnType<typeof move.turn>);
    expect(row.movedBytes).toBe(300);
    expect(move.isInStep).toBe(true);
  });

  test('asks once more when an error cannot be what it seems: the runtime may have changed the errno', () => {
    const { row, move } = fileMove(1000, [300, -EIO, -EAGAIN, 700]);
    expect(move.turn()).toBe('waits');
    expect(row).toMatchObject({ movedBytes: 300, isClientBlocked: true });
    expect(move.turn()).toEqual({ outcome: 'complete' });
  });

  test('stops and is released where it is; all of it is complete', () => {
    for (const want of ['stop', 'release'] as const) {
      const { row, move } = fileMove(1000, [-EINTR, 300, -EAGAIN]);
      expect(move.turn()).toBe('waits');
      row.want = want;
      expect(move.turn()).toEqual({ outcome: want === 'stop' ? 'stopped' : 'released' });
      expect(row.movedBytes).toBe(300);
      expect(fileMove(0, [], { want }).move.turn()).toEqual({ outcome: 'complete' });
    }
  });
});

describe('moves with chance', () => {
  /** An answer of a call that could move so many bytes. */
  const answerOf = (random: Random, bytes: number, fatal: readonly number[]): number => {
    const chance = random.next();
    if (chance < 0.2) return -EAGAIN;
    if (chance < 0.3) return -EINTR;
    if (chance < 0.31 && fatal.length > 0) return random.pick(fatal);
    return chance < 0.6 ? bytes : 1 + random.below(bytes);
  };
  /** Takes turns until the move ends; what it says must fit what was answered last. */
  const runToEnd = (
    move: RunningMove,
    random: Random,
    row: ReturnType<typeof createRow>,
    grow: () => void,
  ) => {
    for (let turns = 0; turns < 10_000; turns++) {
      const turn = move.turn();
      if (typeof turn === 'object') return turn.outcome;
      if (turn === 'waits') expect(row.isSourceWaitedFor || row.isClientBlocked).toBe(true);
      if (random.next() < 0.01) row.want = random.pick(['stop', 'release'] as const);
      grow();
    }
    throw new Error('It does not end');
  };

  test('between sockets no byte is lost, given twice, or out of order', () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= MAX_RUNS; seed++) {
      const random = createRandom(seed);
      const sizeBytes = random.below(random.pick([10, 300 * KIB, 3 * KIB * KIB]));
      const capacityBytes = random.pick([4 * KIB, 64 * KIB]);
      const fatal = random.pick([[], [-ECONNRESET, -EIO]]);
      const sentBytes = random.next() < 0.8 ? sizeBytes : random.below(sizeBytes + 1);
      const isQuiet = random.next() < 0.9;
      let [taken, piped, given] = [0, 0, 0];
      let isHungUp = false;
      const row = createRow();
      const splice = (from: number, _to: number, bytes: number): number => {
        expect(bytes).toBeGreaterThan(0);
        if (from === SOURCE) {
          // Only into an empty pipe: else `waits` may wait for the wrong descriptor.
          expect(piped).toBe(0);
          expect(taken + bytes).toBeLessThanOrEqual(sizeBytes);
          expect(bytes).toBeLessThanOrEqual(capacityBytes);
          if (taken === sentBytes) return 0;
          const answer = answerOf(random, Math.min(bytes, sentBytes - taken), fatal);
          if (answer > 0) {
            taken += answer;
            piped += answer;
            isHungUp = fatal.length > 0 && random.next() < 0.01;
          }
          return answer;
        }
        expect(bytes).toBe(piped);
        expect(isHungUp).toBe(false);
        const answer = answerOf(random, piped, fatal.length > 0 ? [-EPIPE] : []);
        if (answer > 0) {
          piped -= answer;
          given += answer;
        }
        return answer;
      };
      const calls = { splice, isHungUp: () => isHungUp, isQuiet: () => isQuiet };
      const pipe = { readEnd: READ_END, writeEnd: WRITE_END, capacityBytes };
      const move = createSocketMove(depsOf(row, calls), 0, order('socket', sizeBytes), pipe);
      const outcome = runToEnd(move, random, row, () => {});
      outcomes.add(outcome);
      expect(row.movedBytes).toBe(given);
      expect(outcome === 'complete').toBe(given === sizeBytes);
      expect(taken).toBe(given + piped);
      expect(move.isPipeEmpty).toBe(piped === 0);
      expect(move.isInStep).toBe(piped === 0 && (given < sizeBytes || isQuiet));
      if (outcome === 'released' || outcome === 'source-ended') expect(piped).toBe(0);
    }
    expect([...outcomes].toSorted()).toEqual([
      'client-failed',
      'complete',
      'released',
      'source-ended',
      'source-failed',
      'stopped',
    ]);
  });

  test('a file is sent once, in order, and never beyond what is written', () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= MAX_RUNS; seed++) {
      const random = createRandom(seed);
      const offset = random.below(1000);
      const sizeBytes = random.below(random.pick([10, 3 * KIB * KIB]));
      const row = createRow();
      const isGrowing = random.next() < 0.7;
      if (isGrowing) {
        Object.assign(row, { isOver: false, writtenBytes: offset + random.below(sizeBytes + 1) });
      }
      const fatal = random.pick([[], [-EPIPE, -EIO, 0]]);
      let sent = 0;
      let isBroken = false;
      const sendFile: RunDeps['calls']['sendFile'] = (_to, _from, position, bytes) => {
        expect(Number(position[0])).toBe(offset + sent);
        expect(bytes).toBeGreaterThan(0);
        expect(offset + sent + bytes).toBeLessThanOrEqual(Math.min(row.writtenBytes, offset + sizeBytes));
        const answer = isBroken ? -EIO : answerOf(random, bytes, fatal);
        // A disk that fails goes on failing.
        isBroken = answer === -EIO;
        if (answer > 0) {
          sent += answer;
          position[0] = BigInt(offset + sent);
        }
        return answer;
      };
      const move = createFileMove(depsOf(row, { sendFile }), 0, order('file', sizeBytes, offset));
      const outcome = runToEnd(move, random, row, () => {
        if (!isGrowing) return;
        row.writtenBytes += random.below(100 * KIB);
        if (random.next() < 0.05) row.isOver = true;
      });
      outcomes.add(outcome);
      expect(row.movedBytes).toBe(sent);
      expect(outcome === 'complete').toBe(sent === sizeBytes);
    }
    expect([...outcomes].toSorted()).toEqual([
      'client-failed',
      'complete',
      'released',
      'source-ended',
      'source-failed',
      'stopped',
    ]);
  });
});
