import { PeerRequestError, type TransportClient } from '../http/transport.ts';
import type { Logger } from '../observe/log.ts';
import type { Peer } from '../routing/router.ts';
import type { TransferOptions } from './blob-sources-contract.ts';
import { HEAD_TIMEOUT_MS, PEER_PROBES } from './budgets.ts';
import type { PeerHealth } from './peer-health.ts';
import { atAnyAddress, peerHeaders } from './peer-requests.ts';

/** What createPeerProbes needs. */
export interface PeerProbesDeps {
  readonly transport: Pick<TransportClient, 'request'>;
  readonly health: Pick<PeerHealth, 'answeredProbe' | 'failed'>;
  readonly logger: Logger;
}

/** Asks peers that have failed whether they are there, without content. */
export interface PeerProbes {
  /** Begins to ask the peer, unless it is being asked; returns at once. */
  probe(peer: Peer): void;
}

/** Never aborts: a probe has its time limits. */
const NEVER = new AbortController().signal;

/**
 * A probe beside the requests, instead of a request that tries: a peer that is still gone would hold that request up for as
 * long as a connection may take, for each key and each wait that is over. Meanwhile the peer goes last, so that a request that
 * has no other peer asks it all the same, as it would without probes. A peer that answers the probe and fails again is left
 * alone for longer than before: what it did wrong may not show in a probe.
 */
export function createPeerProbes(
  { transport, health, logger }: PeerProbesDeps,
  options: Pick<TransferOptions, 'registryPort' | 'authorization'>,
): PeerProbes {
  const running = new Set<string>();
  const ask = async (peer: Peer) => {
    try {
      const status = await atAnyAddress(peer, async (host, connectTimeoutMs) => {
        const answer = await transport.request(
          { method: 'HEAD', host, port: options.registryPort, path: '/v2/', headers: peerHeaders(options) },
          { connectTimeoutMs, headTimeoutMs: HEAD_TIMEOUT_MS, signal: NEVER },
        );
        answer.body?.close();
        return answer.status;
      });
      if (status === 200) health.answeredProbe(peer);
      else health.failed(peer);
      logger.debug('peer probed', { peer: peer.id, addresses: peer.addresses, status });
    } catch (error) {
      if (!(error instanceof PeerRequestError)) throw error;
      health.failed(peer);
      logger.debug('peer probed', { peer: peer.id, addresses: peer.addresses, error });
    }
  };
  return {
    probe(peer) {
      const name = [peer.id, ...peer.addresses].join(' ');
      if (running.has(name) || running.size >= PEER_PROBES) return;
      running.add(name);
      ask(peer)
        .catch((error: unknown) => logger.error('Cannot probe a peer', { peer: peer.id, error }))
        .finally(() => running.delete(name));
    },
  };
}
