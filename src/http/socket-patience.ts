import { getSocketOption, IPPROTO_TCP, setSocketOption } from './socket-option.ts';

/** Linux, tcp.h; RFC 5482. */
const TCP_USER_TIMEOUT = 18;

/**
 * Ends the connection of a TCP socket when what was sent has not been acknowledged for so many ms; tells whether it could. Left to
 * itself the kernel sends it again for a quarter of an hour (tcp(7), tcp_retries2).
 */
export function limitUnacknowledged(fd: number, ms: number): boolean {
  return setSocketOption(fd, TCP_USER_TIMEOUT, new Int32Array([Math.max(1, Math.floor(ms))]), IPPROTO_TCP);
}

/** That time in ms; 0: the kernel decides, or it cannot be known. */
export function readUnacknowledgedLimit(fd: number): number {
  return getSocketOption(fd, TCP_USER_TIMEOUT, IPPROTO_TCP);
}
