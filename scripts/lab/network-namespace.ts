import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Cleanup } from './cleanup.ts';
import { runCommand } from './run-command.ts';

/** `ip netns exec NAME` bind-mounts what it finds in a folder of that name over /etc. */
const NETNS_ETC = '/etc/netns';

/** A network namespace with loopback up and names of its own. */
export interface NetworkNamespace {
  readonly name: string;
  /** Prefix that runs a command inside; the command replaces it, so the pid is the command's own. */
  readonly enter: readonly string[];
  /** Runs `ip` commands inside, in one process. */
  ip(lines: readonly string[]): Promise<void>;
}

/** Options of createNetworkNamespace. */
export interface NetworkNamespaceOptions {
  readonly name: string;
  /** Lines of /etc/hosts that processes inside see. */
  readonly hosts: readonly string[];
  /** Address of the name server in the /etc/resolv.conf that they see. */
  readonly nameServer: string;
}

/** Makes a namespace. */
export async function createNetworkNamespace(
  { cleanup }: { readonly cleanup: Cleanup },
  { name, hosts, nameServer }: NetworkNamespaceOptions,
): Promise<NetworkNamespace> {
  await runCommand(['ip', 'netns', 'add', name]);
  cleanup.defer(`network namespace ${name}`, () => {
    Bun.spawnSync(['ip', 'netns', 'del', name]);
  });
  writeEtc(cleanup, { name, hosts, nameServer });
  const ip = async (lines: readonly string[]): Promise<void> => {
    await runCommand(['ip', '-n', name, '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  };
  await ip(['link set lo up']);
  return { name, enter: ['ip', 'netns', 'exec', name], ip };
}

function writeEtc(cleanup: Cleanup, { name, hosts, nameServer }: NetworkNamespaceOptions): void {
  ensureHostsFile(cleanup);
  const folder = `${NETNS_ETC}/${name}`;
  mkdirSync(folder, { recursive: true });
  cleanup.defer(folder, () => {
    rmSync(folder, { recursive: true, force: true });
    Bun.spawnSync(['rmdir', '--ignore-fail-on-non-empty', NETNS_ETC]);
  });
  const lines = ['127.0.0.1 localhost', '::1 localhost', ...hosts];
  writeFileSync(`${folder}/hosts`, `${lines.join('\n')}\n`);
  // In most labs nothing listens there: a name that is not in hosts fails at once instead of after a time-out.
  if (existsSync('/etc/resolv.conf')) {
    writeFileSync(`${folder}/resolv.conf`, `nameserver ${nameServer}\noptions timeout:1 attempts:1\n`);
  }
}

const HOSTS_FILE = '/etc/hosts';

/** A file can only be mounted over one that exists, and a bare Debian has none. */
function ensureHostsFile(cleanup: Cleanup): void {
  if (existsSync(HOSTS_FILE)) return;
  writeFileSync(HOSTS_FILE, '');
  cleanup.defer(HOSTS_FILE, () => {
    // Removing it would pull it away under another lab's mounts; and what is no longer empty is somebody's.
    if (!existsSync(NETNS_ETC) && statSync(HOSTS_FILE).size === 0) rmSync(HOSTS_FILE);
  });
}
