import { loadIdentity } from '../identity.ts';
import { createKadNode, type KadNode } from '../kad-node.ts';
import { createProviderDatastore } from '../provider-datastore.ts';

/** A running node on loopback with an identity of its own; stopped with the stack. */
export async function startKadNode(cleanup: AsyncDisposableStack): Promise<KadNode> {
  const node = await createKadNode(
    { privateKey: await loadIdentity(), datastore: createProviderDatastore() },
    { listenAddress: '127.0.0.1:0', announceAddresses: ['127.0.0.1'] },
  );
  cleanup.defer(async () => node.libp2p.stop());
  await node.libp2p.start();
  return node;
}
