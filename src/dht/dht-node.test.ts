import { expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { contentMultihash } from './content-key.ts';
import { encodeMessage, MESSAGE_TYPES, parseMessage } from './dht-message.ts';
import { createDhtNode } from './dht-node.ts';
import { CLOSER_TO_OUR_NODES, REPLICATION } from './limits.ts';
import { createMessageSplitter } from './message-splitter.ts';
import { formatPeerAddress } from './peer-address.ts';

const id = (number: number) => Uint8Array.of(1, 0, number);

test('createDhtNode() names few closer peers to nodes that take notices, and twenty to Spegel’s', async () => {
  const silent = async () => new Promise<never>(() => {});
  const node = createDhtNode({
    self: id(0),
    addresses: () => [],
    network: {
      ask: silent,
      findNode: silent,
      connect: silent,
      deliver: silent,
      notify: silent,
      isSilent: () => false,
      heard() {},
      probe() {},
      drop() {},
    },
    gate: { isMember: () => true, mayRecord: () => true, isUsable: () => true },
    toProvider: () => undefined,
    logger: silentLogger,
    clock: createVirtualClock(),
    timers: { after: () => () => {} },
  });
  for (let number = 1; number <= 60; number++) {
    const address = formatPeerAddress({ ip: Uint8Array.of(10, 0, 0, number), port: 5001 });
    node.connected(id(number), { addresses: [address], takesNotices: number % 2 === 0 });
  }
  const closerFor = (number: number) => {
    const question = { type: MESSAGE_TYPES.getProviders, key: contentMultihash('a') };
    const [asked] = createMessageSplitter(1_000_000).push(encodeMessage(question));
    const answer = node.answer(id(number), asked ?? new Uint8Array(0)) ?? new Uint8Array(0);
    const [message] = createMessageSplitter(1_000_000).push(answer);
    return parseMessage(message ?? new Uint8Array(0), 100).closer.length;
  };
  expect([closerFor(2), closerFor(3)]).toEqual([CLOSER_TO_OUR_NODES, REPLICATION]);
});
