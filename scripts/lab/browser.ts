import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import type { Cleanup } from './cleanup.ts';

/** Starting takes a second; a machine with other work takes longer. */
const START_TIMEOUT_MS = 60_000;

/** Options of startBrowser. */
export interface BrowserOptions {
  /** Prefix of a command with which it runs elsewhere, such as in a network namespace. Default none. */
  readonly enter?: readonly string[];
}

/** Starts Debian's Chromium without a window. It is gone with the cleanup, and when this process ends. */
export async function startBrowser(
  { cleanup }: { readonly cleanup: Cleanup },
  { enter = [] }: BrowserOptions = {},
): Promise<Browser> {
  const path = Bun.which('chromium');
  if (path === null) throw new Error('chromium is not on the PATH: run scripts/setup');
  const folder = mkdtempSync(join(tmpdir(), 'spegel-browser-'));
  cleanup.defer(folder, () => rmSync(folder, { recursive: true, force: true }));
  const home = join(folder, 'home');
  mkdirSync(home);
  const executablePath = join(folder, 'chromium');
  const pidFile = join(folder, 'pid');
  const argv = [...enter, 'setpriv', '--pdeathsig', 'KILL', path];
  writeFileSync(
    executablePath,
    `#!/bin/sh\necho $$ >'${pidFile}'\nexec ${argv.map((word) => `'${word}'`).join(' ')} "$@"\n`,
  );
  chmodSync(executablePath, 0o755);
  const browser = await chromium.launch({
    executablePath,
    timeout: START_TIMEOUT_MS,
    env: { ...process.env, HOME: home },
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    // What a container has of /dev/shm may be too small.
    args: ['--disable-dev-shm-usage'],
  });
  cleanup.defer('browser', () => {
    // It leads a process group of its own, and has ended if it was closed.
    try {
      process.kill(-Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
    } catch {
      // It is gone.
    }
  });
  return browser;
}
