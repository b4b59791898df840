import { FFIType, read as readMemory } from 'bun:ffi';
import { openLibc } from '../../runtime/libc.ts';

/*
 * The system calls that move bytes without bringing them into this process, and what their loop needs: epoll, eventfd,
 * pipes. Bun has none of them. Where the C library cannot be called, there is no kernel transport.
 */

const SYMBOLS = {
  epoll_create1: { args: ['i32'], returns: 'i32' },
  epoll_ctl: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
  epoll_wait: { args: ['i32', 'ptr', 'i32', 'i32'], returns: 'i32' },
  eventfd: { args: ['u32', 'i32'], returns: 'i32' },
  pipe2: { args: ['ptr', 'i32'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  splice: { args: ['i32', 'ptr', 'i32', 'ptr', 'usize', 'u32'], returns: FFIType.i64_fast },
  sendfile: { args: ['i32', 'i32', 'ptr', 'usize'], returns: FFIType.i64_fast },
  read: { args: ['i32', 'ptr', 'usize'], returns: FFIType.i64_fast },
  write: { args: ['i32', 'ptr', 'usize'], returns: FFIType.i64_fast },
  poll: { args: ['ptr', 'usize', 'i32'], returns: 'i32' },
  recv: { args: ['i32', 'ptr', 'usize', 'i32'], returns: FFIType.i64_fast },
  close: { args: ['i32'], returns: 'i32' },
  clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' },
  __errno_location: { args: [], returns: 'ptr' },
} as const;

/** Linux, asm-generic/errno.h: the values of x86-64 and arm64. */
export const EINTR = 4;
export const EAGAIN = 11;
export const EPIPE = 32;
export const ECONNRESET = 104;
export const ENOTCONN = 107;
export const ETIMEDOUT = 110;

/** Linux, sys/epoll.h. */
export const EPOLLIN = 0x001;
export const EPOLLOUT = 0x004;
const EPOLLERR = 0x008;
const EPOLLHUP = 0x010;
const EPOLLRDHUP = 0x2000;
const EPOLLET = 2 ** 31;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;

/** Linux, asm-generic/fcntl.h and bits/fcntl-linux.h. */
const O_NONBLOCK = 0x800;
const O_CLOEXEC = 0x8_0000;
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
/** Linux, asm-generic/poll.h. */
const POLLERR = 0x008;
const POLLHUP = 0x010;
/** Linux, bits/socket.h. */
const MSG_PEEK = 0x02;
const MSG_DONTWAIT = 0x40;
const CLOCK_MONOTONIC = 1;

/** struct epoll_event is packed on x86-64 only. */
const EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
const EVENT_DATA_AT = process.arch === 'x64' ? 4 : 8;
const MAX_EVENTS = 64;

/** Both ends of a pipe. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
  readonly capacityBytes: number;
}

/** What waits for readiness. */
export interface Poller {
  /** Tells of each change to ready of a descriptor, with this number. False if that cannot be done. */
  add(descriptor: number, data: number, events: number): boolean;
  delete(descriptor: number): void;
  /** Waits, for ever with -1, and calls back with the number of each descriptor that may be ready. Throws if it cannot wait. */
  wait(timeoutMs: number, onReady: (data: number) => void): void;
  close(): void;
}

/** The calls. Those that return a count return the negative errno on failure, as the kernel does. */
export interface KernelCalls {
  /** Undefined where there is no descriptor for it. */
  createPoller(): Poller | undefined;
  /** A counter to wait for, or a negative errno. */
  createEvent(): number;
  signalEvent(event: number): void;
  clearEvent(event: number): void;
  /** A pipe of about that size, less where the kernel gives less; undefined where there is none. */
  createPipe(capacityBytes: number): Pipe | undefined;
  /** Another descriptor of the same open file, or a negative errno. */
  duplicate(descriptor: number): number;
  splice(from: number, to: number, bytes: number): number;
  /** Whether a socket was reset, or has an error. */
  isHungUp(socket: number): boolean;
  /** Whether a socket is open and has no byte to read now. */
  isQuiet(socket: number): boolean;
  /** Sends from the offset on, which it moves on. */
  sendFile(to: number, from: number, offset: BigInt64Array, bytes: number): number;
  close(descriptor: number): void;
  /** Milliseconds of the machine's clock that never goes back: the same in every thread. */
  nowMs(): number;
}

/** Opens the calls for the thread that it is called in; undefined where the C library cannot be called. */
export function openKernelCalls(): KernelCalls | undefined {
  const libc = openLibc(SYMBOLS);
  const errnoAt = libc?.__errno_location();
  if (libc === undefined || errnoAt === undefined || errnoAt === null) return undefined;
  /** Counts are far below 2^53: they come as numbers. */
  const orErrno = (result: number | bigint): number =>
    result < 0 ? -readMemory.i32(errnoAt, 0) : Number(result);
  const one = new BigUint64Array([1n]);
  const count = new BigUint64Array(1);
  const peeked = new Uint8Array(1);
  /** struct pollfd: a descriptor, then 16 bits of what is asked and 16 of the answer. */
  const polled = new Int32Array(2);
  const time = new BigInt64Array(2);

  const createPoller = (): Poller | undefined => {
    const epoll = libc.epoll_create1(O_CLOEXEC);
    if (epoll < 0) return undefined;
    const event = new Uint32Array(EVENT_BYTES / 4);
    const ready = new Uint32Array((EVENT_BYTES / 4) * MAX_EVENTS);
    return {
      add(descriptor, data, events) {
        event[0] = (events | EPOLLERR | EPOLLHUP | EPOLLRDHUP | EPOLLET) >>> 0;
        event[EVENT_DATA_AT / 4] = data;
        return libc.epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, event) === 0;
      },
      delete(descriptor) {
        libc.epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, event);
      },
      wait(timeoutMs, onReady) {
        const events = orErrno(libc.epoll_wait(epoll, ready, MAX_EVENTS, timeoutMs));
        // Without this a wait that fails at once would be tried again at once, for ever.
        if (events < 0 && events !== -EINTR) throw new Error(`epoll_wait() failed with errno ${-events}`);
        for (let i = 0; i < events; i++) {
          onReady(ready[(i * EVENT_BYTES + EVENT_DATA_AT) / 4] ?? 0);
        }
      },
      close: () => void libc.close(epoll),
    };
  };

  return {
    createPoller,
    createEvent: () => orErrno(libc.eventfd(0, O_CLOEXEC | O_NONBLOCK)),
    signalEvent: (event) => void libc.write(event, one, one.byteLength),
    clearEvent: (event) => void libc.read(event, count, count.byteLength),
    createPipe(capacityBytes) {
      const ends = new Int32Array(2);
      if (libc.pipe2(ends, O_CLOEXEC | O_NONBLOCK) !== 0) return undefined;
      const [readEnd = -1, writeEnd = -1] = ends;
      const granted = libc.fcntl(writeEnd, F_SETPIPE_SZ, capacityBytes);
      // Without the right to so large a pipe it keeps its first size, which may be a page: a splice() takes less then.
      return { readEnd, writeEnd, capacityBytes: granted > 0 ? granted : capacityBytes };
    },
    duplicate: (descriptor) => orErrno(libc.fcntl(descriptor, F_DUPFD_CLOEXEC, 0)),
    splice: (from, to, bytes) =>
      orErrno(libc.splice(from, null, to, null, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)),
    isHungUp(socket) {
      polled.set([socket, 0]);
      return libc.poll(polled, 1, 0) > 0 && (((polled[1] ?? 0) >>> 16) & (POLLERR | POLLHUP)) !== 0;
    },
    isQuiet: (socket) => orErrno(libc.recv(socket, peeked, 1, MSG_PEEK | MSG_DONTWAIT)) === -EAGAIN,
    sendFile: (to, from, offset, bytes) => orErrno(libc.sendfile(to, from, offset, bytes)),
    close: (descriptor) => void libc.close(descriptor),
    nowMs() {
      libc.clock_gettime(CLOCK_MONOTONIC, time);
      return Number(time[0]) * 1000 + Number(time[1]) / 1_000_000;
    },
  };
}
