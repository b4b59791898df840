/*
 * What the main thread and the thread that moves bytes tell each other: a table in shared memory, a row for each move. So a
 * report of progress costs no system call and no message. Each field is written by one of the two threads only. A double is
 * read and written whole on the processors that Bun runs on.
 */

/** Rows: moves at once. More are moved by the main thread. */
export const MAX_MOVES = 128;

/** Whole numbers of a row, for Atomics: `changed` by the main thread since the other one looked, what it wants, and so on. */
const CHANGED = 0;
const WANT = 1;
const OUTCOME = 2;
const KIND = 3;
const IS_OVER = 4;
const SOURCE = 5;
const CLIENT = 6;
const PIPE_BYTES = 7;
const IS_IN_STEP = 8;
const WORDS = 9;

/** Doubles of a row. */
const OFFSET = 0;
const SIZE_BYTES = 1;
const WRITTEN_BYTES = 2;
const MOVED_BYTES = 3;
const WAITED_MS = 4;
const WAITING_SINCE_MS = 5;
const BLOCKED_SINCE_MS = 6;
const FIGURES = 7;

/** What the main thread wants of a row: `stop` ends it at the byte where it is, `release` when nothing is between source and client. */
export type Want = (typeof WANTS)[number];
const WANTS = ['nothing', 'move', 'stop', 'release'] as const;

/** How a move ended. `source-ended`: the source gives no more bytes, without an error of it. */
export type MoveOutcome = (typeof OUTCOMES)[number];
const OUTCOMES = [
  'none',
  'complete',
  'stopped',
  'released',
  'source-ended',
  'source-failed',
  'client-failed',
] as const;

/** What a source is. */
export type SourceKind = (typeof KINDS)[number];
const KINDS = ['file', 'socket'] as const;

/** What is moved, as a row says it. */
export interface MoveOrder {
  readonly kind: SourceKind;
  readonly sourceDescriptor: number;
  readonly clientDescriptor: number;
  /** Where a file's bytes begin. */
  readonly offset: number;
  readonly sizeBytes: number;
  /** The byte of a file behind the last that is written. */
  readonly writtenBytes: number;
  /** No more is written to a file. */
  readonly isOver: boolean;
  /** Size of the pipe between two sockets. */
  readonly pipeBytes: number;
}

/** Shared memory of a table. */
export interface MoveTableMemory {
  readonly words: SharedArrayBuffer;
  readonly figures: SharedArrayBuffer;
}

/** Memory for a table in which nothing stands. */
export function createMoveTableMemory(): MoveTableMemory {
  return {
    // Three words beyond the rows: whether the moving thread was woken, whether it is to end, and whether it has failed.
    words: new SharedArrayBuffer((MAX_MOVES * WORDS + 3) * Int32Array.BYTES_PER_ELEMENT),
    figures: new SharedArrayBuffer(MAX_MOVES * FIGURES * Float64Array.BYTES_PER_ELEMENT),
  };
}

/** The main thread's side of a table. */
export interface OrderTable {
  /** Writes a row for a move to begin. */
  order(row: number, order: MoveOrder): void;
  /** True if the moving thread has to be woken for it. */
  want(row: number, want: Want): boolean;
  /** Says how far a file has grown. True if the moving thread has to be woken for it. */
  grow(row: number, writtenBytes: number, isOver: boolean): boolean;
  /** Ends the moving thread and all moves. True if it has to be woken for that. */
  close(): boolean;
  /** The moving thread begins no more moves. */
  hasFailed(): boolean;
  outcome(row: number): MoveOutcome;
  /** See KernelMoveEnd. */
  isInStep(row: number): boolean;
  movedBytes(row: number): number;
  /** For how long the source was waited for, in ms, without a wait that goes on. */
  waitedMs(row: number): number;
  /** Since when the source is waited for; 0 while it is not. */
  waitingSinceMs(row: number): number;
  /** Since when the client takes nothing; 0 while it takes what comes. */
  blockedSinceMs(row: number): number;
}

/** The moving thread's side of a table. */
export interface WorkTable {
  /** Calls back with each row that was changed since the last time. */
  takeChanges(onChange: (row: number) => void): void;
  isClosing(): boolean;
  /** Says that no more moves are begun. */
  fail(): void;
  wanted(row: number): Want;
  /** A move stands there that has not ended. */
  isOrdered(row: number): boolean;
  orderOf(row: number): MoveOrder;
  writtenBytes(row: number): number;
  isOver(row: number): boolean;
  end(row: number, outcome: MoveOutcome, isInStep: boolean): void;
  moved(row: number, movedBytes: number): void;
  /** The client would take bytes and the source has none, from now on. */
  sourceWaits(row: number, nowMs: () => number): void;
  sourceGave(row: number, nowMs: () => number): void;
  /** There are bytes and the client takes none, from now on. */
  clientBlocks(row: number, nowMs: () => number): void;
  clientTook(row: number): void;
}

