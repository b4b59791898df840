import { CANARY_PATH, type CanaryReport } from '../../../canary/canary-result.ts';
import { ask } from './ask.ts';

/** The pull of the canary may take so long, in ms. */
const TIMEOUT_MS = 40_000;

/** Has containerd pull the canary, and returns what came of it, in words. */
export async function testMirror(): Promise<string> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await ask<CanaryReport>(CANARY_PATH, { method: 'POST', signal });
    if ('value' in answer) return answer.value.last?.text ?? 'The test gave no result';
    const wait = answer.retryMs === undefined ? '' : `. Try again in ${Math.ceil(answer.retryMs / 1000)} s`;
    return `Not tested: ${answer.problem}${wait}`;
  } catch {
    return 'Not tested: the node takes too long';
  }
}
