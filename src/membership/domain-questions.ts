import type { DomainAddresses } from '../bootstrap/domain-addresses.ts';
import type { Logger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';

/**
 * Up to this share is added to the time between two questions at random, so that a cluster's nodes do not ask all at
 * once.
 */
const REFRESH_JITTER = 0.2;
/**
 * Least time between two questions for each member. The answer for 1,000 nodes has 16 KB and goes over TCP, and each of
 * the nodes may be asking.
 */
const PAUSE_PER_MEMBER_MS = 10;

/**
 * Asks the name server for the addresses of all members, not too often. Its answers come to the listeners of
 * DomainAddresses.
 */
export interface DomainQuestions {
  /** The question that is under way. */
  readonly asking: Promise<void> | undefined;
  /** Asks, unless a question is under way. Resolves when it is answered or has failed. */
  ask(): Promise<void>;
  /** True while it is too early for another question. */
  isPausing(): boolean;
  /** When to ask again, in ms of the clock: at the latest at `reasonMs` if the pause is over by then. */
  nextMs(reasonMs: number): number;
}

/** What createDomainQuestions needs. */
export interface DomainQuestionsDeps {
  readonly addresses: Pick<DomainAddresses, 'resolve'>;
  /** How many members there are now. */
  readonly memberCount: () => number;
  /** Called with the time when it asks. */
  readonly onAsk: (nowMs: number) => void;
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Settings of createDomainQuestions. */
export interface DomainQuestionsOptions {
  /** Time between two questions when nothing happens. */
  readonly refreshMs: number;
  /** Least time between two questions; it doubles with each failure. */
  readonly leastPauseMs: number;
}

/** Has asked nothing yet. The signal ends a question that is under way. */
export function createDomainQuestions(
  { addresses, memberCount, onAsk, logger, clock, random }: DomainQuestionsDeps,
  { refreshMs, leastPauseMs }: DomainQuestionsOptions,
  signal: AbortSignal,
): DomainQuestions {
  let lastAskMs = -Infinity;
  let asking: Promise<void> | undefined;
  let failures = 0;
  let jitterMs = 0;

  const askNow = async () => {
    lastAskMs = clock.nowMs();
    jitterMs = random() * REFRESH_JITTER * refreshMs;
    onAsk(lastAskMs);
    try {
      await addresses.resolve(signal);
      if (failures > 0) logger.info('The addresses of the members can be resolved again');
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (failures === 0) logger.warn('Cannot resolve the members, keeping those that are known', { error });
      failures++;
    }
  };
  const pauseEndMs = () => lastAskMs + Math.max(leastPauseMs, memberCount() * PAUSE_PER_MEMBER_MS);

  return {
    get asking() {
      return asking;
    },
    async ask() {
      asking ??= askNow().finally(() => {
        asking = undefined;
      });
      return asking;
    },
    isPausing: () => clock.nowMs() < pauseEndMs(),
    nextMs(reasonMs) {
      const retryMs = failures === 0 ? refreshMs + jitterMs : leastPauseMs * 2 ** Math.min(failures, 10);
      const regularMs = lastAskMs + Math.min(retryMs, refreshMs + jitterMs);
      return Math.max(Math.min(regularMs, reasonMs), pauseEndMs());
    },
  };
}
