/**
 * A DHT node of the records bench, started with the path of its control socket and what keeps its records: `own` is
 * this project's router as the binary has it, `kad-dht` the package as it comes, with its own store in memory.
 */
import { yamux } from '@chainsafe/libp2p-yamux';
import { identify } from '@libp2p/identify';
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { createLibp2p } from 'libp2p';
import { silentLogger } from '../../../src/observe/log.ts';
import { loadIdentity } from '../../../src/p2p/identity.ts';
import { noiseForBun } from '../../../src/p2p/patches/noise-for-bun.ts';
import { createP2pRouter } from '../../../src/p2p/p2p-router.ts';
import { createStaticBootstrapper } from '../../../src/bootstrap/static-bootstrapper.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { serveControl } from '../cluster/control.ts';
import type { StoreCommands } from './records-commands.ts';

/** libp2p lets in 5 connections a second from one address: here are more clients on one. */
const MANY = 1000;

const [socketPath = '', kind] = process.argv.slice(2);
const address = kind === 'kad-dht' ? await startKadDht() : await startOwn();
serveControl<StoreCommands>(socketPath, {
  address: async () => address,
  async collect() {
    Bun.gc(true);
  },
});

async function startOwn(): Promise<string> {
  const router = await createP2pRouter(
    {
      logger: silentLogger,
      clock: systemClock,
      bootstrapper: createStaticBootstrapper([]),
      privateKey: await loadIdentity(),
    },
    { listenAddress: '127.0.0.1:0', announceAddresses: ['127.0.0.1'], allowLoopback: true },
  );
  const { id, multiaddrs } = router.self();
  return `${multiaddrs[0]}/p2p/${id}`;
}

async function startKadDht(): Promise<string> {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noiseForBun()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: MANY, maxIncomingPendingConnections: MANY },
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({ protocol: '/spegel/kad/1.0.0', clientMode: false, peerInfoMapper: passthroughMapper }),
    },
  });
  return libp2p.getMultiaddrs()[0]?.toString() ?? '';
}
