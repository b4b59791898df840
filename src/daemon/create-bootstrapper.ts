import type { Bootstrapper } from '../bootstrap/bootstrapper.ts';
import { createDnsBootstrapper } from '../bootstrap/dns-bootstrapper.ts';
import type { DomainAddresses } from '../bootstrap/domain-addresses.ts';
import { createHttpBootstrapper } from '../bootstrap/http-bootstrapper.ts';
import { createStaticBootstrapper } from '../bootstrap/static-bootstrapper.ts';
import { readTlsFolder } from '../bootstrap/tls-folder.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import type { RegistryOptions } from './registry-options.ts';

/** The options that say how to find the first peers. */
type BootstrapOptions = Pick<
  RegistryOptions,
  | 'bootstrapKind'
  | 'httpBootstrapCertDir'
  | 'httpBootstrapPeer'
  | 'httpBootstrapUrl'
  | 'routerAddr'
  | 'staticBootstrapPeers'
>;

/**
 * Makes the bootstrapper that the flags ask for; for the kind dns with the addresses of bootstrapDomain.
 * A node without anybody to ask waits for others to come.
 */
export function createBootstrapper(options: BootstrapOptions, addresses?: DomainAddresses): Bootstrapper {
  const { bootstrapKind, httpBootstrapCertDir, httpBootstrapPeer, httpBootstrapUrl } = options;
  if (addresses !== undefined) {
    return createDnsBootstrapper(addresses, parseListenAddress(options.routerAddr).port);
  }
  const url = httpBootstrapUrl ?? (httpBootstrapPeer === undefined ? undefined : `${httpBootstrapPeer}/id`);
  if (bootstrapKind === 'http' && url !== undefined) {
    const readTls =
      httpBootstrapCertDir === undefined ? undefined : async () => readTlsFolder(httpBootstrapCertDir);
    return createHttpBootstrapper({ url, readTls });
  }
  return createStaticBootstrapper(bootstrapKind === 'static' ? options.staticBootstrapPeers : []);
}
