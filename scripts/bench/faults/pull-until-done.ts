import type { LabNode } from '../../lab/lab-node.ts';

/** What came of a pull that was begun until it succeeded. */
export interface TriedPull {
  /** From the first try's start to the last one's end, in ms. */
  readonly ms: number;
  /** Why the tries before the last one failed. */
  readonly failures: readonly string[];
}

/** From a try that failed to the next one, in ms. kubelet begins with 10 s; a person does not wait that long. */
const RETRY_MS = 1000;
const GIVE_UP_MS = 120_000;
const REASON_CHARACTERS = 300;

/** Pulls by CRI, and again a second after each try that fails. Throws what the last one said after two minutes. */
export async function pullUntilDone(
  node: LabNode,
  reference: string,
  failed: (count: number) => void = () => {},
): Promise<TriedPull> {
  const startedMs = performance.now();
  const failures: string[] = [];
  for (;;) {
    try {
      await node.pull(reference);
      return { ms: performance.now() - startedMs, failures };
    } catch (error) {
      failures.push(String(error).slice(0, REASON_CHARACTERS));
      if (performance.now() - startedMs > GIVE_UP_MS) throw error;
      failed(failures.length);
      await Bun.sleep(RETRY_MS);
    }
  }
}
