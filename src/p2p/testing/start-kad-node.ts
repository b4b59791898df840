import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';

import { createRpcHandler } from '../../dht/rpc-handler.ts';
import { encodePeer } from '../../dht/wire/dht-message.ts';
import { createPeerTable, type PeerTable } from '../../dht/peers/peer-table.ts';
import { createProviderRecords, type ProviderRecords } from '../../dht/provide/provider-records.ts';
import { systemClock } from '../../runtime/clock.ts';
import { systemTimers } from '../../runtime/timers.ts';
import { loadIdentity } from '../identity.ts';
import { createKadNode, type KadNode } from '../kad-node.ts';
import { createDoor, type Door } from '../connections/door.ts';
import { createInboundFrames, type InboundFrames } from '../rpc/inbound-frames.ts';
import { doorOptions, UNBOUND_ADDRESS } from '../router-budget.ts';
import { createRpcServer } from '../rpc/rpc-server.ts';

/** A door that lets every connection in. */
export function createTestDoor(): Door {
  return createDoor(
    { nowMs: () => systemClock.nowMs(), timers: systemTimers },
    doorOptions(1000, UNBOUND_ADDRESS),
  );
}

/** What streams may hold where that is not looked at. */
export function createTestFrames(maxBytes = 16 * 1024 * 1024): InboundFrames {
  return createInboundFrames({ nowMs: () => systemClock.nowMs(), timers: systemTimers }, { maxBytes });
}

/** A host that answers the DHT's protocol from what the test puts in. */
export interface TestKadNode extends KadNode {
  readonly records: ProviderRecords;
  readonly peers: PeerTable;
}

/** A running node on loopback with an identity of its own; stopped with the stack. */
export async function startKadNode(cleanup: AsyncDisposableStack): Promise<TestKadNode> {
  const privateKey = await loadIdentity();
  const { bytes: id } = peerIdFromPrivateKey(privateKey).toMultihash();
  const [records, peers] = [createProviderRecords(systemClock), createPeerTable(id)];
  const responder = createRpcHandler({
    self: {
      name: id.toHex(),
      encoded: () =>
        encodePeer(
          id,
          node.announced().map((address) => multiaddr(address).bytes),
        ),
    },
    records,
    peers,
    describe: (name) => peers.get(name),
    isAvoided: () => false,
    introduce: (from, addresses) => peers.put(from, { addresses }),
  });
  const node = await createKadNode(
    { privateKey, onStream: createRpcServer(responder, createTestFrames()), door: createTestDoor() },
    { listenAddress: '127.0.0.1:0', announceAddresses: ['127.0.0.1'] },
  );
  cleanup.defer(async () => node.libp2p.stop());
  await node.libp2p.start();
  return { ...node, records, peers };
}
