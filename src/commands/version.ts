import { readFile } from 'node:fs/promises';
import { build } from '../runtime/build.ts';

/** Options of runVersion. */
export interface VersionOptions {
  readonly format: 'text' | 'json';
}

/** Prints one line of text, or JSON with what was built and what it runs on. */
export async function runVersion(
  { format }: VersionOptions,
  { writeOut }: { readonly writeOut: (text: string) => void },
): Promise<void> {
  if (format === 'text') {
    writeOut(`spegel version ${build.version} ${build.commit}\n`);
    return;
  }
  const runtime = { distro: await readDistro(), os: process.platform, arch: process.arch };
  // `build` and `runtime` are where Spegel has them, the other two where one looks first.
  writeOut(`${JSON.stringify({ ...build, build: { bunVersion: Bun.version, ...build }, runtime })}\n`);
}

/** PRETTY_NAME of os-release(5), or `unknown`. */
async function readDistro(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? 'unknown';
}
