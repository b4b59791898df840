import { expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { FlightAnswer, FlightQuestion, FlightReport } from '../flights/flight-messages.ts';
import { digestOf } from '../oci/digest.ts';
import { createFlightNetwork } from './flight-network.ts';
import { encodeFlightAnswer, type FlightMessage, parseFlightMessage } from './rpc/flight-message.ts';

const PEER = { id: Uint8Array.of(1), addresses: [], encoded: Uint8Array.of() };

/** A network with one other node, which is there until it goes. It gives the answer that is set, to all it is asked. */
function start({ saysGoodbye = false }: { readonly saysGoodbye?: boolean } = {}) {
  const clock = createVirtualClock();
  let isThere = true;
  let goneMs = 0;
  const absent: [key: string, by: string][] = [];
  const sent: FlightMessage[] = [];
  const node = { answer: { verdict: 'upstream' } as FlightAnswer };
  const network = createFlightNetwork({
    self: '00',
    dht: {
      absent: (key, by) => absent.push([key, by]),
      describe: () => (isThere ? PEER : undefined),
      isMemberConnected: () => isThere,
      hasLeft: (_name, withinMs) => saysGoodbye && !isThere && clock.nowMs() - goneMs < withinMs,
      nearest: () => [],
      isToldFirst: () => true,
      recorded: () => [],
      zoneOf: () => 'here',
    },
    streams: {
      async ask(_peer, { message, parse }) {
        // Without its length, which is a byte here.
        const asked = parseFlightMessage(message.subarray(1));
        sent.push(asked);
        return parse(encodeFlightAnswer('state' in asked ? undefined : node.answer).subarray(1));
      },
      isSilent: () => false,
    },
    toProvider: () => ({ id: 'peer', addresses: ['10.0.0.1'], name: '01' }),
    clock,
    logger: silentLogger,
  });
  const look = () => [network.isThere('01'), network.isPausing('01'), network.peerOf('01') !== undefined];
  return {
    network,
    node,
    absent,
    sent,
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

const DIGEST = digestOf(Buffer.from('blob'));
const QUESTION: FlightQuestion = { digest: DIGEST, leader: undefined, bad: [], full: [] };
const NEVER = new AbortController().signal;

test('a tower that knows no node with the content spares a lookup', async () => {
  const { network, absent } = start();
  expect(await network.ask('01', QUESTION, NEVER)).toEqual({ verdict: 'upstream' });
  expect(absent).toEqual([[DIGEST, '01']]);
});

test.each<[string, FlightAnswer, Partial<FlightQuestion>]>([
  ['names a node', { verdict: 'take', from: '02', leader: undefined }, {}],
  ['was not to name some nodes', { verdict: 'upstream' }, { bad: ['02'] }],
  ['was asked for a node that is ahead', { verdict: 'upstream' }, { lagsAtByte: 7 }],
])('a tower that %s spares no lookup', async (_, answer, part) => {
  const { network, node, absent } = start();
  node.answer = answer;
  expect(await network.ask('01', { ...QUESTION, ...part }, NEVER)).toEqual(answer);
  expect(absent).toEqual([]);
});

test('a manifest that is there at once is told of once, another download as it goes on', async () => {
  const { network, sent, clock } = start();
  const report = (state: FlightReport['state'], writtenBytes: number, digest = DIGEST) =>
    network.report('01', { digest, state, isRoot: true, hasBegun: true, writtenBytes }, false);
  const other = digestOf(Buffer.from('other'));
  report('running', 1);
  report('running', 1, other);
  report('done', 2);
  report('running', 3, other);
  await clock.advance(300);
  report('aborted', 4, other);
  await clock.advance(300);
  const seen = sent.map((message) => 'state' in message && [message.state, message.writtenBytes]);
  expect(seen).toEqual([
    ['done', 2],
    ['running', 3],
    ['aborted', 4],
  ]);
});
