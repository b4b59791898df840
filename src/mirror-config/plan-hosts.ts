import { join } from 'node:path';
import { findHostsProblem } from './find-hosts-problem.ts';
import {
  DEFAULT_FOLDER,
  type FolderCertificates,
  foldersOf,
  impliedServerOf,
  readFolderCertificates,
  registryOfFolder,
  serverOf,
  usableCertificates,
} from './host-folder.ts';
import {
  type HostsConfig,
  HostsConfigError,
  type PlannedHostsToml,
  hostsConfigFailure,
} from './hosts-config.ts';
import { mergeHosts } from './hosts-merge.ts';
import { formatHostsProblem } from './hosts-problem.ts';
import { isTable, settingOf } from './hosts-settings.ts';
import {
  type ExistingHostsToml,
  type HostsFolderState,
  type HostsState,
  isTakenAway,
  linkedFolder,
  readExisting,
} from './hosts-state.ts';
import {
  type HostsToml,
  type HostsTomlHost,
  type ParsedHostsToml,
  formatHostsToml,
  parseHostsToml,
} from './hosts-toml.ts';
import { seal } from './hosts-toml-seal.ts';
import { formatRegistryUrl } from './registry-url.ts';

/** How long containerd may try to connect to the mirror: it is on this machine, so it answers at once or is gone. */
const DIAL_TIMEOUT = '200ms';
const FILE_MODE = 0o644;
/** With a password in it only containerd, which is root, may read it. */
const SECRET_FILE_MODE = 0o600;
/** Which containerd will read a file is not known here. What the newest one takes is kept, in tables as 1.x asked it. */
const NEWEST = { major: 2, minor: 3 };
const NO_CERTIFICATES: FolderCertificates = { ca: [], client: [] };

/**
 * Works out every hosts.toml, and writes nothing. It follows from the configuration and from what would be there
 * without spegel, never from an earlier run. Throws HostsConfigError for what cannot be read or is no hosts.toml.
 */
export async function planHosts(
  config: HostsConfig,
  state: HostsState,
): Promise<readonly PlannedHostsToml[]> {
  const folders = chooseFolders(config, state);
  return Promise.all(Array.from(folders.values(), async (folder) => planFolder(config, state, folder)));
}

/** A folder that gets a hosts.toml. */
interface HostFolder {
  readonly name: string;
  readonly registry: string;
  readonly server: string | undefined;
}

function chooseFolders(config: HostsConfig, state: HostsState): ReadonlyMap<string, HostFolder> {
  const folders = new Map<string, HostFolder>();
  const add = (name: string, registry: string, server: string | undefined) =>
    folders.set(name, { name, registry, server });
  const addRegistry = (host: string, server: string | undefined) => {
    for (const name of foldersOf(host)) {
      if (name !== host && !isPresent(state, name)) continue;
      const other = folders.get(name);
      if (other !== undefined && other.server !== server) {
        throw new HostsConfigError(
          `Cannot mirror ${host} both as ${other.server ?? host} and as ${server ?? host}`,
        );
      }
      add(name, host, server);
    }
  };

  for (const url of config.registries) addRegistry(url.host, serverOf(url));
  for (const { registry, registryUrl } of config.additionalTargets) {
    if (registryUrl !== undefined) addRegistry(registry, serverOf(registryUrl));
  }
  for (const { registry } of config.additionalTargets) {
    const isKnown = folders.has(registry) || registry === DEFAULT_FOLDER;
    if (!isKnown) addRegistry(registry, impliedServerOf(registry));
  }
  if (config.allRegistries) {
    add(DEFAULT_FOLDER, DEFAULT_FOLDER, undefined);
    for (const name of state.folders.keys()) {
      const registry = registryOfFolder(name);
      const isChosen = registry === undefined || folders.has(name) || !isPresent(state, name);
      if (!isChosen) add(name, registry, impliedServerOf(registry));
    }
  }
  return folders;
}

