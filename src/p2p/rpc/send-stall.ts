import type { Stream } from '@libp2p/interface';

import type { Clock } from '../../runtime/clock.ts';

/** Watches a stream whose peer does not take what it is sent. */
export interface SendStall {
  /** Since when the peer takes nothing, in ms of the clock; undefined while it takes what it is sent. */
  readonly sinceMs: number | undefined;
  /** What was sent last is more than the peer takes at once. */
  begin(): void;
}

/** Starts without a stall; `onOver` is called each time that a stall is over. */
export function createSendStall(
  stream: Pick<Stream, 'writeBufferLength' | 'writableNeedsDrain' | 'addEventListener'>,
  clock: Pick<Clock, 'nowMs'>,
  onOver: () => void,
): SendStall {
  let sinceMs: number | undefined;
  /** What waited to be sent when that was last looked at. */
  let unsentBytes = 0;

  const begin = () => {
    // Each stream is told when its connection has drained; that is not a sign that the peer takes anything of this
    // stream.
    const isProgress = sinceMs === undefined || stream.writeBufferLength < unsentBytes;
    if (isProgress) sinceMs = clock.nowMs();
    unsentBytes = stream.writeBufferLength;
    // Not onDrain(): its promise stays resolved from the first time on.
    stream.addEventListener('drain', onDrain, { once: true });
  };
  // What waits is sent first.
  const onDrain = () => queueMicrotask(() => queueMicrotask(look));
  const look = () => {
    if (sinceMs === undefined) return;
    if (stream.writableNeedsDrain) {
      begin();
      return;
    }
    sinceMs = undefined;
    onOver();
  };
  return {
    get sinceMs() {
      return sinceMs;
    },
    begin,
  };
}
