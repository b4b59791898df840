const MIB = 1024 * 1024;
/**
 * Code of the program that is worth being unloaded: of 28 MiB that meeting others needs, a process with little to do uses 4
 * in half a minute. What it uses is mapped again within a millisecond or two.
 */
const CODE_BYTES = 8 * MIB;

/** What createCodeTrim needs. */
export interface CodeTrimDeps {
  /** Gives back what is mapped of files. */
  readonly unload: () => void;
  /** What is mapped of files now, in bytes; undefined if nothing tells. */
  readonly readFileBytes: () => Promise<number | undefined>;
}

/** Unloads code of the program when there is much of it. True if it has. */
export type CodeTrim = (fileBytes: number) => Promise<boolean>;

/** Makes the policy for a process that has just started. It is called with what is mapped of files, in bytes. */
export function createCodeTrim({ unload, readFileBytes }: CodeTrimDeps): CodeTrim {
  /** What was mapped when code had just been unloaded. That is done first when starting is over. */
  let unloadedBytes = 0;
  return async (fileBytes) => {
    unloadedBytes = Math.min(unloadedBytes, fileBytes);
    if (fileBytes < unloadedBytes + CODE_BYTES) return false;
    unload();
    unloadedBytes = (await readFileBytes()) ?? fileBytes;
    return true;
  };
}
