import type { Bootstrapper } from '../p2p/bootstrapper.ts';
import { createDnsBootstrapper } from '../p2p/dns-bootstrapper.ts';
import type { DomainAddresses } from '../p2p/domain-addresses.ts';
import { createHttpBootstrapper } from '../p2p/http-bootstrapper.ts';
import { createStaticBootstrapper } from '../p2p/static-bootstrapper.ts';
import { readTlsFolder } from '../p2p/tls-folder.ts';
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
