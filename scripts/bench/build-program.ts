import { basename, join } from 'node:path';
import { runCommand } from '../lab/run-command.ts';

/** The flags of scripts/build. Without --minify the functions of a profile keep their names. */
const FLAGS = [
  '--compile',
  '--bytecode',
  '--format=esm',
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
];
/** Compiling takes seconds, on a busy machine a minute, in ms. */
const TIMEOUT_MS = 300_000;

/** Compiles a program of a bench as the binary is compiled; returns its path in the folder. */
export async function buildProgram(
  source: string,
  { folder, isMinified = true }: { readonly folder: string; readonly isMinified?: boolean },
): Promise<string> {
  const output = join(folder, basename(source, '.ts'));
  const flags = isMinified ? [...FLAGS, '--minify'] : FLAGS;
  await runCommand([process.execPath, 'build', source, ...flags, '--outfile', output], {
    cwd: folder,
    timeoutMs: TIMEOUT_MS,
  });
  return output;
}
