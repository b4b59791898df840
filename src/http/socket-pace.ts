import { setSocketOption } from './socket-option.ts';

/** Linux, asm-generic/socket.h: the value of x86-64 and arm64. */
const SO_MAX_PACING_RATE = 47;
const UNLIMITED = 2n ** 64n - 1n;

/**
 * Sets the most that the kernel sends on a TCP socket, in bytes per second; undefined lifts that. Tells whether it could.
 * The kernel spaces the segments itself (socket(7), SO_MAX_PACING_RATE), with any queueing discipline, and however the bytes
 * come to the socket: by write, sendfile or splice.
 */
export function paceSocket(fd: number, bytesPerSecond: number | undefined): boolean {
  const rate = bytesPerSecond === undefined ? UNLIMITED : BigInt(Math.max(1, Math.floor(bytesPerSecond)));
  return setSocketOption(fd, SO_MAX_PACING_RATE, new BigUint64Array([rate]));
}
