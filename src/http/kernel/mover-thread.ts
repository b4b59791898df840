import {
  EPOLLIN,
  EPOLLOUT,
  openKernelCalls,
  type KernelCalls,
  type Pipe,
  type Poller,
} from './kernel-calls.ts';
import { MAX_MOVES, type MoveOutcome, type MoveTableMemory, openWorkTable } from './move-table.ts';
import { createFileMove, createSocketMove, type RunningMove } from './run-move.ts';

/*
 * The thread that moves bytes. It waits in epoll, so it gets no messages: the main thread writes into the move table and
 * signals an event. It says that moves have ended by a message without content.
 */

/** What the thread is started with. */
export interface MoverThreadStart {
  readonly memory: MoveTableMemory;
  /** The event that wakes it. */
  readonly wakeEvent: number;
}

declare const self: {
  onmessage: ((event: { readonly data: MoverThreadStart }) => void) | null;
  postMessage(message: MoverThreadNews): void;
};

/** What the thread says: that it can be used, or cannot, that moves have ended, that it has nothing more to do. */
export type MoverThreadNews = 'ready' | 'unavailable' | 'ended' | 'closed';

/** The number of the event that wakes the thread; moves have two numbers each from 0. */
const WAKE = MAX_MOVES * 2;
/** Pipes that are kept for the next move. */
const MAX_KEPT_PIPES = 8;

/** A move and what it holds. */
interface Held {
  readonly move: RunningMove;
  /** Ends what is watched, and closes what the move owns. */
  release(): void;
}

self.onmessage = ({ data }) => {
  const calls = openKernelCalls();
  const poller = calls?.createPoller();
  if (calls === undefined || poller?.add(data.wakeEvent, WAKE, EPOLLIN) !== true) {
    poller?.close();
    self.postMessage('unavailable');
    return;
  }
  self.postMessage('ready');
  run({ calls, poller }, data);
};

interface RunWith {
  readonly calls: KernelCalls;
  readonly poller: Poller;
}

function run({ calls, poller }: RunWith, { memory, wakeEvent }: MoverThreadStart): void {
  const table = openWorkTable(memory);
  const deps = { calls, table };
  const held: (Held | undefined)[] = Array.from({ length: MAX_MOVES });
  const ready = new Set<number>();
  const pipes: Pipe[] = [];
  let hasEnded = false;

  const takePipe = (bytes: number): Pipe | undefined => {
    const at = pipes.findIndex(({ capacityBytes }) => capacityBytes === bytes);
    return at === -1 ? calls.createPipe(bytes) : pipes.splice(at, 1)[0];
  };
  const closePipe = ({ readEnd, writeEnd }: Pipe) => {
    calls.close(readEnd);
    calls.close(writeEnd);
  };
  const givePipe = (pipe: Pipe, isEmpty: boolean) => {
    if (isEmpty && pipes.length < MAX_KEPT_PIPES) pipes.push(pipe);
    else closePipe(pipe);
  };
  const end = (row: number, outcome: MoveOutcome) => {
    const isInStep = held[row]?.move.isInStep === true;
    held[row]?.release();
    held[row] = undefined;
    ready.delete(row);
    table.sourceGave(row, () => calls.nowMs());
    table.end(row, outcome, isInStep);
    hasEnded = true;
  };
  const begin = (row: number) => {
    const order = table.orderOf(row);
    const { kind, sourceDescriptor, clientDescriptor } = order;
    const isSocket = kind === 'socket';
    const pipe = isSocket ? takePipe(order.pipeBytes) : undefined;
    const isWatched =
      poller.add(clientDescriptor, row * 2, EPOLLOUT) &&
      (!isSocket || poller.add(sourceDescriptor, row * 2 + 1, EPOLLIN));
    const move = pipe ? createSocketMove(deps, row, order, pipe) : createFileMove(deps, row, order);
    held[row] = {
      move,
      release() {
        poller.delete(clientDescriptor);
        if (isSocket) poller.delete(sourceDescriptor);
        calls.close(clientDescriptor);
        if (isSocket) calls.close(sourceDescriptor);
        if (pipe !== undefined) givePipe(pipe, move.isPipeEmpty);
      },
    };
    // Nothing has moved: the main thread goes on with it.
    if (!isWatched || (isSocket && pipe === undefined)) end(row, 'released');
    else ready.add(row);
  };
  const takeTurn = (row: number) => {
    const turn = held[row]?.move.turn();
    if (turn === undefined || turn === 'again') return;
    if (turn === 'waits') ready.delete(row);
    else end(row, turn.outcome);
  };

  const tellEnds = () => {
    if (hasEnded) self.postMessage('ended');
    hasEnded = false;
  };
  /** Ends all moves, also those that were ordered and not begun: their descriptors are closed here. */
  const close = () => {
    // Before moves are given back: the main thread must not order them here again.
    if (!table.isClosing()) table.fail();
    for (let row = 0; row < MAX_MOVES; row++) {
      if (held[row] === undefined && table.isOrdered(row)) begin(row);
      const move = held[row]?.move;
      if (move === undefined) continue;
      // This thread has failed: the main thread goes on where it can.
      if (!table.isClosing()) end(row, move.isInStep ? 'released' : 'source-failed');
      else end(row, 'stopped');
    }
    for (const pipe of pipes) closePipe(pipe);
    poller.close();
    tellEnds();
  };
  const takeTurns = () => {
    poller.wait(ready.size > 0 ? 0 : -1, (data) => {
      if (data !== WAKE) {
        if (held[data >> 1] !== undefined) ready.add(data >> 1);
        return;
      }
      calls.clearEvent(wakeEvent);
      table.takeChanges((row) => {
        if (held[row] !== undefined) ready.add(row);
        // Also if it is to stop already: it ends then, and closes what it was given.
        else if (table.isOrdered(row)) begin(row);
      });
    });
    for (const row of ready) takeTurn(row);
    tellEnds();
  };

  try {
    while (!table.isClosing()) takeTurns();
  } finally {
    close();
  }
  self.postMessage('closed');
}
