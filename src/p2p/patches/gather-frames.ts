import { atTurnEnd } from '../../runtime/turn-end.ts';

/** Bytes of frames that are gathered at most: what makes one message of Noise, and does not wait for more. */
const MAX_GATHERED_BYTES = 16 * 1024;
/** How long a frame waits while this process is busy with others, in ms. */
const MAX_WAIT_MS = 2;
/** Where a frame's type stands, and that of the last frame of a connection (yamux specification). */
const [TYPE_AT, GO_AWAY] = [1, 3];

/** A frame: its head alone, or in parts with its data. */
export type FrameBytes = Uint8Array | { subarray(): Uint8Array };

/**
 * Sends frames of one turn of the event loop together: each call of `send` is encrypted, written and wakes the peer by
 * itself, which costs more than all that a question of a hundred bytes needs else. When a hundred requests come at once
 * there are dozens of questions for each peer. The frames stay in order. Returns false, as `send` does, when the
 * connection takes no more; a connection that is full by what was gathered says so to its streams when that is sent.
 */
export function gatherFrames(
  send: (bytes: Uint8Array) => boolean,
  { nowMs = () => performance.now() }: { readonly nowMs?: () => number } = {},
): (frame: FrameBytes) => boolean {
  let gathered: Uint8Array[] = [];
  let sizeBytes = 0;
  let sinceMs = 0;
  const flush = (): boolean => {
    if (gathered.length === 0) return true;
    const [first] = gathered;
    const bytes = gathered.length === 1 && first !== undefined ? first : Buffer.concat(gathered, sizeBytes);
    gathered = [];
    sizeBytes = 0;
    return send(bytes);
  };
  const flushLater = () => {
    try {
      flush();
    } catch {
      // The connection has ended meanwhile: its streams were told.
    }
  };
  return (frame) => {
    const bytes = frame instanceof Uint8Array ? frame : frame.subarray();
    if (gathered.length === 0) {
      sinceMs = nowMs();
      atTurnEnd(flushLater);
    }
    gathered.push(bytes);
    sizeBytes += bytes.length;
    const isUrgent = bytes[TYPE_AT] === GO_AWAY || sizeBytes >= MAX_GATHERED_BYTES;
    return isUrgent || nowMs() - sinceMs > MAX_WAIT_MS ? flush() : true;
  };
}
