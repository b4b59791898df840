/**
 * Runs inside the hub's namespace and carries Ethernet frames between two tap devices that it makes, each frame so many ms
 * later than it came: `<device> <device> <ms>`. It blocks in poll(2), so that only a signal ends it.
 */
import { FFIType, type Pointer } from 'bun:ffi';
import { constants, openSync } from 'node:fs';
import { openLibc } from '../../src/runtime/libc.ts';

/** linux/if_tun.h: frames without a packet head, but with what the kernel left to do (checksum, segmentation). */
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
/** TUN_F_CSUM, TUN_F_TSO4 and TUN_F_TSO6: up to 64 KiB cross at once, else each packet would cost a read and a write. */
const OFFLOADS = 0x07;
/** struct ifreq: a name of 16 bytes, then the flags. */
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_AT = 16;
/** struct pollfd: descriptor, then the events. */
const POLLFD_BYTES = 8;
const POLLIN = 1;
/** 64 KiB and the heads. */
const MAX_FRAME_BYTES = 72 * 1024;

const libc = openLibc({
  ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
  poll: { args: ['ptr', 'u64', 'i32'], returns: 'i32' },
  read: { args: ['i32', 'ptr', 'usize'], returns: FFIType.i64_fast },
  write: { args: ['i32', 'ptr', 'usize'], returns: FFIType.i64_fast },
});
if (libc === undefined) throw new Error('The C library cannot be called');
const { ioctl, poll, read, write } = libc;

function openTap(name: string): number {
  const file = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
  const request = new Uint8Array(IFREQ_BYTES);
  new TextEncoder().encodeInto(name, request);
  new DataView(request.buffer).setUint16(IFREQ_FLAGS_AT, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true);
  if (ioctl(file, TUNSETIFF, request) < 0) throw new Error(`Cannot make the device ${name}`);
  // The argument is a number, not an address.
  if (ioctl(file, TUNSETOFFLOAD, OFFLOADS as Pointer) < 0) {
    throw new Error(`Cannot set up the device ${name}`);
  }
  return file;
}

interface Frame {
  readonly dueMs: number;
  readonly bytes: Uint8Array;
}

const [left = '', right = '', delay = ''] = process.argv.slice(2);
const delayMs = Number(delay);
const files = [openTap(left), openTap(right)] as const;
const ways = [
  { from: files[0], to: files[1], queue: new Array<Frame>() },
  { from: files[1], to: files[0], queue: new Array<Frame>() },
];
const waiting = new Uint8Array(ways.length * POLLFD_BYTES);
ways.forEach(({ from }, at) => {
  const view = new DataView(waiting.buffer, at * POLLFD_BYTES);
  view.setInt32(0, from, true);
  view.setInt16(4, POLLIN, true);
});
const buffer = new Uint8Array(MAX_FRAME_BYTES);
const take = (file: number) => Number(read(file, buffer, buffer.length));

for (;;) {
  const nextMs = Math.min(...ways.map(({ queue }) => queue[0]?.dueMs ?? Infinity));
  const waitMs = nextMs === Infinity ? -1 : Math.max(0, Math.ceil(nextMs - performance.now()));
  poll(waiting, ways.length, waitMs);
  for (const { from, to, queue } of ways) {
    for (let size = take(from); size > 0; size = take(from)) {
      queue.push({ dueMs: performance.now() + delayMs, bytes: buffer.slice(0, size) });
    }
    const nowMs = performance.now();
    let sent = 0;
    for (let frame = queue[sent]; frame !== undefined && frame.dueMs <= nowMs; frame = queue[++sent]) {
      // What the device does not take is lost, as on any link.
      write(to, frame.bytes, frame.bytes.length);
    }
    queue.splice(0, sent);
  }
}
