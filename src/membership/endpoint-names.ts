import type { Logger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';
import { isIpv4 } from '../runtime/ip-address.ts';
import { createSemaphore } from '../runtime/semaphore.ts';
import { createTokenBucket } from '../runtime/token-bucket.ts';
import type { DomainAddresses } from '../bootstrap/domain-addresses.ts';

/** Questions about the names that addresses have of their own, see DomainAddresses.hasEndpointName. */
export interface EndpointNames {
  /**
   * True if the address has a name. False also when no name server knows, and when too much was asked of late. An
   * address is asked about once at a time.
   */
  ask(ip: string): Promise<boolean>;
}

/** What createEndpointNames needs. */
export interface EndpointNamesDeps {
  readonly addresses: Pick<DomainAddresses, 'hasEndpointName'>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Questions at a time. */
const CONCURRENT = 4;
/**
 * Questions at once, and then each second: addresses of other machines must not make this node flood the name server.
 */
const QUESTIONS = { burst: 20, perSecond: 10 } as const;
/** Addresses that no node has (RFC 5737, RFC 3849): a domain that names them names whatever it is asked for. */
const NOBODY = { ip4: '192.0.2.1', ip6: '2001:db8::1' } as const;

/** Makes them; nothing is asked before ask() is called. */
export function createEndpointNames(
  { addresses, logger, clock }: EndpointNamesDeps,
  { signal }: { readonly signal: AbortSignal },
): EndpointNames {
  const slots = createSemaphore(CONCURRENT);
  const asking = new Map<string, Promise<boolean>>();
  /** Family -> true if the domain's names can be believed. Not there: not known yet. */
  const believable = new Map<keyof typeof NOBODY, boolean>();
  const questions = createTokenBucket(() => clock.nowMs(), QUESTIONS);

  const isBelievable = async (family: keyof typeof NOBODY) => {
    const known = believable.get(family);
    if (known !== undefined) return known;
    const is = !(await addresses.hasEndpointName(NOBODY[family], signal));
    if (!is && !believable.has(family)) {
      logger.info(
        'The name server names any address that it is asked for: only the list of the domain counts',
      );
    }
    believable.set(family, is);
    return is;
  };
  const ask = async (ip: string) => {
    try {
      return await slots.use(
        async () =>
          (await isBelievable(isIpv4(ip) ? 'ip4' : 'ip6')) && (await addresses.hasEndpointName(ip, signal)),
      );
    } catch (error) {
      logger.debug('Cannot ask for the own name of an address', { address: ip, error });
      return false;
    }
  };

  return {
    async ask(ip) {
      const running = asking.get(ip);
      if (running !== undefined) return running;
      if (signal.aborted || !questions.take()) return false;
      const answer = ask(ip).finally(() => asking.delete(ip));
      asking.set(ip, answer);
      return answer;
    },
  };
}
