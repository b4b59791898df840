import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';

import { isDomainName } from '../runtime/domain-name.ts';
import { compareIps, parseIp } from '../runtime/ip-address.ts';
import { BootstrapError, type Bootstrapper, type BootstrapPeer } from './bootstrapper.ts';
import { BOOTSTRAP_QUERY_TIMEOUT_MS, DNS_PEERS_PER_FAMILY, MAX_DNS_RANKS } from './limits.ts';
import { tcpMultiaddr } from './listen-multiaddrs.ts';
import { searchNames } from './search-names.ts';

/** What to resolve. */
export interface DnsBootstrapperOptions {
  /** --dns-bootstrap-domain; with a dot at its end it is complete, without one the search domains apply. */
  readonly domain: string;
  /** The port of every node's router: this one's own. */
  readonly port: number;
  /** `1.2.3.4:53`; default those of resolv.conf. */
  readonly nameServers?: readonly string[] | undefined;
  /** Default /etc/resolv.conf. */
  readonly resolvConfPath?: string;
  /** Default 3 s, for everything that one call asks. */
  readonly timeoutMs?: number;
}

/** DNS says that there is no such name, or no such record: an answer, not a failure. */
const NOBODY = new Set(['ENOTFOUND', 'ENODATA']);

/**
 * Bootstraps from the addresses of a domain: the 3 lowest of each IP family (rank 0), and three by three the next
 * ones for when none of those answers. No such name, or no address, means nobody. Throws BootstrapError for a
 * domain or port that makes no sense.
 */
export function createDnsBootstrapper(options: DnsBootstrapperOptions): Bootstrapper {
  const { domain, port, nameServers, resolvConfPath = '/etc/resolv.conf' } = options;
  const timeoutMs = options.timeoutMs ?? BOOTSTRAP_QUERY_TIMEOUT_MS;
  if (!isDomainName(domain)) {
    throw new BootstrapError(
      `Cannot resolve ${JSON.stringify(domain)}: use a domain such as spegel-bootstrap.spegel.svc.cluster.local.`,
    );
  }
  if (port < 1) throw new BootstrapError('Bootstrapping by DNS needs a fixed port, the same on every node');
  return {
    kind: 'dns',
    async peers(signal) {
      const resolvConf = await readFile(resolvConfPath, 'utf8').catch(() => '');
      signal.throwIfAborted();
      // A new one each time: it reads the system's name servers when it is made.
      const resolver = new Resolver();
      if (nameServers !== undefined) resolver.setServers(nameServers);
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const cancel = () => resolver.cancel();
      deadline.addEventListener('abort', cancel, { once: true });
      try {
        const ips = await firstAnswer(resolver, searchNames(domain, resolvConf), deadline);
        return [...toPeers(ips.ip4, port), ...toPeers(ips.ip6, port)];
      } catch (cause) {
        signal.throwIfAborted();
        throw new BootstrapError(`Cannot resolve ${domain}: do the name servers of this node answer?`, {
          cause,
        });
      } finally {
        deadline.removeEventListener('abort', cancel);
      }
    },
  };
}

interface Addresses {
  readonly ip4: readonly string[];
  readonly ip6: readonly string[];
}

/** The addresses of the first name that has any. A name server may fail for one name only, so the others are asked all the same. */
async function firstAnswer(
  resolver: Resolver,
  names: readonly string[],
  deadline: AbortSignal,
): Promise<Addresses> {
  const failures: unknown[] = [];
  for (const name of names) {
    deadline.throwIfAborted();
    const results = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const [ip4, ip6] = results.map((result) => (result.status === 'fulfilled' ? result.value : []));
    if (ip4 !== undefined && ip6 !== undefined && ip4.length + ip6.length > 0) return { ip4, ip6 };
    for (const result of results) {
      if (result.status === 'rejected' && !isNobody(result.reason)) failures.push(result.reason);
    }
  }
  if (failures.length === 0) return { ip4: [], ip6: [] };
  throw new AggregateError(failures, 'No name server could answer', { cause: failures[0] });
}

function isNobody(error: unknown): boolean {
  return NOBODY.has((error as NodeJS.ErrnoException).code ?? '');
}

function toPeers(ips: readonly string[], port: number): readonly BootstrapPeer[] {
  const parsed = [...new Set(ips)].flatMap((text) => {
    const bytes = parseIp(text);
    return bytes === undefined ? [] : [{ text, bytes }];
  });
  const lowest = parsed.sort((a, b) => compareIps(a.bytes, b.bytes));
  return lowest.slice(0, MAX_DNS_RANKS * DNS_PEERS_PER_FAMILY).map(({ text }, index) => ({
    multiaddrs: [tcpMultiaddr(text, port)],
    rank: Math.floor(index / DNS_PEERS_PER_FAMILY),
  }));
}
