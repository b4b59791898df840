import type { VirtualTime } from '../virtual-time.ts';
import type { SimFlow, SimLink, SimLinks } from './sim-links.ts';

/** containerd writes a download in steps of so many bytes. */
export const STEP_BYTES = 1024 * 1024;

/** How a body on its way ended. `fin`: short, with FIN; `lost`: the connection broke. */
export type WireEnd = 'complete' | 'fin' | 'lost';

/** Who takes the bytes. */
export interface WireReader {
  onBytes(arrivedBytes: number): void;
  onMoving(isMoving: boolean): void;
  onEnd(how: WireEnd): void;
}

/** The body of one answer on its way from one machine to another. */
export interface SimWire {
  /** The place of the body's first byte in the blob. */
  readonly start: number;
  readonly lengthBytes: number;
  readonly arrivedBytes: number;
  readonly isMoving: boolean;
  readonly ended: WireEnd | undefined;
  /** The sender has so many bytes of the body by now. */
  offer(bytes: number): void;
  hold(isHeld: boolean): void;
  /** The sender ends it, or its machine does. */
  end(how: 'fin' | 'lost'): void;
  /** The receiver ends it. */
  close(): void;
  read(reader: WireReader): void;
  /** Called when it is over, whoever ended it. */
  onOver: (() => void) | undefined;
}

/** What a wire needs. */
export interface SimWireOptions {
  readonly time: VirtualTime;
  readonly links: SimLinks;
  readonly over: readonly SimLink[];
  readonly latencyMs: number;
  readonly start: number;
  readonly lengthBytes: number;
  readonly maxBytesPerMs?: number | undefined;
}

/** Makes a body that has not begun. What arrives is told of at each step that containerd would write, and at the end. */
export function createSimWire(options: SimWireOptions): SimWire {
  const { time, links, over, latencyMs, start, lengthBytes, maxBytesPerMs } = options;
  let offered = 0;
  let told = 0;
  let isMoving = false;
  let isClosed = false;
  let reader: WireReader | undefined;
  let ended: WireEnd | undefined;

  const tell = () => {
    const arrived = flow.arrivedBytes;
    if (arrived > told) {
      told = arrived;
      reader?.onBytes(told);
    }
  };
  const over_ = () => {
    flow.close();
    const { onOver } = wire;
    wire.onOver = undefined;
    onOver?.();
  };
  const finish = (how: WireEnd) => {
    if (ended !== undefined || isClosed) return;
    tell();
    ended = how;
    over_();
    reader?.onEnd(how);
  };
  const goOn = () => {
    const at = start + flow.arrivedBytes;
    const nextStep = (Math.floor(at / STEP_BYTES) + 1) * STEP_BYTES - start;
    flow.moveTo(Math.min(nextStep, offered, lengthBytes));
  };
  const flow: SimFlow = links.flow(over, {
    maxBytesPerMs,
    onArrival() {
      tell();
      if (told >= lengthBytes) finish('complete');
      else goOn();
    },
    onMoving(moves) {
      isMoving = moves;
      reader?.onMoving(moves);
    },
  });
  const wire: SimWire = {
    start,
    lengthBytes,
    get arrivedBytes() {
      return Math.min(flow.arrivedBytes, lengthBytes);
    },
    get isMoving() {
      return isMoving;
    },
    get ended() {
      return ended;
    },
    offer(bytes) {
      if (bytes <= offered || isClosed || ended !== undefined) return;
      offered = bytes;
      goOn();
    },
    hold: (isHeld) => flow.hold(isHeld),
    end: (how) => void time.after(latencyMs, () => finish(how)),
    close() {
      if (isClosed || ended !== undefined) return;
      tell();
      isClosed = true;
      over_();
    },
    read(next) {
      reader = next;
      if (told > 0) next.onBytes(told);
      if (ended !== undefined) next.onEnd(ended);
    },
    onOver: undefined,
  };
  return wire;
}
