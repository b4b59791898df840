const KIB = 1024;
/** Most bytes that joinBytes() joins: above that a second write costs less than a copy. */
export const JOINED_BYTES = 80 * KIB;

/** Made when it is first needed. Not a Buffer: the slice() of a Buffer is not a copy, and what is sent later has to be one. */
let memory: Uint8Array<ArrayBuffer> | undefined;
/** The same memory, to write text into. */
let text: Buffer | undefined;

/**
 * A head, as bytes or as Latin-1 text, and what follows it, to be handed over in a single write. There is one memory for all
 * connections, so the bytes change with the next call: whoever does not take all of them at once keeps a copy.
 */
export function joinBytes(head: Uint8Array | string, body: Uint8Array): Uint8Array {
  memory ??= new Uint8Array(JOINED_BYTES);
  if (typeof head === 'string') {
    text ??= Buffer.from(memory.buffer);
    text.write(head, 'latin1');
  } else memory.set(head);
  memory.set(body, head.length);
  return memory.subarray(0, head.length + body.length);
}
