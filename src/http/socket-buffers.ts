import { setSocketOption } from './socket-option.ts';

/*
 * Left to itself the kernel grows the buffers of each socket to several MiB when one end is slow. With 50 slow
 * readers that was 266 MB, and on cgroup v2 it counts as the process's memory.
 */

/** Linux, asm-generic/socket.h: the values of x86-64 and arm64. */
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;

/** Sets the receive buffer of a socket, in bytes of payload; tells whether it could. */
export function boundReceiveBuffer(fd: number, sizeBytes: number): boolean {
  return setSocketOption(fd, SO_RCVBUF, payload(sizeBytes));
}

/** Sets the send buffer of a socket, in bytes of payload; tells whether it could. */
export function boundSendBuffer(fd: number, sizeBytes: number): boolean {
  return setSocketOption(fd, SO_SNDBUF, payload(sizeBytes));
}

/** The kernel doubles the value to make room for its own bookkeeping (socket(7)). */
function payload(sizeBytes: number): Int32Array {
  return new Int32Array([sizeBytes]);
}
