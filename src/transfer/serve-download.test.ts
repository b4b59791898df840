import { expect, test } from 'bun:test';

import { digestOf } from '../oci/digest.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createRelays } from './relays.ts';
import { type DownloadOutcome, serveDownload } from './serve-download.ts';
import { createScriptedClient } from './testing/scripted-cluster.ts';

const MIB = 1024 * 1024;

/** What comes of a request for a download of 10 MiB of which 1 MiB is there, whose file cannot be opened. */
async function serve(
  start: number,
  code: string,
  { isMoving = true, isOver = false, isGivenUp = false } = {},
): Promise<DownloadOutcome | undefined> {
  const clock = createVirtualClock();
  const digest = digestOf(Buffer.from('layer'));
  const outcomes: DownloadOutcome[] = [];
  void serveDownload(
    {
      flights: {
        follow: () =>
          isOver
            ? undefined
            : {
                path: '/data',
                sizeBytes: 10 * MIB,
                writtenBytes: MIB,
                isOver: false,
                subscribe: () => () => {},
              },
        isGivenUp: () => isGivenUp,
        isMoving: () => isMoving,
        onChange: () => () => {},
      },
      transport: {
        openGrowingFile: async () => {
          throw Object.assign(new Error('Cannot open'), { code });
        },
      },
      relays: createRelays({
        createRelay: () => ({ has: () => false, endOf: (byte) => byte, subscribe: () => () => {} }),
      }),
      clock,
    },
    { digest, registry: undefined, range: { start } },
    createScriptedClient().client,
  ).then((outcome) => outcomes.push(outcome));
  await clock.advance(1000);
  return outcomes[0];
}

test.each([
  ['of a part that is not there yet', 2 * MIB, 'ENOENT', 'waiting'],
  ['of a part behind its end', 10 * MIB, 'ENOENT', 'unsatisfiable'],
  ['whose file is gone: the store may have it in a moment', 0, 'ENOENT', 'waiting'],
  ['whose file may not be read', 0, 'EACCES', 'absent'],
])('serveDownload() %s', async (_, start, code, outcome) => {
  expect(await serve(start, code)).toEqual(outcome as DownloadOutcome);
});

test('serveDownload() of what waits for its turn says so', async () => {
  expect(await serve(2 * MIB, 'ENOENT', { isMoving: false })).toBe('queued');
});

test.each([
  ['that is not there', false, 'absent'],
  ['that others are not to wait for any more', true, 'given-up'],
])('serveDownload() of a download %s', async (_, isGivenUp, outcome) => {
  expect(await serve(0, 'ENOENT', { isOver: true, isGivenUp })).toEqual(outcome as DownloadOutcome);
});
