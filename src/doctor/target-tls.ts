import { dirname, isAbsolute } from 'node:path';
import type { HostSettings } from '../containerd/hosts-toml.ts';
import { type HostRoot, hostPath } from '../runtime/host-root.ts';
import type { HostView } from './host-view.ts';

/** How to talk TLS to a host of a hosts.toml. PEM texts. */
export interface TargetTls {
  /** Authorities that count; empty: those of the runtime. */
  readonly ca: readonly string[];
  readonly client: { readonly certificate: string; readonly key: string } | undefined;
  readonly skipVerify: boolean;
}

/** A hosts.toml names a certificate that cannot be read, or settings that are none. */
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
 * Reads what a host's section says of TLS (`ca`, `client`, `skip_verify` in containerd's docs/hosts.md); paths are relative
 * to the hosts.toml. Throws TargetTlsError.
 */
export async function readTargetTls(
  { host, view }: { readonly host: HostRoot; readonly view: HostView },
  hostsFile: string,
  { ca = [], client = [], skip_verify: skipVerify = false }: HostSettings,
): Promise<TargetTls> {
  const read = async (name: unknown): Promise<string> => {
    if (typeof name !== 'string') {
      throw new TargetTlsError('TARGET_TLS', `${hostsFile}: ca or client is no file name`);
    }
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
  const authorities = await Promise.all((Array.isArray(ca) ? ca : [ca]).map(read));
  const [first] = (Array.isArray(client) ? client : [client]) as readonly unknown[];
  const [certificate, key] = (Array.isArray(first) ? first : [first]) as readonly unknown[];
  return {
    ca: authorities,
    client:
      certificate === undefined
        ? undefined
        : { certificate: await read(certificate), key: await read(key ?? certificate) },
    skipVerify: skipVerify === true,
  };
}

/** The authorities of the node as PEM, undefined if it has no file of them where Go programs look. */
export async function readSystemCa(host: HostRoot): Promise<string | undefined> {
  for (const path of SYSTEM_FILES) {
    const text = await host.readText(path).catch(() => undefined);
    if (text !== undefined) return text;
  }
  return undefined;
}
