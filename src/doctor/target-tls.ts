import { dirname, isAbsolute } from 'node:path';
import type { AskedHost } from '../mirror-config/hosts-reading.ts';
import { type HostRoot, hostPath } from '../runtime/host-root.ts';
import type { HostView } from './host-view.ts';

/** How to talk TLS to a host of a hosts.toml. PEM texts. */
export interface TargetTls {
  /** Authorities that count; empty: those of the runtime. */
  readonly ca: readonly string[];
  readonly client: { readonly certificate: string; readonly key: string } | undefined;
  readonly skipVerify: boolean;
}

/** A hosts.toml names a certificate that cannot be read. */
export class TargetTlsError extends Error {
  override readonly name = 'TargetTlsError';
  readonly code: 'TARGET_TLS' | 'UNSEEN';

  /** UNSEEN: it may be there, where this process cannot look. */
  constructor(code: 'TARGET_TLS' | 'UNSEEN', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Where Go programs look for the system's authorities on Linux (crypto/x509), the first one counts. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * Reads the certificates with which containerd asks a host; their paths are relative to the hosts.toml. Of several for the
 * client the first one is given. Throws TargetTlsError.
 */
export async function readTargetTls(
  { host, view }: { readonly host: HostRoot; readonly view: HostView },
  hostsFile: string,
  { ca, client, skipVerify }: Pick<AskedHost, 'ca' | 'client' | 'skipVerify'>,
): Promise<TargetTls> {
  const read = async (name: string): Promise<string> => {
    const path = isAbsolute(name) ? name : hostPath(dirname(hostsFile), name);
    const text = await host.readText(path).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new TargetTlsError('TARGET_TLS', `${hostsFile}: ${path} cannot be read: ${reason}`, {
        cause: error,
      });
    });
    if (text !== undefined) return text;
    if (await view.sees(path)) throw new TargetTlsError('TARGET_TLS', `${hostsFile}: there is no ${path}`);
    throw new TargetTlsError('UNSEEN', `${hostsFile}: ${path} cannot be seen from here`);
  };
  const authorities = await Promise.all(ca.map(read));
  const clients = await Promise.all(
    client.map(async ([certificate, key]) => ({
      certificate: await read(certificate),
      key: await read(key),
    })),
  );
  return { ca: authorities, client: clients[0], skipVerify };
}

/** The authorities of the node as PEM, undefined if it has no file of them where Go programs look. */
export async function readSystemCa(host: HostRoot): Promise<string | undefined> {
  for (const path of SYSTEM_FILES) {
    const text = await host.readText(path).catch(() => undefined);
    if (text !== undefined) return text;
  }
  return undefined;
}
