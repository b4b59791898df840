import { expect, test } from 'bun:test';
import { factsOf, pullOf } from './page-facts.fixture.ts';
import { pullFigures } from './pull-figures.ts';

test('pullFigures() counts what is under way, from peers and from the registry', () => {
  const { running, streams } = factsOf();
  const [pull] = running;
  if (pull === undefined) throw new Error('No pull runs');
  // Of 12 MB from the registry containerd has written 3.
  expect(pullFigures(pull, streams)).toMatchObject({
    savedBytes: 12_404_200 + 8_400_000,
    upstreamBytes: 3_000_000,
    wantedBytes: 49_604_200,
    bytesPerSecond: (12_404_200 + 8_400_000 + 3_000_000) / 4,
    missing: [{ reason: 'no-record' }],
  });
  expect(pullFigures(pull, {}).upstreamBytes).toBe(12_000_000);
  // No manifest has said how large it is.
  const blobs = pull.blobs.map((blob) => ({ ...blob, sizeBytes: undefined }));
  expect(pullFigures({ ...pull, upstreamBytes: 0, blobs }, streams).upstreamBytes).toBe(3_000_000);
});

test('pullFigures() takes an ended pull as it is told', () => {
  const { streams } = factsOf();
  expect(pullFigures(pullOf(1, { durationMs: 2000, localBytes: 100 }), streams)).toMatchObject({
    savedBytes: 24_804_300,
    upstreamBytes: 0,
    bytesPerSecond: 12_402_150,
    missing: [],
  });
  expect(pullFigures(pullOf(1, { durationMs: 0, peerBytes: 0 }), streams).bytesPerSecond).toBeUndefined();
});
