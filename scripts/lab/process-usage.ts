import { readFile } from 'node:fs/promises';

/** What a process uses. Sizes in bytes. */
export interface ProcessUsage {
  /** Resident, with the mapped binary, which the processes of one machine share. */
  readonly rssBytes: number;
  /** Resident and its own: what the process really costs. */
  readonly anonymousBytes: number;
  /** Largest rssBytes so far. */
  readonly peakRssBytes: number;
  /** User and system time of all its threads. */
  readonly cpuSeconds: number;
}

/** USER_HZ: the unit of /proc/PID/stat, 100 on every Linux that runs containerd. */
const TICKS_PER_SECOND = 100;

/** Reads the usage of a running process (proc_pid_smaps_rollup(5), proc_pid_stat(5)). */
export async function readProcessUsage(pid: number): Promise<ProcessUsage> {
  const [rollup, status, stat] = await Promise.all([
    readFile(`/proc/${pid}/smaps_rollup`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8'),
  ]);
  return {
    rssBytes: kibibytes(rollup, 'Rss'),
    anonymousBytes: kibibytes(rollup, 'Anonymous'),
    peakRssBytes: kibibytes(status, 'VmHWM'),
    cpuSeconds: cpuSeconds(stat),
  };
}

/** User and system time of all threads of a running process: cheap, unlike the rest. In steps of 10 ms. */
export async function readCpuSeconds(pid: number): Promise<number> {
  return cpuSeconds(await readFile(`/proc/${pid}/stat`, 'utf8'));
}

/** A cheap sample for a polling loop: the kernel keeps this counter, nothing is walked. In bytes. */
export async function readAnonymousBytes(pid: number): Promise<number> {
  return kibibytes(await readFile(`/proc/${pid}/status`, 'utf8'), 'RssAnon');
}

function kibibytes(text: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text);
  if (match === null) throw new Error(`Cannot find "${field}" in /proc`);
  return Number(match[1]) * 1024;
}

function cpuSeconds(stat: string): number {
  // The second field is the name in brackets and may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
