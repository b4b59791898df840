import { dlopen, FFIType } from 'bun:ffi';
import { readFileSync, readlinkSync } from 'node:fs';

/** A part of the process's memory. */
export interface MemoryRange {
  readonly start: bigint;
  readonly bytes: bigint;
}

/** MADV_DONTNEED of madvise(2). */
const DONT_NEED = 4;

/**
 * Takes machine code out of this process's memory: a program of 80 MiB, most of which is needed once, when it starts.
 * The kernel has it in its page cache all the same, and maps again what is used. That lowers RSS, and lets the kernel drop
 * what is not used when memory is short. Does nothing where it is not possible.
 */
export function unloadCode(): void {
  try {
    const [smaps, program] = [readFileSync('/proc/self/smaps', 'utf8'), readlinkSync('/proc/self/exe')];
    const library = dlopen('libc.so.6', {
      madvise: { args: [FFIType.u64, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
    });
    for (const { start, bytes } of codeRanges(smaps, program)) {
      library.symbols.madvise(start, bytes, DONT_NEED);
    }
    library.close();
  } catch {
    // Another system, or another C library.
  }
}

/**
 * Where the code of the program is, from the text of /proc/[pid]/smaps (proc_pid_smaps(5)). Without parts that are not as
 * in the file, in memory or in swap: a debugger's breakpoints, say.
 */
export function codeRanges(smaps: string, program: string): MemoryRange[] {
  return smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).flatMap((part) => {
    const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \S+ +(\/.*)\n/.exec(part) ?? [];
    if (start === undefined || end === undefined || path !== program) return [];
    if (!/^Anonymous: +0 kB$/m.test(part) || !/^Swap: +0 kB$/m.test(part)) return [];
    const from = BigInt(`0x${start}`);
    return [{ start: from, bytes: BigInt(`0x${end}`) - from }];
  });
}
