import { lstat, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DEFAULT_FOLDER,
  foldersOf,
  impliedServerOf,
  readFolderCertificates,
  registryOfFolder,
  serverOf,
} from './host-folder.ts';
import {
  ForeignHostsTomlError,
  type HostsConfig,
  HostsConfigError,
  type PlannedHostsToml,
  hostsConfigFailure,
} from './hosts-config.ts';
import { type HostsToml, formatHostsToml, isSameHostsToml, readServer } from './hosts-toml.ts';
import { isSealed, seal } from './hosts-toml-seal.ts';
import { formatRegistryUrl } from './registry-url.ts';

/** How long containerd may try to connect to the mirror: it is on this machine, so it answers at once or is gone. */
const DIAL_TIMEOUT = '200ms';
/** Where the Go implementation keeps what it found; no registry's folder. */
const BACKUP_FOLDER = '_backup';
const FILE_MODE = 0o644;
/** With a password in it only containerd, which is root, may read it. */
const SECRET_FILE_MODE = 0o600;

/**
 * Works out every hosts.toml, and writes nothing. Throws ForeignHostsTomlError if one of them is somebody else's.
 * A file that is not ours but says exactly what ours would say is taken over.
 */
export async function planHosts(config: HostsConfig): Promise<readonly PlannedHostsToml[]> {
  const present = await readFolders(config.configPath);
  const folders = chooseFolders(config, present);
  return Promise.all(Array.from(folders.values(), async (folder) => planFolder(config, folder)));
}

/** A folder that gets a hosts.toml. */
interface HostFolder {
  readonly name: string;
  readonly registry: string;
  readonly server: string | undefined;
  /** True: the server is a guess from the folder's name. */
  readonly isGuess: boolean;
  /** True: it is there already. */
  readonly isPresent: boolean;
}

function chooseFolders(
  { allRegistries, registries }: HostsConfig,
  present: ReadonlySet<string>,
): ReadonlyMap<string, HostFolder> {
  const folders = new Map<string, HostFolder>();
  const add = (name: string, registry: string, server: string | undefined, isGuess: boolean) =>
    folders.set(name, { name, registry, server, isGuess, isPresent: present.has(name) });

  for (const url of registries) {
    const server = serverOf(url);
    for (const name of foldersOf(url.host)) {
      if (name !== url.host && !present.has(name)) continue;
      const other = folders.get(name)?.server ?? server;
      if (other !== server) {
        throw new HostsConfigError(`Cannot mirror ${url.host} both as ${other} and as ${server}`);
      }
      add(name, url.host, server, false);
    }
  }
  if (allRegistries) {
    add(DEFAULT_FOLDER, DEFAULT_FOLDER, undefined, false);
    for (const name of present) {
      const registry = registryOfFolder(name);
      if (registry !== undefined && !folders.has(name)) add(name, registry, impliedServerOf(registry), true);
    }
  }
  return folders;
}

async function planFolder(config: HostsConfig, folder: HostFolder): Promise<PlannedHostsToml> {
  const path = join(config.configPath, folder.name, 'hosts.toml');
  const before = await readHostsToml(path);
  const isOurs = before !== undefined && isSealed(before);
  const certificates = folder.isPresent
    ? await readFolderCertificates(join(config.configPath, folder.name))
    : { ca: [], client: [] };
  const content = formatHostsToml({
    // An earlier run may have been told the URL of a registry that this one only finds the folder of.
    server: folder.isGuess && isOurs ? readServer(before) : folder.server,
    ...certificates,
    hosts: hostsOf(config),
  });
  if (before !== undefined && !isOurs && !isSameHostsToml(before, content)) {
    throw new ForeignHostsTomlError(
      `Cannot replace ${path}: it was not written by spegel, or was edited since. Move it away, or mirror only other registries; nothing was changed`,
    );
  }
  const text = seal(content);
  const mode = config.authorization === undefined ? FILE_MODE : SECRET_FILE_MODE;
  return { path, registry: folder.registry, text, mode, changed: text !== before };
}

function hostsOf({ targets, resolveTags, authorization }: HostsConfig): HostsToml['hosts'] {
  return Array.from(new Set(targets.map((target) => formatRegistryUrl(target))), (url) => ({
    url,
    capabilities: resolveTags ? ['pull', 'resolve'] : ['pull'],
    dialTimeout: DIAL_TIMEOUT,
    authorization,
  }));
}

/** The folders of the configuration; links to folders count, as they do for containerd. */
async function readFolders(configPath: string): Promise<ReadonlySet<string>> {
  try {
    const names = await readdir(configPath);
    const checked = names.sort().map(async (name) => {
      const stats = await stat(join(configPath, name)).catch(() => undefined);
      return stats?.isDirectory() === true && name !== BACKUP_FOLDER ? [name] : [];
    });
    return new Set((await Promise.all(checked)).flat());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
    throw hostsConfigFailure(`Cannot read ${configPath}`, error);
  }
}

/** Undefined also for an empty file: containerd takes it for absent too. */
async function readHostsToml(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')) || undefined;
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT' && !(await isLink(path));
    if (isAbsent) return undefined;
    throw hostsConfigFailure(`Cannot read ${path}`, error);
  }
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
