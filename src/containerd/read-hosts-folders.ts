import { hostPath, type HostRoot } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';
import type { ContainerdVersion } from './containerd-version.ts';
import { isTemporaryName } from './host-files.ts';
import { DEFAULT_FOLDER, registryOfFolder } from './host-folder.ts';
import { type HostsAuthor, hostsAuthor } from './hosts-author.ts';
import { BACKUP_FOLDER } from './hosts-config.ts';
import { type HostsToml, InvalidHostsTomlError, parseHostsToml } from './hosts-toml.ts';
import { judgeHostsToml } from './judge-hosts-toml.ts';

/** One folder of the registry configuration as containerd sees it. */
export interface HostsFolder {
  readonly name: string;
  /** `host`, `host:port` or `_default`. */
  readonly registry: string;
  /** Its hosts.toml, there or not; the entry itself where that is no folder. Path of the host. */
  readonly path: string;
  /** Undefined: there is none, or an empty one, which is the same to containerd. */
  readonly text: string | undefined;
  /** What is written in it, whatever containerd makes of it. */
  readonly hosts: HostsToml | undefined;
  readonly author: HostsAuthor | undefined;
  /** Why containerd cannot use the hosts.toml. */
  readonly problem: string | undefined;
  /** True: containerd then fails each pull from the registry, and does not go on without the file. */
  readonly isFatal: boolean;
  /** True: the user of this process may not read it. containerd, which is root, may. */
  readonly isForbidden: boolean;
  /** Hosts that this version of containerd does not ask, because of how they are written. */
  readonly passedOver: readonly string[];
}

type HostsFile = Omit<HostsFolder, 'name' | 'registry' | 'path'>;

const NO_FILE: HostsFile = {
  text: undefined,
  hosts: undefined,
  author: undefined,
  problem: undefined,
  isFatal: false,
  isForbidden: false,
  passedOver: [],
};

/** Files that lie beside the folders and have nothing to do with a registry. */
const OTHER_FILE = /^\.|\.(?:crt|cert|pem|key|toml|md|txt|json|ya?ml|bak|old|orig|tmp|swp|sh|lock)$|~$/i;

/**
 * The folders below a config_path, judged by the rules of that version of containerd; none if it does not exist. An entry with
 * the name of a registry that is no folder is among them. Rejects if the config_path cannot be read.
 */
export async function readHostsFolders(
  host: HostRoot,
  configPath: string,
  version: ContainerdVersion,
): Promise<readonly HostsFolder[]> {
  const names = (await host.readNames(configPath)) ?? [];
  const hasBackup = names.includes(BACKUP_FOLDER);
  const folders: HostsFolder[] = [];
  for (const name of names) {
    const registry = name === DEFAULT_FOLDER ? name : registryOfFolder(name);
    if (name === BACKUP_FOLDER || isTemporaryName(name) || registry === undefined) continue;
    const entry = hostPath(configPath, name);
    const kind = await host.kind(entry);
    if (kind === 'absent') continue;
    if (kind !== 'folder') {
      // containerd takes no notice only of what is not there (HostDirFromRoot, loadHostDir).
      const problem = 'it is not a folder with a hosts.toml in it';
      if (OTHER_FILE.test(name)) continue;
      folders.push({ name, registry, path: entry, ...NO_FILE, problem, isFatal: true });
      continue;
    }
    const path = hostPath(entry, 'hosts.toml');
    const kept = hostPath(configPath, BACKUP_FOLDER, name, 'hosts.toml');
    const backupText = await host.readText(kept).catch(() => undefined);
    const backup = { exists: hasBackup, text: backupText };
    folders.push({ name, registry, path, ...(await readHostsFile(host, path, { backup, version })) });
  }
  return folders;
}

async function readHostsFile(
  host: HostRoot,
  path: string,
  {
    backup,
    version,
  }: {
    readonly backup: { readonly exists: boolean; readonly text: string | undefined };
    readonly version: ContainerdVersion;
  },
): Promise<HostsFile> {
  let text: string | undefined;
  try {
    const kind = await host.kind(path);
    if (kind === 'folder' || kind === 'other') {
      return { ...NO_FILE, problem: 'it is not a regular file', isFatal: true };
    }
    text = (await host.readText(path)) || undefined;
    if (text === undefined) return NO_FILE;
    const hosts = parseHostsToml(text);
    const author = hostsAuthor(text, backup);
    const { problem, passedOver } = judgeHostsToml(text, hosts, version);
    return { ...NO_FILE, text, hosts, author, problem, passedOver };
  } catch (error) {
    if (isPermissionError(error)) return { ...NO_FILE, isForbidden: true };
    const isInvalid = error instanceof InvalidHostsTomlError;
    const reason = error instanceof Error ? error.message : String(error);
    return { ...NO_FILE, text, problem: isInvalid ? `it is no hosts.toml: ${reason}` : reason };
  }
}
