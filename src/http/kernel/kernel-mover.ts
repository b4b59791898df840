import { type KernelCalls, openKernelCalls } from './kernel-calls.ts';
import {
  createMoveTableMemory,
  MAX_MOVES,
  type MoveOutcome,
  openOrderTable,
  type SourceKind,
} from './move-table.ts';
import { readDescriptorLimit } from '../../runtime/descriptor-limit.ts';
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
  /**
   * The next byte that the source gives is the one behind what was moved, and behind a whole body there was none. Else bytes
   * of a socket were lost on the way, or there are more than were promised: nothing can be read from it any more.
   */
  readonly isInStep: boolean;
}

/** Moves bytes in a thread of its own by sendfile() and splice(). */
export interface KernelMover {
  /** What part of the usual memory it, and the buffers of the sockets that it moves to, may have: at most 1. */
  readonly memoryShare: number;
  /** Less is better moved through this process's memory. */
  readonly minBytes: number;
  /** The thread has started, and has not failed. */
  readonly isReady: boolean;
  /** begin() would begin a move now, unless there are too few descriptors. */
  readonly hasRoom: boolean;
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
  /** See KernelMover.memoryShare. Default 1. */
  readonly memoryShare?: number | undefined;
}

/** Starts the thread; undefined where the C library cannot be called. */
export function createKernelMover(options: KernelMoverOptions): KernelMover | undefined {
  const calls = openKernelCalls();
  const wakeEvent = calls?.createEvent() ?? -1;
  return calls === undefined || wakeEvent < 0 ? undefined : startThread(calls, wakeEvent, options);
}

/** A move that has not ended. */
interface Running {
  readonly kind: SourceKind;
  /** The thread's, which closes them. */
  readonly descriptors: readonly number[];
  readonly onEnd: (end: KernelMoveEnd) => void;
}

/** A move between two sockets has two more descriptors of them, and a pipe. */
const DESCRIPTORS_PER_MOVE = 4;

/** How many moves leave descriptors for the rest: they take a quarter of all. */
function roomForMoves(descriptors: number): number {
  return Math.min(MAX_MOVES, Math.floor(descriptors / 4 / DESCRIPTORS_PER_MOVE));
}

function startThread(
  calls: KernelCalls,
  wakeEvent: number,
  { onError, minBytes = MIN_BYTES, memoryShare = 1 }: KernelMoverOptions,
): KernelMover {
  const memory = createMoveTableMemory();
  const table = openOrderTable(memory);
  const running = new Map<number, Running>();
  const maxMoves = Math.ceil(memoryShare * roomForMoves(readDescriptorLimit()));
  const free = Array.from({ length: maxMoves }, (_, row) => maxMoves - 1 - row);
  let [isReady, isClosed, isOver] = [false, false, false];
  let movedBytes = 0;

  const wakeIf = (isAsleep: boolean) => {
    // The number may be another descriptor's when the event is closed.
    if (isAsleep && !isOver) calls.signalEvent(wakeEvent);
  };
  const endMove = (row: number, outcome: MoveOutcome, isInStep: boolean) => {
    const onEnd = running.get(row)?.onEnd;
    running.delete(row);
    free.push(row);
    const end = { outcome, isInStep, movedBytes: table.movedBytes(row), waitedMs: table.waitedMs(row) };
    movedBytes += end.movedBytes;
    try {
      onEnd?.(end);
    } catch (error) {
      // The other moves that have ended are to be told, too.
      onError(error);
    }
  };
  const takeEnds = () => {
    for (const row of running.keys()) {
      const outcome = table.outcome(row);
      if (outcome !== 'none') endMove(row, outcome, table.isInStep(row));
    }
  };
  /** The thread is gone. What it left, which should be nothing, ends here. */
  const onThreadOver = () => {
    [isReady, isOver] = [false, true];
    takeEnds();
    for (const [row, { kind, descriptors }] of running) {
      for (const descriptor of descriptors) calls.close(descriptor);
      endMove(row, kind === 'file' ? 'released' : 'source-failed', kind === 'file');
    }
    calls.close(wakeEvent);
  };

  const thread = new Worker(new URL(THREAD, import.meta.url), { smol: true });
  thread.onmessage = ({ data }: MessageEvent<MoverThreadNews>) => {
    if (data === 'ready') isReady = true;
    else takeEnds();
    if (data === 'closed' || data === 'unavailable') thread.terminate();
  };
  thread.addEventListener('close', onThreadOver);
  thread.onerror = (event) => {
    isReady = false;
    onError(new Error(`The thread that moves bytes failed: ${event.message}`));
  };
  thread.postMessage({ memory, wakeEvent } satisfies MoverThreadStart);
  thread.unref();

  const canBegin = () => isReady && !isClosed && !table.hasFailed();
  const begin: KernelMover['begin'] = (source, clientDescriptor, onEnd) => {
    const row = canBegin() ? free.pop() : undefined;
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
    const pipeBytes = PIPES.find(({ moves }) => running.size < moves * memoryShare)?.bytes ?? 0;
    table.order(row, { ...source, sourceDescriptor: from, clientDescriptor: client, pipeBytes });
    /** The row is another move's after that. */
    let ended: KernelMoveEnd | undefined;
    let isStopped = false;
    running.set(row, {
      kind,
      descriptors: kind === 'socket' ? [client, from] : [client],
      onEnd(end) {
        ended = end;
        onEnd(end);
      },
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
        isStopped = true;
        if (ended === undefined) wakeIf(table.want(row, 'stop'));
      },
      release() {
        // A move that is to stop may not wait for its client instead.
        if (ended === undefined && !isStopped) wakeIf(table.want(row, 'release'));
      },
    };
  };
  return {
    minBytes,
    memoryShare,
    get isReady() {
      return isReady;
    },
    get hasRoom() {
      return canBegin() && free.length > 0;
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
