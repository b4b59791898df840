import { registerBufferedSource, type BufferedSource } from './buffered-source.ts';

/** Bytes that are in memory, as a source. Nothing is copied. */
export function createBytesSource(bytes: Uint8Array): BufferedSource {
  let offset = 0;
  return registerBufferedSource({
    sizeBytes: bytes.length,
    isInMemory: true,
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
