import type { ComponentLogger, Logger as Libp2pLogger } from '@libp2p/interface';

import type { Logger } from '../observe/log.ts';
import type { Clock } from '../runtime/clock.ts';
import { createTokenBucket } from '../runtime/token-bucket.ts';
import { formatLogText } from './format-log-text.ts';

/**
 * Lines of each kind that are written: as many as the start, or a few connections, tell of, and then so many per
 * second. That is 100 MB of logs a day of each kind at most, however busy the node is.
 */
const LINES = { burst: 200, perSecond: 5 } as const;

/**
 * Our messages are constant; libp2p's are text with values, and go into a field. Its errors are routine: a peer that is
 * not there.
 */
const MESSAGES = {
  note: 'libp2p notes',
  error: 'libp2p notes an error',
  trace: 'libp2p traces',
} as const;
type Kind = keyof typeof MESSAGES;

/** What createComponentLogger needs. */
export interface ComponentLoggerDeps {
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * The logger of libp2p's parts. It replaces the logger that obeys the DEBUG environment variable and writes text.
 * Everything goes to debug, and where that is not written nothing is formatted. A flood is cut off: the next line that
 * is written says how many lines before it were `dropped`.
 */
export function createComponentLogger({ logger, clock }: ComponentLoggerDeps): ComponentLogger {
  if (!logger.writesDebug) return silentComponentLogger;
  const budgets: Readonly<Record<Kind, LineBudget>> = {
    note: createLineBudget(clock),
    error: createLineBudget(clock),
    trace: createLineBudget(clock),
  };
  const forComponent = (component: string): Libp2pLogger => {
    const at =
      (kind: Kind) =>
      (format: unknown, ...values: readonly unknown[]) => {
        const dropped = budgets[kind].take();
        if (dropped === undefined) return;
        const text = formatLogText(format, values);
        logger.debug(MESSAGES[kind], { component, text, ...(dropped === 0 ? {} : { dropped }) });
      };
    return Object.assign(at('note'), {
      error: at('error'),
      trace: at('trace'),
      // Only noise asks: it would write its private keys where DUMP_SESSION_KEYS is set.
      enabled: false,
      newScope: (name: string) => forComponent(`${component}:${name}`),
    });
  };
  return { forComponent };
}

/** How many lines may be written now. */
interface LineBudget {
  /** Undefined if a line is too many. Else how many lines were too many since the last line that was not. */
  take(): number | undefined;
}

function createLineBudget(clock: Pick<Clock, 'nowMs'>): LineBudget {
  const lines = createTokenBucket(() => clock.nowMs(), LINES);
  let dropped = 0;
  return {
    take() {
      if (!lines.take()) {
        dropped++;
        return undefined;
      }
      const before = dropped;
      dropped = 0;
      return before;
    },
  };
}

const silentLogger: Libp2pLogger = Object.assign(() => {}, {
  error() {},
  trace() {},
  enabled: false,
  newScope: () => silentLogger,
});
const silentComponentLogger: ComponentLogger = { forComponent: () => silentLogger };
