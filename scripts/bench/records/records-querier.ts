/** What fills and asks the node of the records bench: hosts of its own, so that each provider sends its own records. */
import { yamux } from '@chainsafe/libp2p-yamux';
import { identify } from '@libp2p/identify';
import type { Libp2p, Stream } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { noiseForBun } from '../../../src/p2p/patches/noise-for-bun.ts';
import { serveControl } from '../cluster/control.ts';
import {
  createSplitter,
  encodeAddProvider,
  encodeGetProviders,
  encodePing,
  multihashOf,
} from './dht-messages.ts';
import type { QuerierCommands } from './records-commands.ts';

const PROTOCOL = '/spegel/kad/1.0.0';
/** Records between two waits for the other side. */
const BATCH = 200;

/** The node's providers, in order. */
const hosts: Libp2p[] = [];
const keyOf = (provider: number, key: number) => multihashOf(`${provider} ${key}`);

async function host(): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noiseForBun()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping() },
  });
}

/** Sends messages; each resolves to the next answer. */
async function openStream(libp2p: Libp2p, address: string) {
  const stream: Stream = await libp2p.dialProtocol(multiaddr(address), PROTOCOL);
  const split = createSplitter();
  const waiting: { resolve(answer: Uint8Array): void; reject(cause: Error): void }[] = [];
  stream.addEventListener('message', ({ data }) => {
    for (const answer of split(data.subarray())) waiting.shift()?.resolve(answer);
  });
  stream.addEventListener('close', () => {
    for (const each of waiting.splice(0)) each.reject(new Error('The node closed the stream'));
  });
  return {
    async send(message: Uint8Array) {
      if (!stream.send(message)) await stream.onDrain();
    },
    async ask(message: Uint8Array): Promise<Uint8Array> {
      const answer = Promise.withResolvers<Uint8Array>();
      waiting.push(answer);
      if (!stream.send(message)) await stream.onDrain();
      return answer.promise;
    },
    async close() {
      await stream.close();
    },
  };
}

serveControl<QuerierCommands>(process.argv[2] ?? '', {
  async addRecords({ address, providers, keysPerProvider }) {
    while (hosts.length < providers) hosts.push(await host());
    const startedMs = performance.now();
    for (const [provider, libp2p] of hosts.entries()) {
      const stream = await openStream(libp2p, address);
      const peerId = libp2p.peerId.toMultihash().bytes;
      const own = libp2p.getMultiaddrs()[0]?.decapsulate('/p2p').bytes ?? new Uint8Array();
      for (let key = 0; key < keysPerProvider; key++) {
        await stream.send(encodeAddProvider(keyOf(provider, key), peerId, own));
        if (key % BATCH === BATCH - 1) await stream.ask(encodePing());
      }
      await stream.ask(encodePing());
      await stream.close();
    }
    return performance.now() - startedMs;
  },
  async query({ address, providers, keysPerProvider, isStreamKept, queries, budgetMs }) {
    const [libp2p] = hosts;
    if (libp2p === undefined) throw new Error('Add records first');
    const ids = hosts.map(({ peerId }) => Buffer.from(peerId.toMultihash().bytes));
    const kept = await openStream(libp2p, address);
    const tookMs: number[] = [];
    let wrong = 0;
    const endMs = performance.now() + budgetMs;
    while (tookMs.length < queries && performance.now() < endMs) {
      const provider = Math.floor(Math.random() * providers);
      const message = encodeGetProviders(keyOf(provider, Math.floor(Math.random() * keysPerProvider)));
      const startedMs = performance.now();
      const stream = isStreamKept ? kept : await openStream(libp2p, address);
      const answer = await stream.ask(message);
      tookMs.push(performance.now() - startedMs);
      if (!isStreamKept) await stream.close();
      if (!Buffer.from(answer).includes(ids[provider] ?? Buffer.alloc(0))) wrong++;
    }
    await kept.close();
    return { tookMs, wrong };
  },
});
