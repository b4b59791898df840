import { openLibc } from '../runtime/libc.ts';

/*
 * Bun has no way to set options of a socket, so the C library is called. Where that cannot be done, the kernel decides.
 */

const SYMBOLS = {
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
} as const;
type Libc = NonNullable<ReturnType<typeof openLibc<typeof SYMBOLS>>>;

/** Linux, asm-generic/socket.h: the value of x86-64 and arm64. */
const SOL_SOCKET = 1;

let libc: Libc | undefined | 'unavailable';

/** Sets an option of the level SOL_SOCKET on a descriptor; tells whether it could. */
export function setSocketOption(fd: number, option: number, value: Int32Array | BigUint64Array): boolean {
  return libcOrUndefined()?.setsockopt(fd, SOL_SOCKET, option, value, value.byteLength) === 0;
}

function libcOrUndefined(): Libc | undefined {
  libc ??= openLibc(SYMBOLS) ?? 'unavailable';
  return libc === 'unavailable' ? undefined : libc;
}
