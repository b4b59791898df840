import { join } from 'node:path';

/** The folder that this file is in. */
const FOLDER = import.meta.dir;

/**
 * Bundles a file of this folder for browsers and returns it as text. A macro: it runs when this program is built or, without a
 * build, when a file that calls it is loaded. Throws what the bundler says.
 */
export function bundlePage(file: string): string {
  // In a process of its own: inside of a bundler there can be no second one.
  const argv = [
    process.execPath,
    'build',
    join(FOLDER, file),
    '--target=browser',
    '--format=esm',
    '--minify',
  ];
  const { exitCode, stdout, stderr } = Bun.spawnSync(argv, {
    env: { ...process.env, NODE_ENV: 'production' },
  });
  if (exitCode !== 0) throw new Error(`Cannot bundle ${file}: ${stderr.toString()}`);
  return stdout.toString().trim();
}
