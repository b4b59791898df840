import { writeFile } from 'node:fs/promises';
import { type HostFiles, systemHostFiles } from './host-files.ts';

/** The file operations, which stop as if the process had been killed before the one of that number. */
export function killedAt(number: number): { files: HostFiles; done: () => number } {
  let count = 0;
  const methods = Object.entries(systemHostFiles).map(([name, method]) => [
    name,
    async (...parameters: unknown[]) => {
      count += 1;
      if (count > number) throw new Error('killed');
      // The one at which it is killed has begun, and is not complete.
      if (count === number && name === 'writeNewFile') {
        await writeFile(parameters[0] as string, (parameters[1] as Uint8Array).subarray(0, 3));
        throw new Error('killed');
      }
      await (method as (...all: unknown[]) => Promise<void>)(...parameters);
    },
  ]);
  return { files: Object.fromEntries(methods) as HostFiles, done: () => count };
}

/** Runs with a kill at every operation in turn, until one run has none left; returns how many there are. */
export async function killEverywhere(
  start: () => Promise<void>,
  run: (files: HostFiles) => Promise<unknown>,
  check: () => Promise<void>,
): Promise<number> {
  for (let number = 1; ; number += 1) {
    await start();
    const { files, done } = killedAt(number);
    const killed = await run(files).then(
      () => false,
      () => true,
    );
    if (!killed && done() < number) return number;
    await check();
  }
}
