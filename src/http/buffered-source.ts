import type { BodySource, BrokenReason } from './transport.ts';
import type { KernelSource } from './kernel/kernel-mover.ts';

/** What a read gave: bytes that stay unchanged until the next read, or why there are none. */
export type SourceRead =
  | { readonly chunk: Uint8Array }
  | { readonly reason: BrokenReason; readonly cause?: unknown };

/** What a source has next, where the kernel can move it. */
export interface LentSource extends KernelSource {
  /** Calls back when a file has grown, with the byte behind the last that is written, until it is given back. */
  follow?(onGrown: (writtenBytes: number, isOver: boolean) => void): void;
  /**
   * Gives it back: so many bytes were moved, and the next read begins behind them. Once. For `isInStep` see KernelMoveEnd:
   * without it the next read of a socket is told that it is broken.
   */
  giveBack(movedBytes: number, isInStep: boolean): void;
}

/**
 * A source of the buffered transport. It is pulled: it must not read ahead more than one chunk, so that memory does not
 * grow with slow clients. `close` may come at any time; no read is answered after it.
 */
export interface BufferedSource extends BodySource {
  /** The first read is answered within the call, with all bytes. Default false. */
  readonly isInMemory?: boolean;
  /** Asks for the next bytes; calls back once, at once or later. Never more bytes in all than sizeBytes. One read at a time. */
  read(onRead: (read: SourceRead) => void): void;
  /** The last so many bytes of the chunk that was read last were not used: the next read begins with them. Once per read. */
  unread(bytes: number): void;
  /**
   * Lends what comes next to the kernel, until it is given back; nothing is read meanwhile. Undefined while that is in this
   * process's memory.
   */
  lend?(): LentSource | undefined;
}

const bufferedSources = new WeakSet<BodySource>();

/** Marks a source as one that the buffered server can move. */
export function registerBufferedSource<T extends BufferedSource>(source: T): T {
  bufferedSources.add(source);
  return source;
}

/** The source as the buffered server moves it; throws a TypeError for one of another transport. */
export function asBufferedSource(source: BodySource): BufferedSource {
  if (!bufferedSources.has(source)) throw new TypeError('Cannot move a body that another transport opened');
  return source as BufferedSource;
}
