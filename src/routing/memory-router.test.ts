import { expect, test } from 'bun:test';

import { systemClock } from '../runtime/clock.ts';
import { createMemoryNetwork, createMemoryRouter } from './memory-router.ts';
import { describeRouter } from './router.conformance.ts';

describeRouter('memory router', async () => {
  const network = createMemoryNetwork({ clock: systemClock });
  const join = async () => {
    const number = network.nodes.size + 1;
    return createMemoryRouter(network, { id: `node-${number}`, addresses: [`10.0.0.${number}`] });
  };
  return { routers: [await join(), await join(), await join()], join, async [Symbol.asyncDispose]() {} };
});

test('lookup() yields nobody when the network is slower than the budget', async () => {
  const network = createMemoryNetwork({ clock: systemClock, latencyMs: 10_000 });
  const asking = createMemoryRouter(network, { id: 'a', addresses: ['10.0.0.1'] });
  createMemoryRouter(network, { id: 'b', addresses: ['10.0.0.2'] });
  network.nodes.get('b')?.keys.add('sha256:x');
  const found = asking.lookup('sha256:x', { signal: AbortSignal.timeout(5), limit: 1 });
  expect(await Array.fromAsync(found)).toEqual([]);
});

test('lookup() passes over a node that is offline', async () => {
  const network = createMemoryNetwork({ clock: systemClock });
  const asking = createMemoryRouter(network, { id: 'a', addresses: ['10.0.0.1'] });
  const other = createMemoryRouter(network, { id: 'b', addresses: ['10.0.0.2'] });
  await other.advertise(['sha256:x']);
  const node = network.nodes.get('b');
  if (node !== undefined) node.online = false;
  const found = asking.lookup('sha256:x', { signal: AbortSignal.timeout(1000), limit: 1 });
  expect(await Array.fromAsync(found)).toEqual([]);
});
