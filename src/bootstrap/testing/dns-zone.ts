import type { DomainAddresses, NamedAddresses } from '../domain-addresses.ts';

/** A domain whose addresses the test sets. */
export interface DnsZone extends DomainAddresses {
  /** What it resolves to from now on; an Error: no name server answers. */
  set(addresses: readonly string[] | NamedAddresses | Error): void;
  /** Gives the addresses names of their own; '*': every address that is asked for has a name. */
  setEndpointNames(...ips: readonly string[]): void;
  /** How often it was resolved. */
  readonly questions: number;
  /** Addresses whose own name was asked for. */
  readonly ownNameQuestions: readonly string[];
}

/** Makes a domain with these addresses. */
export function createDnsZone(...first: readonly string[]): DnsZone {
  const listeners = new Set<(answer: NamedAddresses) => void>();
  let answer: NamedAddresses | Error = byFamily(first);
  let questions = 0;
  let endpointNames: readonly string[] = [];
  const ownNameQuestions: string[] = [];
  return {
    ownNameQuestions,
    setEndpointNames(...ips) {
      endpointNames = ips;
    },
    async hasEndpointName(ip) {
      ownNameQuestions.push(ip);
      if (answer instanceof Error) throw answer;
      return endpointNames.includes(ip) || endpointNames.includes('*');
    },
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
