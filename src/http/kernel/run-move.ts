import {
  EAGAIN,
  ECONNRESET,
  EINTR,
  ENOTCONN,
  EPIPE,
  ETIMEDOUT,
  type KernelCalls,
  type Pipe,
} from './kernel-calls.ts';
import type { MoveOrder, MoveOutcome, WorkTable } from './move-table.ts';

const KIB = 1024;
/** A move gives way to the others after so many bytes. */
const TURN_BYTES = 1024 * KIB;
/** What one call takes from a file: a client that reads slowly has the memory of its socket's buffer, not this. */
const FILE_STEP_BYTES = 512 * KIB;
/** What sendfile() and splice() to a socket say when it is the socket's fault. */
const CLIENT_ERRORS = new Set([EPIPE, ECONNRESET, ENOTCONN, ETIMEDOUT]);

/** What a call says for sure. The runtime may have changed the errno of another failure before it was read (it collects garbage, say). */
const SURE_ERRORS = new Set([EAGAIN, EINTR, EPIPE, ECONNRESET, ENOTCONN]);
/** Makes a call, and makes it again if its error is not sure. */
const surely = (call: () => number): number => {
  const result = call();
  return result < 0 && !SURE_ERRORS.has(-result) ? call() : result;
};

/** How a turn of a move ended: `again` wants another turn at once, `waits` one when a descriptor is ready. */
export type Turn = 'again' | 'waits' | { readonly outcome: MoveOutcome };

/** What a turn works with. */
export interface RunDeps {
  readonly calls: Pick<KernelCalls, 'splice' | 'sendFile' | 'isHungUp' | 'isQuiet' | 'nowMs'>;
  readonly table: Pick<
    WorkTable,
    | 'wanted'
    | 'writtenBytes'
    | 'isOver'
    | 'moved'
    | 'sourceWaits'
    | 'sourceGave'
    | 'clientBlocks'
    | 'clientTook'
  >;
}

/** A move that is under way. */
export interface RunningMove {
  /** Moves what can be moved now. */
  turn(): Turn;
  /** Nothing that was taken from the source is between it and the client. */
  readonly isPipeEmpty: boolean;
  /** See KernelMoveEnd. */
  readonly isInStep: boolean;
}

const COMPLETE: Turn = { outcome: 'complete' };
const STOPPED: Turn = { outcome: 'stopped' };
const RELEASED: Turn = { outcome: 'released' };
const SOURCE_ENDED: Turn = { outcome: 'source-ended' };
const SOURCE_FAILED: Turn = { outcome: 'source-failed' };
const CLIENT_FAILED: Turn = { outcome: 'client-failed' };

/** Sends a range of a file, up to where it is written. */
export function createFileMove(
  { calls, table }: RunDeps,
  row: number,
  { sourceDescriptor, clientDescriptor, offset, sizeBytes }: MoveOrder,
): RunningMove {
  const position = new BigInt64Array([BigInt(offset)]);
  let movedBytes = 0;
  return {
    isPipeEmpty: true,
    isInStep: true,
    turn() {
      let turnBytes = 0;
      for (;;) {
        const want = table.wanted(row);
        if (movedBytes === sizeBytes) return COMPLETE;
        if (want === 'stop') return STOPPED;
        if (want === 'release') return RELEASED;
        if (turnBytes >= TURN_BYTES) return 'again';
        // Asked before how far it is written: what is written before it is over counts.
        const isOver = table.isOver(row);
        const readableBytes = Math.min(table.writtenBytes(row) - offset, sizeBytes) - movedBytes;
        if (readableBytes <= 0) {
          if (isOver) return SOURCE_ENDED;
          table.sourceWaits(row, calls.nowMs);
          return 'waits';
        }
        table.sourceGave(row, calls.nowMs);
        const stepBytes = Math.min(readableBytes, FILE_STEP_BYTES);
        const sent = surely(() => calls.sendFile(clientDescriptor, sourceDescriptor, position, stepBytes));
        if (sent > 0) {
          movedBytes += sent;
          turnBytes += sent;
          table.moved(row, movedBytes);
          table.clientTook(row);
        } else if (sent === 0) return SOURCE_ENDED;
        else if (sent === -EAGAIN) {
          table.clientBlocks(row, calls.nowMs);
          return 'waits';
        } else if (sent !== -EINTR) {
          return CLIENT_ERRORS.has(-sent) ? CLIENT_FAILED : SOURCE_FAILED;
        }
      }
    },
  };
}

/** Moves what a peer sends through a pipe. */
export function createSocketMove(
  { calls, table }: RunDeps,
  row: number,
  { sourceDescriptor, clientDescriptor, sizeBytes }: MoveOrder,
  pipe: Pipe,
): RunningMove {
  let movedBytes = 0;
  let pipedBytes = 0;

  /** Takes from the peer; undefined when there is something in the pipe. */
  const fill = (): Turn | undefined => {
    const wantedBytes = Math.min(sizeBytes - movedBytes, pipe.capacityBytes);
    const taken = surely(() => calls.splice(sourceDescriptor, pipe.writeEnd, wantedBytes));
    if (taken > 0) {
      table.sourceGave(row, calls.nowMs);
      pipedBytes = taken;
      // The runtime reads a connection once more when the peer resets it, although it is paused: what came after that here
      // may not follow what came before. Asked now, a reset that is not there yet was not there for the runtime, either.
      return calls.isHungUp(sourceDescriptor) ? SOURCE_FAILED : undefined;
    }
    if (taken === 0) return SOURCE_ENDED;
    if (taken === -EINTR) return undefined;
    if (taken !== -EAGAIN) return SOURCE_FAILED;
    table.sourceWaits(row, calls.nowMs);
    return 'waits';
  };
  /** Gives to the client; undefined when that went well. */
  const drain = (): Turn | undefined => {
    const given = surely(() => calls.splice(pipe.readEnd, clientDescriptor, pipedBytes));
    if (given > 0) {
      pipedBytes -= given;
      movedBytes += given;
      table.moved(row, movedBytes);
      table.clientTook(row);
      return undefined;
    }
    if (given === -EINTR) return undefined;
    if (given !== -EAGAIN) return CLIENT_FAILED;
    table.clientBlocks(row, calls.nowMs);
    return 'waits';
  };

  return {
    get isPipeEmpty() {
      return pipedBytes === 0;
    },
    get isInStep() {
      return pipedBytes === 0 && (movedBytes < sizeBytes || calls.isQuiet(sourceDescriptor));
    },
    turn() {
      const begunAt = movedBytes;
      for (;;) {
        const want = table.wanted(row);
        if (movedBytes === sizeBytes) return COMPLETE;
        if (want === 'stop') return STOPPED;
        if (pipedBytes === 0 && want === 'release') return RELEASED;
        if (movedBytes - begunAt >= TURN_BYTES) return 'again';
        const turn = pipedBytes === 0 ? fill() : drain();
        if (turn !== undefined) return turn;
      }
    },
  };
}
