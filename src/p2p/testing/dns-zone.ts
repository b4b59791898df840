import type { DomainAddresses, NamedAddresses } from '../domain-addresses.ts';

/** A domain whose addresses the test sets. */
export interface DnsZone extends DomainAddresses {
  /** What it resolves to from now on; an Error: no name server answers. */
  set(addresses: readonly string[] | NamedAddresses | Error): void;
  /** How often it was resolved. */
  readonly questions: number;
}

/** Makes a domain with these addresses. */
export function createDnsZone(...first: readonly string[]): DnsZone {
  const listeners = new Set<(answer: NamedAddresses) => void>();
  let answer: NamedAddresses | Error = byFamily(first);
  let questions = 0;
  return {
    domain: 'boot.example.',
    get questions() {
      return questions;
    },
    set(addresses) {
      answer = Array.isArray(addresses) ? byFamily(addresses) : (addresses as NamedAddresses | Error);
    },
    async resolve() {
      questions++;
      if (answer instanceof Error) throw answer;
      for (const listener of listeners) listener(answer);
      return answer;
    },
    onAnswer(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function byFamily(ips: readonly string[]): NamedAddresses {
  return { ip4: ips.filter((ip) => !ip.includes(':')), ip6: ips.filter((ip) => ip.includes(':')) };
}
