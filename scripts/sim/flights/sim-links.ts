import type { VirtualTime } from '../virtual-time.ts';

/** One direction of a network link. */
export interface SimLink {
  bytesPerMs: number;
  readonly flows: Set<SimFlow>;
}

/** Bytes on their way over some links. */
export interface SimFlow {
  /** Bytes that have arrived, as of now. */
  readonly arrivedBytes: number;
  /** True while bytes are under way. */
  readonly isMoving: boolean;
  /** Lets it go on to so many bytes in all; `onArrival` is called when they are there. */
  moveTo(bytes: number): void;
  /** Holds what is under way, until it is called with false. */
  hold(isHeld: boolean): void;
  /** Ends it: nothing arrives any more. */
  close(): void;
}

/** The links of a cluster. */
export interface SimLinks {
  link(bytesPerMs: number): SimLink;
  setRate(link: SimLink, bytesPerMs: number): void;
  flow(links: readonly SimLink[], options: SimFlowOptions): SimFlow;
}

/** Options of a flow. */
export interface SimFlowOptions {
  readonly maxBytesPerMs?: number | undefined;
  /** Called when all that was to move has arrived. */
  readonly onArrival: () => void;
  /** Called when isMoving changes. */
  readonly onMoving?: ((isMoving: boolean) => void) | undefined;
}

interface Flow extends SimFlow {
  settle(): void;
  adapt(): void;
}

/**
 * Makes links whose flows share them evenly: a flow gets the least of its shares. What a flow cannot use of a share is not
 * given to others, so that this is the pessimistic side of what TCP does.
 */
export function createSimLinks(time: VirtualTime): SimLinks {
  const adaptAll = (links: readonly SimLink[]) => {
    for (const { flows } of links) for (const flow of flows) (flow as Flow).adapt();
  };

  return {
    link: (bytesPerMs) => ({ bytesPerMs, flows: new Set() }),
    setRate(link, bytesPerMs) {
      link.bytesPerMs = bytesPerMs;
      adaptAll([link]);
    },
    flow(links, { maxBytesPerMs = Infinity, onArrival, onMoving }) {
      let arrived = 0;
      let target = 0;
      let rate = 0;
      let settledMs = time.nowMs();
      let [isHeld, isClosed, isMoving] = [false, false, false];
      /** The arrival of all that was to move has not been told. */
      let isDue = false;
      let cancel = () => {};

      const settle = () => {
        const nowMs = time.nowMs();
        arrived = Math.min(target, arrived + rate * (nowMs - settledMs));
        settledMs = nowMs;
      };
      const arrive = () => {
        settle();
        arrived = target;
        isDue = false;
        // It may let more of it come: then there is no pause.
        onArrival();
        change();
      };
      const change = () => {
        const shouldMove = !isClosed && !isHeld && arrived < target;
        if (shouldMove === isMoving) return;
        isMoving = shouldMove;
        for (const { flows } of links) {
          if (isMoving) flows.add(flow);
          else flows.delete(flow);
        }
        if (!isMoving) flow.adapt();
        adaptAll(links);
        onMoving?.(isMoving);
      };
      const flow: Flow = {
        get arrivedBytes() {
          settle();
          return Math.floor(arrived);
        },
        get isMoving() {
          return isMoving;
        },
        settle,
        adapt() {
          let share = isMoving ? maxBytesPerMs : 0;
          if (isMoving) {
            for (const { bytesPerMs, flows } of links) share = Math.min(share, bytesPerMs / flows.size);
          }
          if (share === rate) return;
          settle();
          rate = share;
          cancel();
          cancel = rate > 0 ? time.after((target - arrived) / rate, arrive) : () => {};
        },
        moveTo(bytes) {
          if (bytes <= target || isClosed) return;
          settle();
          target = bytes;
          isDue = true;
          if (isMoving) {
            cancel();
            cancel = rate > 0 ? time.after((target - arrived) / rate, arrive) : () => {};
          } else change();
        },
        hold(held) {
          settle();
          isHeld = held;
          change();
          // It was held when the last byte had just come.
          if (!held && !isClosed && isDue && arrived >= target) arrive();
        },
        close() {
          settle();
          isClosed = true;
          change();
        },
      };
      return flow;
    },
  };
}
