import type { TransportClient } from '../http/transport.ts';
import { PeerRequestError } from '../http/transport.ts';
import type { Peer } from '../routing/router.ts';
import type { TransferOptions } from './blob-sources-contract.ts';
import { CONNECT_TIMEOUT_MS, HEAD_TIMEOUT_MS } from './budgets.ts';
import { atAnyAddress, peerHeaders, peerPath, type PeerTarget, refusalOf } from './peer-requests.ts';

/**
 * Asks a peer whether it would give the content now: of a manifest for its head, of a blob for its first byte, because a cap on
 * uploads lets heads pass. `has-it`, or why not. It changes nothing of what is known of the peer.
 */
export async function probePeer(
  { transport }: { readonly transport: Pick<TransportClient, 'request'> },
  options: Pick<TransferOptions, 'registryPort' | 'authorization'>,
  { peer, target }: { readonly peer: Peer; readonly target: PeerTarget },
  signal: AbortSignal,
): Promise<string> {
  const range = target.kind === 'blob' ? { start: 0, end: 0 } : undefined;
  try {
    return await atAnyAddress(peer, async (host) => {
      const { status, body } = await transport.request(
        {
          method: target.kind === 'blob' ? 'GET' : 'HEAD',
          host,
          port: options.registryPort,
          path: peerPath(target),
          headers: peerHeaders(options, range),
        },
        { connectTimeoutMs: CONNECT_TIMEOUT_MS, headTimeoutMs: HEAD_TIMEOUT_MS, signal },
      );
      body?.close();
      const refusal = refusalOf(status);
      // An empty blob has no first byte.
      return refusal === undefined || refusal === 'unsatisfiable' ? 'has-it' : refusal;
    });
  } catch (error) {
    if (error instanceof PeerRequestError) return error.code;
    throw error;
  }
}
