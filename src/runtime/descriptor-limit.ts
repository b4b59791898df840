import { readFileSync } from 'node:fs';

/** How many descriptors the process may have open: RLIMIT_NOFILE of proc_pid_limits(5). Infinity where nothing tells. */
export function readDescriptorLimit(path = '/proc/self/limits'): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(path, 'utf8'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
