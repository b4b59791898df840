import { type KernelCalls, openKernelCalls } from './kernel-calls.ts';
import {
  createMoveTableMemory,
  MAX_MOVES,
  type MoveOutcome,
  openOrderTable,
  type SourceKind,
} from './move-table.ts';
import type { MoverThreadNews, MoverThreadStart } from './mover-thread.ts';

const KIB = 1024;
/**
 * Pipes between two sockets, in bytes, by how many moves run: 7.5 MiB if all 128 are full. A larger pipe takes more with one
 * call; a small packet takes a page of it.
 */
const PIPES: readonly { readonly moves: number; readonly bytes: number }[] = [
  { moves: 16, bytes: 256 * KIB },
  { moves: MAX_MOVES, bytes: 32 * KIB },
];

/** Where bytes are that the kernel can move. */
export interface KernelSource {
  readonly kind: SourceKind;
  /** Stays the caller's, and open until the move has ended. */
  readonly descriptor: number;
  /** Where the bytes begin in a file. */
  readonly offset: number;
  readonly sizeBytes: number;
  /** The byte of a file behind the last that is written; Infinity for a file that is whole. */
  readonly writtenBytes: number;
  /** No more is written to a file. */
  readonly isOver: boolean;
}

/** A move that the kernel makes. */
export interface KernelMove {
  readonly movedBytes: number;
  /** For how long the source was waited for, in ms. Grows while it is. */
  readonly waitedMs: number;
  /** For how long the source has been waited for now, in ms; 0 while it is not. */
  readonly waitingMs: number;
  /** For how long the client has taken no byte although there were some, in ms; 0 while it takes what comes. */
  readonly blockedMs: number;
  /** A file has grown. */
  grown(writtenBytes: number, isOver: boolean): void;
  /** Ends it at the byte where it is, `stopped`. Its end is told later. */
  stop(): void;
  /** Ends it as soon as all that was taken from the source is with the client, `released`. Its end is told later. */
  release(): void;
}

/** How a move of the kernel ended. */
export interface KernelMoveEnd {
  readonly outcome: MoveOutcome;
  readonly movedBytes: number;
  /** For how long the source was waited for, in ms. */
  readonly waitedMs: number;
}

/** Moves bytes in a thread of its own by sendfile() and splice(). */
export interface KernelMover {
  /** Less is better moved through this process's memory. */
  readonly minBytes: number;
  /** The thread has started, and has not failed. */
  readonly isReady: boolean;
  /** Bytes that were moved to clients by moves that have ended. */
  readonly movedBytes: number;
  /**
   * Begins to move a source to a client's connection; undefined if that cannot be done now: there are too many moves, or
   * too few descriptors. The end is told once, never within the call.
   */
  begin(
    source: KernelSource,
    clientDescriptor: number,
    onEnd: (end: KernelMoveEnd) => void,
  ): KernelMove | undefined;
  /** Ends the thread. Moves that run are stopped. */
  close(): void;
}

/** Handing a move over costs a few system calls and a message at each end: that of as many bytes. */
const MIN_BYTES = 128 * KIB;

/** The module of the thread: in the compiled program beside its root, else beside this module. */
const THREAD = import.meta.url.includes('/$bunfs/')
  ? './src/http/kernel/mover-thread.ts'
  : './mover-thread.ts';

/** Options of createKernelMover. */
export interface KernelMoverOptions {
  /** Called if the thread fails, which should not be. */
  readonly onError: (error: unknown) => void;
  /** See KernelMover.minBytes. */
  readonly minBytes?: number | undefined;
}

/** Starts the thread; undefined where the C library cannot be called. */
export function createKernelMover(options: KernelMoverOptions): KernelMover | undefined {
  const calls = openKernelCalls();
  const wakeEvent = calls?.createEvent() ?? -1;
  return calls === undefined || wakeEvent < 0 ? undefined : startThread(calls, wakeEvent, options);
}

function startThread(
  calls: KernelCalls,
  wakeEvent: number,
  { onError, minBytes = MIN_BYTES }: KernelMoverOptions,
): KernelMover {
  const memory = createMoveTableMemory();
  const table = openOrderTable(memory);
  const running = new Map<number, (end: KernelMoveEnd) => void>();
  const free = Array.from({ length: MAX_MOVES }, (_, row) => MAX_MOVES - 1 - row);
  let [isReady, isClosed] = [false, false];
  let movedBytes = 0;

  const wakeIf = (isAsleep: boolean) => {
    if (isAsleep) calls.signalEvent(wakeEvent);
  };
  const takeEnds = () => {
    for (const [row, onEnd] of running) {
      const outcome = table.outcome(row);
      if (outcome === 'none') continue;
      running.delete(row);
      free.push(row);
      movedBytes += table.movedBytes(row);
      onEnd({
        outcome,
        movedBytes: table.movedBytes(row),
        waitedMs: table.waitedMs(row),
      });
    }
  };

  const thread = new Worker(new URL(THREAD, import.meta.url), { smol: true });
  thread.onmessage = ({ data }: MessageEvent<MoverThreadNews>) => {
    if (data === 'ready') isReady = true;
    else takeEnds();
    if (data === 'closed') calls.close(wakeEvent);
  };
  thread.onerror = (event) => {
    isReady = false;
    onError(new Error(`The thread that moves bytes failed: ${event.message}`));
  };
  thread.postMessage({ memory, wakeEvent } satisfies MoverThreadStart);
  thread.unref();

  const begin: KernelMover['begin'] = (source, clientDescriptor, onEnd) => {
    const row = isReady && !isClosed ? free.pop() : undefined;
    if (row === undefined) return undefined;
    const { kind, descriptor } = source;
    const client = calls.duplicate(clientDescriptor);
    const from = kind === 'socket' ? calls.duplicate(descriptor) : descriptor;
    if (client < 0 || from < 0) {
      if (client >= 0) calls.close(client);
      if (kind === 'socket' && from >= 0) calls.close(from);
      free.push(row);
      return undefined;
    }
    const pipeBytes = PIPES.find(({ moves }) => running.size < moves)?.bytes ?? 0;
    table.order(row, { ...source, sourceDescriptor: from, clientDescriptor: client, pipeBytes });
    /** The row is another move's after that. */
    let ended: KernelMoveEnd | undefined;
    running.set(row, (end) => {
      ended = end;
      onEnd(end);
    });
    wakeIf(table.want(row, 'move'));

    const sinceMs = (startMs: number) => (startMs === 0 || ended ? 0 : calls.nowMs() - startMs);
    const waitingMs = () => sinceMs(table.waitingSinceMs(row));
    return {
      get movedBytes() {
        return ended?.movedBytes ?? table.movedBytes(row);
      },
      get waitedMs() {
        return ended?.waitedMs ?? table.waitedMs(row) + waitingMs();
      },
      get waitingMs() {
        return waitingMs();
      },
      get blockedMs() {
        return sinceMs(table.blockedSinceMs(row));
      },
      grown(writtenBytes, isOver) {
        if (ended === undefined) wakeIf(table.grow(row, writtenBytes, isOver));
      },
      stop() {
        if (ended === undefined) wakeIf(table.want(row, 'stop'));
      },
      release() {
        if (ended === undefined) wakeIf(table.want(row, 'release'));
      },
    };
  };
  return {
    minBytes,
    get isReady() {
      return isReady;
    },
    get movedBytes() {
      return movedBytes;
    },
    begin,
    close() {
      if (isClosed) return;
      isClosed = true;
      wakeIf(table.close());
    },
  };
}
