import type { PlainAnswer } from '../http/http-server.ts';
import type { LoggedPull, PullLog } from '../observe/pull-log.ts';
import type { Clock } from '../runtime/clock.ts';
import { shareResult } from '../runtime/share-result.ts';

/** Where the metrics listener has the last pulls, as JSON. */
export const PULLS_PATH = '/debug/pulls';

/** What createPullsAnswer needs. */
export interface PullsAnswerDeps {
  readonly pulls: Pick<PullLog, 'last'>;
  readonly clock: Clock;
}

/** Makes what answers with the last pulls. 50 of large images are 700 KB, so those who ask at about the same time get the same bytes. */
export function createPullsAnswer({ pulls, clock }: PullsAnswerDeps): () => Promise<PlainAnswer> {
  const headers = { 'content-type': 'application/json' };
  return shareResult(clock, async () => {
    const text = JSON.stringify({ pulls: pulls.last().map(pullJson) });
    return { status: 200, headers, body: Buffer.from(text) };
  });
}

function pullJson({ startedAtMs, ...pull }: LoggedPull) {
  return { startedAt: new Date(startedAtMs).toISOString(), ...pull };
}
