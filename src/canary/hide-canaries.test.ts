import { describe, expect, test } from 'bun:test';
import { type Digest, parseDigest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import type { SharingPolicy } from '../store/sharing-policy.ts';
import { canaryRepository } from './canary-name.ts';
import { hideCanaries } from './hide-canaries.ts';

const [CURRENT, LEFT, BOTH, UNNAMED] = ['a', 'b', 'c', 'd'].map((digit) =>
  parseDigest(`sha256:${digit.repeat(64)}`),
);
const CANARY = `registry.lab/${canaryRepository('0'.repeat(32))}:v1`;
const NAMES = new Map([
  [LEFT, [CANARY]],
  [BOTH, [CANARY, 'registry.lab/app:v1']],
]);

describe('hideCanaries()', () => {
  const noted: unknown[] = [];
  const all: SharingPolicy = {
    sharesName: ({ repository }) => repository !== 'filtered',
    sharesDigest: () => true,
    noteRequest: (...given) => void noted.push(given),
  };
  const policy = hideCanaries(all, {
    store: { references: (digest) => (NAMES.get(digest) ?? []).map(parseReference) },
    isCanaryContent: (digest) => digest === CURRENT,
  });

  test('shares all but the content of canaries', () => {
    const shares = (digest: Digest | undefined) => digest !== undefined && policy.sharesDigest(digest);
    expect([CURRENT, LEFT, BOTH, UNNAMED].map(shares)).toEqual([false, false, true, true]);
  });

  test('shares all names but those of canaries, and passes on what the policy says', () => {
    const shares = (repository: string) => policy.sharesName({ registry: 'registry.lab', repository });
    expect(shares(canaryRepository('0'.repeat(32)))).toBe(false);
    expect(shares('spegel-canary/app')).toBe(true);
    expect(shares('filtered')).toBe(false);
    policy.noteRequest({ registry: 'registry.lab', repository: 'app' }, UNNAMED);
    expect(noted).toEqual([[{ registry: 'registry.lab', repository: 'app' }, UNNAMED]]);
  });
});
