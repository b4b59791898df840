import { hostPath, type HostRoot } from '../runtime/host-root.ts';
import { isPermissionError } from '../runtime/permission-error.ts';
import { isTemporaryName } from './host-files.ts';
import { DEFAULT_FOLDER, registryOfFolder } from './host-folder.ts';
import { type HostsAuthor, hostsAuthor } from './hosts-author.ts';
import { BACKUP_FOLDER } from './hosts-config.ts';
import { type HostsToml, InvalidHostsTomlError, parseHostsToml } from './hosts-toml.ts';

/** One folder of the registry configuration as containerd sees it. */
export interface HostsFolder {
  readonly name: string;
  /** `host`, `host:port` or `_default`. */
  readonly registry: string;
  /** Its hosts.toml, there or not. Path of the host. */
  readonly path: string;
  /** Undefined: there is none, or an empty one, which is the same to containerd. */
  readonly text: string | undefined;
  readonly hosts: HostsToml | undefined;
  readonly author: HostsAuthor | undefined;
  /** Why the hosts.toml cannot be used. */
  readonly problem: string | undefined;
}

/**
 * The folders below a config_path; none if it does not exist. Rejects if it cannot be read, and if the user of this process
 * may not read what is in it.
 */
export async function readHostsFolders(host: HostRoot, configPath: string): Promise<readonly HostsFolder[]> {
  const names = (await host.readNames(configPath)) ?? [];
  const hasBackup = names.includes(BACKUP_FOLDER);
  const folders: HostsFolder[] = [];
  for (const name of names) {
    const registry = name === DEFAULT_FOLDER ? name : registryOfFolder(name);
    const isOther = name === BACKUP_FOLDER || isTemporaryName(name) || registry === undefined;
    if (isOther || (await host.kind(hostPath(configPath, name))) !== 'folder') continue;
    const path = hostPath(configPath, name, 'hosts.toml');
    const kept = hostPath(configPath, BACKUP_FOLDER, name, 'hosts.toml');
    const backupText = await host.readText(kept).catch(() => undefined);
    folders.push({
      name,
      registry,
      path,
      ...(await readHosts(host, path, { exists: hasBackup, text: backupText })),
    });
  }
  return folders;
}

async function readHosts(
  host: HostRoot,
  path: string,
  backup: { readonly exists: boolean; readonly text: string | undefined },
): Promise<Pick<HostsFolder, 'text' | 'hosts' | 'author' | 'problem'>> {
  let text: string | undefined;
  try {
    text = (await host.readText(path)) || undefined;
    if (text === undefined) return { text, hosts: undefined, author: undefined, problem: undefined };
    return { text, hosts: parseHostsToml(text), author: hostsAuthor(text, backup), problem: undefined };
  } catch (error) {
    if (isPermissionError(error)) throw error;
    const isInvalid = error instanceof InvalidHostsTomlError;
    const reason = error instanceof Error ? error.message : String(error);
    const problem = isInvalid ? `it is no hosts.toml: ${reason}` : reason;
    return { text, hosts: undefined, author: undefined, problem };
  }
}
