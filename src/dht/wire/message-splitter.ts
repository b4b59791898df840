import { copyBytes } from '../../runtime/copy-bytes.ts';
import { MessageError, readVarint } from './protocol-buffers.ts';

/** Cuts a stream of messages that have their length in front into messages. */
export interface MessageSplitter {
  /**
   * Takes the next bytes. Returns copies of the messages that are complete now; throws MessageError for a message too
   * long.
   */
  push(bytes: Uint8Array): readonly Uint8Array[];
}

/** Makes a splitter for messages of at most `maxBytes`. It holds the part of one message, in twice its size at most. */
export function createMessageSplitter(maxBytes: number): MessageSplitter {
  let buffer = new Uint8Array(0);
  let heldBytes = 0;
  /** What must be held before a message can be complete: not looked at again until then. */
  let neededBytes = 1;

  const hold = (bytes: Uint8Array) => {
    if (heldBytes + bytes.length > buffer.length) {
      // Doubled, so that a message that comes byte by byte is not copied once per byte.
      const larger = new Uint8Array(Math.max(heldBytes + bytes.length, 2 * buffer.length));
      larger.set(buffer.subarray(0, heldBytes));
      buffer = larger;
    }
    buffer.set(bytes, heldBytes);
    heldBytes += bytes.length;
  };
  return {
    push(bytes) {
      if (heldBytes > 0) hold(bytes);
      const held = heldBytes > 0 ? buffer.subarray(0, heldBytes) : bytes;
      if (held.length < neededBytes) return [];
      const messages: Uint8Array[] = [];
      let at = 0;
      neededBytes = 1;
      while (at < held.length) {
        const length = readVarint(held, at);
        if (length !== undefined && length.value > maxBytes) {
          throw new MessageError(`Cannot take a message of ${length.value} bytes, the limit is ${maxBytes}`);
        }
        const end = length === undefined ? held.length + 1 : length.end + length.value;
        if (end > held.length) {
          neededBytes = end - at;
          break;
        }
        messages.push(copyBytes(held, length?.end, end));
        at = end;
      }
      if (at === 0 && heldBytes > 0) return messages;
      const rest = held.subarray(at);
      buffer = new Uint8Array(0);
      heldBytes = 0;
      if (rest.length > 0) hold(rest);
      return messages;
    },
  };
}
