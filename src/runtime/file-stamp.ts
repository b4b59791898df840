/** What of a file's state changes whenever its bytes may have: ctime is set by the kernel, and nothing can put it back. */
export interface StampedStats {
  readonly ino: number;
  /** In bytes. */
  readonly size: number;
  readonly ctimeMs: number;
}

/** A regular file as it was seen. */
export interface FileState {
  readonly sizeBytes: number;
  /** See fileStamp(). */
  readonly stamp: number;
}

const TWO_32 = 2 ** 32;
/** So that the whole of the stamp is a safe integer. */
const UPPER_BITS = 0x1f_ffff;

/**
 * A number for the state of a file: another number after the file was written, replaced, or had its times set. Like a checksum
 * of them, so that a number is all that has to be remembered.
 */
export function fileStamp({ ino, size, ctimeMs }: StampedStats): number {
  let [low, high] = [0x9e37_79b9, 0x85eb_ca6b];
  // Microseconds: what a double still has of a ctime in ms.
  for (const part of [ino, size, Math.round(ctimeMs * 1000)]) {
    low = mix(low, part % TWO_32);
    high = mix(high ^ low, Math.floor(part / TWO_32) + 0x27d4_eb2f);
    low = mix(low, high);
  }
  return (high & UPPER_BITS) * TWO_32 + (low >>> 0);
}

/** The state of a regular file, as its stats tell it; undefined for anything else. */
export function fileState(stats: (StampedStats & { isFile(): boolean }) | undefined): FileState | undefined {
  return stats?.isFile() === true ? { sizeBytes: stats.size, stamp: fileStamp(stats) } : undefined;
}

/** Two rounds of multiply and shift, as hash functions for integers have them. */
function mix(state: number, part: number): number {
  let mixed = Math.imul(state ^ part, 0x7feb_352d);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x846c_a68b);
  return mixed ^ (mixed >>> 16);
}
