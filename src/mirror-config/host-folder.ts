import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDomainName } from '../runtime/domain-name.ts';
import { readRegularFile } from './host-tree.ts';
import type { RegistryUrl } from './registry-url.ts';

/** The folder that counts for every registry without one of its own. */
export const DEFAULT_FOLDER = '_default';

/**
 * The folders in which containerd looks for a registry before `_default`, the first one that exists wins:
 * `host_5000_`, then `host:5000` (hostPaths and hostDirectory in core/remotes/docker/config).
 */
export function foldersOf(host: string): readonly string[] {
  const colon = host.lastIndexOf(':');
  if (colon <= 0 || host.endsWith(']')) return [host];
  return [`${host.slice(0, colon)}_${host.slice(colon + 1)}_`, host];
}

/**
 * The registry whose folder this is, `host` or `host:port`; undefined for a name that no registry has. A host name may have
 * underscores and a dot at its end, as parseRegistryUrl takes it, and does not begin with either.
 */
export function registryOfFolder(folder: string): string | undefined {
  const registry = folder.replace(/^(.+)_(\d{1,5})_$/, '$1:$2');
  const host = registry.replace(/:\d{1,5}$/, '');
  const isHost = /^[a-z\d]/i.test(host) ? isDomainName(host) : /^\[[\da-f:.]+\]$/i.test(host);
  return isHost ? registry : undefined;
}

/** The `server` for a registry of which the URL is known. */
export function serverOf({ scheme, host }: RegistryUrl): string {
  return scheme === 'https' && host === 'docker.io' ? 'https://registry-1.docker.io' : `${scheme}://${host}`;
}

/**
 * The `server` for a registry of which only the folder is known: what containerd takes by itself (ConfigureHosts in
 * core/remotes/docker/config), HTTPS. Undefined for a registry on this machine: containerd then
 * tries HTTP too, which it only does without a `server`.
 */
export function impliedServerOf(host: string): string | undefined {
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(host);
  return isLocal ? undefined : serverOf({ scheme: 'https', host });
}

/** Certificates of a registry's folder, as file names. */
export interface FolderCertificates {
  readonly ca: readonly string[];
  readonly client: ReadonlyArray<readonly [certificate: string, key: string]>;
}

/**
 * The certificates that containerd takes from a folder that has no hosts.toml: `*.crt` are CAs, `*.cert` client
 * certificates with their key in the `.key` file of the same name, or in the `.cert` itself. With a hosts.toml it looks
 * at none of them (loadHostDir calls loadCertFiles only without one), so ours has to name them.
 */
export async function readFolderCertificates(folder: string): Promise<FolderCertificates> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  const certificates = names.filter((name) => name.endsWith('.cert'));
  const client = certificates.map(async (certificate) => {
    const key = certificate.replace(/\.cert$/, '.key');
    return [certificate, (await exists(join(folder, key))) ? key : certificate] as const;
  });
  return { ca: names.filter((name) => name.endsWith('.crt')), client: await Promise.all(client) };
}

/**
 * Those of readFolderCertificates that containerd can load. Any other makes every pull fail, which it must not where
 * containerd has not looked at them so far.
 */
export async function usableCertificates(
  folder: string,
  { ca, client }: FolderCertificates,
): Promise<FolderCertificates> {
  const read = async (name: string) => String((await readRegularFile(join(folder, name))) ?? '');
  const authorities = await Promise.all(ca.map(async (name) => hasCertificate(await read(name))));
  const clients = await Promise.all(
    client.map(async ([certificate, key]) => isPair(await read(certificate), await read(key))),
  );
  return {
    ca: ca.filter((_name, index) => authorities[index]),
    client: client.filter((_pair, index) => clients[index]),
  };
}

function hasCertificate(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.some((block) => {
    try {
      return new X509Certificate(block).raw.length > 0;
    } catch {
      return false;
    }
  });
}

function isPair(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}
