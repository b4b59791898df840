import { existsSync, mkdirSync, readFileSync, symlinkSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runCommand, tryCommand } from '../lab/run-command.ts';

/** A package of Debian that scripts/setup installs, and the commands it is installed for. */
interface NamedPackage {
  readonly package: string;
  readonly commands: readonly string[];
}

/** Options of createToolPath. */
export interface ToolPathOptions {
  /** Folder for the links, which must not exist. */
  readonly folder: string;
  /** The text of scripts/packages. */
  readonly packages: string;
  /**
   * Commands that are linked if they are on the PATH and work with the new one, and left out otherwise: each with arguments with
   * which it ends with 0. A script around a program elsewhere does not, nor does another program of that name.
   */
  readonly optional: readonly (readonly [name: string, ...args: string[]])[];
}

/** The lines of scripts/packages: a package, then its commands. Lines that start with # are comments. */
export function parsePackages(text: string): readonly NamedPackage[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [name = '', ...commands] = line.split(/\s+/);
      return { package: name, commands };
    });
}

/**
 * Fills a folder with links to the commands of Debian's essential packages, of the packages that scripts/setup installs,
 * and to this Bun, and returns it: a PATH for tests, so that a command which setup does not install is missing on every
 * machine, not only on a bare machine. Throws if a command of scripts/packages is missing.
 */
export async function createToolPath({ folder, packages, optional }: ToolPathOptions): Promise<string> {
  const named = parsePackages(packages);
  const files = await listFiles([
    ...(await essentialPackages()),
    ...(await installed(named.map((each) => each.package))),
  ]);
  const targets = new Map<string, string>();
  for (const file of files) if (isCommand(file)) targets.set(basename(file), file);
  for (const [name, target] of alternatives(files)) targets.set(name, target);
  // A command from elsewhere than Debian's package is as good, and may be the only copy that there is.
  for (const name of named.flatMap(({ commands }) => commands)) {
    const path = find(name);
    if (path === null) throw new Error(`${name} is not on the PATH: run scripts/setup`);
    targets.set(name, path);
  }
  targets.set('bun', process.execPath);
  mkdirSync(folder);
  for (const [name, target] of targets) symlinkSync(target, join(folder, name));
  for (const [name, ...args] of optional) {
    const path = find(name);
    if (path === null || targets.has(name)) continue;
    const link = join(folder, name);
    symlinkSync(path, link);
    const works = await tryCommand([link, ...args], { env: { PATH: folder } }).then(
      ({ exitCode }) => exitCode === 0,
      () => false,
    );
    if (!works) unlinkSync(link);
  }
  return folder;
}

/** Also where Debian puts commands for root, which are not on the PATH of other users. */
function find(name: string): string | null {
  return Bun.which(name, { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` });
}

/** What Debian has on every machine, the smallest too. */
async function essentialPackages(): Promise<readonly string[]> {
  // Its name with its architecture, if there may be several: dpkg-query does not choose between them.
  const format = '${binary:Package} ${db:Status-Status} ${Essential} ${Priority}\n';
  const list = await runCommand(['dpkg-query', '-W', '-f', format]);
  return list
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, status]) => status === 'installed')
    .filter(([, , essential, priority]) => essential === 'yes' || priority === 'required')
    .map(([name = '']) => name);
}

async function installed(names: readonly string[]): Promise<readonly string[]> {
  const list = await runCommand(['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n']);
  const there = new Set(list.split('\n').filter((line) => line.endsWith(' installed')));
  return names.filter((name) => there.has(`${name} installed`));
}

async function listFiles(packages: readonly string[]): Promise<readonly string[]> {
  const list = await runCommand(['dpkg-query', '-L', ...packages]);
  return list.split('\n').filter((line) => line !== '');
}

function isCommand(file: string): boolean {
  return /^(\/usr)?(\/local)?\/s?bin\/[^/]+$/.test(file) && existsSync(file);
}

/** Commands such as awk, which are links to a program of one of several packages: name and program. */
function alternatives(files: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const folder = '/var/lib/dpkg/alternatives';
  const known = new Set(files);
  for (const name of new Bun.Glob('*').scanSync({ cwd: folder })) {
    const [, link = '', ...rest] = readFileSync(join(folder, name), 'utf8').split('\n');
    const program = rest.find((line) => known.has(line));
    if (program !== undefined && isCommand(link)) found.set(basename(link), program);
  }
  return found;
}
