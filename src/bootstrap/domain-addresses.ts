import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';

import { isDomainName } from '../runtime/domain-name.ts';
import { canonicalIp, isIpv4 } from '../runtime/ip-address.ts';
import { BootstrapError } from './bootstrapper.ts';
import { BOOTSTRAP_QUERY_TIMEOUT_MS } from './limits.ts';
import { searchNames } from './search-names.ts';

/** What a domain resolves to; undefined for a family that no name server could tell of. */
export interface NamedAddresses {
  readonly ip4: readonly string[] | undefined;
  readonly ip6: readonly string[] | undefined;
}

/** The addresses of a domain. */
export interface DomainAddresses {
  readonly domain: string;
  /** Asks the name servers. Rejects with BootstrapError when none could answer; no such name means no addresses. */
  resolve(signal: AbortSignal): Promise<NamedAddresses>;
  /**
   * Asks whether the address (as canonicalIp spells it) has a name of its own below the domain: `10-0-0-9.<domain>`, as
   * Kubernetes' name servers give to each endpoint of a headless service. Unlike the domain's own addresses that name
   * is in no cache before it is asked for. Rejects with BootstrapError when no name server could answer.
   */
  hasEndpointName(ip: string, signal: AbortSignal): Promise<boolean>;
  /** Calls the listener with each answer, whichever part of this node asked; call the result to end that. */
  onAnswer(listener: (answer: NamedAddresses) => void): () => void;
}

/** What to resolve. */
export interface DomainAddressesOptions {
  /** --dns-bootstrap-domain; with a dot at its end it is complete, without a dot the search domains apply. */
  readonly domain: string;
  /** `1.2.3.4:53`; default the name servers of resolv.conf. */
  readonly nameServers?: readonly string[] | undefined;
  /** Default /etc/resolv.conf. */
  readonly resolvConfPath?: string;
  /** Default 3 s, for everything that one call asks. */
  readonly timeoutMs?: number;
}

/** DNS says that there is no such name, or no such record: an answer, not a failure. */
const NOBODY = new Set(['ENOTFOUND', 'ENODATA']);
/** Most addresses of one family: more do not fit into an answer of 64 KiB. */
const MAX_ADDRESSES = 4096;

/** Makes the addresses of a domain. Throws BootstrapError for a domain that makes no sense. */
export function createDomainAddresses({
  domain,
  nameServers,
  resolvConfPath = '/etc/resolv.conf',
  timeoutMs = BOOTSTRAP_QUERY_TIMEOUT_MS,
}: DomainAddressesOptions): DomainAddresses {
  if (!isDomainName(domain)) {
    throw new BootstrapError(
      `Cannot resolve ${JSON.stringify(domain)}: use a domain such as spegel-bootstrap.spegel.svc.cluster.local.`,
    );
  }
  const listeners = new Set<(answer: NamedAddresses) => void>();
  /** Does the work with a resolver and the names to ask for, both as the system's files say now. */
  const ask = async <T>(
    name: string,
    signal: AbortSignal,
    work: (resolver: Resolver, names: readonly string[], deadline: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const resolvConf = await readFile(resolvConfPath, 'utf8').catch(() => '');
    signal.throwIfAborted();
    // A new resolver each time: it reads the system's name servers when it is made.
    const resolver = new Resolver();
    if (nameServers !== undefined) resolver.setServers(nameServers);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const cancel = () => resolver.cancel();
    deadline.addEventListener('abort', cancel, { once: true });
    try {
      return await work(resolver, searchNames(name, resolvConf), deadline);
    } catch (cause) {
      signal.throwIfAborted();
      throw new BootstrapError(`Cannot resolve ${name}: do the name servers of this node answer?`, {
        cause,
      });
    } finally {
      deadline.removeEventListener('abort', cancel);
    }
  };
  return {
    domain,
    async resolve(signal) {
      const answer = await ask(domain, signal, firstAnswer);
      for (const listener of listeners) listener(answer);
      return answer;
    },
    hasEndpointName: async (ip, signal) =>
      ask(`${ip.replaceAll(/[.:]/g, '-')}.${domain}`, signal, async (resolver, names, deadline) =>
        firstName(names, deadline, async (name) => {
          const found = await (isIpv4(ip) ? resolver.resolve4(name) : resolver.resolve6(name));
          return found.some((text) => canonicalIp(text) === ip);
        }),
      ),
    onAnswer(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/**
 * The addresses of the first name that has any. A name server may fail for one name only, so the others are asked all
 * the same.
 */
async function firstAnswer(
  resolver: Resolver,
  names: readonly string[],
  deadline: AbortSignal,
): Promise<NamedAddresses> {
  const failures: unknown[] = [];
  for (const name of names) {
    deadline.throwIfAborted();
    const results = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const [ip4, ip6] = results.map(addressesOf);
    if ((ip4?.length ?? 0) + (ip6?.length ?? 0) > 0) return { ip4, ip6 };
    for (const result of results) {
      if (result.status === 'rejected' && !isNobody(result.reason)) failures.push(result.reason);
    }
  }
  if (failures.length === 0) return { ip4: [], ip6: [] };
  throw noAnswer(failures);
}

/** True for the first name of which `isIt` says so. It rejects as a resolver does. */
async function firstName(
  names: readonly string[],
  deadline: AbortSignal,
  isIt: (name: string) => Promise<boolean>,
): Promise<boolean> {
  const failures: unknown[] = [];
  for (const name of names) {
    deadline.throwIfAborted();
    try {
      if (await isIt(name)) return true;
    } catch (error) {
      if (!isNobody(error)) failures.push(error);
    }
  }
  if (failures.length === 0) return false;
  throw noAnswer(failures);
}

function noAnswer(failures: readonly unknown[]): AggregateError {
  return new AggregateError(failures, 'No name server could answer', { cause: failures[0] });
}

function addressesOf(result: PromiseSettledResult<string[]>): readonly string[] | undefined {
  if (result.status === 'fulfilled') return result.value.slice(0, MAX_ADDRESSES);
  return isNobody(result.reason) ? [] : undefined;
}

function isNobody(error: unknown): boolean {
  return NOBODY.has((error as NodeJS.ErrnoException).code ?? '');
}
