/** Where the daemon tells of its canary, on the metrics listener. */
export const CANARY_PATH = '/debug/canary';
/** A request for a run waits for so long at most, in ms: for the pull, its removal, and what is tidied up before. */
export const CANARY_ANSWER_MS = 30_000;

/** Whether containerd uses the mirror: it asked it for the canary; it did not; that could not be found out. */
export type CanaryOutcome = 'used' | 'not-used' | 'unknown';

/** One run of the canary. */
export interface CanaryResult {
  readonly outcome: CanaryOutcome;
  /** The result in words. */
  readonly text: string;
  /** The name of the image that containerd was told to pull. */
  readonly image: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Until the pull had ended, in ms. */
  readonly durationMs: number;
  /** When containerd first asked for it, in ms from the start; undefined: it did not. */
  readonly askedAfterMs: number | undefined;
  /** The address that it asked from. */
  readonly askedFrom: string | undefined;
  /** Requests for the image that reached the mirror. */
  readonly requests: number;
  /** True if containerd has pulled and unpacked it. */
  readonly isPulled: boolean;
  /** True if containerd has removed it again. */
  readonly isRemoved: boolean;
}

/** What `/debug/canary` answers. */
export interface CanaryReport {
  /** Null before the first run has ended. */
  readonly last: CanaryResult | null;
}
