import { boundReceiveBuffer, boundWindow, stretchReceiveBuffer } from './socket-buffers.ts';

/** The kernel's buffer for what a peer sends on a connection, in bytes of payload. */
export interface ReceiveBuffer {
  /** What may wait in it just now; 0 while the kernel decides. */
  readonly sizeBytes: number;
  /** Sets its size, where that can be done. A smaller one comes when all has come that the peer was promised room for. */
  bound(sizeBytes: number): void;
  /** Sets a size for what is to come before it is read, also above net.core.rmem_max. To be called while nothing comes. */
  stretch(sizeBytes: number): void;
  /** So many more bytes were taken out of it. */
  took(bytes: number): void;
}

/** TCP may have offered so many times the size: the kernel's size is twice that of the payload. */
const OFFERED_FACTOR = 2;

/**
 * The receive buffer of a connection's socket. TCP cannot take back a window that it has offered, and drops what comes when
 * there is no room for it: the peer then waits for 200 ms, and begins slowly. So a buffer that is to become smaller first
 * offers less, and shrinks when the peer has sent what was offered before.
 */
export function createReceiveBuffer(descriptor: () => number | undefined): ReceiveBuffer {
  let sizeBytes = 0;
  /** What it is to become when so many more bytes were taken. */
  let shrinking: { readonly sizeBytes: number; leftBytes: number } | undefined;

  const isSo = (wantedBytes: number) => wantedBytes === (shrinking?.sizeBytes ?? sizeBytes);
  const offer = (fd: number, wantedBytes: number) => {
    const leftBytes = shrinking?.leftBytes ?? OFFERED_FACTOR * sizeBytes;
    shrinking = wantedBytes < sizeBytes ? { sizeBytes: wantedBytes, leftBytes } : undefined;
    boundWindow(fd, wantedBytes);
  };
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    bound(wantedBytes) {
      const fd = descriptor();
      if (fd === undefined || isSo(wantedBytes)) return;
      if (wantedBytes > sizeBytes) {
        if (!boundReceiveBuffer(fd, wantedBytes)) return;
        sizeBytes = wantedBytes;
      }
      offer(fd, wantedBytes);
    },
    stretch(wantedBytes) {
      const fd = descriptor();
      if (fd === undefined || isSo(wantedBytes)) return;
      if (wantedBytes > sizeBytes) {
        if (stretchReceiveBuffer(fd, wantedBytes) === 0) return;
        sizeBytes = wantedBytes;
      }
      offer(fd, wantedBytes);
    },
    took(bytes) {
      if (shrinking === undefined) return;
      shrinking.leftBytes -= bytes;
      const fd = descriptor();
      if (shrinking.leftBytes > 0 || fd === undefined) return;
      sizeBytes = shrinking.sizeBytes;
      shrinking = undefined;
      boundReceiveBuffer(fd, sizeBytes);
    },
  };
}
