import { getSocketOption, IPPROTO_TCP, setSocketOption } from './socket-option.ts';

/*
 * Left to itself the kernel grows the buffers of each socket to several MiB when one end is slow. With 50 slow
 * readers that was 266 MB, and on cgroup v2 it counts as the process's memory.
 */

/** Linux, asm-generic/socket.h: the values of x86-64 and arm64. */
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_RCVLOWAT = 18;
const SO_BUF_LOCK = 72;
/** Linux, tcp.h. */
const TCP_WINDOW_CLAMP = 10;
/** The kernel may change neither buffer, or not the receive buffer. */
const NO_LOCK = 0;
const RECEIVE_LOCK = 2;
/** The kernel doubles a size to make room for its own bookkeeping (socket(7)), and says the double. */
const KERNEL_FACTOR = 2;

/**
 * Sets the receive buffer of a socket, in bytes of payload, and lets TCP offer its peer all of it; tells whether it could. The
 * kernel gives at most net.core.rmem_max. Unless it is told to, TCP offers no larger window than the buffer had room for when the
 * connection was made, some 64 KiB, however large the buffer is. It cannot take back what it has offered: what comes and does not
 * fit into a buffer that was made smaller is dropped, and the peer stands still for 200 ms.
 */
export function boundReceiveBuffer(fd: number, sizeBytes: number): boolean {
  if (!setOption(fd, SO_RCVBUF, sizeBytes)) return false;
  const windowBytes = KERNEL_FACTOR * sizeBytes;
  setSocketOption(fd, TCP_WINDOW_CLAMP, new Int32Array([windowBytes]), IPPROTO_TCP);
  return true;
}

/** Sets the send buffer of a socket, in bytes of payload; tells whether it could. */
export function boundSendBuffer(fd: number, sizeBytes: number): boolean {
  return setOption(fd, SO_SNDBUF, sizeBytes);
}

/** So much of the wanted size is it. */
const ENOUGH = 0.9;
/** Smaller than what is asked for by the first of the steps below. */
const SMALL_BYTES = 16 * 1024;

/**
 * Sets the receive buffer of a TCP socket also above net.core.rmem_max, which is 208 KiB on most nodes. A socket that wants
 * to be woken at so many bytes (SO_RCVLOWAT) is given room for them, up to half of the largest size in net.ipv4.tcp_rmem.
 * Then the size is locked again, which kernels before 5.14 cannot do: there rmem_max is the bound. To be called while
 * nothing comes. Returns what the size is now, in bytes of payload; 0 if the C library cannot be called.
 */
export function stretchReceiveBuffer(fd: number, sizeBytes: number): number {
  const wanted = KERNEL_FACTOR * sizeBytes;
  if (!boundReceiveBuffer(fd, sizeBytes)) return 0;
  if (receiveBuffer(fd) >= ENOUGH * wanted || !setOption(fd, SO_BUF_LOCK, NO_LOCK)) {
    return receiveBuffer(fd) / KERNEL_FACTOR;
  }
  // How much room the kernel gives for a byte depends on the connection: the first step shows it.
  setOption(fd, SO_RCVBUF, SMALL_BYTES);
  setOption(fd, SO_BUF_LOCK, NO_LOCK);
  const firstBytes = Math.floor(wanted / 8);
  setOption(fd, SO_RCVLOWAT, firstBytes);
  setOption(fd, SO_RCVLOWAT, Math.floor((firstBytes * wanted) / receiveBuffer(fd)));
  setOption(fd, SO_RCVLOWAT, 1);
  setOption(fd, SO_BUF_LOCK, RECEIVE_LOCK);
  return receiveBuffer(fd) / KERNEL_FACTOR;
}

/** The size as the kernel says it. */
function receiveBuffer(fd: number): number {
  return getSocketOption(fd, SO_RCVBUF);
}

function setOption(fd: number, option: number, value: number): boolean {
  return setSocketOption(fd, option, new Int32Array([value]));
}
