import { readFile } from 'node:fs/promises';

/** The machine's CPU time since its start, in ticks (proc_stat(5)). */
export interface MachineTime {
  readonly busy: number;
  readonly all: number;
}

/** Reads the machine's CPU time. */
export async function readMachine(): Promise<MachineTime> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const busy = user + nice + system + irq + soft + steal;
  return { busy, all: busy + idle + wait };
}
