import { openLibc } from '../runtime/libc.ts';

/*
 * Bun has no way to set options of a socket, so the C library is called. Where that cannot be done, the kernel decides.
 */

const SYMBOLS = {
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
} as const;
type Libc = NonNullable<ReturnType<typeof openLibc<typeof SYMBOLS>>>;

/** Linux, asm-generic/socket.h: the value of x86-64 and arm64. */
const SOL_SOCKET = 1;
/** Linux, in.h. */
export const IPPROTO_TCP = 6;
/** Linux, tcp.h: a struct tcp_info, and where in it `tcpi_min_rtt` is, in bytes (since 4.6). */
const TCP_INFO = 11;
const MIN_RTT_AT = 148;
/** Linux, asm-generic/ioctls.h. */
const FIONREAD = 0x541b;

/** Longer than any text that is an option here, with its end. */
const MAX_TEXT_BYTES = 64;

let libc: Libc | undefined | 'unavailable';

/** Sets an option of a level on a descriptor; tells whether it could. */
export function setSocketOption(
  fd: number,
  option: number,
  value: Int32Array | BigUint64Array | Uint8Array,
  level = SOL_SOCKET,
): boolean {
  return libcOrUndefined()?.setsockopt(fd, level, option, value, value.byteLength) === 0;
}

/** The text that is an option of a level; empty if it cannot be read. */
export function getSocketText(fd: number, option: number, level = SOL_SOCKET): string {
  const value = new Uint8Array(MAX_TEXT_BYTES);
  const length = new Uint32Array([value.byteLength]);
  if (libcOrUndefined()?.getsockopt(fd, level, option, value, length) !== 0) return '';
  return Buffer.from(value).toString('latin1', 0, value.indexOf(0));
}

/** The number that is an option of a level; 0 if it cannot be read. */
export function getSocketOption(fd: number, option: number, level = SOL_SOCKET): number {
  const value = new Int32Array(1);
  const length = new Uint32Array([value.byteLength]);
  return libcOrUndefined()?.getsockopt(fd, level, option, value, length) === 0 ? (value[0] ?? 0) : 0;
}

/**
 * The shortest round trip of a TCP connection that the kernel has measured, in ms; undefined if that cannot be known. The mean is of
 * no use: an acknowledgement that comes with the answer has waited for it.
 */
export function shortestRoundTripMs(fd: number): number | undefined {
  const info = new Uint32Array(MIN_RTT_AT / 4 + 1);
  const length = new Uint32Array([info.byteLength]);
  if (libcOrUndefined()?.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) !== 0) return undefined;
  const us = info[MIN_RTT_AT / 4];
  return length[0] === info.byteLength && us !== undefined && us > 0 ? us / 1000 : undefined;
}

/** How many bytes of a socket have come and were not read; undefined if that cannot be known. */
export function unreadBytes(fd: number): number | undefined {
  const value = new Int32Array(1);
  return libcOrUndefined()?.ioctl(fd, BigInt(FIONREAD), value) === 0 ? value[0] : undefined;
}

function libcOrUndefined(): Libc | undefined {
  libc ??= openLibc(SYMBOLS) ?? 'unavailable';
  return libc === 'unavailable' ? undefined : libc;
}