/** True if containerd would find the folder if spegel were not there. */
function isPresent({ folders, originalRanLast }: HostsState, name: string): boolean {
  const folder = folders.get(name);
  if (folder === undefined) return false;
  if (folder.kind !== 'absent' && !folder.isOurs) return true;
  return folder.backup !== 'absent' && (folder.isOurs || isTakenAway(folder, originalRanLast));
}

async function planFolder(
  config: HostsConfig,
  state: HostsState,
  { name, registry, server }: HostFolder,
): Promise<PlannedHostsToml> {
  const path = join(state.configPath, name, 'hosts.toml');
  const folder = isPresent(state, name) ? state.folders.get(name) : undefined;
  try {
    const existing = folder === undefined ? undefined : await readExisting(state, folder);
    const isLink =
      folder?.kind === 'link' || (folder?.backup === 'link' && folder.current?.author !== 'other');
    const movedFrom = isLink ? await linkedFolder(state, name) : undefined;
    const parsed = existing === undefined ? undefined : parseExisting(existing);
    const files = folder === undefined ? undefined : (movedFrom ?? folderWithFiles(state, folder));
    const content = mergeHosts({
      registry,
      existing: parsed,
      certificates: files === undefined ? NO_CERTIFICATES : await readCertificates(files, parsed),
      server,
      mirrors: mirrorsOf(config, registry),
      keepHosts: config.prependExisting,
      movedFrom,
    });
    const text = seal(formatHostsToml(content));
    const now = state.folders.get(name);
    const isWritten = now?.kind === 'folder' && now.current?.author === 'spegel' && now.current.text === text;
    const mode = hasSecret(content) ? SECRET_FILE_MODE : FILE_MODE;
    return { path, registry, text, mode, changed: !isWritten };
  } catch (error) {
    throw hostsConfigFailure(`Cannot read ${join(state.configPath, name)}`, error);
  }
}

/** Where the certificates of a registry are now: the original takes them away, until they are brought back. */
function folderWithFiles(
  { configPath, backupPath, originalRanLast }: HostsState,
  folder: HostsFolderState,
): string {
  const isTaken =
    folder.backup === 'folder' && (folder.kind === 'absent' || (folder.isOurs && originalRanLast));
  return join(isTaken ? backupPath : configPath, folder.name);
}

/** With `[host]` tables no version of containerd looks at the files beside them, and without only 1.x. */
async function readCertificates(
  folder: string,
  existing: ParsedHostsToml | undefined,
): Promise<FolderCertificates> {
  if (existing?.hasHostTable === true) return NO_CERTIFICATES;
  const certificates = await readFolderCertificates(folder);
  return existing === undefined ? certificates : usableCertificates(folder, certificates);
}

/** Throws for what containerd refuses: it would take it for absent, and after a run of ours the mirror with it. */
function parseExisting({ path, text }: ExistingHostsToml): ParsedHostsToml {
  const problem = findHostsProblem(text, NEWEST, { asTables: true });
  if (problem === undefined) return parseHostsToml(text);
  throw new HostsConfigError(
    `Cannot use ${path}: ${formatHostsProblem(problem)}. Correct it or move it away; nothing was changed`,
  );
}

function mirrorsOf(
  { targets, additionalTargets, resolveTags, authorization }: HostsConfig,
  registry: string,
): readonly HostsTomlHost[] {
  const settings = { capabilities: resolveTags ? ['pull', 'resolve'] : ['pull'], dial_timeout: DIAL_TIMEOUT };
  const withPassword =
    authorization === undefined ? settings : { ...settings, header: { Authorization: authorization } };
  const additional = additionalTargets.filter((additional) => additional.registry === registry);
  const mirrors = new Map<string, HostsTomlHost>();
  for (const [target, own] of [
    ...targets.map((target) => [target, withPassword] as const),
    ...additional.map(({ target }) => [target, settings] as const),
  ]) {
    const url = formatRegistryUrl(target);
    if (!mirrors.has(url)) mirrors.set(url, { url, settings: own, form: 'header' });
  }
  return Array.from(mirrors.values());
}

function hasSecret({ settings, hosts }: HostsToml): boolean {
  return [settings, ...hosts.map((host) => host.settings)].some((table) =>
    isTable(settingOf(table, 'header', { major: 2 })),
  );
}
