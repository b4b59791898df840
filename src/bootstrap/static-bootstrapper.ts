import { isPeerId, type PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';

import { BootstrapError, type Bootstrapper, type BootstrapPeer } from './bootstrapper.ts';

/** The multicodec of /p2p/ID. */
const P2P = 421;

/**
 * Bootstraps from --static-bootstrap-peers: multiaddrs with /p2p/ID. Throws BootstrapError that quotes a wrong
 * multiaddr.
 */
export function createStaticBootstrapper(peers: readonly string[]): Bootstrapper {
  const parsed = peers.map((text) => {
    const peer = parseBootstrapAddress(text);
    if (peer?.id === undefined) {
      throw new BootstrapError(
        `Cannot bootstrap from ${JSON.stringify(text)}: use /ip4/1.2.3.4/tcp/5001/p2p/12D3KooW…`,
      );
    }
    return peer;
  });
  return { kind: 'static', peers: async () => parsed };
}

/** Parses a multiaddr with or without /p2p/ID; undefined if it is not a multiaddr. */
export function parseBootstrapAddress(text: string): BootstrapPeer | undefined {
  try {
    const address = multiaddr(text);
    const components = address.getComponents();
    const last = components.at(-1);
    if (last?.code !== P2P || last.value === undefined) {
      return components.length === 0 ? undefined : { multiaddrs: [address.toString()] };
    }
    const id = parsePeerId(last.value);
    const bare = address.decapsulateCode(P2P);
    if (id === undefined || bare.getComponents().length === 0) return undefined;
    return { id: id.toString(), multiaddrs: [bare.toString()] };
  } catch {
    return undefined;
  }
}

/** Parses a peer ID; undefined if it is not a peer ID. */
export function parsePeerId(text: string): PeerId | undefined {
  try {
    const id: unknown = peerIdFromString(text);
    return isPeerId(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
