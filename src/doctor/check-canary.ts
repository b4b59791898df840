import type { CanaryResult } from '../canary/canary-result.ts';
import type { Finding, Findings } from './finding.ts';

/** What the daemon's canary has shown, or why it could not be run. */
export type CanaryFacts = CanaryResult | { readonly error: unknown };

/** Finds that containerd does not ask the mirror, seen by having it pull an image that only the mirror can answer for. */
export function checkCanary(canary: CanaryFacts): Findings {
  if ('error' in canary) {
    const reason = canary.error instanceof Error ? canary.error.message : String(canary.error);
    return { findings: [], unknown: [`the canary was not run: ${reason}`] };
  }
  const { outcome, isPulled, text } = canary;
  if (outcome === 'unknown') return { findings: [], unknown: [text] };
  if (outcome === 'not-used') return { findings: [mirrorNotUsed(text)], unknown: [] };
  return { findings: isPulled ? [] : [canaryNotPulled(text)], unknown: [] };
}

function mirrorNotUsed(text: string): Finding {
  return {
    id: 'mirror-not-used',
    severity: 'error',
    what: 'containerd was told to pull an image that only this mirror can answer for, and did not get it from there: the mirror is not in use',
    seen: [text],
    fix: [
      {
        do: 'note',
        text: 'see the other findings first. Without any: was containerd restarted after config_path was set, do configure and registry have the same --mirrored-registries, and was configure run without --resolve-tags=false? Then look again with',
        lines: ['spegel doctor --canary'],
      },
    ],
  };
}

function canaryNotPulled(text: string): Finding {
  return {
    id: 'canary-not-pulled',
    severity: 'warning',
    what: 'containerd asks the mirror, and could not pull the image that it was given: pulls may fail on this node',
    seen: [text],
    fix: [{ do: 'note', text: 'look at the log of containerd for the name of the image' }],
  };
}
