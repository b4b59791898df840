import type { Logger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';

/** Counts refused connections, and warns. */
export interface DeniedLog {
  /** Connections that were refused since the start. */
  readonly count: number;
  refused(ip: string): void;
}

/** Addresses that were warned of: each once. */
const MAX_REMEMBERED = 1000;
/** Warnings a minute: a machine with many addresses must not fill the disk. */
const WARNINGS_PER_MINUTE = 6;
const MINUTE_MS = 60 * 1000;

/** Makes the log. The message says what to do about a node that is refused and should not be. */
export function createDeniedLog(
  { logger, clock }: { readonly logger: Logger; readonly clock: Clock },
  message: string,
): DeniedLog {
  const warned = new Set<string>();
  let count = 0;
  let minuteEndMs = 0;
  let inMinute = 0;
  return {
    get count() {
      return count;
    },
    refused(ip) {
      count++;
      if (warned.has(ip)) return;
      const nowMs = clock.nowMs();
      if (nowMs >= minuteEndMs) {
        minuteEndMs = nowMs + MINUTE_MS;
        inMinute = 0;
      }
      // Not remembered: the address is warned of when there is room, if it goes on.
      if (inMinute >= WARNINGS_PER_MINUTE || warned.size >= MAX_REMEMBERED) return;
      inMinute++;
      warned.add(ip);
      logger.warn(message, { address: ip, refused: count });
    },
  };
}
