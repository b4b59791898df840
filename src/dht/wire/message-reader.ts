import { copyBytes } from '../../runtime/copy-bytes.ts';
import { MessageError, readVarint } from './protocol-buffers.ts';

/** Takes bytes as they come and gives messages that have their length in front, one at a time. */
export interface MessageReader {
  /** Bytes that wait for next(). */
  readonly heldBytes: number;
  /** Takes the next bytes. */
  add(bytes: Uint8Array): void;
  /** A copy of the next message that is complete; undefined if there is none. Throws MessageError when it is too long. */
  next(): Uint8Array | undefined;
}

/**
 * Makes a reader for messages of at most `maxBytes`. A flood of messages costs no more than its bytes: as objects, all
 * at once, short messages would take six times as much.
 */
export function createMessageReader(maxBytes: number): MessageReader {
  let buffer: Uint8Array = new Uint8Array(0);
  /** The bytes that are held: from here to there. */
  let [start, end] = [0, 0];
  /** The buffer came from outside, and may be a part of a larger one. */
  let isForeign = false;

  const keepRest = () => {
    if (!isForeign) return;
    buffer = copyBytes(buffer, start, end);
    [start, end, isForeign] = [0, buffer.length, false];
  };
  return {
    get heldBytes() {
      return end - start;
    },
    add(bytes) {
      if (start === end) {
        [buffer, start, end, isForeign] = [bytes, 0, bytes.length, true];
        return;
      }
      const held = end - start;
      if (isForeign || end + bytes.length > buffer.length) {
        const needed = held + bytes.length;
        // Doubled, so that a message that comes byte by byte is not copied once per byte.
        const isSpacious = !isForeign && needed <= buffer.length;
        const target = isSpacious ? buffer : new Uint8Array(Math.max(needed, 2 * held));
        if (isSpacious) target.copyWithin(0, start, end);
        else target.set(buffer.subarray(start, end));
        [buffer, start, end, isForeign] = [target, 0, held, false];
      }
      buffer.set(bytes, end);
      end += bytes.length;
    },
    next() {
      if (start === end) return undefined;
      const held = buffer.subarray(start, end);
      const length = readVarint(held, 0);
      if (length !== undefined && length.value > maxBytes) {
        throw new MessageError(`Cannot take a message of ${length.value} bytes, the limit is ${maxBytes}`);
      }
      if (length === undefined || length.end + length.value > held.length) {
        keepRest();
        return undefined;
      }
      const messageEnd = length.end + length.value;
      const message = copyBytes(held, length.end, messageEnd);
      start += messageEnd;
      if (start === end) [buffer, start, end, isForeign] = [new Uint8Array(0), 0, 0, false];
      return message;
    },
  };
}