/** Access to the fields of a table's rows. */
function openFields(memory: MoveTableMemory) {
  const words = new Int32Array(memory.words);
  const figures = new Float64Array(memory.figures);
  const wokenAt = MAX_MOVES * WORDS;
  const closingAt = wokenAt + 1;
  const failedAt = wokenAt + 2;
  const load = (row: number, word: number): number => Atomics.load(words, row * WORDS + word);
  const exchange = (row: number, word: number, value: number): number =>
    Atomics.exchange(words, row * WORDS + word, value);
  const store = (row: number, word: number, value: number): void => {
    Atomics.store(words, row * WORDS + word, value);
  };
  const get = (row: number, figure: number): number => figures[row * FIGURES + figure] ?? 0;
  const set = (row: number, figure: number, value: number): void => {
    figures[row * FIGURES + figure] = value;
  };
  /** True if that is a change. */
  const setWoken = (woken: 0 | 1): boolean => Atomics.exchange(words, wokenAt, woken) !== woken;
  const setClosing = () => Atomics.store(words, closingAt, 1);
  const isClosing = (): boolean => Atomics.load(words, closingAt) === 1;
  const fail = () => void Atomics.store(words, failedAt, 1);
  const hasFailed = (): boolean => Atomics.load(words, failedAt) === 1;
  return { load, exchange, store, get, set, setWoken, setClosing, isClosing, fail, hasFailed };
}

/** Opens the table for the thread that decides. */
export function openOrderTable(memory: MoveTableMemory): OrderTable {
  const { load, store, get, set, setWoken, setClosing, hasFailed } = openFields(memory);
  const changed = (row: number): boolean => {
    store(row, CHANGED, 1);
    return setWoken(1);
  };
  return {
    order(row, order) {
      // What was wanted of the move before it must not be taken for what is wanted of this move.
      store(row, WANT, 0);
      set(row, OFFSET, order.offset);
      set(row, SIZE_BYTES, order.sizeBytes);
      set(row, WRITTEN_BYTES, order.writtenBytes);
      for (const each of [MOVED_BYTES, WAITED_MS, WAITING_SINCE_MS, BLOCKED_SINCE_MS]) set(row, each, 0);
      store(row, KIND, KINDS.indexOf(order.kind));
      store(row, SOURCE, order.sourceDescriptor);
      store(row, CLIENT, order.clientDescriptor);
      store(row, PIPE_BYTES, order.pipeBytes);
      store(row, IS_OVER, order.isOver ? 1 : 0);
      store(row, OUTCOME, 0);
    },
    want(row, want) {
      store(row, WANT, WANTS.indexOf(want));
      return changed(row);
    },
    grow(row, writtenBytes, isOver) {
      set(row, WRITTEN_BYTES, writtenBytes);
      store(row, IS_OVER, isOver ? 1 : 0);
      return changed(row);
    },
    close() {
      setClosing();
      return setWoken(1);
    },
    hasFailed,
    outcome: (row) => OUTCOMES[load(row, OUTCOME)] ?? 'none',
    isInStep: (row) => load(row, IS_IN_STEP) === 1,
    movedBytes: (row) => get(row, MOVED_BYTES),
    waitedMs: (row) => get(row, WAITED_MS),
    waitingSinceMs: (row) => get(row, WAITING_SINCE_MS),
    blockedSinceMs: (row) => get(row, BLOCKED_SINCE_MS),
  };
}

/** Opens the table for the thread that moves. */
export function openWorkTable(memory: MoveTableMemory): WorkTable {
  const { load, exchange, store, get, set, setWoken, isClosing, fail } = openFields(memory);
  return {
    takeChanges(onChange) {
      // First: what changes from here on wakes again.
      setWoken(0);
      for (let row = 0; row < MAX_MOVES; row++) {
        if (exchange(row, CHANGED, 0) === 1) onChange(row);
      }
    },
    isClosing,
    fail,
    wanted: (row) => WANTS[load(row, WANT)] ?? 'nothing',
    isOrdered: (row) => load(row, WANT) !== 0 && load(row, OUTCOME) === 0,
    orderOf: (row) => ({
      kind: KINDS[load(row, KIND)] ?? 'file',
      sourceDescriptor: load(row, SOURCE),
      clientDescriptor: load(row, CLIENT),
      offset: get(row, OFFSET),
      sizeBytes: get(row, SIZE_BYTES),
      writtenBytes: get(row, WRITTEN_BYTES),
      isOver: load(row, IS_OVER) === 1,
      pipeBytes: load(row, PIPE_BYTES),
    }),
    writtenBytes: (row) => get(row, WRITTEN_BYTES),
    isOver: (row) => load(row, IS_OVER) === 1,
    end(row, outcome, isInStep) {
      store(row, IS_IN_STEP, isInStep ? 1 : 0);
      store(row, OUTCOME, OUTCOMES.indexOf(outcome));
    },
    moved: (row, movedBytes) => set(row, MOVED_BYTES, movedBytes),
    sourceWaits(row, nowMs) {
      if (get(row, WAITING_SINCE_MS) === 0) set(row, WAITING_SINCE_MS, nowMs());
    },
    sourceGave(row, nowMs) {
      const sinceMs = get(row, WAITING_SINCE_MS);
      if (sinceMs === 0) return;
      // First: a reader in between must miss the wait that has just ended, not count it twice.
      set(row, WAITING_SINCE_MS, 0);
      set(row, WAITED_MS, get(row, WAITED_MS) + nowMs() - sinceMs);
    },
    clientBlocks(row, nowMs) {
      if (get(row, BLOCKED_SINCE_MS) === 0) set(row, BLOCKED_SINCE_MS, nowMs());
    },
    clientTook: (row) => set(row, BLOCKED_SINCE_MS, 0),
  };
}
