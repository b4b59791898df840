import { expect, test } from 'bun:test';
import { createPullLog, type EndedPull, type PullDetails } from './pull-log.ts';

function pull(id: number, durationMs: number): EndedPull & PullDetails {
  const bytes = { localBytes: 0, peerBytes: 0, flightBytes: 0, upstreamBytes: 0, wantedBytes: undefined };
  const pieces = { peers: [], misses: [], missCount: 0, blobs: [], blobCount: 0 };
  const image = 'docker.io/library/nginx:1';
  return { id, image, digest: undefined, outcome: 'served', durationMs, ...bytes, ...pieces };
}

test('createPullLog() has the pull first that ended last, also when it is told of another one later', () => {
  let nowMs = 20_000;
  const log = createPullLog(() => nowMs);
  log.ended(pull(1, 500), 0);
  nowMs = 24_000;
  // Its last request was long ago: only the silence after it said that it was over.
  log.ended(pull(2, 500), 10_000);
  nowMs = 25_000;
  log.ended(pull(3, 2000), 0);
  expect(log.last().map(({ id }) => id)).toEqual([3, 1, 2]);
});
