/** A copy of a part of the bytes, in memory of its own. Not slice(): that of a Buffer, which is a Uint8Array, too, copies nothing. */
export function copyBytes(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(start, end));
}
