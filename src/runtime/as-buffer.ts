/** The same bytes as a Buffer, not a copy of them. To ask a Buffer for its memory, to make another one, costs some microseconds. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
