const MIB = 1024 * 1024;
/**
 * Shrinking is for a process that is large; one that has met forty others has less. Code that is in use is compiled again
 * afterwards, some 0.1 s of CPU time.
 */
const LARGE_BYTES = 40 * MIB;
/**
 * Nor is it for a process that has little more than what it was left with the last time. Less than this comes and goes as
 * garbage while others ask this node now and then, who would wait for it.
 */
const LARGE_STEP_BYTES = 8 * MIB;
/**
 * Garbage that is worth a collection of its own. Left alone the engine waits until there is about as much of it as there is
 * else, half an hour in a process with little to do; and what it then frees is in pages that hold something else, too.
 */
const GARBAGE_BYTES = 2 * MIB;

/** What createHeapTrim needs. */
export interface HeapTrimDeps {
  /** Gives back what is not needed, compiled code and empty pages among it. */
  readonly shrink: () => void;
  /** Gives back garbage. */
  readonly collect: () => void;
}

/** Gives back what a process that has grown has too much, and says what it has done. */
export type HeapTrim = (anonymousBytes: number) => 'shrunk' | 'collected' | 'left';

/** Makes the policy for a process that has just started. It is called with the process's own memory, in bytes. */
export function createHeapTrim({ shrink, collect }: HeapTrimDeps): HeapTrim {
  /** The least it had since garbage was last given back. */
  let leastBytes = Infinity;
  /** The same since it was last given back when the process was large; nothing before that. */
  let shrunkBytes = 0;
  return (anonymousBytes) => {
    leastBytes = Math.min(leastBytes, anonymousBytes);
    shrunkBytes = Math.min(shrunkBytes, anonymousBytes);
    if (anonymousBytes >= Math.max(LARGE_BYTES, shrunkBytes + LARGE_STEP_BYTES)) {
      shrink();
      [leastBytes, shrunkBytes] = [Infinity, Infinity];
      return 'shrunk';
    }
    if (anonymousBytes < leastBytes + GARBAGE_BYTES) return 'left';
    collect();
    leastBytes = Infinity;
    return 'collected';
  };
}
