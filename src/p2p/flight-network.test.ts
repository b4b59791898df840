import { expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createFlightNetwork } from './flight-network.ts';

const PEER = { id: Uint8Array.of(1), addresses: [], encoded: Uint8Array.of() };

/** A network with one other node, which is there until it goes. */
function start(lifeAfter: 'unknown' | 'dead') {
  const clock = createVirtualClock();
  let isThere = true;
  const network = createFlightNetwork({
    self: '00',
    dht: {
      describe: () => (isThere ? PEER : undefined),
      isMemberConnected: () => isThere,
      lifeOf: () => ({ life: isThere ? 'alive' : lifeAfter, forMs: undefined }),
      nearest: () => [],
      recorded: () => [],
    },
    streams: { ask: async () => Promise.reject(new Error('Not asked')), isSilent: () => false },
    toProvider: () => ({ id: 'peer', addresses: ['10.0.0.1'], name: '01' }) as never,
    clock,
    logger: silentLogger,
  });
  const look = () => [network.isThere('01'), network.isPausing('01'), network.peerOf('01') !== undefined];
  return {
    clock,
    look,
    go() {
      isThere = false;
    },
  };
}

test.each([
  ['that has said goodbye', 'unknown', true],
  ['that is lost', 'dead', false],
] as const)(
  'a node %s can be asked for some seconds: its mirror may be restarting',
  async (_, life, isPausing) => {
    const { clock, look, go } = start(life);
    expect(look()).toEqual([true, false, true]);
    go();
    expect(look()).toEqual([false, isPausing, true]);
    await clock.advance(6000);
    expect(look()).toEqual([false, isPausing, isPausing]);
    await clock.advance(10_000);
    expect(look()).toEqual([false, false, false]);
  },
);

test('a node that was never seen is not waited for', () => {
  const { look, go } = start('unknown');
  go();
  expect(look()).toEqual([false, false, false]);
});
