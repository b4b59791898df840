import { closeSync, openSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Cleanup } from './cleanup.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { type ProcessUsage, readProcessUsage } from './process-usage.ts';
import { waitFor, type WaitOptions } from './wait-for.ts';

/** A process of the lab that runs until it is told to stop. */
export interface Daemon {
  readonly name: string;
  readonly pid: number;
  /** Standard output and error, appended over restarts. */
  readonly logPath: string;
  /** False once it has ended, for whatever reason. */
  readonly running: boolean;
  /** Resolves to the exit code; 128 + n for signal n. */
  readonly exited: Promise<number>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after the grace period (default 10,000 ms). Returns the exit code. */
  stop(graceMs?: number): Promise<number>;
  /** SIGKILL, returns when it is gone. */
  kill(): Promise<void>;
  usage(): Promise<ProcessUsage>;
  log(): Promise<string>;
}

/** Options of startDaemon. */
export interface DaemonOptions {
  readonly name: string;
  readonly argv: readonly string[];
  readonly logPath: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Where a daemon lives and what ends it. */
export interface DaemonDeps {
  readonly cleanup: Cleanup;
  readonly namespace: Pick<NetworkNamespace, 'enter'>;
}

/** Starts a process inside a namespace. It dies with this process, even when that is killed. */
export function startDaemon({ cleanup, namespace }: DaemonDeps, options: DaemonOptions): Daemon {
  const { name, argv, logPath, env = {}, cwd = '/' } = options;
  const log = openSync(logPath, 'a');
  const child = Bun.spawn([...namespace.enter, 'setpriv', '--pdeathsig', 'KILL', ...argv], {
    stdin: 'ignore',
    stdout: log,
    stderr: log,
    cwd,
    env: { PATH: process.env['PATH'], HOME: '/root', ...env },
    // Its own session: Ctrl-C in the terminal reaches the lab only, and the lab decides the order.
    detached: true,
  });
  closeSync(log);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  cleanup.defer(`${name} (pid ${child.pid})`, () => {
    if (isRunning()) killNow(child.pid);
  });
  return {
    name,
    pid: child.pid,
    logPath,
    get running() {
      return isRunning();
    },
    exited: child.exited,
    signal: (signal) => {
      if (isRunning()) child.kill(signal);
    },
    stop: async (graceMs = 10_000) => {
      if (!isRunning()) return child.exited;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      const exitCode = await child.exited;
      clearTimeout(timer);
      return exitCode;
    },
    kill: async () => {
      if (isRunning()) child.kill('SIGKILL');
      await child.exited;
    },
    usage: async () => readProcessUsage(child.pid),
    log: async () => readFile(logPath, 'utf8'),
  };
}

/** Waits until the probe says yes. Throws with the end of the log when the daemon ends before that. */
export async function waitUntilReady(
  daemon: Daemon,
  probe: () => boolean | Promise<boolean>,
  options?: WaitOptions,
): Promise<void> {
  const ready = await waitFor(
    `${daemon.name} to be ready (log: ${daemon.logPath})`,
    async () => {
      if (!daemon.running) return 'ended';
      return (await probe()) ? 'ready' : undefined;
    },
    options,
  );
  if (ready === 'ended') {
    const log = await daemon.log();
    throw new Error(
      `${daemon.name} ended with ${await daemon.exited}; its log ends with:\n${log.slice(-LOG_TAIL)}`,
    );
  }
}

/** How much of a log an error quotes, in characters. */
const LOG_TAIL = 3_000;

/** How long a killed process may take to go, in ms: it may sit in a system call on a slow disk. */
const KILL_WAIT_MS = 5_000;

/** Kills a child of this process and waits for it without an event loop. */
function killNow(pid: number): void {
  process.kill(pid, 'SIGKILL');
  const deadline = performance.now() + KILL_WAIT_MS;
  while (!isGone(pid) && performance.now() < deadline) Bun.sleepSync(2);
}

function isGone(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return true;
  }
}
