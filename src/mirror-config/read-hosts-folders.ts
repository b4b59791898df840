import { hostPath, type HostRoot } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';
import type { ContainerdVersion } from '../containerd-config/containerd-version.ts';
import { isTemporaryName } from './host-files.ts';
import { DEFAULT_FOLDER, registryOfFolder } from './host-folder.ts';
import { type HostsAuthor, hostsAuthor } from './hosts-author.ts';
import { BACKUP_FOLDER } from './hosts-config.ts';
import type { HostsProblem } from './hosts-problem.ts';
import { type AskedHost, type HostsReading, readAsContainerd, readHost } from './hosts-reading.ts';
import {
  type HostsTomlHost,
  InvalidHostsTomlError,
  type ParsedHostsToml,
  parseHostsToml,
} from './hosts-toml.ts';
import { InvalidGoUrlError } from './go-url.ts';

/** One folder of the registry configuration as containerd sees it. */
export interface HostsFolder {
  readonly name: string;
  /** `host`, `host:port` or `_default`. */
  readonly registry: string;
  /** Its hosts.toml, there or not; the entry itself where that is no folder. Path of the host. */
  readonly path: string;
  /** Undefined: there is none, or an empty one, which is the same to containerd. */
  readonly text: string | undefined;
  /** What is written in it, whatever containerd makes of it; undefined for what is not a hosts.toml at all. */
  readonly hosts: ParsedHostsToml | undefined;
  /** Its hosts as containerd would ask them if it took all of them. */
  readonly written: readonly AskedHost[];
  /** What containerd makes of it; undefined without a text. Certificates beside it are not looked at. */
  readonly reading: HostsReading | undefined;
  readonly author: HostsAuthor | undefined;
  /** Why containerd cannot use the hosts.toml. */
  readonly problem: HostsProblem | undefined;
  /** True: the user of this process may not read it. containerd, which is root, may. */
  readonly isForbidden: boolean;
}

type HostsFile = Omit<HostsFolder, 'name' | 'registry' | 'path'>;

const NO_FILE: HostsFile = {
  text: undefined,
  hosts: undefined,
  written: [],
  reading: undefined,
  author: undefined,
  problem: undefined,
  isForbidden: false,
};

const NO_CERTIFICATES = { ca: [], client: [] };
const NEW: ContainerdVersion = { major: 2, minor: 3 };

/** Files that lie beside the folders and have nothing to do with a registry. */
const OTHER_FILE = /^\.|\.(?:crt|cert|pem|key|toml|md|txt|json|ya?ml|bak|old|orig|tmp|swp|sh|lock)$|~$/i;

/**
 * The folders below a config_path, judged by the rules of that version of containerd; none if it does not exist. An entry with
 * the name of a registry that is no folder is among them. Where the version is a guess, what 1.x alone ignores a file for is
 * not taken for a problem. Rejects if the config_path cannot be read.
 */
export async function readHostsFolders(
  host: HostRoot,
  configPath: string,
  version: ContainerdVersion,
  { isVersionKnown = true }: { readonly isVersionKnown?: boolean } = {},
): Promise<readonly HostsFolder[]> {
  const names = (await host.readNames(configPath)) ?? [];
  const hasBackup = names.includes(BACKUP_FOLDER);
  const folders: HostsFolder[] = [];
  for (const name of names) {
    const registry = name === DEFAULT_FOLDER ? name : registryOfFolder(name);
    if (name === BACKUP_FOLDER || isTemporaryName(name) || registry === undefined) continue;
    const entry = hostPath(configPath, name);
    // A link in a circle, or one that leads to where this user may not look, must not hide the other entries.
    const kind = await host.kind(entry).catch((error: unknown) => error);
    if (kind === 'absent') continue;
    if (kind !== 'folder') {
      // containerd takes no notice only of what is not there (HostDirFromRoot, loadHostDir).
      if (OTHER_FILE.test(name)) continue;
      const isForbidden = isPermissionError(kind);
      const why = 'it is not a folder with a hosts.toml in it';
      const problem = isForbidden ? undefined : problemOf('fails-pulls', why);
      folders.push({ name, registry, path: entry, ...NO_FILE, problem, isForbidden });
      continue;
    }
    const path = hostPath(entry, 'hosts.toml');
    const kept = hostPath(configPath, BACKUP_FOLDER, name, 'hosts.toml');
    const backupText = await host.readText(kept).catch(() => undefined);
    const backup = { exists: hasBackup, text: backupText };
    folders.push({
      name,
      registry,
      path,
      ...(await readHostsFile(host, path, { registry, backup, version, isVersionKnown })),
    });
  }
  return folders;
}

async function readHostsFile(
  host: HostRoot,
  path: string,
  {
    registry,
    backup,
    version,
    isVersionKnown,
  }: {
    readonly registry: string;
    readonly backup: { readonly exists: boolean; readonly text: string | undefined };
    readonly version: ContainerdVersion;
    readonly isVersionKnown: boolean;
  },
): Promise<HostsFile> {
  try {
    const kind = await host.kind(path).catch((error: unknown) => error);
    if (isPermissionError(kind)) return { ...NO_FILE, isForbidden: true };
    if (kind !== 'file' && kind !== 'absent') {
      return { ...NO_FILE, problem: problemOf('fails-pulls', 'it is not a regular file') };
    }
    const text = (await host.readText(path)) || undefined;
    if (text === undefined) return NO_FILE;
    const options = {
      registry: registry === DEFAULT_FOLDER ? undefined : registry,
      certificates: NO_CERTIFICATES,
    };
    const first = readAsContainerd(text, { ...options, version });
    const isOpen = !isVersionKnown && first.problem?.only1x !== undefined;
    const reading = isOpen ? readAsContainerd(text, { ...options, version: NEW }) : first;
    const hosts = parseWritten(text);
    const written = (hosts?.hosts ?? []).flatMap((host) => readIfUrl(host, version));
    const author = hostsAuthor(text, backup);
    return { ...NO_FILE, text, hosts, written, reading, author, problem: reading.problem };
  } catch (error) {
    if (isPermissionError(error)) return { ...NO_FILE, isForbidden: true };
    return {
      ...NO_FILE,
      problem: problemOf('ignores-file', error instanceof Error ? error.message : String(error)),
    };
  }
}

function parseWritten(text: string): ParsedHostsToml | undefined {
  try {
    return parseHostsToml(text);
  } catch (error) {
    if (!(error instanceof InvalidHostsTomlError)) throw error;
    return undefined;
  }
}

function readIfUrl(host: HostsTomlHost, version: ContainerdVersion): readonly AskedHost[] {
  try {
    return [readHost(host, version)];
  } catch (error) {
    if (!(error instanceof InvalidGoUrlError)) throw error;
    return [];
  }
}

function problemOf(effect: HostsProblem['effect'], why: string): HostsProblem {
  return { effect, line: undefined, key: [], why };
}
