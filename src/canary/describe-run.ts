import { DeadlineExceededError } from '../runtime/deadline.ts';
import { canonicalIp } from '../runtime/ip-address.ts';
import type { CanaryImage } from './canary-image.ts';
import type { CanaryOutcome } from './canary-result.ts';

/** What was seen of a run so far. */
export interface CanaryRun {
  readonly image: CanaryImage;
  readonly startedMs: number;
  requests: number;
  askedAfterMs: number | undefined;
  askedFrom: string | undefined;
  /** containerd asked without a password that fits. */
  isRefused: boolean;
}

/** How a run ended. */
export interface CanaryEnd {
  readonly outcome: CanaryOutcome;
  /** What the pull failed with; undefined: it did not fail. */
  readonly error: unknown;
  readonly durationMs: number;
  /** The canary's registry is NO_REGISTRY. */
  readonly isForAll: boolean;
}

/** Longest text of containerd that is repeated. */
const MAX_REASON = 500;

/** Says in words what a run has found out. */
export function describeRun(run: CanaryRun, { outcome, error, durationMs, isForAll }: CanaryEnd): string {
  const { image, askedAfterMs = 0, askedFrom = '', isRefused } = run;
  const name = image.reference;
  switch (outcome) {
    case 'used': {
      const asked = `containerd asked this mirror for ${name} after ${askedAfterMs} ms, from ${canonicalIp(askedFrom) ?? askedFrom}`;
      return error === undefined
        ? `${asked}, and had pulled it after ${durationMs} ms`
        : `${asked}, and could not pull it: ${reasonOf(error, name)}`;
    }
    case 'unknown':
      return `Whether containerd asks this mirror could not be found out: ${reasonOf(error, name)}`;
    case 'not-used':
      break;
  }
  if (isRefused) {
    return `containerd asked this mirror for ${name} without the password of --basic-auth-dir, and was refused: pulls go to the registries`;
  }
  const said =
    error === undefined
      ? 'containerd says that it has pulled it from elsewhere'
      : `containerd says: ${reasonOf(error, name)}`;
  const hint = isForAll
    ? '. Only hosts.toml files for all registries (_default) cover that name: where configure was given a list, --mirrored-registries of the daemon has to be the same list'
    : '';
  return `containerd did not ask this mirror for ${name}, which only it could answer for: pulls go to the registries. ${said}${hint}`;
}

/** containerd repeats the long name of the image, which has been said. */
function reasonOf(error: unknown, name: string): string {
  if (error instanceof DeadlineExceededError) return 'the pull had not ended in time';
  const message = error instanceof Error ? error.message : String(error);
  return message.replaceAll(name, '…').slice(0, MAX_REASON);
}
