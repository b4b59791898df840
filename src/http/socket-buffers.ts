import { openLibc } from '../runtime/libc.ts';

/*
 * Left to itself the kernel grows the buffers of each socket to several MiB when one end is slow. With 50 slow
 * readers that was 266 MB, and on cgroup v2 it counts as the process's memory. Bun has no option for their size,
 * so the C library is called. Where that cannot be done, the kernel decides.
 */

const SYMBOLS = {
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
} as const;
type Libc = NonNullable<ReturnType<typeof openLibc<typeof SYMBOLS>>>;

/** Linux, asm-generic/socket.h: the values of x86-64 and arm64. */
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const INT_BYTES = 4;

let libc: Libc | undefined | 'unavailable';

/** Sets the receive buffer of a socket, in bytes of payload; tells whether it could. */
export function boundReceiveBuffer(fd: number, sizeBytes: number): boolean {
  return setOption(fd, SO_RCVBUF, sizeBytes);
}

/** Sets the send buffer of a socket, in bytes of payload; tells whether it could. */
export function boundSendBuffer(fd: number, sizeBytes: number): boolean {
  return setOption(fd, SO_SNDBUF, sizeBytes);
}

/** The kernel doubles the value to make room for its own bookkeeping (socket(7)). */
function setOption(fd: number, option: number, value: number): boolean {
  return libcOrUndefined()?.setsockopt(fd, SOL_SOCKET, option, new Int32Array([value]), INT_BYTES) === 0;
}

function libcOrUndefined(): Libc | undefined {
  libc ??= openLibc(SYMBOLS) ?? 'unavailable';
  return libc === 'unavailable' ? undefined : libc;
}
