import type { LentSource } from '../buffered-source.ts';
import type { KernelMove, KernelMoveEnd, KernelMover } from '../kernel/kernel-mover.ts';
import type { ByteConnection } from './byte-connection.ts';

/** Long enough for a turn of the thread that moves. */
const LOOK_AGAIN_MS = 20;

/** What createKernelHandOver needs. */
export interface KernelHandOverDeps {
  /** Undefined where the kernel does not move bodies. */
  readonly kernel: Pick<KernelMover, 'begin' | 'hasRoom' | 'minBytes'> | undefined;
  readonly connection: Pick<ByteConnection, 'close' | 'descriptor'>;
  /** A client that takes no byte for this long is gone. */
  readonly clientStallTimeoutMs: number;
  /** Called before the kernel moves. */
  readonly onBegin: () => void;
  /** Called when it has ended. */
  readonly onEnd: () => void;
}

/** A client's connection as the kernel moves to it. */
export interface KernelHandOver {
  /** The kernel can move to the connection now, and so many bytes are worth it. */
  mayTake(bytes: number): boolean;
  /** The move that runs. */
  readonly move: KernelMove | undefined;
  /** See KernelMover.begin(). Nothing else may be written to the connection until the end. */
  begin(source: LentSource, onEnd: (end: KernelMoveEnd) => void): KernelMove | undefined;
}

/** Lets the kernel move to a connection, and closes it for a client that stalls. */
export function createKernelHandOver({
  kernel,
  connection,
  clientStallTimeoutMs,
  onBegin,
  onEnd,
}: KernelHandOverDeps): KernelHandOver {
  let move: KernelMove | undefined;

  const watchClient = () => {
    let timer: Timer;
    const check = (isLast: boolean) => {
      const leftMs = clientStallTimeoutMs - (move?.blockedMs ?? 0);
      if (leftMs > 0) timer = setTimeout(check, leftMs, false);
      // The process may have been stopped for so long: the thread looks first what the client has taken meanwhile.
      else if (!isLast) timer = setTimeout(check, LOOK_AGAIN_MS, true);
      else connection.close();
    };
    timer = setTimeout(check, clientStallTimeoutMs, false);
    return () => clearTimeout(timer);
  };

  return {
    mayTake: (bytes) =>
      kernel?.hasRoom === true && bytes >= kernel.minBytes && connection.descriptor !== undefined,
    get move() {
      return move;
    },
    begin(source, onMoved) {
      const { descriptor } = connection;
      if (descriptor === undefined) return undefined;
      const begun = kernel?.begin(source, descriptor, (end) => {
        unwatch?.();
        move = undefined;
        onEnd();
        onMoved(end);
      });
      if (begun !== undefined) onBegin();
      move = begun;
      const unwatch = begun && watchClient();
      return begun;
    },
  };
}
