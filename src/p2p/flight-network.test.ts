import { expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createFlightNetwork } from './flight-network.ts';

const PEER = { id: Uint8Array.of(1), addresses: [], encoded: Uint8Array.of() };

/** A network with one other node, which is there until it goes. */
function start({ saysGoodbye }: { readonly saysGoodbye: boolean }) {
  const clock = createVirtualClock();
  let isThere = true;
  let goneMs = 0;
  const network = createFlightNetwork({
    self: '00',
    dht: {
      describe: () => (isThere ? PEER : undefined),
      isMemberConnected: () => isThere,
      hasLeft: (_name, withinMs) => saysGoodbye && !isThere && clock.nowMs() - goneMs < withinMs,
      nearest: () => [],
      recorded: () => [],
    },
    streams: { ask: async () => Promise.reject(new Error('Not asked')), isSilent: () => false },
    toProvider: () => ({ id: 'peer', addresses: ['10.0.0.1'], name: '01' }),
    clock,
    logger: silentLogger,
  });
  const look = () => [network.isThere('01'), network.isPausing('01'), network.peerOf('01') !== undefined];
  return {
    clock,
    look,
    go: () => {
      isThere = false;
      goneMs = clock.nowMs();
    },
  };
}

test.each([
  ['that has said goodbye', true],
  ['that is lost', false],
])('a node %s can be asked for some seconds: its mirror may be restarting', async (_, isPausing) => {
  const { clock, look, go } = start({ saysGoodbye: isPausing });
  expect(look()).toEqual([true, false, true]);
  go();
  expect(look()).toEqual([false, isPausing, true]);
  await clock.advance(6000);
  expect(look()).toEqual([false, isPausing, isPausing]);
  await clock.advance(10_000);
  expect(look()).toEqual([false, false, false]);
});

test('a node that was never seen cannot be asked', () => {
  const { look, go } = start({ saysGoodbye: true });
  go();
  expect(look()).toEqual([false, true, false]);
});
