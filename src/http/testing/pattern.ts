const WORD_BYTES = 4;
/** An odd constant: consecutive positions give words that differ in all bytes. */
const MULTIPLIER = 2_654_435_761;

/** Bytes in which every position can be told from its neighbours, so that a wrong offset shows. */
export function pattern(sizeBytes: number): Buffer {
  const words = Math.ceil(sizeBytes / WORD_BYTES);
  const bytes = Buffer.alloc(words * WORD_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let i = 0; i < words; i++) view.setUint32(i * WORD_BYTES, Math.imul(i, MULTIPLIER));
  return bytes.subarray(0, sizeBytes);
}
