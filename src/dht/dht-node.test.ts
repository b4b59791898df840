import { expect, test } from 'bun:test';

import { silentLogger } from '../observe/log.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { contentMultihash } from './wire/content-key.ts';
import { encodeMessage, MESSAGE_TYPES, parseMessage } from './wire/dht-message.ts';
import { CLOSER_TO_OUR_NODES, createDhtNode } from './dht-node.ts';
import { REPLICATION, SLOW_ANSWER_MS } from './limits.ts';
import { createMessageSplitter } from './wire/message-splitter.ts';
import { formatPeerAddress } from './wire/peer-address.ts';
import { NEW_PEER_DELAY_MS } from './provide/peer-changes.ts';

const id = (number: number) => Uint8Array.of(1, 0, number);

/** Node 0 of a network where no peer ever answers, but for records once `isTaking`. */
function setUp() {
  const silent = async () => new Promise<never>(() => {});
  const state = { delivered: 0, isTaking: false, timers: [] as { ms: number; run: () => void }[] };
  const clock = createVirtualClock();
  const node = createDhtNode({
    self: id(0),
    addresses: () => [],
    network: {
      ask: silent,
      findNode: silent,
      connect: silent,
      async deliver() {
        state.delivered++;
        if (!state.isTaking) await silent();
      },
      notify: async () => {},
      isSilent: () => false,
      heard() {},
      probe() {},
      drop() {},
      part() {},
    },
    gate: { isMember: () => true, mayRecord: () => true, isUsable: () => true },
    toProvider: () => undefined,
    logger: silentLogger,
    random: () => 0.5,
    clock,
    timers: {
      after(ms, run) {
        state.timers.push({ ms, run });
        return () => {};
      },
    },
  });
  const meet = (number: number) => {
    const address = formatPeerAddress({ ip: Uint8Array.of(10, 0, 0, number), port: 5001 });
    node.connected(id(number), { addresses: [address], capabilities: { notices: number % 2 === 0 } });
  };
  return { node, meet, clock, state };
}

test('createDhtNode() ends at once though a peer does not take the records that it is being sent', async () => {
  const { node, meet, clock, state } = setUp();
  meet(1);
  node.provide(['a']).catch(() => {});
  while (state.delivered === 0) await clock.advance(10);
  // No time passes on the node's clock: what it waited for would never come.
  await node[Symbol.asyncDispose]();
  expect(state.delivered).toBe(1);
});

test('createDhtNode() gives a peer its records again that came back while it still counted as connected', async () => {
  const { node, meet, clock, state } = setUp();
  state.isTaking = true;
  meet(1);
  await node.provide(['a']);
  await clock.advance(NEW_PEER_DELAY_MS);
  const before = state.delivered;
  node.replaced(id(1));
  node.replaced(id(2));
  await clock.advance(NEW_PEER_DELAY_MS);
  expect(state.delivered - before).toBe(1);
  await node[Symbol.asyncDispose]();
});

test('createDhtNode() asks a peer whether it is there that does not answer a lookup', async () => {
  const { node, meet, clock, state } = setUp();
  meet(1);
  await clock.advance(2000);
  const abort = new AbortController();
  const found = Array.fromAsync(node.lookup('a', { signal: abort.signal, limit: 1 }));
  await clock.advance(0);
  expect(state.delivered).toBe(0);
  for (const { ms, run } of state.timers) if (ms === SLOW_ANSWER_MS) run();
  expect(state.delivered).toBe(1);
  abort.abort();
  expect(await found).toEqual([]);
  await node[Symbol.asyncDispose]();
});

test('createDhtNode() names few closer peers to nodes that take notices, and twenty to Spegel’s', async () => {
  const { node, meet } = setUp();
  for (let number = 1; number <= 60; number++) meet(number);
  const closerFor = (number: number) => {
    const question = { type: MESSAGE_TYPES.getProviders, key: contentMultihash('a') };
    const [asked] = createMessageSplitter(1_000_000).push(encodeMessage(question));
    const answer = node.answer(id(number), asked ?? new Uint8Array(0)) ?? new Uint8Array(0);
    const [message] = createMessageSplitter(1_000_000).push(answer);
    return parseMessage(message ?? new Uint8Array(0), 100).closer.length;
  };
  expect([closerFor(2), closerFor(3)]).toEqual([CLOSER_TO_OUR_NODES, REPLICATION]);
});
