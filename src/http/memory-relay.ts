import type { BodyRelay } from './transport.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/**
 * What a relay keeps, in bytes. containerd writes 1 MiB at a time, and the kernel holds some before it reads that: so much of
 * a body is on its way to the file.
 */
const RELAY_BYTES = 2 * MIB;
/** Followers are told of each so many bytes: a body comes in much smaller pieces. */
const TELL_EVERY_BYTES = 128 * KIB;

/** Memory of all relays. */
export interface RelayMemory {
  /** A buffer of RELAY_BYTES; undefined if all are in use. */
  take(): Uint8Array<ArrayBuffer> | undefined;
  give(buffer: Uint8Array<ArrayBuffer>): void;
}

/** Makes the memory of so many relays that have followers. Buffers are freed by detaching them when they are given back. */
export function createRelayMemory(maxRelays: number): RelayMemory {
  let free = maxRelays;
  return {
    take() {
      if (free === 0) return undefined;
      free--;
      return new Uint8Array(RELAY_BYTES);
    },
    give(buffer) {
      free++;
      buffer.buffer.transfer(0);
    },
  };
}

/** A relay as the server and the file sources of the buffered transport use it. */
export interface MemoryRelay extends BodyRelay {
  /** Followers are there, and get what is put. */
  readonly isFollowed: boolean;
  /**
   * The bytes of one move, which begins at this byte. Undefined while those of another move are relayed. `onFollowed` is
   * called when the first follower comes.
   */
  begin(fromByte: number, onFollowed?: () => void): RelayedMove | undefined;
  /** Copies what it has from a byte on, and returns how much that was: 0 if that byte is not here (any more). */
  copy(fromByte: number, into: Uint8Array): number;
}

/** The bytes that one move gives a relay. */
export interface RelayedMove {
  /** The next bytes. They are copied. */
  put(bytes: Uint8Array): void;
  /** The next so many bytes were moved without being put. */
  pass(bytes: number): void;
  end(): void;
}

const relays = new WeakSet<BodyRelay>();

/** The relay as this transport uses it; throws a TypeError for one of another transport. */
export function asMemoryRelay(relay: BodyRelay): MemoryRelay {
  if (!relays.has(relay)) throw new TypeError('Cannot use a relay that another transport made');
  return relay as MemoryRelay;
}

/** Makes a relay that has nothing. Without followers it holds no memory. */
export function createMemoryRelay(memory: RelayMemory): MemoryRelay {
  const listeners = new Set<() => void>();
  /** The byte at `at` of the blob is at `at % RELAY_BYTES`. */
  let ring: Uint8Array<ArrayBuffer> | undefined;
  let [startByte, endByte, toldByte] = [0, 0, 0];
  let current: { readonly onFollowed: (() => void) | undefined } | undefined;

  const tell = () => {
    toldByte = endByte;
    for (const listener of listeners) listener();
  };
  const put = (bytes: Uint8Array) => {
    if (listeners.size > 0) ring ??= memory.take();
    if (ring === undefined) {
      // Nothing is kept of what nobody follows.
      startByte = endByte += bytes.length;
      return;
    }
    const kept = bytes.subarray(Math.max(0, bytes.length - RELAY_BYTES));
    const at = (endByte + bytes.length - kept.length) % RELAY_BYTES;
    const untilWrap = Math.min(kept.length, RELAY_BYTES - at);
    ring.set(kept.subarray(0, untilWrap), at);
    ring.set(kept.subarray(untilWrap), 0);
    endByte += bytes.length;
    startByte = Math.max(startByte, endByte - RELAY_BYTES);
    if (endByte - toldByte >= TELL_EVERY_BYTES) tell();
  };
  const pass = (bytes: number) => {
    if (bytes === 0) return;
    drop();
    startByte = toldByte = endByte += bytes;
  };
  const drop = () => {
    if (ring !== undefined) memory.give(ring);
    ring = undefined;
    startByte = endByte;
  };

  const relay: MemoryRelay = {
    has: (byte) => startByte <= byte && byte < endByte,
    get isFollowed() {
      return listeners.size > 0;
    },
    subscribe(listener) {
      listeners.add(listener);
      if (listeners.size === 1) current?.onFollowed?.();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) drop();
      };
    },
    begin(fromByte, onFollowed) {
      if (current !== undefined) return undefined;
      const move = { onFollowed };
      current = move;
      if (fromByte !== endByte) {
        drop();
        startByte = endByte = toldByte = fromByte;
      }
      return {
        put,
        pass,
        end() {
          if (current !== move) return;
          current = undefined;
          if (endByte > toldByte) tell();
        },
      };
    },
    copy(fromByte, into) {
      if (ring === undefined || !relay.has(fromByte)) return 0;
      const length = Math.min(into.length, endByte - fromByte);
      const at = fromByte % RELAY_BYTES;
      const untilWrap = Math.min(length, RELAY_BYTES - at);
      into.set(ring.subarray(at, at + untilWrap));
      into.set(ring.subarray(0, length - untilWrap), untilWrap);
      return length;
    },
    endOf: (byte) => (relay.has(byte) ? endByte : byte),
  };
  relays.add(relay);
  return relay;
}
