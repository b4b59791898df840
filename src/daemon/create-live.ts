import type { BlobVerifier } from '../integrity/blob-verifier.ts';
import type { FilesWatch } from '../doctor/watch-files.ts';
import { build } from '../runtime/build.ts';
import { systemClock } from '../runtime/clock.ts';
import type { AskableCanary } from '../web/metrics-app.ts';
import type { LiveFactsDeps } from '../web/live-facts.ts';
import { liveFindings } from './live-findings.ts';

/** What createLive needs. */
export interface LiveDeps extends Omit<LiveFactsDeps, 'health' | 'wallClockMs' | 'clock'> {
  readonly isStoreConnected: () => boolean;
  readonly canary: AskableCanary | undefined;
  readonly doctor: Pick<FilesWatch, 'last'>;
  readonly verifier: Pick<BlobVerifier, 'damaged'>;
  readonly readMemory: () => {
    readonly usedBytes: number | undefined;
    readonly limitBytes: number | undefined;
  };
}

/** Puts together what the stream of the debug page tells. */
export function createLive({
  isStoreConnected,
  canary,
  doctor,
  verifier,
  readMemory,
  ...facts
}: LiveDeps): LiveFactsDeps {
  const startedAt = new Date(Date.now() - performance.now()).toISOString();
  return {
    ...facts,
    health() {
      const findings = doctor.last();
      return {
        version: build.version,
        startedAt,
        isStoreConnected: isStoreConnected(),
        canary: canary && { last: canary.last() ?? null, isRunning: canary.isRunning() },
        findings: findings && liveFindings(findings),
        damagedBlobs: verifier.damaged().length,
        memory: readMemory(),
      };
    },
    wallClockMs: Date.now,
    clock: systemClock,
  };
}
