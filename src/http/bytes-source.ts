import { registerPlainSource, type PlainSource } from './plain-source.ts';

/** Bytes that are in memory, as a source. Nothing is copied. */
export function createBytesSource(bytes: Uint8Array): PlainSource {
  let offset = 0;
  return registerPlainSource({
    sizeBytes: bytes.length,
    read(onRead) {
      const chunk = bytes.subarray(offset);
      offset = bytes.length;
      onRead({ chunk });
    },
    unread(unusedBytes) {
      offset -= unusedBytes;
    },
    close() {},
  });
}
