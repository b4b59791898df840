import {
  CANARY_ANSWER_MS,
  CANARY_PATH,
  type CanaryOutcome,
  type CanaryResult,
} from '../canary/canary-result.ts';
import type { CanaryFacts } from '../doctor/check-canary.ts';
import { askDaemon, askEndpoint } from './daemon-client.ts';
import { DaemonError } from './daemon-error.ts';
import { readJsonFields } from './json-fields.ts';

/** A result that is there is answered at once. */
const TIMEOUT_MS = 3000;
/** The result of a run that ended so long ago is one of now. */
const FRESH_MS = 15_000;
const OUTCOMES: ReadonlySet<string> = new Set<CanaryOutcome>(['used', 'not-used', 'unknown']);

/** Has the spegel at `addr`, its metrics address, run its canary. A run that has just ended counts. Never rejects. */
export async function runCanary(addr: string): Promise<CanaryFacts> {
  try {
    const request = { method: 'POST', path: CANARY_PATH } as const;
    const { status, bytes } = await askEndpoint(addr, request, CANARY_ANSWER_MS);
    const text = new TextDecoder().decode(bytes);
    if (status === 200) return parseCanaryReport(JSON.parse(text));
    if (status === 429) {
      const last = parseCanaryReport(await askDaemon(addr, CANARY_PATH, TIMEOUT_MS));
      if (Date.now() - Date.parse(last.startedAt) - last.durationMs < FRESH_MS) return last;
    }
    throw new DaemonError(
      status === 404
        ? `spegel at ${addr} has none: it runs with --canary-enabled=false, or is an older version`
        : `spegel at ${addr} answered ${status}: ${text.trim().slice(0, 300)}`,
    );
  } catch (error) {
    return { error };
  }
}

/** Reads what `/debug/canary` answers. Throws DaemonError. */
function parseCanaryReport(value: unknown): CanaryResult {
  const last = readJsonFields(value).object('last');
  const outcome = last.text('outcome');
  if (!isOutcome(outcome)) throw new DaemonError(`Cannot read what spegel answered: outcome is ${outcome}`);
  return {
    outcome,
    text: last.text('text'),
    image: last.text('image'),
    startedAt: last.text('startedAt'),
    durationMs: last.number('durationMs'),
    askedAfterMs: last.optionalNumber('askedAfterMs'),
    askedFrom: last.optionalText('askedFrom'),
    requests: last.number('requests'),
    isPulled: last.flag('isPulled'),
    isRemoved: last.flag('isRemoved'),
  };
}

function isOutcome(text: string): text is CanaryOutcome {
  return OUTCOMES.has(text);
}
