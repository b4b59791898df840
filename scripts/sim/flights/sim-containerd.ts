import type { Digest } from '../../../src/oci/digest.ts';
import { createDownloadState } from '../../../src/store/download-state.ts';
import type { ContentStore } from '../../../src/store/content-store.ts';
import type { Random } from '../random.ts';
import type { VirtualTime } from '../virtual-time.ts';
import type { SimContent, SimImage } from './sim-image.ts';
import { STEP_BYTES, type SimWire } from './sim-wire.ts';

/**
 * How containerd counts its downloads. `per-layer`, 1.6 to 2.0: three layers at a time, from their first request to their commit.
 * `per-request`, 2.1 and later: all layers ask, three requests at a time on the node; a 404 gives the place back, and the
 * layer waits for one again, behind the others, before it goes upstream.
 */
export type SlotRule = 'per-layer' | 'per-request';

/** What the mirror of the node says to a request of containerd. `bytes`: the body is over, complete or not. */
export type MirrorAnswer = 'bytes' | 'absent' | 'refused';

/** One GET to the mirror of the node. */
export interface MirrorRequest {
  readonly image: SimImage;
  readonly content: SimContent;
  readonly fromByte: number;
  readonly onHead: () => void;
  readonly onBytes: (toByte: number) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** What simulated containerd needs. */
export interface SimContainerdDeps {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly slotRule: SlotRule;
  /** Names this node in paths. */
  readonly name: string;
  readonly askMirror: (request: MirrorRequest) => Promise<MirrorAnswer>;
  readonly askUpstream: (content: SimContent, fromByte: number) => SimWire;
  readonly upstreamLatencyMs: number;
  /** Told of a blob that the store has from now on. */
  readonly onStored: (digest: Digest) => void;
  /** Told how long a request was held before its head came, and how long a body stood still. */
  readonly onHeld: (heldMs: number) => void;
  readonly onViolation: (text: string) => void;
}

/** A simulated containerd: its store, and its pulls. */
export interface SimContainerd {
  readonly store: Pick<ContentStore, 'downloads' | 'read' | 'stat'>;
  has(digest: Digest): boolean;
  /** Puts the whole image into the store. */
  fill(image: SimImage): void;
  /** Pulls the image. Rejects when it fails, or is cancelled. */
  pull(image: SimImage, signal: AbortSignal): Promise<void>;
  /** Bytes of the file that are there now: what it reads is in this range. */
  bytesAt(path: string): number;
  /** Everything stands still: nothing is read from the network any more. */
  hang(isHanging: boolean): void;
}

const SLOTS = 3;
/** containerd 2.3 waits so long for a head. */
export const CONTAINERD_HEAD_TIMEOUT_MS = 30_000;
const COMMIT_MS = 5;
/** The store knows a blob so long after its download is gone. */
const STORED_AFTER_MS = 10;
/** Bodies in a row that may end without a byte. */
const MAX_FRUITLESS = 3;

/** Makes a containerd that has nothing. */
export function createSimContainerd(deps: SimContainerdDeps): SimContainerd {
  const { time, random, slotRule, name } = deps;
  const { downloads, ...state } = createDownloadState();
  const { clock } = time.ofProcess(() => false);
  const stored = new Map<Digest, SimContent>();
  const written = new Map<string, number>();
  const running = new Map<Digest, Promise<void>>();
  const nodeSlots = createSlots(SLOTS);
  const wires = new Set<SimWire>();
  let isHanging = false;
  let begun = 0;

  /** Takes one content to its commit. */
  const download = async (image: SimImage, content: SimContent, slots: Slots, signal: AbortSignal) => {
    const { digest, sizeBytes } = content;
    const path = `/${name}/ingest-${begun++}`;
    let received = 0;
    let lastMs = clock.nowMs();
    const put = (isRunning: boolean) => {
      const writtenBytes = received >= sizeBytes ? sizeBytes : Math.floor(received / STEP_BYTES) * STEP_BYTES;
      const isGrown = writtenBytes !== (written.get(path) ?? -1);
      if (isGrown) lastMs = clock.nowMs();
      written.set(path, writtenBytes);
      state.set(path, { digest, sizeBytes, writtenBytes, path, isRunning, grownMs: lastMs });
    };
    const receive = (toByte: number) => {
      if (toByte < received || toByte > sizeBytes) {
        deps.onViolation(`Bytes up to ${toByte} after ${received}`);
      }
      received = Math.max(received, toByte);
      put(true);
    };
    put(true);
    try {
      let fruitless = 0;
      for (;;) {
        signal.throwIfAborted();
        if (received >= sizeBytes) break;
        const before = received;
        const answered = await within(slots, signal, () =>
          askMirror(image, content, received, receive, signal),
        );
        if (answered !== 'bytes') {
          await within(slots, signal, async () => {
            await clock.sleep(deps.upstreamLatencyMs, signal);
            await fromUpstream(content, received, receive, signal);
          });
        }
        fruitless = received === before ? fruitless + 1 : 0;
        if (fruitless > MAX_FRUITLESS) throw new Error('Bodies end without a byte');
      }
      await clock.sleep(COMMIT_MS);
      signal.throwIfAborted();
      state.delete(path);
      await clock.sleep(STORED_AFTER_MS);
      stored.set(digest, content);
      deps.onStored(digest);
    } catch (error) {
      put(false);
      // Its lease ends, and its bytes are removed.
      time.after(1000, () => state.delete(path));
      throw error;
    }
  };

  /** Does the work with a place for a request, where requests need them. */
  const within = async <T>(slots: Slots, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    if (slotRule === 'per-layer') return work();
    await slots.take();
    try {
      signal.throwIfAborted();
      const result = await work();
      signal.throwIfAborted();
      return result;
    } finally {
      slots.give();
    }
  };

  const askMirror = async (
    image: SimImage,
    content: SimContent,
    fromByte: number,
    onBytes: (toByte: number) => void,
    signal: AbortSignal,
  ): Promise<MirrorAnswer> => {
    const askedMs = clock.nowMs();
    let isHeld = true;
    const onHead = () => {
      if (isHeld) deps.onHeld(clock.nowMs() - askedMs);
      isHeld = false;
    };
    const answered = await deps.askMirror({ image, content, fromByte, onHead, onBytes, signal });
    onHead();
    return answered;
  };

  const fromUpstream = (
    content: SimContent,
    fromByte: number,
    receive: (toByte: number) => void,
    signal: AbortSignal,
  ): Promise<void> =>
    new Promise((resolve) => {
      const wire = deps.askUpstream(content, fromByte);
      wires.add(wire);
      wire.hold(isHanging);
      const over = () => {
        wires.delete(wire);
        wire.close();
        resolve();
      };
      signal.addEventListener('abort', over, { once: true });
      wire.read({ onBytes: (bytes) => receive(fromByte + bytes), onMoving: () => {}, onEnd: over });
      wire.offer(content.sizeBytes - fromByte);
    });

  const fetch = async (image: SimImage, content: SimContent, slots: Slots, signal: AbortSignal) => {
    const { digest } = content;
    // Another pull of the node downloads it: this one waits for that.
    for (let other = running.get(digest); other !== undefined; other = running.get(digest)) {
      await other.catch(() => {});
    }
    if (stored.has(digest)) return;
    const own = download(image, content, slots, signal);
    running.set(digest, own);
    await own.finally(() => running.delete(digest));
  };

  return {
    store: {
      downloads,
      async stat(digest) {
        const content = stored.get(digest);
        if (content === undefined) return undefined;
        return { digest, sizeBytes: content.sizeBytes, path: `/${name}/blob-${digest}`, stamp: 0 };
      },
      read: async (digest) => stored.get(digest)?.bytes,
    },
    has: (digest) => stored.has(digest),
    fill(image) {
      for (const content of [image.manifest, ...image.contents]) stored.set(content.digest, content);
    },
    async pull(image, signal) {
      const perLayer = createSlots(SLOTS);
      await fetch(image, image.manifest, slotRule === 'per-request' ? nodeSlots : createSlots(SLOTS), signal);
      const contents = random.sample(image.contents, image.contents.length);
      const ended = await Promise.allSettled(
        contents.map(async (content) => {
          if (slotRule === 'per-request') return fetch(image, content, nodeSlots, signal);
          await perLayer.take();
          try {
            signal.throwIfAborted();
            await fetch(image, content, createSlots(SLOTS), signal);
          } finally {
            perLayer.give();
          }
        }),
      );
      const failed = ended.find((each) => each.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
    bytesAt: (path) => written.get(path) ?? (path.startsWith(`/${name}/blob-`) ? Infinity : 0),
    hang(hangs) {
      isHanging = hangs;
      for (const wire of wires) wire.hold(hangs);
    },
  };
}

interface Slots {
  take(): Promise<void>;
  give(): void;
}

/** Places that are given in the order in which they were asked for. */
function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  return {
    async take() {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => void waiting.push(resolve));
    },
    give() {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    },
  };
}
