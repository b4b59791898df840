import { readdirSync, readFileSync } from 'node:fs';
import { waitFor } from './wait-for.ts';

/** Waits until SIGSTOP, which the process was sent, has reached all of its threads: until then they still answer. */
export async function untilStopped(pid: number): Promise<void> {
  const folder = `/proc/${pid}/task`;
  await waitFor(`process ${pid} to stop`, () => {
    const states = readdirSync(folder).map((thread) => readState(`${folder}/${thread}/stat`));
    return states.length > 0 && states.every((state) => state === 'T');
  });
}

/** The letter after the name, which is in parentheses and may contain any character. */
function readState(path: string): string | undefined {
  const stat = readFileSync(path, 'utf8');
  return stat[stat.lastIndexOf(')') + 2];
}
